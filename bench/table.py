"""Timing and printing, shared by all measurements."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyannote.audio
from rich.console import Console
from rich.table import Table

CONSOLE = Console()
# the 30 s telephone call that pyannote.audio ships; importing `pyannote.audio.sample` would need FFmpeg to decode it
CALL = Path(pyannote.audio.__file__).parent / "sample" / "sample.wav"


def seconds(function: Callable[[], Any], repeat: int = 3) -> float:
    """Shortest of a few runs, after one to warm up."""
    function()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def show(title: str, rows: list[tuple[str, ...]], header: tuple[str, ...]) -> None:
    table = Table(*header, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    CONSOLE.print(table)
