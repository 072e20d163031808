"""Plan -> waveform; nothing is drawn here."""

from __future__ import annotations

import numpy as np
import soxr

from .bank import Bank
from .plan import SAMPLE_RATE, Plan


def render(plan: Plan, bank: Bank) -> np.ndarray:
    """Sound of a plan.

    Returns
    -------
    waveform : (sample,) array of float32
    """
    mixture = np.zeros(plan.num_samples, np.float32)
    for excerpt in plan.excerpts:
        samples = bank.samples[excerpt.source : excerpt.source + excerpt.length].astype(np.float32) / 32768
        voice = plan.voices[excerpt.speaker]
        if voice.speed != 1.0:
            samples = soxr.resample(samples, SAMPLE_RATE * voice.speed, SAMPLE_RATE, quality="LQ")
        edge = min(80, len(samples) // 2)  # 5 ms: an excerpt cut out of speech would click
        samples[:edge] *= np.linspace(0, 1, edge, dtype=np.float32)
        samples[len(samples) - edge :] *= np.linspace(1, 0, edge, dtype=np.float32)
        for effect in plan.effects:
            samples = effect.on_voice(excerpt.speaker, samples)
        first, last = max(excerpt.start, 0), min(excerpt.start + len(samples), plan.num_samples)
        if first < last:
            mixture[first:last] += samples[first - excerpt.start : last - excerpt.start]
    for effect in plan.effects:
        mixture = effect.on_mixture(mixture)
    return mixture.astype(np.float32)
