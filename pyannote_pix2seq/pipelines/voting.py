"""Several diarizations of one file -> what most of them agree on.

After DOVER-Lap (Raj et al., arXiv 2011.01997): labels are mapped to each other, then each region of the file is voted
on. A region lasts from one start or end of a turn to the next one, in whichever of the diarizations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyannote.core import Segment
from scipy.optimize import linear_sum_assignment

from ..diarization import Diarization
from .stitching import FileTurn, free_label, join

Matrix = NDArray[np.float32]
SPLINTER = 0.1  # seconds: readings differ by so much about the ends of turns; shorter turns and gaps come of that


class Ballot(NamedTuple):
    """One diarization, region by region."""

    labels: tuple[str, ...]
    confidence: Matrix  # (region, label): of the turn there, from 0 to 1
    active: Matrix  # (region, label): 1 where the label speaks, 0 elsewhere

    def under(self, labels: Sequence[str], names: Sequence[str]) -> Ballot:
        """The same with other names for its labels, as columns in the order of `labels`."""
        columns = [labels.index(name) for name in names]
        confidence, active = np.zeros((2, len(self.active), len(labels)), np.float32)
        confidence[:, columns], active[:, columns] = self.confidence, self.active
        return Ballot(tuple(labels), confidence, active)


def vote(
    diarizations: Sequence[Diarization],
    resolution: float,
    known: Collection[str] = (),
    min_speakers: int = 0,
    max_speakers: int | None = None,
    gap: float = 0.0,
    shortest: float = 0.0,
) -> Diarization:
    """Agree.

    Parameters
    ----------
    diarizations : sequence of Diarization
        Of one file.
    resolution : float
        A step, in seconds.
    known : collection of str
        Labels that mean the same in all of them; what the others mean is found by who speaks together with whom.
    min_speakers : int
    max_speakers : int or None
        Bounds that each of them keeps.
    gap : float
        Gaps in the speech of one label of at most that many seconds are filled; of a `SPLINTER` at least.
    shortest : float
        Shorter turns are left out, in seconds; those under a `SPLINTER` always.

    Returns
    -------
    diarization : Diarization
        In each region as many speakers as there are on average, those with the most votes of those whom at least half
        of the diarizations have somewhere; a label's confidence is the mean over the votes, 0 where it has none. The
        diarization that is most like the others decides where votes are equal, and all when the vote has fewer or more
        speakers than there may be.
    """
    if len(diarizations) == 1:
        return diarizations[0]
    edges = np.unique([round(t / resolution) for d in diarizations for segment in d.itersegments() for t in segment])
    steps = np.diff(edges)  # of each region
    ballots = [_ballot(d, edges, resolution) for d in diarizations]
    by_agreement = sorted(
        range(len(ballots)), key=lambda i: sum(_difference(ballots[i], b, steps, known) for b in ballots)
    )
    first = by_agreement[0]
    total, memory = ballots[first], diarizations[first].memory
    found = Counter(total.labels)
    for i in by_agreement[1:]:
        names = _names(total, ballots[i], steps, known)
        found.update(names)
        labels = list(dict.fromkeys([*total.labels, *names]))
        for label, name in zip(ballots[i].labels, names, strict=True):
            if name not in memory.labels and label in diarizations[i].memory.labels:
                memory = memory.put(replace(diarizations[i].memory[label], label=name))
        before, added = total.under(labels, total.labels), ballots[i].under(labels, names)
        total = Ballot(tuple(labels), before.confidence + added.confidence, before.active + added.active)
    # half a speaker more than the mean: with an even number of votes, those who speak win over those who do not
    num_active = np.floor(total.active.sum(1) / len(ballots) + 0.5)
    tie = ballots[first].under(total.labels, ballots[first].labels).active
    votes = total.active * [2 * found[label] >= len(ballots) for label in total.labels]
    rank = np.argsort(np.argsort(-(2 * votes + tie), axis=1, kind="stable"), axis=1)
    won = (rank < num_active[:, None]) & (votes > 0)
    agreed = Diarization(uri=diarizations[first].uri)
    agreed.memory = memory
    end = max((segment.end for d in diarizations for segment in d.itersegments()), default=0.0)
    turns = []
    for column, label in enumerate(total.labels):
        for start, stop in np.flatnonzero(np.diff(won[:, column], prepend=False, append=False)).reshape(-1, 2).tolist():
            sure = np.average(total.confidence[start:stop, column], weights=steps[start:stop]) / len(ballots)
            turns.append(FileTurn(int(edges[start]), int(edges[stop]), label, float(sure)))
    for track, turn in enumerate(join(turns, [], round(max(gap, SPLINTER) / resolution), 0)):
        if turn.end - turn.start >= round(max(shortest, SPLINTER) / resolution):
            agreed[Segment(turn.start * resolution, min(turn.end * resolution, end)), track] = turn.label
            agreed.confidence[track] = turn.confidence
    bounded = min_speakers <= len(agreed.labels()) <= (max_speakers or len(total.labels))
    return _in_order_of_arrival(agreed if bounded else diarizations[first], known)


def _in_order_of_arrival(diarization: Diarization, known: Collection[str]) -> Diarization:
    """The same with labels counted as they come; voices are forgotten that nobody has."""
    names = {label: label for label in known}
    for _, _, label in diarization.itertracks(yield_label=True):
        names.setdefault(label, free_label(names.values()))
    voices = tuple(voice for voice in diarization.memory.voices if voice.label in names)
    diarization.memory = replace(diarization.memory, voices=voices)
    return diarization.rename_labels(names)


def _ballot(diarization: Diarization, edges: NDArray[np.int64], resolution: float) -> Ballot:
    labels = tuple(diarization.labels())
    confidence, active = np.zeros((2, max(len(edges) - 1, 0), len(labels)), np.float32)
    for segment, track, label in diarization.itertracks(yield_label=True):
        regions = slice(*np.searchsorted(edges, [round(t / resolution) for t in segment]))
        active[regions, labels.index(label)] = 1
        confidence[regions, labels.index(label)] = diarization.confidence.get(track, 1.0)
    return Ballot(labels, confidence, active)


def _names(total: Ballot, ballot: Ballot, steps: NDArray[np.int64], known: Collection[str]) -> list[str]:
    """What the labels of a ballot are called in the total: one name each, by the time that they share."""
    together = total.active.T @ (ballot.active * steps[:, None])
    for i, before in enumerate(total.labels):
        for j, label in enumerate(ballot.labels):
            if before in known or label in known:
                together[i, j] = steps.sum() * 1e3 if before == label else -1.0
    names: dict[int, str] = {}
    for i, j in zip(*linear_sum_assignment(together, maximize=True), strict=True):
        if together[i, j] > 0:
            names[j] = total.labels[i]
    for j, label in enumerate(ballot.labels):
        if j not in names:
            names[j] = label if label in known else free_label({*known, *total.labels, *names.values()})
    return [names[j] for j in range(len(ballot.labels))]


def _difference(one: Ballot, other: Ballot, steps: NDArray[np.int64], known: Collection[str]) -> float:
    """Speaker steps that one of two ballots has and the other has not."""
    names = _names(one, other, steps, known)
    labels = list(dict.fromkeys([*one.labels, *names]))
    different = np.abs(one.under(labels, one.labels).active - other.under(labels, names).active)
    return float((different.sum(1) * steps).sum())
