"""What a mixture will be, before any sound is made: small, printable, reproducible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from pyannote.core import Annotation, Segment

if TYPE_CHECKING:
    from .effects import Effect

SAMPLE_RATE = 16000
SEMITONES, MOST_SEMITONES = 0.45, 5  # by which speech is higher for each decibel of effort, and in all
MERGED_PAUSE = 0.25  # seconds: shorter pauses of one speaker belong to the turn


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A stretch of one utterance, placed in the mixture.

    Parameters
    ----------
    speaker : int
        Position in the plan's list of voices.
    start : int
        Sample of the mixture where the excerpt starts. May be negative: the beginning is then cut.
    source : int
        Sample of the bank where it comes from.
    length : int
        Samples taken from the bank.
    speech : tuple of (int, int)
        Speech inside the excerpt, in samples of the bank, counted from its start.
    effort : float
        Of the voice, in decibels: louder by so much, brighter (see `render`), and higher.
    raised : float
        Higher by so many semitones than its effort makes it.
    """

    speaker: int
    start: int
    source: int
    length: int
    speech: tuple[tuple[int, int], ...]
    effort: float = 0.0
    raised: float = 0.0

    @property
    def pitch(self) -> float:
        """How many times higher than the voice is: nearly half a semitone for each decibel of effort, and `raised`.

        Louder speech is higher, by 0.2 to 0.6 semitones a decibel: Gramming et al., Journal of Voice, 1988. Whole
        semitones, for there is a filter to make for each pitch.
        """
        semitones = round(SEMITONES * self.effort + self.raised)
        return float(2 ** (min(max(semitones, -MOST_SEMITONES), MOST_SEMITONES) / 12))


@lru_cache(maxsize=1024)
def ratio(speed: float) -> tuple[int, int]:
    """How many samples (after, before) a speed makes of how many: the nearest fraction of small numbers."""
    exact = Fraction(speed).limit_denominator(100)
    return exact.denominator, exact.numerator


@dataclass(frozen=True, slots=True)
class Voice:
    """A speaker of the bank at some speed (see `ratio`); another speed is another voice."""

    speaker: int
    speed: float = 1.0

    def stretched(self, samples: int, pitch: float = 1.0) -> int:
        """Length in the mixture of a number of samples of the bank: what is higher is also faster."""
        after, before = ratio(self.speed * pitch)
        return round(samples * after / before)


@dataclass(frozen=True)
class Plan:
    """A mixture, drawn but not rendered.

    Parameters
    ----------
    num_samples : int
        Length of the mixture.
    voices : tuple of Voice
    excerpts : tuple of Excerpt
    effects : tuple of Effect
        With everything about them drawn; applied in order.
    merged_pause : float
        Pauses of one speaker up to so many seconds belong to the turn.
    """

    num_samples: int
    voices: tuple[Voice, ...]
    excerpts: tuple[Excerpt, ...]
    effects: tuple[Effect, ...] = ()
    merged_pause: float = MERGED_PAUSE

    def speech(self) -> list[tuple[int, int, int]]:
        """Who speaks when: (start, end, position of the voice), in samples, sorted; short pauses are closed."""
        gap = round(self.merged_pause * SAMPLE_RATE)
        parts = []
        for excerpt in self.excerpts:
            stretched, pitch = self.voices[excerpt.speaker].stretched, excerpt.pitch
            for start, end in excerpt.speech:
                first = max(excerpt.start + stretched(start, pitch), 0)
                last = min(excerpt.start + stretched(end, pitch), self.num_samples)
                if first < last:
                    parts.append((first, last, excerpt.speaker))
        return join(sorted(parts), gap)

    def annotation(self, labels: Sequence[str] | None = None, uri: str | None = None) -> Annotation:
        """The reference that goes with the mixture."""
        annotation: Annotation = Annotation(uri=uri)
        for track, (start, end, voice) in enumerate(self.speech()):
            segment = Segment(start / SAMPLE_RATE, end / SAMPLE_RATE)
            annotation[segment, track] = labels[voice] if labels else f"voice{voice}"
        return annotation


def join(parts: Sequence[tuple[int, int, int]], gap: int) -> list[tuple[int, int, int]]:
    """Join sorted (start, end, voice) parts of one voice that are at most `gap` samples apart."""
    joined: list[tuple[int, int, int]] = []
    last: dict[int, int] = {}
    for start, end, voice in parts:
        i = last.get(voice)
        if i is not None and start <= joined[i][1] + gap:
            joined[i] = (joined[i][0], max(joined[i][1], end), voice)
        else:
            last[voice] = len(joined)
            joined.append((start, end, voice))
    return joined
