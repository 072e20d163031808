"""Decoder-only transformer on continuous time, with its key-value cache passed in and out."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Cache(NamedTuple):
    """Keys and values of everything read or written so far, one pair for each layer.

    Each is (batch, head, position, feature of the head).
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]


def rotate(x: Tensor, times: Tensor) -> Tensor:
    """Rotary position embedding at real-valued times (Su et al., arXiv 2104.09864, eq. 34).

    Parameters
    ----------
    x : (batch, ..., position, feature) Tensor
    times : (batch or 1, position) Tensor
        In audio positions; a token stands at the time that it speaks of.
    """
    half = x.shape[-1] // 2
    frequencies = 1000.0 ** (-torch.arange(half, device=x.device, dtype=torch.float32) / half)
    angles = times.float()[..., None] * frequencies  # (batch, position, half)
    angles = angles.reshape(angles.shape[0], *[1] * (x.ndim - 3), *angles.shape[1:])
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


class Attention(nn.Module):
    """Multi-head attention; the first head of a voice-aware layer compares voices and nothing else."""

    def __init__(self, dimension: int, num_heads: int, dropout: float, voice_aware: bool) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.qkv = nn.Linear(dimension, 3 * dimension, bias=False)
        self.out = nn.Linear(dimension, dimension, bias=False)
        # logits of the voice head are `sharpness` times a cosine
        self.sharpness = nn.Parameter(torch.tensor(8.0)) if voice_aware else None

    def forward(
        self, x: Tensor, times: Tensor, voices: Tensor | None, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        batch, length, dimension = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        q, k = rotate(q, times), rotate(k, times)
        if self.sharpness is not None and voices is not None:
            scale = (self.sharpness.clamp_min(0) * k.shape[-1] ** 0.5).sqrt()
            same = (voices * scale).to(q.dtype)[:, None]
            q, k = torch.cat([same, q[:, 1:]], 1), torch.cat([same, k[:, 1:]], 1)
        mask = None
        if past is not None:
            # tokens: everything before, and each other causally
            num_past = past[0].shape[2]
            mask = torch.ones(length, num_past + length, dtype=torch.bool, device=x.device).tril(num_past)
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        attended = F.scaled_dot_product_attention(q, k, v, mask, self.dropout if self.training else 0.0)
        return self.out(attended.transpose(1, 2).reshape(batch, length, dimension)), (k, v)


class Layer(nn.Module):
    """Pre-norm attention and feed-forward."""

    def __init__(self, dimension: int, num_heads: int, dropout: float, voice_aware: bool) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dimension)
        self.attention = Attention(dimension, num_heads, dropout, voice_aware)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(dimension),
            nn.Linear(dimension, 4 * dimension),
            nn.GELU(),
            nn.Linear(4 * dimension, dimension),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, times: Tensor, voices: Tensor | None, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        attended, present = self.attention(self.attention_norm(x), times, voices, past)
        x = x + self.dropout(attended)
        return x + self.dropout(self.feed_forward(x)), present
