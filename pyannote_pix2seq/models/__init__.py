"""Models. Their module paths are stored in checkpoints: they never move."""

from .devinet import DeviNet
from .pix2seq import Pix2Seq

__all__ = ["DeviNet", "Pix2Seq"]
