"""A rule for windows whose speakers are partly settled by the rest of the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..vocabulary import Vocabulary
from .rules import END, SPEAKER, START, Mask, _last_ends, _speakers, _times


@dataclass(frozen=True)
class Roster:
    """Besides the speakers who already belong to the file, only so many may speak: prompted ones and new ones alike.

    Parameters
    ----------
    vocabulary : Vocabulary
    members : frozenset of int
        Speakers who belong to the file.
    num_others : int
        How many others may speak in this window.
    num_forced : int
        Number of forced turns: to be prompted is not to speak.
    """

    vocabulary: Vocabulary
    members: frozenset[int]
    num_others: int
    num_forced: int

    def __call__(self, prefix: Sequence[int], allowed: Mask) -> Mask:
        slot = len(prefix) % 3
        if slot == END:
            return allowed
        written = prefix[3 * self.num_forced :][SPEAKER::3]
        heard = {self.vocabulary.speaker_index(token) for token in written}
        if len(heard - self.members) < self.num_others:
            return allowed  # another one may always start: they have not spoken yet
        allowed = allowed.copy()
        free = sorted(heard | self.members)
        if slot == START:  # not while all of them are talking
            ends = _last_ends(prefix, self.vocabulary)
            first = min((ends.get(speaker, 0) for speaker in free), default=self.vocabulary.num_steps + 1)
            _times(allowed, self.vocabulary)[:first] = False
            return allowed
        speakers = _speakers(allowed, self.vocabulary)
        chosen = speakers[free]
        speakers[:] = False
        speakers[free] = chosen
        return allowed
