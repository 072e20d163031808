"""People who talk far away, and whom nobody annotates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import oaconvolve

from ..bank import Bank
from ..plain import Probability, Range
from ..plan import SAMPLE_RATE, Plan, Voice
from ..sound import Samples, gain, level
from ..voices import Speech
from .base import Added
from .reverberation import reverberant


@dataclass(frozen=True)
class Bystanders:
    """Other speakers of the bank, of whom only the echo of a room is heard, below a conversation: they have no turns.

    Who transcribes a meeting leaves out what is said in another corner or behind a door. Where nobody has a turn there
    is nobody to be further away than, so nothing happens.

    Parameters
    ----------
    probability : float
    below : (float, float)
        Range of how much fainter they are than the conversation at full difficulty, in decibels.
    pause : (float, float)
        Range of the mean pause between the stretches of one of them, in seconds.
    decay : (float, float)
        Range of the time in which the echo falls by 60 dB, in seconds.
    """

    MOST = 2  # of them
    STRETCH = (0.3, 4.0)  # seconds

    probability: Probability = 0.4
    below: Range = (12.0, 30.0)
    pause: Range = (0.5, 8.0)
    decay: Range = (0.3, 0.8)

    def draw(self, rng: np.random.Generator, bank: Bank, plan: Plan, difficulty: float) -> Added | None:
        if rng.random() >= self.probability * difficulty or not plan.voices:
            return None
        others = np.setdiff1d(np.arange(len(bank.speakers)), [voice.speaker for voice in plan.voices])
        count = min(int(rng.integers(1, self.MOST + 1)), len(others))
        decay, pause = rng.uniform(*self.decay), rng.uniform(*self.pause)
        track = np.zeros(plan.num_samples, np.float32)
        for speaker in rng.choice(others, count, replace=False):
            dry = self._talking(rng, bank, Voice(int(speaker)), plan.num_samples, pause)
            track += oaconvolve(dry, reverberant(rng, decay))[: plan.num_samples]
        if not (loud := level(track)):
            return None
        nearest, farthest = self.below
        below = rng.uniform(farthest + (nearest - farthest) * difficulty, farthest)
        return Added(track * np.float32(gain(-below) / loud))

    def _talking(self, rng: np.random.Generator, bank: Bank, voice: Voice, num_samples: int, pause: float) -> Samples:
        """(sample,) stretches of one voice with pauses between them."""
        track, speech = np.zeros(num_samples, np.float32), Speech(rng, bank, voice)
        start = round(rng.exponential(pause) * SAMPLE_RATE)
        while start < num_samples:
            source, length, _ = speech.take(rng.uniform(*self.STRETCH))
            heard = bank.samples[source : source + length][: num_samples - start]
            track[start : start + len(heard)] = heard / np.float32(32768)
            start += length + round(rng.exponential(pause) * SAMPLE_RATE)
        return track
