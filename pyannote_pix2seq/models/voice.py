"""Voices: what the speaker at one place sounds like."""

from __future__ import annotations

from torch import Tensor, nn


class Nearby(nn.Module):
    """What is heard around a place helps to hear who talks there: a convolution in time around a shortcut."""

    def __init__(self, dimension: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dimension)
        self.around = nn.Conv1d(dimension, dimension, 3, padding=dilation, dilation=dilation)
        self.out = nn.Sequential(nn.GELU(), nn.Linear(dimension, dimension))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.out(self.around(self.norm(x).transpose(1, 2)).transpose(1, 2))


class VoiceHead(nn.Sequential):
    """Audio positions straight from the stem -> voices: (batch, position, dimension) -> (batch, position, feature).

    A voice is what is heard near one place, whoever else talks in the window: three positions on either side, so that
    sounds are known by their neighbours, and no more, so that turns of others stay out of it.

    Parameters
    ----------
    dimension : int
        Size of an audio position.
    num_features : int
        Size of a voice.
    """

    DILATIONS = (1, 2)

    def __init__(self, dimension: int, num_features: int) -> None:
        super().__init__(
            *(Nearby(dimension, dilation) for dilation in self.DILATIONS),
            nn.LayerNorm(dimension),
            nn.Linear(dimension, dimension),
            nn.ReLU(),
            nn.Linear(dimension, num_features),
        )
