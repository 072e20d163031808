"""The database: what pyannote.database, stock training tasks and users with typos get from it."""

import os
import pickle
import shutil
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from pyannote.database import FileFinder, LoadingMode, registry

from pyannote_pix2seq.mixtures.cache import VARIABLE
from pyannote_pix2seq.mixtures.definition import _simulator
from pyannote_pix2seq.mixtures.effects.recordings import Recordings, impulse_response
from pyannote_pix2seq.mixtures.protocol import define

FILES = {"train": 3, "development": 2, "test": 1}
QUIET = {"effects": ["loudness", "noise", "level"], "files": FILES, "duration": 6.1}


@pytest.fixture(scope="module")
def small(source):
    return define("Small", source=source, **QUIET)


def test_the_protocols_are_there():
    there = set(registry)
    for name in ("Conversation", "Artificial", "Independent"):
        assert {f"Pix2Seq.SpeakerDiarization.{name}", f"Pix2Seq.Segmentation.{name}"} <= there


def test_importing_is_light():
    heavy = ("torch", "scipy.signal", "pyannote.audio")
    code = f"import sys, pyannote_pix2seq; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.parametrize("style", ["Conversation", "Artificial", "Independent"])
def test_files_are_complete_and_inside_their_bounds(source, style):
    made = define(f"Whole{style}", source=source, style=style, **QUIET)
    speakers = {}
    for subset, count in FILES.items():
        files = list(getattr(made, subset)())
        assert len(files) == count == len({file["uri"] for file in files})
        speakers[subset] = set()
        for file in files:
            assert file["database"] == "Pix2Seq" and file["scope"] == "database" and file["subset"] == subset
            assert soundfile.info(file["audio"]).frames == round(6.1 * 16000)
            assert file["annotated"].extent().end == 6.1
            assert not file["annotation"] or file["annotation"].get_timeline().extent() in file["annotated"].extent()
            assert file["annotation"].uri == file["uri"]
            speakers[subset] |= {label.split("@")[0] for label in file["annotation"].labels()}
    assert speakers["train"] and not speakers["train"] & speakers["test"]


def test_nothing_is_rendered_before_it_is_asked_for(source, cache):
    made = define("Lazy", source=source, **QUIET)
    file = next(made.train())
    assert file["annotation"] is not None
    assert not list(cache.glob("mixtures/Lazy-*"))
    assert file["audio"].exists() and len(list(cache.glob("mixtures/Lazy-*"))) == 1


def test_file_finder_finds_what_was_rendered(small):
    found = registry.get_protocol("Pix2Seq.SpeakerDiarization.Small", preprocessors={"audio": FileFinder()})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [file["audio"] for file in found.test()] == [file["audio"] for file in small.test()]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("preprocessors", [{}, {"audio": FileFinder()}])
def test_pyannote_audio_reads_them_without_ffmpeg_whatever_was_imported_first(small, preprocessors, monkeypatch):
    from pyannote.audio.core import io

    assert next(small.test())["audio"].exists()
    for name in ("AudioDecoder", "AudioSamples", "AudioStreamMetadata"):
        monkeypatch.setattr(io, name, None, raising=False)
    monkeypatch.setattr(io, "TORCHCODEC_AVAILABLE", False)
    (file,) = registry.get_protocol("Pix2Seq.SpeakerDiarization.Small", preprocessors=preprocessors).test()
    assert io.Audio(sample_rate=16000).get_duration(file) == pytest.approx(6.1)


def test_many_may_render_one_file_at_once(source, cache):
    mixture = define("Race", source=source, **QUIET).mixtures("train")[0]
    with ThreadPoolExecutor(4) as pool:
        (path,) = set(pool.map(lambda _: mixture.audio(), range(8)))
    assert len(soundfile.read(path)[0]) == round(6.1 * 16000)
    assert not list(cache.glob("mixtures/.*"))


def test_another_process_makes_the_same_bytes(small, source, tmp_path):
    mixture = small.mixtures("train")[1]
    code = (
        "import sys; from pyannote_pix2seq.mixtures.protocol import define\n"
        f"print(define('Small', source={source!r}, **{QUIET!r}).mixtures('train')[1].audio())"
    )
    environment = {**os.environ, VARIABLE: str(tmp_path)}
    path = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment).stdout.strip()
    assert path.startswith(str(tmp_path)) and path.endswith(mixture.audio().name)
    assert Path(path).read_bytes() == mixture.audio().read_bytes()


def test_another_seed_is_another_set(small, source):
    other = define("Other", source=source, seed=1, **QUIET)
    assert other.mixtures("train")[0].plan() != small.mixtures("train")[0].plan()
    assert other.mixtures("train")[0].uri.split("-")[1] != small.mixtures("train")[0].uri.split("-")[1]


def test_other_recordings_are_another_set(source, corpus, tmp_path):
    def uri():
        _simulator.cache_clear()  # as in a process of its own
        effects = [{"name": "noise", "recorded": str(tmp_path)}]
        return define("Noisy", source=source, **{**QUIET, "effects": effects}).mixtures("train")[0].uri

    shutil.copy(corpus.parent / "s0-0.wav", tmp_path / "a.wav")
    one = uri()
    assert uri() == one
    shutil.copy(corpus.parent / "s0-1.wav", tmp_path / "b.wav")
    two = uri()
    os.utime(tmp_path / "b.wav", (0, 0))
    assert len({one, two, uri()}) == 3


def test_a_protocol_can_be_sent_to_another_process(small):
    again = pickle.loads(pickle.dumps(small))
    assert again.name == small.name and next(again.train())["uri"] == next(small.train())["uri"]


def declare(folder, **mixtures):
    path = folder / "database.yml"
    path.write_text(yaml.safe_dump({"Mixtures": mixtures}))
    registry.load_database(path)
    return path


def test_declared_in_database_yml(corpus, tmp_path):
    (tmp_path / "speech").symlink_to(corpus.parent)
    source = {"name": "manifest", "path": "speech/manifest.csv"}  # relative to database.yml
    path = declare(tmp_path, Mine={"source": source, **QUIET}, Wrong={"source": source, "stile": "Conversation"})
    try:
        file = next(registry.get_protocol("Pix2Seq.SpeakerDiarization.Mine").development())
        assert file["audio"].exists()
        assert "Pix2Seq.SpeakerDiarization.Wrong" in set(registry)
        with pytest.raises(
            ValueError, match=r"database.yml: Mixtures: Wrong: .*'stile'; its parameters: source, style"
        ):
            registry.get_protocol("Pix2Seq.SpeakerDiarization.Wrong")
    finally:
        del registry.configs[path.resolve()]


def test_meta_protocols_may_name_it(small, tmp_path):
    path = tmp_path / "meta.yml"
    subsets = {"train": {"Pix2Seq.SpeakerDiarization.Small": ["train", "test"]}}
    path.write_text(yaml.safe_dump({"Protocols": {"X": {"SpeakerDiarization": {"Both": subsets}}}}))
    registry.load_database(path, mode=LoadingMode.OVERRIDE)
    try:
        assert len(list(registry.get_protocol("X.SpeakerDiarization.Both").train())) == 4
    finally:
        del registry.configs[path.resolve()]


def test_a_subset_that_is_not_asked_for_is_not_there(source):
    made = define("Half", source=source, files={"train": 1})
    with pytest.raises(NotImplementedError, match="has no test subset"):
        list(made.mixtures("test"))


def test_sexes_are_classes(small):
    types = registry.get_protocol("Pix2Seq.Segmentation.Small")
    for voices, file in zip(small.train(), types.train(), strict=True):
        assert file["classes"] == ["female", "male"] and set(file["annotation"].labels()) <= {"female", "male"}
        assert file["annotation"].get_timeline().support() == voices["annotation"].get_timeline().support()
        assert file["audio"] == voices["audio"]


def test_without_known_sexes_there_are_no_classes(corpus, tmp_path):
    for i, wav in enumerate(sorted(corpus.parent.glob("*.wav"))):
        (tmp_path / f"s{i // 3}").mkdir(exist_ok=True)
        (tmp_path / f"s{i // 3}" / wav.name).symlink_to(wav)
    shares = [1.0, 0.0, 0.0]
    define("Sexless", source={"name": "folder", "root": str(tmp_path)}, files={"train": 1}, shares=shares, duration=5)
    with pytest.raises(ValueError, match="does not know the sex of 12 speakers"):
        next(registry.get_protocol("Pix2Seq.Segmentation.Sexless").train())


def test_a_section_that_is_none_is_no_trouble_for_others(source, tmp_path):
    path = tmp_path / "database.yml"
    path.write_text(yaml.safe_dump({"Mixtures": ["Mine"]}))
    registry.load_database(path)
    try:
        with pytest.warns(UserWarning, match=r"database\.yml: Mixtures: expected names of mixtures; got .'Mine'."):
            assert "Pix2Seq.SpeakerDiarization.Conversation" in set(registry)
    finally:
        del registry.configs[path.resolve()]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"style": "Conversations"},
            "unknown style 'Conversations'; known styles: Artificial, Conversation, Independent",
        ),
        (
            {"style": {"name": "Artificial", "gap": 1}},
            "style 'Artificial' has no parameter 'gap'; its parameters: num_sp",
        ),
        ({"style": {"hold": 0.1}}, "style: expected a name, or a mapping with the key 'name'"),
        (
            {"style": {"name": "Artificial", "num_speakers": 1}},
            "num_speakers: expected a whole number from 2 on; got 1",
        ),
        ({"style": {"name": "Conversation", "hold": 2}}, "hold: expected a probability"),
        ({"style": {"name": "Conversation", "turn": 2.0}}, "style 'Conversation': turn: expected two numbers; got 2.0"),
        ({"style": {"name": "Conversation", "silence": [0.1]}}, "silence: expected two numbers; got .0.1."),
        ({"style": {"name": "Conversation", "turn": [-1, 0.8]}}, "turn: expected a median above 0 and a deviation"),
        ({"style": {"name": "Conversation", "silence": [6, 2.5]}}, "silence: expected a probability from 0 to 1 and"),
        ({"style": {"name": "Conversation", "hold": "often"}}, "hold: expected a number; got 'often'"),
        ({"style": {"name": "Artificial", "speeds": 1.0}}, "speeds: expected a list of numbers; got 1.0"),
        ({"effects": [{"name": "noise", "snr": 20}]}, "effect 'noise': snr: expected two numbers, the smaller one fi"),
        ({"effects": [{"name": "noise", "snr": [40, 3]}]}, "snr: expected two numbers, the smaller one first; got .40"),
        (
            {"effects": [{"name": "noise", "probability": 30}]},
            "probability: expected a probability from 0 to 1; got 30",
        ),
        ({"effects": [{"name": "noise", "probability": "0.5"}]}, "probability: expected a probability from 0 to 1"),
        ({"effects": [{"name": "noise", "recorded": None}]}, "effect 'noise': recordings: expected one folder"),
        ({"effects": [{"name": "noise", "recorded": ["a", "b"]}]}, "effect 'noise': recordings: expected one folder"),
        (
            {"effects": [{"name": "loudness", "spread": "big"}]},
            "effect 'loudness': spread: expected a number; got 'big'",
        ),
        ({"effects": [{"name": "reverberation", "rooms": 1.5}]}, "rooms: expected a whole number; got 1.5"),
        ({"effects": ["nois"]}, "unknown effect 'nois'; known effects: bursts, bystanders, clipping, distance, level"),
        ({"effects": [{"name": "noise", "recorded": "nowhere"}]}, "no folder 'nowhere'"),
        ({"effects": "noise"}, "effects: expected a list"),
        ({"source": "librispech"}, "unknown source 'librispech'; known sources: commonvoice, espeak"),
        ({"source": {"name": "folder"}}, "source 'folder' needs the parameter 'root'"),
        ({"sorce": "espeak"}, "has no parameter 'sorce'; its parameters: source, style, effects"),
        ({"files": {"dev": 3}}, "files has no parameter 'dev'; its parameters: train, development, test"),
        ({"files": 3}, "expected the number of files of each subset"),
        ({"duration": "long"}, "duration: expected a number from"),
        ({"difficulty": 2}, "difficulty: expected a number from 0 to 1; got 2"),
        ({"seed": -1}, "seed: expected a whole number"),
    ],
)
def test_mistakes_are_named_with_what_would_do(data, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        define("Mistaken", **data)
    assert "Pix2Seq.SpeakerDiarization.Mistaken" not in set(registry)


@pytest.mark.parametrize("name", ["A.B", "2speakers"])
def test_a_name_of_a_protocol_is_an_identifier(name):
    with pytest.raises(ValueError, match=f"letters, digits and underscores, and starts with no digit; got '{name}'"):
        define(name)


def test_too_few_speakers_for_the_style(source):
    made = define("Crowd", source=source, style={"name": "Conversation", "num_speakers": [0, 0, 0, 0, 0, 1]})
    with pytest.raises(
        ValueError, match="train subset has only 4 usable speakers, but the style 'Conversation' puts up"
    ):
        next(made.train())


def test_a_source_without_utterances(tmp_path):
    (tmp_path / "manifest.csv").write_text("path,speaker\n")
    made = define("Nobody", source={"name": "manifest", "path": str(tmp_path / "manifest.csv")})
    with pytest.raises(ValueError, match="source 'manifest' has no utterance at all"):
        next(made.train())


def test_a_subset_without_speakers(corpus, tmp_path):
    (tmp_path / "anna").mkdir()
    (tmp_path / "anna" / "a.wav").symlink_to(corpus.parent / "s0-0.wav")
    made = define("Alone", source={"name": "folder", "root": str(tmp_path)}, style="Artificial", shares=[1, 0, 0])
    with pytest.raises(ValueError, match="none of its 1 speakers is in the test subset; give it more by `shares`"):
        next(made.test())
    with pytest.raises(ValueError, match="has only 1 usable speakers"):
        next(made.train())
    (tmp_path / "manifest.csv").write_text("path,speaker,split\nanna/a.wav,anna,train\n")
    made = define("Fixed", source={"name": "manifest", "path": str(tmp_path / "manifest.csv")}, style="Artificial")
    with pytest.raises(ValueError, match="none of its 1 speakers is in the test subset; the source itself says where"):
        next(made.test())


def test_a_recording_that_cannot_be_used_is_named(tmp_path):
    soundfile.write(tmp_path / "room.wav", np.zeros(100), 16000)
    (tmp_path / "room.m4a").write_bytes(b"what nobody here can decode")
    (response,) = [Recordings(tmp_path, impulse_response)]
    assert len(response) == 1
    with pytest.raises(ValueError, match=r"room\.wav: an impulse response is silent"):
        response[0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["SpeakerDiarization", "VoiceActivityDetection", "MultiLabelSegmentation"])
def test_stock_tasks_train_on_it(small, name, tmp_path):
    import lightning
    from pyannote.audio import tasks
    from pyannote.audio.models.segmentation.debug import SimpleSegmentationModel

    task = "Segmentation" if name == "MultiLabelSegmentation" else "SpeakerDiarization"
    protocol = registry.get_protocol(f"Pix2Seq.{task}.Small")
    parameters = {"duration": 2.0, "batch_size": 2, "num_workers": 0, "cache": str(tmp_path / "cache")}
    model = SimpleSegmentationModel(task=getattr(tasks, name)(protocol, **parameters))
    trainer = lightning.Trainer(
        fast_dev_run=True, accelerator="cpu", enable_progress_bar=False, enable_model_summary=False, logger=False
    )
    trainer.fit(model)
    assert trainer.global_step == 1
