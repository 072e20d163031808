"""Pictures of diarizations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator
from pyannote.core import Annotation
from pyannote.metrics.diarization import DiarizationErrorRate

from .audio import Recording

# Okabe and Ito (2008): told apart by colour-blind readers too; black is left for text
COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#B8A800", "#7F7F7F")
WIDTH = 12.0  # inches
ROW = 0.34  # inches of height for each speaker
WAVEFORM = 1.1  # inches of height
NUM_COLUMNS = 1800  # of the waveform
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)  # seconds from one to the next


def draw(diarization: Annotation, recording: Recording, path: str | Path, reference: Annotation | None = None) -> None:
    """Draw a diarization: a coloured row for each speaker over the waveform, and the reference below if there is one.

    Parameters
    ----------
    diarization : Annotation
    recording : Recording
    path : str or Path
        Picture to write: PNG, PDF or SVG by its suffix.
    reference : Annotation, optional
        Its speakers take the colours of those whom they match best.

    Raises
    ------
    ValueError
        If the suffix names no format of pictures.
    """
    path = Path(path)
    formats = FigureCanvasAgg.get_supported_filetypes()
    if path.suffix[1:].lower() not in formats:
        raise ValueError(f"{path}: the suffix of a picture is one of {', '.join(sorted(formats))}.")
    low, high, duration = envelope(recording)
    labels = _by_arrival(diarization)
    color = {label: COLORS[i % len(COLORS)] for i, label in enumerate(labels)}

    heights = [max(len(labels), 1) * ROW, WAVEFORM]
    if reference is not None:
        heights.append(max(len(reference.labels()), 1) * ROW)
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.9), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]

    speech = diarization.get_timeline().support().duration()
    title = f"{diarization.uri or recording.uri}   ·   {len(labels)} speaker{'' if len(labels) == 1 else 's'}, "
    axes[0].set_title(title + f"{speech:.1f} s of speech in {duration:.1f} s", loc="left", fontsize=11)
    _rows(axes[0], diarization, labels, color)
    times = (np.arange(len(low)) + 0.5) * duration / max(len(low), 1)
    _waveform(axes[1], times, low, high, diarization, color)
    if reference is not None:
        matched = DiarizationErrorRate().optimal_mapping(reference, diarization)
        match = {theirs: color[ours] for ours, theirs in matched.items()}
        _rows(axes[2], reference, _by_arrival(reference), match, alpha=0.55)
        axes[2].set_ylabel("reference", fontsize=9)
    axes[-1].set_xlim(0, max(duration, 1e-3))
    axes[-1].xaxis.set_major_locator(MultipleLocator(next((t for t in TICKS if duration <= 12 * t), duration / 10)))
    axes[-1].xaxis.set_major_formatter(FuncFormatter(_clock))
    axes[-1].tick_params(axis="x", labelsize=9)
    temporary = path.with_name(f".{path.name}.part")
    try:
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=120)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def envelope(recording: Recording, num_columns: int = NUM_COLUMNS) -> tuple[np.ndarray, np.ndarray, float]:
    """Lowest and highest sample in each of at most `num_columns` equal parts, and the duration in seconds."""
    size = max(-(-recording.num_samples // num_columns), 1)
    low, high, num_samples = [], [], 0
    for block in recording.blocks(size):
        low.append(block.min())
        high.append(block.max())
        num_samples += len(block)
    return np.array(low), np.array(high), num_samples * recording.duration / max(recording.num_samples, 1)


def _by_arrival(annotation: Annotation) -> list[str]:
    return list(dict.fromkeys(label for _, _, label in annotation.itertracks(yield_label=True)))


def _rows(axes: Axes, annotation: Annotation, labels: list[str], color: dict[str, str], alpha: float = 1.0) -> None:
    """One row for each label, the first on top; its name and seconds of speech are the legend."""
    for row, label in enumerate(labels):
        spans = [(segment.start, segment.duration) for segment in annotation.label_timeline(label)]
        axes.broken_barh(spans, (row - 0.36, 0.72), facecolors=color.get(label, "#BBBBBB"), alpha=alpha, linewidth=0)
    seconds = [f"{label}  {annotation.label_duration(label):.1f} s" for label in labels]
    axes.set_yticks(range(len(labels)), seconds, fontsize=9)
    axes.set_ylim(max(len(labels), 1) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#E4E4E4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _waveform(
    axes: Axes, times: np.ndarray, low: np.ndarray, high: np.ndarray, annotation: Annotation, color: dict[str, str]
) -> None:
    """The waveform, grey where nobody speaks, in the colour of the speaker where one does, dark where several do."""
    column = ["#C8C8C8"] * len(times)
    for segment, _, label in annotation.itertracks(yield_label=True):
        first, last = np.searchsorted(times, [segment.start, segment.end])
        for i in range(first, last):
            column[i] = color[label] if column[i] in ("#C8C8C8", color[label]) else "#333333"
    axes.vlines(times, low, high, colors=column, linewidth=0.6)
    peak = max(float(np.abs(np.concatenate([low, high])).max(initial=0.0)), 1e-3)
    axes.set_ylim(-peak, peak)
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)


def _clock(seconds: float, _: int) -> str:
    if seconds < 0:
        return ""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:04.1f}" if rest % 1 else f"{int(rest):02d}"
    return f"{hours}:{minutes:02d}:{text}" if hours else f"{minutes}:{text}"
