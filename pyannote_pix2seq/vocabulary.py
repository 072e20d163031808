"""The whole id space of the token sequence: specials, then speakers, then time steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Vocabulary:
    """Token ids; the only place where anything is added to an id.

    Parameters
    ----------
    num_speakers : int
        Number of speaker tokens: how many speakers one window can tell apart.
    num_steps : int
        Number of steps of the time grid. There are `num_steps + 1` time tokens,
        one for each grid point, both ends of the window included.
    """

    num_speakers: int
    num_steps: int

    PAD: ClassVar[int] = 0
    DIARIZE: ClassVar[int] = 1  # the command that follows the audio
    EOS: ClassVar[int] = 2

    @property
    def first_speaker(self) -> int:
        return 3

    @property
    def first_time(self) -> int:
        return self.first_speaker + self.num_speakers

    def __len__(self) -> int:
        return self.first_time + self.num_steps + 1

    def speaker(self, index: int) -> int:
        """Token of the `index`-th speaker in order of arrival."""
        if not 0 <= index < self.num_speakers:
            raise ValueError(f"speaker {index} is outside of the vocabulary: it has {self.num_speakers} speakers.")
        return self.first_speaker + index

    def time(self, step: int) -> int:
        """Token of one grid step."""
        if not 0 <= step <= self.num_steps:
            raise ValueError(f"step {step} is outside of the grid: it has {self.num_steps} steps.")
        return self.first_time + step

    def is_speaker(self, token: int) -> bool:
        return self.first_speaker <= token < self.first_time

    def is_time(self, token: int) -> bool:
        return self.first_time <= token < len(self)

    def speaker_index(self, token: int) -> int:
        """Inverse of `speaker`."""
        if not self.is_speaker(token):
            raise ValueError(f"token {token} is not a speaker token.")
        return token - self.first_speaker

    def step(self, token: int) -> int:
        """Inverse of `time`."""
        if not self.is_time(token):
            raise ValueError(f"token {token} is not a time token.")
        return token - self.first_time
