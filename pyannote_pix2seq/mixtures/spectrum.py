"""One long-term spectrum for all recordings of a bank.

Corpora are read into different microphones, one for each speaker. Left as they are, a model learns to tell microphones
apart: in two seconds of speech, the spectrum alone tells two of the bank's speakers apart better than two people in
one real conversation, who share a recorder. The recorder of a mixture is then an effect: see `effects.Microphone`.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.signal import welch

from .plan import SAMPLE_RATE
from .sound import Samples, filtered, response

# Level of speech in bands around these frequencies, in decibels: means over the project's corpora, which agree within
# 2 dB. Below the first, where voices differ by their pitch, nothing more is changed.
FREQUENCIES = np.array([250.0, 500.0, 1000.0, 2000.0, 4000.0, 6700.0])
LEVELS = np.array([7.5, 6.0, -3.0, -10.5, -18.0, -26.0])
LARGEST = 12.0  # decibels: what is not there cannot be made louder


def equalised(samples: Samples, speech: Samples) -> Samples:
    """Samples behind a filter that gives their speech the common spectrum, octave by octave; as long as they were."""
    frequencies, density = welch(speech, SAMPLE_RATE, nperseg=min(512, len(speech)))
    edges = np.clip(np.append(FREQUENCIES / 2**0.5, FREQUENCIES[-1] * 2**0.5), 0, SAMPLE_RATE / 2)
    powers = [density[(low <= frequencies) & (frequencies <= high)].mean() for low, high in pairwise(edges)]
    gains = LEVELS - 10 * np.log10(np.maximum(powers, 1e-12))
    gains = np.clip(gains - gains[:4].mean(), -LARGEST, LARGEST)
    points = np.concatenate([[0.0], FREQUENCIES, [SAMPLE_RATE / 2]]) / (SAMPLE_RATE / 2)
    return filtered(samples, response(points, gains[[0, *range(len(gains)), -1]], 129))
