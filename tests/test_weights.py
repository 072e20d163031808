"""The regression gate: shipped weights are as good as their model card says, on clips that every machine has."""

from pathlib import Path

import numpy as np
import pyannote.audio
import pytest
import torch
import yaml
from pyannote.audio import Pipeline
from pyannote.core import Annotation, Segment
from pyannote.database.util import load_rttm
from pyannote.metrics.diarization import DiarizationErrorRate

from pyannote_pix2seq import pretrained
from pyannote_pix2seq.audio import open_audio
from pyannote_pix2seq.mixtures.sources import source
from pyannote_pix2seq.mixtures.speech_regions import read_speech

TOLERANCE = 2.0  # points
RATE = 16000


def bundled():
    """The telephone call that comes with pyannote.audio."""
    call = Path(pyannote.audio.__file__).parent / "sample" / "sample.wav"
    return open_audio(call).read(), load_rttm(call.with_suffix(".rttm"))["sample"]


def dialogue(order, snr):
    """eSpeak voices, one utterance behind the other, in noise; not by `mixtures`, so that those are free to change."""
    said = {}
    for utterance in source("espeak", num_speakers=max(order) + 1, num_utterances=4):
        said.setdefault(utterance.speaker, []).append(utterance)
    voices, parts, annotation, now = list(said.values()), [], Annotation(), 0
    for turn, speaker in enumerate(order):
        samples, regions = read_speech(voices[speaker][turn % 4])
        for start, end in regions:
            annotation[Segment((now + start) / RATE, (now + end) / RATE), f"{turn}-{start}"] = str(speaker)
        parts += [samples, np.zeros(RATE // 4, np.float32)]
        now += len(samples) + RATE // 4
    speech = np.concatenate(parts)
    noise = np.random.default_rng(0).standard_normal(len(speech)) * speech.std() * 10 ** (-snr / 20)
    return (speech + noise).astype(np.float32), annotation.support(0.25)


CLIPS = {
    "bundled telephone call": bundled,
    "eSpeak, two voices": lambda: dialogue((0, 1, 0, 1, 1, 0), 30),
    "eSpeak, four voices in noise": lambda: dialogue((2, 3, 4, 5, 2, 4, 3, 5), 10),
}


def promised(folder):
    """Error rate of each clip, by the `model-index` of the model card."""
    _, front, _ = (folder / "README.md").read_text("utf-8").split("---\n", 2)
    (model,) = yaml.safe_load(front)["model-index"]
    return {result["dataset"]["name"]: result["metrics"][0]["value"] for result in model["results"]}


@pytest.mark.parametrize("clip", CLIPS)
def test_no_worse_than_the_card_says(clip):
    folder = pretrained("small")
    waveform, reference = CLIPS[clip]()
    found = Pipeline.from_pretrained(folder)({"waveform": torch.from_numpy(waveform)[None], "sample_rate": RATE})
    error = 100 * DiarizationErrorRate()(reference, found)
    print(f"{clip}: {error:.1f}")
    assert error <= promised(folder)[clip] + TOLERANCE, "other weights need another model card"
