"""Plan -> waveform; nothing is drawn here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from .bank import Bank
from .formants import with_formants
from .plan import Plan
from .resampling import resample, resampled_at
from .sound import gain

NEIGHBOURS = 0.958  # correlation of samples side by side in speech of the common spectrum (`spectrum.LEVELS`)
EDGE = 80  # samples over which an excerpt rises and falls (5 ms): cut out of speech, it would click


def render(plan: Plan, bank: Bank) -> np.ndarray:
    """Sound of a plan.

    Returns
    -------
    waveform : (sample,) array of float32
    """
    speech = np.asarray(bank.samples)
    mixture = np.zeros(plan.num_samples, np.float32)
    # memory that the system has to clear for each excerpt would take longer than what is done in it
    longest = max((plan.voices[e.speaker].stretched(e.length, e.pitch) for e in plan.excerpts), default=0)
    memory = np.empty(longest, np.float32)
    for excerpt in plan.excerpts:
        samples = speech[excerpt.source : excerpt.source + excerpt.length]
        voice = plan.voices[excerpt.speaker]
        pitch = excerpt.pitch
        if voice.speed != 1.0 or pitch != 1.0:
            samples = resample(samples, voice.speed * pitch, voice.stretched(excerpt.length, pitch))
        if pitch != 1.0:
            samples = with_formants(torch.from_numpy(samples), pitch).numpy()
        samples = np.multiply(samples, np.float32(1 / 32768), out=memory[: len(samples)])
        if excerpt.effort:
            previous, own = filter_of(excerpt.effort)
            samples[1:] = own * samples[1:] + previous * samples[:-1]
        rise = _rise(min(EDGE, len(samples) // 2))
        samples[: len(rise)] *= rise
        samples[len(samples) - len(rise) :] *= rise[::-1]
        for effect in plan.effects:
            samples = effect.on_voice(excerpt.speaker, samples)
        first, last = max(excerpt.start, 0), min(excerpt.start + len(samples), plan.num_samples)
        if first < last:
            mixture[first:last] += samples[first - excerpt.start : last - excerpt.start]
    for effect in plan.effects:
        mixture = effect.on_mixture(mixture)
    return mixture.astype(np.float32, copy=False)


def filter_of(effort: float) -> tuple[float, float]:
    """Taps for (the sample before, the sample): speech gets louder by `effort` decibels, and its highest frequencies
    by as many more than its lowest.

    Louder speech is also brighter: Traunmüller and Eriksson, 2000.
    """
    slope = math.tanh(effort * math.log(10) / 40)
    own = gain(effort) / math.sqrt(1 + slope**2 - 2 * slope * NEIGHBOURS)
    return -slope * own, own


@lru_cache(maxsize=EDGE + 1)
def _rise(length: int) -> np.ndarray:
    return np.linspace(0, 1, length, dtype=np.float32)


def render_batch(plans: Sequence[Plan], samples: torch.Tensor) -> torch.Tensor:
    """Sounds of plans, made where the speech is: on a GPU, say. As `render` to -60 dB.

    The excerpts of all plans are placed at once, in one track for each voice; effects go from plan to plan.

    Parameters
    ----------
    plans : sequence of Plan
        Of one length.
    samples : (sample,) tensor of int16
        Of the bank; see `Bank.tensor`.

    Returns
    -------
    waveforms : (plan, sample) tensor of float32
        On the device of the speech.

    Raises
    ------
    ValueError
        If there is no plan, or their lengths differ.
    """
    lengths = {plan.num_samples for plan in plans}
    if len(lengths) != 1:
        raise ValueError(f"plans of one length were expected; got {len(plans)} of {sorted(lengths)} samples.")
    (num_samples,) = lengths
    tracks, lead = _tracks(plans, samples)
    waveforms = []
    for plan in plans:
        voices, tracks = tracks[: len(plan.voices)], tracks[len(plan.voices) :]
        mixture: torch.Tensor = torch.zeros(num_samples, device=samples.device)
        for number, sound in enumerate(voices):
            for effect in plan.effects:
                sound = effect.on_voice(number, sound)
            mixture = mixture + sound[lead : lead + num_samples]
        for effect in plan.effects:
            mixture = effect.on_mixture(mixture)
        waveforms.append(mixture)
    return torch.stack(waveforms)


def _tracks(plans: Sequence[Plan], samples: torch.Tensor) -> tuple[torch.Tensor, int]:
    """(voice of any plan, sample) dry voices, and how much earlier than the plans they start.

    An excerpt may start before its plan, and its echo still be heard in it.
    """
    lead = max([-excerpt.start for plan in plans for excerpt in plan.excerpts] + [0])
    width = lead + plans[0].num_samples
    by_speed: dict[tuple[float, float], list[tuple[int, int, int, int, int]]] = {}
    taps: dict[tuple[float, float], list[tuple[float, float]]] = {}
    track = 0
    for plan in plans:
        for excerpt in plan.excerpts:
            voice = plan.voices[excerpt.speaker]
            length, begin = voice.stretched(excerpt.length, excerpt.pitch), lead + excerpt.start
            place = (track + excerpt.speaker) * width + begin
            key = voice.speed, excerpt.pitch
            by_speed.setdefault(key, []).append((excerpt.source, excerpt.length, length, width - begin, place))
            taps.setdefault(key, []).append(filter_of(excerpt.effort))
        track += len(plan.voices)
    tracks = torch.zeros(track * width, device=samples.device)
    for (voice_speed, pitch), rows in by_speed.items():
        table = torch.tensor(rows, device=samples.device)
        lengths = table[:, 2]
        begins = (lengths.cumsum(0) - lengths).repeat_interleave(lengths)
        source, taken, length, room, place = table.repeat_interleave(lengths, 0).T
        index = torch.arange(len(source), device=samples.device) - begins
        if voice_speed != 1.0 or pitch != 1.0:
            sound = resampled_at(samples, voice_speed * pitch, source, taken, index)
        else:
            sound = samples[source + index]
        if pitch != 1.0:
            sound = torch.cat([with_formants(each, pitch) for each in sound.split(lengths.tolist())])
        previous, own = torch.tensor(taps[voice_speed, pitch], device=samples.device).repeat_interleave(lengths, 0).T
        sound = own * sound + previous * sound.roll(1)  # the first of an excerpt is faded to nothing
        edge = (length // 2).clamp(2, EDGE) - 1
        fade = (torch.minimum(index, length - 1 - index) / edge).clamp(max=1)
        inside = index < room
        tracks.index_add_(0, (place + index)[inside], (sound / 32768 * fade)[inside])
    return tracks.view(track, width), lead
