"""Files: never seen half-written, and looked for where a protocol says."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from pyannote.database import FileFinder, registry


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path`, which takes its place when all went well: readers never see half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".", suffix=path.suffix, dir=path.parent)  # no longer than the name may be
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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
