"""A rule that listens: nobody takes a turn where the frame head hears nobody.

A sequence of tokens may go on by habit, turn after turn, through noise. The frame head has no habits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..vocabulary import Vocabulary
from .rules import END, SPEAKER, START, Mask, Rule, _times

MARGIN = 1  # audio positions on both sides of what is heard: frames are coarser than turns
PAUSE = 3  # positions: shorter pauses do not interrupt a turn


@dataclass(frozen=True)
class WithinStretches:
    """Turns lie inside stretches of speech.

    Parameters
    ----------
    vocabulary : Vocabulary
    until : (step,) array of int
        Where the stretch around each step of the grid ends; 0 outside of stretches.
    min_steps : int
        A start leaves so many steps of its stretch.
    """

    vocabulary: Vocabulary
    until: NDArray[np.int_]
    min_steps: int

    def __call__(self, prefix: Sequence[int], allowed: Mask) -> Mask:
        slot = len(prefix) % 3
        if slot == SPEAKER:
            return allowed
        allowed = allowed.copy()
        times = _times(allowed, self.vocabulary)
        if slot == START:
            times[self.until - np.arange(len(self.until)) < self.min_steps] = False
        elif slot == END:
            times[self.until[self.vocabulary.step(prefix[-1])] + 1 :] = False
        return allowed


@dataclass(frozen=True)
class Audible:
    """Turns lie where the frame head hears somebody, short pauses included.

    Parameters
    ----------
    vocabulary : Vocabulary
    steps_per_position : int
        Steps of the time grid in one audio position.
    least : float
        Least probability that somebody speaks; at 0 turns may lie anywhere.
    min_steps : int
        Shortest turn, in steps.
    """

    vocabulary: Vocabulary
    steps_per_position: int
    least: float
    min_steps: int = 1

    def listen(self, state: Any, row: int) -> Rule:
        """Rule for one window, by what the model has read: a state with (batch, position, speaker) `activity`."""
        somebody = 1 - (1 - state.activity[row].float().sigmoid()).prod(-1)
        return WithinStretches(
            self.vocabulary, self._until((somebody >= self.least).cpu().numpy()), max(self.min_steps, 1)
        )

    def _until(self, speech: NDArray[np.bool_]) -> NDArray[np.int_]:
        """Where the stretch of speech around each step ends, given the positions in which there is speech."""
        until = np.zeros(self.vocabulary.num_steps + 1, dtype=int)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], speech, [False]]))).reshape(-1, 2)
        if not len(edges):
            return until
        apart = edges[1:, 0] - edges[:-1, 1] >= PAUSE
        first, last = edges[np.r_[True, apart], 0] - MARGIN, edges[np.r_[apart, True], 1] + MARGIN
        # position p is centred on step p * steps_per_position
        steps = np.stack([first, last], 1) * self.steps_per_position - self.steps_per_position // 2
        for start, end in np.clip(steps, 0, self.vocabulary.num_steps).tolist():
            until[start:end] = end
        return until
