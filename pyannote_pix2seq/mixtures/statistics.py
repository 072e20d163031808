"""How a conversation goes, in numbers, and how far two kinds of conversations are from each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

import numpy as np
from pyannote.core import Annotation, Timeline

from .plan import MERGED_PAUSE, SAMPLE_RATE, Plan, join

WINDOW = 30.0  # seconds
Talk = tuple[list[tuple[float, float, int]], float]  # (start, end, speaker) in seconds, in order; duration in seconds


@dataclass(frozen=True)
class Statistics:
    """Samples of what describes conversations, pooled over windows of equal length.

    Parameters
    ----------
    turn : (turn,) array
        Length of each turn, in seconds.
    pause : (pause,) array
        Length of each silence between turns, in seconds.
    overlap : (window,) array
        Share of the speech of a window in which several talk.
    share : (speaker of a window,) array
        Share of each speaker in the speech of a window.
    rate : (window,) array
        Turns per minute.
    speakers : (window,) array
        Number of speakers.
    """

    turn: np.ndarray
    pause: np.ndarray
    overlap: np.ndarray
    share: np.ndarray
    rate: np.ndarray
    speakers: np.ndarray


NAMES = {
    "turn": "turn (s)",
    "pause": "pause (s)",
    "overlap": "overlap",
    "share": "speaker share",
    "rate": "turns per minute",
    "speakers": "speakers",
}


def of_annotation(annotation: Annotation, duration: float | None = None) -> Talk:
    """Turns of an annotation; its duration is where its last turn ends unless it is given."""
    number = {label: i for i, label in enumerate(annotation.labels())}
    turns = [(s.start, s.end, number[label]) for s, _, label in annotation.itertracks(yield_label=True)]
    return _joined(turns), duration or max((end for _, end, _ in turns), default=0.0)


def of_annotated(annotation: Annotation, annotated: Timeline) -> Iterator[Talk]:
    """Turns of each annotated part by itself: nobody knows who speaks before, between and behind them."""
    for part in annotated.support():
        turns, _ = of_annotation(annotation.crop(part))
        yield [(start - part.start, end - part.start, who) for start, end, who in turns], part.duration


def of_plan(plan: Plan) -> Talk:
    """Turns of a mixture."""
    turns = [(start / SAMPLE_RATE, end / SAMPLE_RATE, voice) for start, end, voice in plan.speech()]
    return turns, plan.num_samples / SAMPLE_RATE


def _joined(turns: Iterable[tuple[float, float, int]]) -> list[tuple[float, float, int]]:
    """As the labels of mixtures: pauses of a speaker that are too short to end a turn are closed."""
    samples = sorted((round(start * SAMPLE_RATE), round(end * SAMPLE_RATE), who) for start, end, who in turns)
    joined = join(samples, round(MERGED_PAUSE * SAMPLE_RATE))
    return [(start / SAMPLE_RATE, end / SAMPLE_RATE, who) for start, end, who in joined]


def measure(talks: Iterable[Talk], window: float = WINDOW) -> Statistics:
    """Statistics of conversations, in windows of `window` seconds; an end shorter than half of it is left out.

    Raises
    ------
    ValueError
        If there is no window.
    """
    pooled: dict[str, list[float]] = {field.name: [] for field in fields(Statistics)}
    for turns, duration in talks:
        for start in np.arange(0.0, max(duration - window / 2, 0.0) or (duration > 0), window):
            end = min(start + window, duration)
            inside = [(max(s, start), min(e, end), who) for s, e, who in turns if s < end and e > start]
            _add(pooled, inside, end - start)
    if not pooled["rate"]:
        raise ValueError("there is no conversation to measure.")
    return Statistics(**{name: np.array(values) for name, values in pooled.items()})


def _add(pooled: dict[str, list[float]], turns: list[tuple[float, float, int]], duration: float) -> None:
    talked: dict[int, float] = {}
    several, spoken, until = 0.0, 0.0, None
    bounds = sorted([(s, 1) for s, _, _ in turns] + [(e, -1) for _, e, _ in turns])
    active, previous = 0, 0.0
    for time, change in bounds:
        if active:
            spoken += time - previous
            several += (time - previous) * (active > 1)
        elif until is not None and time > until:
            pooled["pause"].append(time - until)
        active, previous = active + change, time
        if not active:
            until = time
    for start, end, who in turns:
        talked[who] = talked.get(who, 0.0) + end - start
        pooled["turn"].append(end - start)
    pooled["share"] += [seconds / sum(talked.values()) for seconds in talked.values()]
    pooled["overlap"].append(several / spoken if spoken else 0.0)
    pooled["rate"].append(60 * len(turns) / duration)
    pooled["speakers"].append(len(talked))


def distances(first: Statistics, second: Statistics) -> dict[str, float]:
    """Earth mover's distance (Wasserstein, order 1) of each statistic, in its own unit."""
    from scipy.stats import wasserstein_distance

    apart = {}
    for name in NAMES:
        a, b = getattr(first, name), getattr(second, name)
        apart[name] = float(wasserstein_distance(a, b)) if len(a) and len(b) else float("nan")
    return apart
