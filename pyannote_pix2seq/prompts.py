"""Speaker prompts: a few seconds of each known voice, put in front of a chunk so that labels persist.

The same functions serve training and the pipeline. A prompted window lies on one time grid:

    clip | silence | clip | silence | chunk

and looks exactly like a conversation whose first turns are the clips. Pure numpy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from .turns import TimeGrid, Turn

SILENCE = 0.2  # seconds behind each clip
SHARE = 0.4  # of the window, at most, is given to prompts
LONGEST_PROMPT = 3.0  # seconds of one voice: more helps little and shortens the chunk
SHORTEST_PROMPT = 1.0  # seconds of one voice that must fit: bounds how many voices are prompted

LONGEST_CLIP = 5.0  # seconds kept of one voice
SHORTEST_CLIP = 0.5  # seconds: with less, a voice is known but cannot be prompted
SHORTEST_STRETCH = 0.24  # seconds: shorter ones are mostly breaths and edges of turns
SATURATION = 3.0  # seconds: a clip longer than this is no better


@dataclass(frozen=True, eq=False)
class Voice:
    """What is remembered of one speaker.

    Parameters
    ----------
    label : str
    clip : (sample,) array
        Their clearest speech so far, best part first. Empty when there was too little. Kept as read-only float32.
    quality : float
        Seconds of speech in the clip (at most 3) times how sure the model was of it.
    duration : float
        Seconds they have spoken so far.
    last_heard : int
        Number of the chunk in which they last spoke.
    enrolled : bool
        Whether somebody said who they are: they are prompted before those who were met by chance.
    """

    label: str
    clip: np.ndarray
    quality: float = 0.0
    duration: float = 0.0
    last_heard: int = 0
    enrolled: bool = False

    def __post_init__(self) -> None:
        clip = np.array(self.clip, dtype=np.float32)
        clip.setflags(write=False)
        object.__setattr__(self, "clip", clip)


@dataclass(frozen=True, eq=False)
class SpeakerMemory:
    """The voices met so far, in order of arrival; never changed, always replaced.

    Parameters
    ----------
    voices : tuple of Voice
        Labels are unique.
    num_chunks : int
        Number of chunks heard so far: the clock of `Voice.last_heard`.
    """

    voices: tuple[Voice, ...] = ()
    num_chunks: int = 0

    def __post_init__(self) -> None:
        if len(set(self.labels)) < len(self.voices):
            raise ValueError(f"each voice of a memory needs its own label; got {', '.join(self.labels)}.")

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(voice.label for voice in self.voices)

    def __len__(self) -> int:
        return len(self.voices)

    def __getitem__(self, label: str) -> Voice:
        for voice in self.voices:
            if voice.label == label:
                return voice
        raise KeyError(label)

    def put(self, voice: Voice) -> SpeakerMemory:
        """Memory with this voice, in the place of the one with its label or behind the others."""
        if voice.label not in self.labels:
            return replace(self, voices=(*self.voices, voice))
        return replace(self, voices=tuple(voice if v.label == voice.label else v for v in self.voices))

    def rename(self, labels: Mapping[str, str]) -> SpeakerMemory:
        """Memory with new labels; of voices that come to share a label, the best clip is kept."""
        memory = replace(self, voices=())
        for voice in self.voices:
            voice = replace(voice, label=labels.get(voice.label, voice.label))
            if voice.label in memory.labels:
                other = memory[voice.label]
                voice = replace(
                    max(other, voice, key=lambda v: v.quality),
                    duration=other.duration + voice.duration,
                    last_heard=max(other.last_heard, voice.last_heard),
                    enrolled=other.enrolled or voice.enrolled,
                )
            memory = memory.put(voice)
        return memory


class Prompt(NamedTuple):
    """What is put in front of a chunk."""

    waveform: np.ndarray  # (sample,) float32: clip | silence | clip | silence ...; empty without clips
    turns: list[Turn]  # one for each clip, on the grid of the window; speakers 0, 1, 2...
    labels: tuple[str, ...]  # of these speakers
    first_step: int  # grid step at which the chunk starts


def step_samples(grid: TimeGrid, sample_rate: int) -> int:
    """Samples in one step of the grid: a whole number, so that audio and tokens stay in line.

    Raises
    ------
    ValueError
        If it is not a whole number.
    """
    samples = round(grid.resolution * sample_rate)
    if not samples or abs(grid.duration * sample_rate - samples * grid.num_steps) > 1e-6:
        raise ValueError(
            f"a step of {grid.resolution:.6g} s is not a whole number of samples at {sample_rate} Hz; "
            "choose another duration or number of steps."
        )
    return samples


def lay_out(clips: Sequence[np.ndarray], labels: Sequence[str], grid: TimeGrid, sample_rate: int) -> Prompt:
    """Put clips in front of a chunk, each cut to a whole number of grid steps and followed by silence.

    Parameters
    ----------
    clips : sequence of (sample,) array
        Clip of each speaker, in the order in which they become speakers 0, 1, 2... At least a step long each.
    labels : sequence of str
    grid : TimeGrid
        Grid of the window.
    sample_rate : int
        In Hz.
    """
    samples = step_samples(grid, sample_rate)
    silence = _steps(SILENCE, grid)
    pieces, turns, step = [np.zeros(0, np.float32)], [], 0
    for speaker, clip in enumerate(clips):
        length = len(clip) // samples
        assert length, f"the clip of {labels[speaker]} is shorter than a step"
        pieces += [clip[: length * samples].astype(np.float32), np.zeros(silence * samples, np.float32)]
        turns.append(Turn(step, step + length, speaker))
        step += length + silence
    assert step < grid.num_steps, "the prompts leave no room for a chunk"
    return Prompt(np.concatenate(pieces), turns, tuple(labels), step)


def capacity(grid: TimeGrid) -> int:
    """How many voices fit into the prompts' share of a window, with the shortest useful clip of each."""
    return int(SHARE * grid.num_steps) // (_steps(SHORTEST_PROMPT, grid) + _steps(SILENCE, grid))


def prompt(
    memory: SpeakerMemory, grid: TimeGrid, sample_rate: int, max_voices: int, longest: float = LONGEST_PROMPT
) -> Prompt:
    """Prompt a window with the voices in memory.

    When they are too many, those who were enrolled are taken, then those heard most recently, and among these the most
    talkative. They keep their order of arrival. They share 40 % of the window, at most `longest` seconds each.

    Parameters
    ----------
    memory : SpeakerMemory
    grid : TimeGrid
        Grid of the window.
    sample_rate : int
        Of the window and of the clips, in Hz.
    max_voices : int
        Most voices to prompt: the speakers of the vocabulary, minus one that is kept free for a newcomer.
    longest : float
        Seconds of one voice.
    """
    known = [voice for voice in memory.voices if len(voice.clip)]
    ranked = sorted(known, key=lambda voice: (voice.enrolled, voice.last_heard, voice.duration), reverse=True)
    taken = set(ranked[: max(min(max_voices, capacity(grid)), 0)])
    voices = [voice for voice in known if voice in taken]
    if not voices:
        return lay_out([], [], grid, sample_rate)
    share = int(SHARE * grid.num_steps) // len(voices) - _steps(SILENCE, grid)
    length = min(_steps(longest, grid), share) * step_samples(grid, sample_rate)
    return lay_out([voice.clip[:length] for voice in voices], [voice.label for voice in voices], grid, sample_rate)


def clearest(
    turns: Sequence[Turn], speaker: int, grid: TimeGrid, longest: float = LONGEST_CLIP
) -> list[tuple[int, int]]:
    """Where to hear a speaker best: stretches in which nobody else talks, the longest first.

    Parameters
    ----------
    turns : sequence of Turn
        Of all speakers.
    speaker : int
    grid : TimeGrid
        The steps in which the turns are written.
    longest : float
        Seconds in all; the last stretch is cut to fit.

    Returns
    -------
    stretches : list of (start, end)
        In steps.
    """
    length = max((turn.end for turn in turns), default=0)
    own, others = np.zeros(length, bool), np.zeros(length, bool)
    for turn in turns:
        (own if turn.speaker == speaker else others)[turn.start : turn.end] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[False], own & ~others, [False]])))
    stretches = sorted(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True), key=lambda s: s[0] - s[1])
    taken, left = [], _steps(longest, grid)
    for start, end in stretches:
        if left <= 0 or end - start < _steps(SHORTEST_STRETCH, grid):
            break
        taken.append((start, min(end, start + left)))
        left -= end - start
    return taken


def remember(
    memory: SpeakerMemory,
    waveform: np.ndarray,
    turns: Sequence[Turn],
    confidences: Sequence[float],
    labels: Sequence[str],
    grid: TimeGrid,
    sample_rate: int,
) -> SpeakerMemory:
    """Memory after one more chunk: everyone who spoke in it is known, each by the better of the old clip and the new.

    Parameters
    ----------
    memory : SpeakerMemory
        Before the chunk.
    waveform : (sample,) array
        The chunk, without prompts.
    turns : sequence of Turn
        What was said in it, counted in steps from its start.
    confidences : sequence of float
        How sure the model is of each turn, from 0 to 1.
    labels : sequence of str
        Label of each speaker number in `turns`.
    grid : TimeGrid
        The steps in which the turns are written.
    sample_rate : int
        In Hz.
    """
    samples = step_samples(grid, sample_rate)
    for speaker in dict.fromkeys(turn.speaker for turn in sorted(turns)):
        steps = [turn.end - turn.start for turn in turns if turn.speaker == speaker]
        sure = [c for c, turn in zip(confidences, turns, strict=True) if turn.speaker == speaker]
        stretches = clearest(turns, speaker, grid)
        pieces = [waveform[start * samples : end * samples] for start, end in stretches]
        clip = np.concatenate([np.zeros(0, np.float32), *pieces])
        seconds = len(clip) / sample_rate
        if seconds < SHORTEST_CLIP:
            clip, seconds = clip[:0], 0.0
        heard = Voice(
            label=labels[speaker],
            clip=clip,
            quality=min(seconds, SATURATION) * float(np.average(sure, weights=steps)),
            duration=sum(steps) * grid.resolution,
            last_heard=memory.num_chunks,
        )
        if heard.label in memory.labels:
            known = memory[heard.label]
            best = heard if heard.quality > known.quality else known
            duration = known.duration + heard.duration
            heard = replace(best, duration=duration, last_heard=heard.last_heard, enrolled=known.enrolled)
        memory = memory.put(heard)
    return replace(memory, num_chunks=memory.num_chunks + 1)


def _steps(seconds: float, grid: TimeGrid) -> int:
    """Whole steps nearest to a duration; at least one."""
    return max(round(seconds / grid.resolution), 1)
