"""Where things that can be made again are kept."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

VARIABLE = "PYANNOTE_PIX2SEQ_CACHE"


def cache_folder(name: str) -> Path:
    """Folder `name` of the cache: below `$PYANNOTE_PIX2SEQ_CACHE`, else in the user's cache folder."""
    chosen = os.environ.get(VARIABLE)
    return (Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("pyannote_pix2seq")) / name


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path`, which takes its place when all went well: readers never see half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
