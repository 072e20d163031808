"""What happens to voices on their way to the microphone. Each effect is drawn first, then applied: no randomness later.

An effect of the list has `draw(rng, plan, difficulty)`, which returns something with `on_voice` or `on_mixture`,
or None when it does not happen this time. Difficulty, from 0 to 1, makes effects more likely and stronger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from scipy.signal import fftconvolve, firwin2, oaconvolve

from .plan import SAMPLE_RATE, Plan
from .recordings import impulse_response, recordings

Samples = np.ndarray  # (sample,) float32


class Effect(Protocol):
    """A drawn effect: deterministic."""

    def on_voice(self, voice: int, samples: Samples) -> Samples:
        """One excerpt of a voice; may grow at its end (an echo), never at its start."""

    def on_mixture(self, samples: Samples) -> Samples:
        """The sum of all voices; same length."""


class Neutral:
    """Does nothing; effects override what they change."""

    def on_voice(self, voice: int, samples: Samples) -> Samples:
        return samples

    def on_mixture(self, samples: Samples) -> Samples:
        return samples


def gain(decibels: float) -> np.float32:
    return np.float32(10 ** (decibels / 20))


def level(samples: Samples) -> float:
    """Root mean square of the louder half of 20 ms frames: silence does not count."""
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    power = np.sort(np.einsum("fs,fs->f", frames, frames) / 320)
    return float(np.sqrt(power[len(power) // 2 :].mean())) if len(power) else 0.0


@dataclass(frozen=True)
class Gains(Neutral):
    decibels: tuple[float, ...]

    def on_voice(self, voice: int, samples: Samples) -> Samples:
        return samples * gain(self.decibels[voice])


@dataclass(frozen=True)
class Loudness:
    """Voices are not equally loud."""

    spread: float = 8.0  # decibels, either way

    def draw(self, rng: np.random.Generator, plan: Plan, difficulty: float) -> Gains:
        return Gains(tuple(rng.uniform(-1, 1, len(plan.voices)) * self.spread * (0.3 + 0.7 * difficulty)))


@dataclass(frozen=True)
class Echoes(Neutral):
    responses: tuple[Samples, ...] = field(repr=False)

    def on_voice(self, voice: int, samples: Samples) -> Samples:
        return oaconvolve(samples, self.responses[voice])


@dataclass(frozen=True)
class Reverberation:
    """Voices in one room, each at its own place: measured responses, or decaying noise behind a direct sound.

    Parameters
    ----------
    probability : float
    measured : sequence of (sample,) arrays, or path
        Impulse responses at 16 kHz, from their direct sound on, of unit energy; or a folder of recordings of some.
    decay : (float, float)
        Range of the time in which the echo falls by 60 dB, in seconds.
    direct_to_reverberant : (float, float)
        Range, in decibels.
    """

    probability: float = 0.6
    measured: Sequence[Samples] | str | Path = field(default=(), repr=False)
    decay: tuple[float, float] = (0.12, 0.8)
    direct_to_reverberant: tuple[float, float] = (-3.0, 15.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "measured", recordings(self.measured, impulse_response))

    def draw(self, rng: np.random.Generator, plan: Plan, difficulty: float) -> Echoes | None:
        if rng.random() >= self.probability * difficulty or not plan.voices:
            return None
        if len(self.measured) and rng.random() < 0.25:
            return Echoes(tuple(self.measured[i] for i in rng.integers(len(self.measured), size=len(plan.voices))))
        decay = rng.uniform(self.decay[0], self.decay[0] + (self.decay[1] - self.decay[0]) * difficulty)
        return Echoes(tuple(self.simulated(rng, decay) for _ in plan.voices))

    def simulated(self, rng: np.random.Generator, decay: float) -> Samples:
        """Exponentially decaying noise (Polack's model) behind a direct sound."""
        length = round(min(decay, 0.5) * SAMPLE_RATE)
        times = np.arange(length, dtype=np.float32) / SAMPLE_RATE
        tail = rng.standard_normal(length, dtype=np.float32) * np.exp(-6.9 / decay * times)
        tail[: round(rng.uniform(0.002, 0.012) * SAMPLE_RATE)] = 0  # the first reflection takes a while
        ratio = rng.uniform(*self.direct_to_reverberant)
        tail *= gain(-ratio) / max(float(np.sqrt((tail**2).sum())), 1e-6)
        tail[0] = 1.0
        return tail / np.float32(np.sqrt((tail**2).sum()))


@dataclass(frozen=True)
class AddedNoise(Neutral):
    samples: Samples = field(repr=False)
    snr: float

    def on_mixture(self, samples: Samples) -> Samples:
        noise = np.resize(self.samples, len(samples))
        # a mixture in which nobody speaks gets noise as loud as under speech of a usual level
        speech = level(samples) or 0.05
        return samples + noise * np.float32(speech * 10 ** (-self.snr / 20) / max(level(noise), 1e-6))


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

    probability: float = 0.9
    recorded: Sequence[Samples] | str | Path = field(default=(), repr=False)
    snr: tuple[float, float] = (3.0, 40.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "recorded", recordings(self.recorded))

    def draw(self, rng: np.random.Generator, plan: Plan, difficulty: float) -> AddedNoise | None:
        if rng.random() >= self.probability * (0.5 + 0.5 * difficulty):
            return None
        if len(self.recorded) and rng.random() < 0.6:
            noise = self.recorded[rng.integers(len(self.recorded))]
            start = rng.integers(max(len(noise) - plan.num_samples, 0) + 1)
            noise = noise[start : start + plan.num_samples].astype(np.float32)
        else:
            white = rng.standard_normal(plan.num_samples, dtype=np.float32)
            noise = oaconvolve(white, coloured(rng, 25.0), "same")
        hardest = self.snr[1] + (self.snr[0] - self.snr[1]) * difficulty
        return AddedNoise(noise, float(rng.uniform(hardest, self.snr[1])))


def coloured(rng: np.random.Generator, depth: float, taps: int = 129) -> Samples:
    """A filter whose gain wanders by `depth` decibels over frequency."""
    points = np.array([0, 250, 500, 1000, 2000, 4000, 8000]) / 8000
    decibels = np.cumsum(rng.normal(0, depth / 4, len(points)))
    return firwin2(taps, points, 10 ** ((decibels - decibels.mean()) / 20)).astype(np.float32)


@dataclass(frozen=True)
class Filtered(Neutral):
    response: Samples = field(repr=False)

    def on_mixture(self, samples: Samples) -> Samples:
        return oaconvolve(samples, self.response, "same")


@dataclass(frozen=True)
class Microphone:
    """Tilt of the recording chain, and sometimes a narrow band: telephones, cheap codecs."""

    probability: float = 0.7
    narrow: float = 0.3
    depth: float = 12.0

    def draw(self, rng: np.random.Generator, plan: Plan, difficulty: float) -> Filtered | None:
        if rng.random() >= self.probability * difficulty:
            return None
        response = coloured(rng, self.depth)
        if rng.random() < self.narrow:
            low, high = rng.uniform(50, 300), rng.uniform(3300, 7000)
            edges = np.array([0, low * 0.7, low, high, high + 400, 8000]) / 8000
            response = fftconvolve(response, firwin2(257, edges, [0, 0.1, 1, 1, 0, 0])).astype(np.float32)
        return Filtered(response)


@dataclass(frozen=True)
class Scaled(Neutral):
    target: float
    silence: float

    def on_mixture(self, samples: Samples) -> Samples:
        loud = level(samples)
        factor = self.target / loud if loud > 1e-5 else 1.0
        # no recorder is perfectly silent
        floor = np.random.default_rng(0).standard_normal(len(samples), dtype=np.float32) * np.float32(self.silence)
        return np.clip(samples * np.float32(factor) + floor, -1, 1)


@dataclass(frozen=True)
class Level:
    """Level of the recording, in decibels of full scale, and the floor of its recorder."""

    range: tuple[float, float] = (-50.0, -12.0)

    def draw(self, rng: np.random.Generator, plan: Plan, difficulty: float) -> Scaled:
        middle = sum(self.range) / 2
        low, high = (middle + (edge - middle) * (0.4 + 0.6 * difficulty) for edge in self.range)
        return Scaled(float(gain(rng.uniform(low, high))), float(gain(rng.uniform(-90, -65))))


EFFECTS = {
    "level": Level,
    "loudness": Loudness,
    "microphone": Microphone,
    "noise": Noise,
    "reverberation": Reverberation,
}
