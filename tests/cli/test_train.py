"""From the command line to a pipeline: training, export, evaluation; and what is told to those who mistype."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from pyannote.audio import Pipeline
from pyannote.database import Protocol
from torch._utils import ExceptionWrapper
from typer.testing import CliRunner

from pyannote_pix2seq.cli import app, training
from pyannote_pix2seq.cli.optimization import parameter_groups, warmup_cosine
from pyannote_pix2seq.cli.train import _entry, _groups, _new_or_last, main, train_with
from pyannote_pix2seq.export import export
from pyannote_pix2seq.mixtures.protocol import define
from pyannote_pix2seq.models.checkpoints import load_checkpoint
from pyannote_pix2seq.models.weights import load
from tests.tasks.miniature import TINY, Mixtures, Recordings, simulator

OTHER = "is of another model than this Pix2Seq:"
MINIATURE = [
    "protocol=Miniature.SpeakerDiarization.Mixtures",
    *(f"model.{k}={list(v) if isinstance(v, tuple) else v}".replace(" ", "") for k, v in TINY.items()),
    *("task.duration=4", "task.batch_size=2", "task.num_workers=0", "task.num_batches=2", "task.num_validation=2"),
    *("trainer=cpu", "trainer.max_steps=4", "trainer.enable_progress_bar=false", "trainer/logger=csv"),
    *("trainer.enable_model_summary=false", "checkpoint.every=1"),
]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder, and arguments that are put back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    return tmp_path


@pytest.fixture
def protocols(here, monkeypatch):
    (here / "audio").mkdir()
    known = {"Mixtures": Mixtures(), "Recordings": Recordings(here / "audio")}
    monkeypatch.setattr(training, "_protocol", lambda config: known[config.protocol.split(".")[-1]])


def test_train_resume_export_and_evaluate(here, protocols):
    train_with([*MINIATURE, "average=0.9"])
    (run,) = (here / "Miniature.SpeakerDiarization.Mixtures").iterdir()
    names = {path.name for path in run.iterdir()}
    assert {"config.yaml", "overrides.yaml", "hydra.yaml", "last.ckpt", "best.yaml"} <= names
    assert any(name.startswith("epoch=") and "ErrorRate=" in name for name in names)
    before = torch.load(run / "last.ckpt", weights_only=False)["global_step"]

    train_with([*MINIATURE, "average=0.9", "resume=auto", "trainer.max_steps=6"])
    assert [run] == list((here / "Miniature.SpeakerDiarization.Mixtures").iterdir())
    assert (before, torch.load(run / "last.ckpt", weights_only=False)["global_step"]) == (4, 6)
    assert len(list(run.glob("metrics-*/metrics.csv"))) == 2  # what was logged before is still there

    with pytest.raises(ValueError, match="is of a run that averages weights"):
        train_with([*MINIATURE, "resume=auto", "trainer.max_steps=8"])
    weights = torch.load(run / "last.ckpt", weights_only=False)
    del weights["optimizer_states"], weights["global_step"]
    torch.save(weights, here / "weights.ckpt")
    with pytest.raises(ValueError, match="has weights alone; model=Pretrained model.checkpoint="):
        train_with([*MINIATURE, f"resume={here / 'weights.ckpt'}"])
    card = (export(here / "weights.ckpt", here / "untold") / "README.md").read_text()
    assert "trained for" not in card and "windows of" in card

    half = {k: w / 2 for k, w in load(export(run / "last.ckpt", here / "once") / "pix2seq").state_dict().items()}
    first = next(path for path in sorted(run.glob("epoch=*.ckpt")))
    mean = load(export(run / "last.ckpt", here / "mean", [first]) / "pix2seq").state_dict()
    other = load(export(first, here / "other") / "pix2seq").state_dict()
    assert all(torch.allclose(mean[k], half[k] + other[k] / 2, atol=2e-3) for k in mean if mean[k].is_floating_point())
    assert any(not torch.equal(mean[k], other[k]) for k in mean)

    folder = export(run / "last.ckpt", here / "pipeline")
    assert {path.name for path in folder.iterdir()} == {"config.yaml", "README.md", "pix2seq"}
    (folder / "README.md").write_text("mine")
    export(run / "last.ckpt", folder)
    assert (folder / "README.md").read_text() == "mine"

    soundfile.write(here / "audio" / "a.wav", 0.1 * np.random.default_rng(0).standard_normal(80000), 16000)
    for path in (here / "audio").glob("*.wav"):
        path.with_suffix(".rttm").write_text(f"SPEAKER {path.stem} 1 0.5 1.0 <NA> <NA> A <NA> <NA>\n")
    arguments = ["evaluate", str(folder), str(here / "audio"), "--num-speakers", "oracle", "--device", "cpu"]
    told = CliRunner().invoke(app, [*arguments, "--into", "out/scores.json", "--into", "out/scores.csv"])
    assert told.exit_code == 0, told.output
    result = json.loads((here / "out" / "scores.json").read_text())
    assert [row["file"] for row in result["files"]] == ["a", "long", "short"]
    assert result["total"]["speech"] == pytest.approx(3.0)
    assert len((here / "out" / "scores.csv").read_text().splitlines()) == 5


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv.pop(1))
from pyannote_pix2seq.cli import training
from pyannote_pix2seq.cli.train import train_with
from pyannote_pix2seq.tasks import SequenceDiarization
from tests.tasks.miniature import Mixtures

notes, last = sys.argv.pop(1), int(sys.argv.pop(1))
training._protocol = lambda config: Mixtures()
step = SequenceDiarization.training_step

def noted(self, batch, batch_idx):
    loss, number = step(self, batch, batch_idx), self.model.global_step
    with open(notes, "a") as file:
        print(number, loss.item(), file=file)
    if number == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return loss

SequenceDiarization.training_step = noted
train_with(sys.argv[1:])
"""


@pytest.mark.slow
def test_a_run_that_was_killed_in_mid_epoch_goes_on_as_if_nothing_had_happened(tmp_path):
    changed = ["model.dropout=0.1", "task.num_batches=5", "task.num_workers=1", "trainer.max_steps=11"]
    options = [*MINIATURE, *changed, "checkpoint.every=3", "resume=auto"]

    def losses(name, last=-1):
        notes = tmp_path / f"{name}{last}.txt"
        command = [sys.executable, "-W", "ignore", "-c", KILLED, Path(__file__).parents[2], notes, str(last)]
        done = subprocess.run([*command, *options, f"hydra.run.dir={name}"], cwd=tmp_path, timeout=600)
        assert done.returncode == (0 if last < 0 else -signal.SIGKILL)
        return {int(step): float(loss) for step, loss in map(str.split, notes.read_text().splitlines())}

    whole = losses("whole")
    before, after = losses("killed", last=8), losses("killed")  # epochs end at 5 and 10, checkpoints are at 3 and 6
    assert (sorted(whole), sorted(before), sorted(after)) == (list(range(11)), list(range(9)), list(range(6, 11)))
    assert before == pytest.approx({step: whole[step] for step in before}, rel=1e-5)
    assert after == pytest.approx({step: whole[step] for step in after}, rel=1e-4)


def test_fine_tuning_starts_from_the_weights_that_were_given(here, protocols):
    train_with(MINIATURE)
    (run,) = (here / "Miniature.SpeakerDiarization.Mixtures").iterdir()
    fine = [argument for argument in MINIATURE if not argument.startswith(("model.", "protocol="))]
    train_with([*fine, "protocol=Miniature.SpeakerDiarization.Recordings", "model=Pretrained",
                f"model.checkpoint={run / 'last.ckpt'}", "optimizer.lr=0"])  # fmt: skip
    (tuned,) = (here / "Miniature.SpeakerDiarization.Recordings").iterdir()
    one, other = load_checkpoint(run / "last.ckpt"), load_checkpoint(tuned / "last.ckpt")
    assert torch.equal(one.embedding.weight, other.embedding.weight)
    train_with([*fine, "protocol=Miniature.SpeakerDiarization.Recordings", "model=Pretrained", "trainer.max_steps=6",
                f"model.checkpoint={run / 'last.ckpt'}", f"hydra.run.dir={tuned}", "resume=auto"])  # fmt: skip
    assert torch.load(tuned / "last.ckpt", weights_only=False)["global_step"] == 6


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("task=Nothing", "Available options in 'task': MultiLabelSegmentation SequenceDiarization"),
        ("model=Nothing", "PyanNet"),
        ("nothing=1", "known keys there: average"),
        ("checkpoint.nothing=1", "known keys there: every, top"),
        ("task.nothing=1", "SequenceDiarization has no parameter 'nothing'; its parameters: cache, duration"),
        ("model.nothing=1", "Pix2Seq has no parameter 'nothing'; its parameters: sample_rate"),
        ("trainer.nothing=1", "Trainer has no parameter 'nothing'"),
        ("optimizer.nothing=1", "AdamW has no parameter 'nothing'; its parameters: lr"),
        ("resume=nowhere.ckpt", "there is no checkpoint 'nowhere.ckpt'"),
        ("model=missing.yml", "there is no such file"),
        ("task.protocol=1", "SequenceDiarization has no parameter 'protocol'"),
        ("model.task=1", "Pix2Seq has no parameter 'task'"),
        ("augmentation.p=1", "augmentation.p=... is of no augmentation"),
    ],
)
def test_mistakes_are_told_in_one_line(argument, message, protocols):
    with pytest.raises((ValueError, OSError)) as error:
        train_with([*MINIATURE, argument] if "=N" not in argument else [MINIATURE[0], argument])
    assert message in " ".join(str(error.value).split())


@pytest.mark.parametrize(
    ("changed", "duration", "message"),
    [
        ({"annotated": False}, 2, "file 'long' has no 'annotation'"),
        ({"silent": True}, 2, "nobody speaks in the train set"),
        ({}, 30, "no annotated part of the train set lasts task.duration=30 s; the longest has 20 s"),
    ],
)
def test_data_that_the_tasks_of_pyannote_stumble_over_are_told(changed, duration, message, here, monkeypatch):
    monkeypatch.setattr(training, "_protocol", lambda config: Recordings(here, **changed))
    stock = ["protocol=Any.SpeakerDiarization.Thing", "task=VoiceActivityDetection", "model=PyanNet"]
    with pytest.raises(ValueError, match=message):
        train_with([*stock, f"task.duration={duration}", "task.num_workers=0", "trainer=fast_dev_run"])


def test_of_a_known_protocol_stays_what_is_not_given(here):
    style = {"name": "Conversation", "hold": 0.5, "speeds": [1.0]}
    define("Kept", source={"name": "espeak", "num_speakers": 9}, style=style, effects=["level"], duration=7.0)
    config = {"protocol": "Pix2Seq.SpeakerDiarization.Kept", "registry": None}
    before = training._protocol(OmegaConf.create(config)).definition
    changed = training._protocol(OmegaConf.create({**config, "mixture": {"difficulty": 0.5}})).definition
    assert changed == replace(before, difficulty=0.5) != before
    changed = training._protocol(
        OmegaConf.create({**config, "source": {"name": "espeak", "num_speakers": 8}})
    ).definition
    assert changed == replace(before, source={"name": "espeak", "num_speakers": 8}, difficulty=0.5)
    config["protocol"] = "Pix2Seq.SpeakerDiarization.Artificial"
    changed = training._protocol(OmegaConf.create({**config, "mixture": {"effects": []}})).definition
    assert (changed.style["name"], changed.effects) == ("Artificial", [])


def test_protocols_that_are_not_there_are_told(here):
    config = {"registry": None, "protocol": "AMI.SpeakerDiarization.nothing", "source": None}
    with pytest.raises(ValueError, match="known protocols: .*Pix2Seq.SpeakerDiarization.Conversation"):
        training._protocol(OmegaConf.create(config))
    with pytest.raises(ValueError, match="describe a protocol of mixtures"):
        training._protocol(OmegaConf.create({**config, "source": {"name": "espeak"}}))
    with pytest.raises(FileNotFoundError, match="there is no file 'none.yml'"):
        training._protocol(OmegaConf.create({**config, "registry": "none.yml"}))


def test_a_model_can_be_an_entry_of_a_config_yml(here, protocols):
    entry = {"name": "pyannote_pix2seq.models.Pix2Seq", "params": dict(TINY)}
    entry["params"]["stem_channels"] = [4, 4, 4]
    (here / "mine.yml").write_text(yaml.safe_dump({"model": entry}))
    rest = [argument for argument in MINIATURE if not argument.startswith("model.")]
    train_with([*rest, "model=mine.yml", "trainer=fast_dev_run"])
    (here / "wrong.yml").write_text("kind: a")
    with pytest.raises(ValueError, match="expected `name"):
        _entry("model=wrong.yml")
    (here / "broken.yml").write_text("name: [")
    with pytest.raises(ValueError, match="broken.yml: is no yaml file"):
        _entry("model=broken.yml")
    (here / "nowhere.yml").write_text("name: no_such_package.Model")
    with pytest.raises(ValueError, match="model: 'no_such_package.Model' cannot be imported"):
        train_with([*rest, "model=nowhere.yml"])


@pytest.mark.parametrize("choice", ["task=SpeakerDetection", "model=DeviNetLight"])
def test_a_task_and_a_model_that_do_not_go_together_are_told(choice, here, protocols):
    options = [option for option in MINIATURE if not option.startswith(("model.", "task."))]
    with pytest.raises(ValueError, match="give task=... and model=... together"):
        train_with([*options, choice])


def test_callbacks_of_ones_own_are_called(here, protocols):
    stop = "{_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: ErrorRate, divergence_threshold: -1.0}"
    train_with([*MINIATURE, f"+trainer.callbacks=[{stop}]"])
    assert torch.load(next(here.rglob("last.ckpt")), weights_only=False)["global_step"] == 2  # after the first epoch


def test_a_detector_of_pyannotes_own_task_is_resumed_and_exported(here, monkeypatch):
    recordings = Recordings(here)
    recordings.train_iter = lambda: ({**file, "classes": ["A", "B"]} for file in Recordings.train_iter(recordings))
    recordings.development_iter = recordings.train_iter
    monkeypatch.setattr(training, "_protocol", lambda config: recordings)
    options = ["protocol=Miniature.SpeakerDiarization.Recordings", "task=MultiLabelSegmentation", "model=DeviNetLight"]
    options += [option for option in MINIATURE if option.startswith(("trainer", "checkpoint", "task.num_workers"))]
    options += ["task.duration=2", "task.batch_size=2", "hydra.run.dir=run", "resume=auto"]
    for steps in (1, 2):
        train_with([*options, f"trainer.max_steps={steps}"])
        assert torch.load("run/last.ckpt", weights_only=False)["global_step"] == steps
    assert list(Pipeline.from_pretrained(export("run/last.ckpt", "detector")).classes()) == ["A", "B"]


def test_a_checkpoint_is_whole_or_as_before(here, protocols, monkeypatch):
    train_with(MINIATURE)
    last = next(here.rglob("last.ckpt"))
    before = last.read_bytes()

    def fail(checkpoint, path):
        Path(path).write_bytes(b"half")
        raise OSError("no space is left")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="no space is left"):
        train_with([*MINIATURE, "resume=auto", "trainer.max_steps=6"])
    assert last.read_bytes() == before and not [path for path in last.parent.iterdir() if path.name.startswith(".")]


def test_other_processes_start_with_the_arguments_that_were_given(here, monkeypatch):
    (here / "mine.yml").write_text("name: Pix2Seq")
    given, seen = ["protocol=Any.SpeakerDiarization.Thing", "model=mine.yml", "model.dropout=0"], []
    monkeypatch.setattr(training, "run", lambda config, folder: seen.extend(sys.argv[1:]))
    train_with(given)
    assert seen == given


@pytest.mark.parametrize("kind", [ValueError, FileNotFoundError])
def test_an_error_in_a_worker_is_told_without_its_traceback(kind, monkeypatch):
    def train_with(arguments, script):
        try:
            raise kind("call.wav: cannot be found in\n - here\n - there")
        except kind:
            ExceptionWrapper(where="in DataLoader worker process 0").reraise()

    monkeypatch.setitem(main.__globals__, "train_with", train_with)  # in the package, `train` is the command
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == "error: call.wav: cannot be found in - here - there"


def test_help_lists_every_choice():
    for name in ("SpeakerDiarization", "WarmupCosine", "espeak", "conversation", "trainer/logger", "csv", "Pretrained"):
        assert name in _groups()


def test_runs_of_other_models_are_not_resumed(here):
    run = here / "P" / "20200101-000000"
    run.mkdir(parents=True)
    (run / "last.ckpt").touch()
    (run / "config.yaml").write_text("task: {_target_: a}\nmodel: {_target_: b}\n")
    assert _new_or_last("P", "auto", "a", "b") == run.name
    assert _new_or_last("P", "auto", "a", "c") != run.name
    assert _new_or_last("P", None, "a", "b") != run.name


def test_runs_that_begin_in_one_second_have_folders_of_their_own(here):
    assert len({_new_or_last("P", None, "a", "b") for _ in range(3)}) == 3 == len([*(here / "P").iterdir()])


@given(st.from_regex(r"\w*(é|=)[^$\x00-\x1f]*", fullmatch=True))
def test_paths_may_have_any_name(name):
    (override,) = OverridesParser.create().parse_overrides([_entry(f"registry={name}")])
    assert override.value() == name


@pytest.mark.parametrize(
    "value", ["null", "auto", "[a.yml,b.yml]", "a.ckpt,b.ckpt", r"epoch\=3.ckpt", "'é'", "${oc.env:A}"]
)
def test_what_hydra_understands_stays_as_it_is(value):
    assert _entry(f"resume={value}") == f"resume={value}"


def test_sets_without_files_are_told(here, monkeypatch):
    for name in ("train_iter", "development_iter"):
        recordings = Recordings(here)
        setattr(recordings, name, lambda: iter(()))
        monkeypatch.setattr(training, "_protocol", lambda config, made=recordings: made)
        with pytest.raises(ValueError, match=f"the {name.removesuffix('_iter')} set has no file"):
            train_with(MINIATURE)


def test_what_is_no_checkpoint_of_this_model_is_not_resumed(here, protocols, monkeypatch):
    train_with(MINIATURE)
    (run,) = (here / "Miniature.SpeakerDiarization.Mixtures").iterdir()
    (here / "cut.ckpt").write_bytes((run / "last.ckpt").read_bytes()[:5000])
    (here / "text.ckpt").write_text("nothing")
    for name, changed, message in (
        ("cut.ckpt", [], "cut.ckpt: is damaged, or not a checkpoint"),
        ("text.ckpt", [], "text.ckpt: is not opened|text.ckpt: is damaged"),
        (run / "last.ckpt", ["model.dimension=32"], f"{OTHER} .* differs in shape, or is missing"),
        (run / "last.ckpt", ["model.stem_block=gated"], f"{OTHER} stem.* differs in shape, or is missing"),
        (
            run / "last.ckpt",
            ["model.num_layers=1", "model.voice_layer=0", "model.frame_layer=0"],
            f"{OTHER} .* differs in shape, or is missing",
        ),
        (run / "last.ckpt", ["model.num_layers=3"], f"{OTHER} .* differs in shape, or is missing"),
    ):
        with pytest.raises(ValueError, match=message):
            train_with([*MINIATURE, f"resume={name}", *changed])
    crowd = Mixtures()
    crowd.simulator = lambda subset: simulator(4)
    monkeypatch.setattr(training, "_protocol", lambda config: crowd)
    with pytest.raises(ValueError, match="last.ckpt is of a run with other num_voices than this one"):
        train_with([*MINIATURE, f"resume={run / 'last.ckpt'}"])


@pytest.mark.parametrize("kind", ["SequenceDiarization", "VoiceActivityDetection"])
def test_protocols_without_a_development_set_train(kind, here, monkeypatch):
    recordings = Recordings(here)
    recordings.development_iter = Protocol.development_iter.__get__(recordings)
    monkeypatch.setattr(training, "_protocol", lambda config: recordings)
    options = [*MINIATURE, "trainer.max_steps=2"]
    if kind != "SequenceDiarization":
        options = [o for o in options if not o.startswith(("model.", "task."))]
        options += ["task=VoiceActivityDetection", "task.duration=2", "task.num_workers=0", "model=PyanNet"]
    train_with(options)
    assert list(here.rglob("last.ckpt"))
    with pytest.raises(ValueError, match="ReduceLROnPlateau: .* monitors nothing on this protocol"):
        train_with([*options, "scheduler=ReduceLROnPlateau"])


def test_a_mean_needs_nothing_that_only_training_does(here, protocols):
    checkpoints = []
    for name in ("Mixtures", "Recordings"):  # with other speakers, hence other identity heads
        train_with([f"protocol=Miniature.SpeakerDiarization.{name}", *MINIATURE[1:]])
        checkpoints.append(next((here / f"Miniature.SpeakerDiarization.{name}").rglob("last.ckpt")))
    shapes = {tuple(load_checkpoint(checkpoint).identity.weight.shape) for checkpoint in checkpoints}
    assert len(shapes) == 2
    assert export(checkpoints[0], here / "mean", checkpoints[1:])


def test_a_pipeline_reads_no_longer_windows_than_its_model_was_trained_on(here, protocols):
    train_with([*MINIATURE, "task.duration=1.5"])
    checkpoint = next(here.rglob("last.ckpt"))
    pipeline = Pipeline.from_pretrained(export(checkpoint, here / "short"))
    lengths = []
    read = pipeline.model.read
    pipeline.model.read = lambda waveforms: lengths.append(waveforms.shape[-1]) or read(waveforms)
    rng = np.random.default_rng(0)
    pipeline({"waveform": rng.standard_normal((1, 5 * 16000)).astype(np.float32) / 10, "sample_rate": 16000})
    assert 0 < max(lengths) <= 1.5 * 16000


def test_weight_decay_is_for_matrices():
    decayed, rest = parameter_groups(torch.nn.Linear(2, 3))
    assert [p.ndim for p in decayed["params"]] == [2] and [p.ndim for p in rest["params"]] == [1]
    assert rest["weight_decay"] == 0


def test_the_rate_rises_then_falls_to_its_floor():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = warmup_cosine(optimizer, None, warmup=10, floor=0.1, num_steps=100)["scheduler"]
    rates = []
    for _ in range(101):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates[0] == pytest.approx(0.1, rel=0.01) and max(rates) > 0.95 and rates[100] == pytest.approx(0.1)


def test_a_checkpoint_with_code_in_it_is_not_opened(tmp_path, capsys):
    class Code:
        def __reduce__(self):
            return print, ("executed",)

    torch.save({"pyannote.audio": {}, "state_dict": Code()}, tmp_path / "bad.ckpt")
    with pytest.raises(ValueError, match="holds more than weights"):
        load_checkpoint(tmp_path / "bad.ckpt")
    (tmp_path / "bad.ckpt").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match="holds more than weights"):
        training.pretrained_model(str(tmp_path), task=None)
    assert "executed" not in capsys.readouterr().out
    (tmp_path / "cut.ckpt").write_bytes((tmp_path / "pytorch_model.bin").read_bytes()[:100])
    with pytest.raises(ValueError, match="damaged, or not a checkpoint|more than weights"):
        load_checkpoint(tmp_path / "cut.ckpt")
    with pytest.raises(FileNotFoundError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "none.ckpt")
    with pytest.raises(FileNotFoundError, match="there is no file 'mine/last.ckpt'"):  # not a name on the hub
        training.pretrained_model("mine/last.ckpt", task=None)
