"""What recorders and lines do to a mixture."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from scipy.signal import fftconvolve, firwin2

from ..bank import Bank
from ..plain import Probability
from ..plan import Plan
from ..sound import Samples, Sound, filtered, library
from .base import Neutral
from .noise import coloured


@dataclass(frozen=True)
class Filtered(Neutral):
    response: Samples = field(repr=False)

    def on_mixture(self, samples: Sound) -> Sound:
        return filtered(samples, self.response)


@dataclass(frozen=True)
class Microphone:
    """Tilt of the recording chain, and sometimes a narrow band: telephones, cheap codecs."""

    probability: Probability = 0.7
    narrow: Probability = 0.3
    depth: float = 12.0

    def draw(self, rng: np.random.Generator, bank: Bank, plan: Plan, difficulty: float) -> Filtered | None:
        if rng.random() >= self.probability * difficulty:
            return None
        response = coloured(rng, self.depth)
        if rng.random() < self.narrow:
            low, high = rng.uniform(50, 300), rng.uniform(3300, 7000)
            edges = np.array([0, low * 0.7, low, high, high + 400, 8000]) / 8000
            response = fftconvolve(response, firwin2(257, edges, [0, 0.1, 1, 1, 0, 0])).astype(np.float32)
        return Filtered(response)


@dataclass(frozen=True)
class Quantised(Neutral):
    response: Samples = field(repr=False)

    def on_mixture(self, samples: Sound) -> Sound:
        xp = library(samples)
        band = filtered(samples, self.response)
        peak = max(float(abs(band).max()), 1e-6)
        # mu-law (ITU-T G.711): 255 levels, finer for faint samples
        companded = xp.log1p(abs(band) * (255 / peak)) / math.log(256)
        levels = xp.round(companded * 127) / 127
        return xp.sign(band) * (xp.exp(levels * math.log(256)) - 1) * (peak / 255)


@dataclass(frozen=True)
class Telephone:
    """300 to 3400 Hz, in mu-law."""

    probability: Probability = 0.2

    def draw(self, rng: np.random.Generator, bank: Bank, plan: Plan, difficulty: float) -> Quantised | None:
        if rng.random() >= self.probability * difficulty:
            return None
        edges = np.array([0, 200, 300, 3400, 3900, 8000]) / 8000
        return Quantised(firwin2(257, edges, [0, 0, 1, 1, 0, 0]).astype(np.float32))
