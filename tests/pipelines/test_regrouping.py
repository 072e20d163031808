"""Laws of naming turns once more: labels that agree with the voices stay, those that do not are mended."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyannote_pix2seq.pipelines import PromptedSpeakerDiarization
from pyannote_pix2seq.pipelines.again import _names
from pyannote_pix2seq.pipelines.regrouping import Sound, _Grouping, sounds
from pyannote_pix2seq.pipelines.regrouping import regroup as _regroup
from pyannote_pix2seq.pipelines.stitching import FileTurn
from pyannote_pix2seq.turns import Turn
from tests.pipelines.oracle import Oracle
from tests.pipelines.test_prompted_speaker_diarization import audio, expected, found
from tests.strategies import any_turns

FEATURES = 5
STRENGTH = 1.2


def regroup(heard, labels, most=None):
    return _regroup(heard, labels, STRENGTH, most)


def partition(groups):
    """The same for whatever numbers groups have."""
    return [list(groups).index(group) for group in groups]


def numbered(labels):
    """0, 1, 2... of which none is left out."""
    return [sorted(set(labels)).index(label) for label in labels]


@st.composite
def heard_turns(draw, num_speakers=4, max_size=12):
    """Sounds of any voices, and labels 0, 1, 2... of which none is left out."""
    size = draw(st.integers(1, max_size))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    positions = draw(st.lists(st.integers(0, 100), min_size=size, max_size=size))  # of audio, which turns are heard in
    seconds = [0.08 * count for count in positions]
    heard = [Sound(rng.standard_normal(FEATURES).astype(np.float32), s) for s in seconds]
    labels = draw(st.lists(st.integers(0, num_speakers - 1), min_size=size, max_size=size))
    return heard, numbered(labels)


def of_distinct_speakers(speakers, seconds=2.0):
    """Voices at right angles."""
    return [Sound(np.eye(FEATURES, dtype=np.float32)[speaker] * 3, seconds) for speaker in speakers]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.floats(0.1, 60.0))
def test_labels_that_agree_with_the_voices_stay(speakers, seconds):
    labels = numbered(speakers)
    assert partition(regroup(of_distinct_speakers(speakers, seconds), labels)) == partition(labels)


@given(st.permutations([0] * 4 + [1] * 4 + [2] * 4), st.permutations([0] * 8 + [1] * 4))
def test_voices_are_told_apart_whatever_they_were_called(speakers, labels):
    heard = of_distinct_speakers(speakers)
    assert partition(regroup(heard, [0] * 12)) == partition(speakers)
    assert partition(regroup(heard, labels)) == partition(speakers)
    assert len(set(regroup(heard, [0] * 12, most=2).tolist())) == 2


@pytest.mark.parametrize("num_turns", [10, 30, 100])
@pytest.mark.parametrize("seed", range(5))
def test_a_voice_that_changes_slowly_stays_one(num_turns, seed):
    rng = np.random.default_rng(seed)
    speaker, *noise = rng.standard_normal((2 * num_turns + 1, 64)).astype(np.float32)
    voices = speaker + noise[:num_turns] + 0.1 * np.cumsum(noise[num_turns:], 0)
    heard = [Sound(voice, seconds) for voice, seconds in zip(voices, rng.uniform(0.5, 4.0, num_turns), strict=True)]
    assert set(regroup(heard, [0] * num_turns).tolist()) == {0}


@given(heard_turns(), st.integers(1, 6))
def test_it_never_gets_worse_and_no_label_is_lost(turns, most):
    heard, labels = turns
    groups = regroup(heard, labels, most)
    num = max(labels) + 1
    assert num <= len(set(groups.tolist())) <= max(num, most)
    judge = _Grouping(heard, labels, STRENGTH, None)

    def worth(numbers):
        return sum(judge.worth_of(np.flatnonzero(np.array(numbers) == group)) for group in set(numbers))

    assert worth(groups.tolist()) >= worth(labels) - 1e-6


@given(heard_turns(), st.integers(-6, 6))
def test_only_the_direction_of_a_voice_counts(turns, octaves):
    """By powers of two, which round nothing: two ways to split may be equally good where a turn is not heard."""
    heard, labels = turns
    louder = [sound._replace(voice=sound.voice * np.float32(2.0**octaves)) for sound in heard]
    assert partition(regroup(louder, labels)) == partition(regroup(heard, labels))


@given(heard_turns(), st.floats(0.01, 100.0))
def test_only_the_direction_of_a_voice_that_is_heard_counts(turns, factor):
    heard, labels = turns
    heard = [sound._replace(seconds=sound.seconds or 1.0) for sound in heard]
    louder = [sound._replace(voice=sound.voice * np.float32(factor)) for sound in heard]
    assert partition(regroup(louder, labels)) == partition(regroup(heard, labels))


@given(heard_turns())
def test_who_is_not_heard_stays(turns):
    heard, labels = turns
    unheard = [Sound(np.zeros(FEATURES, np.float32), 0.0)] * len(heard)
    assert regroup(unheard, labels).tolist() == labels


@given(heard_turns())
def test_without_strength_names_stay(turns):
    heard, labels = turns
    assert _regroup(heard, labels, 0.0).tolist() == labels


@given(any_turns(last_step=40), st.integers(0, 1000))
def test_a_turn_is_heard_where_nobody_else_talks(turns, seed):
    voices = np.random.default_rng(seed).standard_normal((11, 3)).astype(np.float32)
    spoken = np.concatenate([np.zeros((1, 3), np.float32), voices.cumsum(0)])
    at = [{p for p in range(11) if turn.start < 4 * (p + 1) and turn.end > 4 * p} for turn in turns]
    for i, sound in enumerate(sounds(turns, spoken, 4, 0.02)):
        alone = sorted(at[i] - {p for j, other in enumerate(at) if j != i for p in other})
        assert sound.seconds == pytest.approx(0.08 * len(alone))
        np.testing.assert_allclose(sound.voice, voices[alone].sum(0), atol=1e-4)


class OneName(Oracle):
    """Hears every voice, and takes everybody for the first speaker."""

    def read(self, waveforms):
        state = super().read(waveforms)
        first = self.vocabulary.first_speaker
        is_speaker = (state.answers >= first) & (state.answers < self.vocabulary.first_time)
        return replace(state, answers=torch.where(is_speaker, first, state.answers))


def test_everybody_is_found_by_a_model_that_hears_voices_and_names_them_all_alike():
    turns = [Turn(80 * i + 10, 80 * i + 80, i % 3) for i in range(36)]
    file = audio(turns)

    def diarize(readings, **options):
        return PromptedSpeakerDiarization(OneName(80.0, 5), readings=readings)(file, **options)

    assert len(diarize(1).labels()) == 1
    diarization = diarize(3)
    assert found(diarization) == expected(turns)
    hear = Oracle(80.0, 5).hear  # clips are theirs alone
    clips = {voice.label: {turn.speaker for turn in hear(voice.clip)} for voice in diarization.memory.voices}
    assert clips == {f"SPEAKER_{i:02d}": {0} for i in range(3)} and len(clips) == 3
    assert len(diarize(3, max_speakers=1).labels()) == 1


@pytest.mark.parametrize("hers", [[], [(2000, 2100)]])
def test_a_turn_that_was_wrongly_given_to_somebody_does_not_take_their_name_along(hers):
    stranger = [(0, 500), (500, 1000), (1150, 2000), (2100, 3000)]
    turns = [FileTurn(*span, "SPEAKER_00", 1.0) for span in stranger]
    turns += [FileTurn(1000, 1150, "Alice", 1.0), *(FileTurn(*span, "Alice", 1.0) for span in hers)]
    groups = [0] * 5 + [1] * len(hers)
    names = _names(groups, turns, {"Alice"})
    assert names == {0: "SPEAKER_00"} | ({1: "Alice"} if hers else {})


def test_known_voices_keep_their_names():
    turns = [Turn(80 * i + 10, 80 * i + 80, i % 2) for i in range(20)]
    memory = PromptedSpeakerDiarization(Oracle(12.0, 5), readings=1)(audio([Turn(0, 200, 1)])).memory
    memory = memory.rename({"SPEAKER_00": "Alice"})
    diarization = PromptedSpeakerDiarization(OneName(12.0, 5), readings=2)(audio(turns), memory=memory)
    assert len(diarization.labels()) == 2 and "Alice" in diarization.labels()
