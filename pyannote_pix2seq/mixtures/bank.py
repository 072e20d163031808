"""All speech of a source, decoded once, held as 16-bit samples in a file that all processes map into their memory."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed

from .. import audio
from ..files import permitted
from . import sound, spectrum, speech_regions
from .cache import cache_folder
from .plan import SAMPLE_RATE
from .sources.base import Utterance
from .spectrum import equalised

SAMPLES, TABLE = "samples.int16", "table.json"
LOUD = 0.15  # amplitude that the loud samples of speech get: all utterances start at one level
MIN_SPEECH = 1.0  # seconds
FEW = 300  # utterances: they are decoded before other processes have started

Decoded = tuple[np.ndarray, list[tuple[int, int]]]


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
    sexes : list of str
        Of each speaker: "female", "male" or "" (unknown).
    key : str
        Changes with the speech: same key, same samples and regions.
    """

    samples: np.ndarray
    speakers: list[str]
    utterances: list[tuple[int, int, list[tuple[int, int]]]]
    by_speaker: list[list[int]]
    groups: list[list[int]]
    sexes: Sequence[str] = ()
    key: str = ""

    @classmethod
    def load(cls, utterances: Iterable[Utterance], min_speech: float = MIN_SPEECH, folder: Path | None = None) -> Bank:
        """Decode utterances, unless the cache has them.

        Parameters
        ----------
        utterances : iterable of Utterance
        min_speech : float
            Speakers with less speech than this, in seconds, are skipped with a warning, as are unusable utterances.
        folder : Path, optional
            Cache. Default: `banks` in the user's cache.

        Raises
        ------
        ValueError
            If no speaker is left.
        """
        utterances = list(utterances)
        folder = folder or cache_folder("banks")
        there = folder / _identity(utterances, min_speech)
        if not (there / TABLE).exists():
            folder.mkdir(parents=True, exist_ok=True)
            unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder))
            try:
                _decode(utterances, min_speech, unfinished)
                unfinished.chmod(permitted(0o777))
                unfinished.rename(there)
            except OSError:
                if not (there / TABLE).exists():  # otherwise another process was faster
                    raise
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
        return cls._open(there)

    @classmethod
    def _open(cls, folder: Path) -> Bank:
        table = json.loads((folder / TABLE).read_text("utf-8"))
        table["utterances"] = [(first, length, [(s, e) for s, e in r]) for first, length, r in table["utterances"]]
        return cls(np.memmap(folder / SAMPLES, np.int16, "r"), **table)

    @cached_property
    def spoken(self) -> np.ndarray:
        """Samples of speech of each speaker."""
        each = [sum(end - start for start, end in regions) for _, _, regions in self.utterances]
        return np.array([sum(each[utterance] for utterance in spoken) for spoken in self.by_speaker])

    def tensor(self, device: str | torch.device = "cpu") -> torch.Tensor:
        """All samples on a device, for `render.render_batch`: an hour takes 115 MB."""
        return torch.tensor(self.samples, device=device)

    def __getstate__(self) -> dict[str, Any]:
        """A file that is mapped goes to another process by its name."""
        state = dict(self.__dict__)
        if isinstance(self.samples, np.memmap):
            state["samples"] = self.samples.filename
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if isinstance(state["samples"], (str, os.PathLike)):
            state = {**state, "samples": np.memmap(state["samples"], np.int16, "r")}
        self.__dict__.update(state)


def _identity(utterances: Sequence[Utterance], min_speech: float) -> str:
    """Of what would be decoded, without reading it: names, sizes and times of the files, and the code that decodes."""
    identity = sha256(" ".join([str(min_speech), *map(version, ("numpy", "scipy", "soundfile", "soxr"))]).encode())
    for module in (__file__, spectrum.__file__, sound.__file__, speech_regions.__file__, audio.__file__):
        identity.update(Path(module).read_bytes())
    for utterance in utterances:
        try:
            status = os.stat(utterance.path)
            stamp: tuple[int, ...] = (status.st_size, status.st_mtime_ns)
        except OSError:
            stamp = ()
        identity.update(f"{sorted(asdict(utterance).items())} {stamp}\n".encode())
    return identity.hexdigest()[:20]


def _decode(utterances: Sequence[Utterance], min_speech: float, folder: Path) -> None:
    """Write the samples of all usable speakers, one speaker behind the other, and the table of what they are."""
    by_speaker: dict[tuple[str, str], list[Utterance]] = {}
    for utterance in utterances:
        by_speaker.setdefault((utterance.source, utterance.speaker), []).append(utterance)
    names: dict[str, None] = {}
    table: list[tuple[int, int, list[tuple[int, int]]]] = []
    positions: list[list[int]] = []
    groups: dict[str, list[int]] = {}
    sexes: list[str] = []
    content = sha256()
    position = 0
    tried = _tried([utterance for spoken in by_speaker.values() for utterance in spoken])
    with open(folder / SAMPLES, "wb") as file:
        for (source, name), spoken in by_speaker.items():
            usable = []
            for decoded in islice(tried, len(spoken)):
                if isinstance(decoded, str):
                    _warn(decoded)
                else:
                    usable.append(decoded)
            speech = sum(end - start for _, regions in usable for start, end in regions) / SAMPLE_RATE
            if not usable or speech < min_speech:
                _warn(f"speaker {name!r} has {speech:.2f} s of speech, less than {min_speech:g} s")
                continue
            groups.setdefault(source, []).append(len(names))
            names[f"{source}/{name}" if name in names else name] = None
            sexes.append(spoken[0].sex)
            positions.append(list(range(len(table), len(table) + len(usable))))
            for samples, regions in usable:
                table.append((position, len(samples), regions))
                position += len(samples)
                file.write(samples.tobytes())
                content.update(samples.tobytes())
    if not names:
        raise ValueError("no speaker with usable speech was found; check the source.")
    rest = {
        "speakers": list(names), "utterances": table, "by_speaker": positions, "groups": list(groups.values()),
        "sexes": sexes,
    }  # fmt: skip
    content.update(json.dumps(rest).encode())
    (folder / TABLE).write_text(json.dumps({**rest, "key": content.hexdigest()}), "utf-8")


def _tried(utterances: Sequence[Utterance]) -> Iterator[Decoded | str]:
    """Utterances decoded by all processors, in their order."""
    processes = 1 if len(utterances) < FEW else -1
    return Parallel(processes, return_as="generator")(map(delayed(_usable), utterances))


def _usable(utterance: Utterance) -> Decoded | str:
    """An utterance as int16, its speech at a common spectrum and level, and its speech regions; or what is wrong."""
    try:
        samples, regions = speech_regions.read_speech(utterance)
    except speech_regions.UnusableSpeechError as error:
        return str(error).rstrip(".")
    samples = equalised(samples, np.concatenate([samples[start:end] for start, end in regions]))
    speech = np.abs(np.concatenate([samples[start:end] for start, end in regions]))
    gain = min(LOUD / max(np.quantile(speech, 0.95), 1e-4), 0.99 / max(np.abs(samples).max(), 1e-4))
    return (samples * np.float32(gain * 32767)).astype(np.int16), regions


def _warn(what: str) -> None:
    warnings.warn(f"{what}: skipped.", stacklevel=2)
