"""Speaker turns on an integer time grid, and the way from and to `Annotation`s.

Pure functions, no torch. Seconds exist only at the two doors, `from_annotation` and `to_annotation`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pyannote.core import Annotation, Segment


class Turn(NamedTuple):
    """One speaker's turn: [start, end) in grid steps, speaker in order of arrival."""

    start: int
    end: int
    speaker: int


@dataclass(frozen=True)
class TimeGrid:
    """Quantised time inside one window.

    Parameters
    ----------
    duration : float
        Duration of the window, in seconds.
    num_steps : int
        Number of equal steps in the window.
    """

    duration: float
    num_steps: int

    def __post_init__(self) -> None:
        if self.duration <= 0 or self.num_steps <= 0:
            raise ValueError(
                f"a grid needs a positive duration and steps; got {self.duration} s, {self.num_steps} steps."
            )

    @property
    def resolution(self) -> float:
        """Duration of one step, in seconds."""
        return self.duration / self.num_steps

    def first(self, seconds: float) -> TimeGrid:
        """Its first seconds, or all of it when it is shorter: the same steps."""
        num_steps = max(self.step(seconds), 1)
        return TimeGrid(self.seconds(num_steps), num_steps)

    def step(self, seconds: float) -> int:
        """Nearest grid step, clipped to the window."""
        return min(max(round(seconds / self.duration * self.num_steps), 0), self.num_steps)

    def seconds(self, step: int) -> float:
        return step * self.duration / self.num_steps


def clip(turns: Iterable[Turn], start: int, end: int) -> list[Turn]:
    """Parts of the turns that lie inside [start, end); turns that become empty are dropped."""
    clipped = (Turn(max(t.start, start), min(t.end, end), t.speaker) for t in turns)
    return [turn for turn in clipped if turn.start < turn.end]


def shift(turns: Iterable[Turn], steps: int) -> list[Turn]:
    """Turns moved by a number of steps (negative: towards the start)."""
    return [Turn(t.start + steps, t.end + steps, t.speaker) for t in turns]


def merge(turns: Iterable[Turn], gap: int = 0) -> list[Turn]:
    """Join turns of one speaker that overlap or are at most `gap` steps apart; sorted by start."""
    joined: list[Turn] = []
    last: dict[int, int] = {}  # speaker -> index of their latest turn in `joined`
    for turn in sorted(turns):
        index = last.get(turn.speaker)
        if index is not None and turn.start <= joined[index].end + gap:
            joined[index] = joined[index]._replace(end=max(joined[index].end, turn.end))
        else:
            last[turn.speaker] = len(joined)
            joined.append(turn)
    return joined


def in_order_of_arrival(turns: Iterable[Turn]) -> tuple[list[Turn], list[int]]:
    """Sort turns and rename speakers 0, 1, 2... by their first turn.

    Returns
    -------
    turns : list of Turn
        Sorted by start, then end; speakers renumbered.
    speakers : list of int
        The former number of each new speaker.
    """
    ordered = sorted(turns)
    rank = {speaker: i for i, speaker in enumerate(dict.fromkeys(t.speaker for t in ordered))}
    # sorted once more: turns with the same times stand in the order of the new numbers
    return sorted(t._replace(speaker=rank[t.speaker]) for t in ordered), list(rank)


def from_annotation(
    annotation: Annotation, window: Segment, grid: TimeGrid, gap: int = 0
) -> tuple[list[Turn], list[str]]:
    """Turns of an annotation inside a window.

    Parameters
    ----------
    annotation : Annotation
    window : Segment
        The part of the file that the grid spans, in seconds. Turns that cross its edges are clipped.
    grid : TimeGrid
    gap : int
        Gaps between turns of one speaker of at most this many steps are closed.

    Returns
    -------
    turns : list of Turn
        Sorted by start, speakers in order of arrival.
    labels : list of str
        Label of each speaker number.
    """
    labels = list(annotation.labels())
    number = {label: i for i, label in enumerate(labels)}
    raw = [
        Turn(grid.step(segment.start - window.start), grid.step(segment.end - window.start), number[label])
        for segment, _, label in annotation.itertracks(yield_label=True)
        if segment.start < window.end and segment.end > window.start
    ]
    turns, order = in_order_of_arrival(merge((t for t in raw if t.start < t.end), gap))
    return turns, [labels[i] for i in order]


def to_annotation(
    turns: Iterable[Turn], labels: Sequence[str], grid: TimeGrid, offset: float = 0.0, uri: str | None = None
) -> Annotation:
    """Inverse of `from_annotation`; `offset` is the time of the window's start, in seconds."""
    annotation: Annotation = Annotation(uri=uri)
    for track, turn in enumerate(turns):
        segment = Segment(offset + grid.seconds(turn.start), offset + grid.seconds(turn.end))
        annotation[segment, track] = labels[turn.speaker]
    return annotation
