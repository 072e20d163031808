"""Learned filterbanks: band-pass filters whose cut-off frequencies are trained with the model."""

from __future__ import annotations

import torch
from asteroid_filterbanks import Encoder, ParamSincFB
from torch import Tensor, nn
from torch.nn.functional import pad

from .base import FrontEnd, full_precision


class LearnedFilterbank(FrontEnd):
    """Log energies of a parametric bank of sinc filters, initialised on the mel scale.

    Each band is a pair of filters in quadrature, so its energy does not depend on phase.

    Parameters
    ----------
    sample_rate : int
    num_filters : int
        Number of bands.
    window : float
        Length of the filters, in seconds.
    hop : float
        From one frame to the next, in seconds.

    Source
    ------
    Ravanelli and Bengio 2018 (arXiv 1808.00158), Pariente et al. 2020 (arXiv 1910.10400) through asteroid-filterbanks.
    """

    FLOOR = 1e-6

    def __init__(
        self, sample_rate: int = 16000, num_filters: int = 64, window: float = 0.025, hop: float = 0.010
    ) -> None:
        hop_length = round(hop * sample_rate)
        window_length = round(window * sample_rate) // 2 * 2 + 1  # odd: filters have a middle sample
        super().__init__(sample_rate, hop_length, window_length, num_filters)
        bank = ParamSincFB(2 * num_filters, window_length, stride=hop_length, sample_rate=float(sample_rate))
        self.filters = Encoder(bank)
        # the gain of a filter changes with its band while it is trained: what follows should not notice
        self.norm = nn.BatchNorm1d(num_filters)

    def forward(self, waveforms: Tensor) -> Tensor:
        with full_precision(waveforms):
            half = self.window_length // 2
            # one sample more on the right, so that a frame is centred on the sample behind the last one, as for LogMel
            padded = pad(waveforms.float(), (half, half + 1))
            even, odd = self.filters(padded).chunk(2, dim=1)
            energy = even.square() + odd.square()
            features = self.norm(torch.log(energy + self.FLOOR))
        return features.transpose(1, 2)
