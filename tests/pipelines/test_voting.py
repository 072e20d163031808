"""A vote on who speaks: what all say stays, what most say wins, names do not matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyannote.core import Segment

from pyannote_pix2seq.diarization import Diarization
from pyannote_pix2seq.pipelines.voting import vote
from pyannote_pix2seq.prompts import SpeakerMemory, Voice
from tests.pipelines.test_prompted_speaker_diarization import conversations

STEP = 0.02


def ballot(turns, names=None, confidence=0.5):
    made = Diarization(uri="call")
    for track, turn in enumerate(turns):
        label = f"SPEAKER_{turn.speaker:02d}" if names is None else names[turn.speaker]
        made[Segment(turn.start * STEP, turn.end * STEP), track] = label
        made.confidence[track] = confidence
    return made


def said(*turns):
    """(start, end, label) in steps."""
    made = Diarization(uri="call")
    for track, (start, end, label) in enumerate(turns):
        made[Segment(start * STEP, end * STEP), track] = label
    return made


def heard(diarization):
    return sorted((round(s.start / STEP), round(s.end / STEP), label) for s, _, label in diarization.itertracks(True))


@given(conversations(), st.integers(1, 4), st.data())
def test_what_all_say_stays_whatever_they_call_whom(turns, num_ballots, data):
    labels = [f"SPEAKER_{i:02d}" for i in range(10)]
    ballots = [ballot(turns)] + [ballot(turns, data.draw(st.permutations(labels))) for _ in range(num_ballots - 1)]
    agreed = vote(ballots, STEP)
    assert heard(agreed.support()) == heard(ballots[0].support())
    assert agreed.uri == "call"
    assert set(agreed.confidence.values()) <= {0.5}


def test_what_most_say_wins():
    one = said((0, 100, "a"), (100, 200, "b"))
    other = said((0, 100, "x"), (100, 180, "y"), (180, 200, "x"))
    agreed = vote([other, one, one.rename_labels({"a": "b", "b": "a"})], STEP)
    assert [turn[:2] for turn in heard(agreed)] == [(0, 100), (100, 200)]
    assert len(agreed.labels()) == 2
    # two of three heard nobody behind 100
    assert heard(vote([one, said((0, 100, "x")), said((0, 100, "z"))], STEP)) == [(0, 100, "SPEAKER_00")]


def test_confidence_is_the_mean_over_the_votes():
    sure, absent = said((0, 100, "a"), (100, 200, "b")), said((0, 100, "a"))
    sure.confidence = {0: 0.9, 1: 0.6}
    absent.confidence = {0: 0.6}
    agreed = vote([sure, sure, absent], STEP)
    assert [agreed.confidence[track] for _, track, _ in agreed.itertracks(True)] == pytest.approx([0.8, 0.4])


def test_known_labels_mean_themselves():
    # they share no time, and would be mapped to each other if they were not known
    ballots = [said((0, 100, "Alice")), said((0, 100, "Bob")), said((0, 90, "Bob"), (90, 100, "Alice"))]
    assert heard(vote(ballots, STEP, known=["Alice", "Bob"])) == [(0, 90, "Bob"), (90, 100, "Alice")]


def test_bounds_hold():
    three = [said((0, 100, name), (100, 200, "c")) for name in "ab"]
    loud = said((0, 200, "c"))
    assert len(vote([*three, loud], STEP, known="abc", min_speakers=2).labels()) == 2
    agreed = vote([said((0, 100, "a"), (100, 110, "b")), said((0, 100, "a"), (120, 130, "c"))], STEP, "abc", 0, 2)
    assert len(agreed.labels()) == 2


def test_whom_only_one_has_heard_is_nobody():
    alike = said((0, 90, "a"), (90, 100, "b"), (200, 300, "a"))  # the most: it decides where votes are equal
    others = [said((0, 100, "a"), (200, 250, "a")), said((0, 90, "a"), (200, 350, "a"))]
    assert heard(vote([alike, *others], STEP)) == [(0, 100, "SPEAKER_00"), (200, 300, "SPEAKER_00")]


def test_short_gaps_are_filled_and_short_turns_left_out():
    ballots = [said((0, 100, "a"), (108, 200, "a"), (300, 307, "b"))] * 3
    assert heard(vote(ballots, STEP, gap=0.16, shortest=0.16)) == [(0, 200, "SPEAKER_00")]
    assert heard(vote(ballots, STEP)) == [(0, 100, "SPEAKER_00"), (108, 200, "SPEAKER_00"), (300, 307, "SPEAKER_01")]


def test_what_readings_differ_by_at_the_ends_of_turns_is_no_turn():
    ballots = [said((0, 100, "a"), (end, 300, "b"), (300, 400, "a")) for end in (98, 100, 103)]
    ballots[1] = said((0, 100, "a"), (100, 297, "b"), (297, 299, "a"), (302, 400, "a"))
    assert heard(vote(ballots, STEP)) == [(0, 100, "SPEAKER_00"), (100, 300, "SPEAKER_01"), (300, 400, "SPEAKER_00")]


def test_nobody_at_all():
    assert heard(vote([said(), said(), said()], STEP)) == []
    assert heard(vote([said(), said(), said((0, 10, "a"))], STEP)) == []


@given(st.permutations(range(5)), st.lists(st.booleans(), min_size=5, max_size=5))
def test_labels_are_counted_as_they_come(order, speaks):
    arrived = [f"SPEAKER_{i:02d}" for i, does in zip(order, speaks, strict=True) if does]
    heard_of = ["Alice", *sorted(arrived), "SPEAKER_07"]
    memory = SpeakerMemory(tuple(Voice(label, np.full(9, i)) for i, label in enumerate(heard_of)))
    ballots = [said(*((50 * i, 50 * i + 50, label) for i, label in enumerate(arrived))) for _ in range(3)]
    for made in ballots:
        made.memory = memory
    agreed = vote(ballots, STEP, known=["Alice"])
    assert (
        agreed.labels() == [label for _, _, label in heard(agreed)] == [f"SPEAKER_{i:02d}" for i in range(len(arrived))]
    )
    assert set(agreed.memory.labels) == {"Alice", *agreed.labels()}
    for before, after in zip(arrived, agreed.labels(), strict=True):
        assert (agreed.memory[after].clip == memory[before].clip).all()
