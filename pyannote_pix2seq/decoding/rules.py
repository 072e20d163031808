"""Rules that make every output valid: each narrows the mask of the tokens that may come next.

A rule is called with the tokens written so far (forced ones included, the command not) and the mask that earlier
rules left. Rules look ahead: none allows a token behind which no legal continuation exists, so a search that
follows `window_rules` never gets stuck and can always end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..vocabulary import Vocabulary

Mask: TypeAlias = NDArray[np.bool_]

START, END, SPEAKER = range(3)  # slots of a triplet; `len(prefix) % 3` is the slot of the next token


class Rule(Protocol):
    """Narrow a mask over the vocabulary; the mask given is not modified."""

    def __call__(self, prefix: Sequence[int], allowed: Mask, /) -> Mask: ...


@runtime_checkable
class Listener(Protocol):
    """What becomes a rule once a window was read."""

    def listen(self, state: Any, row: int, /) -> Rule:
        """Rule for one row of the batch."""


def _times(mask: Mask, vocabulary: Vocabulary) -> Mask:
    """The part of a mask that stands for time tokens, indexed by step."""
    return mask[vocabulary.first_time :]


def _speakers(mask: Mask, vocabulary: Vocabulary) -> Mask:
    """The part of a mask that stands for speaker tokens, indexed by speaker."""
    return mask[vocabulary.first_speaker : vocabulary.first_time]


def num_seen(prefix: Sequence[int], vocabulary: Vocabulary) -> int:
    """Number of speakers written so far."""
    written = prefix[SPEAKER::3]
    return vocabulary.speaker_index(max(written)) + 1 if written else 0


def _last_ends(prefix: Sequence[int], vocabulary: Vocabulary) -> dict[int, int]:
    """Step at which each speaker written so far stops talking."""
    ends: dict[int, int] = {}
    for speaker, end in zip(prefix[SPEAKER::3], prefix[END::3], strict=False):  # the last triplet may be unfinished
        if end > ends.get(speaker, 0):
            ends[speaker] = end
    return {vocabulary.speaker_index(speaker): vocabulary.step(end) for speaker, end in ends.items()}


@dataclass(frozen=True)
class Grammar:
    """`start end speaker` triplets; the sequence ends only between two of them."""

    vocabulary: Vocabulary
    slots: tuple[Mask, Mask, Mask] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        start, end, speaker = np.zeros((3, len(self.vocabulary)), dtype=bool)
        _times(start, self.vocabulary)[:] = True
        start[self.vocabulary.EOS] = True
        _times(end, self.vocabulary)[:] = True
        _speakers(speaker, self.vocabulary)[:] = True
        object.__setattr__(self, "slots", (start, end, speaker))

    def __call__(self, prefix: Sequence[int], allowed: Mask) -> Mask:
        return allowed & self.slots[len(prefix) % 3]


@dataclass(frozen=True)
class TimeMovesForward:
    """Turns are written in order of their starts, and each ends after it starts."""

    vocabulary: Vocabulary

    def __call__(self, prefix: Sequence[int], allowed: Mask) -> Mask:
        slot = len(prefix) % 3
        if slot == SPEAKER:
            return allowed
        allowed = allowed.copy()
        times = _times(allowed, self.vocabulary)
        if slot == END:
            times[: self.vocabulary.step(prefix[-1]) + 1] = False
        else:
            times[-1] = False  # no later step is left for its end
            if prefix:
                times[: self.vocabulary.step(prefix[-3])] = False
        return allowed


@dataclass(frozen=True)
class WithinAudio:
    """Turns lie inside the audio.

    Parameters
    ----------
    vocabulary : Vocabulary
    first_step, last_step : int
        Turns start at `first_step` at the earliest and end at `last_step` at the latest.
    """

    vocabulary: Vocabulary
    first_step: int
    last_step: int

    def __call__(self, prefix: Sequence[int], allowed: Mask) -> Mask:
        slot = len(prefix) % 3
        if slot == SPEAKER:
            return allowed
        allowed = allowed.copy()
        times = _times(allowed, self.vocabulary)
        times[: self.first_step + slot] = False  # an end lies one step later than a start at the earliest
        times[self.last_step + slot :] = False
        return allowed


@dataclass(frozen=True)
class MinimumDuration:
    """No turn is shorter than a number of steps.

    Parameters
    ----------
    vocabulary : Vocabulary
    steps : int
    last_step : int
        Latest end of a turn; a start must leave room before it.
    """

    vocabulary: Vocabulary
    steps: int
    last_step: int

    def __call__(self, prefix: Sequence[int], allowed: Mask) -> Mask:
        slot = len(prefix) % 3
        if slot == SPEAKER:
            return allowed
        allowed = allowed.copy()
        times = _times(allowed, self.vocabulary)
        if slot == END:
            times[: self.vocabulary.step(prefix[-1]) + self.steps] = False
        else:
            times[max(self.last_step - self.steps + 1, 0) :] = False
        return allowed


@dataclass(frozen=True)
class MaximumTurns:
    """No turn is started once a number of them, forced ones included, is written."""

    vocabulary: Vocabulary
    num_turns: int

    def __call__(self, prefix: Sequence[int], allowed: Mask) -> Mask:
        if len(prefix) % 3 != START or len(prefix) < 3 * self.num_turns:
            return allowed
        allowed = allowed.copy()
        _times(allowed, self.vocabulary)[:] = False
        return allowed


@dataclass(frozen=True)
class SpeakersInOrder:
    """Speakers take labels in order of arrival: a new label is at most one beyond those seen."""

    vocabulary: Vocabulary

    def __call__(self, prefix: Sequence[int], allowed: Mask) -> Mask:
        if len(prefix) % 3 != SPEAKER:
            return allowed
        allowed = allowed.copy()
        _speakers(allowed, self.vocabulary)[num_seen(prefix, self.vocabulary) + 1 :] = False
        return allowed


@dataclass(frozen=True)
class NobodyTwiceAtOnce:
    """A speaker's turn starts when their previous turns have ended.

    Parameters
    ----------
    vocabulary : Vocabulary
    max_speakers : int
        Once that many speakers have been written, a turn cannot start while all of them are talking.
    """

    vocabulary: Vocabulary
    max_speakers: int

    def __call__(self, prefix: Sequence[int], allowed: Mask) -> Mask:
        slot = len(prefix) % 3
        if slot == END or not prefix:
            return allowed
        if slot == START:
            if num_seen(prefix, self.vocabulary) < self.max_speakers:
                return allowed  # somebody new can always start
            ends = _last_ends(prefix, self.vocabulary)
            somebody_free = min(ends.get(speaker, 0) for speaker in range(self.max_speakers))
            allowed = allowed.copy()
            _times(allowed, self.vocabulary)[:somebody_free] = False
            return allowed
        start = self.vocabulary.step(prefix[-2])
        ends = _last_ends(prefix, self.vocabulary)
        allowed = allowed.copy()
        _speakers(allowed, self.vocabulary)[[speaker for speaker, end in ends.items() if end > start]] = False
        return allowed


@dataclass(frozen=True)
class SpeakerCount:
    """At least and at most so many speakers; those of forced turns count.

    This rule comes behind those that limit starts: where none of them leaves room for another turn, the sequence
    may end with fewer speakers than asked for.

    Parameters
    ----------
    vocabulary : Vocabulary
    minimum, maximum : int
    max_turns : int
        Number of turns that can be written; the last of them are kept for the speakers still missing.
    """

    vocabulary: Vocabulary
    minimum: int
    maximum: int
    max_turns: int

    def __call__(self, prefix: Sequence[int], allowed: Mask) -> Mask:
        slot = len(prefix) % 3
        if slot == END:
            return allowed
        seen = num_seen(prefix, self.vocabulary)
        num_missing = self.minimum - seen
        allowed = allowed.copy()
        if slot == START:
            if num_missing > 0 and _times(allowed, self.vocabulary).any():
                allowed[self.vocabulary.EOS] = False
        else:
            speakers = _speakers(allowed, self.vocabulary)
            speakers[self.maximum :] = False
            if 0 < self.max_turns - len(prefix) // 3 <= num_missing:
                speakers[:seen] = False
        return allowed


def window_rules(
    vocabulary: Vocabulary,
    first_step: int = 0,
    last_step: int | None = None,
    min_speakers: int = 0,
    max_speakers: int | None = None,
    max_turns: int = 64,
    min_duration_steps: int = 1,
    listeners: Sequence[Listener] = (),
) -> list[Rule | Listener]:
    """Rules of one window.

    Parameters
    ----------
    vocabulary : Vocabulary
    first_step, last_step : int
        Part of the window's grid in which turns may be found; by default all of it.
    min_speakers, max_speakers : int
        Bounds of the number of speakers in the window, those of forced turns included. By default, anything that
        the vocabulary can tell. Fewer than `min_speakers` are written only where there is no room for more turns.
    max_turns : int
        Largest number of turns, forced ones included.
    min_duration_steps : int
        Shortest turn, in steps.
    listeners : sequence of Listener
        Of those that limit where turns lie, such as `Audible`.

    Raises
    ------
    ValueError
        If no output could meet the numbers.
    """
    last_step = vocabulary.num_steps if last_step is None else last_step
    max_speakers = vocabulary.num_speakers if max_speakers is None else min(max_speakers, vocabulary.num_speakers)
    if not 0 <= first_step <= last_step <= vocabulary.num_steps:
        raise ValueError(
            f"steps {first_step} to {last_step} are no part of the grid; it goes from 0 to {vocabulary.num_steps}."
        )
    if not 0 <= min_speakers <= max_speakers or max_speakers < 1:
        raise ValueError(
            f"cannot write at least {min_speakers} and at most {max_speakers} speakers; a window takes "
            f"0 <= min_speakers <= max_speakers and 1 <= max_speakers <= {vocabulary.num_speakers}."
        )
    if max_turns < 0 or min_duration_steps < 1:
        raise ValueError(
            f"max_turns must be 0 or more and min_duration_steps 1 or more; got {max_turns} and {min_duration_steps}."
        )
    return [
        Grammar(vocabulary),
        TimeMovesForward(vocabulary),
        WithinAudio(vocabulary, first_step, last_step),
        MinimumDuration(vocabulary, min_duration_steps, last_step),
        *listeners,
        MaximumTurns(vocabulary, max_turns),
        SpeakersInOrder(vocabulary),
        NobodyTwiceAtOnce(vocabulary, max_speakers),
        SpeakerCount(vocabulary, min_speakers, max_speakers, max_turns),
    ]
