"""How windows reach a training loop."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils.data import DataLoader, DistributedSampler


class Consecutive(DistributedSampler):
    """Consecutive indices, dealt out to the processes of a run in turns: Lightning deals out no further.

    Parameters
    ----------
    count : int
        Indices for each process.
    first : callable
        Index to start from, asked when an epoch begins: a run that resumes goes on where it stopped.
    rank, num_processes : int
    """

    def __init__(self, count: int, first: Callable[[], int], rank: int = 0, num_processes: int = 1) -> None:
        self.count, self.first, self.rank, self.num_processes = count, first, rank, num_processes

    def __iter__(self) -> Iterator[int]:
        first = self.first() + self.rank
        return iter(range(first, first + self.count * self.num_processes, self.num_processes))

    def __len__(self) -> int:
        return self.count

    def set_epoch(self, epoch: int) -> None:
        """Epochs are told apart by where they begin."""


class LazyLoader(DataLoader):
    """A loader that draws nothing before its first batch is asked for.

    Lightning starts to iterate when a scheduler wants to know how long training is, which is before it has restored the
    step at which a run resumes; workers would begin with windows that were used up.
    """

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        yield from super().__iter__()


@contextmanager
def drawing(seed: int) -> Iterator[None]:
    """Random numbers of a seed, of torch and of Python, both of which torch-audiomentations draws from."""
    state = random.getstate()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            random.seed(seed)
            yield
    finally:
        random.setstate(state)
