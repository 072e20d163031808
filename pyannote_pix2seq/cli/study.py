"""`pyannote-pix2seq mixtures study`: how the error of a pipeline grows with what makes conversations hard."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Device, Registry

if TYPE_CHECKING:
    from ..mixtures.protocol import MixtureProtocol

# What varies, in the unit of the effect or the style that it is a parameter of; each with each
OVERLAP = (0.0, 0.3, 0.6)  # share of the speaker changes that overlap
SPEAKERS = (2, 3, 4)
SNR = (40.0, 20.0, 5.0)  # dB
LOUDNESS = (0.0, 12.0)  # dB between voices, either way
DURATION = 60.0  # seconds


def study(
    pipeline: Annotated[str, typer.Argument(help="Folder or config.yaml of a pipeline, or of a model of ours.")],
    into: Annotated[Path, typer.Option(help="Where to write: NAME.json, NAME.md and NAME.png.")] = Path("difficulty"),
    mixture: Annotated[
        str, typer.Option(help="Protocol of mixtures, or yaml file, that has the source and the style.")
    ] = "Conversation",
    files: Annotated[int, typer.Option(min=1, help="Mixtures of 60 s for each cell of the grid.")] = 5,
    subset: Annotated[str, typer.Option(help="Whose speakers: train, development or test.")] = "test",
    device: Device = "auto",
    registry: Registry = None,
) -> None:
    """Diarization error over a grid of overlap, number of speakers, noise and loudness: a table and a picture.

    Every cell has the same seeds; no collar, overlap is scored.
    """
    from rich.console import Console
    from rich.progress import track

    from ..files import writing_text
    from .loading import detects_classes, load_pipeline, to_device
    from .mixtures import find_protocol

    base = find_protocol(mixture, registry)
    loaded = to_device(load_pipeline(pipeline), device)
    if detects_classes(loaded):
        raise ValueError("a study is of diarization: this pipeline detects classes.")
    grid = list(itertools.product(OVERLAP, SPEAKERS, SNR, LOUDNESS))
    cells = []
    for overlap, speakers, snr, loudness in track(grid, "cells", console=Console(stderr=True), transient=True):
        rates = _error(loaded, _cell(base, overlap, speakers, snr, loudness, files, subset), subset)
        cells.append({"overlap": overlap, "speakers": speakers, "snr": snr, "loudness": loudness, **rates})
    typer.echo(_table(cells), nl=False)  # before anything is written, which may fail
    result = {"pipeline": pipeline, "mixture": mixture, "subset": subset, "files": files, "cells": cells}
    for suffix, text in ((".json", json.dumps(result, indent=1) + "\n"), (".md", _table(cells))):
        with writing_text(into.with_name(into.name + suffix)) as file:
            file.write(text)
    picture = into.with_name(into.name + ".png")
    _picture(cells, picture)


def _cell(
    base: MixtureProtocol, overlap: float, speakers: int, snr: float, loudness: float, files: int, subset: str
) -> MixtureProtocol:
    from dataclasses import replace

    from ..mixtures.protocol import MixtureProtocol

    counts = [0.0] * speakers + [1.0]
    style = {**base.definition.style, "name": "Conversation", "overlap": [overlap, overlap], "num_speakers": counts}
    effects = [
        {"name": "loudness", "spread": loudness},
        {"name": "noise", "probability": 1.0, "snr": [snr, snr]},
        "level",
    ]
    changed = replace(
        base.definition, style=style, effects=effects, files={subset: files}, duration=DURATION, difficulty=1.0
    )
    return MixtureProtocol(changed.checked())


def _error(pipeline: Any, protocol: MixtureProtocol, subset: str) -> dict[str, float | None]:
    """Error rates in percent, over all files of a subset."""
    from .scores import DiarizationScores, score_diarization

    total = DiarizationScores()
    for mixture, hypothesis in _diarized(pipeline, protocol, subset):
        total = total + score_diarization(mixture.annotation(), hypothesis, mixture.annotated(), 0.0, False)
    return total.errors().rates


def _diarized(pipeline: Any, protocol: MixtureProtocol, subset: str) -> Iterator[tuple[Any, Any]]:
    """Mixtures and what the pipeline finds in them; nothing is written to disk."""
    import torch

    from ..audio import SAMPLE_RATE

    for mixture in protocol.mixtures(subset):
        waveform = torch.from_numpy(mixture.waveform())[None]
        output = pipeline({"uri": mixture.uri, "waveform": waveform, "sample_rate": SAMPLE_RATE})
        yield mixture, getattr(output, "speaker_diarization", output)


def _table(cells: list[dict[str, Any]]) -> str:
    """Markdown: a row for each overlap and number of speakers, a column for each noise and loudness."""
    columns = list(itertools.product(SNR, LOUDNESS))
    der = {(c["overlap"], c["speakers"], c["snr"], c["loudness"]): c["der"] for c in cells}
    lines = [
        "| overlap | speakers | " + " | ".join(f"{snr:g} dB SNR, ±{loudness:g} dB" for snr, loudness in columns) + " |",
        "|" + "---|" * (len(columns) + 2),
    ]
    for overlap, speakers in itertools.product(OVERLAP, SPEAKERS):
        row = [der[overlap, speakers, snr, loudness] for snr, loudness in columns]
        numbers = " | ".join("-" if rate is None else f"{rate:.1f}" for rate in row)
        lines.append(f"| {overlap:g} | {speakers} | {numbers} |")
    return "\n".join(lines) + "\n"


def _picture(cells: list[dict[str, Any]], path: Path) -> None:
    """For each of the four, the mean error over everything else."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from ..files import replacing

    titles = {
        "overlap": "share of overlapping changes",
        "speakers": "speakers",
        "snr": "signal-to-noise ratio (dB)",
        "loudness": "loudness spread (± dB)",
    }
    figure = Figure(figsize=(11, 3.1), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (name, title) in zip(figure.subplots(1, 4, sharey=True), titles.items(), strict=True):
        values = sorted({cell[name] for cell in cells})
        for part, color in (
            ("der", "#333333"),
            ("miss", "#56B4E9"),
            ("false_alarm", "#E69F00"),
            ("confusion", "#D55E00"),
        ):
            rates = [[c[part] for c in cells if c[name] == value and c[part] is not None] for value in values]
            axes.plot(values, [sum(r) / max(len(r), 1) for r in rates], "o-", color=color, label=part.replace("_", " "))
        axes.set_xlabel(title, fontsize=9)
        axes.set_xticks(values)
        axes.spines[["top", "right"]].set_visible(False)
        if name == "overlap":
            axes.set_ylabel("% of speech")
            figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    axes.set_ylim(bottom=0)  # of all, and only now that all is drawn
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
