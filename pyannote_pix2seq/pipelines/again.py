"""What is read once more: a chunk, when the file ended with too few speakers, or the whole file, once all are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..decoding.search import Decoded
from ..prompts import SpeakerMemory, lay_out, remember
from ..turns import Turn
from .fold import Question, Settings, State, believe, make_window, turns_of
from .stitching import ChunkTurns, free_label, in_file, labels_of


def read_again(state: State, given: SpeakerMemory, settings: Settings) -> State | None:
    """State at the start of another reading: who was found is known beforehand, each by their best clip.

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
        None when nothing can be gained: nobody was heard, or there are more voices than can be prompted together.
    """
    known = given
    for voice in state.memory.voices:
        if voice.label in given.labels:
            before = given[voice.label]
            known = known.put(replace(voice, duration=before.duration, last_heard=before.last_heard))
        elif len(voice.clip):
            known = known.put(replace(voice, duration=0.0, last_heard=0))
    return State(known) if state.labels and len(known) <= settings.most_prompted else None


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
            window = make_window(prompts, question.samples, state, settings, num_first + min(missing, room))
            asked = question._replace(prompt=prompts, window=window)
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
    found = in_file(turns, confidences, labels, before.chunk)
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
