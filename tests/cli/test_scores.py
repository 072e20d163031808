"""Scores add up, agree with pyannote.metrics, and depend on no name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

from pyannote_pix2seq.cli.scores import (
    Detected,
    DiarizationScores,
    macro,
    regions_by_count,
    score_detection,
    score_diarization,
)

END = 30.0
WHOLE = Timeline([Segment(0.0, END)])


def annotation(*turns):
    made = Annotation()
    for track, (start, end, label) in enumerate(turns):
        made[Segment(start, end), track] = label
    return made


@st.composite
def annotations(draw):
    """One label never overlaps itself."""
    made, track = Annotation(), 0
    for label in draw(st.sampled_from(["", "A", "AB", "ABC"])):
        edges = sorted(draw(st.sets(st.integers(0, 60), max_size=8)))
        for start, end in zip(edges[::2], edges[1::2], strict=False):
            made[Segment(start / 2, end / 2), track] = label
            track += 1
    return made


@given(annotations(), annotations(), st.sampled_from([0.0, 0.5]), st.booleans())
def test_parts_sum_up_to_the_error_rate_of_pyannote(reference, hypothesis, collar, skip_overlap):
    theirs = DiarizationErrorRate(collar=collar, skip_overlap=skip_overlap)(
        reference, hypothesis, uem=WHOLE, detailed=True
    )
    ours = score_diarization(reference, hypothesis, WHOLE, collar, skip_overlap).errors()
    assert ours.total == pytest.approx(theirs["total"])
    assert ours.miss == pytest.approx(theirs["missed detection"])
    assert ours.false_alarm == pytest.approx(theirs["false alarm"])
    assert ours.confusion == pytest.approx(theirs["confusion"])


@given(annotations())
def test_a_reference_scores_zero_against_itself_under_other_names(reference):
    hypothesis = reference.rename_labels(mapping={"A": "B", "B": "C", "C": "A"})
    row = score_diarization(reference, hypothesis, WHOLE).row()
    assert row["der"] in (None, 0.0) and row["jer"] in (None, pytest.approx(0.0))
    assert row["speaker_count_accuracy"] == 100


@given(annotations())
def test_regions_by_count_cover_what_is_scored(reference):
    regions = regions_by_count(reference, WHOLE)
    assert sum(timeline.duration() for timeline in regions.values()) == pytest.approx(END)


def test_errors_stand_where_they_happen():
    reference = annotation((0, 10, "A"), (8, 12, "B"))
    hypothesis = annotation((0, 10, "1"), (10, 14, "2"))
    scores = score_diarization(reference, hypothesis, WHOLE)
    assert scores.by_count[1].miss == 0 and scores.by_count[1].total == 10
    assert scores.by_count[2].miss == 2 and scores.by_count[2].total == 4
    assert scores.by_count[0].false_alarm == 2
    row = scores.row()
    assert row["der"] == pytest.approx(100 * 4 / 14)
    assert row["overlap_der"] == pytest.approx(50)
    assert row["speech"] == 14


def test_totals_are_over_seconds_and_speakers_not_over_files():
    reference = annotation((0, 10, "A"))
    right = score_diarization(reference, reference, WHOLE)
    wrong = score_diarization(annotation((0, 30, "A")), annotation(), WHOLE)
    row = (DiarizationScores() + right + wrong).row()
    assert row["der"] == pytest.approx(75)
    assert row["jer"] == pytest.approx(50)
    assert row["reference_speakers"] == 2 and row["found_speakers"] == 1
    assert row["speaker_count_accuracy"] == 50


def test_speakers_are_counted_where_errors_are_not():
    reference = annotation((0, 10, "A"), (4, 4.4, "B"))
    hypothesis = annotation((0, 10, "x"), (4, 4.4, "y"), (40, 50, "z"))
    for options in ({}, {"collar": 0.5}, {"skip_overlap": True}):
        row = score_diarization(reference, hypothesis, WHOLE, **options).row()
        assert (row["reference_speakers"], row["found_speakers"]) == (2, 2)


def test_nothing_to_score_has_no_rates():
    row = score_diarization(annotation(), annotation(), WHOLE).row()
    assert row["der"] is None and row["jer"] is None and row["overlap_der"] is None


def test_detection_by_class():
    reference = annotation((0, 10, "speech"), (5, 6, "noise"))
    hypothesis = annotation((5, 15, "speech"))
    scores = score_detection(reference, hypothesis, WHOLE, ["speech", "noise"])
    assert scores["speech"] == Detected(5, 10, 10)
    assert scores["speech"].row()["f"] == 50
    assert scores["noise"].row()["recall"] == 0 and scores["noise"].row()["precision"] is None
    assert (scores["speech"] + scores["speech"]).found == 20
    assert macro([s.row() for s in scores.values()]) == {"precision": 50, "recall": 25, "f": 25}
