"""The pipeline with a real model of random weights: whatever it writes, the constraints hold."""

import numpy as np
import pytest
import torch
from pyannote.core import Segment

from pyannote_pix2seq.models import Pix2Seq
from pyannote_pix2seq.pipelines import PromptedSpeakerDiarization

RATE = 16000


@pytest.fixture(scope="module")
def pipeline():
    torch.manual_seed(1)
    model = Pix2Seq(
        duration=12.0, num_steps=600, num_speakers=4, max_turns=12, stem_channels=(2, 2, 2), dimension=16, num_heads=2,
        num_layers=2, voice_layer=1, frame_layer=1,
    )  # fmt: skip
    for parameter in model.parameters():  # sharper than at the start of training, so that it writes something
        parameter.data *= 4
    return PromptedSpeakerDiarization(model, batch_size=2)


def noise(seed, seconds=40.0):
    samples = np.random.default_rng(seed).standard_normal((1, round(seconds * RATE))) * 0.1
    return {"waveform": torch.from_numpy(samples.astype(np.float32)), "sample_rate": RATE, "uri": f"noise{seed}"}


@pytest.mark.parametrize("num_speakers", [1, 2, 3, 5])
def test_the_number_of_speakers_is_exact(pipeline, num_speakers):
    file = noise(0)
    diarization = pipeline(file, num_speakers=num_speakers)
    assert len(diarization.labels()) == num_speakers
    assert diarization.get_timeline().extent() in Segment(0, 40.0)
    assert all(0 <= diarization.confidence[track] <= 1 for _, track in diarization.itertracks())
    again = pipeline(file, num_speakers=num_speakers, memory=pipeline(noise(1)).memory)
    assert len(again.labels()) == num_speakers


def test_batch_and_stream_are_the_same_as_one_file(pipeline):
    files = [noise(i, seconds=10.0 * i + 3.3) for i in range(4)]
    results = {file["uri"]: diarization for file, diarization in pipeline(files)}
    once = PromptedSpeakerDiarization(pipeline.model, readings=1)  # as streams are read
    for file in files:
        alone = pipeline(file)
        *_, live = pipeline.stream(np.array_split(file["waveform"][0].numpy(), 7), uri=file["uri"])
        assert alone.to_rttm() == results[file["uri"]].to_rttm()
        assert once(file).to_rttm() == live.to_rttm()
        assert alone.confidence == pytest.approx(results[file["uri"]].confidence, abs=1e-4)
    assert any(results.values())
