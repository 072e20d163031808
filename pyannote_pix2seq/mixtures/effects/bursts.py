"""Short sounds that nobody says: knocks, clicks, breath, rumbling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.signal import firwin2

from ..bank import Bank
from ..plain import Probability, Range
from ..plan import SAMPLE_RATE, Plan
from ..sound import Samples, gain
from .base import Added
from .noise import NUM_COLOURED, noise_behind, rustling

FREQUENCIES = np.linspace(0, SAMPLE_RATE / 2, 65)


def resonances(rng: np.random.Generator) -> Samples:
    """A filter with the formants of a mouth, in no vowel in particular."""
    decibels = np.full(len(FREQUENCIES), -25.0)
    for low, high in ((300, 900), (900, 2300), (2200, 3500), (3300, 5000)):
        centre, width = rng.uniform(low, high), rng.uniform(150, 500)
        decibels += rng.uniform(8, 25) * np.exp(-0.5 * ((FREQUENCIES - centre) / width) ** 2)
    return _filter(decibels)


def rumbling(rng: np.random.Generator) -> Samples:
    """A filter that leaves what is below 80 to 500 Hz."""
    cutoff = np.exp(rng.uniform(np.log(80), np.log(500)))
    return _filter(-rng.uniform(12, 30) * np.log2(np.maximum(FREQUENCIES / cutoff, 1)))


def _filter(decibels: np.ndarray) -> Samples:
    return firwin2(257, FREQUENCIES, 10 ** (decibels / 20), fs=SAMPLE_RATE).astype(np.float32)


@dataclass(frozen=True)
class Kind:
    """Noise behind one of some filters, that swells and fades."""

    filter: Callable[[np.random.Generator], Samples]
    attack: Range  # seconds
    decay: Range  # seconds: to a third

    def burst(self, rng: np.random.Generator) -> Samples:
        """One that peaks at about level 1."""
        attack, decay = (np.exp(rng.uniform(*np.log(edges))) * SAMPLE_RATE for edges in (self.attack, self.decay))
        rise, fall = np.arange(attack) / attack, np.exp(-np.arange(3 * decay) / decay)
        envelope = np.concatenate([np.sin(rise * np.pi / 2) ** 2, fall]).astype(np.float32)
        noise = noise_behind(self.filter, int(rng.integers(NUM_COLOURED)))
        start = int(rng.integers(len(noise) - len(envelope)))
        return envelope * noise[start : start + len(envelope)] / noise.std()


KINDS = (
    Kind(rustling, (0.002, 0.2), (0.01, 0.3)),  # knocks, clicks, rustling
    Kind(resonances, (0.1, 0.8), (0.1, 0.5)),  # breath
    Kind(rumbling, (0.02, 0.4), (0.05, 0.4)),  # hands and wind at a microphone
)


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

    REPEATED = 0.3  # probability
    MOST = 6  # in a row
    INTERVAL = (0.08, 0.4)  # seconds

    probability: Probability = 0.5
    rate: Range = (0.05, 0.5)
    loudness: Range = (-20.0, 8.0)

    def draw(self, rng: np.random.Generator, bank: Bank, plan: Plan, difficulty: float) -> Added | None:
        if rng.random() >= self.probability * difficulty:
            return None
        seconds, (low, high) = plan.num_samples / SAMPLE_RATE, self.loudness
        track = np.zeros(plan.num_samples, np.float32)
        for _ in range(rng.poisson(seconds * rng.uniform(*self.rate))):
            start = round(rng.uniform(0, seconds) * SAMPLE_RATE)
            burst = KINDS[rng.integers(len(KINDS))].burst(rng) * gain(rng.uniform(low, low + (high - low) * difficulty))
            for _ in range(rng.integers(2, self.MOST + 1) if rng.random() < self.REPEATED else 1):
                heard = burst[: max(len(track) - start, 0)]
                track[start : start + len(heard)] += heard
                start += round(rng.uniform(*self.INTERVAL) * SAMPLE_RATE)
        return Added(track)
