"""The task trains on mixtures and on recordings, resumes exactly, and gives each process its own windows."""

import json
import os
import pickle
import random
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from pyannote.database.protocol import SpeakerDiarizationProtocol
from torch.utils.data import DistributedSampler
from torch_audiomentations import Gain, PolarityInversion

from pyannote_pix2seq.cli.callbacks import AveragedWeights, SeedSteps, checkpoints
from pyannote_pix2seq.cli.optimization import attach, warmup_cosine
from pyannote_pix2seq.mixtures.styles import Conversation
from pyannote_pix2seq.models.checkpoints import load_checkpoint, trust
from pyannote_pix2seq.tasks import SequenceDiarization
from pyannote_pix2seq.tasks.loaders import Consecutive
from pyannote_pix2seq.tasks.recordings import read_protocol
from pyannote_pix2seq.tasks.sequence_diarization import ErrorRate
from pyannote_pix2seq.tokens import decode
from tests.tasks.miniature import Mixtures, Recordings, simulator, tiny

SMALL = {"duration": 4.0, "batch_size": 2, "num_workers": 0, "num_batches": 4, "num_validation": 2}
QUIET = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
}


class OnlyTraining(SpeakerDiarizationProtocol):
    """The training set of another protocol."""

    def __init__(self, protocol):
        super().__init__()
        self.name, self.train_iter = protocol.name, protocol.train_iter
        if hasattr(protocol, "simulator"):
            self.simulator = protocol.simulator


def made(protocol, dropout=0.0, **changed):
    torch.manual_seed(0)
    model = tiny(SequenceDiarization(protocol, **{**SMALL, **changed}), dropout=dropout)
    attach(model, lambda groups: torch.optim.AdamW(groups, lr=1e-3), warmup_cosine)
    return model


class Losses(Callback):
    """Notes the loss of each step; may be struck down."""

    def __init__(self, killed_after=None):
        self.killed_after = killed_after
        self.seen = {}

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.seen[trainer.global_step] = outputs["loss"].item()
        if trainer.global_step == self.killed_after:
            raise SystemExit("killed")


@pytest.mark.parametrize("kind", ["mixtures", "recordings"])
def test_it_trains_and_validates(kind, tmp_path):
    model = made(Mixtures() if kind == "mixtures" else Recordings(tmp_path))
    trainer = lightning.Trainer(fast_dev_run=True, **QUIET)
    trainer.fit(model)
    metrics = trainer.callback_metrics
    for name in ("train/sequence", "train/activity", "validation/sequence", "ErrorRate"):
        assert torch.isfinite(metrics[name]), name
    assert model.task.val_monitor == ("ErrorRate", "min")


@pytest.mark.parametrize("average", [False, True])
def test_a_run_that_was_killed_goes_on_exactly(average, tmp_path):
    trust()

    def run(folder, killed_after=None, resume=None):
        losses = Losses(killed_after)
        extra = [AveragedWeights(decay=0.9)] if average else []
        trainer = lightning.Trainer(
            max_steps=7,
            callbacks=[*checkpoints(folder, ("ErrorRate", "min"), 1, 3), SeedSteps(0), *extra, losses],
            **QUIET,
        )
        with suppress(SystemExit):
            trainer.fit(made(Mixtures(), dropout=0.1), ckpt_path=resume)
        return losses.seen

    whole = run(tmp_path / "whole")
    before = run(tmp_path / "killed", killed_after=4)
    after = run(tmp_path / "killed", resume=tmp_path / "killed" / "last.ckpt")
    assert sorted(whole) == [1, 2, 3, 4, 5, 6, 7] and sorted(before) == [1, 2, 3, 4] and sorted(after) == [4, 5, 6, 7]
    assert before == pytest.approx({step: whole[step] for step in before}, rel=1e-5)
    assert after == pytest.approx({step: whole[step] for step in after}, rel=1e-4)
    assert load_checkpoint(tmp_path / "killed" / "last.ckpt").hparams.dimension == 16
    # opening it took nothing of the trust away that Lightning needs to resume
    assert torch.load(tmp_path / "killed" / "last.ckpt", weights_only=True)["global_step"] == 7


def test_the_last_checkpoint_is_the_end_of_the_run_however_often_it_is_saved(tmp_path):
    trust()

    def run(every, max_steps=7, resume=None):
        losses, last = Losses(), checkpoints(tmp_path / str(every), (None, "min"), 1, every)
        callbacks = [*last, SeedSteps(0), AveragedWeights(decay=0.9), losses]
        lightning.Trainer(max_steps=max_steps, callbacks=callbacks, **QUIET).fit(made(Mixtures()), ckpt_path=resume)
        return losses.seen, torch.load(tmp_path / str(every) / "last.ckpt", weights_only=True)

    (_, one), (_, other) = run(every=7), run(every=3)
    assert one["global_step"] == other["global_step"] == 7
    for weights in ("state_dict", "current_model_state"):
        torch.testing.assert_close(other[weights], one[weights])
    seen, longer = run(every=3, max_steps=10, resume=tmp_path / "3" / "last.ckpt")
    assert sorted(seen) == [8, 9, 10] and longer["global_step"] == 10


@pytest.mark.parametrize("changed", [{"annotated": False}, {"silent": True}])
def test_protocols_that_cannot_be_learned_from(changed, tmp_path):
    with pytest.raises(ValueError, match="no annotation|nobody speaks"):
        lightning.Trainer(fast_dev_run=True, **QUIET).fit(made(Recordings(tmp_path, **changed)))


@pytest.mark.parametrize("kind", ["mixtures", "recordings"])
def test_noise_turns_are_for_training_and_off_unless_asked_for(kind, tmp_path):
    def batches(noise_turns):
        model = made(Mixtures() if kind == "mixtures" else Recordings(tmp_path), noise_turns=noise_turns)
        model.prepare_data()
        model.setup()
        return next(iter(model.task.train_dataloader())), next(iter(model.task.val_dataloader()))

    (train, development), (noisy, same) = batches(0), batches(20)
    assert all(torch.equal(development[name], same[name]) for name in development)
    assert all(torch.equal(train[name], noisy[name]) for name in train.keys() - {"tokens", "taught"})
    assert noisy["tokens"].shape[1] > train["tokens"].shape[1]
    vocabulary = tiny().vocabulary
    written, true = ([decode(row[1:], vocabulary) for row in b["tokens"].tolist()] for b in (noisy, train))
    assert written == true


def test_windows_longer_than_the_model_are_refused():
    with pytest.raises(ValueError, match="windows of 5 s do not fit a model of 4 s"):
        lightning.Trainer(fast_dev_run=True, **QUIET).fit(made(Mixtures(), duration=5.0))


def test_a_file_without_annotated_regions_is_annotated_as_a_whole(tmp_path):
    class Whole(Recordings):
        def train_iter(self):
            yield from ({**file, "annotated": None} for file in super().train_iter())

        development_iter = train_iter

    regions, same = (read_protocol(kind(tmp_path), True)["regions"] for kind in (Recordings, Whole))
    assert regions.tolist() == same.tolist()


def test_windows_are_those_of_the_step_at_which_the_first_is_asked_for(monkeypatch):
    """Not of the step at which a loader is made: a run that resumes does not know it then."""
    model = made(Mixtures(), num_workers=1)
    model.setup()
    position = [0]
    monkeypatch.setattr(model.task, "_windows_seen", lambda: position[0])
    batches = iter(model.task.train_dataloader())
    position[0] = 6
    windows = [model.task.windows("train")[i] for i in (6, 7)]
    assert torch.equal(next(batches)["waveforms"], model.task.collate_fn(windows)["waveforms"])


def test_indices_are_dealt_out():
    dealt = [list(Consecutive(3, lambda: 10, rank, 2)) for rank in range(2)]
    assert dealt == [[10, 12, 14], [11, 13, 15]]
    # Lightning deals out what is no sampler of its kind, so that each process would skip the windows of the others
    assert isinstance(Consecutive(3, int), DistributedSampler)


@pytest.mark.parametrize("kind", ["mixtures", "recordings"])
def test_without_a_development_set_it_trains_all_the_same(kind, tmp_path):
    protocol = OnlyTraining(Mixtures() if kind == "mixtures" else Recordings(tmp_path))
    trainer = lightning.Trainer(max_steps=2, enable_checkpointing=False, **QUIET)
    trainer.fit(made(protocol))
    assert trainer.global_step == 2


def test_a_cache_without_a_development_set_is_not_taken_for_one_with(tmp_path):
    recordings, cache = Recordings(tmp_path), tmp_path / "cache.npz"
    made(OnlyTraining(recordings), cache=cache).task.prepare_data()
    task = made(recordings, cache=cache).task
    task.prepare_data()
    with pytest.raises(ValueError, match=r"cache\.npz was made when .* had no development set: delete it"):
        task.setup()


@pytest.mark.parametrize("kind", ["mixtures", "recordings"])
def test_noise_turns_stay_in_windows_that_are_shorter_than_the_models(kind, tmp_path):
    protocol = Mixtures() if kind == "mixtures" else Recordings(tmp_path)
    model = tiny(SequenceDiarization(protocol, **SMALL, noise_turns=8), duration=16.0, num_steps=800)
    model.task.prepare_data()
    model.setup("validate")
    for index in range(4):
        batch = model.task.collate_fn([model.task.train_dataloader().dataset[index]])
        assert all(loss.isfinite() for loss in model.task.losses(batch).values())


def test_augmentation_is_the_same_in_any_process():
    class Drawn(Gain):
        """As transforms of torch-audiomentations that read files do, it draws from Python's numbers too."""

        def randomize_parameters(self, *args, **kwargs):
            super().randomize_parameters(*args, **kwargs)
            self.transform_parameters["gain_factors"] *= random.random()

    louder, plain = made(Mixtures(), augmentation=Drawn(p=1.0, output_type="dict")), made(Mixtures())
    for model in (louder, plain):
        model.setup()
    batch = [plain.task.windows("train")[i] for i in range(2)]
    gains = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        random.seed(seed)
        state = random.getstate()
        gains.append(louder.task.collate_fn(batch)["waveforms"])
        assert torch.initial_seed() == seed and random.getstate() == state
    assert torch.equal(*gains)
    assert not torch.equal(gains[0], plain.task.collate_fn(batch)["waveforms"])


def test_augmentation_is_of_solos_too():
    batches = []
    for augmentation in (None, PolarityInversion(p=1.0, output_type="dict")):
        model = made(Mixtures(), augmentation=augmentation, num_solos=2)
        model.setup()
        batches.append(model.task.collate_fn([model.task.windows("train")[i] for i in range(2)]))
    plain, inverted = batches
    for name in ("waveforms", "solos"):
        assert torch.equal(inverted[name], -plain[name]) and plain[name].any()


def test_runs_with_different_seeds_are_validated_by_the_same_windows():
    one, other = made(Mixtures(), seed=3), made(Mixtures(), seed=4)
    for model in (one, other):
        model.setup()
    for subset, same in (("development", True), ("train", False)):
        first, second = (model.task.windows(subset)[0].waveform for model in (one, other))
        assert (len(first) == len(second) and (first == second).all()) == same


def test_more_speakers_than_the_model_writes_are_told():
    crowd = Mixtures()
    crowd.simulator = lambda subset: replace(simulator(5), style=Conversation(num_speakers=[0, 0, 0, 0, 0, 1]))
    model = made(crowd)
    model.setup()
    with pytest.raises(ValueError, match="puts up to 5 speakers in a window, but the model writes 4 at most"):
        model.task.windows("train")


def test_windows_can_be_made_where_processes_start_anew():
    """Once training has begun, when trainers hold what cannot be handed to another process."""
    model = made(Mixtures())
    model.setup()
    model.task.trainer = (_ for _ in ())
    batch = [model.task.windows("train")[0]]
    made_there = pickle.loads(pickle.dumps(model.task.collate_fn))(batch)
    assert torch.equal(made_there["waveforms"], model.task.collate_fn(batch)["waveforms"])


def test_the_error_rate_is_over_all_windows():
    from pyannote.core import Annotation, Segment

    one = Annotation()
    one[Segment(0, 2)] = "A"
    metric = ErrorRate()
    metric.update(one, one, 0, 4)
    metric.update(one, Annotation(), 0, 4)
    assert metric.compute() == pytest.approx(0.5)


def test_without_a_cache_nothing_is_left_behind(tmp_path):
    (recordings := tmp_path / "recordings").mkdir()
    (temporary := tmp_path / "temporary").mkdir()
    code = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.tasks.miniature import Recordings
from tests.tasks.test_sequence_diarization import made
(task := made(Recordings(Path({str(recordings)!r}))).task).prepare_data()
print(task.cache.relative_to({str(temporary)!r}), task.cache.exists())
"""
    environment = os.environ | {"TMPDIR": str(temporary)}
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert told.stdout.split()[1:] == ["True"]
    assert not [*temporary.glob("*/prepared.npz")]


SCRIPT = """
import json, os, sys
sys.path.insert(0, {root!r})
import lightning
from lightning.pytorch.callbacks import Callback
from pathlib import Path
from tests.tasks.miniature import Mixtures
from tests.tasks.test_sequence_diarization import QUIET, made
from pyannote_pix2seq.cli.callbacks import checkpoints

class Note(Callback):
    seen = []
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.seen.append(float(batch["waveforms"].abs().sum()))
    def on_train_end(self, trainer, pl_module):
        weights = float(sum(p.detach().abs().sum() for p in pl_module.parameters()))
        Path(f"rank{{trainer.global_rank}}.json").write_text(json.dumps([self.seen, weights]))

trainer = lightning.Trainer(max_steps=4, strategy="ddp", devices=2,
                            callbacks=[*checkpoints(Path("out"), ("ErrorRate", "min"), 2, 2), Note()], **QUIET)
trainer.fit(made(Mixtures()))
"""


@pytest.mark.slow
def test_two_processes_see_different_windows_and_stay_one_model(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT.format(root=str(Path(__file__).parents[2])))
    subprocess.run([sys.executable, "-W", "ignore", script], cwd=tmp_path, check=True, timeout=600)
    (first, weights), (second, same) = (json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in range(2))
    assert len(first) == len(second) == 4 and not set(first) & set(second)
    assert weights == pytest.approx(same)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()).count("last.ckpt") == 1
