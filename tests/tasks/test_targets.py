"""Targets say what the turns say: a model that knows them pays nothing, and its output is the reference."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyannote_pix2seq.tasks.targets import Window, activity, collate, sequence_loss, time_distances
from pyannote_pix2seq.tokens import decode
from pyannote_pix2seq.turns import Turn
from pyannote_pix2seq.vocabulary import Vocabulary
from tests.strategies import references

VOCABULARY = Vocabulary(4, 30)
POSITIONS, STEPS = 8, 4


def batch_of(*all_turns, num_forced=0):
    windows = [Window(np.zeros(160, np.float32), turns, [0, 1, 2, 3], num_forced) for turns in all_turns]
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


@given(references(), st.sampled_from([0.0, 1.0, 2.5]))
def test_near_times_cost_less_than_far_ones_and_nothing_is_negative(turns, spread):
    batch = batch_of(turns)
    loss = sequence_loss(perfect(batch["tokens"]), batch["tokens"], batch["taught"], VOCABULARY, spread)
    assert torch.isfinite(loss) and loss >= -1e-6


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
