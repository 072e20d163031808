"""Noise turns: turns that nobody takes, written behind the true ones so that sequences are not ended too early.

Source: sequence augmentation of Pix2Seq (Chen et al. 2021, arXiv 2109.10852, section 2.3). There, sequences never end,
and what is decoded as noise is dropped. Here decoding does not know noise, and the end is still taught, behind the
noise: less often where it follows a true turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch.utils.data import Dataset

from ..mixtures.plan import SAMPLE_RATE
from ..turns import Turn
from .targets import Window
from .windows import RecordedWindows, SyntheticWindows


def noise_turns(
    rng: np.random.Generator, turns: Sequence[Turn], first_step: int, last_step: int, most: int
) -> list[tuple[int, int]]:
    """Starts and ends of 0 to `most` noise turns, in steps.

    Half of them are true turns with both ends moved by up to their duration; the others are anywhere.
    """
    made = []
    for _ in range(rng.integers(most + 1)):
        if turns and rng.random() < 0.5:
            start, end, _ = turns[int(rng.integers(len(turns)))]
            points = np.array([start, end]) + rng.uniform(start - end, end - start, 2)
        else:
            points = rng.uniform(first_step, last_step, 2)
        low, high = sorted(np.clip(points.round().astype(int), first_step, last_step).tolist())
        low = min(low, last_step - 1)
        made.append((low, max(high, low + 1)))
    return made


class WithNoiseTurns(Dataset):
    """Windows with noise turns; window i always has the same.

    Parameters
    ----------
    windows : SyntheticWindows or RecordedWindows
    most : int
        Largest number of noise turns in a window.
    seed : int
    """

    def __init__(self, windows: SyntheticWindows | RecordedWindows, most: int, seed: int) -> None:
        self.windows, self.most, self.seed = windows, most, seed

    def __getitem__(self, index: int) -> Window:
        window = self.windows[index]
        forced, asked = window.turns[: window.num_forced], window.turns[window.num_forced :]
        last = round(len(window.waveform) / SAMPLE_RATE / self.windows.grid.resolution)
        first = min(max((turn.end for turn in forced), default=0), last - 1)
        rng = np.random.default_rng((self.seed, index, 1))  # not the numbers of the window itself
        return replace(window, noise=noise_turns(rng, asked, first, last, self.most))
