"""File -> diarization, or classes."""

from .multilabel import MultiLabelSegmentation
from .prompted_speaker_diarization import PromptedSpeakerDiarization

__all__ = ["MultiLabelSegmentation", "PromptedSpeakerDiarization"]
