"""Keep libraries written in C from talking to the user."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Drop what C code writes to stderr (the MP3 decoder notes every frame it finds odd); Python's stderr stays."""
    try:
        number = sys.stderr.fileno()
    except (AttributeError, OSError):  # not a file: C code writes somewhere else
        yield
        return
    python_stderr = sys.stderr
    with os.fdopen(os.dup(number), "w", buffering=1, encoding=python_stderr.encoding, errors="replace") as kept:
        python_stderr.flush()
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, number)
        os.close(nothing)
        sys.stderr = kept
        try:
            yield
        finally:
            sys.stderr = python_stderr
            kept.flush()
            os.dup2(kept.fileno(), number)
