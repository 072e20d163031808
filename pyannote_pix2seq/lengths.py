"""How long audio files are, and whether they are as long as they say.

The sound library reads as much as the header promises or as much as there is, whichever is less, and says nothing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

import soundfile

from .files import bytes_of, size_of

Audio = str | Path | BinaryIO

# in libsndfile's log of a header: more bytes promised than there are, and where something follows that is no chunk
_CUT = re.compile(r"^ *(?:data|SSND|Data Size) *: (\d+) \(should be (\d+)\)", re.MULTILINE)
_NO_CHUNK = re.compile(r"Unknown chunk marker \(\w+\) at position (\d+)")
_OPEN_ENDED = 0x7FFFF000  # writers to a pipe put a size at or above this when they cannot know it
_UNKNOWN = 1 << 62  # frames: at least so many are promised by the sound library when the header does not tell

# of MPEG audio, Layer III (ISO/IEC 11172-3, 2.4.2.3; 13818-3): by version, 0 to 3 (2.5, none, 2, 1), and index
_LOW = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)  # kbit/s
_BITRATES = (_LOW, (), _LOW, (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320))
_RATES = ((11025, 12000, 8000), (), (22050, 24000, 16000), (44100, 48000, 32000))  # Hz
_SAMPLES = (576, 0, 576, 1152)  # in a frame
_TAGS = (b"ID3", b"TAG", b"APE", b"LYR")  # what may come behind a frame, other than a frame
_WINDOW = 1 << 20  # bytes read at a time
# the first page of a stream, with the beginning of Vorbis or Opus (RFC 3533, 6; RFC 7845, 5.1); STREAMINFO (RFC 9639)
_BEGINNINGS = {
    "OGG": re.compile(rb"OggS\x00[\x02\x03\x06\x07].{20}\x01.(?:\x01vorbis|OpusHead)", re.DOTALL),
    "FLAC": re.compile(rb"fLaC[\x00\x80]\x00\x00\x22"),
}


def damaged(name: str, seconds: float, reason: str) -> ValueError:
    return ValueError(f"{name}: truncated or damaged: it ends after {seconds:.2f} s ({reason.rstrip('.')}).")


def promises_length(audio: Audio, file: soundfile.SoundFile) -> bool:
    """Whether the number of frames was written by the encoder, not estimated from the size of the file."""
    if file.format != "MP3":
        return True
    first = 0
    while tag := _tag_length(bytes_of(audio, first, 10)):  # pictures of covers may be long
        first += tag
    return any(word in bytes_of(audio, first, 1 << 12) for word in (b"Xing", b"Info", b"VBRI"))


def check_complete(audio: Audio, name: str, file: soundfile.SoundFile) -> None:
    """Raise a ValueError where the sound library would silently read a part of a file, or of what it was."""
    seconds = file.frames / file.samplerate
    for written, there in _CUT.findall(file.extra_info):
        if int(there) < int(written) < _OPEN_ENDED:
            raise damaged(name, seconds, f"{int(written) - int(there)} bytes are missing")
    if "does not match value from 'ds64' chunk" in file.extra_info:
        raise damaged(name, seconds, "shorter than its header says")
    if file.format in ("WAV", "WAVEX") and (behind := _NO_CHUNK.search(file.extra_info)):
        if not file.frames:
            raise damaged(name, 0.0, "its header was never completed: it says 0 samples")
        there = seconds * size_of(audio) / int(behind[1])  # as many bytes a second as before
        if there > seconds + 0.5:  # less is what some writers leave behind the sound
            mend = "ffmpeg -ignore_length 1 -i reads it all"
            raise ValueError(f"{name}: its header tells of {seconds:.2f} s, but there are {there:.2f} s; {mend}.")
    if file.format == "OGG":
        size = size_of(audio)
        tail = bytes_of(audio, max(size - (1 << 17), 0), 1 << 17)  # an Ogg page has at most 65,307 bytes
        page = tail.rfind(b"OggS")
        header = tail[page : page + 27]
        sizes = tail[page + 27 : page + 27 + header[26]] if len(header) == 27 else b""
        if len(header) < 27 or len(sizes) < header[26] or page + 27 + len(sizes) + sum(sizes) > len(tail):
            raise damaged(name, seconds, "its last Ogg page is cut")
    mend = "ffmpeg can write it anew, to a file"
    if file.format in _BEGINNINGS and _beginnings(audio, _BEGINNINGS[file.format]) > 1:
        raise ValueError(f"{name}: files joined end to end, of which only the first would be read; {mend}.")
    if file.frames >= _UNKNOWN:
        raise ValueError(f"{name}: its header does not tell how long it is, as of FLAC written to a pipe; {mend}.")
    # files joined end to end, and bitrates that vary without a table; a frame or some are padding
    if file.format == "MP3" and (there := _mp3_seconds(audio)) > seconds + 0.5:
        raise ValueError(f"{name}: its header tells of {seconds:.2f} s, but there are {there:.2f} s; {mend}.")


def _beginnings(audio: Audio, beginning: re.Pattern[bytes]) -> int:
    """How often a file begins, from its own beginning to its end."""
    found, position, size = 0, 0, size_of(audio)
    while position < size:
        # what lies across the edge of two windows begins in the first and is whole in what is read of it
        found += sum(match.start() < _WINDOW for match in beginning.finditer(bytes_of(audio, position, _WINDOW + 64)))
        position += _WINDOW
    return found


def _tag_length(head: bytes) -> int:
    """Bytes of the ID3 tag that begins here; 0 where none does."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    return 10 + sum(byte << 7 * (3 - i) for i, byte in enumerate(head[6:10]))  # four times seven bits


def _mp3_seconds(audio: Audio) -> float:
    """Duration of all frames of MPEG audio, Layer III, that another one, a tag or the end of the file follows."""
    size, position, seconds, first, window = size_of(audio), 0, 0.0, 0, b""

    def at(place: int) -> bytes:
        nonlocal first, window
        if not first <= place <= first + len(window) - 10:
            first, window = place, bytes_of(audio, place, _WINDOW)
        return window[place - first : place - first + 10]

    while position + 4 <= size:
        head = at(position)
        if tag := _tag_length(head):
            position += tag
        elif (length := _frame_length(head)) and (
            position + length >= size or _frame_length(after := at(position + length)) or after[:3] in _TAGS
        ):
            version = head[1] >> 3 & 3
            seconds += _SAMPLES[version] / _RATES[version][head[2] >> 2 & 3]
            position += length
        else:
            at(position)
            found = window.find(b"\xff", position - first + 1)
            position = first + (found if found >= 0 else len(window))
    return seconds


def _frame_length(head: bytes) -> int:
    """Bytes of the frame that begins here; 0 where none does."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:  # synchronised, Layer III
        return 0
    version, bitrate, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or bitrate in (0, 15) or rate == 3:
        return 0
    padding = head[2] >> 1 & 1
    return _SAMPLES[version] // 8 * _BITRATES[version][bitrate] * 1000 // _RATES[version][rate] + padding
