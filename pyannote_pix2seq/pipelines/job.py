"""One file on its way through the fold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..audio import Recording
from ..decoding.search import Decoded
from ..prompts import SpeakerMemory
from .chunking import Buffer
from .fold import Question, Settings, State, answer, answer_again, ask, ask_again


class Job:
    """A file, how far it is read, and what was found: ask, decode, answer, until it is finished.

    Parameters
    ----------
    file : Any
        What the user gave.
    uri : str
    audio : Recording or Buffer
    settings : Settings
    memory : SpeakerMemory
        Voices known before.
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
        settings: Settings,
        memory: SpeakerMemory,
        hook: Callable,
        return_exceptions: bool = False,
    ):
        self.file = file
        self.uri = uri
        self.settings = settings
        self.state = State(memory)
        self.finished = False
        self.failure: Exception | None = None
        self._return_exceptions = return_exceptions
        self._hook = hook
        self._buffer = Buffer(audio.blocks()) if isinstance(audio, Recording) else audio
        self._total = int(np.ceil(audio.duration)) if isinstance(audio, Recording) else None
        self._again = False
        self._report(0)

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
        if again is None:
            self.finished = True
            self._report(self._total or 0)
            return None
        question, self.state = again
        return question

    def answer(self, question: Question, decoded: Decoded | None) -> None:
        """Take in what was decoded."""
        if self._again:
            self.state = answer_again(self.state, question, decoded, self.settings)
            return
        self.state = answer(self.state, question, decoded, self.settings)
        self._buffer.drop(self.state.position * self.settings.step_samples - self._buffer.num_dropped)
        self._report(int(self.duration))

    def _report(self, completed: int) -> None:
        if self._total is not None:
            self._hook("chunks", None, completed=min(completed, self._total), total=self._total)


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
