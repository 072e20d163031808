"""`Conversation` with the statistics of given conversations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from .bank import Bank
from .statistics import NAMES, WINDOW, Statistics, Talk, distances, measure, of_plan
from .styles import Conversation

ENDLESS = 1 << 40  # samples

# What is searched, on a logarithmic or a logistic scale: name of the parameter, its place in it, is a probability
SEARCHED = [
    ("turn", 0, False), ("turn", 1, False), ("hold", None, True), ("pause", None, False), ("gap", None, False),
    ("overlap", 0, True), ("overlap", 1, True), ("max_overlap", None, False), ("backchannel", None, True),
    ("silence", 0, True), ("silence", 1, False), ("evenness", None, False),
]  # fmt: skip


def endless_voices(count: int = 12) -> Bank:
    """A bank of speakers who never pause nor end, to plan with: it has no samples."""
    utterances = [(i * ENDLESS, ENDLESS, [(0, ENDLESS)]) for i in range(count)]
    names = [f"voice{i}" for i in range(count)]
    return Bank(np.zeros(0, np.int16), names, utterances, [[i] for i in range(count)], [list(range(count))])


def simulated(style: Any, bank: Bank, count: int = 100, seed: int = 0) -> Statistics:
    """Statistics of what a style draws: `count` windows."""
    return measure(of_plan(style(np.random.default_rng((seed, i)), bank, WINDOW)) for i in range(count))


def fit(talks: Iterable[Talk], bank: Bank | None = None, num_trials: int = 600, seed: int = 0) -> Conversation:
    """`Conversation` whose windows have the statistics of given conversations.

    A random search: what a parameter does to a statistic depends on all others, and planning is cheap (1 ms for 30 s).

    Parameters
    ----------
    talks : iterable of Talk
        See `statistics.of_annotation`.
    bank : Bank, optional
        Speech that will be used: how long utterances are and where they pause matters. Default: endless speech.
    num_trials : int
    seed : int

    Raises
    ------
    ValueError
        If there is no conversation.
    """
    reference = measure(talks)
    most = int(reference.speakers.max())
    bank = bank or endless_voices(max(12, most + 1))
    if len(bank.speakers) < most:
        raise ValueError(
            f"{most} speakers talk in 30 s of the given conversations; the voices to plan with are only "
            f"{len(bank.speakers)}."
        )
    # in units of how much they vary, each statistic weighs the same; but for the number of speakers: it is known best
    scale = {name: max(float(np.std(getattr(reference, name))), 1e-3) for name in NAMES}
    scale["speakers"] /= 3

    def cost(style: Conversation) -> float:
        apart = distances(reference, simulated(style, bank, count=100, seed=seed))
        return sum(value / scale[name] for name, value in apart.items() if np.isfinite(value))

    counts = np.bincount(reference.speakers.astype(int))
    counts = np.append(counts, 0)[: len(bank.speakers) + 1]  # one more may sit there without a word
    best = replace(Conversation(), num_speakers=tuple(float(p) for p in np.round(counts / counts.sum(), 4)))
    rng = np.random.default_rng(seed)
    lowest = cost(best)
    for trial in range(num_trials):
        tried = _near(best, rng, 0.6 * (1 - trial / num_trials) + 0.1)
        found = cost(tried)
        if found < lowest:
            best, lowest = tried, found
    return best


def _near(style: Conversation, rng: np.random.Generator, width: float) -> Conversation:
    """A style with a few parameters changed."""
    values: dict[str, Any] = {name: asdict(style)[name] for name, _, _ in SEARCHED}
    for i in rng.choice(len(SEARCHED), size=rng.integers(1, 4), replace=False):
        name, place, probability = SEARCHED[i]
        old = values[name] if place is None else values[name][place]
        step = np.exp(rng.normal(0, width))
        new = old * step / (1 - old + old * step) if probability else old * step
        new = float(np.clip(new, 0.01, 0.99)) if probability else float(np.clip(new, 0.02, 60.0))
        values[name] = new if place is None else tuple(new if j == place else v for j, v in enumerate(values[name]))
    values["overlap"] = tuple(sorted(values["overlap"]))
    if rng.random() < 0.5:  # some who could speak never do, so the counts heard are no probabilities either
        weights = (np.array(style.num_speakers) + 0.01) * np.exp(rng.normal(0, width, len(style.num_speakers)))
        values["num_speakers"] = tuple(map(float, weights / weights.sum()))
    return replace(style, **_rounded(values))


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {n: tuple(round(x, 3) for x in v) if isinstance(v, tuple) else round(v, 3) for n, v in values.items()}
