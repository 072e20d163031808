"""Which part of a file is decoded next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np


class Chunk(NamedTuple):
    """Part of a file that is decoded at once, in grid steps from the start of the file."""

    start: int
    end: int
    keep: int  # turns are believed up to here, where the next chunk starts; what follows was only context


def next_chunk(start: int, room: int, step: float, left: int | None) -> Chunk:
    """Plan one chunk.

    Parameters
    ----------
    start : int
        Step of the file at which it starts.
    room : int
        Longest chunk, in steps: what the prompts leave of the window.
    step : float
        From the start of this chunk to that of the next one, as a ratio of the chunk: 0 < `step` <= 1.
    left : int or None
        Steps that are left of the file, where this is known to be at most `room`.
    """
    if left is not None and left <= room:
        return Chunk(start, start + left, start + left)
    return Chunk(start, start + room, start + max(round(room * step), 1))


class Buffer:
    """The part of a stream of samples that is still needed.

    Parameters
    ----------
    blocks : iterable of (sample,) array
    """

    def __init__(self, blocks: Iterable[np.ndarray]):
        self._blocks = iter(blocks)
        self._samples = np.zeros(0, np.float32)
        self.num_dropped = 0  # samples that were let go: the position of the next one in the stream

    def peek(self, num_samples: int) -> np.ndarray:
        """The next samples: `num_samples` of them, fewer only when the stream ends."""
        parts, size = [self._samples], len(self._samples)
        while size < num_samples:
            block = next(self._blocks, None)
            if block is None:
                break
            parts.append(block)
            size += len(block)
        if len(parts) > 1:
            self._samples = np.concatenate(parts)
        return self._samples[:num_samples]

    def drop(self, num_samples: int) -> None:
        """Let the next samples go."""
        self.num_dropped += len(self._samples[:num_samples])
        self._samples = self._samples[num_samples:].copy()
