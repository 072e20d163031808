"""What happens beside training: random numbers that resume, averaged weights, checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.plugins import TorchCheckpointIO

from ..files import replacing


class SeedSteps(Callback):
    """Random numbers of a step depend on the seed, the batch and the process alone.

    So a run that was killed goes on with the very dropout masks that it would have had, and no state has to be kept.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        numbers = (self.seed, trainer.global_step, batch_idx % trainer.accumulate_grad_batches, trainer.global_rank)
        # hash of a tuple of integers is the same in every process
        torch.manual_seed(hash(numbers) % 2**63)


class AveragedWeights(EMAWeightAveraging):
    """Exponential moving average of the weights: what is validated, saved and exported.

    The model of pyannote gets its last layers, and its task the data, when it is set up, which Lightning does after
    it has set up callbacks; and its task must not be copied along.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        pl_module.setup(stage)
        task = pl_module._task
        pl_module.__dict__["_task"] = None
        configure = pl_module.__dict__.pop("configure_optimizers", None)
        try:
            super().setup(trainer, pl_module, stage)
        finally:
            pl_module.__dict__["_task"] = task
            if configure is not None:
                pl_module.__dict__["configure_optimizers"] = configure

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Follow the model to its device, where it was not yet when callbacks were set up."""
        if self._average_model is not None:
            self._average_model.to(pl_module.device)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Do not overwrite the weights with their average: the checkpoint of the end, saved after this, has both."""


class AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoints that are whole or as before.

    Lightning writes them where temporary files go and moves them, which is a copy when that is another disk.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        with replacing(Path(path)) as file:
            torch.save(checkpoint, file)


class LastCheckpoint(ModelCheckpoint):
    """`last.ckpt`, also of the end of training: Lightning saves it there only if it never did before."""

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self._should_skip_saving_checkpoint(trainer):
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))


def checkpoints(folder: Path, monitor: tuple[str | None, str], top: int, every: int) -> list[ModelCheckpoint]:
    """The best `top` by what the task monitors, and `last.ckpt` every `every` steps and at the end.

    Parameters
    ----------
    folder : Path
    monitor : (str or None, {"min", "max"})
    top, every : int
    """
    last = LastCheckpoint(
        dirpath=folder, save_top_k=0, save_last=True, every_n_train_steps=every, enable_version_counter=False
    )
    name, mode = monitor
    if name is None:
        return [last]
    best = ModelCheckpoint(
        dirpath=folder,
        filename=f"epoch={{epoch}}-{name.replace('/', '_')}={{{name}:.4f}}",
        auto_insert_metric_name=False,
        monitor=name,
        mode=mode,
        save_top_k=top,
    )
    return [best, last]
