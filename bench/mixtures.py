"""Hours of conversation per minute on one core, beside a plain way to do the same as the seed's generator."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from pyannote_pix2seq.mixtures import sources
from pyannote_pix2seq.mixtures.bank import Bank
from pyannote_pix2seq.mixtures.effects import Noise, Reverberation
from pyannote_pix2seq.mixtures.plan import SAMPLE_RATE
from pyannote_pix2seq.mixtures.simulator import Simulator
from pyannote_pix2seq.mixtures.speech_regions import speech_regions
from pyannote_pix2seq.mixtures.styles import Artificial, Conversation

from .table import show

DURATION = 30.0  # seconds of each mixture
COUNT = 40


def processor_seconds(function: Any) -> float:
    """Time that this process computed: other processes on the machine do not count."""
    function(0)
    start = time.process_time()
    for i in range(COUNT):
        function(i)
    return time.process_time() - start


def plainly(files: dict[str, list[Path]], regions: dict[Path, list[tuple[int, int]]], i: int) -> np.ndarray:
    """The seed's generator, written plainly: loads whole utterances whenever it needs them, and sums.

    It goes as `Artificial` does; speech regions are known beforehand, as the seed has them.
    """
    rng = np.random.default_rng(i)
    style = Artificial()
    speakers = rng.choice(sorted(files), rng.integers(2, style.num_speakers + 1), replace=False)
    mixture = np.zeros(round(DURATION * SAMPLE_RATE), np.float32)
    now, who = 0.0, ""
    while now < DURATION:
        who = rng.choice([s for s in speakers if s != who])
        path = files[who][rng.integers(len(files[who]))]
        samples, _ = soundfile.read(path, dtype="float32")
        first, last = regions[path][rng.integers(len(regions[path]))]
        speech = samples[first : min(last, first + round(rng.uniform(1, 14) * SAMPLE_RATE))]
        start = max(round(now * SAMPLE_RATE), 0)
        end = min(start + len(speech), len(mixture))
        mixture[start:end] += speech[: end - start]
        now = end / SAMPLE_RATE + rng.uniform(-style.interrupt_max, style.silence_max)
    return np.clip(mixture, -1, 1)


def main() -> None:
    utterances = list(sources.source("espeak", num_speakers=40, num_utterances=4))
    with tempfile.TemporaryDirectory() as folder:
        bank = Bank.load(utterances, folder=Path(folder))
        files: dict[str, list[Path]] = {}
        for utterance in utterances:
            files.setdefault(utterance.speaker, []).append(utterance.path)
        regions = {u.path: speech_regions(soundfile.read(u.path, dtype="float32")[0], SAMPLE_RATE) for u in utterances}
        regions = {path: found for path, found in regions.items() if found}
        files = {name: [p for p in paths if p in regions] for name, paths in files.items()}

        def ours(style: Any, *effects: Any) -> float:
            simulator = Simulator(bank, style, effects)
            return processor_seconds(lambda i: simulator.render(simulator.plan(np.random.default_rng(i), DURATION)))

        both = Reverberation(probability=1.0), Noise(probability=1.0)
        for i in range(300):  # draws all noises of the pool, which a process does once
            both[1].draw(np.random.default_rng(i), bank, Conversation()(np.random.default_rng(i), bank, 1.0), 1.0)
        taken = {
            "Artificial, dry": ours(Artificial()),
            "Conversation, dry, voices at one speed": ours(Conversation(speeds=(1.0,))),
            "Conversation, dry": ours(Conversation()),
            "Conversation, reverberation and noise": ours(Conversation(), *both),
            "the seed's generator, written plainly, dry": processor_seconds(lambda i: plainly(files, regions, i)),
        }
    rows = []
    for name, seconds in taken.items():
        speed = COUNT * DURATION / seconds
        rows.append((name, f"{speed / 60:.0f} h", f"{speed:.0f} x"))
    title = (
        f"mixtures of {DURATION:.0f} s, one core of {os.cpu_count()} (bars: 10,000 x dry, 1,500 x with both effects)"
    )
    show(title, rows, ("what", "made in a minute", "real time"))
