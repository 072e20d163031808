"""A rule for windows whose speakers are partly settled by the rest of the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..vocabulary import Vocabulary
from .rules import END, SPEAKER, START, Mask, _last_ends, _speakers, _times, num_seen


@dataclass(frozen=True)
class Roster:
    """Besides the speakers who already belong to the file, only so many may speak, prompted or not.

    Parameters
    ----------
    vocabulary : Vocabulary
    members : frozenset of int
        Speakers who belong to the file.
    budget : int
        How many more may come to belong to it.
    num_unprompted : int
        How many belong to it and are not prompted: they look like new ones.
    num_prompted : int
        Number of prompts, one forced turn each: to be prompted is not to speak.
    """

    vocabulary: Vocabulary
    members: frozenset[int]
    budget: int
    num_unprompted: int
    num_prompted: int

    def __call__(self, prefix: Sequence[int], allowed: Mask) -> Mask:
        slot = len(prefix) % 3
        if slot == END:
            return allowed
        written = prefix[3 * self.num_prompted :][SPEAKER::3]
        heard = {self.vocabulary.speaker_index(token) for token in written}
        others = self._others(heard, num_seen(prefix, self.vocabulary))
        allowed = allowed.copy()
        if slot == START:
            if others:
                return allowed  # one of them may always start: they have not spoken yet
            ends = _last_ends(prefix, self.vocabulary)  # not while all of the rest are talking
            first = min((ends.get(s, 0) for s in heard | self.members), default=self.vocabulary.num_steps + 1)
            _times(allowed, self.vocabulary)[:first] = False
            return allowed
        free = sorted(heard | self.members | others)
        speakers = _speakers(allowed, self.vocabulary)
        chosen = speakers[free]
        speakers[:] = False
        speakers[free] = chosen
        return allowed

    def _others(self, heard: set[int], newcomer: int) -> set[int]:
        """Who may speak in this window for the first time, and does not belong to the file."""
        joined = heard - self.members
        if len(joined) >= self.budget + self.num_unprompted:
            return set()
        others = {newcomer} if newcomer < self.vocabulary.num_speakers else set()
        if sum(speaker < self.num_prompted for speaker in joined) < self.budget:
            others |= {*range(self.num_prompted)} - heard - self.members
        return others
