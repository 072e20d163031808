"""Optimizers and schedulers that training attaches to a model, as they are named in the configuration."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import MethodType
from typing import Any

from pyannote.audio import Model
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingWarmRestarts,
    CyclicLR,
    LambdaLR,
    ReduceLROnPlateau,
)

Schedule = dict[str, Any]  # what Lightning calls an lr_scheduler_config


def attach(model: Model, optimizer: Callable[..., Optimizer], scheduler: Callable[..., Schedule]) -> None:
    """Let a model be trained with this optimizer and scheduler.

    Parameters
    ----------
    model : Model
    optimizer : callable
        (parameter groups) -> Optimizer.
    scheduler : callable
        (optimizer, model) -> schedule.
    """

    def configure_optimizers(self: Model) -> dict[str, Any]:
        made = optimizer(parameter_groups(self))
        return {"optimizer": made, "lr_scheduler": scheduler(made, self)}

    model.configure_optimizers = MethodType(configure_optimizers, model)


def parameter_groups(model: nn.Module) -> list[dict[str, Any]]:
    """Matrices, which weight decay is for, and the rest."""
    learned = [p for p in model.parameters() if p.requires_grad]
    matrices, rest = [p for p in learned if p.ndim > 1], [p for p in learned if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": matrices}, {"params": rest, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def rise_and_fall(step: int, past: float, warmup: int, floor: float) -> float:
    """Share of the highest rate: a linear rise over `warmup` steps, times half a cosine down to `floor`.

    Parameters
    ----------
    step : int
        From 0.
    past : float
        Share of the training that is over.
    warmup : int
    floor : float
    """
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, past)))
    return min(1.0, (step + 1) / max(warmup, 1)) * (floor + (1 - floor) * cosine)


def warmup_cosine(
    optimizer: Optimizer, model: Model, warmup: int = 300, floor: float = 0.02, num_steps: int | None = None
) -> Schedule:
    """A linear rise over `warmup` steps, then half a cosine down to `floor` at the last of `num_steps`.

    Raises
    ------
    ValueError
        If the trainer does not know how many steps it will take, and `num_steps` does not tell.
    """
    total = model.trainer.estimated_stepping_batches if num_steps is None else num_steps
    if math.isinf(total):
        raise ValueError("scheduler WarmupCosine: set scheduler.num_steps, trainer.max_steps or trainer.max_epochs.")

    def factor(step: int) -> float:
        return rise_and_fall(step, step / total, warmup, floor)

    return {"scheduler": LambdaLR(optimizer, factor), "interval": "step"}


def constant(optimizer: Optimizer, model: Model) -> Schedule:
    """The same learning rate throughout."""
    return {"scheduler": LambdaLR(optimizer, lambda step: 1.0), "interval": "epoch"}


def reduce_on_plateau(
    optimizer: Optimizer,
    model: Model,
    factor: float = 0.5,
    patience: int = 20,
    threshold: float = 1e-4,
    cooldown: int = 0,
    min_lr: float = 0.0,
) -> Schedule:
    """A lower rate when what the task monitors has not become better for `patience` epochs."""
    monitor, direction = model.task.val_monitor
    if monitor is None or not model.task.has_validation:
        raise ValueError(f"scheduler ReduceLROnPlateau: {type(model.task).__name__} monitors nothing on this protocol.")
    scheduler = ReduceLROnPlateau(
        optimizer, direction, factor=factor, patience=patience, threshold=threshold, cooldown=cooldown, min_lr=min_lr
    )
    validated = model.trainer.check_val_every_n_epoch or 1
    return {"scheduler": scheduler, "interval": "epoch", "frequency": validated, "monitor": monitor, "strict": True}


def cosine_warm_restarts(
    optimizer: Optimizer, model: Model, period: int = 1000, growth: int = 1, min_lr: float = 0.0
) -> Schedule:
    """SGDR (Loshchilov and Hutter, arXiv 1608.03983), step by step."""
    scheduler = CosineAnnealingWarmRestarts(optimizer, period, T_mult=growth, eta_min=min_lr)
    return {"scheduler": scheduler, "interval": "step"}


def cyclic(optimizer: Optimizer, model: Model, period: int = 2000, ratio: float = 0.1) -> Schedule:
    """Up and down between `ratio` of the rate and the rate (Smith, arXiv 1506.01186); `period` steps."""
    rates = [group["lr"] for group in optimizer.param_groups]
    scheduler = CyclicLR(
        optimizer, [ratio * rate for rate in rates], rates, step_size_up=max(period // 2, 1), cycle_momentum=False
    )
    return {"scheduler": scheduler, "interval": "step"}
