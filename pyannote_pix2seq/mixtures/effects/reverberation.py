"""Voices in rooms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np

from ..bank import Bank
from ..plain import Probability, Range
from ..plan import SAMPLE_RATE, Plan
from ..sound import Samples, Sound, convolve, gain
from .base import Neutral
from .recordings import impulse_response, recordings
from .rooms import room


@dataclass(frozen=True)
class Echoes(Neutral):
    responses: tuple[Samples, ...] = field(repr=False)

    def on_voice(self, voice: int, samples: Sound) -> Sound:
        return convolve(samples, self.responses[voice])


@dataclass(frozen=True)
class Reverberation:
    """Voices in one room, each at its own place: measured or simulated responses, or decaying noise behind a sound.

    Parameters
    ----------
    probability : float
    rooms : int
        Rooms simulated by the image method, from which half of those that are not measured are drawn. Each takes
        about 30 ms, once in a process.
    measured : sequence of (sample,) arrays, or path
        Impulse responses at 16 kHz, from their direct sound on, of unit energy; or a folder of recordings of some.
    decay : (float, float)
        Range of the time in which the echo falls by 60 dB, in seconds.
    direct_to_reverberant : (float, float)
        Range, in decibels.
    """

    probability: Probability = 0.6
    rooms: int = 0
    measured: Sequence[Samples] | str | Path = field(default=(), repr=False)
    decay: Range = (0.12, 0.8)
    direct_to_reverberant: Range = (-3.0, 15.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "measured", recordings(self.measured, impulse_response))

    def draw(self, rng: np.random.Generator, bank: Bank, plan: Plan, difficulty: float) -> Echoes | None:
        if rng.random() >= self.probability * difficulty or not plan.voices:
            return None
        measured = cast("Sequence[Samples]", self.measured)
        if len(measured) and rng.random() < 0.25:
            return Echoes(tuple(measured[i] for i in rng.integers(len(measured), size=len(plan.voices))))
        if self.rooms and rng.random() < 0.5:
            places = room(int(rng.integers(self.rooms)))
            return Echoes(tuple(places[i] for i in rng.permutation(np.arange(len(plan.voices)) % len(places))))
        decay = rng.uniform(self.decay[0], self.decay[0] + (self.decay[1] - self.decay[0]) * difficulty)
        return Echoes(tuple(self.simulated(rng, decay) for _ in plan.voices))

    def simulated(self, rng: np.random.Generator, decay: float) -> Samples:
        """Decaying noise behind a direct sound, of unit energy in all."""
        response = reverberant(rng, decay) * gain(-rng.uniform(*self.direct_to_reverberant))
        response[0] = 1.0
        return response / np.float32(np.sqrt((response**2).sum()))


def reverberant(rng: np.random.Generator, decay: float) -> Samples:
    """The late part of an impulse response, exponentially decaying noise (Polack's model), of unit energy."""
    length = round(min(decay, 0.5) * SAMPLE_RATE)
    times = np.arange(length, dtype=np.float32) / SAMPLE_RATE
    tail = rng.standard_normal(length, dtype=np.float32) * np.exp(-6.9 / decay * times)
    tail[: round(rng.uniform(0.002, 0.012) * SAMPLE_RATE)] = 0  # the first reflection takes a while
    return tail / np.float32(max(float(np.sqrt((tail**2).sum())), 1e-6))


@dataclass(frozen=True)
class Distance:
    """Voices at different distances from one microphone.

    The echo of a room is equally loud everywhere in it, the direct sound falls by 6 dB when the distance doubles. At
    one metre both are equally strong, and the voice keeps its level.

    Parameters
    ----------
    probability : float
    distance : (float, float)
        Range, in metres.
    decay : (float, float)
        Range of the time in which the echo falls by 60 dB, in seconds.
    """

    probability: Probability = 0.3
    distance: Range = (0.3, 4.0)
    decay: Range = (0.2, 0.8)

    def draw(self, rng: np.random.Generator, bank: Bank, plan: Plan, difficulty: float) -> Echoes | None:
        if rng.random() >= self.probability * difficulty or not plan.voices:
            return None
        decay = rng.uniform(*self.decay)
        return Echoes(tuple(self.response(rng, decay, rng.uniform(*self.distance)) for _ in plan.voices))

    def response(self, rng: np.random.Generator, decay: float, metres: float) -> Samples:
        response = reverberant(rng, decay)
        response[0] = 1 / metres
        return response / np.float32(np.sqrt(2))
