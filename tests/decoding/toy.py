"""A model small enough to enumerate: a recurrent cell on tokens, started by the waveform."""

from typing import NamedTuple

import torch
from torch import Tensor

from pyannote_pix2seq.vocabulary import Vocabulary


class ToyState(NamedTuple):
    hidden: Tensor  # (batch, feature)

    @property
    def spoken(self) -> Tensor:
        return self.hidden[:, None]

    def select(self, rows: Tensor) -> "ToyState":
        return ToyState(self.hidden[rows])


class ToyModel:
    """Random weights; float64, so that no two tokens are equally likely."""

    FEATURES = 8

    def __init__(self, vocabulary: Vocabulary, seed: int = 0, end_bias: float = 0.0) -> None:
        generator = torch.Generator().manual_seed(seed)

        def weights(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        self.vocabulary = vocabulary
        self.device = torch.device("cpu")
        self.embedding = weights(len(vocabulary), self.FEATURES)
        self.recurrence = weights(self.FEATURES, self.FEATURES) / 2
        self.head = weights(self.FEATURES, len(vocabulary))
        self.end_bias = end_bias
        self.num_rows_written = 0

    def read(self, waveforms: Tensor) -> ToyState:
        return ToyState(waveforms[:, 0, : self.FEATURES].double())

    def write(self, tokens: Tensor, state: ToyState) -> tuple[Tensor, ToyState]:
        self.num_rows_written += tokens.numel()
        hidden, logits = state.hidden, []
        for token in tokens.unbind(1):
            hidden = torch.tanh(hidden @ self.recurrence + self.embedding[token])
            logits.append(hidden @ self.head)
        stacked = torch.stack(logits, 1)
        stacked[:, :, self.vocabulary.EOS] += self.end_bias
        return stacked, ToyState(hidden)
