"""How a conversation goes: draws a plan from an rng and a bank."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .bank import Bank
from .plan import SAMPLE_RATE, Excerpt, Plan, Voice

MIN_STRETCH = 0.25  # seconds: nothing shorter is said


class Speech:
    """One voice's speech, handed out stretch by stretch: nothing is said twice before all was said once."""

    def __init__(self, rng: np.random.Generator, bank: Bank, voice: Voice) -> None:
        self.rng, self.bank, self.voice = rng, bank, voice
        self.unsaid: deque[tuple[int, int, int]] = deque()  # (utterance, first sample, last sample) of speech regions

    def take(self, seconds: float) -> tuple[int, int, tuple[tuple[int, int], ...]]:
        """About `seconds` of speech, from one utterance: its place in the bank, its length, the speech inside."""
        if not self.unsaid:
            for utterance in self.rng.permutation(self.bank.by_speaker[self.voice.speaker]):
                first, _, regions = self.bank.utterances[utterance]
                self.unsaid.extend((int(utterance), first + start, first + end) for start, end in regions)
        utterance, begin, _ = self.unsaid[0]
        limit = begin + round(max(seconds, MIN_STRETCH) * SAMPLE_RATE * self.voice.speed)
        said = []
        while self.unsaid and self.unsaid[0][0] == utterance and self.unsaid[0][1] < limit:
            _, start, end = self.unsaid.popleft()
            cut = min(end, limit)
            said.append((start - begin, cut - begin))
            if end - cut > MIN_STRETCH * SAMPLE_RATE:
                self.unsaid.appendleft((utterance, cut, end))
        return begin, said[-1][1], tuple(said)


@dataclass(frozen=True)
class Conversation:
    """Turn-taking: hold, switch, interruption, backchannel (Sacks, Schegloff and Jefferson, 1974).

    Parameters
    ----------
    num_speakers : sequence of float
        Probability of 0, 1, 2... speakers.
    turn : (float, float)
        Median and log standard deviation of a stretch of speech, in seconds.
    hold : float
        Probability that the speaker goes on after a pause.
    pause : float
        Mean pause before the same speaker goes on, in seconds.
    gap : float
        Mean gap before another speaker, in seconds.
    overlap : (float, float)
        Range of the share of speaker changes that overlap; each mixture draws its own.
    max_overlap : float
        Longest overlap at a speaker change, in seconds.
    backchannel : float
        Probability that a listener says something short during a stretch of speech.
    silence : (float, float)
        Probability of a long silence after a stretch of speech, and its mean, in seconds.
    same_corpus : float
        Probability that all voices come from one corpus.
    speeds : sequence of float
        Speeds of voices, drawn evenly; another speed makes another voice.
    """

    num_speakers: Sequence[float] = (0.02, 0.13, 0.40, 0.28, 0.17)
    turn: tuple[float, float] = (1.7, 0.8)
    hold: float = 0.35
    pause: float = 0.6
    gap: float = 0.45
    overlap: tuple[float, float] = (0.1, 0.9)
    max_overlap: float = 1.5
    backchannel: float = 0.25
    silence: tuple[float, float] = (0.06, 2.5)
    same_corpus: float = 0.5
    speeds: Sequence[float] = (1.0, 1.0, 0.88, 1.13)

    def voices(self, rng: np.random.Generator, bank: Bank, count: int) -> tuple[Voice, ...]:
        """Draw different speakers."""
        everyone = np.arange(len(bank.speakers))
        if rng.random() < self.same_corpus:
            group = np.array(bank.groups[rng.choice(len(bank.groups), p=[len(g) / len(everyone) for g in bank.groups])])
            everyone = group if len(group) >= count else everyone
        if count > len(everyone):
            raise ValueError(f"{count} speakers were asked for, but the bank has only {len(everyone)}.")
        drawn = rng.choice(everyone, count, replace=False)
        return tuple(Voice(int(s), float(rng.choice(self.speeds))) for s in drawn)

    def __call__(self, rng: np.random.Generator, bank: Bank, duration: float) -> Plan:
        """Draw a conversation of `duration` seconds."""
        count = int(rng.choice(len(self.num_speakers), p=np.array(self.num_speakers) / sum(self.num_speakers)))
        voices = self.voices(rng, bank, count)
        num_samples = round(duration * SAMPLE_RATE)
        if not voices:
            return Plan(num_samples, (), ())
        speech = [Speech(rng, bank, voice) for voice in voices]
        share = rng.dirichlet(np.full(count, 2.0))  # some talk more than others
        pace = rng.lognormal(0.0, 0.4)  # some conversations have longer turns and gaps
        overlap = rng.uniform(*self.overlap)
        free = np.zeros(count)  # when each voice has finished, in seconds
        excerpts: list[Excerpt] = []

        def say(who: int, start: float, seconds: float) -> float:
            source, length, regions = speech[who].take(seconds)
            excerpts.append(Excerpt(who, round(start * SAMPLE_RATE), source, length, regions))
            free[who] = start + voices[who].stretched(length) / SAMPLE_RATE
            return float(free[who])

        now = -rng.exponential(1.5) if rng.random() < 0.5 else rng.exponential(1.0)  # windows start anywhere
        who = int(rng.choice(count, p=share))
        while now < duration:
            start = now
            now = say(who, start, pace * rng.lognormal(np.log(self.turn[0]), self.turn[1]))
            if count > 1 and now - start > 1.5 and rng.random() < self.backchannel:
                listener = int(rng.choice([s for s in range(count) if s != who]))
                at = rng.uniform(start + 0.5, now - 0.5)
                if at > free[listener]:
                    say(listener, at, rng.uniform(0.25, 0.8))
            if rng.random() < self.silence[0]:
                now += rng.exponential(self.silence[1])
            if count == 1 or rng.random() < self.hold:
                now += 0.1 + rng.exponential(pace * self.pause)
            else:
                others = share.copy()
                others[who] = 0
                who = int(rng.choice(count, p=others / others.sum()))
                if rng.random() < overlap:
                    now -= rng.uniform(0.1, min(self.max_overlap, max(now - start, 0.2)))
                else:
                    now += rng.exponential(pace * self.gap)
            now = max(now, free[who] + 0.05)
        kept = (e for e in excerpts if e.start < num_samples)
        return Plan(num_samples, voices, tuple(sorted(kept, key=lambda e: (e.start, e.speaker))))


STYLES = {"Conversation": Conversation}
