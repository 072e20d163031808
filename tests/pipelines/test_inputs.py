"""What the pipeline is asked."""

import numpy as np
import pytest
import soundfile
from pyannote.audio.pipelines.utils.hook import TimingHook
from pyannote.core import Segment

from pyannote_pix2seq.turns import Turn
from tests.pipelines.test_prompted_speaker_diarization import RATE, audio, make

TURNS = [Turn(0, 100, 0), Turn(110, 200, 1), Turn(210, 300, 2)]


def test_options_of_a_file_count_alone_and_in_a_list():
    pipeline, file = make(), {**audio(TURNS), "pipeline_kwargs": {"num_speakers": 1}}
    assert len(pipeline(file).labels()) == 1
    assert len(pipeline(file, num_speakers=2).labels()) == 2  # said last
    other = {**audio(TURNS), "uri": "other"}
    for bounds, numbers in (({"max_speakers": 2}, [1, 2]), ({"num_speakers": 2}, [2, 2])):
        results = {f["uri"]: d for f, d in pipeline([file, other], **bounds)}
        assert [len(results[uri].labels()) for uri in ("call", "other")] == numbers
        assert [len(pipeline(f, **bounds).labels()) for f in (file, other)] == numbers
    for asked in (file, [file]):
        with pytest.raises(ValueError, match="num_speakers=1 does not lie between min_speakers=3"):
            pipeline(asked, min_speakers=3)


def test_an_oracle_that_counts_nobody_bounds_nothing():
    file = {**audio(TURNS), "pipeline_kwargs": {"num_speakers": 0}}
    pipeline = make()
    assert pipeline(file) == pipeline(file, num_speakers=0) == pipeline(audio(TURNS))  # benchmark, optimize
    assert [d for _, d in pipeline([file])] == [pipeline(file)]
    two = audio(TURNS) | {"pipeline_kwargs": {"num_speakers": 2}}
    for asked in (audio(TURNS), [audio(TURNS)], two, [two]):
        with pytest.raises(ValueError, match="num_speakers must be at least 1; got 0"):
            pipeline(asked, num_speakers=0)


@pytest.mark.parametrize("own", [{"number": 2}, {"num_speaker": 2}])
def test_unknown_options_of_a_file_are_told_with_the_known_ones(own):
    file = {**audio(TURNS), "pipeline_kwargs": own}
    for asked in (file, [file]):
        with pytest.raises(ValueError, match="unknown option in 'pipeline_kwargs' 'num.*; options: num_speakers"):
            make()(asked)


def test_what_one_file_of_a_list_cannot_have_is_told_at_once():
    with pytest.raises(ValueError, match="unknown option in 'pipeline_kwargs' 'speakers'"):
        make()([{**audio(TURNS), "pipeline_kwargs": {"speakers": {}}}])
    with pytest.raises(ValueError, match="min_speakers"):
        make()([{**audio(TURNS), "pipeline_kwargs": {"min_speakers": 3, "max_speakers": 2}}])


def test_frozen_parameters_count_and_stay():
    fixed, file = {"min_duration_off": 0.5, "newcomer": -1.0}, audio([Turn(0, 100, 0), Turn(110, 200, 0)])
    pipeline = make()
    assert len(pipeline(file)) == 2
    pipeline.freeze(fixed)
    assert len(pipeline(file)) == 1
    with pytest.warns(UserWarning, match="frozen"):
        pipeline.instantiate({"min_duration_off": 0.0})
    assert len(pipeline(file)) == 1 and pipeline.parameters(frozen=True) == fixed


@pytest.mark.parametrize("wrong", [{"speech": 60}, {"faint": "20"}, {"newcomer": float("nan")}])
def test_what_is_frozen_is_a_number_in_its_range(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"hyper-parameter {name}: expected a number from"):
        make().freeze(wrong)
    with pytest.raises(ValueError, match=f"hyper-parameter {name}: expected a number from"):
        make().freeze(make().default_parameters()).freeze(wrong)


@pytest.mark.parametrize("preload", [False, True])
def test_hooks_reach_the_file_of_the_user(preload):
    file = {key: value for key, value in audio(TURNS).items() if key != "uri"}
    with TimingHook() as hook:
        make()(file, hook=hook, preload=preload)
    assert file["uri"] == "waveform" and file["timing"]


def test_audio_that_lies_on_its_side_is_refused(tmp_path):
    turned = audio(TURNS)["waveform"].numpy().T
    with pytest.raises(ValueError, match="channel, sample.*not the other way round"):
        make()({"waveform": turned, "sample_rate": RATE})
    with pytest.raises(ValueError, match="channel, sample.*not the other way round"):
        list(make().stream(np.split(turned, 5)))


def test_names_of_open_files_are_those_of_paths(tmp_path):
    soundfile.write(tmp_path / "call.wav", np.zeros(800), RATE)
    with open(tmp_path / "call.wav", "rb") as file:
        assert make()(file).uri == make()(tmp_path / "call.wav").uri == "call"


def test_a_part_of_a_file_is_a_file(tmp_path):
    whole = audio(TURNS)
    soundfile.write(tmp_path / "call.wav", whole["waveform"][0].numpy(), RATE, subtype="FLOAT")
    part = make()((tmp_path / "call.wav", Segment(0, 2.1)))
    assert part.uri == "call" and part.labels() == ["SPEAKER_00"]
    ((_, same),) = make()([(tmp_path / "call.wav", Segment(0, 2.1))])
    assert same == part
    assert make()({"uri": "mine", "audio": (tmp_path / "call.wav", Segment(0, 2.1))}).uri == "mine"


def test_files_without_a_name_are_called_by_their_stems(tmp_path):
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(800), RATE)
    asked = [{"uri": None, "audio": tmp_path / f"{name}.wav"} for name in ("a", "b")]
    assert {diarization.uri for _, diarization in make()(asked)} == {"a", "b"}


def test_same_uris_that_are_no_strings_are_told():
    with pytest.raises(ValueError, match="more than one is called 7"):
        make()([{**audio(TURNS), "uri": 7}] * 2)
