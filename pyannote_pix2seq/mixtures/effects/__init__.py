"""What happens to voices on their way to the microphone. Each effect is drawn first, then applied: no randomness later.

An effect of the list has `draw(rng, bank, plan, difficulty)`, which returns something with `on_voice` or `on_mixture`,
or None when it does not happen this time. Difficulty, from 0 to 1, makes effects more likely and stronger.
"""

from __future__ import annotations

from .base import Effect, Neutral
from .bursts import Bursts
from .bystanders import Bystanders
from .channel import Microphone, Telephone
from .loudness import Clipping, Level, Loudness
from .noise import Noise
from .reverberation import Distance, Reverberation

EFFECTS = {
    "bursts": Bursts,
    "bystanders": Bystanders,
    "clipping": Clipping,
    "distance": Distance,
    "level": Level,
    "loudness": Loudness,
    "microphone": Microphone,
    "noise": Noise,
    "reverberation": Reverberation,
    "telephone": Telephone,
}

__all__ = [
    "EFFECTS", "Bursts", "Bystanders", "Clipping", "Distance", "Effect", "Level", "Loudness", "Microphone", "Neutral",
    "Noise", "Reverberation", "Telephone",
]  # fmt: skip
