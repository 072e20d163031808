"""Levels and filters of sounds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from scipy.signal import firwin2, oaconvolve

MARGIN = 15.9  # decibels below the level of speech: fainter frames are pauses
Samples = np.ndarray  # (sample,) float32
Sound = np.ndarray | torch.Tensor  # the same, or a tensor on any device: what is drawn is applied to both


def gain(decibels: float) -> float:
    return 10 ** (decibels / 20)


def response(points: np.ndarray, decibels: np.ndarray, taps: int) -> Samples:
    """Filter with a gain at each of some frequencies, which are given as shares of the highest one there is."""
    return firwin2(taps, points, 10 ** (decibels / 20)).astype(np.float32)


def library(samples: Sound) -> Any:
    """numpy or torch: whose functions take the samples."""
    return torch if isinstance(samples, torch.Tensor) else np


def beside(array: Samples, samples: Sound) -> Any:
    """An array as the samples are: of the same library, on the same device."""
    return torch.as_tensor(array, device=samples.device) if isinstance(samples, torch.Tensor) else array


def convolve(samples: Sound, response: Samples) -> Any:
    """(sample + tap - 1,) samples behind a filter."""
    if not isinstance(samples, torch.Tensor):
        return oaconvolve(samples, response)
    length = len(samples) + len(response) - 1
    size = 1 << (length - 1).bit_length()  # of which Fourier transforms are fast
    spectrum = torch.fft.rfft(samples, size) * torch.fft.rfft(beside(response, samples), size)
    return torch.fft.irfft(spectrum, size)[:length]


def filtered(samples: Sound, response: Samples) -> Any:
    """(sample,) samples behind a filter, without its delay: the middle tap of the response is now."""
    first = (len(response) - 1) // 2
    return convolve(samples, response)[first : first + len(samples)]


def level(samples: Sound) -> float:
    """Root mean square of the 20 ms frames that are heard, however few they are: those within `MARGIN` of it.

    The active level of ITU-T P.56, by frames in place of an envelope.
    """
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    energies = library(samples).einsum("fs,fs->f", frames, frames)
    power = np.sort(torch.as_tensor(energies).cpu().numpy().astype(np.float64) / 320)[::-1]  # the CPU is not slower
    means = power.cumsum() / np.arange(1, len(power) + 1)  # of the loudest frame, the loudest two...
    return math.sqrt(means[power >= means * gain(-2 * MARGIN)][-1]) if len(power) else 0.0


def speech_level(samples: Sound) -> float:
    """Level of a mixture, or a usual one of speech where nobody speaks: what is added to it is as loud either way."""
    return level(samples) or 0.05
