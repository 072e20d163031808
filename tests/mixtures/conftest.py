"""A small corpus of voices made of tones, and a cache of its own."""

import csv

import numpy as np
import pytest
import soundfile

from pyannote_pix2seq.mixtures import protocol
from pyannote_pix2seq.mixtures.cache import VARIABLE

RATE = 16000


@pytest.fixture(autouse=True, scope="session")
def cache(tmp_path_factory):
    """No test writes to the user's cache, or finds there what another run left."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        yield folder


@pytest.fixture(autouse=True, scope="module")
def defined(cache):
    """Protocols that a module defines are gone after it."""
    yield
    protocol._DEFINED.clear()


def utterance(rng, pitch):
    """Two bursts of a harmonic tone, with a pause between and silence around: (sample,) float."""
    parts = [np.zeros(RATE // 5)]
    for _ in range(2):
        times = np.arange(rng.integers(RATE // 2, 2 * RATE)) / RATE
        tone = sum(np.sin(2 * np.pi * pitch * h * times) / h for h in range(1, 6))
        parts += [0.2 * tone, np.zeros(RATE // 4)]
    samples = np.concatenate(parts)
    return samples + 1e-4 * rng.standard_normal(len(samples))


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """A manifest of 12 speakers with three utterances each, four speakers in each subset."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    rows = []
    for i in range(12):
        for u in range(3):
            name = f"s{i}-{u}.wav"
            soundfile.write(folder / name, utterance(rng, 100 + 17 * i), RATE)
            split = ("train", "development", "test")[i % 3]
            rows.append({"path": name, "speaker": f"s{i}", "source": "tones", "sex": "fm"[i // 3 % 2], "split": split})
    with open(folder / "manifest.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder / "manifest.csv"


@pytest.fixture(scope="session")
def source(corpus):
    return {"name": "manifest", "path": str(corpus)}
