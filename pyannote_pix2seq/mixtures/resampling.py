"""Speech at another speed: a windowed sinc between the samples, one filter for each place that can be."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from threadpoolctl import ThreadpoolController

from .plan import ratio

TAPS = 32  # of each filter
BEFORE = TAPS // 2 - 1  # of them, before the sample from which a place is counted


@lru_cache(maxsize=64)
def filters(speed: float) -> tuple[np.ndarray, np.ndarray]:
    """Filters of a period of the resampled speech, after which the same places come again.

    Returns
    ------
    filters : (place, tap) array of float32
    first : (place,) array of int
        Sample from which a place is counted, seen from the start of the period; filters start `BEFORE` samples before.
    """
    after, before = ratio(speed)
    places = np.arange(after) * before
    first = places // after
    distance = np.arange(TAPS) - BEFORE - (places % after / after)[:, None]  # in samples
    band = 0.92 * min(1.0, after / before)  # what is too high for the new rate would come back as something else
    response = np.sinc(band * distance) * np.cos(np.pi * distance / TAPS) ** 2
    return (response / response.sum(1, keepdims=True)).astype(np.float32), first


@lru_cache(maxsize=64)
def _matrix(speed: float) -> np.ndarray:
    """The filters as a (sample, place) matrix, which makes a period at once of the samples that it needs."""
    taps, first = filters(speed)
    matrix = np.zeros((first[-1] + TAPS, len(taps)), np.float32)
    for place, (row, start) in enumerate(zip(taps, first, strict=True)):
        matrix[start : start + TAPS, place] = row
    return matrix


@lru_cache(maxsize=1)
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


def resample(samples: np.ndarray, speed: float, length: int) -> np.ndarray:
    """(length,) float32: (sample,) int16 or float32 at another speed; silence is before and behind."""
    matrix, (after, before) = _matrix(speed), ratio(speed)
    periods = -(-length // after)
    padded = np.zeros((periods - 1) * before + len(matrix), np.float32)
    kept = samples[: len(padded) - BEFORE]
    padded[BEFORE : BEFORE + len(kept)] = kept
    with _threads().limit(limits=1, user_api="blas"):  # the last bit of a product depends on how threads share it
        resampled = sliding_window_view(padded, len(matrix))[::before] @ matrix
    return resampled.reshape(-1)[:length]


def resampled_at(
    samples: torch.Tensor, speed: float, source: torch.Tensor, length: torch.Tensor, index: torch.Tensor
) -> torch.Tensor:
    """Samples number `index` of stretches of speech at another speed, as `resample` makes them.

    Parameters
    ----------
    samples : (sample,) tensor
        Of a bank.
    speed : float
    source, length : (n,) tensors of int64
        First sample and length of the stretch, for each of the wanted samples.
    index : (n,) tensor of int64

    Returns
    -------
    resampled : (n,) tensor of float32
    """
    after, before = ratio(speed)
    taps, first = (torch.as_tensor(array, device=samples.device) for array in filters(speed))
    place = index % after
    start = index // after * before + first[place] - BEFORE
    resampled = torch.zeros(len(index), device=samples.device)
    for tap in range(TAPS):
        at = start + tap
        heard = samples[source + torch.minimum(at.clamp(min=0), length - 1)]
        resampled += taps[place, tap] * heard * ((at >= 0) & (at < length))
    return resampled
