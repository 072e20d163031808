"""How sure a pipeline says it is, and how right it then was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from pyannote.core import Annotation, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate
from scipy.optimize import minimize
from scipy.special import expit, logit

from ..diarization import Diarization

NUM_BINS = 10
SURE = 1 - 1e-4  # no probability is surer


@dataclass(frozen=True)
class Calibration:
    """Probability of the speaker token of a turn, mean over the readings -> that a moment of the turn is right.

    Of the three tokens of a turn, that of the speaker says most about it: a time shares its probability with its
    neighbours, which are as good. A logistic function of its log-odds (Platt, 1999).

    Parameters
    ----------
    offset, slope : float
        Of the log-odds. By default, nothing is changed.
    """

    offset: float = 0.0
    slope: float = 1.0

    @classmethod
    def read(cls, values: Mapping[str, float]) -> Calibration:
        """From a mapping, as YAML has it.

        Raises
        ------
        ValueError
            If it has other keys, or values that are no numbers.
        """
        fits = isinstance(values, Mapping) and {"offset", "slope"} >= {*values}
        if not fits or not all(isinstance(value, (int, float)) for value in values.values()):
            raise ValueError(f"calibration: expected the numbers offset and slope; got {values!r}.")
        return cls(**values)

    def __call__(self, probabilities: Sequence[float] | np.ndarray) -> list[float]:
        return expit(self.offset + self.slope * logit(np.clip(probabilities, 1 - SURE, SURE))).tolist()


@dataclass(frozen=True)
class Judged:
    """Turns with what their confidence was worth.

    Parameters
    ----------
    confidences : (turn,) array
    right : (turn,) array
        Share of the time of each turn in which its speaker really talked, labels matched over the file.
    seconds : (turn,) array
    """

    confidences: np.ndarray = field(default_factory=lambda: np.zeros(0))
    right: np.ndarray = field(default_factory=lambda: np.zeros(0))
    seconds: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def __add__(self, other: Judged) -> Judged:
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Judged(*(np.concatenate(pair) for pair in pairs))

    @property
    def bins(self) -> list[tuple[float, float, float]]:
        """Mean confidence, share of the time that was right, and seconds, for each tenth of confidence that occurs."""
        number = np.minimum((self.confidences * NUM_BINS).astype(int), NUM_BINS - 1)
        rows = []
        for i in np.unique(number):
            weights = np.where(number == i, self.seconds, 0.0)
            mean = [float(np.average(values, weights=weights)) for values in (self.confidences, self.right)]
            rows.append((mean[0], mean[1], float(weights.sum())))
        return rows

    @property
    def expected_error(self) -> float:
        """Expected calibration error, weighted by time (Guo et al., arXiv 1706.04599, eq. 3)."""
        total = self.seconds.sum()
        return sum(abs(sure - right) * seconds for sure, right, seconds in self.bins) / total if total else 0.0

    def under(self, calibration: Calibration) -> Judged:
        """The same turns, had their confidences been calibrated."""
        return replace(self, confidences=np.array(calibration(self.confidences)))

    def fit(self) -> Calibration:
        """The calibration under which what was right is most likely; confidences must be uncalibrated.

        Raises
        ------
        ValueError
            If there are no turns.
        """
        if not len(self.seconds):
            raise ValueError("nothing was found in these files: there is nothing to calibrate with.")
        odds = logit(np.clip(self.confidences, 1 - SURE, SURE))
        weights = self.seconds / self.seconds.sum()

        def surprise(parameters: np.ndarray) -> float:
            z = parameters[0] + parameters[1] * odds
            return float(weights @ (np.logaddexp(0, z) - self.right * z))

        offset, slope = minimize(surprise, [0.0, 1.0], bounds=[(-10, 10), (0, 10)]).x
        return Calibration(round(float(offset), 4), round(float(slope), 4))


def judge(reference: Annotation, found: Diarization, annotated: Timeline) -> Judged:
    """What the confidences of a diarization are worth, by its reference.

    Turns outside of `annotated` do not count, nor do those without a confidence.
    """
    names = DiarizationErrorRate().optimal_mapping(reference, found, uem=annotated)
    said = {label: reference.label_timeline(label).support() for label in reference.labels()}
    rows: list[Sequence[float]] = []
    for segment, track, label in found.itertracks(yield_label=True):
        scored = annotated.crop(segment)
        seconds = scored.duration()
        if track not in found.confidence or not seconds:
            continue
        right = said[names[label]].crop(scored, mode="intersection").duration() / seconds if label in names else 0.0
        rows.append((found.confidence[track], right, seconds))
    return Judged(*np.reshape(rows, (-1, 3)).T)
