"""What lies on disk is read, not run."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from pyannote.audio import Model, Pipeline
from pyannote.audio.core.task import Problem, Resolution, Specifications

from pyannote_pix2seq.models import checkpoints
from pyannote_pix2seq.models.checkpoints import open_model
from pyannote_pix2seq.models.weights import CONFIG, STUB, WEIGHTS, load, save
from pyannote_pix2seq.pipelines import MultiLabelSegmentation, PromptedSpeakerDiarization
from tests.models.test_devinet import TINY, make
from tests.tasks.miniature import tiny


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def folder(tmp_path):
    model = tiny()
    model.setup()
    save(model, tmp_path / "pipeline" / "pix2seq")
    (tmp_path / "pipeline" / "config.yaml").write_text(
        "pipeline:\n  name: pyannote_pix2seq.pipelines.PromptedSpeakerDiarization\n  params: {model: $model/pix2seq}\n"
    )
    return tmp_path / "pipeline"


def test_no_pickled_code_runs_on_the_way_to_a_pipeline(folder, tmp_path):
    sprung = tmp_path / "sprung"
    (folder / "pix2seq" / STUB).write_bytes(pickle.dumps(Trap(sprung)))
    assert Pipeline.from_pretrained(folder).model.hparams.duration == tiny().hparams.duration
    assert PromptedSpeakerDiarization(folder / "pix2seq") and open_model(str(folder / "pix2seq"))
    (folder / "pix2seq" / WEIGHTS).unlink()
    (tmp_path / "a.ckpt").write_bytes(pickle.dumps(Trap(sprung)))
    for make_pipeline in (PromptedSpeakerDiarization, MultiLabelSegmentation):
        for source in (folder / "pix2seq", str(tmp_path / "a.ckpt"), {"checkpoint": str(tmp_path / "a.ckpt")}):
            with pytest.raises(ValueError, match="more than weights|damaged"):
                make_pipeline(source)
    assert not sprung.exists()
    pickle.loads(pickle.dumps(Trap(sprung)))
    assert sprung.exists()


@pytest.mark.parametrize(
    ("module", "name"), [("pyannote.audio.core.model", "pl_load"), ("pyannote_pix2seq.models.weights", "load_file")]
)
def test_files_name_models_and_nothing_else_is_called(folder, tmp_path, module, name):
    sprung = tmp_path / "sprung"
    (tmp_path / "trap.ckpt").write_bytes(pickle.dumps(Trap(sprung)))
    given = {"path_or_url": str(tmp_path / "trap.ckpt"), "weights_only": False}
    about = {"architecture": {"module": module, "class": name}, "specifications": None}
    torch.save({"pyannote.audio": about, "hyper_parameters": given, "state_dict": {}}, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match=f"does not fit {module}.{name} of this version .*is no model"):
        open_model(tmp_path / "a.ckpt")
    path = folder / "pix2seq" / CONFIG
    path.write_text(yaml.safe_dump({"name": f"{load.__module__}.load_file", "params": given, "specifications": {}}))
    with pytest.raises(ValueError, match="does not describe a model of this version: .*load_file is no model"):
        open_model(folder / "pix2seq")
    assert not sprung.exists()


@pytest.mark.parametrize("content", [b"", b"RIFF", b"\x80", b"hello"])
def test_what_is_damaged_is_said_to_be(folder, tmp_path, content):
    (tmp_path / "a.ckpt").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.ckpt: is (damaged|not opened)"):
        open_model(tmp_path / "a.ckpt")
    (folder / "pix2seq" / CONFIG).write_bytes(content + b": [\xff")
    with pytest.raises(ValueError, match=r"config\.yaml' is damaged"):
        open_model(folder / "pix2seq")


@pytest.mark.parametrize("front_end", ["logmel", "learned"])
def test_what_was_saved_hears_the_same(front_end, tmp_path):
    model = tiny(front_end=front_end)
    model.setup()
    save(model, tmp_path)
    waveforms = torch.randn(1, 1, 16000, generator=torch.Generator().manual_seed(0)) / 10
    before, after = (one.eval().front_end(waveforms) for one in (model, load(tmp_path)))
    assert (before - after).abs().max() < 1e-3


def test_a_stub_that_came_without_its_weights_says_so(folder):
    (folder / "pix2seq" / WEIGHTS).unlink()
    with pytest.raises(ValueError, match="no model.safetensors beside it: download all"):
        Model.from_pretrained(folder / "pix2seq")


@pytest.mark.parametrize("subfolder", [None, "pix2seq"])
def test_what_was_saved_is_loaded_from_the_hub(folder, subfolder, monkeypatch):
    def fetched(name, allow_patterns, **options):
        assert name == "me/mine" and allow_patterns == [
            f"{subfolder}/{n}" if subfolder else n for n in (CONFIG, WEIGHTS)
        ]
        return str(folder if subfolder else folder / "pix2seq")

    monkeypatch.setattr(checkpoints, "snapshot_download", fetched)
    model = open_model({"checkpoint": "me/mine", "subfolder": subfolder})
    here = load(folder / "pix2seq").state_dict()
    assert all(torch.equal(weight, here[name]) for name, weight in model.state_dict().items())


def test_models_are_loaded_where_and_how_they_are_asked_to_be(folder):
    path = folder / "pix2seq"
    model = Model.from_pretrained(path, map_location=torch.device("meta"), max_turns=7)
    assert model.hparams.max_turns == 7 and model.device.type == "meta"
    assert open_model({"checkpoint": str(folder), "subfolder": "pix2seq", "map_location": "meta"}).device.type == "meta"
    with pytest.raises(ValueError, match="unknown parameter max_turn; known ones: checkpoint"):
        open_model({"checkpoint": str(path), "max_turn": 7})
    with pytest.raises(ValueError, match="names no checkpoint; got 'path'"):
        open_model({"path": str(path)})


def test_specifications_come_back_as_they_were(tmp_path):
    model = make(**TINY)
    model._specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION, resolution=Resolution.FRAME, duration=2.0, min_duration=1.0,
        warm_up=(0.5, 0.25), classes=["A", "B", "C"], powerset_max_classes=2, permutation_invariant=True,
    )  # fmt: skip
    model.build()
    save(model, tmp_path / "devinet")
    loaded = load(tmp_path / "devinet").specifications
    assert replace(loaded, warm_up=tuple(loaded.warm_up)) == model.specifications


def test_sequences_are_of_audio_at_16_khz():
    with pytest.raises(ValueError, match="16000 Hz; got sample_rate=8000"):
        tiny(sample_rate=8000)
