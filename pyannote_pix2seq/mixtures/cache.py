"""Where things that can be made again are kept."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

VARIABLE = "PYANNOTE_PIX2SEQ_CACHE"


def cache_folder(name: str) -> Path:
    """Folder `name` of the cache: below `$PYANNOTE_PIX2SEQ_CACHE`, else in the user's cache folder."""
    chosen = os.environ.get(VARIABLE)
    return (Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("pyannote_pix2seq")) / name
