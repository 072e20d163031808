"""calibrate: the pipeline's folder remembers what was found, and the pipeline uses it."""

import soundfile
import yaml
from pyannote.audio import Pipeline
from pyannote.core import Annotation, Segment
from typer.testing import CliRunner

from pyannote_pix2seq.cli import app
from pyannote_pix2seq.turns import Turn
from tests.pipelines.oracle import conversation, pipeline_folder


def test_command(tmp_path):
    folder, data = tmp_path / "pipeline", tmp_path / "data"
    folder.mkdir()
    data.mkdir()
    pipeline_folder(folder)
    soundfile.write(data / "call.wav", conversation([Turn(10, 110, 0), Turn(120, 220, 1)], 240), 16000)
    half = Annotation(uri="call")  # the oracle, for once, is wrong half of the time
    half[Segment(0.2, 2.2)] = "Alice"
    with (data / "call.rttm").open("w") as file:
        half.write_rttm(file)
    result = CliRunner().invoke(app, ["calibrate", str(folder), str(data)])
    assert result.exit_code == 0, result.output
    assert "before" in result.output and "after" in result.output
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert set(config["pipeline"]["params"]["calibration"]) == {"offset", "slope"}
    diarization = Pipeline.from_pretrained(folder)(data / "call.wav")
    assert all(0.4 < confidence < 0.6 for confidence in diarization.confidence.values())
    result = CliRunner().invoke(app, ["evaluate", str(folder), str(data)])
    assert "expected calibration error" in result.output
