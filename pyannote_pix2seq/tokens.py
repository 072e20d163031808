"""Turns <-> tokens: `start end speaker` triplets, then end of sequence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .turns import Turn
from .vocabulary import Vocabulary


def triplets(turns: Iterable[Turn], vocabulary: Vocabulary) -> list[int]:
    """Tokens of the turns in the order given, with no end of sequence."""
    tokens: list[int] = []
    for turn in turns:
        tokens += [vocabulary.time(turn.start), vocabulary.time(turn.end), vocabulary.speaker(turn.speaker)]
    return tokens


def encode(turns: Iterable[Turn], vocabulary: Vocabulary) -> list[int]:
    """Write turns down.

    Parameters
    ----------
    turns : iterable of Turn
        Sorted by start, speakers in order of arrival (see `turns.in_order_of_arrival`).
    vocabulary : Vocabulary

    Returns
    -------
    tokens : list of int
        `start end speaker` for each turn, then `EOS`.
    """
    return [*triplets(turns, vocabulary), vocabulary.EOS]


def decode(tokens: Sequence[int], vocabulary: Vocabulary) -> list[Turn]:
    """Read turns back: the inverse of `encode`.

    Reading stops at the first `EOS` or `PAD`, or at the end of the tokens; an unfinished last triplet is dropped.

    Raises
    ------
    ValueError
        If a token stands where the format does not allow it.
    """
    stops = [i for i, token in enumerate(tokens) if token in (vocabulary.EOS, vocabulary.PAD)]
    body = tokens[: stops[0]] if stops else tokens
    return [
        Turn(vocabulary.step(body[i]), vocabulary.step(body[i + 1]), vocabulary.speaker_index(body[i + 2]))
        for i in range(0, len(body) - 2, 3)
    ]
