"""`pyannote-pix2seq report`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from ..diarization import rttm_name
from .options import Device, Folder, MaxSpeakers, MinSpeakers, NumSpeakers, Speakers, clips, load
from .quiet import quiet_decoders

if TYPE_CHECKING:
    from pyannote.core import Annotation

    from ..report import Entry


def report(
    inputs: Annotated[
        list[Path],
        typer.Argument(help="Audio files, and RTTM files made before: audio without one is diarized."),
    ],
    into: Annotated[Path, typer.Option(help="The page (HTML).")] = Path("report.html"),
    reference: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(help="An RTTM file with what is right, for error rates."),
    ] = None,
    num_speakers: NumSpeakers = None,
    min_speakers: MinSpeakers = None,
    max_speakers: MaxSpeakers = None,
    speaker: Speakers = None,
    device: Device = "auto",
    pipeline: Folder = None,
) -> None:
    """A page about recordings, to read in a browser: who spoke when, how much, how sure, and how wrong."""
    from ..report import write_page

    options = {
        "num_speakers": num_speakers, "min_speakers": min_speakers, "max_speakers": max_speakers,
        "speakers": clips(speaker),
    }  # fmt: skip
    if into.is_dir():
        raise ValueError(f"{into}: is a folder; --into takes a file, such as {into / 'report.html'}.")
    made = _annotations(path for path in inputs if path.suffix == ".rttm")
    right = _annotations(reference or [])
    audio: dict[str, Path] = {}
    for path in inputs:
        if path.suffix != ".rttm" and audio.setdefault(uri := _uri(path, {*made, *right}), path) != path:
            raise ValueError(f"files need different names; more than one is called {uri}.")
    unknown = right.keys() - made.keys() - audio.keys()
    if unknown:
        given = ", ".join(sorted(made.keys() | audio.keys()))
        raise ValueError(f"a reference is about {', '.join(sorted(unknown))}, but the files are {given}.")
    with quiet_decoders():
        for uri, diarization in _diarized(
            {uri: path for uri, path in audio.items() if uri not in made}, options, pipeline, device
        ):
            made[uri] = diarization
        order = [*audio, *(uri for uri in made if uri not in audio)]
        write_page([_entry(made[uri], audio.get(uri), right.get(uri)) for uri in order], into)
    typer.echo(into)


def _uri(path: Path, known: Iterable[str] = ()) -> str:
    """What RTTM calls a file: as one of the known URIs does, which may have folders in them, or by its name."""
    whole = rttm_name(path.absolute().with_suffix("").as_posix())
    return max((uri for uri in known if whole.endswith(f"/{uri}")), key=len, default=rttm_name(path.stem))


def _annotations(paths: Iterable[Path]) -> dict[str, Annotation]:
    """By URI; a file without a line is about the file that has its name, where nobody speaks."""
    from pyannote.core import Annotation

    from .references import read_rttm

    found: dict[str, Annotation] = {}
    for path in paths:
        for uri, annotation in (read_rttm(path) or {_uri(path): Annotation(uri=_uri(path))}).items():
            if uri in found:
                raise ValueError(f"{path}: another RTTM file is about {uri!r} too; a page shows one of them.")
            found[uri] = annotation
    return found


def _diarized(audio: dict[str, Path], options: dict[str, Any], pipeline: Path | None, device: str) -> Any:
    if not audio:
        return
    from rich.console import Console
    from rich.progress import track

    loaded = load(pipeline, device)
    asked = [{"uri": uri, "audio": path} for uri, path in audio.items()]
    console = Console(stderr=True)
    results = loaded(asked, **options)
    for file, diarization in track(
        results, "files", len(asked), console=console, transient=True, disable=not console.is_terminal
    ):
        yield file["uri"], diarization


def _entry(diarization: Annotation, path: Path | None, reference: Annotation | None) -> Entry:
    from pyannote.core import Segment, Timeline

    from ..audio import open_audio
    from ..report import Entry
    from .scores import score_diarization

    recording = open_audio(path) if path else None
    if reference is None:
        return Entry(diarization, recording)
    extent = diarization.get_timeline().extent() | reference.get_timeline().extent()
    scored = Timeline([Segment(0.0, recording.duration if recording else extent.end)])
    rates = score_diarization(reference, diarization, scored).errors().rates
    names = {"der": "DER", "miss": "missed", "false_alarm": "false alarm", "confusion": "confusion"}
    return Entry(
        diarization, recording, reference, {names[name]: rate for name, rate in rates.items() if rate is not None}
    )
