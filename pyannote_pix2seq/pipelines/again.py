"""What is read once more: a chunk, when the file ended with too few speakers, or the whole file, once all are known.

And who spoke, which is decided once more when a file has ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

import numpy as np

from ..decoding.search import Decoded
from ..prompts import SpeakerMemory, lay_out, remember
from ..turns import Turn
from .chunking import Buffer
from .fold import Question, Settings, State, believe, heard_in, make_window, turns_of
from .regrouping import regroup
from .stitching import ChunkTurns, FileTurn, free_label, in_file, labels_of


def read_again(state: State, given: SpeakerMemory, settings: Settings) -> State | None:
    """State at the start of another reading: who was found is known beforehand, each by their best clip.

    Where more were found than can be prompted together, those who talked most are known, and the others newcomers
    again.

    Parameters
    ----------
    state : State
        At the end of a reading.
    given : SpeakerMemory
        Before the first reading.
    settings : Settings

    Returns
    -------
    state : State or None
        None when nothing can be gained, for nobody was heard.
    """
    known, found = given, []
    for voice in state.memory.voices:
        if voice.label in given.labels:
            before = given[voice.label]
            known = known.put(replace(voice, duration=before.duration, last_heard=before.last_heard))
        elif len(voice.clip):
            found.append(voice)
    room = settings.most_prompted - sum(len(voice.clip) > 0 for voice in known.voices)  # others are never prompted
    taken = set(sorted(found, key=lambda voice: voice.duration, reverse=True)[: max(room, 0)])
    for voice in found:
        if voice in taken:
            known = known.put(replace(voice, duration=0.0, last_heard=0))
    return State(known) if state.labels else None


def name_again(state: State, given: SpeakerMemory, blocks: Iterable[np.ndarray], settings: Settings) -> State:
    """State at the end of a reading with its turns grouped once more, by the voices of all (see `regroup`).

    Parameters
    ----------
    state : State
    given : SpeakerMemory
        Before the reading.
    blocks : iterable of (sample,) array
        The file once more: the clips of voices are chosen anew.
    settings : Settings
    """
    turns = [turn for chunk in state.chunks for turn in chunk.turns]
    if not turns:
        return state
    numbers = [state.labels.index(turn.label) for turn in turns]
    heard = [sound for chunk in state.chunks for sound in chunk.heard]
    groups = regroup(heard, numbers, settings.voices, settings.max_speakers).tolist()
    names = _names(groups, turns, given.labels)
    left = iter(names[group] for group in groups)
    buffer, memory, chunks = Buffer(blocks), given, []
    for chunk in state.chunks:
        start, end = chunk.chunk.start * settings.step_samples, chunk.chunk.keep * settings.step_samples
        buffer.drop(start - buffer.num_dropped)
        renamed = tuple(turn._replace(label=next(left)) for turn in chunk.turns)
        labels = tuple(dict.fromkeys(turn.label for turn in renamed))
        own = [Turn(t.start - chunk.chunk.start, t.end - chunk.chunk.start, labels.index(t.label)) for t in renamed]
        sure, samples = [turn.confidence for turn in renamed], buffer.peek(end - start)
        centred = samples - samples.mean()
        memory = remember(memory, centred, own, sure, labels, settings.grid, settings.sample_rate)
        chunks.append(chunk._replace(turns=renamed))
    return State(memory=memory, chunks=tuple(chunks), labels=labels_of(chunks))


def _names(groups: Sequence[int], turns: Sequence[FileTurn], given: Collection[str]) -> dict[int, str]:
    """What groups are called: given labels by who shares most steps with them, new ones in order of arrival.

    All labels compete, so that a turn that was wrongly given to somebody does not take their name along.
    """
    shared: Counter[tuple[int, str]] = Counter()
    for group, turn in zip(groups, turns, strict=True):
        shared[group, turn.label] += turn.end - turn.start
    names: dict[int, str] = {}
    for (group, label), _ in shared.most_common():
        if group not in names and label not in names.values():
            names[group] = label
    names = {group: label for group, label in names.items() if label in given}
    for _, group in sorted(zip(turns, groups, strict=True)):
        if group not in names:
            names[group] = free_label({*given, *names.values()})
    return names


def ask_again(state: State, settings: Settings) -> tuple[Question, State] | None:
    """When the file ended with too few speakers: its chunk with the most speech, to be decoded with more of them.

    Returns
    -------
    question : Question
    state : State
        With this chunk as its first candidate; chunks that cannot host another speaker are no longer candidates.
    """
    missing = settings.min_speakers - len(state.labels)
    if missing <= 0:
        return None
    for i, candidate in enumerate(state.candidates):
        question = candidate.question
        # only who speaks in this file is prompted again: the newcomers must not be taken for anybody else
        step = settings.step_samples
        kept = [
            (label, question.prompt.waveform[turn.start * step : turn.end * step])
            for label, turn in zip(question.prompt.labels, question.prompt.turns, strict=True)
            if label in state.labels
        ]
        known, clips = [label for label, _ in kept], [clip for _, clip in kept]
        num_first = len(candidate.newcomers)
        room = settings.vocabulary.num_speakers - len(known) - num_first
        if room > 0:
            prompts = lay_out(clips, known, settings.grid, settings.sample_rate)
            chunk = state.chunks[candidate.number].chunk
            samples = question.samples[: (chunk.keep - chunk.start) * step]  # newcomers behind it would not be believed
            window = make_window(prompts, samples, state, settings, num_first + min(missing, room))
            asked = question._replace(prompt=prompts, samples=samples, window=window)
            return asked, state._replace(candidates=state.candidates[i:])
    return None


def answer_again(state: State, question: Question, decoded: Decoded | None, settings: Settings) -> State:
    """State after its first candidate was decoded again."""
    candidate, rest = state.candidates[0], state.candidates[1:]
    before = state.chunks[candidate.number]
    turns, confidences = turns_of(decoded, question.prompt, settings)
    turns, confidences, num_newcomers = believe(turns, confidences, question, before.chunk, settings)
    names = _recognise(turns, len(question.prompt.labels), num_newcomers, before, candidate.newcomers, state)
    labels = [*question.prompt.labels, *names]
    heard = heard_in(turns, decoded, question.prompt, settings)
    found = in_file(turns, confidences, labels, before.chunk, heard)
    chunks = (*state.chunks[: candidate.number], found, *state.chunks[candidate.number + 1 :])
    memory = state.memory
    for turn in before.turns:  # what they said in it is counted once
        voice = memory[turn.label]
        seconds = (turn.end - turn.start) * settings.grid.resolution
        memory = memory.put(replace(voice, duration=max(voice.duration - seconds, 0.0)))
    return State(
        memory=remember(memory, question.samples, turns, confidences, labels, settings.grid, settings.sample_rate),
        chunks=chunks,
        labels=labels_of(chunks),
        candidates=rest,
    )


def _recognise(
    turns: Sequence[Turn],
    num_prompted: int,
    num_newcomers: int,
    before: ChunkTurns,
    labels: Sequence[str],
    state: State,
) -> list[str]:
    """Name newcomers of a chunk that was decoded again: the first labels by overlap, new ones for the others."""
    names: dict[int, str] = {}
    overlaps = [
        (
            sum(
                max(min(new.end + before.chunk.start, old.end) - max(new.start + before.chunk.start, old.start), 0)
                for new in turns
                for old in before.turns
                if new.speaker == num_prompted + i and old.label == label
            ),
            -i,
            label,
        )
        for i in range(num_newcomers)
        for label in labels
    ]
    for _, i, label in sorted(overlaps, reverse=True):
        if -i not in names and label not in names.values():
            names[-i] = label
    taken = {*state.memory.labels, *state.labels}
    for i in range(num_newcomers):
        if i not in names:
            names[i] = free_label({*taken, *names.values()})
    return [names[i] for i in range(num_newcomers)]
