"""A bank, a style and effects: everything it takes to make conversations without end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from .bank import Bank
from .plan import SAMPLE_RATE, Excerpt, Plan, Voice
from .render import render
from .voices import Speech, draw_manner


class Style(Protocol):
    """How a conversation goes."""

    @property
    def speeds(self) -> Sequence[float]:
        """Of voices, drawn evenly."""

    @property
    def effort(self) -> float:
        """Standard deviation of the vocal effort of what is said, in decibels."""

    @property
    def intonation(self) -> float:
        """Standard deviation of how high it is said beyond that, in semitones."""

    @property
    def max_speakers(self) -> int:
        """In one conversation."""

    def __call__(self, rng: np.random.Generator, bank: Bank, duration: float) -> Plan: ...


@dataclass(frozen=True)
class Simulator:
    """Conversations without end.

    Parameters
    ----------
    bank : Bank
    style : callable
        (rng, bank, duration) -> Plan.
    effects : sequence
        In the order in which they are applied; see `effects`.
    """

    bank: Bank
    style: Style
    effects: Sequence[Any] = ()

    def plan(self, rng: np.random.Generator, duration: float, difficulty: float = 1.0) -> Plan:
        """Draw a mixture of `duration` seconds; difficulty is between 0 and 1."""
        return self._with_effects(rng, self.style(rng, self.bank, duration), difficulty)

    def _with_effects(self, rng: np.random.Generator, plan: Plan, difficulty: float) -> Plan:
        drawn = [effect.draw(rng, self.bank, plan, difficulty) for effect in self.effects]
        return replace(plan, effects=tuple(effect for effect in drawn if effect is not None))

    def solo(self, rng: np.random.Generator, duration: float, difficulty: float = 1.0) -> tuple[np.ndarray, int]:
        """A speaker alone, talking all the time: (sample,) waveform of `duration` seconds, and their identity."""
        voice = Voice(int(rng.integers(len(self.bank.speakers))), float(rng.choice(self.style.speeds)))
        num_samples = round(duration * SAMPLE_RATE)
        manner = draw_manner(rng, self.style.effort, self.style.intonation)
        speech, excerpts, position = Speech(rng, self.bank, voice), [], 0
        while position < num_samples:
            source, length, regions = speech.take((num_samples - position) / SAMPLE_RATE)
            excerpts.append(Excerpt(0, position, source, length, regions, *manner))
            position += voice.stretched(length, excerpts[-1].pitch)
        plan = self._with_effects(rng, Plan(num_samples, (voice,), tuple(excerpts)), difficulty)
        return self.render(plan), self.identities(plan)[0]

    def render(self, plan: Plan) -> np.ndarray:
        """Its sound: (sample,) float32."""
        return render(plan, self.bank)

    def labels(self, plan: Plan) -> list[str]:
        """Name of each voice of a plan, without spaces (RTTM has none): the same in all plans."""
        names = [self._names[voice.speaker] for voice in plan.voices]
        return [n if v.speed == 1 else f"{n}@{v.speed:g}" for n, v in zip(names, plan.voices, strict=True)]

    @cached_property
    def _names(self) -> list[str]:
        """Of all speakers, without spaces; those that would then be called alike are numbered."""
        names = ["_".join(name.split()) for name in self.bank.speakers]
        count = Counter(names)
        return [f"{name}#{i}" if count[name] > 1 else name for i, name in enumerate(names)]

    @property
    def _speeds(self) -> list[float]:
        """Different speeds, a voice's own first."""
        return sorted({1.0, *self.style.speeds}, key=lambda speed: (speed != 1.0, speed))

    @property
    def num_identities(self) -> int:
        """Number of speakers of the bank, times that of speeds: at another speed they are somebody else."""
        return len(self.bank.speakers) * len(self._speeds)

    def identities(self, plan: Plan) -> list[int]:
        """Who each voice of a plan is, among `num_identities`."""
        return [self._speeds.index(v.speed) * len(self.bank.speakers) + v.speaker for v in plan.voices]
