"""pyannote.audio reads files without FFmpeg: a decoder for it where torchcodec, which needs FFmpeg, cannot be loaded.

Its pipelines take audio from memory then, but its training tasks read parts of files and have no other way.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import soundfile

_CORE = "pyannote.audio.core.io"


class Metadata(NamedTuple):
    """Of an audio stream; the names are those of torchcodec."""

    sample_rate: int
    num_channels: int
    duration_seconds_from_header: float


class Samples(NamedTuple):
    """Decoded audio: `data` is a (channel, sample) float tensor."""

    data: Any
    sample_rate: int


class Decoder:
    """As much of `torchcodec.decoders.AudioDecoder` as pyannote.audio uses, by soundfile.

    Parameters
    ----------
    source : path or file object
        WAV, FLAC, OGG, Opus, MP3 and what else libsndfile reads.

    Raises
    ------
    ValueError
        If it is not audio of such a kind.
    """

    def __init__(self, source: str | Path | BinaryIO) -> None:
        self.source = source
        with self._open() as file:
            self.metadata = Metadata(file.samplerate, file.channels, file.frames / file.samplerate)

    def _open(self) -> soundfile.SoundFile:
        if not isinstance(self.source, (str, Path)):
            self.source.seek(0)
        try:
            return soundfile.SoundFile(self.source)
        except soundfile.LibsndfileError as error:
            reason = error.error_string.rstrip(".")
            raise ValueError(
                f"{self.source}: cannot be decoded without FFmpeg ({reason}); install FFmpeg for torchcodec."
            ) from None

    def get_all_samples(self) -> Samples:
        return self._read(0, None)

    def get_samples_played_in_range(self, start_seconds: float = 0.0, stop_seconds: float | None = None) -> Samples:
        rate = self.metadata.sample_rate
        return self._read(round(start_seconds * rate), None if stop_seconds is None else round(stop_seconds * rate))

    def _read(self, start: int, stop: int | None) -> Samples:
        import torch

        with self._open() as file:
            stop = file.frames if stop is None else min(stop, file.frames)
            file.seek(min(start, file.frames))
            samples = file.read(max(stop - start, 0), dtype="float32", always_2d=True)
            return Samples(torch.from_numpy(samples.T.copy()), file.samplerate)


def install() -> None:
    """Give pyannote.audio this decoder if it was imported and has none; where torchcodec works, nothing changes."""
    core: Any = sys.modules.get(_CORE)
    if core is not None and not getattr(core, "TORCHCODEC_AVAILABLE", True):
        core.AudioDecoder, core.AudioSamples, core.AudioStreamMetadata = Decoder, Samples, Metadata
        core.TORCHCODEC_AVAILABLE = True
