from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyannote.core import Annotation, Segment

from pyannote_pix2seq.turns import TimeGrid, clip, from_annotation, in_order_of_arrival, merge, shift, to_annotation
from tests.strategies import any_turns, references

GRID = TimeGrid(duration=3.0, num_steps=30)
STEPS = st.integers(0, 30)
LABELS = ["Alice", "Bob", "Carol", "Dave"]


def activity(turns):
    """Who talks at which step."""
    return {(step, turn.speaker) for turn in turns for step in range(turn.start, turn.end)}


@given(STEPS)
def test_grid_points_are_fixed_points(step):
    assert GRID.step(GRID.seconds(step)) == step


@given(st.floats(-10, 10))
def test_step_is_the_nearest_inside_the_window(seconds):
    step = GRID.step(seconds)
    assert 0 <= step <= GRID.num_steps
    inside = min(max(seconds, 0.0), GRID.duration)
    assert abs(GRID.seconds(step) - inside) <= GRID.resolution / 2 + 1e-9


@pytest.mark.parametrize(("duration", "num_steps"), [(0.0, 10), (3.0, 0), (-1.0, 10)])
def test_grid_needs_an_extent(duration, num_steps):
    with pytest.raises(ValueError, match="positive duration"):
        TimeGrid(duration, num_steps)


@given(any_turns(), st.integers(-100, 100))
def test_shift_there_and_back(turns, steps):
    assert shift(shift(turns, steps), -steps) == turns


@given(any_turns(), STEPS, STEPS)
def test_clip_keeps_what_is_inside(turns, start, end):
    clipped = clip(turns, start, end)
    assert clip(clipped, start, end) == clipped
    assert activity(clipped) == {(step, speaker) for step, speaker in activity(turns) if start <= step < end}
    assert all(turn.start < turn.end for turn in clipped)


@given(any_turns())
def test_merge_keeps_activity_and_leaves_gaps(turns):
    merged = merge(turns)
    assert sorted(merge(merged)) == sorted(merged)
    assert [turn.start for turn in merged] == sorted(turn.start for turn in merged)
    assert activity(merged) == activity(turns)
    for speaker in {turn.speaker for turn in merged}:
        own = [turn for turn in merged if turn.speaker == speaker]
        assert all(before.end < after.start for before, after in pairwise(own))


@given(any_turns(), st.integers(0, 5))
def test_merge_closes_short_gaps_only(turns, gap):
    merged = merge(turns, gap)
    assert activity(turns) <= activity(merged)
    for speaker in {turn.speaker for turn in merged}:
        own = [turn for turn in merged if turn.speaker == speaker]
        assert all(after.start - before.end > gap for before, after in pairwise(own))


@given(any_turns())
def test_order_of_arrival_renames_and_sorts(turns):
    ordered, former = in_order_of_arrival(turns)
    assert sorted(turn._replace(speaker=former[turn.speaker]) for turn in ordered) == sorted(turns)
    assert [turn.start for turn in ordered] == sorted(turn.start for turn in turns)
    arrivals = list(dict.fromkeys(turn.speaker for turn in ordered))
    assert arrivals == list(range(len(arrivals)))


@given(references(), st.floats(0, 1000))
def test_annotation_there_and_back(turns, offset):
    annotation = to_annotation(turns, LABELS, GRID, offset)
    window = Segment(offset, offset + GRID.duration)
    again, labels = from_annotation(annotation, window, GRID)
    assert again == sorted(turns)  # turns with the same edges may come in another order
    assert labels == LABELS[: len(labels)]


@given(st.lists(st.tuples(st.floats(-1, 4), st.floats(0.2, 2), st.sampled_from(LABELS)), max_size=6))
def test_turns_are_within_half_a_step_of_the_annotation(raw):
    annotation = Annotation()
    for track, (start, duration, label) in enumerate(raw):
        annotation[Segment(start, start + duration), track] = label
    turns, labels = from_annotation(annotation, Segment(0, GRID.duration), GRID)
    cropped = annotation.support().crop(Segment(0, GRID.duration))
    found = to_annotation(turns, labels, GRID)
    for label in LABELS:
        expected, got = cropped.label_duration(label), found.label_duration(label)
        edges = 2 * len(cropped.label_timeline(label))
        assert abs(expected - got) <= edges * GRID.resolution / 2 + 1e-6
