"""How loud voices and recordings are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..bank import Bank
from ..plain import Probability, Range
from ..plan import Plan
from ..sound import Samples, Sound, beside, gain, level, library
from .base import Neutral


@dataclass(frozen=True)
class Gains(Neutral):
    decibels: tuple[float, ...]

    def on_voice(self, voice: int, samples: Sound) -> Sound:
        return samples * gain(self.decibels[voice])


@dataclass(frozen=True)
class Loudness:
    """Voices are not equally loud."""

    spread: float = 8.0  # decibels, either way

    def draw(self, rng: np.random.Generator, bank: Bank, plan: Plan, difficulty: float) -> Gains:
        return Gains(tuple(rng.uniform(-1, 1, len(plan.voices)) * self.spread * (0.3 + 0.7 * difficulty)))


@dataclass(frozen=True)
class Scaled(Neutral):
    target: float
    silence: float

    def on_mixture(self, samples: Sound) -> Sound:
        loud = level(samples)
        factor = self.target / loud if loud > 1e-5 else 1.0
        # no recorder is perfectly silent
        noise = _noise(len(samples).bit_length())[: len(samples)]
        floor = beside(noise, samples) * self.silence
        return library(samples).clip(samples * factor + floor, -1, 1)


@lru_cache(maxsize=4)
def _noise(bits: int) -> Samples:
    """The same from its first sample on, however long."""
    return np.random.default_rng(0).standard_normal(1 << bits, dtype=np.float32)


@dataclass(frozen=True)
class Level:
    """Level of the recording, in decibels of full scale, and the floor of its recorder.

    Parameters
    ----------
    range : (float, float)
    quieter : (float, float)
        How much quieter it is where nobody speaks: nobody turns a recorder up for silence.
    """

    range: Range = (-50.0, -12.0)
    quieter: Range = (0.0, 40.0)

    def draw(self, rng: np.random.Generator, bank: Bank, plan: Plan, difficulty: float) -> Scaled:
        middle = sum(self.range) / 2
        low, high = (middle + (edge - middle) * (0.4 + 0.6 * difficulty) for edge in self.range)
        loud = rng.uniform(low, high) - (0.0 if plan.voices else rng.uniform(*self.quieter))
        return Scaled(gain(loud), gain(rng.uniform(-90, -65)))


@dataclass(frozen=True)
class Clipped(Neutral):
    headroom: float  # decibels above the level of the mixture

    def on_mixture(self, samples: Sound) -> Sound:
        limit = max(level(samples), 1e-5) * gain(self.headroom)
        return library(samples).clip(samples, -limit, limit)


@dataclass(frozen=True)
class Clipping:
    """A recorder set too loud.

    Parameters
    ----------
    probability : float
    headroom : (float, float)
        Range of what is kept above the level of the mixture, in decibels; speech peaks at about 15.
    """

    probability: Probability = 0.1
    headroom: Range = (3.0, 12.0)

    def draw(self, rng: np.random.Generator, bank: Bank, plan: Plan, difficulty: float) -> Clipped | None:
        if rng.random() >= self.probability * difficulty:
            return None
        low, high = self.headroom
        return Clipped(float(rng.uniform(high - (high - low) * difficulty, high)))
