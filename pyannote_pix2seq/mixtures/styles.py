"""How a conversation goes: draws a plan from an rng and a bank."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from .bank import Bank
from .plan import MERGED_PAUSE, SAMPLE_RATE, Excerpt, Plan, Voice
from .voices import MIN_STRETCH, Speech, check_speeds, draw_manner, draw_voices


def in_order(num_samples: int, voices: tuple[Voice, ...], excerpts: Iterable[Excerpt]) -> Plan:
    """A plan of the excerpts that start inside of it."""
    kept = (e for e in excerpts if e.start < num_samples)
    return Plan(num_samples, voices, tuple(sorted(kept, key=lambda e: (e.start, e.speaker))))


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
    evenness : float
        Concentration of the Dirichlet distribution of how much each speaker talks; when small, one talks most.
    same_corpus : float
        Probability that all voices come from one corpus.
    speeds : sequence of float
        Speeds of voices, drawn evenly; another speed makes another voice.
    effort : float
        Standard deviation of the vocal effort of a stretch of speech, in decibels: nobody says everything alike, as
        turns that are cut out of one utterance would.
    intonation : float
        Standard deviation of how high it is said beyond what its effort does, in semitones.
    merged_pause : float
        Pauses of one speaker up to so many seconds belong to the turn: annotators differ in this.
    repeats : bool
        Whether somebody who has said all that the bank has of them begins again. Otherwise they fall silent, and who
        has more to say is drawn more often: nobody is known by hearing the same recording twice, as in real speech.
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
    evenness: float = 2.0
    same_corpus: float = 0.5
    speeds: Sequence[float] = (1.0, 1.0, 0.88, 1.13)
    effort: float = 0.0
    intonation: float = 0.0
    merged_pause: float = MERGED_PAUSE
    repeats: bool = True

    def __post_init__(self) -> None:
        if not len(self.num_speakers) or min(self.num_speakers) < 0 or sum(self.num_speakers) <= 0:
            raise ValueError(f"num_speakers: expected probabilities of 0, 1, 2... speakers; got {self.num_speakers}.")
        for name in ("hold", "backchannel", "same_corpus"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected a probability from 0 to 1; got {getattr(self, name)!r}.")
        if not (self.turn[0] > 0 and self.turn[1] >= 0):
            raise ValueError(f"turn: expected a median above 0 and a deviation from 0 on; got {self.turn}.")
        if not (0 <= self.silence[0] <= 1 and self.silence[1] > 0):
            raise ValueError(f"silence: expected a probability from 0 to 1 and a mean above 0; got {self.silence}.")
        if not 0 <= self.overlap[0] <= self.overlap[1] <= 1:
            raise ValueError(f"overlap: expected two shares from 0 to 1, in order; got {self.overlap}.")
        for name in ("pause", "gap", "max_overlap", "evenness"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: expected a number above 0; got {getattr(self, name)!r}.")
        for name, unit in (("effort", "dB"), ("intonation", "semitones"), ("merged_pause", "s")):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} cannot be negative; got {getattr(self, name)!r} {unit}.")
        check_speeds(self.speeds)

    @property
    def max_speakers(self) -> int:
        return max(count for count, probability in enumerate(self.num_speakers) if probability > 0)

    def __call__(self, rng: np.random.Generator, bank: Bank, duration: float) -> Plan:
        """Draw a conversation of `duration` seconds."""
        count = int(rng.choice(len(self.num_speakers), p=np.array(self.num_speakers) / sum(self.num_speakers)))
        voices = draw_voices(rng, bank, count, self.same_corpus, self.speeds, self.repeats)
        num_samples = round(duration * SAMPLE_RATE)
        if not voices:
            return Plan(num_samples, (), ())
        speech = [Speech(rng, bank, voice, self.repeats) for voice in voices]
        share = rng.dirichlet(np.full(count, self.evenness))  # some talk more than others
        pace = rng.lognormal(0.0, 0.4)  # some conversations have longer turns and gaps
        overlap = rng.uniform(*self.overlap)
        free = np.zeros(count)  # when each voice has finished, in seconds
        excerpts: list[Excerpt] = []

        def say(who: int, start: float, seconds: float) -> float:
            end = start + seconds
            manner = draw_manner(rng, self.effort, self.intonation)
            while True:  # a stretch may take several utterances
                source, length, regions = speech[who].take(end - start)
                excerpts.append(Excerpt(who, round(start * SAMPLE_RATE), source, length, regions, *manner))
                free[who] = start + voices[who].stretched(length, excerpts[-1].pitch) / SAMPLE_RATE
                start = free[who] + rng.uniform(0.05, MERGED_PAUSE)
                if end - start < MIN_STRETCH or start > duration or not speech[who].left:
                    return float(free[who])

        now = -rng.exponential(1.5) if rng.random() < 0.5 else rng.exponential(1.0)  # windows start anywhere
        who = int(rng.choice(count, p=share))
        while now < duration and (able := [s for s in range(count) if speech[s].left]):
            if who not in able:
                who = int(rng.choice(able))
                now = max(now, free[who] + 0.05)
            start = now
            now = say(who, start, pace * rng.lognormal(np.log(self.turn[0]), self.turn[1]))
            if count > 1 and now - start > 1.5 and rng.random() < self.backchannel:
                listener = int(rng.choice([s for s in range(count) if s != who]))
                at = rng.uniform(start + 0.5, now - 0.5)
                if at > free[listener] and speech[listener].left:
                    say(listener, at, rng.uniform(0.25, 0.8))
            if rng.random() < self.silence[0]:
                now += rng.exponential(self.silence[1])
            if count == 1 or rng.random() < self.hold:
                now += 0.1 + rng.exponential(pace * self.pause)
            else:
                others = share.copy()
                others[who] = 0
                if not others.any():  # a small evenness may leave them exactly nothing
                    others[np.arange(count) != who] = 1
                who = int(rng.choice(count, p=others / others.sum()))
                if rng.random() < overlap:
                    now -= rng.uniform(min(0.1, self.max_overlap), min(self.max_overlap, max(now - start, 0.2)))
                else:
                    now += rng.exponential(pace * self.gap)
            now = max(now, free[who] + 0.05)
        return replace(in_order(num_samples, voices, excerpts), merged_pause=self.merged_pause)


@dataclass(frozen=True)
class Artificial:
    """The seed's generator: turns of any length, never the same speaker twice running, gaps on both sides of zero.

    Source: nanodrz (2024), whose names the knobs keep. A mixture longer than one exchange holds several, one behind
    the other.

    Parameters
    ----------
    num_speakers : int
        Most speakers; at least two are drawn.
    interrupt_max, silence_max : float
        A turn starts up to `interrupt_max` before, or up to `silence_max` after, the end of the one before, in seconds.
    min_secs, max_secs : float
        Length of an exchange, in seconds.
    speeds : sequence of float
        See `Conversation`.
    """

    num_speakers: int = 4
    interrupt_max: float = 1.0
    silence_max: float = 2.0
    min_secs: float = 5.0
    max_secs: float = 15.0
    speeds: Sequence[float] = (1.0,)

    effort: ClassVar[float] = 0.0  # see `Conversation`
    intonation: ClassVar[float] = 0.0
    MAX_TURNS: ClassVar[int] = 20  # of an exchange
    MIN_TURN: ClassVar[float] = 1.0  # seconds

    def __post_init__(self) -> None:
        check_speeds(self.speeds)
        if not isinstance(self.num_speakers, int) or self.num_speakers < 2:
            raise ValueError(f"num_speakers: expected a whole number from 2 on; got {self.num_speakers!r}.")
        if self.interrupt_max < 0 or self.silence_max < 0:
            raise ValueError(
                f"interrupt_max and silence_max cannot be negative; got {self.interrupt_max} and {self.silence_max} s."
            )
        if not self.MIN_TURN <= self.min_secs <= self.max_secs - 1:
            raise ValueError(
                f"expected {self.MIN_TURN:g} <= min_secs <= max_secs - 1; got {self.min_secs} and {self.max_secs} s."
            )

    @property
    def max_speakers(self) -> int:
        return self.num_speakers

    def __call__(self, rng: np.random.Generator, bank: Bank, duration: float) -> Plan:
        """Draw exchanges of `duration` seconds in all."""
        voices = draw_voices(rng, bank, int(rng.integers(2, self.num_speakers + 1)), 0.0, self.speeds)
        speech = [Speech(rng, bank, voice) for voice in voices]
        free = [0.0] * len(voices)
        excerpts: list[Excerpt] = []
        now, who = 0.0, -1
        while now < duration:
            end = now + rng.uniform(self.min_secs, self.max_secs - 1)
            for _ in range(self.MAX_TURNS):
                if end - now < self.MIN_TURN:
                    break
                who = int(rng.choice([s for s in range(len(voices)) if s != who]))
                start = max(now, free[who])
                source, length, regions = speech[who].take(rng.uniform(self.MIN_TURN, max(end - start, self.MIN_TURN)))
                excerpts.append(Excerpt(who, round(start * SAMPLE_RATE), source, length, regions))
                free[who] = start + voices[who].stretched(length) / SAMPLE_RATE
                now = max(free[who] + rng.uniform(-self.interrupt_max, self.silence_max), start + MIN_STRETCH)
            now = max(now, end)
        return in_order(round(duration * SAMPLE_RATE), voices, excerpts)


@dataclass(frozen=True)
class Independent:
    """One track for each speaker, who does not listen: utterances with exponential silences between.

    Source: the simulated mixtures of EEND (Fujita et al., 2019).

    Parameters
    ----------
    num_speakers : sequence of float
        Probability of 0, 1, 2... speakers.
    silence : sequence of float
        Mean silence before an utterance when there are 1, 2, 3... speakers (the last one holds for more), in seconds.
    speeds : sequence of float
        See `Conversation`.
    """

    num_speakers: Sequence[float] = (0.0, 0.25, 0.25, 0.25, 0.25)
    silence: Sequence[float] = (2.0, 2.0, 5.0, 9.0)
    speeds: Sequence[float] = (1.0,)

    effort: ClassVar[float] = 0.0  # see `Conversation`
    intonation: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        if not len(self.num_speakers) or min(self.num_speakers) < 0 or sum(self.num_speakers) <= 0:
            raise ValueError(f"num_speakers: expected probabilities of 0, 1, 2... speakers; got {self.num_speakers}.")
        check_speeds(self.speeds)
        if not len(self.silence) or min(self.silence) <= 0:
            raise ValueError(f"silence: expected mean silences above 0, in seconds; got {self.silence}.")

    @property
    def max_speakers(self) -> int:
        return max(count for count, probability in enumerate(self.num_speakers) if probability > 0)

    def __call__(self, rng: np.random.Generator, bank: Bank, duration: float) -> Plan:
        """Draw tracks of `duration` seconds."""
        count = int(rng.choice(len(self.num_speakers), p=np.array(self.num_speakers) / sum(self.num_speakers)))
        voices = draw_voices(rng, bank, count, 0.0, self.speeds)
        excerpts: list[Excerpt] = []
        for who, voice in enumerate(voices):
            speech = Speech(rng, bank, voice)
            mean = self.silence[min(count, len(self.silence)) - 1]
            now = rng.exponential(mean)
            while now < duration:
                source, length, regions = speech.take(duration)  # the rest of an utterance
                excerpts.append(Excerpt(who, round(now * SAMPLE_RATE), source, length, regions))
                now += voice.stretched(length) / SAMPLE_RATE + rng.exponential(mean)
        return in_order(round(duration * SAMPLE_RATE), voices, excerpts)


STYLES = {"Conversation": Conversation, "Artificial": Artificial, "Independent": Independent}
