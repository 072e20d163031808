"""Hypothesis strategies that several rooms' tests share."""

from hypothesis import strategies as st

from pyannote_pix2seq.turns import Turn, in_order_of_arrival, merge
from pyannote_pix2seq.vocabulary import Vocabulary

vocabularies = st.builds(Vocabulary, num_speakers=st.integers(1, 4), num_steps=st.integers(1, 30))


@st.composite
def any_turns(draw, num_speakers=4, first_step=0, last_step=30, max_size=8):
    """Turns in any order, of one speaker at once or not."""
    if first_step == last_step:
        return []
    edges = st.lists(st.integers(first_step, last_step), min_size=2, max_size=2, unique=True).map(sorted)
    turn = st.builds(lambda edge, speaker: Turn(*edge, speaker), edges, st.integers(0, num_speakers - 1))
    return draw(st.lists(turn, max_size=max_size))


def references(num_speakers=4, first_step=0, last_step=30, max_size=8):
    """Turns as a reference has them: merged, sorted, speakers in order of arrival."""
    drawn = any_turns(num_speakers, first_step, last_step, max_size)
    return drawn.map(lambda turns: in_order_of_arrival(merge(turns))[0])
