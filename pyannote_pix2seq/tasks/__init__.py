"""Learning problems."""

from .sequence_diarization import SequenceDiarization
from .speaker_detection import SpeakerDetection

__all__ = ["SequenceDiarization", "SpeakerDetection"]
