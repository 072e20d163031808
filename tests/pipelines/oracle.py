"""A model that knows: each speaker is a pure tone, and is recognised by it wherever it is heard."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn

from pyannote_pix2seq.models.pix2seq import SequenceSpecifications
from pyannote_pix2seq.pipelines import PromptedSpeakerDiarization
from pyannote_pix2seq.prompts import step_samples
from pyannote_pix2seq.tokens import encode
from pyannote_pix2seq.turns import TimeGrid, Turn, in_order_of_arrival, merge
from pyannote_pix2seq.vocabulary import Vocabulary

RATE = 16000
BAND = 250  # Hz between speakers: a whole number of periods in a step of 20 ms


def tone(speaker: int, num_samples: int) -> np.ndarray:
    """Voice of a speaker: (sample,)."""
    return 0.1 * np.cos(2 * np.pi * BAND * (speaker + 1) * np.arange(num_samples) / RATE)


def conversation(turns, num_steps: int) -> np.ndarray:
    """Waveform of turns on steps of 20 ms: (sample,) float32."""
    waveform = np.zeros(num_steps * 320)
    for turn in turns:
        waveform[turn.start * 320 : turn.end * 320] += tone(turn.speaker, (turn.end - turn.start) * 320)
    return waveform.astype(np.float32)


@dataclass(frozen=True)
class OracleState:
    answers: Tensor  # (batch, token): the whole sequence that is to be written
    activity: Tensor  # (batch, position, speaker): logits; a position is a step
    num_tokens: int = 0

    @property
    def spoken(self) -> Tensor:
        """A voice is its tone."""
        return torch.nn.functional.pad((self.activity > 0).float().cumsum(1), (0, 0, 1, 0))

    def select(self, rows: Tensor) -> "OracleState":
        return OracleState(self.answers[rows], self.activity[rows], self.num_tokens)


class Oracle(nn.Module):
    """Writes down which tones it hears.

    Parameters
    ----------
    duration : float
        Window, in seconds; the step is 20 ms.
    num_speakers, max_turns : int
    """

    NUM_VOICES = 24
    steps_per_position = 1

    def __init__(self, duration: float = 6.0, num_speakers: int = 4, max_turns: int = 64) -> None:
        super().__init__()
        self.grid = TimeGrid(duration, round(duration * 50))
        self.specifications = SequenceSpecifications.of(duration)
        self.vocabulary = Vocabulary(num_speakers, self.grid.num_steps)
        self.hparams = SimpleNamespace(max_turns=max_turns)
        self.device = torch.device("cpu")
        self.batch_sizes: list[int] = []

    def hear(self, waveform: np.ndarray) -> list[Turn]:
        """Turns of all tones in a window."""
        samples = step_samples(self.grid, RATE)
        steps = waveform[: len(waveform) // samples * samples].reshape(-1, samples)
        time = np.arange(samples) / RATE
        turns = []
        for speaker in range(self.NUM_VOICES):
            level = np.abs(steps @ np.exp(-2j * np.pi * BAND * (speaker + 1) * time)) * 2 / samples
            edges = np.flatnonzero(np.diff(np.concatenate([[0], level > 0.05, [0]])))
            turns += [Turn(int(a), int(b), speaker) for a, b in edges.reshape(-1, 2)]
        return in_order_of_arrival(merge(turns))[0]

    def read(self, waveforms: Tensor) -> OracleState:
        num_steps, rest = divmod(waveforms.shape[-1], step_samples(self.grid, RATE))
        assert waveforms.shape[1] == 1 and not rest and 0 < num_steps <= self.grid.num_steps
        self.batch_sizes.append(len(waveforms))
        known = list(map(self.hear, waveforms[:, 0].numpy()))
        activity = torch.full((len(known), self.grid.num_steps, self.NUM_VOICES), -20.0)
        for row, turns in enumerate(known):
            for turn in turns:
                activity[row, turn.start : turn.end, turn.speaker] = 20.0
        written = [
            encode([t for t in turns if t.speaker < self.vocabulary.num_speakers], self.vocabulary) for turns in known
        ]
        length = max(map(len, written))
        return OracleState(torch.tensor([w + [Vocabulary.EOS] * (length - len(w)) for w in written]), activity)

    def write(self, tokens: Tensor, state: OracleState) -> tuple[Tensor, OracleState]:
        length = tokens.shape[1]
        at = (state.num_tokens + torch.arange(length)).clamp(max=state.answers.shape[1] - 1)
        answers = state.answers[:, at]
        logits = 20.0 * torch.nn.functional.one_hot(answers, len(self.vocabulary)).float()
        return logits, replace(state, num_tokens=state.num_tokens + length)


class OraclePipeline(PromptedSpeakerDiarization):
    """Pipeline that a `config.yaml` can name."""

    def __init__(self, calibration: dict | None = None, token: str | None = None, cache_dir: str | None = None) -> None:
        super().__init__(Oracle(duration=12.0, num_speakers=5), calibration=calibration)


def pipeline_folder(folder: Path) -> Path:
    """Make a folder for `Pipeline.from_pretrained`."""
    (folder / "config.yaml").write_text(f"pipeline:\n  name: {__name__}.OraclePipeline\n  params: {{}}\n")
    return folder
