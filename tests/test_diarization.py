"""`Diarization` is an `Annotation`, and keeps what it knows."""

import io
import json
import pickle
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyannote.audio.pipelines.speaker_diarization import DiarizeOutput
from pyannote.core import Annotation, Segment, Timeline

from pyannote_pix2seq.diarization import Diarization
from pyannote_pix2seq.prompts import SpeakerMemory, Voice


def make(turns, uri="call"):
    diarization = Diarization(uri=uri)
    for track, (start, end, label, confidence) in enumerate(turns):
        diarization[Segment(start, end), track] = label
        diarization.confidence[track] = confidence
    labels = dict.fromkeys(label for _, _, label, _ in turns)
    diarization.memory = SpeakerMemory(tuple(Voice(label, np.ones(5)) for label in labels))
    return diarization


CALL = [(0.0, 4.0, "A", 0.9), (3.0, 6.0, "B", 0.8), (3.5, 3.75, "C", 0.1), (6.0, 7.0, "B", 0.4), (8.0, 9.0, "A", 0.5)]


@st.composite
def calls(draw):
    turns = []
    for _ in range(draw(st.integers(0, 10))):
        start = draw(st.integers(0, 50)) / 4
        end = start + draw(st.integers(1, 20)) / 4
        turns.append((start, end, draw(st.sampled_from("ABC")), draw(st.floats(0, 1))))
    return make(turns)


def turns(diarization):
    return [
        (segment.start, segment.end, label, diarization.confidence[track])
        for segment, track, label in diarization.itertracks(yield_label=True)
    ]


def test_it_is_an_annotation_with_the_attributes_of_the_stock_output():
    diarization = make(CALL)
    assert isinstance(diarization, Annotation)
    assert diarization.speaker_diarization is diarization
    assert diarization.exclusive_speaker_diarization.labels() == ["A", "B"]
    assert {field.name for field in fields(DiarizeOutput)} <= {*dir(diarization)}
    assert Diarization() == Annotation() and not Diarization().confidence and not len(Diarization().memory)


@given(calls())
def test_exclusive_speech_has_no_overlap_and_covers_the_same_time(diarization):
    exclusive = diarization.exclusive_speaker_diarization
    assert not exclusive.get_overlap()
    assert exclusive.get_timeline().support() == diarization.get_timeline().support()
    for segment, track, label in exclusive.itertracks(yield_label=True):
        assert any(segment in s and t == track and label == x for s, t, x in diarization.itertracks(yield_label=True))


def test_who_began_first_keeps_the_floor():
    exclusive = make(CALL).exclusive_speaker_diarization
    assert [(s.start, s.end, label) for s, label in exclusive] == [(0, 4, "A"), (4, 6, "B"), (6, 7, "B"), (8, 9, "A")]
    assert exclusive.confidence[1] == 0.8


def test_serialize_is_the_stock_one_with_confidence():
    diarization = make(CALL)
    serialized = diarization.serialize()
    stock = DiarizeOutput(diarization, diarization.exclusive_speaker_diarization).serialize()
    assert json.loads(json.dumps(serialized)) == serialized
    assert list(serialized) == list(stock)
    for key, turns in serialized.items():
        assert [turn.pop("confidence") for turn in turns] == [
            0.9, *([0.8, 0.1, 0.4] if key == "diarization" else [0.8, 0.4]), 0.5,
        ]  # fmt: skip
    assert serialized == stock


@given(calls())
def test_copies_crops_and_subsets_keep_what_is_known(diarization):
    derived = [
        diarization.copy(),
        diarization.crop(Segment(1, 6)),
        diarization.crop(Timeline([Segment(0, 2), Segment(3, 8)]), mode="loose"),
        diarization.subset(["A"]),
        pickle.loads(pickle.dumps(diarization)),
    ]
    for other in derived:
        assert isinstance(other, Diarization)
        assert len(other.memory) == len(diarization.memory)
        for _, track in other.itertracks():
            assert other.confidence[track] == diarization.confidence[track]


@given(calls(), st.sampled_from([0.0, 0.5]))
def test_support_averages_confidence(diarization, collar):
    support = diarization.support(collar)
    plain = Annotation(uri="call")
    plain.update(diarization)
    assert isinstance(support, Diarization) and support == plain.support(collar)
    for _, track in support.itertracks():
        assert min(diarization.confidence.values()) - 1e-9 <= support.confidence[track]
        assert support.confidence[track] <= max(diarization.confidence.values()) + 1e-9


@pytest.mark.parametrize("copy", [True, False])
@pytest.mark.parametrize("mapping", [{"A": "Alice", "B": "Bob"}, {"A": "B"}, None])
def test_renaming_labels_renames_voices(mapping, copy):
    diarization = make(CALL)
    renamed = diarization.rename_labels(mapping=mapping, generator=iter(["x", "y", "z"]), copy=copy)
    assert (renamed is diarization) == (not copy)
    assert sorted(renamed.memory.labels) == sorted(renamed.labels())
    assert sorted(renamed.confidence) == [0, 1, 2, 3, 4]


@given(calls(), st.sampled_from(["string", "int", "names"]))
def test_renaming_tracks_keeps_what_is_known(diarization, generator):
    names = (f"turn {number}" for number in range(10)) if generator == "names" else generator
    renamed = diarization.rename_tracks(names)
    assert len(renamed.memory) == len(diarization.memory)
    assert sorted(turns(renamed)) == sorted(turns(diarization))
    relabeled = diarization.relabel_tracks()
    assert relabeled.confidence == diarization.confidence and not relabeled.memory.labels


@given(calls(), calls(), st.booleans())
def test_an_update_brings_turns_with_their_confidence_and_voices(here, there, copy):
    coming = {*there.itertracks()}  # a turn of the same time and name is replaced
    kept = [turn for turn, place in zip(turns(here), here.itertracks(), strict=True) if place not in coming]
    voices = {*here.memory.labels, *there.memory.labels}
    both = here.update(there, copy=copy)
    assert (both is here) == (not copy)
    assert sorted(turns(both)) == sorted(kept + turns(there))
    assert {*both.memory.labels} == voices


def test_an_update_loses_no_turn_to_the_new_name_of_another():
    here, there = make([(0.0, 0.5, "A", 0.5)]), make([(0.0, 0.25, "A", 0.1), (0.0, 0.25, "B", 0.2)])
    assert sorted(turns(here.update(there))) == [(0.0, 0.25, "A", 0.1), (0.0, 0.25, "B", 0.2), (0.0, 0.5, "A", 0.5)]


def test_rttm_survives_spaces():
    diarization = make([(0.0, 1.0, "Alice Smith", 1.0)], uri="my call")
    assert diarization.to_rttm() == "SPEAKER my_call 1 0.000 1.000 <NA> <NA> Alice_Smith <NA> <NA>\n"
    diarization.write_rttm(file := io.StringIO())
    assert file.getvalue() == diarization.to_rttm()
    assert diarization.labels() == ["Alice Smith"]
    plain = Annotation(uri="call")
    assert make(CALL).to_rttm() == plain.update(make(CALL)).to_rttm()
