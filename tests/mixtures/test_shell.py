"""`pyannote-pix2seq mixtures`."""

import json
import re

import pytest
import soundfile
import typer
import yaml
from pyannote.database import FileFinder
from pyannote.database.registry import Registry
from pyannote.database.util import load_rttm
from typer.testing import CliRunner

from pyannote_pix2seq.cli.mixtures import app
from pyannote_pix2seq.mixtures.protocol import Mixture, define_file


@pytest.fixture
def mixture(source, tmp_path):
    data = {"source": source, "effects": ["level"], "files": {"train": 3, "development": 1}, "duration": 4.0}
    path = tmp_path / "tones.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def test_preview(mixture, tmp_path):
    assert run("preview", mixture, "--into", tmp_path / "one", "--index", 2).exit_code == 0
    assert soundfile.info(tmp_path / "one.wav").duration == 4.0
    assert (tmp_path / "one.png").stat().st_size > 5000
    assert (tmp_path / "one.rttm").read_text() == define_file(mixture).mixtures("train")[2].annotation().to_rttm()


def test_a_frozen_set_needs_nothing_of_ours(mixture, tmp_path):
    assert run("render", mixture, tmp_path / "set").exit_code == 0
    registry = Registry()
    registry.load_database(tmp_path / "set" / "database.yml")
    frozen = registry.get_protocol("tones.SpeakerDiarization.tones", preprocessors={"audio": FileFinder(registry)})
    for subset in ("train", "development"):
        files = list(getattr(frozen, subset)())
        mixtures = define_file(mixture).mixtures(subset)
        assert [file["uri"] for file in files] == [one.uri for one in mixtures] and files
        for file, one in zip(files, mixtures, strict=True):
            assert soundfile.info(file["audio"]).frames == 64000
            assert (file["annotated"].extent() ^ one.annotated().extent()).duration < 1e-3
            assert sorted(file["annotation"].labels()) == sorted(one.annotation().labels())


def test_render_goes_on_where_it_stopped_and_workers_change_nothing(mixture, tmp_path):
    run("render", mixture, tmp_path / "set", "--format", "wav")
    paths = sorted((tmp_path / "set" / "audio").iterdir())
    before = {path.name: path.read_bytes() for path in paths}
    paths[0].unlink()
    times = [path.stat().st_mtime_ns for path in paths[1:]]
    run("render", mixture, tmp_path / "set", "--format", "wav", "--workers", 2)
    assert {path.name: path.read_bytes() for path in paths} == before
    assert [path.stat().st_mtime_ns for path in paths[1:]] == times


def test_render_does_not_mix_two_sets(mixture, tmp_path):
    run("render", mixture, tmp_path / "set")
    mixture.write_text(mixture.read_text() + "seed: 1\n")
    with pytest.raises(ValueError, match="holds another set"):
        run("render", mixture, tmp_path / "set")
    with pytest.raises(ValueError, match="unknown format 'mp3'; formats: flac, wav"):
        run("render", mixture, tmp_path / "other", "--format", "mp3")


def test_fit_compare_stats(mixture, tmp_path):
    run("render", mixture, tmp_path / "set")
    rttm = tmp_path / "set" / "train.rttm"
    assert load_rttm(rttm)
    assert run("fit", rttm, "--into", tmp_path / "fitted.yaml", "--trials", 3).exit_code == 0
    assert yaml.safe_load((tmp_path / "fitted.yaml").read_text())["style"]["name"] == "Conversation"
    compared = run("compare", rttm, "--mixture", tmp_path / "fitted.yaml", "--mixture", "Artificial").stdout
    assert "Artificial" in compared
    assert "windows" in run("stats", rttm).stdout
    assert run("stats", tmp_path / "set").stdout == run("stats", rttm).stdout
    rttm.write_text("")  # where nobody speaks there are windows too: the UEM knows of them
    assert "3 windows" in run("stats", rttm).stdout
    name = define_file(mixture).definition.name
    for named in (f"Pix2Seq.SpeakerDiarization.{name}", name, mixture):
        assert "3 windows" in run("stats", named).stdout


def test_a_crowd(mixture, tmp_path):
    """More speakers than the voices to plan with by default."""
    rttm, crowd = tmp_path / "crowd.rttm", tmp_path / "crowd.yaml"
    rttm.write_text("".join(f"SPEAKER a 1 {2 * i} 1.5 <NA> <NA> s{i} <NA> <NA>\n" for i in range(14)))
    crowd.write_text(yaml.safe_dump({"style": {"name": "Conversation", "num_speakers": [0] * 14 + [1]}}))
    assert "crowd" in run("compare", rttm, "--mixture", crowd).stdout
    fitted = yaml.safe_load(run("fit", rttm, "--trials", 2).stdout)["style"]
    assert len(fitted["num_speakers"]) == 16
    with pytest.raises(ValueError, match="14 speakers talk in 30 s .* the voices to plan with are only 4"):
        run("fit", rttm, "--voices", mixture, "--trials", 2)


def test_only_what_is_annotated_counts(tmp_path):
    rttm, uem = tmp_path / "part.rttm", tmp_path / "part.uem"
    rttm.write_text("".join(f"SPEAKER part 1 {start} 30 <NA> <NA> a <NA> <NA>\n" for start in (0, 300, 330)))
    uem.write_text("part 1 300 360\n")
    there = run("stats", rttm).stdout
    assert "2 windows" in there
    rttm.write_text("SPEAKER part 1 0 60 <NA> <NA> a <NA> <NA>\n")
    uem.write_text("part 1 0 60\n")
    assert run("stats", rttm).stdout == there


def test_mistakes(mixture, tmp_path):
    with pytest.raises(
        ValueError, match="'Conversion' is no protocol of mixtures; there are: .*Artificial, .*Conversation"
    ):
        run("preview", "Conversion")
    with pytest.raises(FileNotFoundError, match=r"none\.rttm"):
        run("stats", tmp_path / "none.rttm")
    (tmp_path / "bad.yaml").write_text("style: [")
    with pytest.raises(ValueError, match=r"bad\.yaml: is no yaml file"):
        run("preview", tmp_path / "bad.yaml")
    (tmp_path / "bad.yaml").write_bytes("seed: é".encode("latin-1"))
    with pytest.raises(ValueError, match=r"bad\.yaml' is not in UTF-8"):
        run("preview", tmp_path / "bad.yaml")
    with pytest.raises(ValueError, match="unknown subset 'dev'; known subsets: train, development, test"):
        run("preview", mixture, "--into", tmp_path / "one", "--subset", "dev")
    for command in ("stats", "fit", "compare"):
        with pytest.raises(ValueError, match="tones has no test subset; it has: train, development"):
            run(command, mixture, "--subset", "test")


def test_help_names_options_that_exist():
    for command in typer.main.get_command(app).commands.values():
        options = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"--[\w-]+", " ".join(parameter.help or "" for parameter in command.params))) <= options


def test_a_study_is_of_diarization(mixture, tmp_path):
    from pyannote_pix2seq.cli.study import study

    with pytest.raises(ValueError, match="this pipeline detects classes"):
        study("voice-types", tmp_path / "grid", mixture)


def test_study_of_a_pipeline_that_knows_the_answer(mixture, tmp_path, monkeypatch):
    from pyannote_pix2seq.cli import study

    by_uri = {}
    monkeypatch.setattr(study, "OVERLAP", (0.0, 0.6))
    monkeypatch.setattr(study, "SPEAKERS", (2,))
    monkeypatch.setattr(study, "DURATION", 6.0)
    monkeypatch.setattr("pyannote_pix2seq.cli.loading.load_pipeline", lambda name: lambda file: by_uri[file["uri"]])
    monkeypatch.setattr("pyannote_pix2seq.cli.loading.to_device", lambda pipeline, device: pipeline)
    waveform = Mixture.waveform

    def remembered(self, plan=None):
        by_uri[self.uri] = self.annotation()
        return waveform(self, plan)

    monkeypatch.setattr(Mixture, "waveform", remembered)
    run("study", "oracle", "--mixture", mixture, "--files", 1, "--into", tmp_path / "grid")
    cells = json.loads((tmp_path / "grid.json").read_text())["cells"]
    assert len(cells) == 2 * 1 * 3 * 2 and all(cell["der"] == 0 for cell in cells)
    assert (tmp_path / "grid.md").read_text().count("\n") == 4 and (tmp_path / "grid.png").stat().st_size > 5000
