"""tune: thresholds of each class are found, and written to the pipeline."""

import numpy as np
import pytest
import soundfile
import yaml
from pyannote.core import Annotation, Segment, SlidingWindow, SlidingWindowFeature, Timeline
from typer.testing import CliRunner

from pyannote_pix2seq.cli import app
from pyannote_pix2seq.cli.tune import Scored, best, f_score
from pyannote_pix2seq.pipelines.multilabel import UNTUNED
from tests.models.test_devinet import TINY, make

ANNOTATION = Annotation(uri="file")
ANNOTATION[Segment(1, 2)] = "low"
ANNOTATION[Segment(3, 5)] = "high"


def scored(noise=0.0):
    """Scores of two classes that only a threshold between 0.15 and 0.25, or between 0.75 and 0.85, tells apart."""
    window = SlidingWindow(start=-0.005, duration=0.01, step=0.01)
    time = np.arange(1000) * 0.01
    low = np.where((time >= 1) & (time < 2), 0.25, 0.15)
    high = np.where((time >= 3) & (time < 5), 0.85, 0.75)
    frames = np.stack([low, high], axis=1) + noise * np.random.default_rng(0).standard_normal((1000, 2))
    return Scored("file", SlidingWindowFeature(frames, window), ANNOTATION, Timeline([Segment(0, 10)]))


@pytest.mark.parametrize(("name", "index", "between"), [("low", 0, (0.15, 0.25)), ("high", 1, (0.75, 0.85))])
def test_the_threshold_is_found(name, index, between):
    chosen, score = best([scored()], name, index)
    assert between[0] <= chosen["onset"] <= between[1]
    assert score > 98 > f_score([scored()], name, index, UNTUNED)


def test_never_worse_than_at_the_start():
    for index, name in enumerate(("low", "high")):
        chosen, score = best([scored(noise=0.3)], name, index)
        assert score >= f_score([scored(noise=0.3)], name, index, UNTUNED)
        assert score == f_score([scored(noise=0.3)], name, index, chosen)


def test_a_class_that_is_not_there():
    assert best([scored()], "nobody", 0) == (UNTUNED, 0.0)


def test_command(tmp_path):
    from pyannote_pix2seq.models.weights import save

    save(make(classes=["A", "B"], **TINY), tmp_path / "pipeline" / "devinet")
    config = {
        "pipeline": {
            "name": "pyannote.audio.pipelines.MultiLabelSegmentation", "params": {"segmentation": "$model/devinet"}
        },
        "params": {"thresholds": dict.fromkeys("AB", UNTUNED)},
    }  # fmt: skip
    path = tmp_path / "pipeline" / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    (tmp_path / "data").mkdir()
    soundfile.write(tmp_path / "data" / "file.wav", 0.1 * np.random.default_rng(0).standard_normal(80_000), 16000)
    ANNOTATION.rename_labels({"low": "A", "high": "B"}).write_rttm((tmp_path / "data" / "file.rttm").open("w"))
    result = CliRunner().invoke(app, ["tune", str(tmp_path / "pipeline"), str(tmp_path / "data")])
    assert result.exit_code == 0, result.output
    assert "A: F " in result.output and "B: F " in result.output
    changed = yaml.safe_load(path.read_text())
    assert changed["pipeline"] == config["pipeline"]
    assert set(changed["params"]["thresholds"]["A"]) == set(UNTUNED)
    params = {**config["pipeline"]["params"], "share_min_duration": True}
    thresholds = {name: {"onset": 0.5, "offset": 0.5} for name in "AB"}
    config = {
        "pipeline": {**config["pipeline"], "params": params},
        "params": {"thresholds": thresholds, "min_duration_on": 0.0, "min_duration_off": 0.0},
    }
    path.write_text(yaml.safe_dump(config))
    result = CliRunner().invoke(app, ["tune", str(tmp_path / "pipeline"), str(tmp_path / "data")])
    assert "leave share_min_duration out" in str(result.exception) and yaml.safe_load(path.read_text()) == config


@pytest.mark.parametrize("command", ["tune", "calibrate"])
def test_what_ships_is_not_changed_in_place(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, [command, "voice-types", str(tmp_path)])
    assert "config.yaml: there is no such file; make a copy of a pipeline that ships" in str(result.exception)
