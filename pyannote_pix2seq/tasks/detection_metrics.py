"""Validation metrics of detection: scores of each class, and the segment-based error rate."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import BinaryF1Score, BinaryPrecision, BinaryRecall, MultilabelF1Score
from torchmetrics.wrappers.abstract import WrapperMetric

UNKNOWN = -1  # target of a class that was not annotated


class OfClass(WrapperMetric):
    """A binary metric of one class of (batch, class, ...) predictions and targets.

    Parameters
    ----------
    metric : Metric
    index : int
        Number of the class.
    """

    higher_is_better = True

    def __init__(self, metric: Metric, index: int) -> None:
        super().__init__()
        self.metric = metric
        self.index = index

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        self.metric.update(predictions[:, self.index], targets[:, self.index])

    def compute(self) -> Tensor:
        return self.metric.compute()

    def reset(self) -> None:
        super().reset()
        self.metric.reset()


class SegmentErrorRate(Metric):
    """(substitutions + deletions + insertions) / reference events, counted in segments of one second.

    A class is active in a segment if it is in any of its frames; segments are counted from the start of each chunk.

    Parameters
    ----------
    step : float
        From one frame to the next, in seconds.
    segment : float
        Duration of a segment, in seconds.
    threshold : float
        Detections from there on are active.

    Source
    ------
    Mesaros, Heittola and Virtanen 2016, "Metrics for polyphonic sound event detection", section 3.2.3 (as in sed_eval).
    """

    higher_is_better = False
    full_state_update = False
    errors: Tensor
    references: Tensor

    def __init__(self, step: float, segment: float = 1.0, threshold: float = 0.5) -> None:
        super().__init__()
        self.step = step
        self.segment = segment
        self.threshold = threshold
        self.add_state("errors", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("references", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """(batch, class, frame) probabilities and targets (0, 1, or -1 if unknown)."""
        known = targets != UNKNOWN
        detected = self._in_segments((predictions >= self.threshold) & known)
        present = self._in_segments((targets == 1) & known)
        missed = (present & ~detected).sum(dim=1)
        false = (detected & ~present).sum(dim=1)
        # min(missed, false) are substitutions, what is left of either are deletions or insertions
        self.errors += torch.maximum(missed, false).sum()
        self.references += present.sum()

    def _in_segments(self, active: Tensor) -> Tensor:
        """(batch, class, frame) -> (batch, class, segment)."""
        middles = (torch.arange(active.shape[-1], device=active.device) + 0.5) * self.step
        index = (middles / self.segment).long()
        segments = active.new_zeros((*active.shape[:2], int(index[-1]) + 1), dtype=torch.uint8)
        return segments.scatter_reduce(2, index.expand_as(active), active.byte(), "amax").bool()

    def compute(self) -> Tensor:
        return self.errors / self.references.clamp_min(1)


def class_scores(classes: Sequence[str]) -> dict[str, Metric | MetricCollection]:
    """F1, precision and recall of each class, and the mean F1 of several classes, all at threshold 0.5."""
    kinds = {"f1": BinaryF1Score, "precision": BinaryPrecision, "recall": BinaryRecall}
    scores: dict[str, Metric | MetricCollection] = {
        f"{kind}/{name}": OfClass(metric(ignore_index=UNKNOWN), index)
        for index, name in enumerate(classes)
        for kind, metric in kinds.items()
    }
    if len(classes) > 1:
        scores["f1"] = MultilabelF1Score(len(classes), average="macro", ignore_index=UNKNOWN)
    return scores
