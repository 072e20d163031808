"""`pyannote-pix2seq bulk`: nothing is lost, nothing is done twice, a bad file stops no other."""

import json
import os
import sys

import numpy as np
import pytest
import soundfile
from pyannote.database.util import load_rttm

from pyannote_pix2seq.bulk import find
from pyannote_pix2seq.pipelines import PromptedSpeakerDiarization
from tests.cli.conftest import TURNS, assert_one_line_error
from tests.pipelines.oracle import RATE, conversation


@pytest.fixture
def calls(tmp_path):
    """Four recordings in two folders, two of the same name, of different lengths."""
    folder = tmp_path / "calls"
    for number, name in enumerate(["a.wav", "b.flac", "more/a.wav", "more/c d.wav"]):
        path = folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        soundfile.write(path, conversation(TURNS[: 1 + number % 3], 320 + 700 * (number == 1)), RATE)
    (folder / "notes.txt").write_text("no audio")
    (folder / ".hidden.wav").write_bytes(b"")
    return folder


def written(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.rttm"))


def test_a_folder_becomes_a_folder_of_what_diarize_writes(run, calls, tmp_path):
    code, out, err = run("bulk", calls, "--into", tmp_path / "out")
    assert (code, err) == (0, "") and "diarized" in out
    assert written(tmp_path / "out") == ["a.rttm", "b.rttm", "more/a.rttm", "more/c d.rttm"]
    run("diarize", calls / "b.flac", "--into", tmp_path / "alone")
    for name in ("b.rttm", "b.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    assert list(load_rttm(tmp_path / "out" / "more" / "c d.rttm")) == ["more/c_d"]


def test_files_are_decoded_together(run, calls, tmp_path, monkeypatch):
    together = []
    advance = PromptedSpeakerDiarization._advance
    monkeypatch.setattr(
        PromptedSpeakerDiarization, "_advance", lambda self, jobs: together.append(len(jobs)) or advance(self, jobs)
    )
    run("bulk", calls, "--into", tmp_path / "out")
    assert max(together) == 4


def test_bad_files_are_reported_and_the_others_go_on(run, calls, tmp_path):
    samples = conversation(TURNS, 1000)
    samples[-1] = np.nan  # is found long after the others have begun
    soundfile.write(calls / "nan.wav", samples, RATE, subtype="FLOAT")
    (calls / "words.wav").write_text("words " * 99)
    code, out, err = run("bulk", calls, tmp_path / "missing.wav", "--into", tmp_path / "out")
    assert code == 1 and "3" in out
    assert written(tmp_path / "out") == ["a.rttm", "b.rttm", "more/a.rttm", "more/c d.rttm"]
    lines = sorted(err.splitlines())
    assert len(lines) == 3 and all(line.startswith("error: ") for line in lines)
    for message in ("missing.wav: there is no such file", "nan.wav: the sample at", "words.wav: cannot be read"):
        assert message in err


def test_what_cannot_be_written_is_reported_and_the_others_go_on(run, calls, tmp_path):
    longest = "n" * 250  # with its suffix as long as a name may be
    (calls / "a.wav").rename(calls / f"{longest}.wav")
    soundfile.write(calls / f"{longest}x.wav", conversation(TURNS, 320), RATE)
    soundfile.write(calls / "loud.wav", np.full(RATE, 3e38, np.float32), RATE, subtype="FLOAT")
    code, _, err = run("bulk", calls, "--into", tmp_path / "out")
    assert code == 1 and "File name too long" in err and "loud.wav: the sample at 0.000 s is 3e+38" in err
    assert written(tmp_path / "out") == ["b.rttm", "more/a.rttm", "more/c d.rttm", f"{longest}.rttm"]
    again = run("bulk", calls, "--into", tmp_path / "out")  # what is there is left out, and the rest fails as before
    assert again[0] == 1 and "File name too long" in again[2] and "loud.wav: the sample" in again[2]


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are Unicode elsewhere")
def test_names_need_not_be_unicode(run, calls, tmp_path):
    (calls / "a.wav").rename(os.fsdecode(os.fsencode(calls / "caf") + b"\xe9.wav"))
    assert run("bulk", calls, "--into", tmp_path / "out")[::2] == (0, "")
    (rttm,) = (tmp_path / "out").glob("caf*.rttm")
    assert rttm.read_text(encoding="utf-8").startswith(r"SPEAKER caf\udce9 ")
    assert json.loads(rttm.with_suffix(".json").read_text(encoding="utf-8"))


def test_a_run_that_was_stopped_goes_on(run, calls, tmp_path, monkeypatch):
    class StoppedError(Exception):
        pass

    from pyannote_pix2seq import bulk

    write, done = bulk.write, []

    def stop(diarization, folder, name):
        if len(done) == 2:
            raise StoppedError
        write(diarization, folder, name)
        done.append(name)

    monkeypatch.setattr(bulk, "write", stop)
    with pytest.raises(StoppedError):
        run("bulk", calls, "--into", tmp_path / "out")
    monkeypatch.setattr(bulk, "write", lambda *args: (done.append(args[-1]), write(*args)))
    assert len(written(tmp_path / "out")) == 2
    assert run("bulk", calls, "--into", tmp_path / "out")[0] == 0
    assert sorted(done) == ["a", "b", "more/a", "more/c d"]  # each once
    assert len(written(tmp_path / "out")) == 4
    assert not list((tmp_path / "out").rglob(".*"))


def test_what_is_found(calls, monkeypatch):
    everything = {name: calls / path for name, path in [
        ("a", "a.wav"), ("b", "b.flac"), ("more/a", "more/a.wav"), ("more/c d", "more/c d.wav")
    ]}  # fmt: skip
    assert find([calls]) == everything == find([calls, calls])
    assert find([f"{calls}/*.wav"]) == {"a": calls / "a.wav"}
    assert find([f"{calls}/**/*.flac", calls / "none.wav"]) == {"b": calls / "b.flac", "none": calls / "none.wav"}
    (calls / "some.lst").write_text(f"a.wav\n\nmore/a.wav\n{calls}/b.flac\n")
    (calls / "marked.lst").write_text("a.wav\n", encoding="utf-8-sig")
    assert find([calls / "marked.lst"]) == {"a": calls / "a.wav"}
    assert find([calls / "some.lst"]) == {name: everything[name] for name in ("a", "more/a", "b")}


def test_mistakes_are_one_line(run, calls, tmp_path):
    into = ["--into", tmp_path / "out"]
    clash = run("bulk", calls / "a.wav", calls / "more" / "a.wav", *into)
    assert_one_line_error(clash, "would both be called a")
    wrong = run("bulk", calls, "--into", calls / "a.wav")
    assert_one_line_error(wrong, "File exists")
    (tmp_path / "empty").mkdir()
    assert_one_line_error(run("bulk", tmp_path / "empty", *into), "empty: there is no audio file")
    assert_one_line_error(run("bulk", f"{tmp_path}/*.mp3", *into), "there is no audio file")
    assert_one_line_error(run("bulk", tmp_path / "no.lst", *into), "no.lst: there is no such list")
    assert_one_line_error(run("bulk", calls, "--num-speakers", 0, *into), "num_speakers must be at least 1; got 0")
