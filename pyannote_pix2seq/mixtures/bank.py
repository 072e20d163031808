"""All speech of a source, decoded once and held as 16-bit samples."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

from .plan import SAMPLE_RATE
from .sources.base import Utterance
from .speech_regions import speech_regions


@dataclass(frozen=True)
class Bank:
    """Decoded speech by speaker.

    Parameters
    ----------
    samples : (sample,) array of int16
        All utterances, one behind the other.
    speakers : list of str
        Names.
    utterances : list of (int, int, list of (int, int))
        First sample, length, and the speech regions counted from the first sample.
    by_speaker : list of list of int
        Utterances of each speaker.
    groups : list of list of int
        Speakers of each corpus: voices of one corpus are harder to tell apart than voices of two.
    """

    samples: np.ndarray
    speakers: list[str]
    utterances: list[tuple[int, int, list[tuple[int, int]]]]
    by_speaker: list[list[int]]
    groups: list[list[int]]

    @classmethod
    def load(cls, utterances: Iterable[Utterance], min_speech: float = 1.0) -> Bank:
        """Decode utterances.

        Parameters
        ----------
        utterances : iterable of Utterance
        min_speech : float
            Speakers with less speech than this, in seconds, are skipped with a warning.
        """
        decoded: dict[tuple[str, str], list[tuple[np.ndarray, list[tuple[int, int]]]]] = {}
        for utterance in utterances:
            samples = decode(utterance)
            regions = speech_regions(samples, SAMPLE_RATE)
            decoded.setdefault((utterance.source, utterance.speaker), []).append((samples, regions))
        chunks: list[np.ndarray] = []
        table, by_speaker, names, groups = [], [], [], {}
        position = 0
        for (source, name), parts in decoded.items():
            if sum(end - start for _, regions in parts for start, end in regions) < min_speech * SAMPLE_RATE:
                warnings.warn(f"speaker {name!r} has less than {min_speech} s of speech and is skipped.", stacklevel=2)
                continue
            groups.setdefault(source, []).append(len(names))
            names.append(name)
            by_speaker.append([])
            for samples, regions in parts:
                if not regions:
                    continue
                by_speaker[-1].append(len(table))
                table.append((position, len(samples), regions))
                chunks.append(samples)
                position += len(samples)
        if not names:
            raise ValueError("no speaker with usable speech was found; check the source.")
        return cls(np.concatenate(chunks), names, table, by_speaker, list(groups.values()))


def decode(utterance: Utterance) -> np.ndarray:
    """Samples of an utterance, mono, 16 kHz, int16, its loud parts at a common level."""
    samples, rate = soundfile.read(utterance.path, dtype="float32", always_2d=True)
    if utterance.start is not None or utterance.end is not None:
        samples = samples[round((utterance.start or 0) * rate) : utterance.end and round(utterance.end * rate)]
    mono = samples.mean(1)
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE)
    loud = np.quantile(np.abs(mono), 0.95) if len(mono) else 0.0
    gain = min(0.15 / max(loud, 1e-4), 0.99 / max(np.abs(mono).max(initial=0.0), 1e-4))
    return (mono * gain * 32767).astype(np.int16)
