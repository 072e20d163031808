"""Laws of the split by speaker."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyannote_pix2seq.mixtures.sources import SUBSETS, Utterance, split

names = st.lists(st.text(min_size=1, max_size=8), max_size=30)


def utterances(speakers: list[str]) -> list[Utterance]:
    return [Utterance(speaker, Path(f"{i}.wav")) for i, speaker in enumerate(speakers)]


@given(names)
def test_every_utterance_is_in_one_subset_and_no_speaker_in_two(speakers):
    parts = [split(utterances(speakers), subset) for subset in SUBSETS]
    assert sorted((u for part in parts for u in part), key=lambda u: u.path) == sorted(
        utterances(speakers), key=lambda u: u.path
    )
    subsets = Counter(speaker for part in parts for speaker in {u.speaker for u in part})
    assert all(count == 1 for count in subsets.values())


@given(names, names, st.randoms(use_true_random=False), st.sampled_from(SUBSETS))
def test_it_depends_neither_on_order_nor_on_other_speakers(speakers, others, rng, subset):
    mine = utterances(speakers)
    mixed = mine + [u for u in utterances(others) if u.speaker not in set(speakers)]
    rng.shuffle(mixed)
    assert {u for u in split(mixed, subset) if u in set(mine)} == set(split(mine, subset))


def test_it_is_the_same_in_every_run_and_has_the_shares():
    speakers = [f"speaker{i}" for i in range(5000)]
    sizes = [len(split(utterances(speakers), subset)) for subset in SUBSETS]
    assert sizes == pytest.approx([4000, 500, 500], abs=100)
    assert [u.speaker for u in split(utterances(speakers[:12]), "test")] == ["speaker9", "speaker10"]
    assert len(split(utterances(speakers), "test", shares=(0.0, 0.0, 1.0))) == 5000


def test_more_training_speakers_keep_those_that_were():
    speakers = utterances([f"speaker{i}" for i in range(200)])
    assert set(split(speakers, "train", (0.5, 0.25, 0.25))) < set(split(speakers, "train", (0.8, 0.1, 0.1)))


def test_the_split_of_the_corpus_wins():
    given_split = [Utterance(f"speaker{i}", Path("a.wav"), split="test") for i in range(20)]
    assert split(given_split, "test") == given_split
    assert split(given_split, "train") == []


def test_a_speaker_whom_the_corpus_has_in_two_subsets_is_refused():
    torn = [Utterance("ann", Path("a.wav"), split="train"), Utterance("ann", Path("b.wav"), split="test")]
    with pytest.raises(ValueError, match=r"'ann' is in the train subset and in the test subset \(b\.wav\)"):
        split(torn, "train")
    two = [replace(torn[0], source="x"), replace(torn[1], source="y")]  # two people of one name
    assert split(two, "train") == two[:1]


def test_errors():
    with pytest.raises(ValueError, match="unknown subset 'dev'; known subsets: train, development, test"):
        split([], "dev")
    for shares in ((0.8, 0.1, 0.2), (1.2, -0.1, -0.1), (0.5, 0.5)):
        with pytest.raises(ValueError, match="three fractions that sum to 1"):
            split(utterances(["a"]), "train", shares)
