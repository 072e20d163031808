"""What every acoustic front-end owes: waveform -> (batch, frame, feature), and where its frames lie."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class FrontEnd(nn.Module, ABC):
    """Waveform to features on a regular grid of frames.

    Frame i is centred on sample `i * hop_length` and sees `window_length` samples around it.

    Parameters
    ----------
    sample_rate : int
        Sample rate, in Hz.
    hop_length : int
        Samples from one frame to the next.
    window_length : int
        Samples that one frame sees.
    dimension : int
        Number of features of a frame.
    """

    def __init__(self, sample_rate: int, hop_length: int, window_length: int, dimension: int) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.hop_length = hop_length
        self.window_length = window_length
        self.dimension = dimension

    def num_frames(self, num_samples: int) -> int:
        """Number of frames for a number of samples: one every `hop_length`, from sample 0 on."""
        return 1 + num_samples // self.hop_length

    def receptive_field_size(self, num_frames: int = 1) -> int:
        """Number of samples that `num_frames` neighbouring frames see together."""
        return self.window_length + (num_frames - 1) * self.hop_length

    def receptive_field_center(self, frame: int = 0) -> int:
        """Sample on which a frame is centred."""
        return frame * self.hop_length

    def remembered(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters that make this front-end again for a checkpoint: it has all weights, wherever they came from."""
        return dict(parameters)

    @abstractmethod
    def forward(self, waveforms: Tensor) -> Tensor:
        """(batch, channel = 1, sample) -> (batch, frame, feature)."""


def full_precision(waveforms: Tensor) -> torch.autocast:
    """Spectra need float32: energies span more than bfloat16 can tell apart."""
    return torch.autocast(waveforms.device.type, enabled=False)
