"""Turns of chunks -> turns of the file: labels that persist, and turns rejoined across the edges of chunks.

Pure functions; time is counted in grid steps from the start of the file.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from pyannote.core import Segment

from ..diarization import Diarization
from ..prompts import SpeakerMemory
from ..turns import TimeGrid, Turn
from .chunking import Chunk
from .regrouping import Sound

EDGE_GAP = 0.1  # seconds: a turn cut by the edge of a chunk may have lost that much


class FileTurn(NamedTuple):
    """A turn in the time of the file."""

    start: int
    end: int
    label: str
    confidence: float


class ChunkTurns(NamedTuple):
    """What was found in one chunk."""

    chunk: Chunk
    turns: tuple[FileTurn, ...]
    heard: tuple[Sound, ...]  # of each turn

    @property
    def labels(self) -> tuple[str, ...]:
        """In order of arrival."""
        return tuple(dict.fromkeys(turn.label for turn in self.turns))


def labels_of(chunks: Iterable[ChunkTurns]) -> tuple[str, ...]:
    """Who has spoken, in order of arrival."""
    return tuple(dict.fromkeys(label for chunk in chunks for label in chunk.labels))


def free_label(taken: Collection[str]) -> str:
    """The first of SPEAKER_00, SPEAKER_01... that is not taken."""
    number = 0
    while (label := f"SPEAKER_{number:02d}") in taken:
        number += 1
    return label


def continued(
    turns: Sequence[Turn], newcomers: Sequence[int], before: ChunkTurns | None, unprompted: Collection[str], gap: int
) -> dict[int, str]:
    """Who goes on talking across the edge of a chunk although they could not be prompted.

    They had just begun when the chunk before ended: too little to make a prompt of.

    Parameters
    ----------
    turns : sequence of Turn
        Of the chunk, counted from its start.
    newcomers : sequence of int
        Speakers among them who were not prompted.
    before : ChunkTurns or None
        The chunk before.
    unprompted : collection of str
        Labels that were not prompted.
    gap : int
        Steps that may be missing on either side of the edge.

    Returns
    -------
    names : dict
        Newcomer -> label. Where several may have gone on, who starts first is who ended last.
    """
    if before is None:
        return {}
    edge = before.chunk.keep
    ended = sorted({(-t.end, t.label) for t in before.turns if t.end >= edge - gap and t.label in unprompted})
    began = sorted({(turn.start, turn.speaker) for turn in turns if turn.start <= gap and turn.speaker in newcomers})
    labels = dict.fromkeys(label for _, label in ended)
    speakers = dict.fromkeys(speaker for _, speaker in began)
    return dict(zip(speakers, labels, strict=False))


def name_newcomers(
    newcomers: Sequence[int],
    known: Mapping[int, str],
    taken: Collection[str],
    budget: int | None,
    unprompted: Sequence[str],
) -> list[str]:
    """Labels of the speakers of a chunk who were not prompted.

    Parameters
    ----------
    newcomers : sequence of int
        In order of arrival.
    known : mapping
        Labels of those among them who were recognised otherwise.
    taken : collection of str
        Labels in use.
    budget : int or None
        How many new labels the file may still get, None for any number.
    unprompted : sequence of str
        Speakers of the file who were not prompted. When the budget is spent, a newcomer must be one of them: they are
        taken from the front.
    """
    names = dict(known)
    for speaker in newcomers:
        if speaker in names:
            continue
        if budget is None or budget > 0:
            names[speaker] = free_label({*taken, *names.values()})
            budget = None if budget is None else budget - 1
        else:
            names[speaker] = next(label for label in unprompted if label not in names.values())
    return [names[speaker] for speaker in newcomers]


def join(turns: Iterable[FileTurn], edges: Sequence[int], gap: int, edge_gap: int) -> list[FileTurn]:
    """Join turns of one label: across gaps of at most `gap` steps, and `edge_gap` where a chunk ended in the gap.

    The confidence of a joined turn is the mean over its parts, weighted by their durations.

    Parameters
    ----------
    turns : iterable of FileTurn
    edges : sequence of int
        Steps at which chunks ended, in ascending order.
    gap, edge_gap : int
        In steps.
    """
    joined: list[FileTurn] = []
    spoken: list[int] = []  # steps of the parts of each joined turn
    last: dict[str, int] = {}  # label -> index of their latest turn
    for turn in sorted(turns):
        length = turn.end - turn.start
        index = last.get(turn.label)
        if index is not None:
            before = joined[index]
            i = bisect_left(edges, before.end)
            at_edge = i < len(edges) and edges[i] <= turn.start
            if turn.start - before.end <= (max(gap, edge_gap) if at_edge else gap):
                total = spoken[index] + length
                confidence = (before.confidence * spoken[index] + turn.confidence * length) / total
                joined[index] = before._replace(end=max(before.end, turn.end), confidence=confidence)
                spoken[index] = total
                continue
        last[turn.label] = len(joined)
        joined.append(turn)
        spoken.append(length)
    return joined


def stitch(
    chunks: Sequence[ChunkTurns],
    grid: TimeGrid,
    gap: float,
    duration: float,
    memory: SpeakerMemory,
    uri: str | None,
    shortest: int = 1,
    min_speakers: int = 0,
) -> Diarization:
    """Diarization of a file.

    Parameters
    ----------
    chunks : sequence of ChunkTurns
        In order.
    grid : TimeGrid
        The steps in which turns are counted.
    gap : float
        Gaps within the speech of one speaker of at most that many seconds are filled.
    duration : float
        Of the file, in seconds: no turn ends later.
    memory : SpeakerMemory
        After the last chunk.
    uri : str or None
    shortest : int
        Steps of a turn; shorter ones, such as those cut by the end of a chunk, are left out.
    min_speakers : int
        When fewer are left by that, the longest turn of each speaker stays.
    """
    turns = [turn for chunk in chunks for turn in chunk.turns]
    edges = [chunk.chunk.keep for chunk in chunks]
    diarization = Diarization(uri=uri)
    diarization.memory = memory
    joined = join(turns, edges, _steps(gap, grid), _steps(EDGE_GAP, grid))
    kept = [turn for turn in joined if turn.end - turn.start >= shortest]
    if len({turn.label for turn in kept}) < min_speakers:
        longest = {turn.label: turn for turn in sorted(joined, key=lambda turn: turn.end - turn.start)}
        kept = [turn for turn in joined if turn.end - turn.start >= shortest or turn is longest[turn.label]]
    for track, turn in enumerate(kept):
        segment = Segment(grid.seconds(turn.start), min(grid.seconds(turn.end), duration))
        if segment:
            diarization[segment, track] = turn.label
            diarization.confidence[track] = turn.confidence
    return diarization


def in_file(
    turns: Sequence[Turn], confidences: Sequence[float], labels: Sequence[str], chunk: Chunk, heard: Sequence[Sound]
) -> ChunkTurns:
    """Turns counted from the start of a chunk, named and counted from the start of the file."""
    named = (
        FileTurn(turn.start + chunk.start, turn.end + chunk.start, labels[turn.speaker], confidence)
        for turn, confidence in zip(turns, confidences, strict=True)
    )
    return ChunkTurns(chunk, tuple(named), tuple(heard))


def _steps(seconds: float, grid: TimeGrid) -> int:
    return round(seconds / grid.resolution)
