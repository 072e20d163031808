"""The bank: decoded once, mapped by all, and what it does with unusable speech."""

import pickle

import numpy as np
import pytest
import soundfile

from pyannote_pix2seq.mixtures import bank as module
from pyannote_pix2seq.mixtures import sources
from pyannote_pix2seq.mixtures.bank import Bank


def utterances(source):
    return list(sources.source(**source))


def test_it_is_decoded_once_and_mapped(source, tmp_path, monkeypatch):
    first = Bank.load(utterances(source), folder=tmp_path)
    monkeypatch.setattr(module, "_decode", None)
    again = Bank.load(utterances(source), folder=tmp_path)
    assert isinstance(again.samples, np.memmap) and again.key == first.key and again.utterances == first.utterances
    assert len(list(tmp_path.iterdir())) == 1


def test_many_processes_decode_as_one(source, tmp_path, monkeypatch):
    alone = Bank.load(utterances(source), folder=tmp_path / "alone")
    monkeypatch.setattr(module, "FEW", 0)
    together = Bank.load(utterances(source), folder=tmp_path / "together")
    assert together.key == alone.key
    np.testing.assert_array_equal(together.samples, alone.samples)


def test_speech_regions_are_speech(source):
    bank = Bank.load(utterances(source))
    assert len(bank.speakers) == 12 and bank.groups == [list(range(12))] and set(bank.sexes) == {"female", "male"}
    for first, length, regions in bank.utterances:
        samples = bank.samples[first : first + length].astype(float) / 32768
        inside = np.zeros(length, bool)
        for start, end in regions:
            inside[start:end] = True
        assert np.std(samples[inside]) > 0.05 > 0.005 > np.std(samples[~inside])


def test_a_mapped_bank_goes_to_another_process_by_name(source):
    bank = Bank.load(utterances(source))
    sent = pickle.dumps(bank)
    assert len(sent) < bank.samples.nbytes / 10
    np.testing.assert_array_equal(pickle.loads(sent).samples, bank.samples)


def test_other_speech_has_another_key(source):
    some = utterances(source)
    assert Bank.load(some).key != Bank.load(some[:-3]).key


def test_unusable_speech_is_skipped_and_named(source, tmp_path):
    good = utterances(source)[:3]
    (tmp_path / "broken.wav").write_text("this is no audio")
    soundfile.write(tmp_path / "silent.wav", np.zeros(32000), 16000)
    soundfile.write(tmp_path / "hiss.wav", 1e-4 * np.random.default_rng(0).standard_normal(32000), 16000)
    bad = [sources.Utterance(f"bad {n}", tmp_path / f"{n}.wav") for n in ("broken", "silent", "hiss", "missing")]
    with pytest.warns(UserWarning) as warned:
        bank = Bank.load([*bad, *good])
    assert bank.speakers == [good[0].speaker]
    said = " ".join(str(w.message) for w in warned)
    assert all(utterance.path.name in said and utterance.speaker in said for utterance in bad)


def test_a_corrupt_utterance_does_not_take_its_speaker_along(source, tmp_path):
    good = utterances(source)[:3]
    (tmp_path / "broken.wav").write_bytes(good[0].path.read_bytes()[:100])
    with pytest.warns(UserWarning, match=r"broken\.wav"):
        bank = Bank.load([*good, sources.Utterance(good[0].speaker, tmp_path / "broken.wav", source=good[0].source)])
    assert len(bank.speakers) == 1 and len(bank.utterances) == 3


@pytest.mark.filterwarnings("ignore")
def test_no_speaker_at_all(tmp_path):
    with pytest.raises(ValueError, match="no speaker with usable speech"):
        Bank.load([sources.Utterance("ghost", tmp_path / "none.wav")], folder=tmp_path)
    assert not list(tmp_path.iterdir())
