"""Confusion in long recordings: chunks behind prompts, and on their own, their speakers named as they come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from pyannote.audio import Pipeline
from pyannote.core import Annotation, Segment
from pyannote.database import registry
from pyannote.metrics.diarization import DiarizationErrorRate

from pyannote_pix2seq import pretrained
from pyannote_pix2seq.audio import SAMPLE_RATE
from pyannote_pix2seq.mixtures.protocol import MixtureProtocol

from .table import show

DURATION = 120.0  # seconds
FILES = 10


def on_its_own(pipeline: Pipeline, waveform: np.ndarray) -> Annotation:
    """Diarization whose chunks know nothing of each other."""
    window = round(pipeline.model.grid.duration * SAMPLE_RATE)
    whole, track = Annotation(), 0
    for first in range(0, len(waveform), window):
        for segment, _, label in written(pipeline, waveform[first : first + window]).itertracks(yield_label=True):
            start = first / SAMPLE_RATE
            whole[Segment(start + segment.start, start + segment.end), track] = label
            track += 1
    return whole


def written(pipeline: Pipeline, waveform: np.ndarray) -> Annotation:
    return pipeline({"waveform": torch.from_numpy(waveform)[None], "sample_rate": SAMPLE_RATE, "uri": "mixture"})


def main() -> None:
    base = registry.get_protocol("Pix2Seq.SpeakerDiarization.Conversation").definition
    style = {**base.style, "num_speakers": [0.0, 0.0, 1.0, 1.0]}
    definition = replace(base, style=style, effects=["level"], duration=DURATION, files={"test": FILES})
    pipeline = Pipeline.from_pretrained(pretrained())
    pipeline.readings = 1  # a chunk that is read again is behind prompts of its own
    kinds = {"behind prompts": written, "on their own": on_its_own}
    metrics = {kind: DiarizationErrorRate() for kind in kinds}
    for mixture in MixtureProtocol(definition.checked()).mixtures("test"):
        for kind, diarize in kinds.items():
            metrics[kind](mixture.annotation(), diarize(pipeline, mixture.waveform()), uem=mixture.annotated())
    rows = []
    for kind, metric in metrics.items():
        confusion = 100 * metric["confusion"] / metric["total"]
        rows.append((kind, f"{confusion:.1f} %", f"{100 * abs(metric):.1f} %"))
    show(f"{FILES} mixtures of {DURATION:g} s, 2 or 3 eSpeak voices", rows, ("chunks", "confusion", "DER"))
