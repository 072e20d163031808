"""Laws of planning and rendering."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyroomacoustics
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from pyannote_pix2seq.mixtures import sources
from pyannote_pix2seq.mixtures.bank import Bank
from pyannote_pix2seq.mixtures.effects import EFFECTS, Bursts, Bystanders, Loudness, Noise, Reverberation
from pyannote_pix2seq.mixtures.effects.bursts import KINDS, LONG, Origin, Swelling, rumbling
from pyannote_pix2seq.mixtures.formants import with_formants
from pyannote_pix2seq.mixtures.plan import SAMPLE_RATE, Plan, Voice, ratio
from pyannote_pix2seq.mixtures.render import NEIGHBOURS, filter_of, render, render_batch
from pyannote_pix2seq.mixtures.resampling import resample
from pyannote_pix2seq.mixtures.simulator import Simulator
from pyannote_pix2seq.mixtures.sound import gain, level
from pyannote_pix2seq.mixtures.styles import STYLES, Conversation
from pyannote_pix2seq.mixtures.voices import MIN_STRETCH, Speech, draw_voices

seeds = st.integers(0, 2**32)
styles = st.sampled_from(sorted(STYLES))
assert STYLES and EFFECTS


@pytest.fixture(scope="session")
def bank(source):
    return Bank.load(sources.split(sources.source(**source), "train"))


def plan(bank, style, seed, effects=(), duration=8.0):
    return Simulator(bank, STYLES[style](), effects).plan(np.random.default_rng(seed), duration)


@given(styles, seeds, st.floats(0.5, 20))
def test_turns_are_inside_and_never_cross_themselves(bank, style, seed, duration):
    made = plan(bank, style, seed, duration=duration)
    ends = {}
    for start, end, voice in made.speech():
        assert 0 <= start < end <= made.num_samples == round(duration * SAMPLE_RATE)
        assert ends.get(voice, -1) < start  # a voice says one thing at a time
        ends[voice] = end
    assert len(ends) <= STYLES[style]().max_speakers
    assert len({voice.speaker for voice in made.voices}) == len(made.voices)


@given(seeds, st.floats(1, 60))
def test_nobody_repeats_themselves_where_they_may_not(bank, seed, duration):
    made = Conversation(num_speakers=(0, 1, 1, 1), repeats=False)(np.random.default_rng(seed), bank, duration)
    said = sorted((e.speaker, e.source + start, e.source + end) for e in made.excerpts for start, end in e.speech)
    for (who, _, end), (other, start, _) in pairwise(said):
        assert who != other or end <= start


def test_who_has_more_to_say_is_heard_more_often_where_nobody_repeats_themselves():
    utterances = [(0, 16000, [(0, 16000)]), (16000, 48000, [(0, 48000)])]
    two = Bank(np.zeros(64000, np.int16), ["A", "B"], utterances, [[0], [1]], [[0, 1]], ["", ""], "")
    rng = np.random.default_rng(0)
    drawn = [draw_voices(rng, two, 1, 0.0, [1.0], repeats=False)[0].speaker for _ in range(400)]
    assert np.mean(drawn) == pytest.approx(0.75, abs=0.07)


@given(seeds, st.floats(0, 2))
def test_longer_pauses_belong_to_a_turn_when_annotators_say_so(bank, seed, pause):
    rng = np.random.default_rng
    fine = Conversation(merged_pause=0.0)(rng(seed), bank, 20.0)
    coarse = Conversation(merged_pause=pause)(rng(seed), bank, 20.0)
    assert coarse.excerpts == fine.excerpts  # it is about references, not about sound
    ends, last = {}, [end for _, end, _ in fine.speech()]
    for start, end, voice in coarse.speech():
        assert start - ends.get(voice, -1e9) > round(pause * SAMPLE_RATE)
        ends[voice] = end
    assert set(ends.values()) <= set(last)
    spoken = [sum(end - start for start, end, _ in one.speech()) for one in (fine, coarse)]
    assert spoken[0] <= spoken[1]


@given(seeds, st.floats(-12, 12))
def test_an_effort_is_heard(bank, seed, effort):
    """Louder by so many decibels, the highest frequencies by so many more than the lowest, and higher."""
    previous, own = filter_of(effort)
    neighbours = previous**2 + own**2 + 2 * previous * own * NEIGHBOURS  # power of speech behind the filter
    assert 10 * np.log10(neighbours) == pytest.approx(effort, abs=1e-6)
    assert 20 * np.log10((own - previous) / (own + previous)) == pytest.approx(effort, abs=1e-6)

    even = Conversation()(np.random.default_rng(seed), bank, 8.0)
    one = replace(even, excerpts=tuple(replace(excerpt, effort=effort) for excerpt in even.excerpts))
    for higher, usual in zip(one.excerpts, even.excerpts, strict=True):
        assert 12 * np.log2(higher.pitch) == pytest.approx(np.clip(0.45 * effort, -5, 5), abs=0.5 + 1e-9)
        voice = one.voices[usual.speaker]
        length = voice.stretched(usual.length, higher.pitch)
        assert length * higher.pitch == pytest.approx(voice.stretched(usual.length), rel=6e-3, abs=2)
    if all(excerpt.pitch == 1 for excerpt in one.excerpts):
        assert one.speech() == even.speech()
    if effort == 0:
        np.testing.assert_array_equal(render(one, bank), render(even, bank))
    elif even.speech() and abs(effort) > 1:  # excerpts may end before the mixture starts
        assert not np.allclose(render(one, bank), render(even, bank))


def vowel(formants, height, mouth):
    """One second; formants are `mouth` times as high as said."""
    times, partials = np.arange(SAMPLE_RATE) / SAMPLE_RATE, height * np.arange(1, int(7000 / height))
    levels = sum(1 / (1 + ((partials - mouth * formant) / (mouth * 80)) ** 2) for formant in formants)
    return np.sin(2 * np.pi * np.outer(times, partials)) @ levels * 1000


def loudest(sound, frequencies, width):
    """(frequency,) amplitudes, each the highest within `width` Hz, of a sound of one second."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return np.array([spectrum[round(f) - width : round(f) + width + 1].max() for f in frequencies])


@pytest.mark.parametrize("semitones", [-5, -3, 3, 5])
def test_a_higher_voice_keeps_its_formants(semitones):
    """Another height, but the spectrum of the usual voice far more nearly than that of what was played faster."""
    pitch = 2 ** (semitones / 12)
    partials = 100 * pitch * np.arange(1, 25)
    errors = []
    for formants in ((700, 1200, 2500), (300, 2200, 2900), (500, 1500, 2500), (350, 800, 2400)):
        usual, faster = (vowel(formants, 100 * pitch, mouth) for mouth in (1.0, pitch))
        higher = with_formants(torch.from_numpy(faster).float(), pitch).numpy()
        levels = [20 * np.log10(loudest(sound, partials, 2)) for sound in (usual, faster, higher)]
        errors.append([np.std(level - levels[0]) for level in levels[1:]])
        assert np.median(loudest(higher, partials, 2) / loudest(higher, partials + 50 * pitch, 0)) > 10
    before, after = np.mean(errors, axis=0)
    assert after < 0.6 * before, (before, after)


@pytest.mark.parametrize("semitones", [-5, -1, 1, 3])
def test_a_slow_voice_may_be_as_much_higher(bank, semitones):
    """As fast as it was read, but not as high: together and one by one."""
    made = Conversation()(np.random.default_rng(0), bank, 8.0)
    excerpts = tuple(replace(excerpt, raised=semitones) for excerpt in made.excerpts)
    voices = tuple(replace(voice, speed=1 / excerpts[0].pitch) for voice in made.voices)
    one = replace(made, voices=voices, excerpts=excerpts)
    expected = render(one, bank)
    rendered = render_batch([one], bank.tensor("cpu"))[0].numpy()
    assert np.linalg.norm(rendered - expected) <= 1e-3 * np.linalg.norm(expected)


@given(seeds, st.integers(1, 5000))
@example(77720, 511)
def test_a_voice_as_high_as_usual_stays_as_it_is(seed, length):
    speech = torch.from_numpy(np.random.default_rng(seed).normal(0, 1000, length)).float()
    torch.testing.assert_close(with_formants(speech, 1.0), speech, atol=0.01, rtol=1e-4)


def test_a_higher_voice_is_the_same_with_more_threads():
    speech = torch.from_numpy(np.random.default_rng(0).normal(0, 1000, 33333)).float()
    before, heard = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            heard.append(with_formants(speech, 2**0.25).numpy())
    finally:
        torch.set_num_threads(before)
    for other in heard[1:]:
        np.testing.assert_array_equal(other, heard[0])


@given(seeds, st.floats(-8, 8), st.floats(-8, 8))
def test_speech_is_raised_beyond_its_effort_five_semitones_at_most(bank, seed, effort, raised):
    (excerpt, *_) = Conversation(num_speakers=[0, 1])(np.random.default_rng(seed), bank, 60.0).excerpts
    pitch = replace(excerpt, effort=effort, raised=raised).pitch
    assert 12 * np.log2(pitch) == pytest.approx(np.clip(0.45 * effort + raised, -5, 5), abs=0.5 + 1e-9)


@pytest.mark.parametrize(("knob", "drawn"), [("effort", "effort"), ("intonation", "raised")])
@given(seeds)
def test_every_stretch_has_its_own_manner(bank, knob, drawn, seed):
    made = Conversation(num_speakers=[0, 1], **{knob: 4.0})(np.random.default_rng(seed), bank, 60.0)
    manners = {getattr(excerpt, drawn) for excerpt in made.excerpts}
    assert len(manners) > 1 and 0 < np.std(list(manners)) < 12


@given(seeds, st.sampled_from([0.02, 0.05]))
def test_however_uneven_the_shares_two_who_never_hold_take_turns(bank, seed, evenness):
    style = Conversation(num_speakers=[0, 0, 1], hold=0.0, backchannel=0.0, evenness=evenness)
    assert {excerpt.speaker for excerpt in style(np.random.default_rng(seed), bank, 120.0).excerpts} == {0, 1}


@given(seeds, st.sampled_from([0.01, 0.05, 0.15]))
def test_overlaps_may_be_short(bank, seed, longest):
    made = Conversation(num_speakers=[0, 0, 1], overlap=(1.0, 1.0), max_overlap=longest, backchannel=0.0)(
        np.random.default_rng(seed), bank, 60.0
    )
    ends = {}
    for excerpt in made.excerpts:
        others = [end for speaker, end in ends.items() if speaker != excerpt.speaker]
        assert excerpt.start >= max(others, default=excerpt.start) - (longest + 0.01) * 16000
        ends[excerpt.speaker] = excerpt.start + made.voices[excerpt.speaker].stretched(excerpt.length, excerpt.pitch)


@given(styles, seeds)
def test_excerpts_stay_in_their_utterance(bank, style, seed):
    made = plan(bank, style, seed)
    for excerpt in made.excerpts:
        speaker = made.voices[excerpt.speaker].speaker
        firsts = [bank.utterances[u][:2] for u in bank.by_speaker[speaker]]
        assert any(f <= excerpt.source and excerpt.source + excerpt.length <= f + n for f, n in firsts)
        assert all(0 <= start < end <= excerpt.length for start, end in excerpt.speech)


@given(styles, seeds)
def test_same_seed_same_plan_other_seed_another(bank, style, seed):
    one, other = plan(bank, style, seed), plan(bank, style, seed + 1)
    assert one == plan(bank, style, seed)
    assert one != other or not one.voices  # where nobody talks, all are alike


@given(styles, seeds)
def test_voices_add_up(bank, style, seed):
    made = plan(bank, style, seed, [Loudness()])
    alone = [replace(made, excerpts=tuple(e for e in made.excerpts if e.speaker == v)) for v in range(len(made.voices))]
    together = sum((render(one, bank) for one in alone), np.zeros(made.num_samples, np.float32))
    np.testing.assert_allclose(render(made, bank), together, atol=1e-5)


@given(styles, seeds)
def test_it_is_silent_where_no_excerpt_is(bank, style, seed):
    made = plan(bank, style, seed)
    covered = np.zeros(made.num_samples, bool)
    for excerpt in made.excerpts:
        covered[max(excerpt.start, 0) : excerpt.start + made.voices[excerpt.speaker].stretched(excerpt.length) + 1] = (
            True
        )
    assert not render(made, bank)[~covered].any()


@pytest.mark.parametrize("name", sorted(EFFECTS))
def test_effects_keep_labels_length_and_finiteness(bank, name):
    happens = {"probability": 1.0} if "probability" in EFFECTS[name].__dataclass_fields__ else {}
    effect = EFFECTS[name](**happens)
    for seed in range(3):
        dry = plan(bank, "Conversation", seed)
        drawn = effect.draw(np.random.default_rng(seed), bank, dry, 1.0)
        if not dry.voices and drawn is None:
            continue
        wet = replace(dry, effects=(drawn,))
        waveform = render(wet, bank)
        assert waveform.shape == (dry.num_samples,) and waveform.dtype == np.float32 and np.isfinite(waveform).all()
        assert wet.speech() == dry.speech()
        np.testing.assert_array_equal(waveform, render(wet, bank))


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("names", [[], *([name] for name in sorted(EFFECTS)), sorted(EFFECTS)])
def test_a_batch_is_its_plans(bank, names, device):
    """Rendered together by torch as one by one by numpy, to -60 dB."""
    certain = [
        EFFECTS[n](**({"probability": 1.0} if "probability" in EFFECTS[n].__dataclass_fields__ else {})) for n in names
    ]
    plans = [plan(bank, style, seed, certain) for style in sorted(STYLES) for seed in range(3)]
    plans += [plan(bank, "Conversation", seed, certain) for seed in range(3, 9)]
    plans += [Simulator(bank, Conversation(effort=4.0), certain).plan(np.random.default_rng(3), 8.0)]
    plans += [Plan(plans[0].num_samples, (), ())]
    assert {voice.speed for one in plans for voice in one.voices} > {1.0}
    assert any(excerpt.start < 0 for one in plans for excerpt in one.excerpts)
    batch = render_batch(plans, bank.tensor(device)).cpu().numpy()
    assert batch.dtype == np.float32
    for rendered, one in zip(batch, plans, strict=True):
        expected = render(one, bank)
        assert np.linalg.norm(rendered - expected) <= 1e-3 * np.linalg.norm(expected)


def test_a_batch_has_one_length(bank):
    with pytest.raises(ValueError, match="plans of one length were expected; got 2 of"):
        render_batch([plan(bank, "Artificial", 0), plan(bank, "Artificial", 0, duration=2.0)], bank.tensor())


@given(st.floats(0.5, 2.0), st.integers(200, 2000))
def test_a_tone_at_another_speed_is_another_tone(speed, pitch):
    voice = Voice(0, speed)
    before = np.sin(2 * np.pi * pitch * np.arange(SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    exact = ratio(speed)[1] / ratio(speed)[0]
    assert abs(exact - speed) <= 0.005
    after = resample(before, speed, voice.stretched(len(before)))
    expected = np.sin(2 * np.pi * pitch * exact * np.arange(len(after)) / SAMPLE_RATE)
    np.testing.assert_allclose(after[64:-64], expected[64:-64], atol=2e-3)


def test_what_is_too_high_for_a_speed_is_gone():
    high = np.sin(2 * np.pi * 7500 * np.arange(SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    assert np.square(resample(high, 1.5, 10000)[64:-64]).mean() < 1e-4


@pytest.mark.parametrize("name", ["telephone", "microphone", "distance", "reverberation"])
def test_effects_move_no_sound(bank, name):
    """The onset of a click stays where it is, so that labels do."""
    dry = plan(bank, "Artificial", 0)
    click = np.zeros(SAMPLE_RATE, np.float32)
    click[4000] = 1.0
    drawn = EFFECTS[name](probability=1.0).draw(np.random.default_rng(1), bank, dry, 1.0)
    heard = drawn.on_mixture(drawn.on_voice(0, click))[: len(click)]
    assert abs(int(np.abs(heard).argmax()) - 4000) <= 16
    assert np.square(heard[:3840]).sum() < 0.01 * np.square(heard).sum()


def test_bursts_are_as_loud_as_told(bank):
    silence = Plan(60 * SAMPLE_RATE, (), ())
    for seed in range(10):
        loud, faint = (
            Bursts(probability=1.0, loudness=(level, level)).draw(np.random.default_rng(seed), bank, silence, 1.0)
            for level in (0.0, -20.0)
        )
        assert np.abs(loud.samples).max() > 0
        np.testing.assert_allclose(faint.samples, loud.samples / 10, atol=1e-6)
        heard = loud.on_mixture(np.zeros(silence.num_samples, np.float32)) / 0.05  # where nobody talks
        np.testing.assert_allclose(heard, loud.samples, atol=1e-5)
    assert Bursts(probability=1.0).draw(np.random.default_rng(0), bank, silence, 0.0) is None


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{type(kind).__name__}-{kind.filters[0].__name__}")
def test_a_burst_lasts_and_peaks_as_its_kind_says(kind):
    swells = isinstance(kind, Swelling)
    shortest, longest = (kind.attack[i] + 3 * kind.decay[i] if swells else LONG[i] for i in (0, 1))
    for seed in range(20):
        rng = np.random.default_rng(seed)
        burst = Origin.draw(rng, kind).sound(rng, kind.envelope(rng))
        assert shortest * 0.9 <= len(burst) / SAMPLE_RATE <= longest * 1.1 and np.isfinite(burst).all()
        loudest = np.sqrt(np.square(burst[: len(burst) // 160 * 160]).reshape(-1, 160).mean(1)).max()
        assert (0.05 if swells else 0.001) < loudest < (6 if swells else 20)  # clicks may be far shorter than 10 ms
        if kind.filters == (rumbling,):
            power = np.abs(np.fft.rfft(burst)) ** 2
            assert power[: round(1500 / SAMPLE_RATE * len(burst))].sum() > 0.9 * power.sum()


def test_an_origin_keeps_its_sound_and_the_level_of_noise(bank):
    rng = np.random.default_rng(0)
    for kind in KINDS:
        origin = Origin.draw(rng, kind)
        white = rng.standard_normal(1 << 15).astype(np.float32)
        assert np.convolve(white, origin.response).std() == pytest.approx(1, rel=0.2)
        spectra = []
        for _ in range(2):
            power = np.abs(np.fft.rfft(np.resize(origin.sound(rng, kind.envelope(rng)), 1 << 16))) ** 2
            spectra.append(power[:32768].reshape(64, -1).mean(1))
        first, second = (10 * np.log10(spectrum + 1e-12) for spectrum in spectra)
        assert np.corrcoef(first, second)[0, 1] > 0.7


@given(seeds, st.floats(0.0, 40.0))
def test_bystanders_are_others_as_far_below_a_conversation_as_told(bank, seed, below):
    dry = plan(bank, "Conversation", seed)
    assume(0 < len(dry.voices) < len(bank.speakers))
    effect = Bystanders(probability=1.0, below=(below, below), pause=(0.0, 0.0))
    drawn = effect.draw(np.random.default_rng(seed), bank, dry, 1.0)
    clean = render(dry, bank)
    added = drawn.on_mixture(clean) - clean
    assert 20 * np.log10((level(clean) or 0.05) / level(added)) == pytest.approx(below, abs=0.1)


def test_bystanders_say_nothing_where_nobody_talks_and_less_than_everything(bank):
    everywhere = Bystanders(probability=1.0)
    assert everywhere.draw(np.random.default_rng(0), bank, Plan(SAMPLE_RATE, (), ()), 1.0) is None
    everybody = Plan(SAMPLE_RATE, tuple(Voice(i) for i in range(len(bank.speakers))), ())
    assert everywhere.draw(np.random.default_rng(0), bank, everybody, 1.0) is None
    one = Plan(60 * SAMPLE_RATE, (Voice(0),), ())
    drawn = Bystanders(probability=1.0, pause=(8.0, 8.0)).draw(np.random.default_rng(0), bank, one, 1.0)
    assert 0.05 < (np.abs(drawn.samples) > 0.01).mean() < 0.95


def test_bursts_that_are_fainter_than_speech_are_faintest_when_it_is_easy(bank):
    silence = Plan(60 * SAMPLE_RATE, (), ())
    bursts = Bursts(probability=1.0, rate=(0.5, 0.5), loudness=(-20.0, -10.0))
    drawn = [[bursts.draw(np.random.default_rng(seed), bank, silence, d) for d in (0.3, 1.0)] for seed in range(20)]
    pairs = [(easy.samples, hard.samples) for easy, hard in drawn if easy]
    assert pairs
    assert all(np.square(easy).sum() < np.square(hard).sum() for easy, hard in pairs)


@given(seeds, st.floats(0.02, 1.0), st.floats(-60.0, 20.0))
def test_the_level_of_speech_does_not_depend_on_how_much_there_is(seed, share, decibels):
    rng = np.random.default_rng(seed)
    speech = rng.standard_normal(SAMPLE_RATE, dtype=np.float32) * np.float32(gain(decibels))
    silence = rng.standard_normal(round(len(speech) * (1 / share - 1)), dtype=np.float32) * np.float32(1e-5)
    heard = np.concatenate([silence[: len(silence) // 2], speech, silence[len(silence) // 2 :]])
    assert 20 * np.log10(level(heard)) == pytest.approx(decibels, abs=0.5)
    assert level(torch.from_numpy(heard)) == pytest.approx(level(heard), rel=1e-4)
    assert level(np.zeros_like(heard)) == level(heard[:0]) == 0


def test_rooms_do_not_depend_on_the_number_of_processors():
    from pyannote_pix2seq.mixtures.effects.rooms import room

    constants = pyroomacoustics.constants
    before = constants.get("num_threads")
    made = []
    try:
        for count in (1, 3, 7):
            constants.set("num_threads", count)
            made.append(np.concatenate(room.__wrapped__(0)))
            assert constants.get("num_threads") == count
    finally:
        constants.set("num_threads", before)
    assert made[0].tobytes() == made[1].tobytes() == made[2].tobytes()


def test_simulated_rooms(bank):
    dry = plan(bank, "Artificial", 0)
    drawn = Reverberation(probability=1.0, rooms=1).draw(np.random.default_rng(3), bank, dry, 1.0)
    assert all(np.isclose(np.square(response).sum(), 1, atol=1e-3) for response in drawn.responses)


@pytest.mark.parametrize("snr", [0.0, 20.0])
def test_noise_has_the_ratio_that_was_asked_for(bank, snr):
    dry = plan(bank, "Artificial", 0)
    noisy = Noise(probability=1.0, snr=(snr, snr)).draw(np.random.default_rng(0), bank, dry, 1.0)
    clean = render(dry, bank)
    added = noisy.on_mixture(clean) - clean
    assert abs(20 * np.log10(level(clean)) - 10 * np.log10(np.square(added).mean()) - snr) < 1


class Windows(Dataset):
    def __init__(self, simulator):
        self.simulator = simulator

    def __len__(self):
        return 6

    def __getitem__(self, index):
        drawn = self.simulator.plan(np.random.default_rng((1, index)), 3.0)
        return torch.from_numpy(self.simulator.render(drawn))


def test_any_number_of_workers_makes_the_same_bytes(bank):
    windows = Windows(Simulator(bank, STYLES["Conversation"](), [Loudness(), Reverberation(), Noise()]))
    batches = [torch.cat(list(DataLoader(windows, 2, num_workers=workers))) for workers in (0, 1, 2)]
    assert all(torch.equal(batches[0], batch) for batch in batches[1:])


def test_more_voices_than_there_are(bank):
    with pytest.raises(ValueError, match="9 speakers were asked for, but the bank has only 4"):
        STYLES["Conversation"](num_speakers=[0] * 9 + [1])(np.random.default_rng(0), bank, 5.0)


def test_every_voice_has_an_identity_of_its_own(bank):
    simulator = Simulator(bank, STYLES["Conversation"](speeds=(0.9, 1.0, 1.0, 1.2)))
    voices = tuple(Voice(speaker, speed) for speed in (1.0, 0.9, 1.2) for speaker in range(len(bank.speakers)))
    assert simulator.identities(Plan(0, voices, ())) == list(range(simulator.num_identities))


def test_speeds_that_are_heard_as_one_are_no_two_voices():
    with pytest.raises(ValueError, match=r"speeds: 1 and 1\.004 are too close to be two voices"):
        Conversation(speeds=(1.0, 1.004))


def test_speakers_who_differ_by_a_space_have_labels_of_their_own(bank):
    alike = replace(bank, speakers=["Ann Lee", "Ann_Lee", "Bo", "Cy"])
    voices = tuple(Voice(speaker) for speaker in range(4))
    assert Simulator(alike, Conversation()).labels(Plan(0, voices, ())) == ["Ann_Lee#0", "Ann_Lee#1", "Bo", "Cy"]


@given(seeds)
def test_a_solo_is_mostly_speech(bank, seed):
    simulator = Simulator(bank, STYLES["Conversation"](speeds=(0.9, 1.2)))
    waveform, identity = simulator.solo(np.random.default_rng(seed), 2.0)
    assert waveform.shape == (2 * SAMPLE_RATE,)
    loud = np.abs(waveform[: len(waveform) // 3200 * 3200]).reshape(-1, 3200).max(1)
    assert (loud > 0.02).mean() > 0.5  # the rest are pauses between regions of one utterance
    assert identity >= len(bank.speakers)  # neither speed is a voice's own


@given(
    st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 40_000)), min_size=1, max_size=5),
    st.lists(st.floats(0.0, 4.0), min_size=1, max_size=8),
    st.sampled_from([0.8, 1.0, 1.25]),
)
def test_speech_is_not_cut_into_slivers(spans, wanted, speed):
    """What is said at a time is a whole region of speech, or long enough to be heard."""
    edges = np.cumsum(spans)
    regions = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
    one = Bank(np.zeros(edges[-1], np.int16), ["A"], [(0, int(edges[-1]), regions)], [[0]], [[0]], [""], "")
    speech = Speech(np.random.default_rng(0), one, Voice(0, speed))
    for seconds in wanted:
        begin, length, said = speech.take(seconds)
        assert said[-1][1] == length
        for start, end in said:
            whole = (begin + start, begin + end) in regions
            assert whole or end - start >= round(MIN_STRETCH * SAMPLE_RATE * speed)
