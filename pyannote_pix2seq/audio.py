"""Read any audio file as 16 kHz mono float32, block by block, without FFmpeg and without loading it whole."""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
import soxr
from pyannote.core import Segment

from .files import CONVERTIBLE
from .lengths import check_complete, damaged, promises_length

SAMPLE_RATE = 16000  # Hz
READABLE = "WAV, FLAC, OGG, Opus, MP3, AIFF, AU, CAF or W64"

LARGEST = 100.0  # of samples: beyond are integers that were made floats without being scaled
MOST_CHANNELS = 8  # more of them than samples: (sample, channel), which would be averaged away

_READ = 1 << 16  # frames decoded at a time: 1.4 s at 44.1 kHz

Source = str | Path | BinaryIO | Mapping[str, Any] | tuple[str | Path, Segment]


class Recording:
    """Audio that can be read again and again as consecutive blocks of 16 kHz mono samples.

    Made by `open_audio`.

    Attributes
    ----------
    name : str
        What error messages call it.
    uri : str
        Name of the recording in annotations.
    num_samples : int
        Number of samples at 16 kHz, as the header has it. (The header of an MP3 file may only estimate it.)
    """

    def __init__(self, name: str, uri: str, num_samples: int, native: Callable[[], Iterator[np.ndarray]], rate: int):
        self.name = name
        self.uri = uri
        self.num_samples = num_samples
        self._native = native
        self._rate = rate

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.num_samples / SAMPLE_RATE

    def blocks(self, num_samples: int = 10 * SAMPLE_RATE) -> Iterator[np.ndarray]:
        """Consecutive blocks of `num_samples` samples, the last one shorter.

        Returns
        -------
        blocks : iterator of (sample,) float32 array
            The same samples whatever the size of the blocks.

        Raises
        ------
        ValueError
            If a sample is not a finite number, or the file ends before its header says so.
        """
        return rechunk(resample(self._native(), self._rate, self.name), num_samples)

    def read(self) -> np.ndarray:
        """All samples: (sample,) float32."""
        return _join(list(self.blocks()))


def open_audio(source: Source) -> Recording:
    """Open audio of any supported kind.

    Parameters
    ----------
    source : path, file object, mapping or (path, Segment)
        A mapping has `audio` (a path, a file object open for reading bytes, or a part of a file) or `waveform`,
        (channel, sample), with `sample_rate`, in Hz; and may have `uri`, and `channel` (from 0) to read one channel
        instead of the mean of all. `(path, Segment)` is a part of a file, in seconds; its own time starts at 0.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not audio, or damaged; the message names the file and the reason.
    """
    if isinstance(source, tuple):
        return _open_part(source)
    if not isinstance(source, Mapping):
        source = {"audio": source}
    if "waveform" in source:
        return _open_waveform(source)
    if "audio" not in source:
        raise ValueError(f"audio needs the key 'audio' or 'waveform'; got {', '.join(map(repr, source)) or 'no key'}.")
    if isinstance(source["audio"], tuple):
        return _open_part(source["audio"], source)
    return _open_file(source)


def mixed(blocks: Iterable[np.ndarray], name: str) -> Iterator[np.ndarray]:
    """(sample,) or (channel, sample) blocks to mono ones, the mean of all channels.

    Raises
    ------
    ValueError
        If they are not floating point, or (sample, channel).
    """
    for block in blocks:
        block = np.atleast_2d(block)
        _check_samples(block, f"{name}: blocks")
        yield block.mean(axis=0)


def resample(blocks: Iterable[np.ndarray], rate: int, name: str = "audio") -> Iterator[np.ndarray]:
    """Mono blocks at any sample rate to 16 kHz; the result does not depend on how the input is cut.

    Parameters
    ----------
    blocks : iterable of (sample,) float array
    rate : int
        Sample rate of the blocks, in Hz.
    name : str
        What error messages call the audio.

    Raises
    ------
    ValueError
        If a sample is NaN, infinite or absurdly large: the message names the first bad second.
    """
    stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32") if rate != SAMPLE_RATE else None
    num_in = num_out = 0
    for block in blocks:
        block = np.ascontiguousarray(block, dtype=np.float32)
        usable = np.abs(block) < LARGEST
        if not usable.all():
            first = int(np.argmin(usable))
            what = (
                f"{block[first]:g}, but full scale is 1"
                if np.isfinite(block[first])
                else "not a finite number (NaN or infinite)"
            )
            raise ValueError(f"{name}: the sample at {(num_in + first) / rate:.3f} s is {what}.")
        num_in += len(block)
        block = stream.resample_chunk(block) if stream else block
        num_out += len(block)
        yield block
    if stream:
        # the resampler rounds the total its own way: up to one sample more or less than we promise
        tail = stream.resample_chunk(np.zeros(0, np.float32), last=True)
        missing = resampled_length(num_in, rate) - num_out
        yield np.pad(tail, (0, max(missing - len(tail), 0)))[: max(missing, 0)]


def whole_rate(rate: Any, name: str) -> int:
    """A sample rate that a user gave, in Hz.

    Raises
    ------
    ValueError
        If it is not a whole number above 0.
    """
    if not isinstance(rate, int | float | np.number) or not 0 < rate < math.inf or rate != int(rate):
        raise ValueError(f"{name}: the sample_rate must be a whole number of Hz; got {rate!r}.")
    return int(rate)


def resampled_length(num_samples: int, rate: int) -> int:
    """Number of 16 kHz samples that `num_samples` samples at another rate become (rounded up: audio never vanishes)."""
    return -(-num_samples * SAMPLE_RATE // rate)


def rechunk(blocks: Iterable[np.ndarray], num_samples: int) -> Iterator[np.ndarray]:
    """Cut a stream of blocks anew, into blocks of `num_samples`; the last one may be shorter, none is empty."""
    kept: list[np.ndarray] = []
    size = 0
    for block in blocks:
        kept.append(block)
        size += len(block)
        if size >= num_samples:
            whole = _join(kept)
            for start in range(0, size - num_samples + 1, num_samples):
                yield whole[start : start + num_samples]
            # a copy, lest a short rest keeps a long block alive
            kept, size = [whole[size - size % num_samples :].copy()], size % num_samples
    if size:
        yield _join(kept)


def _join(blocks: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def _open_part(source: tuple, more: Mapping[str, Any] | None = None) -> Recording:
    """Part of a file. Read from the file's start, so that the samples are those of the whole file."""
    if len(source) != 2 or not isinstance(source[1], Segment):
        raise ValueError(f"a part of a file is (path, Segment(start, end)); got {source!r}.")
    path, segment = source
    whole = open_audio({**more, "audio": path} if more else path)
    if whole.num_samples and (segment.start >= whole.duration or segment.end <= 0):
        raise ValueError(
            f"{whole.name}: there is nothing from {segment.start:g} to {segment.end:g} s; it lasts "
            f"{whole.duration:.2f} s."
        )
    start, end = (round(min(max(t * SAMPLE_RATE, 0), whole.num_samples)) for t in segment)

    def native() -> Iterator[np.ndarray]:
        position = 0
        for block in whole.blocks():
            yield block[max(start - position, 0) : max(end - position, 0)]
            position += len(block)
            if position >= end:
                return

    name = f"{whole.name} from {start / SAMPLE_RATE:.3f} to {end / SAMPLE_RATE:.3f} s"
    return Recording(name, whole.uri, max(end - start, 0), native, SAMPLE_RATE)


def _open_waveform(source: Mapping[str, Any]) -> Recording:
    uri = str(source.get("uri") or "waveform")
    rate = whole_rate(source.get("sample_rate"), uri)
    waveform = source["waveform"]
    if hasattr(waveform, "detach"):  # a torch tensor, named by what it does so that torch need not be imported
        waveform = waveform.detach().cpu()
        # numpy has no bfloat16
        waveform = (waveform.float() if waveform.is_floating_point() else waveform).numpy()
    waveform = np.asarray(waveform)
    if waveform.ndim != 2:
        raise ValueError(f"{uri}: 'waveform' must be (channel, sample); got shape {waveform.shape}.")
    _check_samples(waveform, f"{uri}: 'waveform'")
    mix = _mixer(uri, waveform.shape[0], source.get("channel"))

    def native() -> Iterator[np.ndarray]:
        for start in range(0, waveform.shape[1], _READ):
            yield mix(waveform[:, start : start + _READ].T)

    return Recording(uri, uri, resampled_length(waveform.shape[1], rate), native, rate)


def _open_file(source: Mapping[str, Any]) -> Recording:
    audio = source["audio"]
    if isinstance(audio, (str, Path)):
        name, stem = str(audio), Path(audio).stem
        _check_path(Path(audio))
    elif hasattr(audio, "read") and hasattr(audio, "seek"):
        stem = Path(name := str(getattr(audio, "name", "stream"))).stem
    else:
        raise ValueError(f"audio must be a path, a file object or a mapping; got {type(audio).__name__}.")

    with _sound_file(audio, name) as file:
        rate, num_frames, num_channels = file.samplerate, file.frames, file.channels
        complete = promises_length(audio, file)
        check_complete(audio, name, file)
    mix = _mixer(name, num_channels, source.get("channel"))

    def native() -> Iterator[np.ndarray]:
        num_read = 0
        shared = None if isinstance(audio, str | Path) else audio
        with _sound_file(audio, name) as file:
            place = shared.tell() if shared else 0
            while True:
                if shared:  # other readers may have moved it since
                    shared.seek(place)
                try:
                    block = file.read(_READ, dtype="float32", always_2d=True)
                except soundfile.LibsndfileError as error:
                    raise damaged(name, num_read / rate, error.error_string) from None
                if not len(block):
                    break
                place = shared.tell() if shared else 0
                num_read += len(block)
                yield mix(block)
        if complete and num_read < num_frames - rate // 10:
            raise damaged(name, num_read / rate, f"its header promises {num_frames / rate:.2f} s")

    return Recording(name, str(source.get("uri") or stem), resampled_length(num_frames, rate), native, rate)


def _check_samples(samples: np.ndarray, what: str) -> None:
    if not samples.shape[0]:
        raise ValueError(f"{what} has no channels; got shape {samples.shape}.")
    if samples.shape[0] > max(samples.shape[1], MOST_CHANNELS):
        raise ValueError(f"{what} must be (channel, sample), not the other way round; got shape {samples.shape}.")
    if not np.issubdtype(samples.dtype, np.floating):
        raise ValueError(f"{what} must be floating point, full scale at 1.0; got {samples.dtype}.")


def _mixer(name: str, num_channels: int, channel: int | None) -> Callable[[np.ndarray], np.ndarray]:
    """(sample, channel) -> (sample,): one channel, or the mean of all."""
    if channel is None:
        return lambda block: block[:, 0] if num_channels == 1 else block.mean(axis=1)
    if not isinstance(channel, int | np.integer) or not 0 <= channel < num_channels:
        raise ValueError(f"{name}: there is no channel {channel!r}; its channels are 0 to {num_channels - 1}.")
    return lambda block: block[:, channel]


def _sound_file(audio: str | Path | BinaryIO, name: str) -> soundfile.SoundFile:
    if not isinstance(audio, (str, Path)):
        audio.seek(0)
    try:
        # names of files need not be UTF-8, but soundfile would encode them so
        return soundfile.SoundFile(
            os.fsencode(audio) if isinstance(audio, str | Path) and os.name == "posix" else audio
        )
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".")
        if Path(name).suffix.lower() in CONVERTIBLE:
            reason = f"ffmpeg -i {shlex.quote(name)} {shlex.quote(Path(name).stem)}.flac converts it"
        raise ValueError(f"{name}: cannot be read as {READABLE} ({reason}).") from None
    except TypeError:  # headerless: the sound library wants to be told what is in it
        raise ValueError(f"{name}: cannot be read as {READABLE} (it has no header).") from None


def _check_path(path: Path) -> None:
    """Refuse what the sound library would report in other words, or noisily."""
    if path.is_dir():
        raise ValueError(f"{path}: is a folder, not an audio file.")
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file.")
    if not path.is_file():
        raise ValueError(f"{path}: is no regular file, and audio is read more than once: write it to a file first.")
    try:
        with path.open("rb") as file:
            head = file.read(1 << 12)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}).") from None
    if not head:
        raise ValueError(f"{path}: the file is empty.")
    # libsndfile believes the suffix .mp3, and its decoder then complains on stderr about each byte
    if path.suffix.lower() == ".mp3" and not re.search(rb"ID3|\xff[\xe0-\xff]|RIFF|OggS|fLaC", head):
        raise ValueError(f"{path}: cannot be read as {READABLE} (no MP3 frame in it).")
