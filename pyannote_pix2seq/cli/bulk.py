"""`pyannote-pix2seq bulk`."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import Device, Folder, MaxSpeakers, MinSpeakers, NumSpeakers, Speakers, clips, load, one_line
from .quiet import quiet_decoders


def bulk(
    inputs: Annotated[
        list[str], typer.Argument(help="Audio files, folders of them, patterns, or lists (.lst) of one path a line.")
    ],
    into: Annotated[Path, typer.Option(help="Folder for an RTTM and a JSON file of each.")],
    num_speakers: NumSpeakers = None,
    min_speakers: MinSpeakers = None,
    max_speakers: MaxSpeakers = None,
    speaker: Speakers = None,
    device: Device = "auto",
    pipeline: Folder = None,
) -> None:
    """Diarize many files, several at once.

    A run that was stopped goes on where it was: files with an RTTM are left out. Files that cannot be read are
    reported, and the others go on.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Table

    from ..bulk import bulk as diarized
    from ..bulk import find
    from ..files import check_writable

    options = {"num_speakers": num_speakers, "min_speakers": min_speakers, "max_speakers": max_speakers}
    known = clips(speaker)
    files = find(inputs)
    check_writable(into)  # complain before anything slow is done
    loaded = load(pipeline, device)
    console = Console(stderr=True)
    columns = (TextColumn("files"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    there, failed = 0, 0
    audio: dict[str, int] = {}  # seconds read of each file
    started = time.monotonic()
    with quiet_decoders(), Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("files", total=len(files))

        def hook(*_: Any, file: Mapping[str, Any], completed: int, **__: Any) -> None:
            audio[file["uri"]] = completed

        for _, result in diarized(loaded, files, into, **options, speakers=known, hook=hook):
            there += result is None
            if isinstance(result, Exception):
                failed += 1
                print(f"error: {one_line(result)}", file=sys.stderr)
            progress.advance(task)
    seconds = time.monotonic() - started
    table = Table(
        "diarized", "there already", "failed", "audio", "real time", title=escape(str(into)), title_justify="left"
    )
    numbers = (len(files) - there - failed, there, failed, f"{sum(audio.values()) / 3600:.2f} h")
    table.add_row(*map(str, numbers), f"{sum(audio.values()) / seconds:.0f} x")
    Console().print(table)
    if failed:
        raise typer.Exit(1)
