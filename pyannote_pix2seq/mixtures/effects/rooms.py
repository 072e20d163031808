"""Simulated rooms: impulse responses from several places in each to one microphone (image method, pyroomacoustics)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..plan import SAMPLE_RATE
from .recordings import Samples, impulse_response

NUM_PLACES = 8
MAX_ORDER = 20  # of reflections: the number of images grows with its cube


@lru_cache(maxsize=256)
def room(index: int) -> tuple[Samples, ...]:
    """Impulse responses of room number `index`, always the same: one for each of its places.

    Each starts with its direct sound and has unit energy: loudness is the business of other effects.
    """
    import pyroomacoustics

    rng = np.random.default_rng((7, index))
    size = rng.uniform([3.0, 3.0, 2.4], [9.0, 7.0, 3.6])
    decay = rng.uniform(0.2, 0.7)
    try:
        absorption, order = pyroomacoustics.inverse_sabine(decay, size)
    except ValueError:  # a large room cannot decay so fast: its walls then absorb all they can
        absorption, order = 0.99, 1
    shoebox = pyroomacoustics.ShoeBox(
        size, fs=SAMPLE_RATE, materials=pyroomacoustics.Material(absorption), max_order=min(order, MAX_ORDER)
    )
    shoebox.add_microphone(rng.uniform(0.3, size - 0.3))
    for _ in range(NUM_PLACES):
        shoebox.add_source(rng.uniform([0.3, 0.3, 1.0], [size[0] - 0.3, size[1] - 0.3, 1.9]))
    _compute(shoebox)
    return tuple(impulse_response(np.asarray(response, dtype=np.float32)) for response in shoebox.rir[0])


def _compute(shoebox: Any) -> None:
    """Impulse responses by one thread: sums of several differ in their last bits, by how many processors there are."""
    from pyroomacoustics import constants

    num_threads = constants.get("num_threads")
    constants.set("num_threads", 1)
    try:
        shoebox.compute_rir()
    finally:
        constants.set("num_threads", num_threads)
