"""Pix2Seq: a decoder-only transformer that reads audio and writes `start end speaker` triplets.

The idea is that of Pix2Seq for object detection (Chen et al., arXiv 2109.10852); the sequence format is nanodrz's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from pyannote.audio.core.task import Problem, Resolution, Specifications, Task
from torch import Tensor, nn
from torch.nn import functional as F

from ..audio import SAMPLE_RATE
from ..decoding.rules import window_rules
from ..decoding.search import search
from ..features import front_end as make_front_end
from ..turns import TimeGrid
from ..vocabulary import Vocabulary
from .state import State
from .stem import Stem
from .transformer import Cache, Layer, rotate
from .voice import VoiceHead
from .weights import Shippable


@dataclass
class SequenceSpecifications(Specifications):
    """What a sequence task asks of a model.

    Parameters
    ----------
    num_voices : int
        Number of training speakers that the identity head tells apart; 0 for no such head.
    """

    num_voices: int = 0

    @classmethod
    def of(cls, duration: float, num_voices: int = 0) -> SequenceSpecifications:
        """Those of windows of `duration` seconds."""
        return cls(
            problem=Problem.MONO_LABEL_CLASSIFICATION,
            resolution=Resolution.CHUNK,
            duration=duration,
            classes=["speech"],
            permutation_invariant=True,
            num_voices=num_voices,
        )


class Pix2Seq(Shippable):
    """Speaker diarization as a sequence.

    Parameters
    ----------
    sample_rate : int
        16000: mixtures and prompts are.
    num_channels : int
    task : Task, optional
    duration : float
        Longest window, in seconds.
    num_steps : int
        Steps of the time grid in one window.
    num_speakers : int
        Speakers that one window can tell apart.
    max_turns : int
        Turns that `forward` writes at most.
    front_end : str
        Name in `features.FRONT_ENDS`.
    front_end_parameters : mapping, optional
        Its parameters.
    stem_channels : sequence of int
        Channels of the stages of the stem; each stage halves time and frequency.
    stem_block, stem_depths
        Name in `stem.BLOCKS`, and how many of them each stage has.
    dimension, num_heads, num_layers : int
        Size of the transformer.
    voice_layer : int
        Layers before the first that compares voices.
    frame_layer : int
        Layers before the frame head, whose answer is fed back to the layers behind it
        (as in self-conditioned CTC: Nozaki and Komatsu, arXiv 2104.02724).
    dropout : float
    """

    POINTER_FEATURES = 128
    ONSET = 4  # audio positions behind a start that tell whose end is looked for
    ALONE = 3  # audio positions that tell a voice when the rest of its turn is somebody else's too
    Specifications = SequenceSpecifications

    def __init__(
        self,
        sample_rate: int = SAMPLE_RATE,
        num_channels: int = 1,
        task: Task | None = None,
        duration: float = 30.0,
        num_steps: int = 1500,
        num_speakers: int = 8,
        max_turns: int = 64,
        front_end: str = "logmel",
        front_end_parameters: Mapping[str, Any] | None = None,
        stem_channels: Sequence[int] = (24, 48, 96),
        stem_block: str = "residual",
        stem_depths: int | Sequence[int] = 1,
        dimension: int = 256,
        num_heads: int = 4,
        num_layers: int = 6,
        voice_layer: int = 3,
        frame_layer: int = 4,
        dropout: float = 0.1,
    ) -> None:
        if not 0 <= voice_layer <= frame_layer < num_layers:
            raise ValueError(
                "voices come before frames, and frames before the last layer: voice_layer <= frame_layer < num_layers; "
                f"got voice_layer={voice_layer}, frame_layer={frame_layer}, num_layers={num_layers}."
            )
        if sample_rate != SAMPLE_RATE:
            raise ValueError(f"Pix2Seq hears audio at {SAMPLE_RATE} Hz; got sample_rate={sample_rate}.")
        super().__init__(sample_rate=sample_rate, num_channels=num_channels, task=task)
        self.save_hyperparameters(
            "duration", "num_steps", "num_speakers", "max_turns", "front_end", "front_end_parameters",
            "stem_channels", "stem_block", "stem_depths", "dimension", "num_heads", "num_layers", "voice_layer",
            "frame_layer", "dropout",
        )  # fmt: skip
        self.vocabulary = Vocabulary(num_speakers, num_steps)
        self.grid = TimeGrid(duration, num_steps)
        self.front_end = make_front_end(front_end, sample_rate, **(front_end_parameters or {}))
        self.hparams.front_end_parameters = self.front_end.remembered(front_end_parameters or {})
        self.stem = Stem(self.front_end.dimension, stem_channels, dimension, stem_block, stem_depths)
        self.layers = nn.ModuleList(
            Layer(dimension, num_heads, dropout, voice_aware=i >= voice_layer) for i in range(num_layers)
        )
        self.clock = nn.Linear(dimension, dimension, bias=False)
        self.voice = VoiceHead(dimension, dimension // num_heads)  # straight behind the stem
        self.frame_head = nn.Linear(dimension, num_speakers)
        self.frame_feedback = nn.Linear(num_speakers, dimension, bias=False)
        self.audio_norm = nn.LayerNorm(dimension)
        self.pointer_keys = nn.Linear(dimension, self.steps_per_position * self.POINTER_FEATURES)
        self.heard = nn.Linear(dimension, dimension)
        self.embedding = nn.Embedding(self.vocabulary.first_time, dimension)
        self.slot = nn.Embedding(3, dimension)
        self.token_norm = nn.LayerNorm(dimension)
        self.pointer_query = nn.Linear(dimension, self.POINTER_FEATURES)
        self.head = nn.Linear(dimension, self.vocabulary.first_time)
        # cosine of two voices -> logit, and the logit of a voice not met before
        self.likeness = nn.Parameter(torch.tensor(8.0))
        self.newcomer = nn.Parameter(torch.tensor(5.0))
        for name, child in self.named_children():
            if name != "front_end":  # it may have been trained before
                child.apply(self._initialise)
        if task is None:
            self.specifications = SequenceSpecifications.of(duration)

    def build(self) -> None:
        """Identity head: which training speaker is heard. It serves training only."""
        num_voices = self.specifications.num_voices
        self.identity = nn.Linear(self.hparams.dimension // self.hparams.num_heads, num_voices) if num_voices else None

    @staticmethod
    def _initialise(module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    @property
    def steps_per_position(self) -> int:
        """Steps of the time grid in one audio position."""
        position = self.front_end.hop_length * self.stem.stride / self.hparams.sample_rate
        steps = round(position / self.grid.resolution)
        if steps < 1 or abs(steps * self.grid.resolution - position) > 1e-6:
            raise ValueError(
                f"one audio position of this front-end and stem lasts {position:g} s, which is no whole number of the "
                f"time grid's steps of {self.grid.resolution:g} s; change num_steps, duration or stem_channels."
            )
        return steps

    def num_frames(self, num_samples: int) -> int:
        """Number of audio positions."""
        return self.stem.num_positions(self.front_end.num_frames(num_samples))

    def receptive_field_size(self, num_frames: int = 1) -> int:
        return self.front_end.receptive_field_size(self.stem.receptive_field_size(num_frames))

    def receptive_field_center(self, frame: int = 0) -> int:
        return self.front_end.receptive_field_center(frame * self.stem.stride)

    def _clock(self, times: Tensor) -> Tensor:
        """Absolute time, in audio positions, as sinusoids of the size of the model."""
        half = self.hparams.dimension // 2
        frequencies = 2000.0 ** (-torch.arange(half, device=times.device, dtype=torch.float32) / half)
        angles = times.float()[..., None] * frequencies
        return torch.cat([angles.sin(), angles.cos()], -1)

    def read(self, waveforms: Tensor) -> State:
        """Read one window of audio each.

        Parameters
        ----------
        waveforms : (batch, channel, sample) Tensor
            At most `duration` seconds.
        """
        x = self.stem(self.front_end(waveforms))
        voices = self.voice(x).float()
        same = F.normalize(voices, dim=-1)
        batch, length, _ = x.shape
        times = torch.arange(length, device=x.device)[None]
        x = x + self.clock(self._clock(times).to(x.dtype))
        activity = None
        keys, values = [], []
        for i, layer in enumerate(self.layers):
            if i == self.hparams.frame_layer:
                activity = self.frame_head(x)
                x = x + self.frame_feedback(activity.sigmoid())
            x, (key, value) = layer(x, times, same, None)
            keys.append(key)
            values.append(value)
        x = self.audio_norm(x)
        assert activity is not None
        steps = self.steps_per_position
        pointers = self.pointer_keys(x).view(batch, length * steps, -1)
        pointers = rotate(pointers, torch.arange(length * steps, device=x.device)[None] / steps)
        # a voice is heard best where nobody else talks: the probability of just one speaker, by the frame head
        logits = activity.float()
        alone = (F.logsigmoid(-logits).sum(-1, keepdim=True) + logits.logsumexp(-1, keepdim=True)).exp()
        heard, spoken = (F.pad(t.cumsum(1), (0, 0, 1, 0)) for t in (self.heard(x).float(), alone * voices))
        return State(
            activity=activity,
            voices=voices,
            pointers=pointers[:, : len(self.vocabulary) - self.vocabulary.first_time],
            heard=heard,
            spoken=spoken,
            cache=Cache(tuple(keys), tuple(values)),
            num_tokens=0,
            recent=torch.zeros(batch, 2, dtype=torch.long, device=x.device),
            ended=torch.zeros(batch, dtype=torch.long, device=x.device),
            met=torch.zeros(batch, self.vocabulary.num_speakers, voices.shape[-1], device=x.device),
        )

    def _turn_so_far(self, tokens: Tensor, state: State) -> tuple[Tensor, Tensor, Tensor]:
        """Slot (0 start, 1 end, 2 speaker) of each token, and the steps between which its turn is listened to."""
        index = state.num_tokens + torch.arange(tokens.shape[1], device=tokens.device)
        slot = (index - 1) % 3  # the command before the first triplet closes a triplet of its own
        known = torch.cat([state.recent, tokens], 1) - self.vocabulary.first_time
        here = torch.arange(2, 2 + tokens.shape[1], device=tokens.device)
        start = known[:, here - slot].clamp(0, self.grid.num_steps)
        end = known[:, here - (slot - 1).clamp_min(0)].clamp(0, self.grid.num_steps)
        return slot, start, torch.where(slot == 0, start + self.ONSET * self.steps_per_position, end)

    def write(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits of the token that follows each of the tokens.

        Parameters
        ----------
        tokens : (batch, token) Tensor
            The first token ever written is `Vocabulary.DIARIZE`.
        state : State

        Returns
        -------
        logits : (batch, token, vocabulary) Tensor
        state : State
            With the tokens written.
        """
        slot, start, end = self._turn_so_far(tokens, state)
        steps = self.steps_per_position
        times = torch.where(slot == 1, end, start) / steps  # a speaker token stands at the start of its turn
        # mean of what was heard from start to end, or of the onset while the end is unknown
        last = state.heard.shape[1] - 1
        first = (start // steps).clamp(max=last - 1)
        stop = torch.maximum((end + steps - 1) // steps, first + 1).clamp(max=last)
        rows = torch.arange(tokens.shape[0], device=tokens.device)[:, None]
        heard = (state.heard[rows, stop] - state.heard[rows, first]) / (stop - first)[..., None]
        # turns come by their starts, so until the last of the ends before somebody else talks too: no place for a voice
        ended = torch.cat([state.ended[:, None], torch.where(slot == 2, end, 0)], 1).cummax(1).values
        alone = (ended[:, :-1] + steps - 1) // steps
        alone = torch.where((slot > 0) & (stop - alone >= self.ALONE), torch.maximum(alone, first), first)
        voices = state.spoken[rows, stop] - state.spoken[rows, alone]
        # what each speaker sounded like so far: the sum over the turns that are named theirs
        speakers = torch.arange(self.vocabulary.num_speakers, device=tokens.device) + self.vocabulary.first_speaker
        theirs = (tokens[..., None] == speakers)[..., None] * voices[:, :, None]
        met = state.met[:, None] + theirs.cumsum(1)
        voices = F.normalize(voices, dim=-1)

        named = torch.where(tokens < self.vocabulary.first_time, tokens, self.vocabulary.PAD)
        x = self.embedding(named) + self.slot(slot) + self.clock(self._clock(times)) + heard
        keys, values = [], []
        for layer, key, value in zip(self.layers, state.cache.keys, state.cache.values, strict=True):
            x, (key, value) = layer(x, times, voices, (key, value))
            keys.append(key)
            values.append(value)
        x = self.token_norm(x)
        query = rotate(self.pointer_query(x), times)
        pointed = query @ state.pointers.to(query.dtype).transpose(1, 2) / self.POINTER_FEATURES**0.5
        missing = len(self.vocabulary) - self.vocabulary.first_time - pointed.shape[-1]
        # finite, so that a zero target times this logit is zero
        pointed = F.pad(pointed.float(), (0, missing), value=-1e4)
        # a speaker token points at the turns that its speaker had before, as a time token points at the audio
        alike = (F.normalize(met, dim=-1) * voices[:, :, None]).sum(-1)
        alike = torch.where(met.any(-1), self.likeness * alike, self.newcomer)
        specials, who = self.head(x).float().split([self.vocabulary.first_speaker, self.vocabulary.num_speakers], -1)
        logits = torch.cat([specials, who + alike, pointed], -1)
        written = replace(
            state,
            cache=Cache(tuple(keys), tuple(values)),
            num_tokens=state.num_tokens + tokens.shape[1],
            recent=torch.cat([state.recent, tokens], 1)[:, -2:],
            ended=ended[:, -1],
            met=met[:, -1],
        )
        return logits, written

    def hear(self, waveforms: Tensor) -> Tensor:
        """Voices and nothing else: (batch, channel, sample) -> (batch, position, feature)."""
        return self.voice(self.stem(self.front_end(waveforms))).float()

    def identify(self, voices: Tensor) -> Tensor:
        """Which training speaker a voice is, whatever its length: (..., feature) -> (..., training speaker) logits."""
        if self.identity is None:
            raise ValueError("this model has no identity head: its task has no training speakers.")
        return self.identity(F.normalize(voices, dim=-1) * voices.shape[-1] ** 0.5)

    def forward(self, waveforms: Tensor, tokens: Tensor | None = None) -> Tensor:
        """Logits for given tokens, or token ids.

        Parameters
        ----------
        waveforms : (batch, channel, sample) Tensor
        tokens : (batch, token) Tensor, optional
            `DIARIZE` first.

        Returns
        -------
        output : Tensor
            (batch, token, vocabulary) logits of the next tokens when tokens are given; otherwise
            (batch, 3 * max_turns) token ids of a greedy search, padded.
        """
        if tokens is not None:
            logits, _ = self.write(tokens, self.read(waveforms))
            return logits
        rules = window_rules(self.vocabulary, max_turns=self.hparams.max_turns)
        length = 3 * self.hparams.max_turns
        written = [d.tokens for d in search(self, waveforms, [rules] * len(waveforms))]
        padded = [(w + [Vocabulary.PAD] * length)[:length] for w in written]
        return torch.tensor(padded, device=waveforms.device)
