"""File -> diarization."""

from .prompted_speaker_diarization import PromptedSpeakerDiarization

__all__ = ["PromptedSpeakerDiarization"]
