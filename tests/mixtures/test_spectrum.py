"""Laws of the common spectrum: the recorder of a recording leaves no trace, its speech stays where it was."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate, firwin2, welch

from pyannote_pix2seq.mixtures.effects.noise import coloured
from pyannote_pix2seq.mixtures.sound import filtered
from pyannote_pix2seq.mixtures.spectrum import FREQUENCIES, LEVELS, equalised

POINTS = np.array([0, *FREQUENCIES, 8000]) / 8000
SHAPE = firwin2(129, POINTS, 10 ** (LEVELS[[0, 0, 1, 2, 3, 4, 5, 5]] / 20)).astype(np.float32)
SPEECH = filtered(np.random.default_rng(0).standard_normal(48000).astype(np.float32), SHAPE)


def levels(samples):
    """Of octaves around the frequencies, in decibels, relative to the second one."""
    frequencies, density = welch(samples, 16000, nperseg=512)
    bands = [density[(f / 2**0.5 <= frequencies) & (frequencies <= f * 2**0.5)].mean() for f in FREQUENCIES]
    decibels = 10 * np.log10(bands)
    return decibels - decibels[1]


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 1000), level=st.floats(0.01, 10))
def test_the_recorder_leaves_no_trace(seed, level):
    recorded = level * filtered(SPEECH, coloured(np.random.default_rng(seed), 6.0))
    apart = levels(recorded) - levels(SPEECH)
    left = levels(equalised(recorded, recorded)) - levels(equalised(SPEECH, SPEECH))
    assert np.abs(left).max() <= max(1.2, 0.3 * np.abs(apart).max())  # 1.13 is the most that any of these seeds leaves


def test_speech_stays_where_it_was():
    heard = equalised(SPEECH, SPEECH)
    assert heard.shape == SPEECH.shape and heard.dtype == np.float32
    assert np.argmax(correlate(heard, SPEECH, "same")) == len(SPEECH) // 2


@pytest.mark.parametrize("length", [160, 511])
def test_little_speech_is_enough(length):
    assert np.isfinite(equalised(SPEECH, SPEECH[:length])).all()
