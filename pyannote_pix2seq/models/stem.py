"""Convolutional stem: frames every 10 ms -> audio positions every 80 ms."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .gated import GatedCNN


class Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    reach = 2  # frames that it sees on either side

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, images: Tensor) -> Tensor:
        return F.relu(images + self.body(images), inplace=True)


class Gated(GatedCNN):
    """DeviNet's gated convolution; as wide as `Residual`, it has as many multiplications."""

    reach = 1

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels)


#: What a stage does at its resolution: name -> module made of the number of channels.
BLOCKS: dict[str, type[Residual] | type[Gated]] = {"gated": Gated, "residual": Residual}


class Stem(nn.Module):
    """Features as a (frequency x time) image, halved in both directions by each stage.

    A two-dimensional stem learns voices many times faster than one-dimensional convolutions of the same cost:
    harmonics look alike wherever they stand.

    Parameters
    ----------
    num_features : int
        Features of a frame.
    channels : sequence of int
        Channels of each stage.
    dimension : int
        Size of an audio position.
    block : str
        Name in `BLOCKS`.
    depths : int or sequence of int
        Blocks of each stage.

    Raises
    ------
    ValueError
        If the block is not in the table, or the depths are not those of the stages.
    """

    def __init__(
        self,
        num_features: int,
        channels: Sequence[int],
        dimension: int,
        block: str = "residual",
        depths: int | Sequence[int] = 1,
    ) -> None:
        super().__init__()
        if block not in BLOCKS:
            raise ValueError(f"unknown block of a stem {block!r}; known blocks: {', '.join(sorted(BLOCKS))}.")
        self.depths = [depths] * len(channels) if isinstance(depths, int) else list(depths)
        if len(self.depths) != len(channels) or min(self.depths, default=1) < 1:
            raise ValueError(f"a stem of {len(channels)} stages needs as many depths, 1 or more; got {depths}.")
        self.reach = BLOCKS[block].reach
        stages: list[nn.Module] = []
        height, previous = num_features, 1
        for width, depth in zip(channels, self.depths, strict=True):
            stages += [
                nn.Conv2d(previous, width, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
                *(BLOCKS[block](width) for _ in range(depth)),
            ]
            height, previous = self.halved(height), width
        # channels beside each other in memory: a fifth faster on CPUs in bfloat16
        self.stages = nn.Sequential(*stages).to(memory_format=torch.channels_last)
        self.project = nn.Linear(previous * height, dimension)

    @staticmethod
    def halved(length: int) -> int:
        """Length after one stage."""
        return (length + 1) // 2

    @property
    def stride(self) -> int:
        """Frames from one position to the next."""
        return 2 ** len(self.depths)

    def num_positions(self, num_frames: int) -> int:
        for _ in self.depths:
            num_frames = self.halved(num_frames)
        return num_frames

    def receptive_field_size(self, num_positions: int = 1) -> int:
        """Number of frames that neighbouring positions see together."""
        size = num_positions
        for depth in reversed(self.depths):
            size = (size + 2 * self.reach * depth - 1) * 2 + 3  # the blocks, then a 3x3 convolution of stride 2
        return size

    def forward(self, features: Tensor) -> Tensor:
        """(batch, frame, feature) -> (batch, position, dimension)."""
        images = self.stages(features.unsqueeze(1).contiguous(memory_format=torch.channels_last))
        batch, channel, position, height = images.shape
        return self.project(images.permute(0, 2, 1, 3).reshape(batch, position, channel * height))
