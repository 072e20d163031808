"""Sounds that nobody says: knocks, clicks, breath, rumbling, crackling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy.signal import oaconvolve

from ..bank import Bank
from ..plain import Probability, Range
from ..plan import SAMPLE_RATE, Plan
from ..sound import Samples, gain, response
from .base import Added
from .noise import rustling

FREQUENCIES = np.linspace(0, SAMPLE_RATE / 2, 65)
TAPS = 257


def resonances(rng: np.random.Generator) -> Samples:
    """A filter with the formants of a mouth, in no vowel in particular."""
    decibels = np.full(len(FREQUENCIES), -25.0)
    for low, high in ((300, 900), (900, 2300), (2200, 3500), (3300, 5000)):
        centre, width = rng.uniform(low, high), rng.uniform(150, 500)
        decibels += rng.uniform(8, 25) * np.exp(-0.5 * ((FREQUENCIES - centre) / width) ** 2)
    return response(FREQUENCIES / FREQUENCIES[-1], decibels, TAPS)


def rumbling(rng: np.random.Generator) -> Samples:
    """A filter that leaves what is below 80 to 500 Hz."""
    cutoff = _drawn(rng, (80.0, 500.0))
    decibels = -rng.uniform(12, 30) * np.log2(np.maximum(FREQUENCIES / cutoff, 1))
    return response(FREQUENCIES / FREQUENCIES[-1], decibels, TAPS)


Filter = Callable[[np.random.Generator], Samples]  # draws one
LONG = (0.3, 40.0)  # seconds, of what goes on for a while


class Kind(Protocol):
    """A kind of bursts: something behind one of some filters."""

    @property
    def filters(self) -> tuple[Filter, ...]: ...

    def envelope(self, rng: np.random.Generator) -> Samples:
        """Level of a burst before its filter, in every sample: it peaks at about 1."""


@dataclass(frozen=True)
class Swelling:
    """Noise that swells and fades."""

    filters: tuple[Filter, ...]
    attack: Range  # seconds
    decay: Range  # seconds: to a third

    def envelope(self, rng: np.random.Generator) -> Samples:
        attack, decay = (_drawn(rng, edges) * SAMPLE_RATE for edges in (self.attack, self.decay))
        rise = np.sin(np.arange(attack) / attack * np.pi / 2) ** 2
        return np.concatenate([rise, _fall(decay, 3)])


@dataclass(frozen=True)
class Crackling:
    """Many small clicks, some much louder than others: cloth and hands that rub a microphone."""

    filters: tuple[Filter, ...]
    rate: Range = (2.0, 40.0)  # in a second
    decay: Range = (0.0001, 0.02)  # seconds: to a third
    spread: Range = (3.0, 10.0)  # decibels

    def envelope(self, rng: np.random.Generator) -> Samples:
        seconds, rate, decay = (_drawn(rng, edges) for edges in (LONG, self.rate, self.decay))
        spread, fall = rng.uniform(*self.spread), _fall(decay * SAMPLE_RATE, 5)
        clicks = np.zeros(round(seconds * SAMPLE_RATE) + len(fall), np.float32)
        for start in rng.integers(len(clicks) - len(fall), size=1 + rng.poisson(seconds * rate)):
            clicks[start : start + len(fall)] += fall * gain(rng.normal(-spread, spread))
        return clicks


@dataclass(frozen=True)
class Swaying:
    """Noise whose level wanders."""

    filters: tuple[Filter, ...]
    interval: Range = (0.05, 1.0)  # seconds from one level to the next
    spread: Range = (3.0, 10.0)  # decibels

    def envelope(self, rng: np.random.Generator) -> Samples:
        seconds, interval = (_drawn(rng, edges) for edges in (LONG, self.interval))
        spread = rng.uniform(*self.spread)
        levels = 10 ** (rng.normal(-spread, spread, 3 + int(seconds / interval)) / 20)
        levels[[0, -1]] = 0.0
        times = np.linspace(0, len(levels) - 1, round(seconds * SAMPLE_RATE))
        return np.interp(times, np.arange(len(levels)), levels)


def _drawn(rng: np.random.Generator, edges: Range) -> float:
    """As likely below the geometric mean of two edges as above."""
    return float(np.exp(rng.uniform(*np.log(edges))))


def _fall(decay: float, times: int) -> np.ndarray:
    return np.exp(-np.arange(times * decay) / decay)


KINDS: tuple[Kind, ...] = (
    Swelling((rustling,), (0.002, 0.2), (0.01, 0.3)),  # knocks, clicks, rustling
    Swelling((resonances,), (0.1, 0.8), (0.1, 0.5)),  # breath
    Swelling((rumbling,), (0.02, 0.4), (0.05, 0.4)),  # hands and wind at a microphone
    Crackling((rumbling,)),
    Crackling((resonances,)),
    Swaying((rustling, rumbling, resonances)),
)


@dataclass(frozen=True)
class Origin:
    """Where bursts come from: what one of them sounds like, the next does too."""

    kind: Kind
    response: Samples = field(repr=False)

    @classmethod
    def draw(cls, rng: np.random.Generator, kind: Kind) -> Origin:
        response = kind.filters[rng.integers(len(kind.filters))](rng)
        return cls(kind, response / np.linalg.norm(response))  # the level of noise stays

    def sound(self, rng: np.random.Generator, envelope: Samples) -> Samples:
        """All its bursts at once: noise with a level in every sample, behind the filter."""
        (loud,) = np.nonzero(envelope)
        noise = np.zeros(len(envelope), np.float32)
        noise[loud] = envelope[loud] * rng.standard_normal(len(loud), dtype=np.float32)
        return oaconvolve(noise, self.response)[: len(envelope)]


@dataclass(frozen=True)
class Bursts:
    """Bursts of noise, short ones now and then several in a row: microphones close to people hear them breathe and
    handle things, and they are no turns.

    Parameters
    ----------
    probability : float
        Of a mixture with bursts.
    rate : (float, float)
        Range of how many come in a second; one may be several in a row.
    loudness : (float, float)
        Range of their peak level beside speech at full difficulty, in decibels.
    """

    ORIGINS = 2  # at most
    REPEATED = 0.3  # probability
    MOST = 6  # in a row
    INTERVAL = (0.08, 0.4)  # seconds

    probability: Probability = 0.5
    rate: Range = (0.05, 1.0)
    loudness: Range = (-20.0, 8.0)

    def draw(self, rng: np.random.Generator, bank: Bank, plan: Plan, difficulty: float) -> Added | None:
        if rng.random() >= self.probability * difficulty:
            return None
        seconds, (low, high) = plan.num_samples / SAMPLE_RATE, self.loudness
        origins = [Origin.draw(rng, KINDS[rng.integers(len(KINDS))]) for _ in range(rng.integers(1, self.ORIGINS + 1))]
        powers = np.zeros((len(origins), plan.num_samples), np.float32)
        for _ in range(rng.poisson(seconds * rng.uniform(*self.rate))):
            start = round(rng.uniform(0, seconds) * SAMPLE_RATE)
            peak = gain(rng.uniform(low, low + (high - low) * difficulty))
            number = rng.integers(len(origins))
            burst = np.square(peak * origins[number].kind.envelope(rng))
            repeated = rng.random() < self.REPEATED and len(burst) < 2 * SAMPLE_RATE
            for _ in range(rng.integers(2, self.MOST + 1) if repeated else 1):
                heard = burst[: max(plan.num_samples - start, 0)]
                powers[number, start : start + len(heard)] += heard
                start += round(rng.uniform(*self.INTERVAL) * SAMPLE_RATE)
        sounds = [origin.sound(rng, np.sqrt(power)) for origin, power in zip(origins, powers, strict=True)]
        return Added(np.sum(sounds, axis=0))
