"""The decoder that pyannote.audio gets where torchcodec cannot be loaded."""

import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from pyannote_pix2seq import decoder
from pyannote_pix2seq.decoder import Decoder, install

RATE = 22050


@pytest.fixture(params=["wav", "flac", "ogg"])
def recording(request, tmp_path):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (2 * RATE, 2)).astype(np.float32)
    path = tmp_path / f"stereo.{request.param}"
    soundfile.write(path, samples, RATE)
    return path


def test_parts_are_parts_of_the_whole(recording):
    decoded = Decoder(recording)
    whole = decoded.get_all_samples()
    assert whole.data.shape == (2, 2 * RATE) and whole.data.dtype == torch.float32 and whole.sample_rate == RATE
    assert decoded.metadata.sample_rate == RATE and decoded.metadata.num_channels == 2
    assert decoded.metadata.duration_seconds_from_header == 2.0
    part = decoded.get_samples_played_in_range(0.5, 1.5)
    torch.testing.assert_close(part.data, whole.data[:, RATE // 2 : RATE // 2 + RATE], atol=2e-3, rtol=0)
    assert decoded.get_samples_played_in_range(1.5, 9.0).data.shape == (2, RATE // 2)
    assert decoded.get_samples_played_in_range(5.0, 9.0).data.shape == (2, 0)


def test_open_files_are_read_from_their_start(recording):
    stream = io.BytesIO(recording.read_bytes())
    stream.read(10)
    assert Decoder(stream).get_all_samples().data.shape == (2, 2 * RATE)


def test_what_is_no_audio(tmp_path):
    (tmp_path / "notes.wav").write_text("no audio")
    with pytest.raises(ValueError, match=r"notes\.wav: cannot be decoded without FFmpeg .*install FFmpeg"):
        Decoder(tmp_path / "notes.wav")


def test_it_is_given_only_where_there_is_none(monkeypatch):
    theirs = SimpleNamespace(TORCHCODEC_AVAILABLE=True, AudioDecoder="torchcodec")
    monkeypatch.setitem(sys.modules, decoder._CORE, theirs)
    install()
    assert theirs.AudioDecoder == "torchcodec"
    theirs.TORCHCODEC_AVAILABLE = False
    install()
    assert theirs.AudioDecoder is Decoder and theirs.TORCHCODEC_AVAILABLE
    monkeypatch.delitem(sys.modules, decoder._CORE)
    install()


@pytest.mark.filterwarnings("ignore")
def test_pyannote_audio_reads_files_with_it(recording, monkeypatch):
    from pyannote.audio.core import io as core
    from pyannote.core import Segment

    for name in ("AudioDecoder", "AudioSamples", "AudioStreamMetadata"):
        monkeypatch.setattr(core, name, None, raising=False)
    monkeypatch.setattr(core, "TORCHCODEC_AVAILABLE", False)
    install()
    audio = core.Audio(sample_rate=16000, mono="downmix")
    assert audio.get_duration(recording) == 2.0
    assert audio(recording)[0].shape == (1, 32000)
    assert audio.crop(recording, Segment(0.5, 1.5))[0].shape == (1, 16000)
    assert audio.crop(recording, Segment(1.5, 2.5), mode="pad")[0].shape == (1, 16000)
