"""Pictures: what is drawn is checked by eye, that it can be drawn by these tests."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyannote_pix2seq.audio import open_audio
from pyannote_pix2seq.diarization import Diarization
from pyannote_pix2seq.report import draw, envelope
from pyannote_pix2seq.turns import TimeGrid, Turn, to_annotation

GRID = TimeGrid(30.0, 1500)


def recording(samples):
    return open_audio({"waveform": np.asarray(samples, np.float32)[None], "sample_rate": 16000, "uri": "call"})


@settings(max_examples=20)
@given(st.integers(0, 5000), st.integers(1, 50))
def test_the_envelope_holds_every_sample(num_samples, num_columns):
    samples = np.random.default_rng(num_samples).standard_normal(num_samples)
    low, high, duration = envelope(recording(samples), num_columns)
    assert len(low) == len(high) <= num_columns
    assert duration == pytest.approx(num_samples / 16000)
    if num_samples:
        assert low.min() == np.float32(samples.min()) and high.max() == np.float32(samples.max())


@pytest.mark.parametrize("num_speakers", [0, 1, 12])
@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_pictures_are_drawn(tmp_path, num_speakers, suffix):
    turns = [Turn(50 * i, 50 * i + 70, i) for i in range(num_speakers)]
    diarization = to_annotation(turns, [f"S{i}" for i in range(12)], GRID, uri="call")
    waveform = recording(np.random.default_rng(0).standard_normal(16000 * 15) * 0.1)
    draw(diarization, waveform, tmp_path / f"a.{suffix}", reference=diarization)
    assert [path.name for path in tmp_path.iterdir()] == [f"a.{suffix}"]
    assert (tmp_path / f"a.{suffix}").stat().st_size > 1000


def test_names_may_have_dollars(tmp_path):
    diarization = to_annotation([Turn(0, 50, 0)], [r"$\\nothing$ for $5"], GRID, uri="$5_and_$\\frac")
    draw(diarization, None, tmp_path / "a.png", reference=diarization)
    assert (tmp_path / "a.png").exists()


def test_nothing_to_draw(tmp_path):
    draw(Diarization(uri="nothing"), recording([]), tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a.doc: the suffix of a picture is one of .*png"):
        draw(Diarization(), recording([]), tmp_path / "a.doc")
