"""Short sounds that nobody says: breath, knocks, clicks, rustling."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..bank import Bank
from ..plain import Probability, Range
from ..plan import SAMPLE_RATE, Plan
from ..sound import Samples, Sound, beside, gain, speech_level
from .base import Neutral
from .noise import NUM_COLOURED, coloured_noise


@dataclass(frozen=True)
class AddedBursts(Neutral):
    samples: Samples = field(repr=False)  # where speech has level 1

    def on_mixture(self, samples: Sound) -> Sound:
        return samples + beside(self.samples, samples) * speech_level(samples)


@dataclass(frozen=True)
class Bursts:
    """Bursts of noise that swell and fade, now and then several in a row: microphones close to people hear them breathe
    and handle things, and they are no turns.

    Parameters
    ----------
    probability : float
        Of a mixture with bursts.
    rate : (float, float)
        Range of how many come in a second; one may be several in a row.
    loudness : (float, float)
        Range of their peak level beside speech at full difficulty, in decibels.
    """

    ATTACK = (0.002, 0.2)  # seconds
    DECAY = (0.01, 0.3)  # seconds: to a third
    REPEATED = 0.3  # probability
    MOST = 6  # in a row
    INTERVAL = (0.08, 0.4)  # seconds

    probability: Probability = 0.5
    rate: Range = (0.05, 0.5)
    loudness: Range = (-20.0, 8.0)

    def draw(self, rng: np.random.Generator, bank: Bank, plan: Plan, difficulty: float) -> AddedBursts | None:
        if rng.random() >= self.probability * difficulty:
            return None
        seconds, (low, high) = plan.num_samples / SAMPLE_RATE, self.loudness
        track = np.zeros(plan.num_samples, np.float32)
        for _ in range(rng.poisson(seconds * rng.uniform(*self.rate))):
            start = round(rng.uniform(0, seconds) * SAMPLE_RATE)
            burst = self._burst(rng) * gain(rng.uniform(low, low + (high - low) * difficulty))
            for _ in range(rng.integers(2, self.MOST + 1) if rng.random() < self.REPEATED else 1):
                heard = burst[: max(len(track) - start, 0)]
                track[start : start + len(heard)] += heard
                start += round(rng.uniform(*self.INTERVAL) * SAMPLE_RATE)
        return AddedBursts(track)

    def _burst(self, rng: np.random.Generator) -> Samples:
        """One that peaks at about level 1."""
        attack, decay = (np.exp(rng.uniform(*np.log(edges))) * SAMPLE_RATE for edges in (self.ATTACK, self.DECAY))
        rise, fall = np.arange(attack) / attack, np.exp(-np.arange(3 * decay) / decay)
        envelope = np.concatenate([np.sin(rise * np.pi / 2) ** 2, fall]).astype(np.float32)
        noise = coloured_noise(int(rng.integers(NUM_COLOURED)))
        start = int(rng.integers(len(noise) - len(envelope)))
        return envelope * noise[start : start + len(envelope)] / max(float(noise.std()), 1e-6)
