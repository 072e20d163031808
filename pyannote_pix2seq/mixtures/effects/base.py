"""What all effects share."""

from __future__ import annotations

from typing import Protocol

import numpy as np

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
