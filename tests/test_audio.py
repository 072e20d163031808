"""Laws of `pyannote_pix2seq.audio`."""

import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from pyannote.core import Segment
from pyannote.database import ProtocolFile

from pyannote_pix2seq.audio import SAMPLE_RATE, mixed, open_audio, rechunk, resample
from pyannote_pix2seq.files import audio_paths

FORMATS = {  # suffix: format, subtype, sample rates
    "wav": ("WAV", "PCM_16", (8000, 16000, 44100, 48000)),
    "flac": ("FLAC", "PCM_16", (8000, 16000, 44100, 48000)),
    "ogg": ("OGG", "VORBIS", (8000, 16000, 44100, 48000)),
    "opus": ("OGG", "OPUS", (8000, 16000, 48000)),
    "mp3": ("MP3", "MPEG_LAYER_III", (8000, 16000, 44100, 48000)),
}
CASES = [(suffix, rate) for suffix, (_, _, rates) in FORMATS.items() for rate in rates]
assert len(CASES) == 19


def tone(rate, seconds=2.0, frequency=440.0, amplitude=0.5):
    return (amplitude * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


def write(path, samples, rate, suffix=None):
    format, subtype, _ = FORMATS[suffix or path.suffix[1:]]
    soundfile.write(path, samples, rate, format=format, subtype=subtype)
    return path


def level(samples, frequency=440.0):
    """Amplitude of a tone in samples at 16 kHz."""
    wave = np.exp(-2j * np.pi * frequency * np.arange(len(samples)) / SAMPLE_RATE)
    return 2 * abs(np.mean(samples * wave))


@pytest.mark.parametrize("num_channels", [1, 2])
@pytest.mark.parametrize(("suffix", "rate"), CASES)
def test_every_format_and_rate_becomes_16_khz_mono(tmp_path, suffix, rate, num_channels):
    samples = np.stack([tone(rate)] * num_channels, axis=1)
    recording = open_audio(write(tmp_path / f"call.{suffix}", samples, rate))
    read = recording.read()
    assert read.dtype == np.float32 and read.ndim == 1
    assert abs(len(read) - 2 * SAMPLE_RATE) <= 1
    assert len(read) == recording.num_samples
    assert recording.uri == "call"
    assert level(read[4000:-4000]) == pytest.approx(0.5, abs=0.04)  # MP3 loses a little


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"])
def test_every_sample_width_reads_the_same_sound(tmp_path, subtype):
    soundfile.write(tmp_path / "a.wav", tone(SAMPLE_RATE), SAMPLE_RATE, subtype=subtype)
    np.testing.assert_allclose(open_audio(tmp_path / "a.wav").read(), tone(SAMPLE_RATE), atol=0.02)


@given(st.lists(st.integers(1, 3000), max_size=20), st.integers(1, 5000))
def test_rechunk_keeps_every_sample(sizes, num_samples):
    whole = np.arange(sum(sizes), dtype=np.float32)
    blocks = list(rechunk(np.split(whole, np.cumsum(sizes)), num_samples))
    assert all(len(block) == num_samples for block in blocks[:-1])
    assert not blocks or 0 < len(blocks[-1]) <= num_samples
    np.testing.assert_array_equal(np.concatenate([np.zeros(0), *blocks]), whole)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000])
def test_block_size_changes_nothing(tmp_path, rate):
    noise = np.random.default_rng(0).standard_normal(rate * 5 + 17).astype(np.float32) * 0.1
    recording = open_audio(write(tmp_path / "a.flac", noise, rate))
    whole = recording.read()
    for size in (160, 1000, 123_457):
        np.testing.assert_array_equal(np.concatenate(list(recording.blocks(size))), whole)
    for cut in (1, 999, 70_000):  # nor does the cut of what comes in
        short = noise[: rate // 2]
        pieces = list(resample(np.split(short, range(cut, len(short), cut)), rate))
        np.testing.assert_array_equal(np.concatenate(pieces), np.concatenate(list(resample([short], rate))))


@given(st.integers(0, 3000), st.sampled_from([8000, 11025, 16000, 22050, 44100, 96000]))
def test_number_of_samples_is_known_in_advance(num_samples, rate):
    recording = open_audio({"waveform": np.zeros((1, num_samples), np.float32), "sample_rate": rate})
    assert len(recording.read()) == recording.num_samples
    assert (recording.num_samples == 0) == (num_samples == 0)


def test_every_kind_of_source_reads_the_same_samples(tmp_path):
    path = write(tmp_path / "a.wav", tone(SAMPLE_RATE), SAMPLE_RATE)
    expected = open_audio(path).read()
    waveform = torch.from_numpy(expected)[None]
    sources = [
        str(path),
        {"audio": path},
        {"audio": path.open("rb")},
        {"audio": (path, Segment(0, 2))},
        io.BytesIO(path.read_bytes()),
        {"waveform": waveform, "sample_rate": SAMPLE_RATE},
        {"waveform": waveform.numpy(), "sample_rate": SAMPLE_RATE},
        ProtocolFile({"uri": "a", "audio": path}),
    ]
    for source in sources:
        recording = open_audio(source)
        np.testing.assert_array_equal(recording.read(), expected)
        np.testing.assert_array_equal(recording.read(), expected)  # and again
    part = open_audio((path, Segment(0.5, 1.25)))
    np.testing.assert_array_equal(part.read(), expected[8000:20000])
    assert part.num_samples == 12000


def test_channels_are_averaged_or_chosen(tmp_path):
    left, right = tone(SAMPLE_RATE), tone(SAMPLE_RATE, frequency=1000.0)
    path = write(tmp_path / "a.wav", np.stack([left, right], axis=1), SAMPLE_RATE)
    for source in ({"audio": path}, {"waveform": np.stack([left, right]), "sample_rate": SAMPLE_RATE}):
        np.testing.assert_allclose(open_audio(source).read(), (left + right) / 2, atol=1e-4)
        np.testing.assert_allclose(open_audio({**source, "channel": 1}).read(), right, atol=1e-4)
        with pytest.raises(ValueError, match="no channel 2; its channels are 0 to 1"):
            open_audio({**source, "channel": 2})


@pytest.mark.parametrize("num_samples", [0, 1, 800])
def test_very_short_audio_is_fine(tmp_path, num_samples):
    path = write(tmp_path / "a.wav", np.zeros(num_samples), SAMPLE_RATE)
    assert open_audio(path).read().shape == (num_samples,)


def test_what_is_not_audio_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.wav: there is no such file"):
        open_audio(tmp_path / "nothing.wav")
    with pytest.raises(ValueError, match="is a folder"):
        open_audio(tmp_path)
    for suffix in ("wav", "mp3", "flac"):
        empty, text = tmp_path / f"empty.{suffix}", tmp_path / f"text.{suffix}"
        empty.touch()
        text.write_text("these are words, not sound\n" * 100)
        with pytest.raises(ValueError, match=f"empty.{suffix}: the file is empty"):
            open_audio(empty)
        with pytest.raises(ValueError, match=f"text.{suffix}: cannot be read as WAV, FLAC"):
            open_audio(text)
    with pytest.raises(ValueError, match="'audio' or 'waveform'; got 'uri'"):
        open_audio({"uri": "a"})
    with pytest.raises(ValueError, match="path, a file object or a mapping; got int"):
        open_audio(3)
    (tmp_path / "a.raw").write_bytes(bytes(800))
    with pytest.raises(ValueError, match="a.raw: cannot be read as WAV.*no header"):
        open_audio(tmp_path / "a.raw")
    with pytest.raises(ValueError, match="a part of a file is .path, Segment"):
        open_audio(("a.wav", 3, 9))


def test_a_part_may_be_open_ended(tmp_path):
    path = write(tmp_path / "a.wav", tone(SAMPLE_RATE), SAMPLE_RATE)
    rest = open_audio((path, Segment(0.5, float("inf")))).read()
    np.testing.assert_array_equal(rest, open_audio(path).read()[SAMPLE_RATE // 2 :])


@pytest.mark.parametrize("span", [(2.0, 3.0), (100.0, 200.0), (-2.0, 0.0)])
def test_a_part_outside_of_its_file_is_told(tmp_path, span):
    path = write(tmp_path / "a.wav", tone(SAMPLE_RATE), SAMPLE_RATE)
    with pytest.raises(ValueError, match=r"a.wav: there is nothing from .* s; it lasts 2.00 s"):
        open_audio((path, Segment(*span)))
    write(path, np.zeros(0), SAMPLE_RATE)
    assert open_audio((path, Segment(*span))).num_samples == 0  # nobody speaks in it anyway


def test_short_blocks_the_wrong_way_round_are_refused():
    with pytest.raises(ValueError, match="not the other way round"):
        list(mixed([np.zeros((16, 1), np.float32)] * 3, "stream"))


def test_a_waveform_needs_a_channel():
    with pytest.raises(ValueError, match=r"'waveform' has no channels; got shape \(0, 100\)"):
        open_audio({"waveform": np.zeros((0, 100)), "sample_rate": SAMPLE_RATE})


@pytest.mark.parametrize("suffix", list(FORMATS))
def test_truncated_files_are_refused(tmp_path, suffix):
    noise = np.random.default_rng(0).standard_normal(SAMPLE_RATE * 20).astype(np.float32) * 0.1
    path = write(tmp_path / f"a.{suffix}", noise, SAMPLE_RATE)
    content = path.read_bytes()
    for part in (0.3, 0.7, 0.95):
        path.write_bytes(content[: round(len(content) * part)])
        with pytest.raises(ValueError, match=f"a.{suffix}: (truncated or damaged|cannot be read)"):
            open_audio(path).read()


def test_a_wav_written_to_a_pipe_has_no_length_and_is_read_whole(tmp_path):
    path = write(tmp_path / "a.wav", tone(SAMPLE_RATE), SAMPLE_RATE)
    content = bytearray(path.read_bytes())
    for size in (0xFFFFFFFF, 0x7FFFFFFF):
        content[40:44] = size.to_bytes(4, "little")
        path.write_bytes(content)
        assert len(open_audio(path).read()) == 2 * SAMPLE_RATE
    content[40:44] = bytes(4)  # a recorder that was killed
    path.write_bytes(content)
    with pytest.raises(ValueError, match="never completed"):
        open_audio(path)


def test_a_wav_that_holds_more_than_its_header_tells_is_refused(tmp_path):
    path = write(tmp_path / "a.wav", tone(SAMPLE_RATE), SAMPLE_RATE)
    content = bytearray(path.read_bytes())
    path.write_bytes(content + bytes(range(200)))  # what a writer left behind the sound
    assert len(open_audio(path).read()) == 2 * SAMPLE_RATE
    content[40:44] = SAMPLE_RATE.to_bytes(4, "little")  # half a second: a recorder died later, or 4 GiB were passed
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a.wav: its header tells of 0.50 s, but there are 2.00 s; ffmpeg -ignore_"):
        open_audio(path)


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(ValueError, match=r"pipe.wav: is no regular file, and audio is read more than once"):
        open_audio(tmp_path / "pipe.wav")


def test_a_flac_written_to_a_pipe_has_no_length_and_is_refused(tmp_path):
    path = write(tmp_path / "a.flac", tone(SAMPLE_RATE), SAMPLE_RATE)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # four bytes and a half of STREAMINFO, which begins at the eighth: the number of samples
    content[22:26] = bytes(4)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.flac: its header does not tell how long it is"):
        open_audio(path)


ID3 = b"ID3\x03\0\0\0\0\x10\0" + b"\xff" * 2048  # a tag, full of what might be frames


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_mp3_files_joined_end_to_end_are_refused(tmp_path, rate, mode):
    rng = np.random.default_rng(0)
    noise = np.repeat(rng.random(8) < 0.5, rate // 2) * rng.standard_normal(rate // 2 * 8) / 10
    path = tmp_path / "a.mp3"
    soundfile.write(path, noise, rate, bitrate_mode=mode, compression_level=0.5)
    content = path.read_bytes()
    for whole in (content, ID3 + content, content + b"TAG" + bytes(125)):
        path.write_bytes(whole)
        assert open_audio(path).duration == pytest.approx(4, abs=0.1)
    for joined in (content + content, content + ID3 + content, content + b"no frame \xff\xfb" + content):
        path.write_bytes(joined)
        with pytest.raises(ValueError, match=r"a\.mp3: its header tells of 4\.00 s, but there are 8\.[0-9]+ s"):
            open_audio(path)


@pytest.mark.parametrize("suffix", ["ogg", "opus", "flac"])
def test_other_files_joined_end_to_end_are_refused_too(tmp_path, suffix):
    """The sound library reads the first and says nothing."""
    path = tmp_path / f"a.{suffix}"
    noise = np.random.default_rng(0).standard_normal(70 * 16000).astype(np.float32) / 10
    contents = [write(path, noise[:length], 16000).read_bytes() for length in (32000, len(noise))]
    assert len(contents[1]) > 1 << 17
    for joined in (contents, contents[::-1], contents[:1] * 2):
        path.write_bytes(b"".join(joined))
        with pytest.raises(ValueError, match=f"a.{suffix}: files joined end to end, of which only the first would be"):
            open_audio(path)


def test_a_long_cover_does_not_hide_that_an_mp3_is_cut(tmp_path):
    path = write(tmp_path / "a.mp3", tone(16000, 20.0), 16000)
    length = 1 << 21
    tag = b"ID3\x03\0\0" + bytes(length >> 7 * (3 - i) & 127 for i in range(4)) + bytes(length)
    content = tag + path.read_bytes()
    path.write_bytes(content)
    assert open_audio(path).duration == pytest.approx(20, abs=0.1)
    path.write_bytes(content[: length + (len(content) - length) // 2])
    with pytest.raises(ValueError, match="truncated or damaged"):
        open_audio(path).read()


@pytest.mark.parametrize("suffix", FORMATS)
def test_readers_of_one_open_file_do_not_disturb_each_other(tmp_path, suffix):
    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((2, 30 * 16000)).astype(np.float32) / 10
    path = write(tmp_path / f"a.{suffix}", np.stack([left, right], 1), 16000)
    expected = [open_audio({"audio": path, "channel": channel}).read() for channel in (0, 1)]
    with path.open("rb") as file:
        readers = [open_audio({"audio": file, "channel": channel}).blocks(3 * SAMPLE_RATE) for channel in (0, 1)]
        pairs = list(zip(*readers, strict=True))
    for channel, whole in enumerate(expected):
        np.testing.assert_array_equal(np.concatenate([pair[channel] for pair in pairs]), whole)


def test_what_a_folder_has_in_any_readable_format_is_audio():
    names = ["a.wav", "b.WAVE", "c.oga", "d.aif", "e.aifc", "f.Opus"]
    assert audio_paths(map(Path, [*names, "._a.wav", "a.rttm", "a.txt"])) == [Path(name) for name in names]


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are Unicode elsewhere")
def test_names_need_not_be_unicode(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path / "caf") + b"\xe9.wav"))
    samples = open_audio(write(tmp_path / "a.wav", tone(SAMPLE_RATE), SAMPLE_RATE).rename(path)).read()
    np.testing.assert_allclose(samples, tone(SAMPLE_RATE), atol=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_bad_second_is_named(tmp_path, bad):
    for rate in (8000, 16000):
        samples = tone(rate, seconds=12.0)
        samples[rate * 7 + rate // 2 :: 100] = bad
        soundfile.write(tmp_path / "a.wav", samples, rate, subtype="FLOAT")
        for source in (tmp_path / "a.wav", {"waveform": samples[None], "sample_rate": rate, "uri": "a.wav"}):
            with pytest.raises(ValueError, match=r"a.wav: the sample at 7.500 s is not a finite number"):
                open_audio(source).read()


def test_what_is_far_beyond_full_scale_is_refused():
    samples = np.zeros((1, 16000), np.float32)
    samples[0, 8000] = -32768  # an integer that was made a float
    with pytest.raises(ValueError, match=r"call: the sample at 0.500 s is -32768, but full scale is 1"):
        open_audio({"waveform": samples, "sample_rate": 16000, "uri": "call"}).read()


def test_numbers_of_any_precision_are_audio():
    samples = torch.linspace(-0.5, 0.5, 400, dtype=torch.bfloat16)[None]
    read = open_audio({"waveform": samples, "sample_rate": 16000}).read()
    np.testing.assert_array_equal(read, samples[0].float().numpy())


@pytest.mark.parametrize("wrong", [{"sample_rate": "16000"}, {"sample_rate": np.inf}, {"channel": "0"}])
def test_what_is_no_number_is_told(wrong):
    with pytest.raises(ValueError, match="sample_rate|channel"):
        open_audio({"waveform": np.zeros((1, 5)), "sample_rate": 16000, **wrong})


def test_waveforms_are_checked():
    with pytest.raises(ValueError, match=r"\(channel, sample\); got shape \(5,\)"):
        open_audio({"waveform": np.zeros(5), "sample_rate": 16000})
    with pytest.raises(ValueError, match="the sample_rate must be a whole number of Hz; got None"):
        open_audio({"waveform": np.zeros((1, 5))})
    with pytest.raises(ValueError, match="floating point"):
        open_audio({"waveform": np.zeros((1, 5), np.int16), "sample_rate": 16000})
    with pytest.raises(ValueError, match="part of a file"):
        open_audio(("a.wav", 3.0))
