"""A call, a pipeline that knows who talks in it, and a way to run commands."""

import sys

import pytest
import soundfile

from pyannote_pix2seq import cli
from pyannote_pix2seq.turns import Turn
from tests.pipelines.oracle import RATE, conversation, pipeline_folder

OURS = ("diarize", "bulk", "report")  # commands that take --pipeline
TURNS = [Turn(10, 110, 0), Turn(100, 200, 1), Turn(210, 300, 0)]


@pytest.fixture
def call(tmp_path):
    path = tmp_path / "call.wav"
    soundfile.write(path, conversation(TURNS, 320), RATE)
    return path


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a command in this process: exit code, stdout, stderr."""
    folder = tmp_path / "pipeline"
    folder.mkdir()
    pipeline_folder(folder)

    def run(*args, pipeline=folder):
        chosen = ["--pipeline", pipeline] if args[0] in OURS and "--help" not in args else []
        monkeypatch.setattr(sys, "argv", ["pyannote-pix2seq", *map(str, [*args, *chosen])])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        code = ended.value.code
        if isinstance(code, str):  # what the interpreter does with it
            code, err = 1, f"{err}{code}\n"
        return code or 0, out, err

    return run


def assert_one_line_error(result, message):
    code, out, err = result
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1 and err.startswith("error: ") and message in err
