"""Log-mel energies."""

from __future__ import annotations

import torch
from torch import Tensor
from torchaudio.transforms import MelSpectrogram

from .base import FrontEnd, full_precision


class LogMel(FrontEnd):
    """Log-mel energies with a fixed scale: level is information, no window is normalised by itself.

    Parameters
    ----------
    sample_rate : int
    num_mels : int
        Number of bands.
    window : float
        Length of the Hann window, in seconds.
    hop : float
        From one frame to the next, in seconds.
    """

    # natural log of mel power: distant to close speech spans about -14 to 5, which is mapped to about -2 to 2
    FLOOR = 1e-8
    CENTER = -4.0
    SCALE = 5.0

    def __init__(self, sample_rate: int = 16000, num_mels: int = 80, window: float = 0.025, hop: float = 0.010) -> None:
        window_length, hop_length = round(window * sample_rate), round(hop * sample_rate)
        super().__init__(sample_rate, hop_length, window_length, num_mels)
        num_fft = 1 << (window_length - 1).bit_length()  # the next power of two
        self.mel = MelSpectrogram(
            sample_rate, n_fft=num_fft, win_length=window_length, hop_length=hop_length, n_mels=num_mels, center=False,
            power=None,
        )  # fmt: skip

    def forward(self, waveforms: Tensor) -> Tensor:
        with full_precision(waveforms):
            # the centred transform of torch reflects the edges, which needs more samples than the shortest chunks have
            padded = torch.nn.functional.pad(waveforms[:, 0].float(), 2 * (self.mel.n_fft // 2,))
            spectrum = torch.view_as_real(self.mel.spectrogram(padded))
            energy = self.mel.mel_scale(spectrum.square().sum(-1))  # twice as fast as the square of a modulus
            features = (energy.clamp_min(self.FLOOR).log() - self.CENTER) / self.SCALE
        return features.transpose(1, 2)
