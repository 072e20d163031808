"""Who speaks in each turn, decided once more: by the voices of all turns of a file together.

A turn is named when it is written, by what was said before it; who was once taken for somebody else stays so. Here
turns change labels, and labels split in two, as long as that explains the voices better. After probabilistic linear
discriminant analysis (Prince and Elder, ICCV 2007) and its use for clustering (VBx, Landini et al., arXiv 2012.14952),
with one number each for how voices differ within and between speakers. Pure numpy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..turns import Turn

Matrix = NDArray[np.floating]
Groups = NDArray[np.int_]

HALF = 2.0  # seconds: of a voice heard for so long, half of the variance is the speaker's
STAY = 0.3  # what a turn costs that is not where most of its group were
CHOICE = 0.15  # what it costs to split a label, for each of its turns: more turns can be split in more ways
ROUNDING = 1e-9  # what gains no more is not worth a change
NUM_SEEDS = 8  # longest turns of a label that are tried as the seeds of two


class Sound(NamedTuple):
    """What is heard of a turn."""

    voice: NDArray[np.float32]  # (feature,): any length, only its direction counts
    seconds: float


def sounds(turns: Sequence[Turn], spoken: NDArray[np.float32], steps_per_position: int, step: float) -> list[Sound]:
    """What is heard of each turn where nobody else talks.

    Parameters
    ----------
    turns : sequence of Turn
        In steps from the start of the window.
    spoken : (position + 1, feature) array
        Running sum of voices.
    steps_per_position : int
    step : float
        Duration of a step, in seconds.
    """
    last = len(spoken) - 1
    spans = [(min(t.start // steps_per_position, last - 1), min(-(-t.end // steps_per_position), last)) for t in turns]
    active = np.zeros(last, int)
    for start, stop in spans:
        active[start:stop] += 1
    heard = []
    for start, stop in spans:
        voices = np.diff(spoken[start : stop + 1], axis=0)[active[start:stop] == 1]
        heard.append(Sound(voices.sum(0), len(voices) * steps_per_position * step))
    return heard


def regroup(heard: Sequence[Sound], labels: Sequence[int], strength: float, most: int | None = None) -> Groups:
    """Group turns by their voices, beginning with the labels that they have.

    Parameters
    ----------
    heard : sequence of Sound
        Of each turn.
    labels : sequence of int
        Of each turn: 0, 1, 2... None is left out, and none will be left without a turn.
    strength : float
        How much voices count against labels.
    most : int, optional
        Number of groups.

    Returns
    -------
    groups : (turn,) array of int
    """
    return _Grouping(heard, labels, strength, most).climb()


class _Grouping:
    """Turns, what they weigh, and how good it is to have some of them in one group.

    The voices of a group are one direction, the speaker's, and noise. In a voice that was heard for some seconds, the
    speaker has w = seconds / HALF times the variance of the noise. Then the logarithm of how likely it is to hear the
    voices of some turns from one speaker is, up to a factor (`strength`) and what does not depend on the groups,

        |sum of sqrt(w (1 + w)) direction|^2 / (1 + sum of w) - log(1 + sum of w).
    """

    def __init__(self, heard: Sequence[Sound], labels: Sequence[int], strength: float, most: int | None):
        voices, seconds = np.array([sound.voice for sound in heard], float), np.array([s.seconds for s in heard])
        self.labels = np.array(labels, int)
        self.weight = seconds / HALF
        self.direction = voices / np.maximum(np.linalg.norm(voices, axis=1, keepdims=True), 1e-9)
        self.pull = np.sqrt(self.weight * (1 + self.weight))[:, None] * self.direction
        self.most = len(self.labels) if most is None else most
        self.strength = strength

    def worth(self, pull: Matrix, weight: Matrix, size: Groups | int, stayed: Groups | int) -> Matrix:
        """Of groups: sums of pull and weight, numbers of turns, and of those that have the commonest label."""
        likelihood = np.square(pull).sum(-1) / (1 + weight) - np.log1p(weight)
        return self.strength * likelihood - STAY * (size - stayed)

    def worth_of(self, members: Groups) -> float:
        """Of the group that these turns make, which are given by number."""
        stayed = np.bincount(self.labels[members]).max()
        return float(self.worth(self.pull[members].sum(0), self.weight[members].sum(), len(members), stayed))

    def climb(self) -> Groups:
        """Move turns one by one; when none wants to move, split the group that gains the most."""
        groups = self.labels.copy()
        while True:
            while self._move(groups):
                pass
            splits = self._splits(groups) if groups.max() + 1 < self.most else iter(())
            gain, new = max(splits, key=lambda split: split[0], default=(0.0, groups))
            if gain <= ROUNDING:
                return groups
            groups = new

    def _move(self, groups: Groups) -> bool:
        """Put each turn, in place, where it is worth most; a group keeps its last one."""
        num, moved = groups.max() + 1, False
        pull, weight = np.zeros((num, self.pull.shape[1])), np.bincount(groups, self.weight).astype(float)
        np.add.at(pull, groups, self.pull)
        votes = np.zeros((num, self.labels.max() + 1), int)  # turns of each label
        np.add.at(votes, (groups, self.labels), 1)
        size, stayed = votes.sum(1), votes.max(1)

        def put(i: int, group: int, sign: int) -> None:
            pull[group] += sign * self.pull[i]
            weight[group] += sign * self.weight[i]
            votes[group, self.labels[i]] += sign
            size[group] += sign
            stayed[group] = votes[group].max()

        for i, (old, label) in enumerate(zip(groups.tolist(), self.labels.tolist(), strict=True)):
            if size[old] == 1:
                continue
            put(i, old, -1)
            more = np.maximum(stayed, votes[:, label] + 1)
            gains = self.worth(pull + self.pull[i], weight + self.weight[i], size + 1, more)
            gains -= self.worth(pull, weight, size, stayed)
            new = int(gains.argmax())
            new = new if gains[new] > gains[old] + ROUNDING else old
            put(i, new, 1)
            groups[i], moved = new, moved or new != old
        return moved

    def _splits(self, groups: Groups) -> Iterator[tuple[float, Groups]]:
        """Ways to split one group in two, and what is gained."""
        for group in range(groups.max() + 1):
            members = np.flatnonzero(groups == group)
            whole = self.worth_of(members)
            seeds = members[np.argsort(-self.weight[members], kind="stable")[:NUM_SEEDS]]
            for pair in combinations(seeds, 2):
                centres = self.direction[list(pair)]
                for _ in range(3):  # spherical k-means
                    second = self.direction[members] @ (centres[1] - centres[0]) > 0
                    if second.all() or not second.any():
                        break
                    centres = np.stack([self.pull[members[side]].sum(0) for side in (~second, second)])
                    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-9)
                else:
                    parts = sum(self.worth_of(members[side]) for side in (~second, second))
                    new = groups.copy()
                    new[members[second]] = groups.max() + 1
                    yield parts - whole - CHOICE * len(members), new
