"""Gated building blocks: a sigmoid decides how much of each unit passes (Dauphin et al. 2017, arXiv 1612.08083)."""

from __future__ import annotations

from torch import Tensor, nn

#: How the two directions of a recurrent layer become one output: name -> size of it per hidden unit.
DIRECTIONS = {"sum": 1, "concatenate": 2}


class GatedCNN(nn.Module):
    """3 x 3 convolution and batch normalisation whose first half of channels gates the second half.

    Parameters
    ----------
    in_channels, out_channels : int
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 2 * out_channels, kernel_size=3, padding=1)
        self.batchnorm = nn.BatchNorm2d(2 * out_channels)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, channel, frame, band) -> (batch, channel, frame, band)."""
        gate, linear = self.batchnorm(self.conv(features)).chunk(2, dim=1)
        return gate.sigmoid() * linear


class PooledGatedCNN(nn.Sequential):
    """Two gated convolutions, then a maximum over neighbouring bands; frames are kept.

    Parameters
    ----------
    in_channels, out_channels : int
    pooling : int
        Number of bands that become one.
    """

    def __init__(self, in_channels: int, out_channels: int, pooling: int) -> None:
        super().__init__(
            GatedCNN(in_channels, out_channels),
            GatedCNN(out_channels, out_channels),
            nn.MaxPool2d((1, pooling)),
        )


class BiGRU(nn.Module):
    """Bidirectional GRU, optionally gated by a second one.

    Parameters
    ----------
    input_size, hidden_size : int
    gated : bool
        Multiply with the sigmoid of a second GRU.
    directions : {"sum", "concatenate"}
        Add the two directions up, or put them side by side.
    """

    def __init__(self, input_size: int, hidden_size: int, gated: bool, directions: str) -> None:
        super().__init__()
        self.directions = directions
        self.output_size = DIRECTIONS[directions] * hidden_size
        self.gru_lin = nn.GRU(input_size, hidden_size, bidirectional=True, batch_first=True)
        self.gru_sig = nn.GRU(input_size, hidden_size, bidirectional=True, batch_first=True) if gated else None

    def _joined(self, gru: nn.GRU, frames: Tensor) -> Tensor:
        both, _ = gru(frames)
        if self.directions == "concatenate":
            return both
        forwards, backwards = both.chunk(2, dim=-1)
        return forwards + backwards

    def forward(self, frames: Tensor) -> Tensor:
        """(batch, frame, feature) -> (batch, frame, feature)."""
        linear = self._joined(self.gru_lin, frames)
        return linear if self.gru_sig is None else self._joined(self.gru_sig, frames).sigmoid() * linear
