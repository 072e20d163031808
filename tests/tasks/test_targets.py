"""Targets say what the turns say: a model that knows them pays nothing, and its output is the reference."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyannote_pix2seq.decoding.rules import window_rules
from pyannote_pix2seq.tasks.noise_turns import WithNoiseTurns, noise_turns
from pyannote_pix2seq.tasks.targets import NOBODY, Window, activity, collate, sequence_loss, time_distances
from pyannote_pix2seq.tokens import decode
from pyannote_pix2seq.turns import TimeGrid, Turn
from pyannote_pix2seq.vocabulary import Vocabulary
from tests.strategies import references

VOCABULARY = Vocabulary(4, 30)
POSITIONS, STEPS = 8, 4


def batch_of(*all_turns, num_forced=0):
    windows = [Window(np.zeros(9600, np.float32), turns, [0, 1, 2, 3], num_forced) for turns in all_turns]
    return collate(windows, VOCABULARY, POSITIONS, STEPS)


def perfect(tokens):
    """Logits of a model that is sure of each next token."""
    return 50.0 * torch.nn.functional.one_hot(tokens[:, 1:], len(VOCABULARY)).float()


@given(st.lists(references(), min_size=1, max_size=3))
def test_perfect_logits_cost_nothing_and_are_the_reference(all_turns):
    batch = batch_of(*all_turns)
    logits = perfect(batch["tokens"])
    loss = sequence_loss(logits, batch["tokens"], batch["taught"], VOCABULARY, spread=0)
    assert loss.item() == pytest.approx(0, abs=1e-5)
    assert all(d == 0 for d in time_distances(logits, batch["tokens"], batch["taught"], VOCABULARY).values())
    for row, turns in zip(logits.argmax(-1).tolist(), all_turns, strict=True):
        written = row[: row.index(VOCABULARY.EOS)]
        assert decode(written, VOCABULARY) == turns


@given(references(), st.integers(0, 3))
def test_padding_costs_nothing(turns, more):
    alone = batch_of(turns)
    padded = batch_of(turns, turns + [Turn(29, 30, 0)] * more)
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(1, padded["tokens"].shape[1] - 1, len(VOCABULARY), generator=rng)
    length = alone["tokens"].shape[1]
    costs = [
        sequence_loss(logits[:, : n - 1], b["tokens"][:1, :n], b["taught"][:1, :n], VOCABULARY, 2.0)
        for b, n in ((alone, length), (padded, padded["tokens"].shape[1]))
    ]
    assert costs[0].item() == pytest.approx(costs[1].item(), rel=1e-5)


def test_prompts_are_given_not_asked():
    turns = [Turn(0, 5, 0), Turn(10, 20, 0)]
    batch = batch_of(turns, num_forced=1)
    assert batch["taught"][0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_speakers_beyond_the_vocabulary_are_neither_given_nor_asked():
    known, fifth = [Turn(0, 5, 0), Turn(10, 20, 1)], Turn(6, 9, 4)
    batch, same = batch_of([known[0], fifth, known[1]], num_forced=2), batch_of(known, num_forced=1)
    assert all(torch.equal(batch[name], same[name]) for name in same)


@given(references(), st.sampled_from([0.0, 1.0, 2.5]))
def test_near_times_cost_less_than_far_ones_and_nothing_is_negative(turns, spread):
    batch = batch_of(turns)
    loss = sequence_loss(perfect(batch["tokens"]), batch["tokens"], batch["taught"], VOCABULARY, spread)
    assert torch.isfinite(loss) and loss >= -1e-6


@given(references())
def test_who_may_not_arrive_yet_does_not_compete(turns):
    """Decoding would not write them: there is at most one more than have been written."""
    batch = batch_of(turns)
    logits = torch.randn(1, batch["tokens"].shape[1] - 1, len(VOCABULARY), generator=torch.Generator().manual_seed(0))
    other = logits.clone()
    for place in range(logits.shape[1]):
        before = [t for t in batch["tokens"][0, : place + 1].tolist() if VOCABULARY.is_speaker(t)]
        arrived = 1 + max(map(VOCABULARY.speaker_index, before), default=-1)
        for speaker in range(arrived + 1, VOCABULARY.num_speakers):
            other[0, place, VOCABULARY.speaker(speaker)] += 100
    one, same = (sequence_loss(each, batch["tokens"], batch["taught"], VOCABULARY, 2.0) for each in (logits, other))
    assert torch.equal(one, same)


def test_soft_targets_prefer_the_true_time():
    batch = batch_of([Turn(10, 20, 0)])

    def cost(start):
        tokens = batch["tokens"].clone()
        tokens[0, 1] = VOCABULARY.first_time + start
        logits = 5.0 * torch.nn.functional.one_hot(tokens[:, 1:], len(VOCABULARY)).float()
        return sequence_loss(logits, batch["tokens"], batch["taught"], VOCABULARY, 2.0).item()

    assert cost(10) < cost(11) < cost(14) < cost(25) + 1e-6


@given(references())
def test_activity_is_the_share_of_each_position(turns):
    active = activity(turns, POSITIONS, STEPS, 4)
    assert active.shape == (POSITIONS, 4) and active.min() >= 0 and active.max() <= 1
    inside = sum(min(t.end + 2, 32) - min(t.start + 2, 32) for t in turns)
    assert active.sum() * STEPS == pytest.approx(inside)


def test_identities_belong_to_speakers_and_solos_come_along():
    window = Window(np.zeros(640, np.float32), [Turn(0, 14, 0), Turn(10, 30, 1)], voices=[5, -1])
    solos = [(np.full(320, i, np.float32), i) for i in (3, 4)]
    batch = collate([window, replace(window, solos=solos)], VOCABULARY, POSITIONS, STEPS)
    assert batch["identities"].tolist() == [[5, -1, -1, -1]] * 2
    assert batch["soloists"].tolist() == [3, 4]
    assert batch["solos"][:, 0, 0].tolist() == [3.0, 4.0]
    assert "solos" not in collate([window], VOCABULARY, POSITIONS, STEPS)


class Same:
    """One window at any index."""

    grid = TimeGrid(0.6, VOCABULARY.num_steps)

    def __init__(self, window):
        self.window = window

    def __getitem__(self, index):
        return self.window


def noisy(turns, num_forced=0, most=5, index=0):
    return WithNoiseTurns(Same(Window(np.zeros(9600, np.float32), turns, [0, 1, 2, 3], num_forced)), most, 0)[index]


@given(references(), st.integers(0, 2**32 - 1), st.integers(0, 30), st.integers(1, 9))
def test_noise_turns_are_turns_of_the_window(turns, seed, first, most):
    made = noise_turns(np.random.default_rng(seed), turns, min(first, 29), 30, most)
    assert len(made) <= most
    assert all(min(first, 29) <= start < end <= 30 for start, end in made)


@given(references(), st.integers(0, 20), st.data())
def test_noise_turns_change_nothing_that_is_taught_of_true_ones(turns, index, data):
    num_forced = data.draw(st.integers(0, len(turns)))
    plain, window = batch_of(turns, num_forced=num_forced), noisy(turns, num_forced, index=index)
    batch = collate([window], VOCABULARY, POSITIONS, STEPS)
    true = 1 + 3 * len(turns)
    for name in ("tokens", "taught"):
        assert torch.equal(batch[name][:, :true], plain[name][:, :true])
        assert batch[name][0, -1] == plain[name][0, -1]  # the end is taught all the same
    assert all(torch.equal(batch[name], plain[name]) for name in plain.keys() - {"tokens", "taught"})
    behind = batch["tokens"][0, true:-1].view(-1, 3)
    assert [(low - VOCABULARY.first_time, high - VOCABULARY.first_time) for low, high, _ in behind] == window.noise
    assert (behind[:, 2] == NOBODY).all()
    assert batch["taught"][0, true:-1].tolist() == [0, 0, 1] * len(window.noise)
    assert decode(batch["tokens"][0, 1:].tolist(), VOCABULARY) == turns
    assert sequence_loss(
        perfect(batch["tokens"]), batch["tokens"], batch["taught"], VOCABULARY, spread=0
    ).item() == pytest.approx(0, abs=1e-5)


def test_a_window_always_has_the_same_noise_turns_and_windows_differ():
    turns = [Turn(0, 5, 0), Turn(10, 20, 1)]
    drawn = [noisy(turns, index=i).noise for i in range(60)]
    assert drawn == [noisy(turns, index=i).noise for i in range(60)]
    assert {len(noise) for noise in drawn} == set(range(6))


def test_nobody_competes_with_speakers_only_where_there_are_noise_turns():
    turns = [Turn(0, 5, 0), Turn(10, 20, 1)]
    plain = batch_of(turns)
    batch = collate([replace(noisy(turns), noise=[(3, 9)])], VOCABULARY, POSITIONS, STEPS)

    def cost(batch, tempted):
        logits = perfect(batch["tokens"])
        logits[:, 2, NOBODY] = tempted  # behind start and end of the first true turn
        return sequence_loss(logits, batch["tokens"], batch["taught"], VOCABULARY, spread=0).item()

    assert cost(plain, 100.0) == cost(plain, 0.0)
    assert cost(batch, 100.0) > cost(batch, 0.0) + 1


@given(references())
def test_decoding_never_names_nobody(turns):
    rules = window_rules(VOCABULARY)
    for length in range(2, 3 * len(turns), 3):
        prefix = batch_of(turns)["tokens"][0, 1 : 1 + length].tolist()
        allowed = np.ones(len(VOCABULARY), bool)
        for rule in rules:
            allowed = rule(prefix, allowed)
        assert allowed.any() and not allowed[NOBODY]
