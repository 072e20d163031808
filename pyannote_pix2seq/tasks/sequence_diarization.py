"""Speaker diarization as a sequence-to-sequence task."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pyannote.audio.tasks.segmentation.mixins import SegmentationTask
from pyannote.core import Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchmetrics import Metric

from ..decoding.rules import window_rules
from ..decoding.search import search
from ..files import passing, replacing
from ..models.pix2seq import SequenceSpecifications
from ..tokens import decode
from ..turns import TimeGrid, to_annotation
from .loaders import Consecutive, LazyLoader, drawing
from .noise_turns import WithNoiseTurns
from .recordings import read_protocol
from .targets import Window, activity_loss, collate, sequence_loss, time_distances
from .windows import Prompting, RecordedWindows, SyntheticWindows

MIN_POSITIONS = 6  # about half a second: less says little about a voice


def _num_processes() -> int:
    """That train together."""
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if distributed else 1


class ErrorRate(Metric):
    """Diarization error rate over windows: no collar, overlap scored."""

    higher_is_better = False
    parts: Tensor
    PARTS = ("missed detection", "false alarm", "confusion", "total")

    def __init__(self) -> None:
        super().__init__()
        self.add_state("parts", torch.zeros(len(self.PARTS)), dist_reduce_fx="sum")

    def update(self, reference: Any, hypothesis: Any, start: float, end: float) -> None:
        """Score one window: two `Annotation`s, from `start` to `end` seconds."""
        scored = DiarizationErrorRate()(reference, hypothesis, uem=Timeline([Segment(start, end)]), detailed=True)
        self.parts += torch.tensor([scored[part] for part in self.PARTS], device=self.parts.device)

    def compute(self) -> Tensor:
        return self.parts[:3].sum() / self.parts[3].clamp_min(1e-6)


class SequenceDiarization(SegmentationTask):
    """Write down who speaks when.

    A protocol of mixtures (one with a method `simulator`) gives windows that never repeat. Any other gives windows of
    its recordings, wherever they start; recordings that are shorter than a window are padded.

    Parameters
    ----------
    protocol : Protocol
        Validation needs its development set, on voices that were never trained on.
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
    speaker_weight : float
        Of speaker tokens in the loss of the sequence, where times weigh 1.
    activity_weight, identity_weight : float
        Of the two auxiliary losses.
    shortest : float, optional
        Of mixtures, a third of the batches are shorter windows, of at least so many seconds: files and their last
        chunks are. Default: none.
    num_solos : int
        Two-second clips of one speaker beside each mixture, to learn voices from: mixtures alone have too few voices
        in a batch for the identity loss to learn from.
    ramp : int
        Batches over which mixtures become as difficult as they get.
    easiest : float
        Difficulty at the start of the ramp, from 0 to 1.
    noise_turns : int
        Largest number of turns that nobody takes behind the true ones of a training window (see `noise_turns`); 0 for
        none.
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
        speaker_weight: float = 1.0,
        activity_weight: float = 0.5,
        identity_weight: float = 0.5,
        shortest: float | None = None,
        num_solos: int = 0,
        ramp: int = 0,
        easiest: float = 0.1,
        noise_turns: int = 0,
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
        self.speaker_weight = speaker_weight
        self.activity_weight = activity_weight
        self.identity_weight = identity_weight
        self.shortest = shortest
        self.num_solos = num_solos
        self.ramp = ramp
        self.easiest = easiest
        self.noise_turns = noise_turns
        self.seed = seed
        self.synthetic = hasattr(protocol, "simulator")
        self._specify(protocol.simulator("train").num_identities if self.synthetic else 0)

    def _specify(self, num_voices: int) -> None:
        self.specifications = SequenceSpecifications.of(self.duration, num_voices)

    cache: Path | None

    def prepare_data(self) -> None:
        """Go through the protocol once and keep what is needed; mixtures are made when they are asked for instead."""
        if self.synthetic or (self.cache and self.cache.exists() and self.cache.stat().st_size > 0):
            return
        prepared = read_protocol(self.protocol, self.has_validation)
        if self.cache is None:
            self.cache = passing("prepared.npz")
        with replacing(self.cache) as path, path.open("wb") as file:
            np.savez_compressed(file, **prepared)  # type: ignore[arg-type]

    def setup(self, stage: str | None = None) -> None:
        """Load what was kept, in each process."""
        if self.synthetic:
            return
        if stage == "fit":
            self.cache = self.trainer.strategy.broadcast(self.cache)
        assert self.cache is not None, "prepare_data comes before setup"
        with np.load(self.cache, allow_pickle=False) as arrays:
            self.prepared_data = dict(arrays)
        found = str(self.prepared_data["protocol"])
        if found != self.protocol.name:
            raise ValueError(
                f"the cache {self.cache} was made for {found}, not for {self.protocol.name}: delete it, or set another."
            )
        if self.has_validation and not self.prepared_data["subset"].any():
            raise ValueError(
                f"the cache {self.cache} was made when {found} had no development set: delete it, or set another."
            )
        self._specify(int(self.prepared_data["voices"].max(initial=-1)) + 1)

    def windows(self, subset: str) -> SyntheticWindows | RecordedWindows:
        """Windows without end, by index."""
        longest = self.model.grid.duration
        if self.duration > longest:
            raise ValueError(
                f"windows of {self.duration:g} s do not fit a model of {longest:g} s: lower the task's duration, or "
                "raise the model's together with its num_steps."
            )
        train, resolution = subset == "train", self.model.grid.resolution
        seed = self.seed if train else 0  # runs with different seeds are validated by the same windows
        max_voices = self.model.vocabulary.num_speakers - 1  # one is kept free for a newcomer
        if not self.synthetic:
            grid = TimeGrid(self.duration, round(self.duration / resolution))
            return RecordedWindows(self.prepared_data, subset, grid, self.prompting, max_voices, seed)
        simulator, most = self.protocol.simulator(subset), self.model.vocabulary.num_speakers
        if (drawn := simulator.style.max_speakers) > most:
            raise ValueError(
                f"{self.protocol.name} puts up to {drawn} speakers in a window, but the model writes {most} at most: "
                "raise its num_speakers, or give the style fewer."
            )
        return SyntheticWindows(
            simulator,
            self.duration,
            resolution,
            self.prompting,
            seed=seed,
            ramp=self.ramp * self.batch_size if train else 0,
            easiest=self.easiest,
            num_solos=self.num_solos if train else 0,
            max_voices=max_voices,
            shortest=self.shortest if train else None,
            together=self.batch_size * _num_processes(),
        )

    def __getstate__(self) -> dict[str, Any]:
        """For the processes that make windows, which need no trainer."""
        return {**self.__dict__, "trainer": None}

    def _loader(self, subset: str, count: int, first: Callable[[], int]) -> DataLoader:
        num_processes = _num_processes()
        rank = torch.distributed.get_rank() if num_processes > 1 else 0
        made = self.windows(subset)
        noisy = subset == "train" and self.noise_turns
        windows: Dataset = WithNoiseTurns(made, self.noise_turns, self.seed) if noisy else made
        return LazyLoader(
            windows,
            batch_size=self.batch_size,
            sampler=Consecutive(-(-count // num_processes), lambda: first() * num_processes, rank, num_processes),
            num_workers=self.num_workers,
            pin_memory=self.pin_memory,
            collate_fn=partial(self.collate_fn, stage=subset),
        )

    def _windows_seen(self) -> int:
        """Training windows that each process has used up."""
        trainer = self.model._trainer
        return self.model.global_step * (trainer.accumulate_grad_batches if trainer else 1) * self.batch_size

    def train_dataloader(self) -> DataLoader:
        return self._loader("train", self.num_batches * self.batch_size, self._windows_seen)

    def val_dataloader(self) -> DataLoader | list[Any]:
        return self._loader("development", self.num_validation, lambda: 0) if self.has_validation else []

    def collate_fn(self, batch: list[Window], stage: str = "train") -> dict[str, Tensor]:
        num_positions = self.model.num_frames(len(batch[0].waveform))
        made = collate(batch, self.model.vocabulary, num_positions, self.model.steps_per_position)
        self.augmentation.train(mode=stage == "train")
        # drawn by what is augmented: the same in any process, and once resumed
        with drawing(zlib.crc32(made["waveforms"].numpy().data)):
            for name in [name for name in ("waveforms", "solos") if name in made]:
                augmented = self.augmentation(samples=made[name], sample_rate=self.model.hparams.sample_rate)
                made[name] = augmented["samples"]
        return made

    def losses(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Losses of a batch (see `collate_fn`), and what else is worth a look."""
        state = self.model.read(batch["waveforms"])
        logits, _ = self.model.write(batch["tokens"][:, :-1], state)
        tokens, taught, vocabulary = batch["tokens"], batch["taught"], self.model.vocabulary
        losses = {
            "sequence": sequence_loss(logits, tokens, taught, vocabulary, self.spread, self.speaker_weight),
            "activity": activity_loss(state.activity, batch["activity"]),
        }
        for name, steps in time_distances(logits, tokens, taught, vocabulary).items():
            losses[f"{name}_distance"] = steps * self.model.grid.resolution
        if self.model.training:  # nobody else was ever given an identity
            losses |= self._identity_losses(batch, state.voices)
        return losses

    def _identity_losses(self, batch: dict[str, Tensor], voices: Tensor) -> dict[str, Tensor]:
        """Who is heard: one vector for each speaker of each window, where nobody else talks, and for each solo."""
        alone = (batch["activity"] == 1) & (batch["activity"].sum(-1, keepdim=True) == 1)
        known = (batch["identities"] >= 0) & (alone.sum(1) >= MIN_POSITIONS)
        heard, named = torch.einsum("bps,bpf->bsf", alone.float(), voices)[known], batch["identities"][known]
        if "solos" in batch:
            heard = torch.cat([heard, self.model.hear(batch["solos"]).mean(1)])
            named = torch.cat([named, batch["soloists"]])
        if not len(named):
            return {}
        guessed = self.model.identify(heard).float()
        return {
            "identity": F.cross_entropy(guessed, named),
            "identified": (guessed.argmax(-1) == named).float().mean(),
        }

    def weighted(self, losses: dict[str, Tensor]) -> Tensor:
        """What training minimises."""
        loss = losses["sequence"] + self.activity_weight * losses["activity"]
        if "identity" in losses:
            return loss + self.identity_weight * losses["identity"]
        if self.model.identity is not None:  # processes that train together need every gradient, if only zeros
            return loss + 0 * sum(p.sum() for p in self.model.identity.parameters())
        return loss

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        losses = self.losses(batch)
        for name, value in losses.items():
            shown = not name.endswith("distance")
            self.model.log(f"train/{name}", value.detach(), prog_bar=shown, batch_size=len(batch["tokens"]))
        return self.weighted(losses)

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
            reference, hypothesis = (to_annotation(decode(t, vocabulary), labels, grid) for t in (true, found.tokens))
            self.model.validation_metric["ErrorRate"].update(
                reference, hypothesis, grid.seconds(first), grid.seconds(last)
            )
        self.model.log("ErrorRate", self.model.validation_metric["ErrorRate"], on_epoch=True, prog_bar=True)
        for name, value in self.losses(batch).items():
            self.model.log(f"validation/{name}", value, on_epoch=True, batch_size=len(tokens))

    def default_metric(self) -> dict[str, Metric]:
        return {"ErrorRate": ErrorRate()}

    @property
    def val_monitor(self) -> tuple[str, str]:
        return "ErrorRate", "min"
