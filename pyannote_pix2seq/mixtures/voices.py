"""Who talks in a mixture, and what they have to say."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from .bank import Bank
from .plan import SAMPLE_RATE, Voice, ratio

MIN_STRETCH = 0.25  # seconds: nothing is cut shorter


class Speech:
    """One voice's speech, handed out stretch by stretch: nothing is said twice before all was said once."""

    def __init__(self, rng: np.random.Generator, bank: Bank, voice: Voice, repeats: bool = True) -> None:
        self.rng, self.bank, self.voice, self.repeats = rng, bank, voice, repeats
        self.begun = False
        self.unsaid: deque[tuple[int, int, int]] = deque()  # (utterance, first sample, last sample) of speech regions

    @property
    def left(self) -> bool:
        """Whether there is anything more to say."""
        return self.repeats or not self.begun or bool(self.unsaid)

    def take(self, seconds: float) -> tuple[int, int, tuple[tuple[int, int], ...]]:
        """About `seconds` of speech, from one utterance: its place in the bank, its length, the speech inside."""
        if not self.unsaid:
            for utterance in self.rng.permutation(self.bank.by_speaker[self.voice.speaker]):
                first, _, regions = self.bank.utterances[utterance]
                self.unsaid.extend((int(utterance), first + start, first + end) for start, end in regions)
        self.begun = True
        utterance, begin, _ = self.unsaid[0]
        shortest = round(MIN_STRETCH * SAMPLE_RATE * self.voice.speed)
        limit = begin + max(round(seconds * SAMPLE_RATE * self.voice.speed), shortest)
        said: list[tuple[int, int]] = []
        while self.unsaid and self.unsaid[0][0] == utterance:
            _, start, end = self.unsaid[0]
            cut = min(end, limit)
            if said and cut - start < min(shortest, end - start):
                break
            self.unsaid.popleft()
            said.append((start - begin, cut - begin))
            if end - cut >= shortest:
                self.unsaid.appendleft((utterance, cut, end))
        return begin, said[-1][1], tuple(said)


def draw_voices(
    rng: np.random.Generator, bank: Bank, count: int, same_corpus: float, speeds: Sequence[float], repeats: bool = True
) -> tuple[Voice, ...]:
    """Different speakers; with probability `same_corpus` all of one corpus; without repeats, as often as they can talk.

    Raises
    ------
    ValueError
        If the bank has not so many.
    """
    everyone = np.arange(len(bank.speakers))
    if rng.random() < same_corpus:
        group = np.array(bank.groups[rng.choice(len(bank.groups), p=[len(g) / len(everyone) for g in bank.groups])])
        everyone = group if len(group) >= count else everyone
    if count > len(everyone):
        raise ValueError(f"{count} speakers were asked for, but the bank has only {len(everyone)}.")
    often = None if repeats else bank.spoken[everyone] / bank.spoken[everyone].sum()
    drawn = rng.choice(everyone, count, replace=False, p=often)
    return tuple(Voice(int(s), float(rng.choice(speeds))) for s in drawn)


def draw_manner(rng: np.random.Generator, *deviations: float) -> list[float]:
    """Of a stretch of speech; what does not deviate is not drawn, so that conversations stay as they were."""
    return [rng.normal(0.0, deviation) if deviation else 0.0 for deviation in deviations]


def check_speeds(speeds: Sequence[float]) -> None:
    """Raises ValueError when there is none, one that is none, or two that would be heard as one."""
    if not isinstance(speeds, Sequence) or not speeds:
        raise ValueError(f"speeds: expected at least one number from 0.1 to 10; got {speeds!r}.")
    heard: dict[tuple[int, int], float] = {}
    for speed in speeds:
        if isinstance(speed, bool) or not isinstance(speed, (int, float)) or not 0.1 <= speed <= 10:
            raise ValueError(f"speeds: expected numbers from 0.1 to 10; got {speed!r}.")
        if (other := heard.setdefault(ratio(speed), speed)) != speed:
            raise ValueError(f"speeds: {other:g} and {speed:g} are too close to be two voices.")
