import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyannote_pix2seq.tokens import decode, encode, triplets
from pyannote_pix2seq.turns import Turn
from pyannote_pix2seq.vocabulary import Vocabulary
from tests.strategies import any_turns

V = Vocabulary(num_speakers=4, num_steps=30)


@given(any_turns())
def test_decode_inverts_encode(turns):
    assert decode(encode(turns, V), V) == turns


@given(any_turns(), st.integers(0, 5))
def test_what_follows_the_end_is_not_read(turns, padding):
    assert decode(encode(turns, V) + [V.PAD] * padding + triplets([Turn(0, 1, 0)], V), V) == turns


@given(any_turns(), st.integers(0, 30))
def test_decode_drops_an_unfinished_triplet(turns, length):
    tokens = triplets(turns, V)[:length]
    assert decode(tokens, V) == turns[: len(tokens) // 3]


@given(any_turns(max_size=3).filter(bool))
def test_encode_is_triplets_and_one_end(turns):
    tokens = encode(turns, V)
    assert tokens.count(V.EOS) == 1 and tokens[-1] == V.EOS and len(tokens) == 3 * len(turns) + 1


def test_a_token_out_of_place_is_named():
    with pytest.raises(ValueError, match="not a time token"):
        decode([V.speaker(0), V.time(0), V.time(1)], V)
