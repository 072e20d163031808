"""The commands: stdout is RTTM, everything else goes to stderr, a mistake is one line."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import typer
from pyannote.audio.__main__ import app as pyannote_audio
from pyannote.database.util import load_rttm

from pyannote_pix2seq import cli
from tests.cli.conftest import TURNS, assert_one_line_error
from tests.pipelines.oracle import conversation, tone

RATE = 16000


def test_one_file_is_rttm_on_stdout(run, call, tmp_path):
    code, out, _ = run("diarize", call)
    assert code == 0
    (tmp_path / "out.rttm").write_text(out)
    diarization = load_rttm(tmp_path / "out.rttm")["call"]
    assert [(s.start, s.end, label) for s, _, label in diarization.itertracks(yield_label=True)] == [
        (0.2, 2.2, "SPEAKER_00"), (2.0, 4.0, "SPEAKER_01"), (4.2, 6.0, "SPEAKER_00")
    ]  # fmt: skip


def test_into_a_folder(run, call, tmp_path):
    other = tmp_path / "other call.wav"
    soundfile.write(other, conversation(TURNS[:1], 320), RATE)
    code, out, _ = run("diarize", call, other, "--into", tmp_path / "new" / "folder")
    assert (code, out) == (0, "")
    written = sorted(path.name for path in (tmp_path / "new" / "folder").iterdir())
    assert written == ["call.json", "call.rttm", "other call.json", "other call.rttm"]
    turns = json.loads((tmp_path / "new" / "folder" / "call.json").read_text())["diarization"]
    assert turns[0] == {"start": 0.2, "end": 2.2, "speaker": "SPEAKER_00", "confidence": 1.0}
    assert list(load_rttm(tmp_path / "new" / "folder" / "other call.rttm")) == ["other_call"]


@pytest.mark.parametrize("suffix", [".rttm", ".json"])
def test_references_and_transcripts_are_not_written_over(run, call, tmp_path, suffix):
    own = call.with_suffix(suffix)
    own.write_text("SPEAKER call 1 0.2 2.0 <NA> <NA> Ann <NA> <NA>\n")
    message = f"call{suffix}: is there already, beside its rec"
    assert_one_line_error(run("diarize", call, "--into", call.parent), message)
    code, _, err = run("bulk", call.parent, "--into", call.parent)
    assert (code, message in err) == ((0, False) if suffix == ".rttm" else (1, True))  # the former is done
    assert "Ann" in own.read_text()
    for _ in range(2):  # what was made before is
        assert run("diarize", call, "--into", tmp_path / "made")[0] == 0


def test_folders_that_cannot_be_written_to_are_told_before_anything_is_read(run, call, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    for command in ("diarize", "bulk"):
        assert_one_line_error(run(command, call, "--into", tmp_path / "kept"), "kept: no file can be written to this")


def test_numbers_names_and_pictures(run, call, tmp_path):
    assert "SPEAKER_01" not in run("diarize", call, "--max-speakers", 1)[1]
    assert "SPEAKER_02" in run("diarize", call, "--num-speakers", 3)[1]
    assert "SPEAKER_02" in run("diarize", call, "--min-speakers", 3)[1]
    soundfile.write(tmp_path / "a=b.wav", tone(1, 2 * RATE), RATE)
    code, out, _ = run("diarize", call, "--speaker", f"Alice Smith={tmp_path}/a=b.wav", "--picture", tmp_path / "a.png")
    assert code == 0 and "Alice_Smith" in out and "SPEAKER_01" not in out
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_without_audio_the_bundled_call_is_scored(run):
    code, out, err = run("diarize")
    assert code == 0
    assert all(line.startswith("SPEAKER sample ") for line in out.splitlines())
    assert "DER " in err and "missed detection" in err


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "there is no such file"), (b"", "the file is empty"), (b"words " * 99, "cannot be read")],
)
def test_files_that_are_no_audio(run, tmp_path, content, message):
    path = tmp_path / "bad.wav"
    if content is not None:
        path.write_bytes(content)
    assert_one_line_error(run("diarize", path), f"bad.wav: {'' if content is None else message[:3]}")
    assert_one_line_error(run("diarize", path), message)


def test_samples_that_are_not_numbers(run, tmp_path):
    samples = np.zeros(RATE, np.float32)
    samples[800] = np.nan
    soundfile.write(tmp_path / "bad.wav", samples, RATE, subtype="FLOAT")
    assert_one_line_error(run("diarize", tmp_path / "bad.wav"), "bad.wav: the sample at 0.050 s is not a finite number")


@pytest.mark.parametrize("num_samples", [0, 1, 800, RATE])
def test_silence_is_empty(run, tmp_path, num_samples):
    soundfile.write(tmp_path / "silence.wav", np.zeros(num_samples), RATE)
    assert run("diarize", tmp_path / "silence.wav", "--picture", tmp_path / "a.png")[:2] == (0, "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--num-speakers", 0], "num_speakers must be at least 1; got 0"),
        (["--min-speakers", 3, "--max-speakers", 2], "min_speakers=3 is more than max_speakers=2"),
        (["--speaker", "Alice"], "--speaker takes NAME=CLIP"),
        (["--speaker", "Alice=nowhere.wav"], "speaker 'Alice': nowhere.wav: there is no such file"),
        (["--device", "toaster"], "device 'toaster' cannot be used here"),
        (["--picture", "nowhere/a.png"], "there is no folder nowhere"),
        (["--picture", "a.txt"], "the suffix of a picture is one of"),
    ],
)
def test_mistakes_are_one_line(run, call, options, message, monkeypatch):
    monkeypatch.chdir(call.parent)
    assert_one_line_error(run("diarize", call, *options, "--into", "results"), message)


def test_a_bad_pipeline_is_one_line(run, call, tmp_path):
    assert_one_line_error(run("diarize", call, pipeline=tmp_path / "nothing"), "there is no such pipeline")


def test_the_other_files_go_on(run, call, tmp_path):
    code, out, err = run("diarize", tmp_path / "missing.wav", call)
    assert code == 1 and "SPEAKER call" in out and "missing.wav: there is no such file" in err
    for options in ([], ["--into", tmp_path / "out"]):  # on stdout nothing else would tell them apart
        assert_one_line_error(run("diarize", call, "tue/call.wav", *options), "more than one is called call")
    assert_one_line_error(
        run("diarize", call, call, "--picture", tmp_path / "a.png"), "--picture draws one file; got 2"
    )


def test_names_that_rttm_cannot_tell_apart_need_a_folder(run, call, tmp_path):
    names = tmp_path / "a b.wav", tmp_path / "a_b.wav"
    for name in names:
        shutil.copy(call, name)
    assert_one_line_error(run("diarize", *names), "more than one is called a_b")
    assert run("diarize", *names, "--into", tmp_path / "out")[0] == 0


def test_what_pyannote_audio_gives_up_has_a_status(run, call, tmp_path):
    code, out, _ = run("apply", tmp_path / "pipeline", call, "--into", tmp_path / "new.rttm")
    assert code == 1 and "INTO must also be a file" in out


def test_every_command_of_pyannote_audio_is_there(run, call, tmp_path):
    commands = typer.main.get_command(pyannote_audio).commands
    assert {name: command.help.splitlines()[0].rstrip(".") for name, command in commands.items()} == {
        name: text.rstrip(".") for name, text in cli.UPSTREAM.items()
    }
    for name in commands:
        code, out, _ = run(name, "--help")
        assert code == 0 and f"pyannote-pix2seq {name}" in out
    code, out, _ = run("apply", tmp_path / "pipeline", call, "--device", "cpu")
    assert code == 0 and out == run("diarize", call)[1]


def test_help_does_not_wait_for_torch():
    check = "import sys, pyannote_pix2seq.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_only_python_is_heard():
    script = """
import os, sys
from pyannote_pix2seq.cli.quiet import quiet_decoders
with quiet_decoders():
    os.write(2, b"decoder")
    print("python", file=sys.stderr)
os.write(2, b"afterwards")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == "python\nafterwards"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("pipeline: [", "config.yaml: is no yaml file"),
        ("", "config.yaml: needs `pipeline:` with a `name:` of its class"),
        ("- pipeline", "config.yaml: needs `pipeline:`"),
        ("pipeline: {params: {}}", "config.yaml: needs `pipeline:`"),
        ("pipeline: {name: pyannote_pix2seq.pipelines.Nothing}", "config.yaml: "),
        ("pipeline: {name: a.B}\nparam: {newcomer: -2.0}", "config.yaml: unknown section 'param'; sections: version"),
        ("dependencies: {numpy: 99.0.0}\npipeline: {name: a.B}", "config.yaml: WrongDependencyVersion: "),
        ("dependencies: {no_such_package: 1.0.0}\npipeline: {name: a.B}", "config.yaml: MissingDependency: "),
        ("pipeline: {name: tests.pipelines.oracle.OraclePipeline}\nparams: {speech: high}", "hyper-parameter speech"),
    ],
)
def test_a_pipeline_that_is_none_is_told_in_one_line(run, call, tmp_path, config, message):
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong" / "config.yaml").write_text(config)
    assert_one_line_error(run("diarize", call, pipeline=tmp_path / "wrong"), message)
