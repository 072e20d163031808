"""Detect classes of speakers (or of any sound) frame by frame, learned from strong labels, weak labels, or both."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pyannote.audio.core.task import Problem, Resolution, Specifications, TrainDataset
from pyannote.audio.tasks.segmentation.mixins import SegmentationTask
from pyannote.audio.utils.random import create_rng_for_worker
from pyannote.core import SlidingWindowFeature
from pyannote.database import Protocol
from torch import Tensor
from torch.nn.functional import binary_cross_entropy, pad
from torch.utils.data import DataLoader
from torch_audiomentations.core.transforms_interface import BaseWaveformTransform
from torchmetrics import Metric, MetricCollection

from ..files import passing, replacing
from ..models.devinet import Detection
from .detection_metrics import UNKNOWN, SegmentErrorRate, class_scores
from .labels import Pool, read_labels
from .loaders import LazyLoader
from .recordings import opened


class SpeakerDetection(SegmentationTask):
    """Multi-label detection from strong labels (frames), weak labels (tags), or both in one batch.

    A file of the protocol has strong labels if it has an `annotation`. It has weak labels if it has `tags` and
    its `annotation` is missing or empty: a list of the classes that occur in it, or an `Annotation` whose segments are
    regions and whose labels are the classes that occur in them (mark a region where none does with any other label).
    Chunks of a longer file or region inherit its tags, so `duration` should be close to what was tagged.
    Weak labels need a model with an attention head, such as `DeviNet(attention=True)`.

    `classes` of a file, if the protocol has them, are those that were annotated: others are unknown there, not absent.

    Parameters
    ----------
    protocol : Protocol
    classes : list of str, optional
        Classes to detect. Defaults to all `classes` of the protocol.
    duration : float
        Duration of chunks, in seconds. Shorter regions are padded with zeros.
    balanced : bool
        Draw training chunks so that all classes occur equally often; one chunk in (number of classes + 1) is drawn
        from anywhere. Otherwise all are drawn from anywhere.
    cache, batch_size, num_workers, pin_memory, augmentation, metric
        See `pyannote.audio.Task`. Metrics receive frames only: (batch, class, frame), -1 where the target is unknown.

    Raises
    ------
    ValueError
        If a file has neither strong nor weak labels, no class is known, or the model cannot learn from weak labels.
    """

    cache: Path | None

    def __init__(
        self,
        protocol: Protocol,
        cache: str | Path | None = None,
        classes: Sequence[str] | None = None,
        duration: float = 10.0,
        balanced: bool = True,
        batch_size: int = 32,
        num_workers: int | None = None,
        pin_memory: bool = False,
        augmentation: BaseWaveformTransform | None = None,
        metric: Metric | Sequence[Metric] | dict[str, Metric] | None = None,
    ) -> None:
        # labels are classes, hence global; but protocols of the kind "Segmentation" cannot say so
        protocol.preprocessors.setdefault("scope", _global_scope)
        super().__init__(
            protocol,
            cache=cache,
            duration=duration,
            batch_size=batch_size,
            num_workers=num_workers,
            pin_memory=pin_memory,
            augmentation=augmentation,
            metric=metric,
        )
        self.classes = None if classes is None else list(classes)
        self.balanced = balanced

    # data ------------------------------------------------------------------------------------------------------------

    def prepare_data(self) -> None:
        """Read all labels of the protocol once and write them to the cache (one process only)."""
        if self.cache and self.cache.exists() and self.cache.stat().st_size > 0:
            return
        if self.cache is None:
            self.cache = passing("labels.npz")
        prepared = read_labels(self.protocol, self.classes, self.has_validation)
        with replacing(self.cache) as path, path.open("wb") as file:
            np.savez_compressed(file, **prepared)

    def setup(self, stage: str | None = None) -> None:
        """Load the cache, in each process."""
        if stage == "fit":
            self.cache = self.trainer.strategy.broadcast(self.cache)
        assert self.cache is not None  # prepare_data has chosen one
        with np.load(self.cache, allow_pickle=False) as arrays:
            self.prepared_data = dict(arrays)
        found = str(self.prepared_data["protocol"]), self.prepared_data["classes-list"].tolist()
        if found[0] != self.protocol.name or self.classes not in (None, found[1]):
            raise ValueError(
                f"the cache {self.cache} was made for {found[0]} with classes {found[1]}, not for {self.protocol.name} "
                f"with {self.classes}: delete it or choose another one."
            )
        if self.has_validation and self.prepared_data["files"]["train"].all():
            raise ValueError(
                f"the cache {self.cache} was made when {found[0]} had no development set: delete it or choose another "
                "one."
            )
        self.classes = found[1]
        self.specifications = Specifications(
            classes=self.classes,
            problem=Problem.MULTI_LABEL_CLASSIFICATION,
            resolution=Resolution.FRAME,
            duration=self.duration,
            min_duration=self.min_duration,
        )
        files, regions, events = (self.prepared_data[key] for key in ("files", "regions", "events"))
        # events are sorted by region: those of region i are between first[i] and first[i + 1]
        self._first_event = np.searchsorted(events["region"], np.arange(len(regions) + 1))
        train = files["train"][regions["file"]]
        if not train.any():
            raise ValueError(f"{self.protocol.name}: the training set has no annotated region.")
        self._train_duration = float((regions["end"] - regions["start"])[train].sum())
        self._pools = [Pool(np.flatnonzero(train), regions["start"][train], regions["end"][train])]
        if self.balanced:
            for i in range(len(self.classes)):
                some = events[(events["class"] == i) & train[events["region"]]]
                if len(some):
                    self._pools.append(Pool(some["region"], some["start"], some["end"]))
        self._validation = [
            (int(i), float(start)) for i in np.flatnonzero(~train) for start in self._tiles(regions[i], files["weak"])
        ]

    def _tiles(self, region: np.void, weak: np.ndarray) -> np.ndarray:
        """Where validation chunks of a region start: they cover it without overlap."""
        starts = np.arange(region["start"], region["end"], self.duration)
        if weak[region["file"]]:
            # what a tag stands for need not be in the rest that is shorter than a chunk
            return starts[: max(1, int((region["end"] - region["start"]) / self.duration + 1e-6))]
        return starts

    def prepare_chunk(self, region: int, start: float) -> dict[str, Any]:
        """One chunk of a region.

        Returns
        -------
        chunk : dict
            X : (channel, sample) waveform
            y : (frame, class), 1 if active, 0 if not, -1 if unknown
            tags : (class,), the same for the whole chunk
            meta : number of the file
        """
        file, _, region_end = self.prepared_data["regions"][region].tolist()
        sample_rate = self.model.hparams.sample_rate
        num_samples = round(self.duration * sample_rate)
        path, end = self.prepared_data["audio-path"][file], min(start + self.duration, region_end)
        waveform, rate = _read_audio(path, start, end)
        if waveform.shape[1]:  # annotations may go on behind the end of the audio, and nothing cannot be resampled
            waveform, _ = self.model.audio.downmix_and_resample(waveform, rate)
        waveform = waveform[:1, :num_samples]

        # pyannote takes the middle of frame i to be at i x step + duration / 2 after the start of the chunk
        frames = self.model.receptive_field
        num_frames = self.model.num_frames(num_samples)

        def first_frame_from(time: float) -> int:
            frame = math.ceil(round((time - start - frames.duration / 2) / frames.step, 6))
            return min(max(frame, 0), num_frames)

        known = self.prepared_data["known"][file]
        weak = self.prepared_data["files"]["weak"][file]
        y = np.full((num_frames, len(known)), UNKNOWN, dtype=np.int8)
        tags = np.where(known, 0, UNKNOWN).astype(np.int8)
        events = self.prepared_data["events"][self._first_event[region] : self._first_event[region + 1]]
        if weak:
            tags[events["class"]] = 1
        else:
            y[: first_frame_from(region_end), known] = 0
            for event in events[(events["start"] < start + self.duration) & (events["end"] > start)]:
                y[first_frame_from(event["start"]) : first_frame_from(event["end"]), event["class"]] = 1
            tags = y.max(axis=0)
        return {
            "X": pad(waveform, (0, num_samples - waveform.shape[1])),
            "y": SlidingWindowFeature(y, frames, labels=self.classes),
            "tags": torch.from_numpy(tags),
            "meta": {"file": file},
        }

    def train__iter__(self) -> Iterator[dict[str, Any]]:
        """Endless training chunks: a class (or none) is drawn, then an event of it, then a chunk around it."""
        rng = create_rng_for_worker(self.model)
        # it knows of epochs only: a run that resumes in mid-epoch would draw again what it has seen
        rng.seed(f"{rng.random()} {self.model.global_step}")
        while True:
            region, time = rng.choice(self._pools).draw(rng)
            _, first, end = self.prepared_data["regions"][region].tolist()
            start = rng.uniform(time - self.duration, time)
            yield self.prepare_chunk(region, max(first, min(start, end - self.duration)))

    def train__len__(self) -> int:
        return max(self.batch_size, math.ceil(self._train_duration / self.duration))

    def train_dataloader(self) -> DataLoader:
        return LazyLoader(
            TrainDataset(self),
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            pin_memory=self.pin_memory,
            drop_last=True,
            collate_fn=partial(self.collate_fn, stage="train"),
        )

    def val_dataloader(self) -> DataLoader | list[Any]:
        return super().val_dataloader() or []  # Lightning takes None for a mistake

    def val__getitem__(self, idx: int) -> dict[str, Any]:
        return self.prepare_chunk(*self._validation[idx])

    def val__len__(self) -> int:
        return len(self._validation)

    def collate_fn(self, batch: list[dict[str, Any]], stage: str = "train") -> dict[str, Any]:
        return {**super().collate_fn(batch, stage), "tags": torch.stack([chunk["tags"] for chunk in batch])}

    # learning --------------------------------------------------------------------------------------------------------

    @property
    def _has_attention(self) -> bool:
        return bool(self.model.hparams.get("attention", False))

    def setup_loss_func(self) -> None:
        if self.prepared_data["files"]["weak"].any() and not self._has_attention:
            raise ValueError(
                f"{self.protocol.name} has weak labels (tags), and {type(self.model).__name__} has no attention head "
                "to learn from them: use DeviNet(attention=True)."
            )

    def default_metric(self) -> dict[str, Metric | MetricCollection]:
        """Scores of frames, if any file of the development set has strong labels."""
        files = self.prepared_data["files"]
        if not (~files["train"] & ~files["weak"]).any():
            return {}
        return class_scores(self.specifications.classes) | {
            "error_rate": SegmentErrorRate(self.model.receptive_field.step)
        }

    @cached_property
    def metric(self) -> MetricCollection:
        """Metrics of frames."""
        # grouping would merge classes that happen to have the same counts in the first batch
        return MetricCollection(self._metric or self.default_metric(), compute_groups=False)

    def setup_validation_metric(self) -> None:
        super().setup_validation_metric()
        if self._has_attention:
            tagging = MetricCollection(
                class_scores(self.specifications.classes), prefix="tagging/", compute_groups=False
            )
            self.model.tagging_metric = tagging.to(self.model.device)

    @property
    def val_monitor(self) -> tuple[str, str]:
        """Quantity and direction to monitor: unlike F1, the loss needs no threshold and exists for weak labels."""
        return "loss/val", "min"

    def _detect_and_score(self, batch: Mapping[str, Any], stage: str) -> tuple[Detection, Tensor | None]:
        """Detections, and the cross-entropy of frames plus that of tags, as far as they are known."""
        detection = self.model.detect(batch["X"]) if self._has_attention else Detection(self.model(batch["X"]))
        losses = []
        for probabilities, targets in ((detection.frames, batch["y"]), (detection.clips, batch["tags"])):
            if probabilities is not None and (known := targets != UNKNOWN).any():
                # cross-entropy of probabilities is not defined in half precision
                with torch.autocast(probabilities.device.type, enabled=False):
                    losses.append(binary_cross_entropy(probabilities[known].float(), targets[known].float()))
        if not losses:
            return detection, None
        loss = torch.stack(losses).sum()
        self.model.log(
            f"loss/{stage}", loss, on_step=False, on_epoch=True, prog_bar=stage == "val", batch_size=len(batch["X"])
        )
        return detection, loss

    def training_step(self, batch: Mapping[str, Any], batch_idx: int) -> Tensor | None:
        return self._detect_and_score(batch, "train")[1]

    def validation_step(self, batch: Mapping[str, Any], batch_idx: int) -> None:
        detection, _ = self._detect_and_score(batch, "val")
        metrics = self.model.validation_metric
        metrics.update(detection.frames.transpose(1, 2), batch["y"].transpose(1, 2))
        self.model.log_dict(metrics, on_step=False, on_epoch=True, prog_bar=True)
        if detection.clips is not None:
            metrics = self.model.tagging_metric
            metrics.update(detection.clips, batch["tags"])
            self.model.log_dict(metrics, on_step=False, on_epoch=True)


def _global_scope(file: Mapping[str, Any]) -> str:
    return file.get("scope", "global")


def _read_audio(path: str, start: float, end: float) -> tuple[Tensor, int]:
    """(channel, sample) waveform of a stretch of a file, and its sample rate."""
    with opened(path) as file:
        rate = file.samplerate
        first = min(round(start * rate), file.frames)
        file.seek(first)
        samples = file.read(max(round(end * rate) - first, 0), dtype="float32", always_2d=True)
    return torch.from_numpy(samples.T), rate
