"""Voices of the eSpeak NG engine: speakers that need no download.

Each has a voice, language, pitch and rate of its own. They are no substitute for recordings, and good enough for
examples, tests and first experiments.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import numpy as np
import soundfile
import soxr

from ...files import permitted
from ..cache import cache_folder
from .base import Source, Utterance
from .sentences import PHRASES, sentence

SAMPLE_RATE = 16000
_ENGINE = Path(__file__).with_name("espeak_engine.py")

# The engine's variants that sound human, one of each group whose long-term spectra are nearly the same.
VARIANTS = {
    "female": "f2 Annie linda f1 Alicia anika shelby f5 aunty Andrea belinda steph f3 grandma".split(),
    "male": (
        "m1 Andy Jacky Reed m8 Marco boris Gene m7 iven david Lee max Denis pablo Nguyen edward travis norbert Mike "
        "quincy Storm benjamin marcelo ed Hugo Tweaky m4 antonio ian paul kaukovalta robert Michael sandro "
        "Alex Mario michel victor john pedro m2"
    ).split(),
}
PITCHES = (50, 66, 34, 82, 20)  # of 0-100; 16 more is nearly four semitones
NUM_VOICES = 2 * len(PITCHES) * min(map(len, VARIANTS.values()))


@dataclass(frozen=True)
class Voice:
    """One speaker: an engine's voice (language and variant), its pitch (0-100) and rate (words per minute)."""

    sex: str
    language: str
    variant: str
    pitch: int
    rate: int

    @property
    def speaker(self) -> str:
        return f"{self.language}-{self.variant}-{self.pitch}"


def voices(number: int = NUM_VOICES) -> list[Voice]:
    """The first voices, women and men in turn; a variant comes again, at another pitch, when all have been used."""
    languages = list(PHRASES)
    found = []
    for i in range(number):
        sex = ("female", "male")[i % 2]
        again, variant = divmod(i // 2, len(VARIANTS[sex]))
        language = languages[(i // 2 + again) % len(languages)]
        found.append(Voice(sex, language, VARIANTS[sex][variant], PITCHES[again], rate=140 + 37 * i % 60))
    return found


class ESpeak(Source):
    """Sentences said by the voices of eSpeak NG, rendered once into a cache, as 16 kHz FLAC files.

    Parameters
    ----------
    num_speakers : int, optional
        The first so many of the voices.
    num_utterances : int, optional
        Utterances of each, of one or two sentences (1-14 s).
    cache : str or Path, optional
        Default: `espeak` in the cache (`cache_folder`).

    Raises
    ------
    ImportError
        If the package `espeakng-loader`, which brings the engine, is not installed.
    ValueError
        If there are not so many voices.
    """

    def __init__(
        self, num_speakers: int = NUM_VOICES, num_utterances: int = 8, cache: str | Path | None = None
    ) -> None:
        if not 1 <= num_speakers <= NUM_VOICES:
            raise ValueError(f"espeak: num_speakers must be 1 to {NUM_VOICES}; got {num_speakers}.")
        if num_utterances < 1:
            raise ValueError(f"espeak: num_utterances must be at least 1; got {num_utterances}.")
        try:
            import espeakng_loader
        except ImportError:
            raise ImportError("espeak: the engine is missing; pip install espeakng-loader.") from None
        self.library = espeakng_loader.get_library_path()
        self.data = espeakng_loader.get_data_path()
        self.voices = voices(num_speakers)
        self.num_utterances = num_utterances
        self.cache = Path(cache).expanduser() if cache is not None else cache_folder("espeak")

    def __iter__(self) -> Iterator[Utterance]:
        # Threads only wait for the engine's processes.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for voice, folder in zip(self.voices, pool.map(self._rendered, self.voices), strict=True):
                for i in range(self.num_utterances):
                    yield Utterance(voice.speaker, folder / _name(i), sex=voice.sex, source="espeak")

    def _rendered(self, voice: Voice) -> Path:
        """Folder of a voice's utterances, rendered unless it is there; its name tells all that shapes the sound."""
        rng = random.Random(voice.speaker)
        texts = [" ".join(sentence(rng, voice.language) for _ in range(1 + i % 2)) for i in range(self.num_utterances)]
        recipe = json.dumps([asdict(voice), texts, SAMPLE_RATE, version("espeakng-loader"), _ENGINE.read_text("utf-8")])
        folder = self.cache / f"{voice.speaker}-{sha256(recipe.encode()).hexdigest()[:12]}"
        if not folder.exists():
            self.cache.mkdir(parents=True, exist_ok=True)
            unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=self.cache))
            try:
                for i, samples in enumerate(self._say(voice, texts)):
                    soundfile.write(unfinished / _name(i), samples, SAMPLE_RATE, subtype="PCM_16")
                unfinished.chmod(permitted(0o777))
                unfinished.rename(folder)
            except OSError:
                if not folder.exists():  # otherwise another process was faster
                    raise
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
        return folder

    def _say(self, voice: Voice, texts: list[str]) -> Iterator[np.ndarray]:
        """(sample,) array of float32 for each text."""
        job = {
            "library": self.library,
            "data": self.data,
            "voice": f"{voice.language}+{voice.variant}",
            "pitch": voice.pitch,
            "rate": voice.rate,
            "texts": texts,
        }
        command = [sys.executable, "-I", str(_ENGINE)]
        engine = subprocess.run(command, input=json.dumps(job).encode(), capture_output=True)
        if engine.returncode:
            reason = engine.stderr.decode(errors="replace").strip() or f"exit status {engine.returncode}"
            raise RuntimeError(f"espeak: voice {voice.speaker!r} could not be rendered: {reason}.")
        (rate,) = struct.unpack_from("<i", engine.stdout)
        position = 4
        while position < len(engine.stdout):
            (size,) = struct.unpack_from("<i", engine.stdout, position)
            samples = np.frombuffer(engine.stdout, np.int16, size // 2, position + 4)
            # As floats: the last samples that soxr 1.1 makes of integers differ from run to run.
            yield soxr.resample(samples.astype(np.float32) / 2**15, rate, SAMPLE_RATE)
            position += 4 + size


def _name(i: int) -> str:
    return f"{i:03d}.flac"
