"""What all effects share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from ..sound import Samples, Sound, beside, speech_level


class Effect(Protocol):
    """A drawn effect: deterministic. Sounds come back as they came, as arrays or tensors."""

    def on_voice(self, voice: int, samples: Sound) -> Any:
        """One excerpt of a voice; may grow at its end (an echo), never at its start.

        Linear, and the same at any time, so that a voice's excerpts may also come as one sound.
        """

    def on_mixture(self, samples: Sound) -> Any:
        """The sum of all voices; same length."""


class Neutral:
    """Does nothing; effects override what they change."""

    def on_voice(self, voice: int, samples: Sound) -> Sound:
        return samples

    def on_mixture(self, samples: Sound) -> Sound:
        return samples


@dataclass(frozen=True)
class Added(Neutral):
    """A sound beside a conversation."""

    samples: Samples = field(repr=False)  # where speech has level 1

    def on_mixture(self, samples: Sound) -> Sound:
        return samples + beside(self.samples, samples) * speech_level(samples)
