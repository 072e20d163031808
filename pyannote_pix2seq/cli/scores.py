"""How far a hypothesis is from its reference, in seconds that can be added up over files. Pure functions.

By file: the parts of the diarization error rate (Fiscus et al., NIST RT), by how many people talk at once in the
reference; the Jaccard error rate (Ryant et al., DIHARD II); the number of speakers. For detection: seconds found,
class by class.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate, JaccardErrorRate
from pyannote.metrics.identification import IdentificationErrorRate

MANY = 3  # people who talk at once: as many, or more, are one row


@dataclass(frozen=True)
class Errors:
    """Seconds of speech and of each kind of error, summed over speakers."""

    total: float = 0.0
    miss: float = 0.0
    false_alarm: float = 0.0
    confusion: float = 0.0

    def __add__(self, other: Errors) -> Errors:
        return Errors(
            self.total + other.total,
            self.miss + other.miss,
            self.false_alarm + other.false_alarm,
            self.confusion + other.confusion,
        )

    @property
    def rates(self) -> dict[str, float | None]:
        """Percent of `total`; None where nobody speaks, since nothing is a share of that."""
        parts = {"miss": self.miss, "false_alarm": self.false_alarm, "confusion": self.confusion}
        if not self.total:
            return dict.fromkeys(("der", *parts))
        rates = {name: 100 * seconds / self.total for name, seconds in parts.items()}
        return {"der": sum(rates.values()), **rates}


@dataclass(frozen=True)
class DiarizationScores:
    """Of one file or of several.

    Parameters
    ----------
    by_count : dict
        Errors where 0, 1, 2, and 3 or more people talk.
    jaccard : (float, int)
        Sum of the speakers' Jaccard errors, and number of reference speakers.
    speakers : (int, int)
        In the reference and in the hypothesis, summed over files.
    right_counts, num_files : int
        Files with the right number of speakers, and files.
    """

    by_count: dict[int, Errors] = field(default_factory=dict)
    jaccard: tuple[float, float] = (0.0, 0.0)
    speakers: tuple[int, int] = (0, 0)
    right_counts: int = 0
    num_files: int = 0

    def __add__(self, other: DiarizationScores) -> DiarizationScores:
        counts = sorted({*self.by_count, *other.by_count})
        return DiarizationScores(
            {k: self.by_count.get(k, Errors()) + other.by_count.get(k, Errors()) for k in counts},
            (self.jaccard[0] + other.jaccard[0], self.jaccard[1] + other.jaccard[1]),
            (self.speakers[0] + other.speakers[0], self.speakers[1] + other.speakers[1]),
            self.right_counts + other.right_counts,
            self.num_files + other.num_files,
        )

    def errors(self, at_least: int = 0) -> Errors:
        """Errors where at least this many people talk: with 2, in overlapped speech."""
        return sum((errors for count, errors in self.by_count.items() if count >= at_least), Errors())

    def row(self) -> dict[str, float | int | None]:
        """Everything as plain numbers: rates in percent, the rest in seconds."""
        errors, overlap = self.errors(), self.errors(at_least=2)
        return {
            **errors.rates,
            "jer": 100 * self.jaccard[0] / self.jaccard[1] if self.jaccard[1] else None,
            "overlap_der": overlap.rates["der"],
            "reference_speakers": self.speakers[0],
            "found_speakers": self.speakers[1],
            "speaker_count_accuracy": 100 * self.right_counts / self.num_files if self.num_files else None,
            "speech": errors.total,
            "overlapped_speech": overlap.total,
        }


def score_diarization(
    reference: Annotation, hypothesis: Annotation, uem: Timeline, collar: float = 0.0, skip_overlap: bool = False
) -> DiarizationScores:
    """Scores of one file.

    Parameters
    ----------
    reference, hypothesis : Annotation
    uem : Timeline
        What is scored.
    collar : float
        Seconds around the edges of reference turns that are not scored: half before, half after (as in pyannote).
    skip_overlap : bool
        Do not score where several people talk.
    """
    metric = DiarizationErrorRate(collar=collar, skip_overlap=skip_overlap)
    # pyannote's own names: a label of the hypothesis must not happen to be that of another speaker of the reference
    reference = reference.rename_labels(generator="string")
    hypothesis = Annotation.from_records(
        (segment, track, f"hypothesis {label}") for segment, track, label in hypothesis.itertracks(yield_label=True)
    )
    cut_reference, cut_hypothesis, scored = metric.uemify(
        reference, hypothesis, uem=uem, collar=collar, skip_overlap=skip_overlap, returns_uem=True
    )
    mapped = hypothesis.rename_labels(mapping=metric.optimal_mapping(cut_reference, cut_hypothesis))
    parts = IdentificationErrorRate()
    by_count = {}
    for count, regions in regions_by_count(cut_reference, scored).items():
        found = parts.compute_components(reference, mapped, uem=regions)
        by_count[count] = Errors(found["total"], found["missed detection"], found["false alarm"], found["confusion"])
    jaccard = JaccardErrorRate(collar=collar, skip_overlap=skip_overlap).compute_components(
        reference, hypothesis, uem=uem
    )
    speakers = len(reference.crop(uem).labels()), len(hypothesis.crop(uem).labels())
    return DiarizationScores(
        by_count,
        (float(jaccard["speaker error"]), float(jaccard["speaker count"])),
        speakers,
        int(speakers[0] == speakers[1]),
        1,
    )


def regions_by_count(reference: Annotation, scored: Timeline) -> dict[int, Timeline]:
    """Where nobody, one, two, or `MANY` and more people talk; together all of `scored`."""
    spoken = [segment for label in reference.labels() for segment in reference.label_timeline(label).support()]
    edges = np.unique([time for segment in (*spoken, *scored) for time in segment])

    def depth(segments: Iterable[Segment]) -> np.ndarray:
        """How many of the segments cover each stretch between two edges."""
        changes = np.zeros(len(edges), int)
        for start, end in segments:
            changes[np.searchsorted(edges, start)] += 1
            changes[np.searchsorted(edges, end)] -= 1
        return np.cumsum(changes)

    inside, counts = depth(scored) > 0, np.minimum(depth(spoken), MANY)
    return {
        int(count): Timeline(
            Segment(edges[i], edges[i + 1]) for i in np.flatnonzero(inside & (counts == count))
        ).support()
        for count in np.unique(counts[inside])
    }


@dataclass(frozen=True)
class Detected:
    """Seconds of one class: found and right, found, and in the reference."""

    right: float = 0.0
    found: float = 0.0
    reference: float = 0.0

    def __add__(self, other: Detected) -> Detected:
        return Detected(self.right + other.right, self.found + other.found, self.reference + other.reference)

    def row(self) -> dict[str, float | None]:
        """Precision, recall and F, in percent; None where they are not defined."""
        both = self.found + self.reference
        return {
            "precision": 100 * self.right / self.found if self.found else None,
            "recall": 100 * self.right / self.reference if self.reference else None,
            "f": 200 * self.right / both if both else None,
            "reference": self.reference,
            "found": self.found,
        }


def score_detection(
    reference: Annotation, hypothesis: Annotation, uem: Timeline, classes: Iterable[str]
) -> dict[str, Detected]:
    """Seconds of each class, in what is scored."""

    def where(annotation: Annotation, name: str) -> Timeline:
        return annotation.label_timeline(name).crop(uem.support(), mode="intersection").support()

    def seconds(timeline: Timeline) -> float:
        return float(timeline.duration())

    scores = {}
    for name in classes:
        true, found = where(reference, name), where(hypothesis, name)
        scores[name] = Detected(seconds(true.crop(found, mode="intersection")), seconds(found), seconds(true))
    return scores


def macro(rows: Sequence[dict[str, float | None]]) -> dict[str, float | None]:
    """Mean over classes, of what is defined."""
    means: dict[str, float | None] = {}
    for name in ("precision", "recall", "f"):
        known = [row[name] for row in rows if row[name] is not None]
        means[name] = sum(known) / len(known) if known else None  # type: ignore[arg-type]
    return means
