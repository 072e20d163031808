"""Where somebody talks inside a recording of one speaker."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..audio import SAMPLE_RATE, open_audio
from .sources.base import Utterance

FRAME = 0.01  # s
SILENCE = -60.0  # dB of full scale: a recording whose loud frames stay below it holds no speech
# Where the threshold lies, in dB: above the noise, but within these bounds relative to the loud frames. Chosen by
# agreement with Silero on recorded speech (Common Voice, LibriSpeech, speechocean762): 4 % missed, 4 % false alarm.
ABOVE_NOISE = 6.0
BELOW_LOUD = (-32.0, -18.0)


class UnusableSpeechError(ValueError):
    """An utterance that cannot be used; the message names its file and the reason."""


Detector = Callable[[np.ndarray, int], list[tuple[int, int]]]


def read_speech(
    utterance: Utterance, detect: Detector | None = None, min_speech: float = 0.1
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Samples of an utterance and its speech regions.

    Parameters
    ----------
    utterance : Utterance
    detect : callable, optional
        Such as `speech_regions`, the default, or `silero_regions`.
    min_speech : float, optional
        Utterances with less speech in all are unusable, in seconds.

    Returns
    -------
    samples : (sample,) float32 array
        16 kHz, mono.
    regions : list of (int, int)
        [start, end) in samples.

    Raises
    ------
    UnusableSpeechError
        If the file is missing, is not audio or is damaged, or holds too little speech.
    """
    try:
        samples = _decode(utterance.path)
    except (OSError, ValueError) as error:
        raise UnusableSpeechError(f"speaker {utterance.speaker!r}: {error}") from error
    start = round((utterance.start or 0.0) * SAMPLE_RATE)
    end = None if utterance.end is None else round(utterance.end * SAMPLE_RATE)
    samples = samples[start:end].copy()
    regions = (detect or speech_regions)(samples, SAMPLE_RATE)
    speech = sum(stop - begin for begin, stop in regions) / SAMPLE_RATE
    if speech < min_speech:
        raise UnusableSpeechError(f"speaker {utterance.speaker!r}: {utterance.path}: {speech:.2f} s of speech.")
    return samples, regions


@lru_cache(maxsize=1)
def _decode(path: Path) -> np.ndarray:
    """All of a file; kept, because utterances that are parts of one file come one behind the other."""
    return open_audio(path).read()


def speech_regions(
    samples: np.ndarray,
    sample_rate: int,
    min_speech: float = 0.1,
    max_pause: float = 0.15,
    padding: float = 0.03,
) -> list[tuple[int, int]]:
    """Speech by its energy: frames near the level of the recording's loud ones, and clear of its noise.

    Parameters
    ----------
    samples : (sample,) array of int16 or float
        One speaker, one channel.
    sample_rate : int
        In Hz.
    min_speech : float, optional
        Shorter bursts are no speech, in seconds.
    max_pause : float, optional
        Pauses shorter than this belong to the speech around them, in seconds.
    padding : float, optional
        Added on both sides of a region, for weak beginnings and ends, in seconds.

    Returns
    -------
    regions : list of (int, int)
        [start, end) in samples, in order, apart from each other; empty when there is no speech.
    """
    hop = round(FRAME * sample_rate)
    num_frames = len(samples) // hop
    if num_frames == 0:
        return []
    frames = samples[: num_frames * hop].reshape(num_frames, hop).astype(np.float32)
    if np.issubdtype(samples.dtype, np.integer):
        frames /= np.iinfo(samples.dtype).max
    # A short mean bridges the gaps between the glottal pulses of low voices; the variance ignores a constant offset.
    energy = np.convolve(frames.var(1), np.full(3, 1 / 3, dtype=np.float32), "same")
    level = 10 * np.log10(energy + 1e-12)
    # The loudest half second is enough to know how loud speech is: the rest of a long recording may be silence.
    few = min(round(0.5 / FRAME), 1 + num_frames // 20)
    loud = np.partition(level, -few)[-few]
    if not loud > SILENCE:  # also when samples are not finite
        return []
    threshold = loud + np.clip(np.quantile(level, 0.05) + ABOVE_NOISE - loud, *BELOW_LOUD)

    edges = np.flatnonzero(np.diff(level > threshold, prepend=False, append=False)).reshape(-1, 2)
    apart = edges[1:, 0] - edges[:-1, 1] >= round(max_pause / FRAME)
    edges = np.stack([edges[np.r_[True, apart], 0], edges[np.r_[apart, True], 1]], 1)
    edges = edges[edges[:, 1] - edges[:, 0] >= round(min_speech / FRAME)] * hop
    pad = min(round(padding * sample_rate), round(max_pause * sample_rate) // 2 - 1)  # padded regions do not touch
    return [(max(int(start) - pad, 0), min(int(end) + pad, len(samples))) for start, end in edges]


def silero_regions(
    samples: np.ndarray,
    sample_rate: int,
    min_speech: float = 0.1,
    max_pause: float = 0.15,
    padding: float = 0.03,
) -> list[tuple[int, int]]:
    """Speech by the Silero network: as `speech_regions`, for recordings with noise; 50 times slower.

    Raises
    ------
    ImportError
        If the package `silero-vad` (the extra `vad`) is not installed.
    ValueError
        If the sample rate is not 16 kHz.
    """
    if sample_rate != SAMPLE_RATE:
        raise ValueError(f"Silero needs {SAMPLE_RATE} Hz; got {sample_rate} Hz.")
    import torch

    model, find = _silero()
    if np.issubdtype(samples.dtype, np.integer):
        samples = samples / np.float32(np.iinfo(samples.dtype).max)
    regions = find(
        torch.from_numpy(np.asarray(samples, dtype=np.float32)),
        model,
        sampling_rate=sample_rate,
        min_speech_duration_ms=round(1000 * min_speech),
        min_silence_duration_ms=round(1000 * max_pause),
        speech_pad_ms=round(1000 * padding),
    )
    return [(region["start"], region["end"]) for region in regions]


@cache
def _silero() -> tuple[Any, Any]:
    import torch

    num_threads = torch.get_num_threads()
    try:
        silero_vad = import_module("silero_vad")
    except ImportError:
        raise ImportError("silero_regions needs the package silero-vad; pip install pyannote-pix2seq[vad].") from None
    finally:
        torch.set_num_threads(num_threads)  # importing silero_vad sets it to 1, for everybody
    return silero_vad.load_silero_vad(), silero_vad.get_speech_timestamps
