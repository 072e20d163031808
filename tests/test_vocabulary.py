import pytest
from hypothesis import given

from pyannote_pix2seq.vocabulary import Vocabulary
from tests.strategies import vocabularies


@given(vocabularies)
def test_ids_of_all_kinds_are_exactly_the_range(vocabulary):
    specials = [vocabulary.PAD, vocabulary.DIARIZE, vocabulary.EOS]
    speakers = [vocabulary.speaker(i) for i in range(vocabulary.num_speakers)]
    times = [vocabulary.time(step) for step in range(vocabulary.num_steps + 1)]
    assert sorted(specials + speakers + times) == list(range(len(vocabulary)))


@given(vocabularies)
def test_each_id_is_of_one_kind_and_read_back(vocabulary):
    for token in range(len(vocabulary)):
        if vocabulary.is_speaker(token):
            assert not vocabulary.is_time(token)
            assert vocabulary.speaker(vocabulary.speaker_index(token)) == token
        elif vocabulary.is_time(token):
            assert vocabulary.time(vocabulary.step(token)) == token
        else:
            assert token in (vocabulary.PAD, vocabulary.DIARIZE, vocabulary.EOS)


def test_what_is_not_in_the_vocabulary_is_named():
    vocabulary = Vocabulary(num_speakers=2, num_steps=10)
    with pytest.raises(ValueError, match="it has 2 speakers"):
        vocabulary.speaker(2)
    with pytest.raises(ValueError, match="it has 10 steps"):
        vocabulary.time(11)
    with pytest.raises(ValueError, match="not a speaker token"):
        vocabulary.speaker_index(len(vocabulary))
    with pytest.raises(ValueError, match="not a time token"):
        vocabulary.step(len(vocabulary))
