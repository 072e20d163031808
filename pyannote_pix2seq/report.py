"""Pictures of diarizations, and pages about them."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator
from pyannote.core import Annotation
from pyannote.metrics.diarization import DiarizationErrorRate

from .audio import Recording
from .files import replacing, writing_text

# Okabe and Ito (2008): told apart by colour-blind readers too; black is left for text
COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#B8A800", "#7F7F7F")
WIDTH = 12.0  # inches
ROW = 0.34  # inches of height for each speaker
WAVEFORM = 1.1  # inches of height
NUM_COLUMNS = 1800  # of the waveform
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)  # seconds from one to the next


def draw(
    diarization: Annotation, recording: Recording | None, path: str | Path, reference: Annotation | None = None
) -> None:
    """Draw a diarization: a coloured row for each speaker over the waveform, and the reference below if there is one.

    Parameters
    ----------
    diarization : Annotation
    recording : Recording or None
        Without it there is no waveform.
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
    kind = picture_format(path)
    figure = _figure(diarization, recording, reference)
    with replacing(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=120)


def picture_format(path: Path) -> str:
    """What kind of picture a file is to be, by its suffix.

    Raises
    ------
    ValueError
        If the suffix names no format of pictures.
    """
    kind, formats = path.suffix[1:].lower(), FigureCanvasAgg.get_supported_filetypes()
    if kind not in formats:
        raise ValueError(f"{path}: the suffix of a picture is one of {', '.join(sorted(formats))}.")
    return kind


def _figure(diarization: Annotation, recording: Recording | None, reference: Annotation | None) -> Figure:
    low, high, duration = envelope(recording) if recording else (*np.zeros((2, 0)), _end(diarization, reference))
    labels = _by_arrival(diarization)
    color = {label: COLORS[i % len(COLORS)] for i, label in enumerate(labels)}

    heights = [max(len(labels), 1) * ROW, *([WAVEFORM] if recording else [])]
    if reference is not None:
        heights.append(max(len(reference.labels()), 1) * ROW)
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.9), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]

    speech = diarization.get_timeline().support().duration()
    title = f"{_name(diarization, recording)}   ·   {len(labels)} speaker{'' if len(labels) == 1 else 's'}, "
    axes[0].set_title(
        title + f"{speech:.1f} s of speech in {duration:.1f} s", loc="left", fontsize=11, parse_math=False
    )
    _rows(axes[0], diarization, labels, color)
    if recording:
        times = (np.arange(len(low)) + 0.5) * duration / max(len(low), 1)
        _waveform(axes[1], times, low, high, diarization, color)
    if reference is not None:
        matched = DiarizationErrorRate().optimal_mapping(reference, diarization)
        match = {theirs: color[ours] for ours, theirs in matched.items()}
        _rows(axes[-1], reference, _by_arrival(reference), match, alpha=0.55)
        axes[-1].set_ylabel("reference", fontsize=9)
    axes[-1].set_xlim(0, max(duration, 1e-3))
    axes[-1].xaxis.set_major_locator(MultipleLocator(next((t for t in TICKS if duration <= 12 * t), duration / 10)))
    axes[-1].xaxis.set_major_formatter(FuncFormatter(_clock))
    axes[-1].tick_params(axis="x", labelsize=9)
    return figure


def _name(diarization: Annotation, recording: Recording | None) -> str:
    return diarization.uri or (recording.uri if recording else "")


def _end(*annotations: Annotation | None) -> float:
    """When the last turn ends, in seconds."""
    return max((segment.end for a in annotations if a is not None for segment in a.itersegments()), default=0.0)


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
    axes.set_yticks(range(len(labels)), seconds, fontsize=9, parse_math=False)  # names may have dollars
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


@dataclass(frozen=True)
class Entry:
    """A file on a page.

    Parameters
    ----------
    diarization : Annotation
        A `Diarization` also has its confidence shown.
    recording : Recording, optional
    reference : Annotation, optional
    rates : mapping, optional
        Percent of errors against the reference, by name.
    """

    diarization: Annotation
    recording: Recording | None = None
    reference: Annotation | None = None
    rates: Mapping[str, float] | None = None


def write_page(entries: Sequence[Entry], path: Path) -> None:
    """Write an HTML page about diarizations for people to read; it needs nothing but itself.

    Of each file: the picture that `draw` makes, how much each speaker talks, how sure the model is, and all turns.

    Parameters
    ----------
    entries : sequence of Entry
    path : Path
    """
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(clock=lambda seconds: _clock(round(seconds, 1), 0), percent=_percent)
    page = environment.from_string(PAGE).render(files=[_facts(entry) for entry in entries])
    with writing_text(path) as file:
        file.write(page)


def _facts(entry: Entry) -> dict[str, Any]:
    """What the page says about a file; times are in seconds, confidence and shares from 0 to 1."""
    annotation = entry.diarization
    known = getattr(annotation, "confidence", {})
    turns = [
        {"start": segment.start, "end": segment.end, "speaker": label, "confidence": known.get(track)}
        for segment, track, label in annotation.itertracks(yield_label=True)
    ]
    talk = sum(turn["end"] - turn["start"] for turn in turns)
    speakers = []
    for number, label in enumerate(_by_arrival(annotation)):
        own = [turn for turn in turns if turn["speaker"] == label]
        seconds = sum(turn["end"] - turn["start"] for turn in own)
        fact = {"label": label, "color": COLORS[number % len(COLORS)], "seconds": seconds, "share": seconds / talk}
        speakers.append({**fact, "turns": len(own), "confidence": _mean_confidence(own)})
    with io.BytesIO() as file:
        _figure(annotation, entry.recording, entry.reference).savefig(file, format="svg")
        picture = base64.b64encode(file.getvalue()).decode()
    return {
        "name": _name(annotation, entry.recording),
        "duration": entry.recording.duration if entry.recording else _end(annotation, entry.reference),
        "speech": annotation.get_timeline().support().duration(),
        "overlap": annotation.get_overlap().duration(),
        "confidence": _mean_confidence(turns),
        "rates": entry.rates,
        "speakers": speakers,
        "turns": turns,
        "picture": picture,
    }


def _mean_confidence(turns: Sequence[Mapping[str, Any]]) -> float | None:
    """By duration; None where it is not known."""
    sure = [(turn["end"] - turn["start"], turn["confidence"]) for turn in turns if turn["confidence"] is not None]
    total = sum(seconds for seconds, _ in sure)
    return sum(seconds * confidence for seconds, confidence in sure) / total if total else None


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ files|map(attribute="name")|join(", ") }}: who spoke when</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; color: #222 }
img { width: 100% }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th { text-align: left; font-weight: 600 }
th, td { padding: .15em 1.5em .15em 0; border-bottom: 1px solid #e4e4e4 }
td + td, th + th { text-align: right }
summary { cursor: pointer; margin: 1em 0 .5em }
.bar { display: inline-block; height: .7em; width: .7em; margin-right: .5em }
</style>
</head>
<body>
{% for file in files %}
<h2>{{ file.name }}</h2>
<p>{{ file.duration|clock }} long, {{ file.speech|clock }} of speech, {{ file.overlap|clock }} of it by several people
at once. {{ file.speakers|length }} speaker{{ "" if file.speakers|length == 1 else "s" }},
{{ file.turns|length }} turn{{ "" if file.turns|length == 1 else "s" }}.
{% if file.confidence is not none %}Mean confidence {{ file.confidence|percent }}.{% endif %}</p>
{% if file.rates %}
<p>Against the reference:
{% for name, rate in file.rates.items() %}
{{ name }} {{ "%.1f"|format(rate) }} %{{ "." if loop.last else "," }}
{% endfor %}</p>
{% endif %}
<img alt="Who spoke when" src="data:image/svg+xml;base64,{{ file.picture }}">
<table>
<tr><th>speaker</th><th>time</th><th>share</th><th>turns</th><th>confidence</th></tr>
{% for speaker in file.speakers %}
<tr><td><span class="bar" style="background: {{ speaker.color }}"></span>{{ speaker.label }}</td>
<td>{{ speaker.seconds|clock }}</td><td>{{ speaker.share|percent }}</td><td>{{ speaker.turns }}</td>
<td>{{ speaker.confidence|percent }}</td></tr>
{% endfor %}
</table>
<details>
<summary>All turns</summary>
<table>
<tr><th>start</th><th>end</th><th>speaker</th><th>confidence</th></tr>
{% for turn in file.turns %}
<tr><td>{{ turn.start|clock }}</td><td>{{ turn.end|clock }}</td><td>{{ turn.speaker }}</td>
<td>{{ turn.confidence|percent }}</td></tr>
{% endfor %}
</table>
</details>
{% endfor %}
</body>
</html>
"""
