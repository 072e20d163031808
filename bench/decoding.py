"""Cached decoding against the seed's way, which reads all tokens anew for each token; same weights, same audio."""

from __future__ import annotations

import torch

from pyannote_pix2seq import pretrained
from pyannote_pix2seq.audio import open_audio
from pyannote_pix2seq.decoding.rules import window_rules
from pyannote_pix2seq.decoding.search import search
from pyannote_pix2seq.models.weights import load

from .table import CALL, seconds, show


class Recomputing:
    """The seed's loop: audio and tokens go through the model again for every token."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model, self.vocabulary, self.device = model, model.vocabulary, model.device

    def read(self, waveforms: torch.Tensor) -> Unread:
        return Unread(waveforms, self.model.read(waveforms).spoken)

    def write(self, tokens: torch.Tensor, state: Unread) -> tuple[torch.Tensor, Unread]:
        logits, _ = self.model.write(tokens, self.model.read(state.waveforms))
        return logits, state


class Unread:
    def __init__(self, waveforms: torch.Tensor, spoken: torch.Tensor) -> None:
        self.waveforms, self.spoken = waveforms, spoken

    def select(self, rows: torch.Tensor) -> Unread:
        return Unread(self.waveforms[rows], self.spoken[rows])


def main() -> None:
    model = load(pretrained() / "pix2seq")
    call = torch.from_numpy(open_audio(CALL).read())[: 30 * 16000][None, None]
    rules = [window_rules(model.vocabulary, max_turns=model.hparams.max_turns)]
    cached = search(model, call, rules)[0].tokens
    uncached = search(Recomputing(model), call, rules, cached=False)[0].tokens
    fast = seconds(lambda: search(model, call, rules))
    slow = seconds(lambda: search(Recomputing(model), call, rules, cached=False))
    with torch.inference_mode():  # as the search does
        floor = seconds(lambda: model.read(call))
    same = "same tokens" if cached == uncached else "DIFFERENT TOKENS"
    show(
        f"decoding 30 s of a call, {len(cached)} tokens, {same}",
        [
            ("cached", f"{fast:.3f} s", f"{slow / fast:.1f} x"),
            ("everything anew for each token", f"{slow:.3f} s", "1 x"),
            ("floor: reading the audio once", f"{floor:.3f} s", f"{slow / floor:.1f} x"),
        ],
        ("how", "time", "speed"),
    )
