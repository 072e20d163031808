"""Where training windows come from: window i is always the same, whoever asks, however many workers there are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch.utils.data import Dataset

from ..mixtures.plan import SAMPLE_RATE
from ..mixtures.simulator import Simulator
from ..prompts import Prompt, SpeakerMemory, Voice, lay_out, prompt, remember
from ..turns import TimeGrid, Turn, clip, in_order_of_arrival, merge, shift
from .recordings import SUBSETS, read_part
from .targets import Window


@dataclass(frozen=True)
class Prompting:
    """How often and how well voices are known before a window starts.

    Parameters
    ----------
    probability : float
        Of a window with prompts; the others start cold.
    history : (float, float)
        Range of what was heard before, in seconds: prompts are cut out of it.
    dropped : float
        Probability that a voice that was met before is not prompted all the same.
    impure : float
        Probability that somebody else is heard for up to a second of a clip, as where a pipeline confused the two.
    """

    INTRUSION = (0.3, 1.0)  # seconds

    probability: float = 0.5
    history: tuple[float, float] = (6.0, 25.0)
    dropped: float = 0.1
    impure: float = 0.0

    def __call__(
        self,
        rng: np.random.Generator,
        waveform: np.ndarray,
        turns: list[Turn],
        history: int,
        grid: TimeGrid,
        max_voices: int | None = None,
    ) -> tuple[Prompt, list[int]]:
        """Prompt cut out of the first `history` steps, and the speaker of each of its clips."""
        past = TimeGrid(history * grid.resolution, history)
        heard = clip(turns, 0, history)
        samples = waveform[: round(past.duration * SAMPLE_RATE)]
        names = [str(s) for s in range(1 + max((t.speaker for t in turns), default=0))]
        memory = remember(SpeakerMemory(), samples, heard, [1.0] * len(heard), names, past, SAMPLE_RATE)
        kept = [voice for voice in memory.voices if rng.random() >= self.dropped]
        kept = [self._intruded(rng, voice, kept) if rng.random() < self.impure else voice for voice in kept]
        # the pipeline's order is of arrival, but nothing may depend on it: a known voice may be given by the user
        shuffled = tuple(kept[i] for i in rng.permutation(len(kept)))
        most = len(names) if max_voices is None else max_voices
        made = prompt(replace(memory, voices=shuffled), grid, SAMPLE_RATE, max_voices=most)
        return made, [int(label) for label in made.labels]

    def _intruded(self, rng: np.random.Generator, voice: Voice, others: Sequence[Voice]) -> Voice:
        """Voice with a part of another in its clip, at most half as long as its own."""
        low, high = (round(seconds * SAMPLE_RATE) for seconds in self.INTRUSION)
        heard = [other.clip for other in others if other.label != voice.label and len(other.clip)]
        longest = min(high, len(voice.clip) // 2)
        if not heard or longest <= low:
            return voice
        intruder = heard[rng.integers(len(heard))][: rng.integers(low, longest)]
        place = rng.integers(longest)  # near the start, which is what fits into a crowded window
        return replace(voice, clip=np.concatenate([voice.clip[:place], intruder, voice.clip[place:]]))


class SyntheticWindows(Dataset):
    """Windows of mixtures that never repeat.

    Parameters
    ----------
    simulator : Simulator
    duration : float
        Of a window, prompts included, in seconds.
    resolution : float
        Of the time grid, in seconds.
    prompting : Prompting
    seed : int
    ramp : int
        Number of windows over which difficulty rises from `easiest` to 1; 0 for full difficulty from the start.
    easiest : float
    num_solos : int
        Clips of one speaker each that come with a window.
    max_voices : int, optional
        Most voices to prompt. Default: all.
    shortest : float, optional
        A part of the batches, `SHORTENED`, is shorter: a length of at least so many seconds, the same for all windows
        of a batch. Files, and what is left for their last chunk, are not always as long as a window. Default: none is.
    together : int
        Windows in a batch.
    """

    SOLO = 2.0  # seconds
    SHORTENED = 1 / 3

    def __init__(
        self,
        simulator: Simulator,
        duration: float,
        resolution: float,
        prompting: Prompting,
        seed: int = 0,
        ramp: int = 0,
        easiest: float = 0.1,
        num_solos: int = 0,
        max_voices: int | None = None,
        shortest: float | None = None,
        together: int = 1,
    ) -> None:
        self.simulator = simulator
        self.grid = TimeGrid(duration, round(duration / resolution))
        self.prompting = prompting
        self.seed = seed
        self.ramp = ramp
        self.easiest = easiest
        self.num_solos = num_solos
        self.max_voices = max_voices
        self.shortest = shortest
        self.together = together

    def grid_of(self, index: int) -> TimeGrid:
        """Of the windows of a batch, prompts included; whole audio positions for any stem of at most 16 steps."""
        if self.shortest is None:
            return self.grid
        rng = np.random.default_rng((self.seed, index // self.together, 1))
        if rng.random() >= self.SHORTENED:
            return self.grid
        steps = 16 * math.ceil(rng.uniform(self.shortest / self.grid.resolution, self.grid.num_steps) / 16)
        steps = min(steps, self.grid.num_steps)
        return TimeGrid(steps * self.grid.resolution, steps)

    def difficulty(self, index: int) -> float:
        return min(1.0, self.easiest + (1 - self.easiest) * index / self.ramp) if self.ramp else 1.0

    def __getitem__(self, index: int) -> Window:
        rng = np.random.default_rng((self.seed, index))
        prompted = rng.random() < self.prompting.probability
        history = max(round(rng.uniform(*self.prompting.history) / self.grid.resolution), 1) if prompted else 0
        grid = self.grid_of(index)
        total = history + grid.num_steps
        plan = self.simulator.plan(rng, total * self.grid.resolution, self.difficulty(index))
        waveform = self.simulator.render(plan)
        step = SAMPLE_RATE * self.grid.resolution
        turns = [Turn(round(start / step), round(end / step), voice) for start, end, voice in plan.speech()]
        turns = [turn for turn in turns if turn.start < turn.end]
        made = lay_out([], [], self.grid, SAMPLE_RATE)
        known: list[int] = []
        if prompted:
            made, known = self.prompting(rng, waveform, turns, history, self.grid, self.max_voices)
            if made.first_step > grid.num_steps // 2:  # little would be left to learn from
                made, known = lay_out([], [], grid, SAMPLE_RATE), []
        solos = [self.simulator.solo(rng, self.SOLO, self.difficulty(index)) for _ in range(self.num_solos)]
        window = assemble(
            made, known, waveform[round(history * step) :], shift(clip(turns, history, total), -history), grid,
            self.simulator.identities(plan),
        )  # fmt: skip
        return replace(window, solos=solos)


class RecordedWindows(Dataset):
    """Windows of recorded conversations; they may start in the middle of a turn.

    Prompts are cut out of another part of the same file. What is behind the end of an annotated region is silence.
    Where more people talk than the model writes, another window is drawn.

    Parameters
    ----------
    prepared : dict of arrays
        See `recordings.read_protocol`.
    subset : {"train", "development"}
    grid : TimeGrid
        Of a window, prompts included.
    prompting : Prompting
    max_voices : int
        Most voices to prompt; one more may be in a window.
    seed : int
    """

    SHORTEST_HISTORY = 1.0  # seconds: with less, nobody could be prompted
    MOST_TRIES = 100

    def __init__(
        self,
        prepared: Mapping[str, np.ndarray],
        subset: str,
        grid: TimeGrid,
        prompting: Prompting,
        max_voices: int,
        seed: int = 0,
    ) -> None:
        self.prepared = prepared
        self.grid = grid
        self.prompting = prompting
        self.max_voices = max_voices
        self.seed = seed
        regions = prepared["regions"]
        self.regions = regions[prepared["subset"][regions["file"]] == SUBSETS.index(subset)]
        durations = self.regions["end"] - self.regions["start"]
        self.until = np.cumsum(durations / durations.sum())

    def __getitem__(self, index: int) -> Window:
        rng = np.random.default_rng((self.seed, index))
        for _ in range(self.MOST_TRIES):
            drawn = np.searchsorted(self.until, rng.random(), side="right")
            file, first, last = self.regions[min(drawn, len(self.regions) - 1)].tolist()
            start = rng.uniform(first, max(last - self.grid.duration, first))
            end = min(start + self.grid.duration, last)
            spoken = self.turns(file, start, end)
            room = self.max_voices + 1 - len({turn.speaker for turn in spoken})
            if room >= 0:
                break
        else:
            raise ValueError(
                f"{self.prepared['audio'][file]}: more than {self.max_voices + 1} people talk within "
                f"{self.grid.duration:g} s, which is more than the model writes: raise its num_speakers, or lower the "
                "task's duration."
            )
        made = lay_out([], [], self.grid, SAMPLE_RATE)
        known: list[int] = []
        # who is prompted need not talk in the window
        if rng.random() < self.prompting.probability and (most := min(self.max_voices, room)):
            past = self.past(rng, (first, last), (start, end))
            if past is not None:
                steps = int((past[1] - past[0]) / self.grid.resolution)
                waveform, turns = self.cut(file, past[0], past[0] + steps * self.grid.resolution)
                made, known = self.prompting(rng, waveform, turns, steps, self.grid, most)
        waveform = read_part(str(self.prepared["audio"][file]), start, end)
        return assemble(made, known, waveform, spoken, self.grid, self.prepared["voices"].tolist())

    def past(
        self, rng: np.random.Generator, region: tuple[float, float], chunk: tuple[float, float]
    ) -> tuple[float, float] | None:
        """Where in a region voices were heard before; in seconds. Not in the chunk: the model would hear it twice."""
        sides = [(region[0], chunk[0]), (chunk[1], region[1])]
        lengths = np.array([end - start for start, end in sides])
        if lengths.max() < self.SHORTEST_HISTORY:
            return None
        start, end = sides[rng.choice(2, p=lengths / lengths.sum())]
        history = min(rng.uniform(*self.prompting.history), end - start)
        if history < self.SHORTEST_HISTORY:
            return None
        first = rng.uniform(start, max(start, end - history))  # rounding may put the one behind the other
        return first, first + history

    def cut(self, file: int, start: float, end: float) -> tuple[np.ndarray, list[Turn]]:
        """Part of a file, and its turns."""
        return read_part(str(self.prepared["audio"][file]), start, end), self.turns(file, start, end)

    def turns(self, file: int, start: float, end: float) -> list[Turn]:
        """Turns of a part of a file, in steps from its start; speakers have their numbers over all files."""
        low, high = np.searchsorted(self.prepared["spoken"]["file"], [file, file + 1])
        spoken = self.prepared["spoken"][low:high]
        spoken = spoken[(spoken["start"] < end) & (spoken["end"] > start)]
        steps = round((end - start) / self.grid.resolution)
        turns = [
            Turn(round((s - start) / self.grid.resolution), round((e - start) / self.grid.resolution), speaker)
            for _, s, e, speaker in spoken.tolist()
        ]
        return merge(clip(turns, 0, steps))


def assemble(
    made: Prompt, known: list[int], chunk: np.ndarray, turns: list[Turn], grid: TimeGrid, voices: Sequence[int]
) -> Window:
    """A prompt and as much of a chunk as fits behind it.

    Parameters
    ----------
    made : Prompt
    known : list of int
        Speaker of each of the prompt's clips, by the numbers that `turns` use.
    chunk : (sample,) array
    turns : list of Turn
        Of the chunk, in steps from its start.
    grid : TimeGrid
        Of the window.
    voices : sequence of int
        Training identity of each speaker.
    """
    room = grid.num_steps - made.first_step
    named = [turn._replace(speaker=speaker) for turn, speaker in zip(made.turns, known, strict=True)]
    spoken = shift(clip(turns, 0, room), made.first_step)
    ordered, speakers = in_order_of_arrival(named + spoken)
    num_samples = round(grid.duration * SAMPLE_RATE)
    waveform = np.zeros(num_samples, np.float32)
    sound = np.concatenate([made.waveform, chunk])[:num_samples]
    waveform[: len(sound)] = sound
    return Window(waveform, ordered, [voices[s] for s in speakers], num_forced=len(named))
