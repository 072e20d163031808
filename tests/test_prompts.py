"""Laws of `pyannote_pix2seq.prompts`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyannote_pix2seq.prompts import (
    LONGEST_CLIP,
    SHARE,
    SHORTEST_PROMPT,
    SpeakerMemory,
    Voice,
    capacity,
    clearest,
    prompt,
    remember,
    step_samples,
)
from pyannote_pix2seq.tokens import triplets
from pyannote_pix2seq.turns import TimeGrid, Turn
from pyannote_pix2seq.vocabulary import Vocabulary

RATE = 1000  # Hz: small arrays
GRID = TimeGrid(30.0, 1500)
SAMPLES = step_samples(GRID, RATE)


def voice(label, seconds=5.0, level=1.0, **known):
    return Voice(label, np.full(round(seconds * RATE), level), **known)


@st.composite
def memories(draw, max_voices=12):
    voices = [
        voice(
            f"S{i}",
            seconds=draw(st.one_of(st.just(0.0), st.floats(0.5, 5.0))),
            level=i + 1,
            duration=draw(st.floats(0, 100)),
            last_heard=draw(st.integers(0, 5)),
        )
        for i in range(draw(st.integers(0, max_voices)))
    ]
    return SpeakerMemory(tuple(voices), num_chunks=6)


@st.composite
def conversations(draw):
    starts = st.integers(0, 900)
    return [
        Turn(start, start + draw(st.integers(1, 300)), draw(st.integers(0, 3)))
        for start in sorted(draw(st.lists(starts, min_size=1, max_size=12)))
    ]


@given(memories(), st.integers(0, 8), st.floats(1.0, 5.0))
def test_a_prompt_is_clips_and_silences_on_the_grid(memory, max_voices, longest):
    made = prompt(memory, GRID, RATE, max_voices, longest)
    assert len(made.turns) == len(made.labels) <= min(max_voices, capacity(GRID))
    assert len(made.waveform) == made.first_step * SAMPLES
    assert made.first_step <= SHARE * GRID.num_steps
    assert [turn.speaker for turn in made.turns] == list(range(len(made.turns)))
    assert list(made.labels) == [label for label in memory.labels if label in made.labels]  # order of arrival
    silent = np.ones(made.first_step, dtype=bool)
    for turn, label in zip(made.turns, made.labels, strict=True):
        clip = memory[label].clip
        length = (turn.end - turn.start) * SAMPLES
        np.testing.assert_array_equal(made.waveform[turn.start * SAMPLES :][:length], clip[:length])
        assert length >= min(SHORTEST_PROMPT * RATE, len(clip)) - SAMPLES
        silent[turn.start : turn.end] = False
    assert not made.waveform[np.repeat(silent, SAMPLES)].any()
    followed_by = [turn.start for turn in made.turns[1:]] + [made.first_step]
    assert all(start - turn.end == 10 for turn, start in zip(made.turns, followed_by, strict=False))  # 0.2 s


@given(memories(), st.integers(1, 8))
def test_the_most_recent_and_then_the_most_talkative_are_prompted(memory, max_voices):
    made = prompt(memory, GRID, RATE, max_voices)
    rank = {v.label: (v.last_heard, v.duration) for v in memory.voices if len(v.clip)}
    left_out = [rank[label] for label in rank if label not in made.labels]
    assert not left_out or max(left_out) <= min(rank[label] for label in made.labels)
    assert len(made.labels) == min(max_voices, len(rank), capacity(GRID))


@given(memories(max_voices=7), st.permutations(range(7)))
def test_renaming_speakers_changes_labels_only(memory, names):
    vocabulary = Vocabulary(8, GRID.num_steps)
    renamed = memory.rename({f"S{i}": f"speaker {names[i]}" for i in range(7)})
    before, after = (prompt(m, GRID, RATE, 7) for m in (memory, renamed))
    np.testing.assert_array_equal(before.waveform, after.waveform)
    assert triplets(before.turns, vocabulary) == triplets(after.turns, vocabulary)
    assert after.labels == tuple(f"speaker {names[int(label[1:])]}" for label in before.labels)


def test_a_grid_of_the_vocabulary_fits_its_prompts():
    assert capacity(GRID) == 10
    assert capacity(TimeGrid(6.0, 300)) == 2
    assert prompt(SpeakerMemory((voice("A"),)), TimeGrid(2.0, 100), RATE, 7).labels == ()  # no room for a second
    with pytest.raises(ValueError, match="whole number of samples"):
        step_samples(TimeGrid(30.0, 1500), 16025)


@given(conversations(), st.floats(0.5, 5.0))
def test_clearest_speech_is_of_one_speaker_and_longest_first(turns, longest):
    for speaker in range(4):
        stretches = clearest(turns, speaker, GRID, longest)
        lengths = [end - start for start, end in stretches]
        assert sum(lengths) <= round(longest * 50)
        assert lengths[:-1] == sorted(lengths[:-1], reverse=True)
        for start, end in stretches:
            for step in range(start, end):
                assert {t.speaker for t in turns if t.start <= step < t.end} == {speaker}


@given(conversations())
def test_everyone_who_spoke_is_remembered_by_their_own_voice(turns):
    activity = np.zeros((4, 1200 * SAMPLES), dtype=bool)
    for turn in turns:
        activity[turn.speaker, turn.start * SAMPLES : turn.end * SAMPLES] = True
    waveform = 10.0 ** np.arange(4) @ activity
    labels = ["A", "B", "C", "D"]
    before = SpeakerMemory((voice("Z"),), num_chunks=3)
    after = remember(before, waveform, turns, [0.5] * len(turns), labels, GRID, RATE)
    assert after.num_chunks == 4 and before.labels == ("Z",)
    arrival = dict.fromkeys(labels[t.speaker] for t in sorted(turns))
    assert after.labels == ("Z", *arrival)
    for label in arrival:
        known = after[label]
        assert set(known.clip) <= {10.0 ** labels.index(label)}
        assert len(known.clip) == 0 or 0.5 * RATE <= len(known.clip) <= LONGEST_CLIP * RATE
        assert known.quality == pytest.approx(min(len(known.clip) / RATE, 3.0) * 0.5)
        assert known.last_heard == 3


@pytest.mark.parametrize(
    ("seconds", "confidence", "replaced"), [(1.0, 0.9, False), (3.0, 0.9, True), (5.0, 0.4, False), (2.2, 1.0, True)]
)
def test_the_better_clip_is_kept(seconds, confidence, replaced):
    known = SpeakerMemory((voice("A", 2.0, level=1.0, quality=2.0 * 0.95, duration=10.0),), num_chunks=1)
    turns = [Turn(0, round(seconds * 50), 0)]
    after = remember(known, np.full(30 * RATE, 2.0), turns, [confidence], ["A"], GRID, RATE)["A"]
    assert (after.clip[0] == 2.0) == replaced
    assert after.duration == pytest.approx(10.0 + seconds)
    assert after.last_heard == 1


def test_memory_is_immutable():
    memory = SpeakerMemory((voice("A"),))
    with pytest.raises(ValueError, match="read-only"):
        memory["A"].clip[0] = 1.0
    with pytest.raises(AttributeError):
        memory["A"].label = "B"
    with pytest.raises(ValueError, match="its own label; got A, A"):
        SpeakerMemory((voice("A"), voice("A")))
    with pytest.raises(KeyError):
        memory["B"]
