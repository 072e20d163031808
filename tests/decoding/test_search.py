import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyannote_pix2seq.decoding import Beam, Sampling, Weighed, greedy, search, window_rules
from pyannote_pix2seq.decoding.rules import SPEAKER, num_seen
from pyannote_pix2seq.decoding.search import Hypothesis
from pyannote_pix2seq.tokens import decode, triplets
from pyannote_pix2seq.turns import Turn
from pyannote_pix2seq.vocabulary import Vocabulary
from tests.decoding.toy import ToyModel

V = Vocabulary(num_speakers=3, num_steps=12)
STRATEGIES = [
    greedy, Weighed(V), Weighed(V, newcomer=1.5), Weighed(V, -0.5, width=3), Sampling(seed=3),
    Sampling(temperature=0.5, top_k=2), Beam(3),
]  # fmt: skip


@st.composite
def batches(draw):
    """A model, waveforms, and rules and forced tokens that differ from window to window."""
    model = ToyModel(V, seed=draw(st.integers(0, 1000)), end_bias=draw(st.sampled_from([0.0, 2.0])))
    num_windows = draw(st.integers(1, 4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1000)))
    waveforms = torch.randn(num_windows, 1, 10, generator=generator)
    rules, forced = [], []
    for _ in range(num_windows):
        num_prompts = draw(st.integers(0, 2))
        forced.append(triplets([Turn(i, i + 1, i) for i in range(num_prompts)], V))
        rules.append(window_rules(V, first_step=2, min_speakers=draw(st.integers(0, 3)), max_turns=6))
    return model, waveforms, rules, forced


def assert_same(first, second):
    assert [d.tokens for d in first] == [d.tokens for d in second]
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a.probabilities, b.probabilities, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("choose", STRATEGIES)
@given(batch=batches())
def test_cached_equals_uncached(choose, batch):
    assert_same(search(*batch, choose=choose), search(*batch, choose=choose, cached=False))


@pytest.mark.parametrize("choose", STRATEGIES)
@given(batch=batches())
def test_a_window_does_not_depend_on_the_others(choose, batch):
    model, waveforms, rules, forced = batch
    single = [search(model, waveforms[i : i + 1], [rules[i]], [forced[i]], choose)[0] for i in range(len(rules))]
    assert_same(search(*batch, choose=choose), single)
    backwards = search(model, waveforms.flip(0), rules[::-1], forced[::-1], choose)
    assert_same(backwards[::-1], single)


@pytest.mark.parametrize("choose", STRATEGIES)
@given(batch=batches())
def test_what_is_written_is_forced_or_allowed(choose, batch):
    _, _, rules, forced = batch
    for decoded, window_rules_, prompt in zip(search(*batch, choose=choose), rules, forced, strict=True):
        tokens, probabilities, _ = decoded
        assert tokens[: len(prompt)] == prompt
        assert probabilities[: len(prompt)] == [1.0] * len(prompt)
        assert len(tokens) == len(probabilities) and len(tokens) % 3 == 0
        assert all(0.0 < p <= 1.0 for p in probabilities)
        for i in range(len(prompt), len(tokens) + 1):
            allowed = np.ones(len(V), dtype=bool)
            for rule in window_rules_:
                allowed = rule(tokens[:i], allowed)
            assert allowed[[*tokens, V.EOS][i]]
        decode(tokens, V)


@given(batch=batches())
def test_greedy_is_a_beam_of_one(batch):
    assert_same(search(*batch), search(*batch, choose=Beam(1)))


@given(batch=batches())
def test_the_end_is_weighed_against_all_starts_together(batch):
    model, waveforms, rules, forced = batch
    for i, decoded in enumerate(search(*batch, choose=Weighed(V))):
        for length in range(len(forced[i]), len(decoded.tokens) + 1, 3):
            logits, _ = model.write(
                torch.tensor([[V.DIARIZE, *decoded.tokens[:length]]]), model.read(waveforms[i:][:1])
            )
            allowed = np.ones(len(V), dtype=bool)
            for rule in rules[i]:
                allowed = rule(decoded.tokens[:length], allowed)
            odds = logits[0, -1].exp() * torch.from_numpy(allowed)
            assert (odds[V.EOS] > odds.sum() / 2) == (length == len(decoded.tokens))


@given(batch=batches())
def test_newcomers_are_welcome_or_not(batch):
    model, waveforms, rules, forced = batch
    free = [window_rules(V, first_step=2, max_turns=6)] * len(rules)

    def written(newcomer):
        found = search(model, waveforms, free, forced, Weighed(V, newcomer))
        return [(len(f) // 3, decode(d.tokens, V)) for f, d in zip(forced, found, strict=True)]

    for _, turns in written(1e3):
        assert len({turn.speaker for turn in turns}) == min(len(turns), V.num_speakers)
    for num_forced, turns in written(-1e3):
        for i in range(num_forced, len(turns)):
            known = {turn.speaker for turn in turns[:i]}
            talking = {turn.speaker for turn in turns[:i] if turn.end > turns[i].start}
            assert turns[i].speaker in known or talking == known
    odds = [-1e3, 1e3, 0.0, 1e3][: len(rules)]  # for each window its own
    assert written(odds) == [written(newcomer)[i] for i, newcomer in enumerate(odds)]


@given(seed=st.integers(0, 50), newcomer=st.sampled_from([-1.0, 0.0, 2.0]))
def test_enough_width_finds_the_likeliest_speakers(seed, newcomer):
    model, waveforms, rules = ToyModel(V, seed=seed), torch.ones(1, 1, 10), window_rules(V, max_turns=3)
    best = Weighed(V, newcomer)

    def likeliest(hypothesis):
        """Score and tokens of the best way to end a sequence, among all ways to name its speakers."""
        logits, _ = model.write(torch.tensor([[V.DIARIZE, *hypothesis.tokens]]), model.read(waveforms))
        allowed = np.ones(len(V), dtype=bool)
        for rule in rules:
            allowed = rule(hypothesis.tokens, allowed)
        odds = logits[:, -1].masked_fill(~torch.from_numpy(allowed), -torch.inf).log_softmax(-1)
        if len(hypothesis.tokens) % 3 != SPEAKER:
            ((_, token),) = best(odds, [hypothesis])
            if token == V.EOS:
                return 0.0, hypothesis.tokens
            return likeliest(Hypothesis(0, (*hypothesis.tokens, token), (0.0,)))
        outcomes = []
        for token in np.flatnonzero(allowed).tolist():
            new = V.speaker_index(token) == num_seen(hypothesis.tokens, V)
            score, tokens = likeliest(Hypothesis(0, (*hypothesis.tokens, token), (0.0,)))
            outcomes.append((score + odds[0, token].item() + new * newcomer, tokens))
        return max(outcomes)

    (decoded,) = search(model, waveforms, [rules], choose=Weighed(V, newcomer, width=100))
    assert tuple(decoded.tokens) == likeliest(Hypothesis(0))[1]


def test_probabilities_are_those_of_the_model_under_the_rules():
    model, waveforms, rules = ToyModel(V, seed=1), torch.ones(1, 1, 10), window_rules(V, max_turns=2)
    (decoded,) = search(model, waveforms, [rules])
    assert decoded.tokens
    for i, (token, probability) in enumerate(zip(*decoded[:2], strict=True)):
        logits, _ = model.write(torch.tensor([[V.DIARIZE, *decoded.tokens[:i]]]), model.read(waveforms))
        allowed = np.ones(len(V), dtype=bool)
        for rule in rules:
            allowed = rule(decoded.tokens[:i], allowed)
        odds = logits[0, -1].exp() * torch.from_numpy(allowed)
        assert probability == pytest.approx((odds[token] / odds.sum()).item(), rel=1e-4)
        assert token == odds.argmax()


@pytest.mark.parametrize("seed", range(5))
def test_a_wide_beam_is_brute_force(seed):
    vocabulary = Vocabulary(num_speakers=2, num_steps=3)
    model, waveforms = ToyModel(vocabulary, seed), torch.zeros(1, 1, 10)
    rules = window_rules(vocabulary, max_turns=2)
    likelihood = {}

    def enumerate_from(prefix, total):
        logits, _ = model.write(torch.tensor([[vocabulary.DIARIZE, *prefix]]), model.read(waveforms))
        allowed = np.ones(len(vocabulary), dtype=bool)
        for rule in rules:
            allowed = rule(prefix, allowed)
        scores = logits[0, -1].masked_fill(~torch.from_numpy(allowed), -math.inf).log_softmax(-1).tolist()
        for token in np.flatnonzero(allowed).tolist():
            if token == vocabulary.EOS:
                likelihood[tuple(prefix)] = total + scores[token]
            else:
                enumerate_from([*prefix, token], total + scores[token])

    enumerate_from([], 0.0)
    (decoded,) = search(model, waveforms, [rules], choose=Beam(len(likelihood)))
    assert tuple(decoded.tokens) == max(likelihood, key=likelihood.__getitem__)


@given(batch=batches(), seed=st.integers(0, 100))
def test_sampling_repeats_with_its_seed_and_leaves_other_generators_alone(batch, seed):
    before, before_numpy = torch.get_rng_state(), np.random.get_state()[1].copy()
    choose = Sampling(seed=seed)
    assert_same(search(*batch, choose=choose), search(*batch, choose=choose))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], before_numpy)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_samples_follow_the_probabilities(temperature):
    log_probabilities = torch.tensor([0.5, 0.3, 0.2, 0.0]).log()
    counts = np.zeros(4)
    for seed in range(2000):
        ((_, token),) = Sampling(temperature, seed=seed)(log_probabilities[None], [Hypothesis(window=0)])
        counts[token] += 1
    np.testing.assert_allclose(counts / 2000, (log_probabilities / temperature).softmax(-1), atol=0.04)


def test_each_position_has_its_own_draw():
    choose, flat = Sampling(), torch.zeros(1, 100)
    drawn = {choose(flat, [Hypothesis(window=0, tokens=(0,) * length)])[0][1] for length in range(50)}
    assert len(drawn) > 25


@given(batch=batches())
def test_sampling_among_one_is_greedy(batch):
    assert_same(search(*batch), search(*batch, choose=Sampling(top_k=1, temperature=3.0, seed=7)))


def test_finished_windows_leave_the_batch():
    model = ToyModel(V, end_bias=-100.0)  # ends where it must only
    rules = [window_rules(V, max_turns=n) for n in (0, 1, 6)]
    lengths = [len(d.tokens) for d in search(model, torch.zeros(3, 1, 10), rules)]
    assert lengths == [0, 3, lengths[2]] and lengths[2] > 3
    assert model.num_rows_written == sum(length + 1 for length in lengths)


def test_no_windows():
    assert search(ToyModel(V), torch.zeros(0, 1, 10), []) == []


def test_what_does_not_fit_is_named():
    model, waveforms, rules = ToyModel(V), torch.zeros(2, 1, 10), window_rules(V)
    with pytest.raises(ValueError, match="2 windows, rules for 1"):
        search(model, waveforms, [rules])
    with pytest.raises(ValueError, match="not a number"):
        search(model, waveforms * math.nan, [rules] * 2)
    with pytest.raises(ValueError, match="not a number"):
        search(model, waveforms * math.nan, [rules] * 2, choose=Beam(2))
    with pytest.raises(ValueError, match="temperature=0"):
        Sampling(temperature=0.0)
    with pytest.raises(ValueError, match="top_k=0"):
        Sampling(top_k=0)
    with pytest.raises(ValueError, match="width=0"):
        Beam(0)
