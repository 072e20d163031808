"""A confidence means what it says once it is calibrated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyannote.core import Annotation, Segment, Timeline
from scipy.special import expit, logit

from pyannote_pix2seq.diarization import Diarization
from pyannote_pix2seq.pipelines.confidence import Calibration, Judged, judge

REFERENCE = Annotation.from_records([(Segment(0, 4), 0, "Alice"), (Segment(3, 8), 1, "Bob")])


def diarization(*turns):
    made = Diarization()
    for track, (start, end, label, confidence) in enumerate(turns):
        made[Segment(start, end), track] = label
        made.confidence[track] = confidence
    return made


def test_nothing_changes_by_default():
    probabilities = np.linspace(0.001, 0.999, 50)
    assert Calibration()(probabilities) == pytest.approx(probabilities)


@given(st.floats(-2, 2), st.floats(0.1, 2))
def test_what_was_wrong_about_confidences_is_found(offset, slope):
    rng = np.random.default_rng(0)
    said = rng.uniform(0.02, 0.98, 4000)
    true = expit(offset + slope * logit(said))
    found = Judged(said, (rng.random(4000) < true).astype(float), rng.uniform(0.5, 2, 4000))
    calibrated = found.under(found.fit())
    assert calibrated.expected_error < 0.05
    assert np.abs(calibrated.confidences - true).max() < 0.1


def test_what_is_right_has_no_error_when_it_is_sure():
    turns = [(0, 4, "x", 1.0), (3, 8, "y", 1.0)]
    found = judge(REFERENCE, diarization(*turns), Timeline([Segment(0, 8)]))
    assert found.right.tolist() == [1, 1] and found.seconds.tolist() == [4, 5]
    assert found.expected_error == 0


def test_a_turn_is_right_where_its_speaker_talks():
    turns = [(0, 4, "x", 0.5), (3, 10, "y", 0.5), (8, 9, "z", 0.5), (12, 20, "x", 0.5)]
    found = judge(REFERENCE, diarization(*turns), Timeline([Segment(0, 10)]))
    assert found.right == pytest.approx([1, 5 / 7, 0])  # the last one is outside of what is annotated
    assert (found + found).seconds.tolist() == [4, 7, 1] * 2
    assert found.expected_error == pytest.approx((9 - 0.5 * 12) / 12)


@pytest.mark.parametrize("wrong", [{"offsets": 1}, {"offset": "high"}])
def test_what_is_no_calibration(wrong):
    with pytest.raises(ValueError, match="offset and slope"):
        Calibration.read(wrong)


def test_nothing_to_calibrate_with():
    assert Judged().expected_error == 0
    with pytest.raises(ValueError, match="nothing was found"):
        Judged().fit()
