"""One file on its way through the fold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from ..audio import Recording
from ..decoding.search import Choose, Decoded, search
from ..diarization import Diarization
from ..prompts import SpeakerMemory
from .again import answer_again, ask_again, read_again, settle
from .chunking import Buffer
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
    ways : sequence of Settings
        One for each time that the file is read for the vote: their chunks differ.
    memory : SpeakerMemory
        Voices known before.
    readings : int
        How often a recording is read at most (see `read_again`).
    hook : callable
        Called with ("chunks", None, completed=seconds, total=seconds), when the total is known.
    return_exceptions : bool
        Audio that cannot be read to its end finishes the job, and the exception becomes its `failure`.
    """

    def __init__(
        self,
        file: Any,
        uri: str,
        audio: Recording | Buffer,
        ways: Sequence[Settings],
        memory: SpeakerMemory,
        readings: int,
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
        self._readings, self._done = readings, 0
        self._ways = list(ways)
        self._num_readings = readings * len(ways)  # at most
        self._ballots: list[State] = []
        self._next_way()

    def _next_way(self) -> None:
        self.settings = self._ways[len(self._ballots)]
        self.state = State(self._known)
        self._earlier = self.state  # at the end of the reading before
        self._start()

    def _start(self) -> None:
        """Begin at the beginning."""
        self._buffer = Buffer(self._audio.blocks()) if isinstance(self._audio, Recording) else self._audio
        self._again = False
        self._report()

    def result(self, gap: float) -> Diarization:
        """What was found so far; gaps in the speech of one speaker of at most `gap` seconds are filled."""
        grid, bounds = self.settings.grid, (self.settings.min_speakers, self.settings.max_speakers)
        states = self._ballots or [self.state]
        ballots = [stitch(s.chunks, grid, gap, self.duration, s.memory, self.uri) for s in states]
        return vote(ballots, grid.resolution, self._known.labels, *bounds)

    @property
    def duration(self) -> float:
        """Seconds read so far."""
        return self._buffer.num_dropped / self.settings.sample_rate

    def ask(self) -> Question | None:
        """What to decode next; None when the file is finished."""
        if not self._again:
            try:
                question = ask(self.state, self._buffer, self.settings)
            except (OSError, ValueError) as error:
                if not self._return_exceptions:
                    raise
                self.finished, self.failure = True, error
                return None
            if question is not None:
                return question
        self._again = True
        again = ask_again(self.state, self.settings)
        if again is not None:
            question, self.state = again
            return question
        self._done += 1
        if len(self.state.labels) < min(self.settings.min_speakers, len(self._earlier.labels)):
            self.state = self._earlier  # this reading lost somebody who has to be there
        elif self._done < self._readings:
            another = read_again(self.state, self._known, self.settings)
            if another is not None:
                self._earlier, self.state = self.state, another
                self._start()
                return self.ask()
        if self._done > 1:
            self.state = settle(self.state, self._known)
        return self._cast()

    def _cast(self) -> Question | None:
        """Add to the ballots, and go another way if there is one."""
        self._ballots.append(self.state)
        if len(self.state.chunks) <= 1:  # heard as a whole: what also holds all of it would hear the same
            length = max((chunk.chunk.end for chunk in self.state.chunks), default=0)
            done = len(self._ballots)
            self._ways[done:] = [way for way in self._ways[done:] if way.longest < length]
        self._done = 0
        if len(self._ballots) < len(self._ways):
            self._next_way()
            return self.ask()
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
            read = (len(self._ballots) * self._readings + self._done) * total + min(int(self.duration), total)
            whole = self._num_readings * total
            self._hook("chunks", None, completed=whole if self.finished else read, total=whole)


def advance(jobs: Sequence[Job], model: Any, choose: Choose) -> None:
    """One more chunk of each; windows of equal length are decoded together."""
    asked = [(job, question) for job in jobs if (question := job.ask()) is not None]
    windows = [question.window for _, question in asked if question.window is not None]
    decoded: dict[int, Decoded] = {}
    for length in sorted({len(window.waveform) for window in windows}):
        rows = [row for row, window in enumerate(windows) if len(window.waveform) == length]
        sounds, rules, forced = zip(*(windows[row] for row in rows), strict=True)
        waveforms = torch.from_numpy(np.stack(sounds))[:, None]
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


def tracked(files: Iterable[Any], progress: bool) -> Iterator[Any]:
    """Files, with a bar on stderr of how many were started if there is to be `progress`."""
    if not progress:
        return iter(files)
    from rich.console import Console
    from rich.progress import track

    return iter(track(list(files), "files", console=Console(stderr=True)))
