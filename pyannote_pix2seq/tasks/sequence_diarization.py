"""Speaker diarization as a sequence-to-sequence task."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Protocol

import torch
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.tasks.segmentation.mixins import SegmentationTask
from pyannote.core import Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, Sampler
from torchmetrics import Metric

from ..decoding.rules import window_rules
from ..decoding.search import search
from ..models.pix2seq import SequenceSpecifications
from ..tokens import decode
from ..turns import to_annotation
from .targets import Window, activity_loss, collate, sequence_loss
from .windows import Prompting, SyntheticWindows

MAX_IDENTIFIED = 768  # positions of a batch that the identity loss looks at: neighbours say the same


class Consecutive(Sampler):
    """Indices from `first` on: a training run that resumes goes on where it stopped."""

    def __init__(self, first: int, count: int) -> None:
        self.first, self.count = first, count

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.first + self.count))

    def __len__(self) -> int:
        return self.count


class MixtureProtocol(Protocol):
    """A protocol whose files are mixtures: it can make more of them."""

    def simulator(self, subset: str) -> Any: ...


class ErrorRate(Metric):
    """Diarization error rate over windows: no collar, overlap scored."""

    higher_is_better = False
    PARTS = ("missed detection", "false alarm", "confusion", "total")

    def __init__(self) -> None:
        super().__init__()
        self.add_state("parts", torch.zeros(len(self.PARTS)), dist_reduce_fx="sum")

    def update(self, reference: Any, hypothesis: Any, start: float, end: float) -> None:
        """Score one window: two `Annotation`s, from `start` to `end` seconds."""
        scored = DiarizationErrorRate()(
            reference, hypothesis, uem=Timeline([Segment(start, end)]), detailed=True
        )
        self.parts += torch.tensor([scored[part] for part in self.PARTS], device=self.parts.device)

    def compute(self) -> Tensor:
        return self.parts[:3].sum() / self.parts[3].clamp_min(1e-6)


class SequenceDiarization(SegmentationTask):
    """Write down who speaks when.

    Parameters
    ----------
    protocol : Protocol
    cache : str, optional
        See `pyannote.audio.Task`.
    duration : float
        Of the windows, prompts included, in seconds.
    batch_size, num_workers, pin_memory, augmentation
        See `pyannote.audio.Task`.
    num_batches : int
        Batches in an epoch.
    num_validation : int
        Windows that are decoded to validate.
    prompting : Prompting
        How often and how well voices are known beforehand.
    spread : float
        Standard deviation of the time targets, in steps.
    activity_weight, identity_weight : float
        Of the two auxiliary losses.
    ramp : int
        Batches over which mixtures become as difficult as they get.
    seed : int
    """

    def __init__(
        self,
        protocol: Any,
        cache: str | None = None,
        duration: float = 30.0,
        batch_size: int = 16,
        num_workers: int | None = None,
        pin_memory: bool = False,
        augmentation: Any = None,
        num_batches: int = 500,
        num_validation: int = 64,
        prompting: Prompting | None = None,
        spread: float = 2.0,
        activity_weight: float = 0.5,
        identity_weight: float = 0.5,
        ramp: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(
            protocol, cache=cache, duration=duration, batch_size=batch_size, num_workers=num_workers,
            pin_memory=pin_memory, augmentation=augmentation,
        )  # fmt: skip
        self.num_batches = num_batches
        self.num_validation = num_validation
        self.prompting = prompting or Prompting()
        self.spread = spread
        self.activity_weight = activity_weight
        self.identity_weight = identity_weight
        self.ramp = ramp
        self.seed = seed
        self.specifications = SequenceSpecifications(
            problem=Problem.MONO_LABEL_CLASSIFICATION,
            resolution=Resolution.CHUNK,
            duration=duration,
            classes=["speech"],
            permutation_invariant=True,
            num_voices=protocol.simulator("train").num_identities,
        )

    def prepare_data(self) -> None:
        """Nothing to prepare: mixtures are made when they are asked for."""

    def setup(self, stage: str | None = None) -> None:
        """Nothing to load."""

    def windows(self, subset: str) -> Dataset:
        train = subset == "train"
        return SyntheticWindows(
            self.protocol.simulator(subset),
            self.duration,
            self.model.grid.resolution,
            self.prompting,
            seed=self.seed if train else self.seed + 1,
            ramp=self.ramp * self.batch_size if train else 0,
        )

    def _loader(self, subset: str, first: int, count: int) -> DataLoader:
        return DataLoader(
            self.windows(subset),
            batch_size=self.batch_size,
            sampler=Consecutive(first, count),
            num_workers=self.num_workers,
            pin_memory=self.pin_memory,
            collate_fn=partial(self.collate_fn, stage=subset),
        )

    def train_dataloader(self) -> DataLoader:
        return self._loader("train", self.model.global_step * self.batch_size, self.num_batches * self.batch_size)

    def val_dataloader(self) -> DataLoader:
        return self._loader("development", 0, self.num_validation)

    def collate_fn(self, batch: list[Window], stage: str = "train") -> dict[str, Tensor]:
        num_positions = self.model.num_frames(len(batch[0].waveform))
        return collate(batch, self.model.vocabulary, num_positions, self.model.steps_per_position)

    def _losses(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        state = self.model.read(batch["waveforms"])
        logits, _ = self.model.write(batch["tokens"][:, :-1], state)
        known = batch["voices"] >= 0
        losses = {
            "sequence": sequence_loss(logits, batch["tokens"], batch["taught"], self.model.vocabulary, self.spread),
            "activity": activity_loss(state.activity, batch["activity"]),
        }
        if known.any():
            described, identities = state.described[known], batch["voices"][known]
            some = torch.randperm(len(identities), device=identities.device)[:MAX_IDENTIFIED]
            logits, named = self.model.identify(described[some]), identities[some]
            losses["identity"] = F.cross_entropy(logits.float(), named)
            losses["identified"] = (logits.argmax(-1) == named).float().mean()
        return losses

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        losses = self._losses(batch)
        loss = losses["sequence"] + self.activity_weight * losses["activity"]
        if "identity" in losses:
            loss = loss + self.identity_weight * losses["identity"]
        for name, value in losses.items():
            self.model.log(f"train/{name}", value.detach(), prog_bar=True, batch_size=len(batch["tokens"]))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        model, grid, vocabulary = self.model, self.model.grid, self.model.vocabulary
        last = grid.step(batch["waveforms"].shape[-1] / model.hparams.sample_rate)
        tokens = [[t for t in row[1:] if t != vocabulary.PAD] for row in batch["tokens"].tolist()]
        forced = [int((row[1 : 1 + len(t)] == 0).sum()) for row, t in zip(batch["taught"], tokens, strict=True)]
        prompts = [decode(t[:n], vocabulary) for t, n in zip(tokens, forced, strict=True)]
        firsts = [p[-1].end if p else 0 for p in prompts]
        rules = [
            window_rules(vocabulary, first_step=first, last_step=last, max_turns=model.hparams.max_turns)
            for first in firsts
        ]
        written = search(model, batch["waveforms"], rules, [t[:n] for t, n in zip(tokens, forced, strict=True)])
        labels = [str(s) for s in range(vocabulary.num_speakers)]
        for true, found, first in zip(tokens, written, firsts, strict=True):
            reference, hypothesis = (
                to_annotation(decode(t, vocabulary), labels, grid) for t in (true, found.tokens)
            )
            self.model.validation_metric["ErrorRate"].update(
                reference, hypothesis, grid.seconds(first), grid.seconds(last)
            )
        self.model.log("ErrorRate", self.model.validation_metric["ErrorRate"], on_epoch=True, prog_bar=True)
        for name, value in self._losses(batch).items():
            self.model.log(f"validation/{name}", value, on_epoch=True, batch_size=len(tokens))

    def default_metric(self) -> dict[str, Metric]:
        return {"ErrorRate": ErrorRate()}

    @property
    def val_monitor(self) -> tuple[str, str]:
        return "ErrorRate", "min"
