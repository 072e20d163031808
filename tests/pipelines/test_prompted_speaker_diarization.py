"""Laws of the pipeline, with an oracle for a model."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyannote.core import Segment
from pyannote.database import ProtocolFile

from pyannote_pix2seq.decoding import search
from pyannote_pix2seq.diarization import Diarization
from pyannote_pix2seq.pipelines import PromptedSpeakerDiarization, job
from pyannote_pix2seq.pipelines.again import read_again
from pyannote_pix2seq.pipelines.confidence import Calibration
from pyannote_pix2seq.pipelines.fold import State
from pyannote_pix2seq.prompts import SpeakerMemory, Voice
from pyannote_pix2seq.turns import TimeGrid, Turn, in_order_of_arrival, merge, to_annotation
from tests.pipelines.oracle import Oracle, conversation, tone

RATE = 16000
EDGE = 5  # steps: gaps up to that are closed where a chunk ends


@st.composite
def conversations(draw, max_speakers=4):
    """Turns of speakers who each introduce themselves for at least 1.2 s before anybody talks over them."""
    turns, now = [], draw(st.integers(0, 100))
    num_speakers = draw(st.integers(1, max_speakers))
    for speaker in range(num_speakers):
        length = draw(st.integers(60, 250))
        turns.append(Turn(now, now + length, speaker))
        now += length + draw(st.integers(0, 100))
        for _ in range(draw(st.integers(0, 4))):
            start, length = now + draw(st.integers(-40, 150)), draw(st.integers(5, 300))
            turns.append(Turn(max(start, turns[-1].start), start + length, draw(st.integers(0, speaker))))
            now = max(now, start + length)
        now += EDGE + 1
    return in_order_of_arrival(merge((t for t in turns if t.start < t.end), gap=EDGE))[0]


def example():
    """Five minutes of three speakers."""
    rng = np.random.default_rng(1)
    turns, now = [Turn(20, 150, 0), Turn(160, 300, 1), Turn(310, 420, 2)], 430
    while now < 300 * 50:
        length = int(rng.integers(40, 400))
        turns.append(Turn(now, now + length, int(rng.integers(3))))
        now += length + int(rng.integers(-30, 60))
    return in_order_of_arrival(merge((t for t in turns), gap=EDGE))[0]


def audio(turns, num_steps=None):
    num_steps = max((t.end for t in turns), default=50) + 37 if num_steps is None else num_steps
    return {"waveform": torch.from_numpy(conversation(turns, num_steps))[None], "sample_rate": RATE, "uri": "call"}


def found(diarization):
    """(start, end, label) in steps."""
    return [
        (round(segment.start * 50, 6), round(segment.end * 50, 6), label)
        for segment, _, label in diarization.itertracks(yield_label=True)
    ]


def expected(turns):
    return found(to_annotation(turns, [f"SPEAKER_{i:02d}" for i in range(24)], TimeGrid(30.0, 1500)))


def make(duration=12.0, num_speakers=5, max_turns=64, readings=1, **parameters):
    return PromptedSpeakerDiarization(Oracle(duration, num_speakers, max_turns), readings=readings, **parameters)


@settings(max_examples=60)
@given(
    conversations(),
    st.one_of(st.none(), st.floats(2.5, 12.0)),
    st.sampled_from([0.5, 0.77, 0.95, 1.0]),
    st.sampled_from([12.0, 18.0, 30.0]),
    st.sampled_from([1, 1, 3]),
)
def test_an_oracle_makes_no_error_whatever_the_chunks(turns, chunk_duration, step, duration, readings):
    pipeline = make(duration, chunk_duration=chunk_duration, step=step, readings=readings)
    diarization = pipeline(audio(turns))
    assert found(diarization) == expected(turns)
    assert all(0.99 < diarization.confidence[track] <= 1 for _, track in diarization.itertracks())
    assert diarization.memory.labels == tuple(f"SPEAKER_{i:02d}" for i in range(max(t.speaker for t in turns) + 1))


def test_turns_that_do_not_fit_into_one_window_are_found_in_the_next():
    turns = [Turn(20 * i, 20 * i + 12, i % 2) for i in range(5, 200)]
    turns = in_order_of_arrival([Turn(0, 60, 0), Turn(64, 99, 1), *turns])[0]
    assert found(make(max_turns=7)(audio(turns))) == expected(turns)


@settings(max_examples=15)
@given(conversations(), st.sampled_from([8000, 16000]), st.data())
def test_the_blocks_of_a_stream_change_nothing(turns, rate, data):
    pipeline = make(readings=1)
    file = audio(turns)
    if rate == 8000:
        file = {**file, "waveform": file["waveform"][:, ::2], "sample_rate": 8000}
    samples = file["waveform"][0].numpy()
    cuts = data.draw(st.lists(st.integers(0, len(samples)), max_size=20))
    blocks = np.split(samples, sorted(cuts))
    *_, last = pipeline.stream(blocks, sample_rate=rate, uri="call")
    offline = pipeline(file)
    assert last == offline and last.confidence == offline.confidence and last.uri == offline.uri
    assert last.memory.labels == offline.memory.labels


def test_a_stream_grows_and_never_needs_the_future():
    turns = example()
    heard = 0

    def blocks():
        nonlocal heard
        samples = conversation(turns, turns[-1].end)
        for start in range(0, len(samples), 1600):
            heard = start + 1600
            yield samples[start:heard]

    before = Diarization()
    for update in make().stream(blocks()):
        end = update.get_timeline().extent().end
        assert end <= heard / RATE + 1e-6
        settled = max(len(before) - 3, 0)  # whoever was cut by the edge of the chunk goes on
        assert found(update)[:settled] == found(before)[:settled]
        before = update
    assert found(update) == expected(turns)


def test_stereo_blocks_and_empty_streams():
    turns = [Turn(10, 100, 0), Turn(100, 200, 1)]
    samples = conversation(turns, 250)
    *_, last = make().stream([np.stack([samples, samples])])
    assert found(last) == expected(turns)
    assert [found(d) for d in make().stream([])] == [[]]
    with pytest.raises(ValueError, match="stream: the sample at 0.500 s is not a finite number"):
        list(make().stream([np.zeros(8000), np.full(5, np.nan)]))


def test_a_batch_is_the_same_as_one_by_one(tmp_path):
    rng = np.random.default_rng(0)
    files = []
    for i in range(5):
        turns = [t for t in example() if t.end < rng.integers(200, 6000)]
        files.append({**audio(turns), "uri": f"file{i}", "number": i})
    pipeline = make(batch_size=3, readings=3)
    results = {f["uri"]: (f, d) for f, d in pipeline(files)}
    assert set(results) == {f["uri"] for f in files}
    assert max(pipeline.model.batch_sizes) == 3
    for file in files:
        given_back, diarization = results[file["uri"]]
        assert given_back["number"] == file["number"]
        alone = pipeline(file)
        assert diarization == alone and diarization.confidence == alone.confidence and diarization.uri == file["uri"]
    with pytest.raises(ValueError, match="more than one is called file0"):
        pipeline([files[0], files[0]])
    [(_, one)] = pipeline([{**files[0], "pipeline_kwargs": {"max_speakers": 1}}], progress=True)
    assert len(one.labels()) == 1


def test_every_kind_of_file_gives_the_same(tmp_path):
    turns = [Turn(10, 100, 0), Turn(100, 200, 1)]
    path = tmp_path / "call.wav"
    soundfile.write(path, conversation(turns, 250), RATE, subtype="FLOAT")
    pipeline = make()
    for file in (path, str(path), {"audio": path}, path.open("rb"), ProtocolFile({"uri": "call", "audio": str(path)})):
        assert found(pipeline(file)) == expected(turns)
        assert found(pipeline(file, preload=True)) == expected(turns)
    assert pipeline(path).uri == "call"
    pipeline.preprocessors = {"audio": lambda file: tmp_path / f"{file['uri']}.wav"}
    assert found(pipeline({"uri": "call"})) == expected(turns)


@pytest.mark.parametrize("num_samples", [0, 1, 800, 100_000, 1_000_000])
@pytest.mark.parametrize("offset", [0.0, 0.25])
def test_silence_and_next_to_nothing_give_an_empty_result(num_samples, offset):
    file = {"waveform": torch.full((1, num_samples), offset), "sample_rate": RATE}
    for options in ({}, {"num_speakers": 2}):
        diarization = make()(file, **options)
        assert isinstance(diarization, Diarization) and not diarization and not diarization.labels()


def test_memory_continues_labels():
    pipeline = make()
    monday = [Turn(0, 100, 3), Turn(110, 200, 1)]
    tuesday = [Turn(0, 100, 1), Turn(110, 200, 2), Turn(210, 300, 3)]
    first = pipeline(audio(monday))
    second = pipeline(audio(tuesday), memory=first.memory)
    assert [label for *_, label in found(first)] == ["SPEAKER_00", "SPEAKER_01"]
    assert [label for *_, label in found(second)] == ["SPEAKER_01", "SPEAKER_02", "SPEAKER_00"]
    assert first.memory.labels == ("SPEAKER_00", "SPEAKER_01")  # not touched
    third = pipeline(audio(tuesday), memory=second.memory)
    assert found(third) == found(second)


def test_calibration_is_of_what_the_readings_agree_on():
    file, calibration = audio(example()), Calibration(0.3, 0.6)
    plain, calibrated = (make(readings=3, calibration=c)(file) for c in ({}, {"offset": 0.3, "slope": 0.6}))
    assert calibrated == plain
    assert [*calibrated.confidence.values()] == pytest.approx(calibration([*plain.confidence.values()]))


def test_the_rate_of_a_stream_is_a_whole_number():
    samples = np.zeros(24000, np.float32)
    pipeline = make()
    assert len([*pipeline.stream([samples], sample_rate=48000.0)]) == len([*pipeline.stream([samples], 48000)])
    for rate in (0, 44100.5, "16000", None):
        with pytest.raises(ValueError, match="call: the sample_rate must be a whole number of Hz; got"):
            next(pipeline.stream([samples], sample_rate=rate, uri="call"))


def test_blocks_of_whole_numbers_are_refused():
    with pytest.raises(ValueError, match="stream: blocks must be floating point, full scale at 1.0; got int16"):
        next(make().stream([np.zeros(1600, np.int16)]))


def windows_of(pipeline, monkeypatch, **options):
    """Number of forced turns in each window that is decoded, and the diarization."""
    prompted = []

    def spied(model, waveforms, rules, forced, choose):
        prompted.extend(len(f) // 3 for f in forced)
        return search(model, waveforms, rules, forced, choose)

    monkeypatch.setattr(job, "search", spied)
    return prompted, pipeline(audio(example()), **options)


def test_the_second_reading_knows_everybody_from_the_start(monkeypatch):
    once, first = windows_of(make(readings=1), monkeypatch)
    twice, second = windows_of(make(readings=2), monkeypatch)
    assert once[0] == 0 and twice[: len(once)] == once
    assert len(twice) > 2 * len(once) and set(twice[len(once) :]) == {3}  # its chunks overlap
    assert found(second) == found(first) == expected(example())
    # voices have spoken once, however often they were heard
    for one, other in zip(first.memory.voices, second.memory.voices, strict=True):
        assert one.label == other.label and one.duration == pytest.approx(other.duration)
    # whoever was given keeps their past
    memory = first.memory
    _, third = windows_of(make(readings=2), monkeypatch, memory=memory)
    for one, other in zip(memory.voices, third.memory.voices, strict=True):
        assert other.duration == pytest.approx(2 * one.duration)


def test_so_it_is_when_all_was_one_chunk(monkeypatch):
    prompted, diarization = windows_of(make(duration=400.0, max_turns=400, readings=2), monkeypatch)
    assert prompted[0] == 0 and set(prompted[1:]) == {3}
    assert found(diarization) == expected(example())


def test_known_voices_that_cannot_be_prompted_do_not_keep_files_from_being_read_again(monkeypatch):
    brief = SpeakerMemory(tuple(Voice(f"brief {i}", []) for i in range(9)))
    prompted, _ = windows_of(make(readings=1), monkeypatch, memory=brief)
    again, _ = windows_of(make(readings=2), monkeypatch, memory=brief)
    assert len(again) > 2 * len(prompted)


@given(st.permutations(range(9)), st.integers(0, 6))
def test_of_more_voices_than_can_be_prompted_those_who_talk_most_are_known_from_the_start(durations, num_given):
    voices = [Voice(f"{i}", np.ones(RATE), duration=duration) for i, duration in enumerate(durations)]
    known = SpeakerMemory(tuple(replace(voice, duration=99.0) for voice in voices[:num_given]))
    state = State(SpeakerMemory(tuple(voices)), labels=("8",))
    asked = make()._settings()
    another, room = read_again(state, known, asked), max(asked.most_prompted - num_given, 0)
    talkative = set(sorted(voices[num_given:], key=lambda voice: -voice.duration)[:room])
    assert another == State(another.memory)
    assert another.memory.labels == tuple(v.label for v in voices if v in talkative or v.label in known.labels)
    assert [voice.duration for voice in another.memory.voices] == [99.0] * num_given + [0.0] * room


def test_where_nobody_was_heard_nothing_is_read_again():
    read = []

    def hook(name, artifact, file, completed, total):
        read.append(completed)

    assert not make(readings=3)(audio([]), hook=hook)
    assert read == [0, 0, 2]  # seconds


def test_more_speakers_than_the_vocabulary():
    turns = [Turn(150 * i, 150 * i + 100, i) for i in range(20)]
    # two voices are prompted, and a third label is free in each chunk
    diarization = make(num_speakers=3, chunk_duration=3.0)(audio(turns))
    assert found(diarization) == expected(turns)
    assert len(diarization.memory) == 20


def test_known_speakers_are_named(tmp_path):
    soundfile.write(tmp_path / "alice.wav", tone(2, 2 * RATE), RATE)
    whole = conversation([Turn(0, 100, 0), Turn(200, 300, 1)], 300)
    soundfile.write(tmp_path / "meeting.wav", whole, RATE)
    turns = [
        Turn(0, 100, 0),
        Turn(100, 200, 1),
        Turn(200, 300, 2),
        *(Turn(t.start + 320, t.end + 320, t.speaker) for t in example()),
    ]
    speakers = {"Bob": (tmp_path / "meeting.wav", Segment(3, 6)), "Alice": tmp_path / "alice.wav"}
    diarization = make()(audio(turns), speakers=speakers)
    names = {"SPEAKER_00": "SPEAKER_00", "SPEAKER_01": "Bob", "SPEAKER_02": "Alice"}
    assert found(diarization) == [(s, e, names[label]) for s, e, label in expected(turns)]
    assert make()(audio(turns), speakers={}).labels() == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_02"]


def test_who_cannot_be_recognised_beside_the_others_is_told():
    speakers = {name: {"waveform": tone(i, 2 * RATE)[None], "sample_rate": RATE} for i, name in enumerate("ABCDE")}
    with pytest.warns(UserWarning, match=r"^E will not be recognised: this model knows 4 voices at a time"):
        make(num_speakers=5)(audio([Turn(0, 100, 0)]), speakers=speakers)


@pytest.mark.parametrize("readings", [1, 3])
def test_who_is_enrolled_is_recognised_however_many_others_were_heard_before(readings):
    speakers = {name: {"waveform": tone(i, 2 * RATE)[None], "sample_rate": RATE} for i, name in enumerate("ABC", 6)}
    turns = [Turn(600 * i, 600 * i + 200, speaker) for i, speaker in enumerate([0, 1, 2, 3, 4, 8, 7, 6, 8])]
    diarization = make(readings=readings, chunk_duration=12.0)(audio(turns), speakers=speakers)  # four are prompted
    assert [label for _, _, label in found(diarization)][-4:] == ["C", "B", "A", "C"]
    assert all(voice.enrolled == (voice.label in speakers) for voice in diarization.memory.voices)


def test_enrolment_names_the_speaker_whose_clip_is_of_no_use(tmp_path):
    def message(clip):
        soundfile.write(tmp_path / "clip.wav", clip, RATE)
        with pytest.raises(ValueError, match="speaker 'Alice'") as error:
            make()(audio([Turn(0, 100, 0)]), speakers={"Alice": tmp_path / "clip.wav"})
        return str(error.value)

    assert "no speech in" in message(np.zeros(3 * RATE))
    assert "0.40 s of speech" in message(conversation([Turn(30, 50, 0)], 100))
    with pytest.raises(ValueError, match="speaker 'Alice': .*nowhere.wav: there is no such file"):
        make()(audio([]), speakers={"Alice": tmp_path / "nowhere.wav"})
    with pytest.raises(ValueError, match="speakers maps names to recordings; got list"):
        make()(audio([]), speakers=["alice.wav"])


@pytest.mark.parametrize("num_speakers", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("chunk_duration", [None, 4.0])
def test_the_number_of_speakers_is_a_hard_constraint(num_speakers, chunk_duration):
    pipeline = make(chunk_duration=chunk_duration)
    file = audio(example())
    assert len(pipeline(file, num_speakers=num_speakers).labels()) == num_speakers
    assert len(pipeline(file, max_speakers=num_speakers).labels()) == min(num_speakers, 3)
    assert len(pipeline(file, min_speakers=num_speakers).labels()) == max(num_speakers, 3)
    *_, live = pipeline.stream([file["waveform"][0].numpy()], num_speakers=num_speakers)
    assert live == pipeline(file, num_speakers=num_speakers).rename_labels({})
    assert (
        len(make(chunk_duration=chunk_duration, readings=3)(file, num_speakers=num_speakers).labels()) == num_speakers
    )


def test_fewer_speakers_than_asked_for_are_told():
    file = audio([Turn(10, 90, 0)], num_steps=100)
    for options in ({"num_speakers": 9}, {"min_speakers": 9}):
        with pytest.warns(UserWarning, match="call: 5 speakers were found, though at least 9 were asked for"):
            make()(file, **options)
        with pytest.warns(UserWarning, match="stream: 5 speakers were found, though at least 9 were asked for"):
            list(make().stream([file["waveform"][0].numpy()], **options))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(make()(file, num_speakers=5).labels()) == 5
        assert not make()(audio([]), num_speakers=2)  # nobody to count


@pytest.mark.parametrize("num_speakers", [2, 3, 5])
def test_so_it_is_when_chunks_overlap(num_speakers):
    file = audio([Turn(start, start + 90, 0) for start in range(0, 1200, 100)])
    assert len(make(step=0.5, chunk_duration=4.0)(file, num_speakers=num_speakers).labels()) == num_speakers


def test_who_goes_on_across_an_edge_stays_one_when_the_chunk_is_decoded_again():
    # chunks of 200 steps: too little of speaker 1 is in the first to be prompted, and the second has most speech
    turns = [Turn(0, 60, 0), Turn(181, 290, 1), Turn(300, 395, 0), Turn(400, 440, 2)]
    diarization = make(chunk_duration=4.0)(audio(turns), num_speakers=4)
    assert len(diarization.labels()) == 4
    across = next(s for s in diarization.itersegments() if s.start == pytest.approx(3.62))
    assert across.end == pytest.approx(5.8)


@pytest.mark.parametrize("num_speakers", [3, 5, 7])
def test_voices_have_said_what_the_diarization_says_however_often_a_chunk_was_decoded(num_speakers):
    diarization = make(chunk_duration=4.0)(audio(example()), num_speakers=num_speakers)
    said = sum(voice.duration for voice in diarization.memory.voices)
    assert said == pytest.approx(sum(map(diarization.label_duration, diarization.labels())), rel=0.02)


@pytest.mark.parametrize("num_speakers", [2, 4])
def test_so_it_is_when_a_file_is_read_again(num_speakers):
    assert len(make(readings=3)(audio(example()), num_speakers=num_speakers).labels()) == num_speakers


def test_so_it_is_when_known_voices_join_those_who_cannot_be_prompted():
    memory = make()(audio([Turn(0, 150, 0), Turn(160, 310, 1)])).memory
    brief = [Turn(0, 200, 2), Turn(220, 240, 3)]  # too little to be prompted
    for later in ([Turn(320, 420, 0), Turn(440, 540, 4)], [Turn(320, 420, 0), Turn(440, 540, 1)]):
        for most in (2, 3):
            found = make(chunk_duration=6.0)(audio([*brief, *later]), memory=memory, max_speakers=most)
            assert len(found.labels()) <= most


@settings(max_examples=40)
@given(conversations(), st.integers(1, 6), st.sampled_from([None, 3.0]), st.booleans())
def test_the_number_of_speakers_holds_with_known_voices(turns, num_speakers, chunk_duration, known):
    pipeline = make(chunk_duration=chunk_duration)
    memory = pipeline(audio([Turn(0, 60, 2), Turn(70, 200, 8), Turn(210, 300, 0)])).memory if known else None
    diarization = pipeline(audio(turns), memory=memory, num_speakers=num_speakers)
    # all sound may lie in one window, which has room for no more speakers than the vocabulary has
    assert min(num_speakers, pipeline.model.vocabulary.num_speakers) <= len(diarization.labels()) <= num_speakers
    for segment in diarization.get_timeline():
        assert segment.duration > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_speakers": 0}, "num_speakers must be at least 1; got 0"),
        ({"max_speakers": -1}, "max_speakers must be at least 1; got -1"),
        ({"num_speakers": 1.5}, "num_speakers must be a whole number; got 1.5"),
        ({"min_speakers": 3, "max_speakers": 2}, "min_speakers=3 is more than max_speakers=2"),
        ({"num_speakers": 1, "min_speakers": 2}, "num_speakers=1 does not lie between min_speakers=2"),
        ({"nun_speakers": 2}, "unknown option 'nun_speakers'; options: num_speakers, min_speakers"),
        ({"memory": []}, "memory is the `memory` of a Diarization; got list"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        make()(audio([]), **options)
    if "memory" not in options:
        with pytest.raises(ValueError, match=message):
            make()([audio([])], **options)


def test_bad_parameters_are_named():
    with pytest.raises(ValueError, match="unknown parameter 'chunk'; known parameters: model, chunk_duration"):
        make(chunk=3)
    with pytest.raises(ValueError, match="needs a Pix2Seq model; got Linear"):
        PromptedSpeakerDiarization(torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match="needs a model"):
        PromptedSpeakerDiarization()
    for step in (0.0, 1.5, "half"):
        with pytest.raises(ValueError, match="step is a ratio"):
            make(step=step)
    with pytest.raises(ValueError, match="chunk_duration must be at least"):
        make(chunk_duration=0.0)
    for name in ("batch_size", "beam", "readings"):
        for wrong in (0, 1.5, "32"):
            with pytest.raises(ValueError, match=f"{name} must be a whole number from 1; got {wrong!r}"):
                make(**{name: wrong})
    with pytest.raises(ValueError, match="calibration: expected the numbers offset and slope; got .1."):
        make(calibration=[1])
    for wrong in ("high", 2.0, True):
        with pytest.raises(ValueError, match=f"hyper-parameter speech: expected a number from 0 to 1; got {wrong!r}"):
            make().instantiate({"speech": wrong})
    with pytest.raises(ValueError, match="unknown hyper-parameter 'min_duration'; known ones: min_duration_on, "):
        make().instantiate({"min_duration": 1.0})


def test_short_gaps_are_filled_and_short_turns_not_written():
    turns = [Turn(0, 100, 0), Turn(110, 200, 0), Turn(250, 255, 1), Turn(300, 400, 1)]
    pipeline = make()
    pipeline.instantiate({"min_duration_on": 0.0, "min_duration_off": 0.25, "prompt_duration": 2.0})
    assert [(s, e) for s, e, _ in found(pipeline(audio(turns)))] == [(0, 200), (250, 255), (300, 400)]
    pipeline.instantiate({"min_duration_on": 0.2, "min_duration_off": 0.0, "prompt_duration": 2.0})
    assert all(end - start >= 10 for start, end, _ in found(pipeline(audio(turns))))


@given(conversations(), st.floats(2.5, 12.0), st.sampled_from([1, 3]), st.sampled_from([None, 1, 4]))
def test_no_turn_is_shorter_than_the_shortest(turns, chunk_duration, readings, num_speakers):
    pipeline = make(chunk_duration=chunk_duration, readings=readings)
    pipeline.instantiate({"min_duration_on": 0.5})
    found = pipeline(audio(turns), num_speakers=num_speakers)
    short = [label for segment, _, label in found.itertracks(yield_label=True) if segment.duration < 0.5 - 1e-6]
    assert len(short) == len(set(short))  # the longest turn of somebody without whom there would be too few
    assert not short or len(found.labels()) <= (num_speakers or 0)


@pytest.mark.parametrize(
    ("num_steps", "readings", "num_speakers"),
    [(600, 2, 2), (601, 2, 1), (600, 1, 1)],  # a window has 600; once only is as a stream, whose end is not known
)
def test_newcomers_are_doubted_where_there_is_more_than_one_chunk(num_steps, readings, num_speakers):
    pipeline = make(readings=readings).instantiate({**make().default_parameters(), "voices": 0.0})
    pipeline.newcomer = -1e3
    assert len(pipeline(audio([Turn(0, 100, 0), Turn(110, 200, 1)], num_steps)).labels()) == num_speakers


@given(st.floats(0, 35), st.sampled_from([10.0, 20.0, 30.0]))
def test_turns_much_fainter_than_their_speaker_are_left_out(fainter, faint):
    turns = [Turn(0, 100, 0), Turn(110, 200, 1), Turn(210, 310, 0), Turn(330, 380, 0)]
    file = audio(turns)
    loud = file["waveform"].clone() * 40
    loud[:, 110 * 320 : 200 * 320] /= 40  # who is faint all the time is somebody far away
    loud[:, 330 * 320 :] *= 10 ** (-fainter / 20)
    below_mean = fainter + 10 * np.log10((200 + 50 * 10 ** (-fainter / 10)) / 250)
    assume(abs(below_mean - faint) > 0.1)
    pipeline = make().instantiate({**make().default_parameters(), "faint": faint})
    kept = turns if below_mean < faint else turns[:-1]
    assert found(pipeline({**file, "waveform": loud})) == expected(kept)


def test_hooks_metric_and_direction():
    calls = []
    pipeline = make()
    pipeline(audio(example()), hook=lambda *args, **kwargs: calls.append((*args, kwargs["completed"], kwargs["total"])))
    completed = [call[2] for call in calls]
    assert calls[0][:3] == ("chunks", None, 0) and completed == sorted(completed)
    assert completed[-1] == calls[-1][3] and len({call[3] for call in calls}) == 1
    reference = to_annotation(example(), "ABC", TimeGrid(30.0, 1500))
    assert abs(pipeline.get_metric()(reference, pipeline(audio(example())))) < 1e-9
    assert pipeline.get_direction() == "minimize"
    assert pipeline.to(torch.device("cpu")) is pipeline
    assert [label for label, _ in zip(pipeline.classes(), range(2), strict=False)] == ["SPEAKER_00", "SPEAKER_01"]
