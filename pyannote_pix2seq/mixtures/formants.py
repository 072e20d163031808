"""A voice that is higher or lower than usual, but still of the same mouth."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

SIZE, HOP = 512, 256  # samples of a frame, and from one to the next
QUEFRENCY = 32  # samples, 2 ms: what is slower along the spectrum is an envelope, what is faster are harmonics


def with_formants(samples: Tensor, pitch: float) -> Tensor:
    """Speech that was played faster, with formants where they were before: only what is said is higher, not the mouth
    smaller.

    The envelope of each frame is taken from its cepstrum (Oppenheim, Journal of the Acoustical Society of America,
    1969), and moved.

    Parameters
    ----------
    samples : (sample,) Tensor of float32
    pitch : float
        How many times faster it is played.

    Returns
    -------
    samples : (sample,) Tensor of float32
    """
    window, lifter, place = (table.to(samples.device) for table in _tables(pitch))
    # one frame more, or the last sample might lie at the edge of a window alone, where all is rounding
    padded = torch.nn.functional.pad(samples, (0, HOP))
    spectrum = torch.stft(padded, SIZE, HOP, window=window, pad_mode="constant", return_complex=True)
    cepstrum = torch.fft.irfft(spectrum.abs().clamp_min(1.0).log(), dim=0)  # whoever is silent has no formants
    envelope = torch.fft.rfft(cepstrum * lifter, dim=0).real
    below = place.long().clamp(max=len(envelope) - 2)
    moved = torch.lerp(envelope[below], envelope[below + 1], (place - below)[:, None])
    return torch.istft(spectrum * (moved - envelope).exp(), SIZE, HOP, window=window, length=len(samples))


@lru_cache(maxsize=16)
def _tables(pitch: float) -> tuple[Tensor, Tensor, Tensor]:
    """Window, weight of each quefrency, and bin in which each bin's envelope is now."""
    lifter = torch.zeros(SIZE, 1)
    lifter[:QUEFRENCY] = lifter[-QUEFRENCY + 1 :] = 1
    return torch.hann_window(SIZE), lifter, (torch.arange(SIZE // 2 + 1) * pitch).clamp(max=SIZE // 2)
