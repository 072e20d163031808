"""Classes of a detector: what it finds is kept, whatever else it finds."""

from dataclasses import replace

import pytest
import torch
from pyannote.audio import Pipeline, pipelines

from pyannote_pix2seq.export import export
from pyannote_pix2seq.models.weights import load
from pyannote_pix2seq.pipelines import MultiLabelSegmentation
from tests.models.test_devinet import TINY, make

CLASSES = ["MAL", "SPEECH"]
FILE = {"uri": "file", "waveform": torch.zeros(1, 5 * 16000), "sample_rate": 16000}


def everywhere(kind):
    """A pipeline of a model to which everything is everything."""
    model = make(classes=CLASSES, **TINY)
    model.classifier.bias.data += 100
    thresholds = {"onset": 0.5, "offset": 0.5, "min_duration_on": 0.0, "min_duration_off": 0.0}
    return kind(model, step=1.0).instantiate({"thresholds": dict.fromkeys(CLASSES, thresholds)})


def test_classes_with_the_same_segment_are_kept():
    found = everywhere(MultiLabelSegmentation)(FILE)
    assert sorted(found.labels()) == CLASSES
    (one,), (other,) = map(found.label_timeline, CLASSES)
    assert one == other and one.duration == pytest.approx(5.0, abs=0.1)


def test_otherwise_it_is_the_stock_pipeline():
    stock, ours = everywhere(pipelines.MultiLabelSegmentation), everywhere(MultiLabelSegmentation)
    assert isinstance(ours, pipelines.MultiLabelSegmentation)
    assert stock.parameters(instantiated=True) == ours.parameters(instantiated=True)
    assert ours(FILE).label_timeline("SPEECH") == stock(FILE).label_timeline("SPEECH")
    assert stock(FILE).labels() == ["SPEECH"]  # when this changes, ours is no longer needed


def test_what_tells_speakers_of_a_chunk_apart_is_not_exported(tmp_path, monkeypatch):
    model = make(classes=CLASSES, **TINY)
    model.specifications = replace(model.specifications, permutation_invariant=True)
    monkeypatch.setattr("pyannote_pix2seq.export.load_checkpoint", lambda path: model)
    with pytest.raises(ValueError, match="tells speakers of a chunk apart, not classes: `pyannote-pix2seq strip` it"):
        export("any.ckpt", tmp_path)


def test_that_is_what_is_exported(tmp_path, monkeypatch):
    model = make(classes=CLASSES, **TINY)
    monkeypatch.setattr("pyannote_pix2seq.export.load_checkpoint", lambda path: model)
    (tmp_path / "README.md").write_text("kept")
    loaded = Pipeline.from_pretrained(export("any.ckpt", tmp_path))
    assert type(loaded) is MultiLabelSegmentation and list(loaded.classes()) == CLASSES
    assert all(label in CLASSES for label in loaded(FILE).labels())
    assert load(tmp_path / "devinet").specifications.classes == CLASSES
