"""What a sequence model has read and written so far."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .transformer import Cache


@dataclass(frozen=True)
class State:
    """What has been read and written so far; never modified in place.

    Attributes
    ----------
    activity : (batch, position, speaker) Tensor
        Frame head: logits of each speaker's activity, speakers in order of arrival.
    voices : (batch, position, feature) Tensor
        Who is heard at each audio position.
    pointers : (batch, step, feature) Tensor
        What the time tokens are compared with, one for each step of the grid.
    heard : (batch, position + 1, feature) Tensor
        Running sum over positions of what was heard, so that a turn's mean costs two look-ups.
    spoken : (batch, position + 1, feature) Tensor
        Running sum of voices, weighed by the probability that just one speaks.
    cache : Cache
        Keys and values of audio and tokens.
    num_tokens : int
        Number of tokens written.
    recent : (batch, 2) Tensor
        The last two of them.
    ended : (batch,) Tensor
        Last of the steps at which the turns written so far end.
    met : (batch, speaker, feature) Tensor
        Sum of the voices in the turns of each speaker so far; zero before the first.
    """

    activity: Tensor
    voices: Tensor
    pointers: Tensor
    heard: Tensor
    spoken: Tensor
    cache: Cache
    num_tokens: int
    recent: Tensor
    ended: Tensor
    met: Tensor

    def select(self, rows: Tensor) -> State:
        """The state of some rows of the batch."""
        return State(
            activity=self.activity[rows],
            voices=self.voices[rows],
            pointers=self.pointers[rows],
            heard=self.heard[rows],
            spoken=self.spoken[rows],
            cache=Cache(*(tuple(t[rows] for t in tensors) for tensors in self.cache)),
            num_tokens=self.num_tokens,
            recent=self.recent[rows],
            ended=self.ended[rows],
            met=self.met[rows],
        )
