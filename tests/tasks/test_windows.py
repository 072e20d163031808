"""Window i is always the same, looks like what the pipeline makes, and says who is heard in it."""

import numpy as np
import pytest

from pyannote_pix2seq.prompts import SpeakerMemory, prompt, remember
from pyannote_pix2seq.tasks.noise_turns import WithNoiseTurns
from pyannote_pix2seq.tasks.recordings import read_part, read_protocol
from pyannote_pix2seq.tasks.windows import Prompting, RecordedWindows, SyntheticWindows
from pyannote_pix2seq.turns import TimeGrid, Turn, clip
from tests.tasks.miniature import Recordings, simulator

GRID = TimeGrid(4.0, 200)
ALWAYS = Prompting(probability=1.0, history=(2.0, 3.0), dropped=0.0)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return read_protocol(Recordings(tmp_path_factory.mktemp("recordings")), True)


@pytest.fixture(params=["synthetic", "recorded"])
def windows(request, prepared):
    if request.param == "synthetic":
        return SyntheticWindows(simulator(), 4.0, 0.02, ALWAYS, seed=5)
    return RecordedWindows(prepared, "train", GRID, ALWAYS, 3, seed=5)


def test_the_same_index_is_the_same_window(windows):
    for index in (0, 7):
        one, other = windows[index], windows[index]
        assert np.array_equal(one.waveform, other.waveform)
        assert one.turns == other.turns and one.voices == other.voices
    assert not np.array_equal(windows[0].waveform, windows[1].waveform)


def test_windows_are_valid(windows):
    prompted = 0
    for index in range(12):
        window = windows[index]
        assert window.waveform.shape == (64000,) and window.waveform.dtype == np.float32
        assert window.turns == sorted(window.turns)
        assert list(dict.fromkeys(t.speaker for t in window.turns)) == list(range(len(window.voices)))
        assert all(0 <= t.start < t.end <= 200 for t in window.turns)
        prompts = window.turns[: window.num_forced]
        assert len({t.speaker for t in prompts}) == len(prompts)
        prompted += bool(prompts)
        if prompts:  # the chunk starts after the silence behind the last clip
            assert all(t.start >= prompts[-1].end + 10 for t in window.turns[window.num_forced :])
    assert prompted


def test_prompts_are_those_of_the_pipeline():
    rng = np.random.default_rng(0)
    waveform = rng.standard_normal(5 * 16000).astype(np.float32)
    turns = [Turn(0, 80, 0), Turn(90, 170, 1)]
    made, speakers = ALWAYS(np.random.default_rng(1), waveform, turns, 200, GRID)
    memory = remember(SpeakerMemory(), waveform[:64000], clip(turns, 0, 200), [1.0, 1.0], ["0", "1"], GRID, 16000)
    shuffled = SpeakerMemory(tuple(memory[str(s)] for s in speakers), memory.num_chunks)
    expected = prompt(shuffled, GRID, 16000, max_voices=2)
    assert made.turns == expected.turns and made.labels == expected.labels
    assert np.array_equal(made.waveform, expected.waveform)


def test_nearly_nothing_may_have_been_heard_before():
    windows = SyntheticWindows(simulator(), 4.0, 0.02, Prompting(probability=1.0, history=(0.0, 0.0)))
    assert windows[0].num_forced == 0


def test_an_impure_clip_is_mostly_of_its_own_voice():
    grid = TimeGrid(30.0, 1500)
    turns = [Turn(0, 170, 0), Turn(180, 400, 1)]
    waveform = np.concatenate([np.full(180 * 320, 1, np.float32), np.full(220 * 320, -1, np.float32)])
    shares = []
    for seed in range(20):
        impure = Prompting(probability=1.0, dropped=0.0, impure=1.0)
        made, speakers = impure(np.random.default_rng(seed), waveform, turns, 400, grid)
        assert sorted(speakers) == [0, 1]
        for turn, speaker in zip(made.turns, speakers, strict=True):
            heard = made.waveform[turn.start * 320 : turn.end * 320]
            shares.append(np.mean(np.sign(heard) == (1 if speaker == 0 else -1)))
    assert 0.5 <= min(shares) <= max(shares) <= 0.91  # 0.3 s of 3 s at least


def test_no_more_voices_are_prompted_than_may_be():
    def windows(max_voices):
        made = SyntheticWindows(
            simulator(), 8.0, 0.02, Prompting(1.0, history=(5.0, 6.0), dropped=0.0), max_voices=max_voices
        )
        return [made[i] for i in range(12)]

    unlimited, enough = windows(None), windows(3)
    for one, other in zip(unlimited, enough, strict=True):
        assert one.turns == other.turns and np.array_equal(one.waveform, other.waveform)
    assert [max(window.num_forced for window in some) for some in (unlimited, windows(1), windows(0))] == [2, 1, 0]


def test_batches_of_shorter_windows_are_of_one_length():
    windows = SyntheticWindows(simulator(), 4.0, 0.02, ALWAYS, shortest=1.0, together=3)
    lengths = [[len(windows[3 * batch + i].waveform) for i in range(3)] for batch in range(20)]
    assert all(len(set(batch)) == 1 for batch in lengths)
    seconds = [batch[0] / 16000 for batch in lengths]
    assert 4 <= sum(s < 4.0 for s in seconds) <= 12 and min(seconds) >= 1.0 and max(seconds) == 4.0
    noisy = WithNoiseTurns(windows, 4, 0)
    for window in map(noisy.__getitem__, range(60)):
        assert all(end <= len(window.waveform) // 320 for _, end in window.noise)
        assert all(turn.end <= len(window.waveform) // 320 for turn in window.turns)
        assert window.num_forced == 0 or window.turns[window.num_forced - 1].end <= len(window.waveform) // 640


def test_short_recordings_are_padded(prepared):
    windows = RecordedWindows(prepared, "train", GRID, Prompting(probability=0.0), 3)
    padded = [w for w in map(windows.__getitem__, range(60)) if not w.waveform[32000:].any()]
    assert padded, "the file of 2 s was never drawn"
    assert all(turn.end <= 100 for turn in padded[0].turns)


def test_windows_have_no_more_people_than_the_model_writes(prepared):
    crowded = {**prepared, "spoken": prepared["spoken"].copy(), "voices": np.full(9, -1)}
    late = crowded["spoken"]["start"] >= 10
    crowded["spoken"]["speaker"][late] = np.arange(late.sum()) % 9
    windows = RecordedWindows(crowded, "train", GRID, ALWAYS, 2)
    counts = [len({turn.speaker for turn in windows[index].turns}) for index in range(40)]
    assert max(counts) == 3
    crowded["spoken"]["start"], crowded["spoken"]["end"] = 0.0, 20.0
    crowded["regions"] = crowded["regions"][:1]
    with pytest.raises(ValueError, match=r"long.wav: more than 3 people talk within 4 s, which is more than the model"):
        RecordedWindows(crowded, "train", GRID, ALWAYS, 2)[0]


def test_turns_stand_where_the_file_has_them(prepared):
    windows = RecordedWindows(prepared, "train", GRID, Prompting(probability=0.0), 3)
    waveform, turns = windows.cut(0, 1.0, 5.0)
    assert turns == [Turn(0, 75, 0), Turn(50, 175, 1), Turn(150, 200, 0)]
    assert np.array_equal(waveform, read_part(prepared["audio"][0], 1.0, 5.0))


def test_the_past_is_not_in_the_chunk(prepared):
    windows = RecordedWindows(prepared, "train", GRID, ALWAYS, 3)
    rng = np.random.default_rng(0)
    for _ in range(50):
        start, end = windows.past(rng, (0.0, 20.0), (6.0, 10.0))
        assert end - start >= 1 and (end <= 6.0 + 1e-9 or start >= 10.0 - 1e-9)
    assert windows.past(rng, (0.0, 4.5), (0.0, 4.0)) is None


def test_speakers_of_a_database_are_identities(prepared):
    assert prepared["voices"].tolist() == [0, 1, 0, -1, -1, -1]


@pytest.mark.parametrize(
    ("changed", "message"), [({"annotated": False}, "'long' has no annotation"), ({"silent": True}, "nobody speaks")]
)
def test_protocols_that_cannot_be_learned_from(tmp_path, changed, message):
    with pytest.raises(ValueError, match=message):
        read_protocol(Recordings(tmp_path, **changed), True)
