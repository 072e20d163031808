"""Background noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
from scipy.signal import oaconvolve

from ..bank import Bank
from ..plain import Probability, Range
from ..plan import Plan
from ..sound import Samples, Sound, beside, gain, level, response, speech_level
from .base import Neutral
from .recordings import recordings

NUM_COLOURED = 32  # noises


@dataclass(frozen=True)
class AddedNoise(Neutral):
    samples: Samples = field(repr=False)
    snr: float

    def on_mixture(self, samples: Sound) -> Sound:
        noise = beside(np.resize(self.samples, len(samples)), samples)
        return samples + noise * (speech_level(samples) * gain(-self.snr) / max(level(noise), 1e-6))


@dataclass(frozen=True)
class Noise:
    """Background noise: recorded, or coloured by a random filter.

    Parameters
    ----------
    probability : float
    recorded : sequence of (sample,) arrays, or path
        Noises at 16 kHz, or a folder of recordings.
    snr : (float, float)
        Range of the signal-to-noise ratio at full difficulty, in decibels.
    """

    probability: Probability = 0.9
    recorded: Sequence[Samples] | str | Path = field(default=(), repr=False)
    snr: Range = (3.0, 40.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "recorded", recordings(self.recorded))

    def draw(self, rng: np.random.Generator, bank: Bank, plan: Plan, difficulty: float) -> AddedNoise | None:
        if rng.random() >= self.probability * (0.5 + 0.5 * difficulty):
            return None
        recorded = cast("Sequence[Samples]", self.recorded)
        if len(recorded) and rng.random() < 0.6:
            noise = recorded[int(rng.integers(len(recorded)))]
            start = rng.integers(max(len(noise) - plan.num_samples, 0) + 1)
            noise = noise[start : start + plan.num_samples].astype(np.float32)
        else:
            # two of a fixed set, each from anywhere on: as good as new, and drawing new ones takes longer than mixing
            first, second = rng.integers(NUM_COLOURED, size=2)
            share = np.float32(rng.random())
            noise = share * _from(_coloured_noise(int(first)), rng, plan.num_samples)
            noise += (1 - share) * _from(_coloured_noise(int(second)), rng, plan.num_samples)
        hardest = self.snr[1] + (self.snr[0] - self.snr[1]) * difficulty
        return AddedNoise(noise, float(rng.uniform(hardest, self.snr[1])))


def rustling(rng: np.random.Generator) -> Samples:
    """Any filter."""
    return coloured(rng, 25.0)


@lru_cache(maxsize=NUM_COLOURED)
def _coloured_noise(index: int) -> Samples:
    """16 s of noise behind a filter of its own, always the same for one index."""
    rng = np.random.default_rng((5, index))
    white = rng.standard_normal(1 << 18, dtype=np.float32)
    return oaconvolve(white, rustling(rng), "same")


def _from(samples: Samples, rng: np.random.Generator, num_samples: int) -> Samples:
    """Samples from anywhere on, round and round."""
    return np.resize(np.roll(samples, -int(rng.integers(len(samples)))), num_samples)


def coloured(rng: np.random.Generator, depth: float, taps: int = 129) -> Samples:
    """A filter whose gain wanders by `depth` decibels over frequency."""
    points = np.array([0, 250, 500, 1000, 2000, 4000, 8000]) / 8000
    decibels = np.cumsum(rng.normal(0, depth / 4, len(points)))
    return response(points, decibels - decibels.mean(), taps)
