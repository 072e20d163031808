from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyannote_pix2seq.decoding.rules import (
    Grammar,
    MaximumTurns,
    MinimumDuration,
    NobodyTwiceAtOnce,
    SpeakerCount,
    SpeakersInOrder,
    TimeMovesForward,
    WithinAudio,
    window_rules,
)
from pyannote_pix2seq.tokens import decode, encode, triplets
from pyannote_pix2seq.turns import Turn, in_order_of_arrival, shift
from pyannote_pix2seq.vocabulary import Vocabulary
from tests.strategies import any_turns, references, vocabularies

ALL_RULES = [type(rule) for rule in window_rules(Vocabulary(1, 1))]


def allowed_after(prefix, rules, vocabulary):
    allowed = np.ones(len(vocabulary), dtype=bool)
    for rule in rules:
        before = allowed.copy()
        narrowed = rule(prefix, allowed)
        assert np.array_equal(allowed, before), "a rule changed its argument"
        assert not (narrowed & ~allowed).any(), "a rule widened the mask"
        allowed = narrowed
    return allowed


def is_reachable(tokens, rules, vocabulary, num_forced=0):
    return all(allowed_after(tokens[:i], rules, vocabulary)[tokens[i]] for i in range(num_forced, len(tokens)))


@st.composite
def limits(draw, vocabulary):
    """Numbers for `window_rules`."""
    first_step, last_step = sorted(draw(st.tuples(*[st.integers(0, vocabulary.num_steps)] * 2)))
    max_speakers = draw(st.integers(1, vocabulary.num_speakers))
    return {
        "first_step": first_step,
        "last_step": last_step,
        "min_speakers": draw(st.integers(0, max_speakers)),
        "max_speakers": max_speakers,
        "max_turns": draw(st.integers(0, 8)),
        "min_duration_steps": draw(st.integers(1, 6)),
    }


def walk(tokens, rules, vocabulary, random):
    """Write at random under the rules until the end; also tell whether another turn could have been written there."""
    tokens = list(tokens)
    while True:
        choices = np.flatnonzero(allowed_after(tokens, rules, vocabulary)).tolist()
        assert choices, "stuck"
        going_on = [choice for choice in choices if choice != vocabulary.EOS]
        if going_on != choices and (not going_on or random.random() < 0.2):  # ending is put off, so that walks are long
            return tokens, bool(going_on)
        tokens.append(random.choice(going_on))


@given(st.data(), vocabularies, st.randoms(use_true_random=False))
def test_a_walk_under_the_rules_never_gets_stuck_and_obeys_them(data, vocabulary, random):
    numbers = data.draw(limits(vocabulary))
    # forced turns may be anything: the same speaker twice at once, behind the audio, more than the limits allow
    forced = in_order_of_arrival(data.draw(any_turns(vocabulary.num_speakers, 0, vocabulary.num_steps, 4)))[0]
    # each rule keeps its own law: with some of the others left out it still does
    indispensable = {Grammar, TimeMovesForward, MaximumTurns}
    left_out = data.draw(st.sets(st.sampled_from(sorted(set(ALL_RULES) - indispensable, key=ALL_RULES.index))))
    rules = [rule for rule in window_rules(vocabulary, **numbers) if type(rule) not in left_out]
    tokens, room = walk(triplets(forced, vocabulary), rules, vocabulary, random)

    turns = decode(tokens, vocabulary)
    assert turns[: len(forced)] == forced
    assert len(turns) <= max(numbers["max_turns"], len(forced))
    ends, num_seen, last_start = {}, 0, 0
    for i, (start, end, speaker) in enumerate(turns):
        if i >= len(forced):
            assert last_start <= start < end
            if WithinAudio not in left_out:
                assert numbers["first_step"] <= start < end <= numbers["last_step"]
            if MinimumDuration not in left_out:
                assert end - start >= numbers["min_duration_steps"]
            if NobodyTwiceAtOnce not in left_out:
                assert start >= ends.get(speaker, 0)
            if SpeakersInOrder not in left_out:
                assert speaker <= num_seen
            if SpeakerCount not in left_out:
                assert speaker < numbers["max_speakers"]
        ends[speaker] = max(end, ends.get(speaker, 0))
        num_seen, last_start = max(num_seen, speaker + 1), start
    assert SpeakerCount in left_out or num_seen >= numbers["min_speakers"] or not room


@given(st.data(), vocabularies, st.randoms(use_true_random=False))
def test_the_minimum_of_speakers_is_reached_where_there_is_room(data, vocabulary, random):
    minimum = data.draw(st.integers(0, vocabulary.num_speakers))
    rules = window_rules(vocabulary, min_speakers=minimum, max_turns=minimum + data.draw(st.integers(0, 2)))
    tokens, _ = walk([], rules, vocabulary, random)
    assert len({turn.speaker for turn in decode(tokens, vocabulary)}) >= minimum


def test_a_speaker_talks_until_the_last_of_their_ends():
    vocabulary = Vocabulary(num_speakers=1, num_steps=20)
    forced = triplets([Turn(0, 10, 0), Turn(2, 5, 0)], vocabulary)
    allowed = allowed_after(forced, window_rules(vocabulary), vocabulary)
    assert np.flatnonzero(allowed).tolist() == [vocabulary.EOS, *(vocabulary.time(step) for step in range(10, 20))]


@given(references(max_size=8))
def test_every_reference_is_reachable(turns):
    vocabulary = Vocabulary(num_speakers=4, num_steps=30)
    num_speakers = len({turn.speaker for turn in turns})
    shortest = min((turn.end - turn.start for turn in turns), default=1)
    rules = window_rules(
        vocabulary,
        first_step=min((turn.start for turn in turns), default=0),
        last_step=max((turn.end for turn in turns), default=30),
        min_speakers=num_speakers,
        max_speakers=max(num_speakers, 1),
        max_turns=len(turns),
        min_duration_steps=shortest,
    )
    assert is_reachable(encode(turns, vocabulary), rules, vocabulary)


@given(references(max_size=6), st.integers(0, 4))
def test_every_prompted_reference_is_reachable(turns, num_prompts):
    """Speakers are prompted in the order of their labels; prompted ones need not talk again, others are new."""
    vocabulary = Vocabulary(num_speakers=8, num_steps=60)
    prompts = [Turn(5 * i, 5 * i + 4, i) for i in range(num_prompts)]
    whole = in_order_of_arrival(prompts + shift(turns, 30))[0]
    rules = window_rules(vocabulary, first_step=30, max_turns=len(whole))
    assert is_reachable(encode(whole, vocabulary), rules, vocabulary, num_forced=3 * num_prompts)


def is_valid(turns, first_step, last_step, min_speakers, max_speakers, max_turns, min_duration_steps):
    """All the rules at once, on finished turns: slow, and with no look-ahead."""
    speakers = [turn.speaker for turn in turns]
    return (
        len(turns) <= max_turns
        and all(first_step <= t.start < t.end <= last_step for t in turns)
        and all(t.end - t.start >= min_duration_steps for t in turns)
        and all(a.start <= b.start for a, b in pairwise(turns))
        and all(b.start >= a.end for i, a in enumerate(turns) for b in turns[i + 1 :] if a.speaker == b.speaker)
        and list(dict.fromkeys(speakers)) == list(range(len(set(speakers))))
        and min_speakers <= len(set(speakers)) <= max_speakers
    )


@pytest.mark.parametrize("num_speakers", [1, 2])
def test_the_rules_allow_exactly_the_valid_sequences(num_speakers):
    vocabulary = Vocabulary(num_speakers=num_speakers, num_steps=3)
    every_turn = [Turn(*numbers) for numbers in product(range(4), range(4), range(num_speakers))]
    every_sequence = [list(turns) for length in range(3) for turns in product(every_turn, repeat=length)]
    num_checked = 0
    for first, last, least, most, max_turns, shortest in product((0, 1), (2, 3), (0, 1, 2), (1, 2), (2,), (1, 2)):
        if last - first < shortest or least > min(most, num_speakers):
            continue  # not even one turn has room, or nothing meets the numbers
        rules = window_rules(vocabulary, first, last, least, most, max_turns, shortest)

        def written(tokens):
            for token in np.flatnonzero(allowed_after(tokens, rules, vocabulary)).tolist():  # noqa: B023
                if token == vocabulary.EOS:
                    yield decode(tokens, vocabulary)
                else:
                    yield from written([*tokens, token])

        expected = [t for t in every_sequence if is_valid(t, first, last, least, most, max_turns, shortest)]
        assert sorted(written([])) == sorted(expected)
        num_checked += len(expected)
    assert num_checked > 100


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"min_speakers": 3, "max_speakers": 2}, "at least 3 and at most 2"),
        ({"min_speakers": 5}, "at least 5 and at most 4"),
        ({"max_speakers": 0}, "at most 0"),
        ({"first_step": 20, "last_step": 10}, "steps 20 to 10"),
        ({"last_step": 31}, "0 to 30"),
        ({"max_turns": -1}, "max_turns"),
        ({"min_duration_steps": 0}, "min_duration_steps"),
    ],
)
def test_numbers_that_nothing_meets_are_named(numbers, message):
    with pytest.raises(ValueError, match=message):
        window_rules(Vocabulary(num_speakers=4, num_steps=30), **numbers)
