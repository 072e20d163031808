"""What confidences are worth, as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pyannote.core import Annotation
from rich.console import Console
from rich.table import Table

from ..diarization import Diarization
from ..pipelines.confidence import Judged, judge


def judged(pairs: Iterable[tuple[Mapping, Annotation]]) -> Judged:
    """Of files with their diarizations; those of other pipelines have no confidences."""
    ours = [(file, found) for file, found in pairs if isinstance(found, Diarization)]
    return sum((judge(file["annotation"], found, file["annotated"]) for file, found in ours), Judged())


def show(found: Judged, title: str) -> None:
    """Print how right turns are, by their confidence."""
    table = Table(
        "confidence, %", "right, %", "seconds", title=title,
        caption=f"expected calibration error {100 * found.expected_error:.1f} %",
    )  # fmt: skip
    for sure, right, seconds in found.bins:
        table.add_row(f"{100 * sure:.0f}", f"{100 * right:.0f}", f"{seconds:.0f}")
    Console().print(table)
