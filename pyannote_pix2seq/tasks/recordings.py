"""What a task has to know of a protocol's files, as arrays; and reading parts of their audio."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from pyannote.core import Segment, Timeline

from ..audio import READABLE, SAMPLE_RATE, open_audio

SUBSETS = ("train", "development")
REGION = np.dtype([("file", "i4"), ("start", "f8"), ("end", "f8")])
SPOKEN = np.dtype([("file", "i4"), ("start", "f8"), ("end", "f8"), ("speaker", "i4")])


def read_protocol(protocol: Any, has_validation: bool) -> dict[str, np.ndarray]:
    """Go through the training and development sets once.

    Returns
    -------
    prepared : dict of arrays
        "protocol"; "audio", "subset" and "first-speaker" of each file; "regions", the annotated ones; "spoken", sorted
        by file and start, speakers numbered over all files; "voices", the training identity of each speaker: -1 when a
        label names nobody outside of its file.

    Raises
    ------
    ValueError
        If a file has no annotation, or nobody speaks in the training set.
    """
    audio: list[str] = []
    voices: list[int] = []
    subsets, regions, spoken = [], [], []
    identities: dict[tuple[str, str], int] = {}
    for subset in SUBSETS[: 1 + has_validation]:
        for file in getattr(protocol, subset)():
            if file.get("annotation") is None:
                raise ValueError(f"{protocol.name}: file {file['uri']!r} has no annotation.")
            number = len(audio)
            audio.append(str(file["audio"]))
            subsets.append(SUBSETS.index(subset))
            annotated = file.get("annotated")
            if annotated is None:
                annotated = Timeline([Segment(0, open_audio(file).duration)])
            regions += [(number, region.start, region.end) for region in annotated.support()]
            scope = file.get("scope", "file")
            speakers = {}
            for segment, _, label in file["annotation"].itertracks(yield_label=True):
                if label not in speakers:
                    speakers[label] = len(voices)
                    owner = {"database": str(file.get("database")), "global": ""}.get(scope)
                    if subset == "train" and owner is not None:
                        voices.append(identities.setdefault((owner, str(label)), len(identities)))
                    else:
                        voices.append(-1)
                spoken.append((number, segment.start, segment.end, speakers[label]))
    prepared = {
        "protocol": np.array(protocol.name),
        "audio": np.array(audio, dtype=np.str_),
        "subset": np.array(subsets, dtype=np.int8),
        "regions": np.array(regions, dtype=REGION),
        "spoken": np.sort(np.array(spoken, dtype=SPOKEN), order=("file", "start")),
        "voices": np.array(voices, dtype=np.int32),
    }
    for i, subset in enumerate(SUBSETS[: 1 + has_validation]):
        if not (prepared["subset"][prepared["spoken"]["file"]] == i).any():
            raise ValueError(f"{protocol.name}: nobody speaks in the {subset} set; nothing can be learned from it.")
        if not (prepared["subset"][prepared["regions"]["file"]] == i).any():
            raise ValueError(f"{protocol.name}: no part of the {subset} set is annotated.")
    return prepared


@contextmanager
def opened(path: str | Path) -> Iterator[soundfile.SoundFile]:
    """An audio file, to read parts of.

    Raises
    ------
    ValueError
        If the file cannot be read. (A `LibsndfileError` could not be raised again outside of a DataLoader's worker.)
    """
    try:
        with soundfile.SoundFile(path) as file:
            yield file
    except (soundfile.LibsndfileError, OSError) as error:
        reason = getattr(error, "error_string", str(error)).rstrip(".")
        raise ValueError(f"{path}: cannot be read as {READABLE} ({reason}).") from None


def read_part(path: str | Path, start: float, end: float) -> np.ndarray:
    """A part of an audio file, as 16 kHz mono, without reading the rest.

    Parameters
    ----------
    path : str or Path
    start, end : float
        In seconds; what lies behind the end of the file is zeros.

    Returns
    -------
    waveform : (sample,) array of float32

    Raises
    ------
    ValueError
        If the file cannot be read.
    """
    length = round((end - start) * SAMPLE_RATE)
    with opened(path) as file:
        rate = file.samplerate
        file.seek(min(round(start * rate), file.frames))
        samples = file.read(round((end - start) * rate), dtype="float32", always_2d=True).mean(1)
    if rate != SAMPLE_RATE and len(samples):
        samples = soxr.resample(samples, rate, SAMPLE_RATE)
    return np.pad(samples[:length], (0, max(length - len(samples), 0)))
