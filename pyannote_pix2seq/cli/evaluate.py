"""`pyannote-pix2seq evaluate`."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from ..files import writing_text
from .options import Data, Device, Registry, Subset

if TYPE_CHECKING:
    from pyannote.core import Annotation

    from .scores import Detected, DiarizationScores

TOTAL = "total"
COLUMNS = {  # of the table: heading of each number
    "der": "DER",
    "miss": "miss",
    "false_alarm": "false",
    "confusion": "conf.",
    "jer": "JER",
    "overlap_der": "overlap",
}
Row = Mapping[str, Any]


def evaluate(
    pipeline: Annotated[
        str,
        typer.Argument(
            help="Folder of a pipeline, its config.yaml, or its name (small); or folder or checkpoint of a model."
        ),
    ],
    data: Data,
    subset: Subset = "test",
    num_speakers: Annotated[str, typer.Option(help="auto; oracle: as many as in the reference; or a number.")] = "auto",
    collar: Annotated[
        float, typer.Option(min=0.0, help="Seconds around reference boundaries that are not scored, half on each side.")
    ] = 0.0,
    skip_overlap: Annotated[bool, typer.Option(help="Do not score where several people talk.")] = False,
    references: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="KIND", help="In a folder: NAME.KIND.rttm is the reference where it exists."),
    ] = None,
    registry: Registry = None,
    device: Device = "auto",
    into: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(help="File for the numbers: .json (all of them) or .csv (one line for each file)."),
    ] = None,
) -> None:
    """Compare a pipeline with references, by file and in total.

    Error rates in percent: DER with its parts, and where people talk at once; JER; number of speakers.
    Models that detect classes get precision, recall and F of each class instead.
    """
    for path in into or []:
        if path.suffix not in (".json", ".csv"):
            raise ValueError(f"{path}: --into writes .json or .csv.")
    _check_count(num_speakers)
    from rich.console import Console

    from ..audio import open_audio
    from .loading import detects_classes, load_pipeline, to_device
    from .references import load_registries
    from .references import references as find

    load_registries(registry)
    files = find(data, subset, references)
    with Console(stderr=True).status("loading the pipeline"):
        loaded = to_device(load_pipeline(pipeline), device)
    detects = detects_classes(loaded)
    if detects and num_speakers != "auto":
        raise ValueError("--num-speakers is for diarization: this pipeline detects classes.")
    started = time.monotonic()
    pairs = diarized(loaded, files, num_speakers)
    seconds = time.monotonic() - started
    result = _detection(pairs, loaded.classes()) if detects else _diarization(pairs, collar, skip_overlap)
    audio = sum(open_audio(file["audio"]).duration for file in files)
    result = {
        "pipeline": pipeline,
        "data": data,
        "options": {
            "subset": subset, "num_speakers": num_speakers, "collar": collar, "skip_overlap": skip_overlap,
            "references": references,
        },
        "audio_seconds": audio,
        "processing_seconds": seconds,
        **result,
    }  # fmt: skip
    (_show_detection if detects else _show_diarization)(result)
    for path in into or []:
        _write(result, path)


def _check_count(num_speakers: str) -> None:
    if num_speakers not in ("auto", "oracle") and not (num_speakers.isdecimal() and int(num_speakers)):
        raise ValueError(f"--num-speakers takes auto, oracle or a number from 1; got {num_speakers!r}.")


def diarized(pipeline: Any, files: list[Mapping[str, Any]], num_speakers: str) -> list[tuple[Mapping, Annotation]]:
    """Files with what a pipeline finds in them."""
    found = dict(_progress(_apply(pipeline, files, num_speakers), len(files)))
    return [(file, found[file["uri"]]) for file in files]


def _apply(pipeline: Any, files: list[Mapping[str, Any]], num_speakers: str) -> Iterator[tuple[str, Annotation]]:
    """URI and hypothesis of each file, in the order in which they are finished."""
    from ..pipelines import PromptedSpeakerDiarization
    from ..prompts import SpeakerMemory

    def options(file: Mapping[str, Any]) -> dict[str, int]:
        if num_speakers == "auto":
            return {}
        count = len(file["annotation"].labels()) if num_speakers == "oracle" else int(num_speakers)
        return {"num_speakers": count} if count else {}  # where nobody speaks there is nothing to tell

    heard = ("uri", "audio", "channel")
    asked = [{**{key: f[key] for key in heard if key in f}, "pipeline_kwargs": options(f)} for f in files]
    if isinstance(pipeline, PromptedSpeakerDiarization):
        for file, diarization in pipeline(asked):
            diarization.memory = SpeakerMemory()  # clips of everybody in all files would be kept
            yield file["uri"], diarization
        return
    from .loading import in_memory

    for file in asked:
        output = pipeline(in_memory(file), **file["pipeline_kwargs"])
        yield file["uri"], getattr(output, "speaker_diarization", output)


def _progress(results: Iterator[Any], total: int) -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import track

    yield from track(results, "files", total=total, console=Console(stderr=True), transient=True)


def _diarization(pairs: list[tuple[Mapping[str, Any], Annotation]], collar: float, skip_overlap: bool) -> dict:
    from .reliability import judged
    from .scores import DiarizationScores, score_diarization

    total: DiarizationScores = DiarizationScores()
    rows = []
    for file, hypothesis in pairs:
        scores = score_diarization(file["annotation"], hypothesis, file["annotated"], collar, skip_overlap)
        rows.append({"file": file["uri"], **scores.row()})
        total = total + scores
    by_count = [
        {"talking": count, "speech": errors.total, "seconds": vars(errors), **errors.rates}
        for count, errors in sorted(total.by_count.items())
    ]
    sure = judged(pairs)
    reliability = {"expected_error": sure.expected_error, "bins": sure.bins} if len(sure.seconds) else None
    return {"total": total.row(), "by_count": by_count, "reliability": reliability, "files": rows}


def _detection(pairs: list[tuple[Mapping[str, Any], Annotation]], classes: list[str]) -> dict:
    from .scores import Detected, macro, score_detection

    total = dict.fromkeys(classes, Detected())
    rows: list[Row] = []
    for file, hypothesis in pairs:
        scores: dict[str, Detected] = score_detection(file["annotation"], hypothesis, file["annotated"], classes)
        total = {name: total[name] + scores[name] for name in classes}
        rows.extend({"file": file["uri"], "class": name, **scores[name].row()} for name in classes)
    by_class = [{"class": name, **detected.row()} for name, detected in total.items()]
    return {"total": macro([detected.row() for detected in total.values()]), "by_class": by_class, "files": rows}


def _number(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _show_diarization(result: Row) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    table = Table(
        title="diarization, %", caption="false: false alarm; conf.: confusion; overlap: DER where people overlap"
    )
    table.add_column("file", overflow="fold")
    for heading in (*COLUMNS.values(), "speakers"):
        table.add_column(heading, justify="right", no_wrap=True)
    total = result["total"]
    for row in (*result["files"], {"file": TOTAL, **total}):
        speakers = f"{row['found_speakers']} of {row['reference_speakers']}"
        if row["file"] == TOTAL:
            table.add_section()
        table.add_row(escape(row["file"]), *(_number(row[name]) for name in COLUMNS), speakers)
    console.print(table)
    headings = ("talking", "speech, s", "DER", "miss", "false", "conf.", "errors, s")
    talking = Table(*headings, title="by number of people who talk at once, %")
    for row in result["by_count"]:
        wrong = sum(row["seconds"][name] for name in ("miss", "false_alarm", "confusion"))
        rates = (_number(row[name]) for name in ("der", "miss", "false_alarm", "confusion"))
        talking.add_row(_count(row["talking"]), _number(row["speech"]), *rates, _number(wrong))
    console.print(talking)
    console.print(f"right number of speakers: {_number(total['speaker_count_accuracy'])} % of the files")
    if result["reliability"]:
        error = 100 * result["reliability"]["expected_error"]
        console.print(f"expected calibration error of the confidence of turns: {error:.1f} %")
    _show_time(result)


def _count(talking: int) -> str:
    from .scores import MANY

    return f"{talking} or more" if talking == MANY else str(talking)


def _show_detection(result: Row) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("class", "precision", "recall", "F", "reference, s", "found, s", title="detection, %")
    for row in result["by_class"]:
        table.add_row(*(_number(row[name]) for name in ("class", "precision", "recall", "f", "reference", "found")))
    table.add_section()
    table.add_row("mean", *(_number(result["total"][name]) for name in ("precision", "recall", "f")), "", "")
    Console().print(table)
    _show_time(result)


def _show_time(result: Row) -> None:
    seconds, audio = result["processing_seconds"], result["audio_seconds"]
    print(f"{audio:.0f} s of audio in {seconds:.1f} s ({audio / max(seconds, 1e-9):.0f} x real time)", file=sys.stderr)


def _write(result: Row, path: Path) -> None:
    with writing_text(path) as file:
        if path.suffix == ".json":
            json.dump(result, file, indent=2, ensure_ascii=False)
        else:
            rows = [*result["files"], *_totals(result)]
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def _totals(result: Row) -> list[Row]:
    """Last lines of the CSV."""
    if "by_class" in result:
        return [{"file": TOTAL, **row} for row in result["by_class"]]
    return [{"file": TOTAL, **result["total"]}]
