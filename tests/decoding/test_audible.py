"""Turns lie where somebody is heard."""

from types import SimpleNamespace

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyannote_pix2seq.decoding import search, window_rules
from pyannote_pix2seq.decoding.audible import MARGIN, Audible
from pyannote_pix2seq.tokens import decode
from pyannote_pix2seq.vocabulary import Vocabulary
from tests.decoding.toy import ToyModel, ToyState

V = Vocabulary(num_speakers=3, num_steps=24)
STEPS = 2  # per position
speech = st.lists(st.booleans(), min_size=12, max_size=12)


class Hearing(ToyModel):
    """Frames say what they are told to."""

    def __init__(self, heard, seed):
        super().__init__(V, seed)
        self.heard = torch.tensor(heard)

    def read(self, waveforms):
        state = super().read(waveforms)
        activity = torch.where(self.heard, 9.0, -9.0)[None, :, None].expand(len(waveforms), -1, 2)
        return Read(state.hidden, activity)

    def write(self, tokens, state):
        logits, written = super().write(tokens, ToyState(state.hidden))
        return logits, Read(written.hidden, state.activity)


class Read(SimpleNamespace):
    def __init__(self, hidden, activity):
        super().__init__(hidden=hidden, activity=activity, spoken=hidden[:, None])

    def select(self, rows):
        return Read(self.hidden[rows], self.activity[rows])


@given(speech, st.integers(0, 1000), st.integers(1, 4), st.integers(0, 3))
def test_nothing_is_written_in_silence(heard, seed, min_steps, min_speakers):
    rules = window_rules(
        V, max_turns=6, min_speakers=min_speakers, min_duration_steps=min_steps,
        listeners=[Audible(V, STEPS, 0.5, min_steps)],
    )  # fmt: skip
    (found,) = search(Hearing(heard, seed), torch.ones(1, 1, 10), [rules])
    near = np.convolve(heard, np.ones(2 * MARGIN + 1), "same") > 0
    for turn in decode(found.tokens, V):
        assert turn.end - turn.start >= min_steps
        positions = np.arange(turn.start, turn.end) / STEPS + 0.5  # position p is centred on step p * STEPS
        silent = ~near[np.minimum(positions.astype(int), len(near) - 1)]
        assert not silent.any()


@given(speech)
def test_what_is_heard_is_never_forbidden(heard):
    state = SimpleNamespace(activity=torch.where(torch.tensor(heard), 9.0, -9.0)[None, :, None])
    until = Audible(V, STEPS, 0.5).listen(state, 0).until
    for position in np.flatnonzero(heard):
        steps = np.arange(position * STEPS - STEPS // 2, position * STEPS + STEPS - STEPS // 2).clip(0, V.num_steps - 1)
        assert (until[steps] > steps).all()
    assert until.any() == any(heard)


def test_without_a_threshold_turns_lie_anywhere():
    state = SimpleNamespace(activity=torch.full((1, 12, 3), -30.0))
    until = Audible(V, STEPS, 0.0).listen(state, 0).until
    assert (until[: V.num_steps - STEPS] > 0).all()
