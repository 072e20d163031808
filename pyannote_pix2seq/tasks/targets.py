"""Windows of conversation -> what the model is taught: tokens, activity, and who the voices are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..decoding.rules import SPEAKER
from ..tokens import triplets
from ..turns import Turn
from ..vocabulary import Vocabulary

NEVER = -1e4  # logit of what cannot be: finite, so that nothing times it is nothing
NOBODY = Vocabulary.PAD  # speaker of noise turns: where a speaker belongs, decoding allows none but speakers


@dataclass(frozen=True)
class Window:
    """One window of audio with its turns.

    Parameters
    ----------
    waveform : (sample,) array of float32
    turns : list of Turn
        Sorted by start, speakers in order of arrival; those of prompts come first.
    voices : list of int
        Training identity of each speaker; -1 when it is unknown.
    num_forced : int
        Number of turns that belong to prompts: given to the model, not asked of it.
    solos : sequence of ((sample,) array, int)
        Speakers alone, with their training identities, to learn voices from.
    noise : sequence of (int, int)
        Starts and ends of noise turns (see `noise_turns`).
    """

    waveform: np.ndarray
    turns: list[Turn]
    voices: list[int]
    num_forced: int = 0
    solos: Sequence[tuple[np.ndarray, int]] = ()
    noise: Sequence[tuple[int, int]] = ()


def activity(turns: Sequence[Turn], num_positions: int, steps_per_position: int, num_speakers: int) -> np.ndarray:
    """Share of each audio position in which each speaker talks: (position, speaker), from 0 to 1.

    Position p is centred on step `p * steps_per_position`.
    """
    steps = np.zeros((num_positions * steps_per_position, num_speakers), np.float32)
    shift = steps_per_position // 2
    for turn in turns:
        steps[turn.start + shift : turn.end + shift, turn.speaker] = 1
    return steps.reshape(num_positions, steps_per_position, num_speakers).mean(1)


def collate(
    windows: Sequence[Window], vocabulary: Vocabulary, num_positions: int, steps_per_position: int
) -> dict[str, Tensor]:
    """Batch of windows of equal length.

    Returns
    -------
    batch : dict
        "waveforms" (batch, 1, sample); "tokens" (batch, token), `DIARIZE` first, padded at the end;
        "taught" (batch, token), 1 where the token is asked of the model: of a noise turn, only that nobody speaks;
        "activity" (batch, position, speaker);
        "identities" (batch, speaker), the training identity of each speaker, -1 when it is unknown; and if there are
        solos, "solos" (solo, 1, sample) and "soloists" (solo,), their identities.
    """

    def known(turns: Sequence[Turn]) -> list[Turn]:
        return [turn for turn in turns if turn.speaker < vocabulary.num_speakers]

    kept = [known(w.turns) for w in windows]
    forced = [len(known(w.turns[: w.num_forced])) for w in windows]
    tokens = [
        [vocabulary.DIARIZE, *triplets(turns, vocabulary), *_nobodys(w.noise, vocabulary), vocabulary.EOS]
        for w, turns in zip(windows, kept, strict=True)
    ]
    length = max(map(len, tokens))
    taught = [
        [0] * (1 + 3 * given) + [1] * 3 * (len(turns) - given) + [0, 0, 1] * len(w.noise) + [1]
        for w, turns, given in zip(windows, kept, forced, strict=True)
    ]
    active = np.stack([activity(t, num_positions, steps_per_position, vocabulary.num_speakers) for t in kept])
    identities = np.full((len(windows), vocabulary.num_speakers), -1)
    for row, window in zip(identities, windows, strict=True):
        voices = window.voices[: vocabulary.num_speakers]
        row[: len(voices)] = voices
    batch = {
        "waveforms": torch.from_numpy(np.stack([w.waveform for w in windows]))[:, None],
        "tokens": torch.tensor([t + [vocabulary.PAD] * (length - len(t)) for t in tokens]),
        "taught": torch.tensor([t + [0] * (length - len(t)) for t in taught], dtype=torch.float32),
        "activity": torch.from_numpy(active),
        "identities": torch.from_numpy(identities),
    }
    if solos := [solo for window in windows for solo in window.solos]:
        batch["solos"] = torch.from_numpy(np.stack([waveform for waveform, _ in solos]))[:, None]
        batch["soloists"] = torch.tensor([identity for _, identity in solos])
    return batch


def _nobodys(noise: Sequence[tuple[int, int]], vocabulary: Vocabulary) -> list[int]:
    """Tokens of noise turns."""
    return [token for start, end in noise for token in (vocabulary.time(start), vocabulary.time(end), NOBODY)]


def sequence_loss(
    logits: Tensor, tokens: Tensor, taught: Tensor, vocabulary: Vocabulary, spread: float, speaker_weight: float = 1.0
) -> Tensor:
    """Cross-entropy of the next token; near times are nearly right.

    Parameters
    ----------
    logits : (batch, token, vocabulary) Tensor
        After each of the tokens.
    tokens, taught : (batch, token + 1) Tensor
        See `collate`.
    vocabulary : Vocabulary
    spread : float
        Standard deviation of the Gaussian around the true time, in steps; 0 for hard targets.
    speaker_weight : float
        Of speaker tokens; that of times is 1.

    Returns
    -------
    loss : Tensor
        Weighted mean over the tokens that are taught.
    """
    target, weight = tokens[:, 1:], taught[:, 1:]
    # grammar is not left to be learned: decoding never allows a token of another kind
    kind = torch.arange(target.shape[1], device=target.device) % 3  # start or end of sequence, end, speaker
    weight = weight * torch.where(kind == SPEAKER, speaker_weight, 1.0)
    ids = torch.arange(len(vocabulary), device=target.device)
    times, speakers = ids >= vocabulary.first_time, (ids >= vocabulary.first_speaker) & (ids < vocabulary.first_time)
    nobody = (ids == NOBODY) & ((target == NOBODY) & (weight > 0)).any()  # only where there are noise turns
    allowed = torch.stack([times | (ids == vocabulary.EOS), times, speakers | nobody])[kind]
    # nor is somebody whose turn it is not: a speaker is written once the one before has arrived
    here = slice(vocabulary.first_speaker, vocabulary.first_time)
    arrived = (tokens[:, :-1, None] == ids[here]).long().cummax(1).values
    allowed = allowed.repeat(len(tokens), 1, 1)
    allowed[..., here] &= F.pad(arrived[..., :-1], (1, 0), value=1).bool()
    log_probabilities = logits.float().masked_fill(~allowed, NEVER).log_softmax(-1)
    reach = int(np.ceil(3 * spread))
    offsets = torch.arange(-reach, reach + 1, device=target.device)
    shares = torch.exp(-0.5 * (offsets / max(spread, 1e-6)) ** 2)
    neighbours = target[..., None] + offsets
    picked = log_probabilities.gather(-1, neighbours.clamp(0, len(vocabulary) - 1))
    # only times have neighbours, and only inside the window
    times_around = (neighbours >= vocabulary.first_time) & (neighbours < len(vocabulary)) & (picked > NEVER / 2)
    shares = shares * torch.where(target[..., None] >= vocabulary.first_time, times_around, offsets == 0)
    shares = shares / shares.sum(-1, keepdim=True).clamp_min(1e-9)  # no share at all: a time that audio has none of
    loss = -(shares * picked).sum(-1)
    return (loss * weight).sum() / weight.sum().clamp_min(1)


def activity_loss(logits: Tensor, active: Tensor) -> Tensor:
    """Binary cross-entropy of the frame head, mean over positions, sum over speakers."""
    return F.binary_cross_entropy_with_logits(logits.float(), active, reduction="none").sum(-1).mean()


def time_distances(logits: Tensor, tokens: Tensor, taught: Tensor, vocabulary: Vocabulary) -> dict[str, Tensor]:
    """How far the most probable times are from the true ones, in steps, when everything before them is right.

    Returns
    -------
    distances : dict
        "start" and "end": mean over the turns that are taught; absent when there are none.
    """
    target, asked = tokens[:, 1:], taught[:, 1:] > 0
    slot = torch.arange(target.shape[1], device=target.device) % 3
    found = logits[..., vocabulary.first_time :].argmax(-1) + vocabulary.first_time
    distance = (found - target).abs().float()
    distances = {}
    for i, name in enumerate(("start", "end")):
        chosen = asked & (target >= vocabulary.first_time) & (slot == i)
        if chosen.any():
            distances[name] = distance[chosen].mean()
    return distances
