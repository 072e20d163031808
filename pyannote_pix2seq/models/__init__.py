"""Models. Their module paths are stored in checkpoints: they never move."""

from ..decoder import install
from .devinet import DeviNet
from .pix2seq import Pix2Seq

install()  # pyannote.audio is imported by now

__all__ = ["DeviNet", "Pix2Seq"]
