"""Files: never seen half-written, and looked for where a protocol says."""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import yaml
from pyannote.database import FileFinder, registry

# of audio that is read, and of other audio
SUFFIXES = frozenset(".wav .wave .flac .ogg .oga .opus .mp3 .aiff .aif .aifc .au .caf .w64".split())
CONVERTIBLE = frozenset(".m4a .aac .mp4 .wma .webm .mkv".split())


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path`, which takes its place when all went well: readers never see half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".", suffix=path.suffix, dir=path.parent)  # no longer than the name may be
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(stat.S_IMODE(path.stat().st_mode) if path.exists() else permitted(0o666))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def permitted(mode: int) -> int:
    """What the process leaves of a mode when it makes a file or a folder: temporary ones are for their owner alone."""
    mask = os.umask(0)
    os.umask(mask)
    return mode & ~mask


def walk(folder: Path) -> Iterator[Path]:
    """Files below a folder, at any depth, in order; links are followed, and what is hidden is left out."""
    seen = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(parent)) in seen:  # a link to a folder above
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def check_writable(folder: Path) -> None:
    """Make a folder where there is none, and raise an OSError if no file can be written to it."""
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{folder}: no file can be written to this folder.")


def passing(name: str) -> Path:
    """Where a file of this name can be kept until the process ends: a folder of its own."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder, name)


def audio_paths(paths: Iterable[Path]) -> list[Path]:
    """Those of some paths that end as audio does, sorted, without hidden ones, such as the "._x.wav" of macOS.

    Of audio that has to be converted first there is a warning, where it was not.
    """
    shown = [path for path in paths if path.name[0] != "."]
    found = sorted(path for path in shown if path.suffix.lower() in SUFFIXES)
    names = {path.with_suffix("") for path in found}
    left = sorted(path for path in shown if path.suffix.lower() in CONVERTIBLE and path.with_suffix("") not in names)
    if left:
        told = f"left out, since FFmpeg has to convert them first: {len(left)} files, such as {left[0]}."
        warnings.warn(told, stacklevel=3)
    return found


@contextmanager
def reading_text(path: Path) -> Iterator[TextIO]:
    """A table or a list: in UTF-8, with or without the byte order mark that spreadsheets put before it.

    Raises
    ------
    ValueError
        If it is in another encoding; the message names the file.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            yield file
    except UnicodeDecodeError as error:
        raise ValueError(f"{str(path)!r} is not in UTF-8 ({error}); save it as such.") from None


def read_yaml(path: Path) -> Any:
    """Content of a YAML file; raises ValueError, which names the file, when it is none."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: is no yaml file: {error}") from None


@contextmanager
def writing_text(path: Path) -> Iterator[TextIO]:
    """What `reading_text` reads, whole or not at all; names of files that are not Unicode stay recognisable."""
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        yield file


def find_audio(file: Mapping[str, Any]) -> Any:
    """Path of a file's audio: the protocol's own, if it has one.

    Raises
    ------
    ValueError
        If nothing says where it is.
    FileNotFoundError
        If it is not there.
    """
    # looked for only where it is missing: looking makes protocols of mixtures render all of their files
    if audio := file.get("audio"):
        return audio
    if (database := file["database"]) not in registry.sources:
        raise ValueError(
            f"{file['uri']}: nothing says where the audio of {database} is; "
            f"add `Databases: {{{database}: path/to/{{uri}}.wav}}` to its database.yml."
        )
    return FileFinder()(file)


def size_of(audio: str | Path | BinaryIO) -> int:
    """Bytes of a file; the position of an open one is moved."""
    if isinstance(audio, (str, Path)):
        return Path(audio).stat().st_size
    return audio.seek(0, 2)


def bytes_of(audio: str | Path | BinaryIO, start: int, count: int) -> bytes:
    """A part of a file; the position of an open one is kept."""
    if isinstance(audio, (str, Path)):
        with open(audio, "rb") as file:
            file.seek(start)
            return file.read(count)
    position = audio.tell()
    audio.seek(start)
    content = audio.read(count)
    audio.seek(position)
    return content
