"""Search for the sequence of each window: rules say which tokens may come next, a strategy chooses among them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..vocabulary import Vocabulary
from .rules import SPEAKER, Listener, Mask, Rule, num_seen


class State(Protocol):
    """What a model has read and written so far; never modified in place."""

    @property
    def spoken(self) -> Tensor:
        """Running sum of voices: (batch, position + 1, feature)."""
        ...

    def select(self: StateT, rows: Tensor, /) -> StateT:
        """The state of some rows of the batch, in the order given; a row may come more than once."""
        ...


StateT = TypeVar("StateT", bound=State)


class Writer(Protocol[StateT]):
    """What the search asks of a model."""

    vocabulary: Vocabulary

    @property
    def device(self) -> torch.device: ...

    def read(self, waveforms: Tensor, /) -> StateT:
        """State after reading (batch, channel, sample) waveforms."""
        ...

    def write(self, tokens: Tensor, state: StateT, /) -> tuple[Tensor, StateT]:
        """Logits (batch, token, vocabulary) of what follows each of the (batch, token) tokens, and the state then."""
        ...


class Decoded(NamedTuple):
    """What was written for one window.

    Attributes
    ----------
    tokens : list of int
        Tokens behind the command: forced ones included, `EOS` not.
    probabilities : list of float
        Probability of each token among those that the rules allowed; 1.0 where it was forced.
    spoken : (position + 1, feature) array
        Running sum of the voices in the window.
    """

    tokens: list[int]
    probabilities: list[float]
    spoken: NDArray[np.float32]


class Hypothesis(NamedTuple):
    """One row of the batch: what has been written so far for a window."""

    window: int
    tokens: tuple[int, ...] = ()
    log_probabilities: tuple[float, ...] = ()

    @property
    def finished(self) -> bool:
        return self.tokens[-1:] == (Vocabulary.EOS,)

    @property
    def written(self) -> tuple[int, ...]:
        """Its tokens without `EOS`."""
        return self.tokens[: self.tokens.index(Vocabulary.EOS)] if self.finished else self.tokens


class Choose(Protocol):
    """Choose how hypotheses go on.

    Called with (hypothesis, token) log-probabilities, `-inf` where a rule forbids the token, and the hypotheses, which
    are equally long and sorted by window. Returns pairs of a hypothesis' index and its next token, at least one for
    each window, sorted by window. What is chosen for one window must not depend on the others.
    """

    def __call__(self, log_probabilities: Tensor, hypotheses: Sequence[Hypothesis], /) -> list[tuple[int, int]]: ...


def greedy(log_probabilities: Tensor, hypotheses: Sequence[Hypothesis]) -> list[tuple[int, int]]:
    """The most likely token."""
    return list(enumerate(log_probabilities.argmax(-1).tolist()))


def _likeliest(
    totals: Sequence[float], scores: Tensor, hypotheses: Sequence[Hypothesis], width: int
) -> list[tuple[int, int]]:
    """The best `width` ways to go on in each window, given what hypotheses and their next tokens score."""
    size = scores.shape[-1]
    together = scores.new_tensor(totals)[:, None] + scores
    chosen: list[tuple[int, int]] = []
    for _, group in groupby(range(len(hypotheses)), key=lambda row: hypotheses[row].window):
        rows = list(group)
        best = together[rows].flatten().topk(min(width, len(rows) * size))
        for score, index in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            if score != -math.inf:
                chosen.append((rows[index // size], index % size))
    return chosen


@dataclass(frozen=True)
class Weighed:
    """The most likely token, where what is decided is weighed first: whether to go on, and who speaks.

    Greedy search ends too early: the end has its probability alone, while that of going on is shared by many times.
    Here a sequence ends when ending is likelier than all of them together. And it gives all turns of somebody away who
    was once taken for somebody else; so a few sequences are kept that differ in who speaks.

    Parameters
    ----------
    vocabulary : Vocabulary
    newcomer : float or sequence of float
        Added to the log-probability that a turn is by a speaker who has not been heard before: one for all windows, or
        one for each.
    width : int
        Number of sequences kept: those whose speakers are likeliest.
    """

    vocabulary: Vocabulary
    newcomer: float | Sequence[float] = 0.0
    width: int = 1

    def __call__(self, log_probabilities: Tensor, hypotheses: Sequence[Hypothesis]) -> list[tuple[int, int]]:
        scores = log_probabilities.clone()
        if len(hypotheses[0].tokens) % 3 != SPEAKER:
            ends = scores[:, Vocabulary.EOS] > math.log(0.5)
            scores[:, Vocabulary.EOS] = scores[:, Vocabulary.EOS].masked_fill(~ends, -math.inf)
            return greedy(scores, hypotheses)
        totals = []
        for row, hypothesis in enumerate(hypotheses):
            num = num_seen(hypothesis.written, self.vocabulary)
            newcomer = self.newcomer[hypothesis.window] if isinstance(self.newcomer, Sequence) else self.newcomer
            scores[row, self.vocabulary.first_speaker + num : self.vocabulary.first_time] += newcomer
            totals.append(sum(hypothesis.log_probabilities[SPEAKER::3]) + newcomer * num)
        return _likeliest(totals, scores, hypotheses, self.width)


@dataclass(frozen=True)
class Sampling:
    """Draw each token at random.

    All windows share their random numbers, and these depend on the seed and the position in the sequence only: the
    same seed gives the same tokens whatever was decoded before or beside.

    Parameters
    ----------
    temperature : float
        Below 1, likely tokens become likelier still.
    top_k : int, optional
        Draw among so many most likely tokens; by default among all.
    seed : int
    """

    temperature: float = 1.0
    top_k: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.temperature <= 0 or (self.top_k is not None and self.top_k < 1):
            raise ValueError(
                f"sampling needs a positive temperature and at least one token to draw from; "
                f"got temperature={self.temperature}, top_k={self.top_k}."
            )

    def __call__(self, log_probabilities: Tensor, hypotheses: Sequence[Hypothesis]) -> list[tuple[int, int]]:
        scores = log_probabilities / self.temperature
        if self.top_k is not None and self.top_k < scores.shape[-1]:
            least = scores.topk(self.top_k, dim=-1).values[:, -1:]
            scores = scores.masked_fill(scores < least, -math.inf)
        # argmax of log-probability + Gumbel noise is a draw (Gumbel, 1954)
        rng = np.random.default_rng((self.seed, len(hypotheses[0].tokens)))
        noise = torch.from_numpy(rng.gumbel(size=scores.shape[-1])).to(scores)
        return greedy(scores + noise, hypotheses)


@dataclass(frozen=True)
class Beam:
    """Keep the likeliest sequences of each window, finished ones among them, until all of them are finished.

    Parameters
    ----------
    width : int
        Number of sequences kept; 1 is greedy search.
    """

    width: int

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"a beam keeps at least one sequence; got width={self.width}.")

    def __call__(self, log_probabilities: Tensor, hypotheses: Sequence[Hypothesis]) -> list[tuple[int, int]]:
        totals = [sum(hypothesis.log_probabilities) for hypothesis in hypotheses]
        return _likeliest(totals, log_probabilities, hypotheses, self.width)


def _allowed(hypothesis: Hypothesis, rules: Sequence[Rule], forced: Sequence[int], size: int) -> Mask:
    """Mask of the tokens that may come next: a forced one alone, and nothing but `EOS` after `EOS`."""
    prefix = hypothesis.tokens
    if hypothesis.finished or len(prefix) < len(forced):
        allowed = np.zeros(size, dtype=bool)
        allowed[Vocabulary.EOS if hypothesis.finished else forced[len(prefix)]] = True
        return allowed
    allowed = np.ones(size, dtype=bool)
    for rule in rules:
        allowed = rule(prefix, allowed)
    assert allowed.any(), f"the rules left nothing to write after {prefix}"
    return allowed


def _result(hypothesis: Hypothesis, read: State) -> Decoded:
    written = hypothesis.written
    probabilities = [math.exp(p) for p in hypothesis.log_probabilities[: len(written)]]
    return Decoded(list(written), probabilities, read.spoken[hypothesis.window].float().cpu().numpy())


@torch.inference_mode()
def search(
    model: Writer[StateT],
    waveforms: Tensor,
    rules: Sequence[Sequence[Rule | Listener]],
    forced: Sequence[Sequence[int]] | None = None,
    choose: Choose = greedy,
    cached: bool = True,
) -> list[Decoded]:
    """Write down each window.

    Parameters
    ----------
    model : Writer
        For instance a `Pix2Seq`, in evaluation mode. The search runs on its device.
    waveforms : (batch, channel, sample) Tensor
        One window each.
    rules : sequence of sequence of Rule or Listener
        Rules of each window. They must end the sequence at some point, as `MaximumTurns` does.
    forced : sequence of sequence of int, optional
        First tokens of each window, the command not included. Rules see them but do not judge them.
    choose : Choose
        `greedy`, `Weighed`, `Sampling` or `Beam`.
    cached : bool
        False computes the whole sequence anew for each token: slow, and the same result.

    Returns
    -------
    decoded : list of Decoded
        One for each window; it does not depend on what else is in the batch.

    Raises
    ------
    ValueError
        If the numbers of windows differ, or the model's output is not a number.
    """
    forced = [()] * len(waveforms) if forced is None else forced
    if not len(waveforms) == len(rules) == len(forced):
        raise ValueError(
            f"rules and forced tokens are given for each window; got {len(waveforms)} windows, rules for {len(rules)} "
            f"and forced tokens for {len(forced)}."
        )
    if not len(waveforms):
        return []
    device, size = model.device, len(model.vocabulary)

    def tensor(numbers: Sequence[int] | Sequence[tuple[int, ...]]) -> Tensor:
        return torch.tensor(numbers, device=device)

    common = min(map(len, forced))  # forced tokens that are written at once
    hypotheses = [Hypothesis(i, tuple(f[:common]), (0.0,) * common) for i, f in enumerate(forced)]
    read = model.read(waveforms.to(device))
    heard = [[r.listen(read, i) if isinstance(r, Listener) else r for r in own] for i, own in enumerate(rules)]
    logits, state = model.write(tensor([(Vocabulary.DIARIZE, *h.tokens) for h in hypotheses]), read)
    results: dict[int, Decoded] = {}
    while True:
        allowed = torch.from_numpy(np.stack([_allowed(h, heard[h.window], forced[h.window], size) for h in hypotheses]))
        log_probabilities = logits[:, -1].float().masked_fill(~allowed.to(device), -math.inf).log_softmax(-1)
        chosen = choose(log_probabilities, hypotheses)
        rows, tokens = tensor(chosen).unbind(-1)
        values = log_probabilities[rows, tokens].tolist()
        if any(map(math.isnan, values)):
            raise ValueError("the model's output is not a number: its weights or its input are damaged.")

        grown = []
        for (row, token), value in zip(chosen, values, strict=True):
            window, written, log_written = hypotheses[row]
            grown.append((row, Hypothesis(window, (*written, token), (*log_written, value))))
        going_on = {h.window for _, h in grown if not h.finished}
        for _, h in grown:
            if h.window not in going_on:
                results.setdefault(h.window, _result(h, read))  # the first one is the likeliest
        grown = [(row, h) for row, h in grown if h.window in going_on]
        if not grown:
            return [results[i] for i in range(len(waveforms))]

        rows_kept = [row for row, _ in grown]
        unchanged = rows_kept == list(range(len(hypotheses)))
        hypotheses = [h for _, h in grown]
        if cached:
            kept = state if unchanged else state.select(tensor(rows_kept))
            logits, state = model.write(tensor([h.tokens[-1:] for h in hypotheses]), kept)
        else:
            kept = read.select(tensor([h.window for h in hypotheses]))
            logits, _ = model.write(tensor([(Vocabulary.DIARIZE, *h.tokens) for h in hypotheses]), kept)
