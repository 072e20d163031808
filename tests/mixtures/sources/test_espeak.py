"""Voices of eSpeak NG."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest
import soundfile

from pyannote_pix2seq.mixtures.sources import source
from pyannote_pix2seq.mixtures.sources.espeak import NUM_VOICES, Voice, voices
from pyannote_pix2seq.mixtures.sources.sentences import PHRASES
from pyannote_pix2seq.mixtures.speech_regions import read_speech


def files(cache):
    return {path.relative_to(cache): path.read_bytes() for path in cache.rglob("*") if path.is_file()}


def test_over_a_hundred_speakers_half_of_them_women():
    speakers = voices()
    assert len({voice.speaker for voice in speakers}) == len(speakers) == NUM_VOICES > 100
    assert len({(voice.variant, voice.pitch) for voice in speakers}) == NUM_VOICES
    assert sum(voice.sex == "female" for voice in speakers) == NUM_VOICES // 2
    assert {voice.language for voice in speakers} == set(PHRASES)
    assert voices(7) == speakers[:7]


def test_rendered_once_and_the_same_everywhere(tmp_path):
    first = list(source("espeak", num_speakers=3, num_utterances=2, cache=tmp_path / "a"))
    assert [utterance.sex for utterance in first] == ["female", "female", "male", "male", "female", "female"]
    for utterance in first:
        info = soundfile.info(utterance.path)
        assert (info.format, info.samplerate, info.channels) == ("FLAC", 16000, 1)
        samples, regions = read_speech(utterance)
        assert 0.5 < sum(end - start for start, end in regions) / len(samples) <= 1
        assert 0.05 < np.abs(samples).max() <= 1
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*.flac")}
    assert list(source("espeak", num_speakers=3, num_utterances=2, cache=tmp_path / "a")) == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*.flac")} == times
    # other speakers first, into another cache: the same bytes, and no unfinished folder
    list(source("espeak", num_speakers=2, num_utterances=2, cache=tmp_path / "b"))
    list(source("espeak", num_speakers=3, num_utterances=2, cache=tmp_path / "b"))
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert len(list((tmp_path / "b").iterdir())) == 3


def test_breath_does_not_depend_on_the_clock(tmp_path):
    engine = source("espeak", num_speakers=1, num_utterances=1)
    engine.voices = [Voice("male", "en", "whisper", pitch=50, rate=170)]
    for name in ("now", "later"):
        engine.cache = tmp_path / name
        list(engine)
        time.sleep(1.1)  # the engine's clock counts seconds
    assert files(tmp_path / "now") == files(tmp_path / "later") != {}


def test_a_voice_that_fails_leaves_nothing_behind(tmp_path):
    engine = source("espeak", num_speakers=1, num_utterances=1, cache=tmp_path)
    engine.data = str(tmp_path)
    with pytest.raises(RuntimeError, match="voice 'en-f2-50' could not be rendered: "):
        list(engine)
    assert list(tmp_path.iterdir()) == []


def test_errors(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match=f"num_speakers must be 1 to {NUM_VOICES}; got 0"):
        source("espeak", num_speakers=0)
    with pytest.raises(ValueError, match="num_utterances must be at least 1; got 0"):
        source("espeak", num_utterances=0)
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(ImportError, match="pip install espeakng-loader"):
        source("espeak", cache=tmp_path)
