"""One file on its way through the fold."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from pyannote.audio.utils.reproducibility import fix_reproducibility

from ..audio import Recording
from ..decoding.search import Choose, Decoded, search
from ..diarization import Diarization
from ..prompts import SpeakerMemory
from .again import answer_again, ask_again, name_again, read_again
from .chunking import Buffer
from .confidence import Calibration
from .fold import Question, Settings, State, answer, ask
from .stitching import stitch
from .voting import vote


class Job:
    """A file, how far it is read, and what was found: ask, decode, answer, until it is finished.

    Parameters
    ----------
    file : Any
        What the user gave.
    uri : str
    audio : Recording or Buffer
    readings : sequence of Settings
        Of each time that a recording is read: chunks differ, and everybody is known after the first (see `read_again`).
        With more than one, turns are named once more after each (see `name_again`); what most of them found is the
        result (see `vote`).
    memory : SpeakerMemory
        Voices known before.
    hook : callable
        Called with ("chunks", None, completed=seconds, total=seconds), when the total is known; all readings of a
        second together count as one.
    return_exceptions : bool
        Audio that cannot be read to its end finishes the job, and the exception becomes its `failure`.
    """

    def __init__(
        self,
        file: Any,
        uri: str,
        audio: Recording | Buffer,
        readings: Sequence[Settings],
        memory: SpeakerMemory,
        hook: Callable,
        return_exceptions: bool = False,
    ):
        self.file = file
        self.uri = uri
        self._known = memory
        self.finished = False
        self.failure: Exception | None = None
        self._return_exceptions = return_exceptions
        self._hook = hook
        self._audio = audio
        self._readings = readings
        self._found: list[State] = []  # at the end of each reading
        self._start(State(memory))

    def _start(self, state: State) -> None:
        """Begin at the beginning."""
        self.state, self.settings = state, self._readings[len(self._found)]
        self._buffer = Buffer(self._audio.blocks()) if isinstance(self._audio, Recording) else self._audio
        self._again = False
        self._report()

    def result(self, gap: float, calibration: Calibration) -> Diarization:
        """What was found so far; gaps in the speech of one speaker of at most `gap` seconds are filled."""
        settings = self.settings
        grid, shortest, least = settings.grid, settings.min_duration_steps, settings.min_speakers
        found = [
            stitch(state.chunks, grid, gap, self.duration, state.memory, self.uri, shortest, least)
            for state in self._found or [self.state]
        ]
        bounds = least, settings.max_speakers
        agreed = vote(found, grid.resolution, self._known.labels, *bounds, gap, shortest * grid.resolution)
        if self.finished:
            self.tell_missing(agreed)
        agreed.confidence = dict(zip(agreed.confidence, calibration([*agreed.confidence.values()]), strict=True))
        return agreed

    def tell_missing(self, found: Diarization) -> None:
        """Warn when there are fewer speakers in the end than were asked for."""
        if 0 < (num_found := len(found.labels())) < (least := self.settings.min_speakers):
            told = f"{self.uri}: {num_found} speakers were found, though at least {least} were asked for."
            warnings.warn(told, stacklevel=3)

    @property
    def duration(self) -> float:
        """Seconds read so far."""
        return self._buffer.num_dropped / self.settings.sample_rate

    @property
    def short(self) -> bool:
        """Whether the file is no longer than a window, though it may be two chunks behind prompts, and is read again.

        What is read once is read as a stream would be.
        """
        if len(self._readings) == 1 or not isinstance(self._audio, Recording):
            return False
        return round(self._audio.duration / self.settings.grid.resolution) <= self.settings.longest

    def ask(self) -> Question | None:
        """What to decode next; None when the file is finished."""
        try:
            return self._ask()
        except (OSError, ValueError) as error:
            if not self._return_exceptions:
                raise
            self.finished, self.failure = True, error
            return None

    def _ask(self) -> Question | None:
        if not self._again:
            question = ask(self.state, self._buffer, self.settings)
            if question is not None:
                return question
        self._again = True
        again = ask_again(self.state, self.settings)
        if again is not None:
            question, self.state = again
            return question
        return self._ask_anew()

    def _ask_anew(self) -> Question | None:
        """The first question of another reading, if there is to be one."""
        most = max((len(state.labels) for state in self._found), default=0)
        if len(self.state.labels) >= min(self.settings.min_speakers, most):  # otherwise somebody was lost
            if len(self._readings) > 1 and isinstance(self._audio, Recording):
                self.state = name_again(self.state, self._known, self._audio.blocks(), self.settings)
            self._found.append(self.state)
            left = len(self._found) < len(self._readings)
            another = read_again(self.state, self._known, self.settings) if left else None
            if another is not None:
                self._start(another)
                return self._ask()
        self.finished = True
        self._report()
        return None

    def answer(self, question: Question, decoded: Decoded | None) -> None:
        """Take in what was decoded."""
        if self._again:
            self.state = answer_again(self.state, question, decoded, self.settings)
            return
        self.state = answer(self.state, question, decoded, self.settings)
        self._buffer.drop(self.state.position * self.settings.step_samples - self._buffer.num_dropped)
        self._report()

    def _report(self) -> None:
        if isinstance(self._audio, Recording):
            total = int(np.ceil(self._audio.duration))
            read = (len(self._found) * total + min(int(self.duration), total)) // len(self._readings)
            self._hook("chunks", None, completed=total if self.finished else read, total=total)


def advance(jobs: Sequence[Job], model: Any, choice: Callable[[Sequence[Job]], Choose]) -> None:
    """One more chunk of each; windows of equal length are decoded together, as `choice` says for their jobs."""
    fix_reproducibility(model.device)  # as pyannote's pipelines do: no TF32
    asked = [(job, question) for job in jobs if (question := job.ask()) is not None]
    windows = [(job, question.window) for job, question in asked if question.window is not None]
    decoded: dict[int, Decoded] = {}
    for length in sorted({len(window.waveform) for _, window in windows}):
        rows = [row for row, (_, window) in enumerate(windows) if len(window.waveform) == length]
        sounds, rules, forced = zip(*(windows[row][1] for row in rows), strict=True)
        waveforms = torch.from_numpy(np.stack(sounds))[:, None]
        choose = choice([windows[row][0] for row in rows])
        decoded |= zip(rows, search(model, waveforms, rules, forced, choose), strict=True)
    in_turn = iter(sorted(decoded))
    for job, question in asked:
        job.answer(question, None if question.window is None else decoded[next(in_turn)])


@dataclass(frozen=True)
class Failed:
    """In place of the job of a file that cannot be opened."""

    file: Any
    failure: Exception
    finished: ClassVar[bool] = True
