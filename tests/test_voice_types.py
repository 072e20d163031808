"""The detector that ships: any pyannote.audio loads it, and it hears speech in the call as well as its card says."""

import pytest
import torch
import yaml
from pyannote.audio import Model, Pipeline, pipelines
from pyannote.core import Segment, Timeline

from pyannote_pix2seq import pretrained
from pyannote_pix2seq.cli.scores import score_detection
from tests.test_weights import RATE, TOLERANCE, bundled, promised

CLASSES = ["MAL", "FEM", "CHI", "SPEECH"]


@pytest.fixture(scope="module")
def call():
    waveform, reference = bundled()
    return {"uri": "call", "waveform": torch.from_numpy(waveform)[None], "sample_rate": RATE}, reference


@pytest.fixture(scope="module")
def found(call):
    return Pipeline.from_pretrained(pretrained("voice-types"))(call[0])


def test_speech_is_found_as_the_card_says(call, found):
    file, reference = call
    speech = reference.rename_labels(dict.fromkeys(reference.labels(), "SPEECH"))
    whole = Timeline([Segment(0, file["waveform"].shape[1] / RATE)])
    score = score_detection(speech, found, whole, ["SPEECH"])["SPEECH"].row()["f"]
    assert score >= promised(pretrained("voice-types"))["bundled telephone call"] - TOLERANCE


def test_the_stock_pipeline_takes_the_model(call, found):
    folder = pretrained("voice-types")
    assert Model.from_pretrained(folder / "devinet").specifications.classes == CLASSES
    config = yaml.safe_load((folder / "config.yaml").read_text("utf-8"))
    stock = pipelines.MultiLabelSegmentation(str(folder / "devinet"), step=config["pipeline"]["params"]["step"])
    stock.instantiate(config["params"])
    assert stock(call[0]).label_timeline("SPEECH") == found.label_timeline("SPEECH")
