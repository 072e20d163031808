"""Speech regions: plant bursts in noise, ask for them back."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyannote_pix2seq.mixtures.sources import Utterance
from pyannote_pix2seq.mixtures.speech_regions import (
    UnusableSpeechError,
    _silero,
    read_speech,
    silero_regions,
    speech_regions,
)

RATE = 16000


def burst(seconds: float, amplitude: float = 0.1, seed: int = 0) -> np.ndarray:
    return amplitude * np.random.default_rng(seed).standard_normal(round(seconds * RATE)).astype(np.float32)


def silence(seconds: float, amplitude: float = 1e-4) -> np.ndarray:
    return burst(seconds, amplitude, seed=1)


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(30, 90), st.integers(30, 90)), min_size=1, max_size=4),
    st.sampled_from([0.3, 0.03]),
    st.sampled_from([np.float32, np.float64, np.int16]),
)
def test_planted_bursts_are_found(plan, amplitude, dtype):
    parts, planted, position = [], [], 0
    for pause, speech in plan:  # in hundredths of a second
        position += pause * RATE // 100
        planted.append((position, position + speech * RATE // 100))
        position = planted[-1][1]
        parts += [silence(pause / 100), burst(speech / 100, amplitude)]
    samples = np.concatenate([*parts, silence(0.5)])
    samples = (samples * 32767).clip(-32767, 32767).astype(dtype) if dtype is np.int16 else samples.astype(dtype)
    found = speech_regions(samples, RATE)
    assert np.abs(np.array(found) - planted).max() <= 0.05 * RATE


def test_pauses_are_closed_and_clicks_dropped():
    samples = np.concatenate(
        [silence(1), burst(0.5), silence(0.1), burst(0.5), silence(0.4), burst(0.03), silence(0.4), burst(0.5)]
    )
    (first, second), (third, fourth) = speech_regions(samples, RATE)
    assert (first / RATE, second / RATE) == pytest.approx((1, 2.1), abs=0.05)
    assert (third / RATE, fourth / RATE) == pytest.approx((2.93, 3.43), abs=0.05)


@given(st.integers(0, 2**32 - 1), st.integers(0, 3 * RATE))
def test_regions_are_in_order_apart_and_inside(seed, num_samples):
    rng = np.random.default_rng(seed)
    envelope = np.repeat(10 ** rng.uniform(-4, -0.5, 1 + num_samples // 800), 800)[:num_samples]
    bounds = [bound for region in speech_regions(envelope * rng.standard_normal(num_samples), RATE) for bound in region]
    assert bounds == sorted(set(bounds))
    assert not bounds or (bounds[0] >= 0 and bounds[-1] <= num_samples)


def test_level_offset_and_long_silence_change_nothing():
    samples = np.concatenate([silence(1), burst(1.0), silence(60), burst(1.0), silence(1)])
    regions = speech_regions(samples, RATE)
    assert len(regions) == 2
    assert speech_regions(samples / 8, RATE) == regions
    assert np.abs(np.subtract(speech_regions(samples + 0.25, RATE), regions)).max() <= RATE // 50


@pytest.mark.parametrize(
    "samples", [np.zeros(0), np.zeros(1), np.zeros(RATE), silence(2), np.full(RATE, 0.5), np.full(RATE, np.nan)]
)
def test_no_speech(samples):
    assert speech_regions(samples, RATE) == []


def test_read_speech(tmp_path):
    path = tmp_path / "ann.wav"
    soundfile.write(path, np.concatenate([silence(1), burst(1.0), silence(1), burst(0.5), silence(1)]), RATE)
    samples, regions = read_speech(Utterance("ann", path))
    assert (len(samples), len(regions)) == (round(4.5 * RATE), 2)
    samples, ((start, end),) = read_speech(Utterance("ann", path, start=2.5, end=4.0))
    assert len(samples) == 1.5 * RATE
    assert (start / RATE, end / RATE) == pytest.approx((0.5, 1.0), abs=0.05)
    assert len(read_speech(Utterance("ann", path, start=2.5))[0]) == 2 * RATE


def test_unusable_utterances_are_named(tmp_path):
    (tmp_path / "text.wav").write_text("this is no audio")
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    soundfile.write(tmp_path / "short.wav", burst(0.3), RATE)
    for name in ("missing.wav", "text.wav", "silent.wav"):
        with pytest.raises(UnusableSpeechError, match=rf"speaker 'ann': .*{name}"):
            read_speech(Utterance("ann", tmp_path / name))
    with pytest.raises(UnusableSpeechError, match=r"short\.wav: 0\.30 s of speech"):
        read_speech(Utterance("ann", tmp_path / "short.wav"), min_speech=1.0)


def test_another_detector(tmp_path):
    soundfile.write(tmp_path / "a.wav", burst(1.0), RATE)
    _, regions = read_speech(Utterance("ann", tmp_path / "a.wav"), detect=lambda samples, rate: [(0, rate // 2)])
    assert regions == [(0, RATE // 2)]


def test_silero():
    pytest.importorskip("silero_vad")
    num_threads = torch.get_num_threads()
    assert silero_regions(np.zeros(RATE, np.int16), RATE) == []
    assert torch.get_num_threads() == num_threads


def test_silero_errors(monkeypatch):
    with pytest.raises(ValueError, match="Silero needs 16000 Hz; got 8000 Hz"):
        silero_regions(np.zeros(8000), 8000)
    monkeypatch.setitem(sys.modules, "silero_vad", None)
    _silero.cache_clear()
    with pytest.raises(ImportError, match=r"pip install pyannote-pix2seq\[vad\]"):
        silero_regions(np.zeros(RATE), RATE)
