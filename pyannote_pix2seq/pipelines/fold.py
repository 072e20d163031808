"""The fold over the chunks of one file: prompt, decode, name, remember.

    state, buffer -> `ask` -> window -> (search) -> `answer` -> state

Nothing here decodes: whoever drives the fold may decode windows of many files together, or wait for more audio.
Offline and live use are the same fold. Time is counted in grid steps from the start of the file.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..decoding.audible import Audible
from ..decoding.roster import Roster
from ..decoding.rules import SPEAKER, Listener, Rule, window_rules
from ..decoding.search import Decoded
from ..prompts import Prompt, SpeakerMemory, capacity, prompt, remember, step_samples
from ..tokens import decode, triplets
from ..turns import TimeGrid, Turn, shift
from ..vocabulary import Vocabulary
from .chunking import Buffer, Chunk, next_chunk
from .regrouping import Sound, sounds
from .stitching import EDGE_GAP, ChunkTurns, continued, in_file, name_newcomers

SILENCE = 1e-4  # -80 dB of full scale: what stays below holds no speech, and no model need be asked
STEPS = (1.0, 0.7)  # of readings in turn: what is decided by a hair is not decided the same every time
NUM_CANDIDATES = 4  # chunks kept at hand to be read again when the file has too few speakers


@dataclass(frozen=True)
class Settings:
    """What stays the same over a file.

    Parameters
    ----------
    vocabulary : Vocabulary
    grid : TimeGrid
        Of a window.
    sample_rate : int
        In Hz.
    max_turns : int
        Turns that can be written in one window.
    longest : int
        Longest chunk, in steps.
    step : float
        From one chunk to the next, as a ratio of the chunk.
    prompt_duration : float
        Longest prompt of one voice, in seconds.
    min_duration_steps : int
        Shortest turn, in steps.
    min_speakers : int
    max_speakers : int or None
        In the file.
    audible : Audible
    faint : float
        How far turns may lie below the mean level of their speaker's turns in a chunk, in decibels.
    voices : float
        How much voices count against names when turns are named once more.
    """

    vocabulary: Vocabulary
    grid: TimeGrid
    sample_rate: int
    max_turns: int
    longest: int
    step: float
    prompt_duration: float
    min_duration_steps: int
    min_speakers: int
    max_speakers: int | None
    audible: Audible
    faint: float
    voices: float

    @property
    def step_samples(self) -> int:
        return step_samples(self.grid, self.sample_rate)

    @property
    def most_prompted(self) -> int:
        """Voices that can be prompted together: one label is kept free for a newcomer, unless there is only one."""
        return min(max(self.vocabulary.num_speakers - 1, 1), capacity(self.grid))


def speaker_bounds(num: int | None, least: int | None, most: int | None) -> tuple[int, int | None]:
    """Bounds of the number of speakers in a file, checked."""
    for name, value in (("num_speakers", num), ("min_speakers", least), ("max_speakers", most)):
        if value is None:
            continue
        try:
            whole = operator.index(value)
        except TypeError:
            raise ValueError(f"{name} must be a whole number; got {value!r}.") from None
        if whole < 1:
            raise ValueError(f"{name} must be at least 1; got {value}.")
    if num is not None and not (least or num) <= num <= (most or num):
        raise ValueError(f"num_speakers={num} does not lie between min_speakers={least} and max_speakers={most}.")
    if least is not None and most is not None and least > most:
        raise ValueError(f"min_speakers={least} is more than max_speakers={most}.")
    return num or least or 0, num or most


class Window(NamedTuple):
    """What the search is given."""

    waveform: np.ndarray  # (sample,): prompts and chunk, a whole number of steps
    rules: list[Rule | Listener]
    forced: list[int]


class Question(NamedTuple):
    """A chunk to decode."""

    chunk: Chunk
    samples: np.ndarray  # (sample,) of the chunk
    prompt: Prompt
    window: Window | None  # None: silence


class Candidate(NamedTuple):
    """A chunk that may be read again."""

    number: int  # of the chunk
    question: Question
    speech: int  # steps of turns found in it
    newcomers: tuple[str, ...]  # labels of those who spoke in it and were not prompted


class State(NamedTuple):
    """What is carried from chunk to chunk."""

    memory: SpeakerMemory
    chunks: tuple[ChunkTurns, ...] = ()
    labels: tuple[str, ...] = ()  # who has spoken in this file
    candidates: tuple[Candidate, ...] = ()

    @property
    def position(self) -> int:
        """Step at which the next chunk starts."""
        return self.chunks[-1].chunk.keep if self.chunks else 0


def ask(state: State, buffer: Buffer, settings: Settings) -> Question | None:
    """Prompt the next chunk; None at the end of the audio."""
    grid, step = settings.grid, settings.step_samples
    prompts = prompt(state.memory, grid, settings.sample_rate, settings.most_prompted, settings.prompt_duration)
    room = min(grid.num_steps - prompts.first_step, settings.longest)
    samples = buffer.peek(room * step + 1)  # one more, to know whether this is the end
    if not len(samples):
        return None
    left = -(-len(samples) // step) if len(samples) <= room * step else None
    chunk = next_chunk(state.position, room, settings.step, left)
    samples = samples[: room * step] - samples[: room * step].mean()
    return Question(chunk, samples, prompts, make_window(prompts, samples, state, settings))


def answer(state: State, question: Question, decoded: Decoded | None, settings: Settings) -> State:
    """State after a chunk was decoded; `decoded` is None for silence."""
    chunk, first = question.chunk, len(question.prompt.labels)
    turns, confidences = turns_of(decoded, question.prompt, settings)
    if turns and first + len(turns) >= settings.max_turns and turns[-1].start > 0:
        # there may be more turns than could be written: believe what came before the last one, go on from there
        chunk = chunk._replace(keep=min(chunk.keep, chunk.start + turns[-1].start))
    turns, confidences, num_newcomers = believe(turns, confidences, question, chunk, settings)
    newcomers = range(first, first + num_newcomers)
    unprompted = _unprompted(state, question.prompt)
    gap = round(EDGE_GAP / settings.grid.resolution)
    known = continued(turns, newcomers, state.chunks[-1] if state.chunks else None, unprompted, gap)
    taken = {*state.memory.labels, *state.labels}
    spoke = {question.prompt.labels[turn.speaker] for turn in turns if turn.speaker < first}
    budget = _budget(state, settings)
    left = None if budget is None else budget - len(spoke - {*state.labels})
    names = name_newcomers(newcomers, known, taken, left, unprompted)
    labels = [*question.prompt.labels, *names]
    found = in_file(turns, confidences, labels, chunk, heard_in(turns, decoded, question.prompt, settings))
    candidate = Candidate(len(state.chunks), question, sum(t.end - t.start for t in turns), tuple(names))
    wanted = settings.min_speakers and turns
    return State(
        memory=remember(
            state.memory, question.samples, turns, confidences, labels, settings.grid, settings.sample_rate
        ),
        chunks=(*state.chunks, found),
        labels=tuple(dict.fromkeys([*state.labels, *found.labels])),
        candidates=_best([*state.candidates, candidate]) if wanted else state.candidates,
    )


def make_window(
    prompts: Prompt, samples: np.ndarray, state: State, settings: Settings, num_newcomers: int | None = None
) -> Window | None:
    """Prompts and chunk with the rules of the file; `num_newcomers` unprompted speakers exactly, when given."""
    if not np.abs(samples).max() > SILENCE:
        return None
    last_step = prompts.first_step + -(-len(samples) // settings.step_samples)
    # as long as it is, and no longer: beside digital silence, the faintest noise would sound like speech
    waveform = np.zeros(last_step * settings.step_samples, np.float32)
    waveform[: len(prompts.waveform)] = prompts.waveform
    waveform[len(prompts.waveform) :][: len(samples)] = samples
    num_prompted = len(prompts.labels)
    rules = window_rules(
        settings.vocabulary,
        first_step=prompts.first_step,
        last_step=last_step,
        min_speakers=num_prompted + (num_newcomers or 0),
        max_turns=max(settings.max_turns, num_prompted + 1),
        min_duration_steps=settings.min_duration_steps,
        listeners=[settings.audible],
    )
    budget = _budget(state, settings) if num_newcomers is None else num_newcomers
    if budget is not None:
        # without budget, somebody unknown must be one of those who are not prompted
        num_unprompted = len(_unprompted(state, prompts)) if num_newcomers is None else 0
        members = frozenset(i for i, label in enumerate(prompts.labels) if label in state.labels)
        rules.append(Roster(settings.vocabulary, members, budget, num_unprompted, num_prompted))
    return Window(waveform, rules, triplets(prompts.turns, settings.vocabulary))


def _budget(state: State, settings: Settings) -> int | None:
    """How many more speakers the file may have."""
    return None if settings.max_speakers is None else max(settings.max_speakers - len(state.labels), 0)


def _unprompted(state: State, prompts: Prompt) -> list[str]:
    """Who has spoken in the file and is not prompted, the most recent first."""
    absent = [label for label in state.labels if label not in prompts.labels]
    return sorted(absent, key=lambda label: state.memory[label].last_heard, reverse=True)


def turns_of(decoded: Decoded | None, prompts: Prompt, settings: Settings) -> tuple[list[Turn], list[float]]:
    """Turns counted from the start of the chunk, and how probable their speakers are."""
    if decoded is None:
        return [], []
    num_prompted, first = len(prompts.turns), prompts.first_step
    written = decode(decoded.tokens, settings.vocabulary)[num_prompted:]
    turns = [Turn(turn.start - first, turn.end - first, turn.speaker) for turn in written]
    probabilities = np.reshape(decoded.probabilities[3 * num_prompted :], (-1, 3))
    return turns, probabilities[:, SPEAKER].tolist()


def heard_in(turns: Sequence[Turn], decoded: Decoded | None, prompts: Prompt, settings: Settings) -> list[Sound]:
    """What is heard of turns that are counted from the start of the chunk."""
    if decoded is None:
        return []
    resolution = settings.grid.resolution
    return sounds(shift(turns, prompts.first_step), decoded.spoken, settings.audible.steps_per_position, resolution)


def believe(
    turns: Sequence[Turn], confidences: Sequence[float], question: Question, chunk: Chunk, settings: Settings
) -> tuple[list[Turn], list[float], int]:
    """Turns up to the step from which the next chunk reads, but faint ones, newcomers renumbered, and their number."""
    length, num_prompted = chunk.keep - chunk.start, len(question.prompt.labels)
    pairs = [
        (turn._replace(end=min(turn.end, length)), confidence)
        for turn, confidence, loud in zip(turns, confidences, _loud_enough(turns, question, settings), strict=True)
        if loud and turn.start < length
    ]
    arrived = sorted({turn.speaker for turn, _ in pairs if turn.speaker >= num_prompted})
    rank = {speaker: num_prompted + i for i, speaker in enumerate(arrived)}
    believed = [turn._replace(speaker=rank.get(turn.speaker, turn.speaker)) for turn, _ in pairs]
    return believed, [confidence for _, confidence in pairs], len(arrived)


def _loud_enough(turns: Sequence[Turn], question: Question, settings: Settings) -> list[bool]:
    """Of each turn, whether its level is near that of all turns of its speaker in the chunk.

    Breath, knocks and voices from afar are taken for somebody who is near, and are much fainter. Who is faint all the
    time is kept, and so is at least one turn of everybody.
    """
    samples = question.samples
    energy = np.concatenate([[0.0], np.square(samples, dtype=float).cumsum()])
    edges = np.reshape([turn[:2] for turn in turns], (-1, 2)).astype(int) * settings.step_samples
    start, end = edges.clip(0, len(samples)).T
    power, length = energy[end] - energy[start], np.maximum(end - start, 1)
    speaker = np.array([turn.speaker for turn in turns], int)
    mean = np.bincount(speaker, power) / np.maximum(np.bincount(speaker, length), 1)
    return (power / length >= mean[speaker] * 10 ** (-settings.faint / 10)).tolist()


def _best(candidates: list[Candidate]) -> tuple[Candidate, ...]:
    return tuple(sorted(candidates, key=lambda candidate: candidate.speech, reverse=True)[:NUM_CANDIDATES])
