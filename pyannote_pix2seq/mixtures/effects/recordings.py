"""Folders of recordings that effects draw from: noises, impulse responses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import overload

import numpy as np
from cachetools import LRUCache, cached

from ...audio import SAMPLE_RATE, open_audio
from ...files import SUFFIXES
from ..sources.base import audio_files, existing_folder

Samples = np.ndarray  # (sample,) float32
MAX_RESPONSE = 0.5  # seconds of an impulse response that are kept
KEPT = 1 << 28  # bytes of recordings that a process keeps; each of those that make windows is one


class Recordings(Sequence[Samples]):
    """Sounds of a folder, at any depth, in the order of their names; each is read when it is needed, and kept a while.

    Parameters
    ----------
    folder : str or Path
    prepare : callable, optional
        Applied to each: (sample,) float32 at 16 kHz -> samples.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such folder, or no audio in it.
    """

    def __init__(self, folder: str | Path, prepare: Callable[[Samples], Samples] | None = None) -> None:
        self.paths = sorted(audio_files(existing_folder(folder, "recordings"), SUFFIXES))
        self.prepare = prepare
        if not self.paths:
            raise ValueError(f"recordings: no audio file in {str(folder)!r}.")

    @cached_property
    def key(self) -> str:
        """Changes with the files, going by their names, sizes and times: none is read."""
        files = ((path, path.stat()) for path in self.paths)
        stamps = (f"{path} {status.st_size} {status.st_mtime_ns}" for path, status in files)
        return sha256("\n".join(stamps).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> Samples: ...
    @overload
    def __getitem__(self, index: slice) -> list[Samples]: ...
    def __getitem__(self, index: int | slice) -> Samples | list[Samples]:
        if isinstance(index, slice):
            return [_read(path, self.prepare) for path in self.paths[index]]
        return _read(self.paths[index], self.prepare)

    def __iter__(self) -> Iterator[Samples]:
        return (self[i] for i in range(len(self)))


@cached(LRUCache(KEPT, getsizeof=lambda samples: samples.nbytes), lock=Lock())
def _read(path: Path, prepare: Callable[[Samples], Samples] | None) -> Samples:
    samples = open_audio(path).read()
    try:
        return prepare(samples) if prepare else samples
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def recordings(
    given: Sequence[Samples] | str | Path, prepare: Callable[[Samples], Samples] | None = None
) -> Sequence[Samples]:
    """The folder's recordings where a path was given; arrays as they are.

    Raises
    ------
    TypeError
        If it is neither.
    """
    if isinstance(given, (str, Path)):
        return Recordings(given, prepare)
    if isinstance(given, Recordings):  # which reads as it goes
        return given
    if not isinstance(given, (list, tuple)) or not all(isinstance(samples, np.ndarray) for samples in given):
        raise TypeError("recordings: expected one folder of them")
    return given


def impulse_response(samples: Samples) -> Samples:
    """From its direct sound on, so that it delays nothing, and of unit energy.

    Raises
    ------
    ValueError
        If it is silent.
    """
    peak = int(np.abs(samples).argmax()) if len(samples) else 0
    kept = samples[peak : peak + round(MAX_RESPONSE * SAMPLE_RATE)]
    energy = float(np.sqrt((kept**2).sum()))
    if energy == 0:
        raise ValueError("an impulse response is silent.")
    return kept / np.float32(energy)
