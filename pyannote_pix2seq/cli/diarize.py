"""`pyannote-pix2seq diarize`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..diarization import rttm_name
from .options import Device, Folder, MaxSpeakers, MinSpeakers, NumSpeakers, Speakers, clips, load, one_line
from .quiet import quiet_decoders

if TYPE_CHECKING:
    from pyannote.core import Annotation
    from rich.progress import Progress

    from ..diarization import Diarization


def diarize(
    audio: Annotated[
        list[Path] | None,
        typer.Argument(help="Audio files. Without any: a 30 s call, with its error rate.", show_default=False),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(help="Folder for an RTTM and a JSON file of each AUDIO, instead of RTTM on stdout."),
    ] = None,
    num_speakers: NumSpeakers = None,
    min_speakers: MinSpeakers = None,
    max_speakers: MaxSpeakers = None,
    speaker: Speakers = None,
    device: Device = "auto",
    pipeline: Folder = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="Picture of the result (PNG, PDF or SVG); for one AUDIO."),
    ] = None,
) -> None:
    """Write down who spoke when.

    RTTM goes to stdout, or into a folder; everything else to stderr.
    """
    files = _check(audio or [], into, picture)
    options = {
        "num_speakers": num_speakers, "min_speakers": min_speakers, "max_speakers": max_speakers,
        "speakers": clips(speaker),
    }  # fmt: skip
    with quiet_decoders():
        _diarize(files, into, options, device, pipeline, picture)


def _diarize(
    files: list[Path],
    into: Path | None,
    options: dict[str, Any],
    device: str,
    pipeline: Path | None,
    picture: Path | None,
) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    loaded = load(pipeline, device)
    reference = None
    if not files:
        files, reference = _sample()
    failed = False
    seconds = TextColumn("{task.completed}/{task.total} s")
    columns = (TextColumn("{task.description}"), BarColumn(), seconds, TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        for path in files:
            try:
                diarization = loaded(path, hook=_hook(progress, path.name), **options)
                _write(diarization, path, into)
                if picture:
                    _draw(diarization, path, picture, reference)
            except (ValueError, OSError) as error:
                if len(files) == 1:
                    raise
                failed = True
                print(f"error: {one_line(error)}", file=sys.stderr)
    if reference is not None:
        _score(diarization, reference, loaded.get_metric())
    if failed:
        raise typer.Exit(1)


def _check(audio: list[Path], into: Path | None, picture: Path | None) -> list[Path]:
    """Complain before anything slow is done."""
    if picture and len(audio) > 1:
        raise ValueError(f"--picture draws one file; got {len(audio)}.")
    if picture:
        from ..report import picture_format

        picture_format(picture)
        if not picture.parent.is_dir():
            raise ValueError(f"{picture}: there is no folder {picture.parent}.")
    # the name is all that RTTM says of a file
    names = Counter(path.stem if into else rttm_name(path.stem) for path in audio)
    if twice := [name for name, count in names.items() if count > 1]:
        raise ValueError(f"files need different names; more than one is called {', '.join(twice)}.")
    if into:
        from ..bulk import THERE, own
        from ..files import check_writable

        check_writable(into)
        for path in audio:
            if there := own(path, into, path.stem):
                raise ValueError(f"{there}: {THERE}")
    return audio


def _sample() -> tuple[list[Path], Annotation]:
    """The telephone call that ships inside pyannote.audio, and who spoke when in it."""
    import pyannote.audio
    from pyannote.database.util import load_rttm

    folder = Path(pyannote.audio.__file__).parent / "sample"
    return [folder / "sample.wav"], load_rttm(folder / "sample.rttm")["sample"]


def _hook(progress: Progress, name: str) -> Callable[..., None]:
    from rich.markup import escape

    task = progress.add_task(escape(name), total=None)

    def hook(*_: Any, completed: int, total: int, **__: Any) -> None:
        progress.update(task, completed=completed, total=total)

    return hook


def _write(diarization: Diarization, path: Path, into: Path | None) -> None:
    if into is not None:
        from ..bulk import write

        write(diarization, into, path.stem)
        return
    sys.stdout.write(diarization.to_rttm())
    sys.stdout.flush()


def _draw(diarization: Diarization, path: Path, picture: Path, reference: Annotation | None) -> None:
    from ..audio import open_audio
    from ..report import draw

    draw(diarization, open_audio(path), picture, reference)


def _score(diarization: Diarization, reference: Annotation, metric: Any) -> None:
    from pyannote.core import Segment, Timeline

    from ..audio import open_audio

    whole = Timeline([Segment(0.0, open_audio(_sample()[0][0]).duration)])
    parts = metric(reference, diarization, uem=whole, detailed=True)
    percent = {name: 100 * parts[name] / parts["total"] for name in ("missed detection", "false alarm", "confusion")}
    print(
        f"DER {100 * parts['diarization error rate']:.1f} % ({', '.join(f'{k} {v:.1f}' for k, v in percent.items())}) "
        "against the reference of this call",
        file=sys.stderr,
    )
