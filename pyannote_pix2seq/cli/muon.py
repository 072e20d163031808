"""Muon for the matrices between layers, AdamW for everything else, as one optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

MAX_ASPECT = 16  # a table of embeddings or an output layer has many rows and few columns, or the other way round


def between_layers(parameter: nn.Parameter) -> bool:
    """Whether a parameter is a matrix that takes features to features."""
    return parameter.ndim == 2 and max(parameter.shape) <= MAX_ASPECT * min(parameter.shape)


def fast(device: torch.device) -> torch.dtype:
    """In which precision matrices are multiplied fast: in bfloat16 most processors have no instructions for it."""
    slow = device.type == "cpu" and "AVX512" not in torch.backends.cpu.get_cpu_capability()
    return torch.float32 if slow else torch.bfloat16


def orthogonal(matrices: Tensor) -> Tensor:
    """Nearly the nearest matrices whose singular values are all one: five quintic Newton-Schulz iterations.

    Parameters
    ----------
    matrices : (matrix, row, column) Tensor

    Returns
    -------
    orthogonal : (matrix, row, column) Tensor
        Its singular values are between about 0.7 and 1.2 (Jordan et al., 2024, whose coefficients these are).
    """
    wide = matrices.shape[1] <= matrices.shape[2]
    x = (matrices if wide else matrices.mT).to(fast(matrices.device))
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    return (x if wide else x.mT).to(matrices.dtype)


class Orthogonal(Optimizer):
    """Muon for matrices alone: what `torch.optim.Muon` does, but not in bfloat16 where that is slow.

    Parameters
    ----------
    params : iterable of dict
        Parameter groups of matrices.
    lr, weight_decay, momentum : float
    """

    RMS = 0.2  # of a step of AdamW, relative to its rate

    def __init__(self, params: Iterable[dict[str, Any]], lr: float, weight_decay: float, momentum: float) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step, with Nesterov's momentum and decoupled weight decay."""
        for group in self.param_groups:
            momentum, lr = group["momentum"], group["lr"]
            alike: dict[torch.Size, list[tuple[Tensor, Tensor]]] = {}  # all of one shape at once: a GPU waits less
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(matrix)
                mean = state["momentum_buffer"].lerp_(matrix.grad, 1 - momentum)
                alike.setdefault(matrix.shape, []).append((matrix, matrix.grad.lerp(mean, momentum)))
            for shape, rows in alike.items():
                for (matrix, _), direction in zip(rows, orthogonal(torch.stack([g for _, g in rows])), strict=True):
                    matrix.mul_(1 - lr * group["weight_decay"])
                    matrix.add_(direction, alpha=-lr * self.RMS * max(shape) ** 0.5)


class Muon(Optimizer):
    """Steps of equal length in all directions, for the matrices between layers (Jordan et al., 2024).

    They are scaled to the steps of AdamW (Liu et al., arXiv 2502.16982), which takes care of all other parameters.

    Parameters
    ----------
    params : iterable of dict
        Parameter groups.
    lr : float
        Rate of AdamW.
    boost : float
        Rate of Muon, relative to it.
    momentum : float
        Of Muon.
    betas, eps
        Of AdamW.
    weight_decay : float
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        lr: float = 1e-3,
        boost: float = 4.0,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.98),
        eps: float = 1e-8,
        weight_decay: float = 0.05,
    ) -> None:
        groups = list(params)
        hidden = self._only(groups, between_layers)
        rest = self._only(groups, lambda parameter: not between_layers(parameter))
        self.parts: list[Optimizer] = []
        if hidden:
            self.parts.append(Orthogonal(hidden, lr=boost * lr, weight_decay=weight_decay, momentum=momentum))
        if rest:
            self.parts.append(AdamW(rest, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))
        super().__init__([group for part in self.parts for group in part.param_groups], {})

    @staticmethod
    def _only(groups: list[dict[str, Any]], chosen: Callable[[nn.Parameter], bool]) -> list[dict[str, Any]]:
        kept = [group | {"params": [p for p in group["params"] if chosen(p)]} for group in groups]
        return [group for group in kept if group["params"]]

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:  # type: ignore[override]
        """One step of both."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        first = 0
        for part in self.parts:  # what is here was loaded or scheduled; the parts work on it
            last = first + len(part.param_groups)
            part.state, part.param_groups = self.state, self.param_groups[first:last]
            part.step()
            first = last
        return loss
