"""SpeakerDetection: targets from strong and weak labels, what is drawn, metrics, and that weak labels localise."""

from collections import Counter

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lightning import Trainer, seed_everything
from pyannote.audio import Inference, Model
from pyannote.audio.models.segmentation import PyanNet
from pyannote.audio.pipelines import MultiLabelSegmentation
from pyannote.core import Annotation, Segment, Timeline
from pyannote.database.protocol import SegmentationProtocol
from pyannote.pipeline import Optimizer
from torchmetrics.classification import BinaryF1Score

from pyannote_pix2seq.models.devinet import DeviNet
from pyannote_pix2seq.tasks.detection_metrics import SegmentErrorRate, class_scores
from pyannote_pix2seq.tasks.speaker_detection import SpeakerDetection

SAMPLE_RATE = 16000
CLASSES = ["tone", "chirp"]
TINY = {
    "conv_blocks": 2, "conv_channels": 8, "layers_pooling": [4, 4], "final_channels": 16, "final_pooling": 4,
    "recurrent": [16], "linear_layers": [], "front_end_parameters": {"num_mels": 64, "window": 0.04, "hop": 0.02},
}  # fmt: skip


class Planted(SegmentationProtocol):
    """Files given as lists of dictionaries."""

    name = "Planted.Segmentation.Events"

    def __init__(self, train, development=()):
        super().__init__()
        self.files = {"train": train, "development": development}

    def train_iter(self):
        yield from map(dict, self.files["train"])

    def development_iter(self):
        if not self.files["development"]:
            raise NotImplementedError("there is no development set")
        yield from map(dict, self.files["development"])


def events(*drawn):
    annotation = Annotation()
    for start, end, label in drawn:
        annotation[Segment(start, end), annotation.new_track(Segment(start, end))] = label
    return annotation


def write(folder, uri, annotation=None, duration=4.0, **labels):
    """A file whose noise contains the events of an annotation: a tone of 1 kHz, a chirp around 3 kHz."""
    rng = np.random.default_rng(sum(map(ord, uri)))
    time = np.arange(round(duration * SAMPLE_RATE)) / SAMPLE_RATE
    waveform = 0.02 * rng.standard_normal(len(time))
    hertz = {"tone": np.full(len(time), 1000.0), "chirp": 3000 + 1500 * np.sin(2 * np.pi * 6 * time)}
    for segment, _, label in (annotation or Annotation()).itertracks(yield_label=True):
        sound = 0.1 * np.sin(2 * np.pi * np.cumsum(hertz[label]) / SAMPLE_RATE)
        waveform += sound * ((time >= segment.start) & (time < segment.end))
    soundfile.write(folder / f"{uri}.wav", waveform.astype(np.float32), SAMPLE_RATE)
    return {"uri": uri, "database": "Planted", "audio": folder / f"{uri}.wav", "classes": CLASSES, **labels}


def prepared(protocol, model=None, **parameters):
    """A task that is ready to make chunks."""
    parameters = {"duration": 4.0, "batch_size": 4, "num_workers": 0, **parameters}
    task = SpeakerDetection(protocol, **parameters)
    model = model or DeviNet(task=task, attention=True, **TINY)
    model.task = task
    task.prepare_data()
    model.setup()
    return task


def trainer(**parameters):
    return Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, **parameters,
    )  # fmt: skip


# targets -------------------------------------------------------------------------------------------------------------


@given(start=st.floats(0, 3), length=st.floats(0.1, 1), chunk=st.floats(-1, 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_strong_targets_read_back(tmp_path, start, length, chunk):
    """What the stock pipeline would say about perfect scores is the annotation, within one frame."""
    annotation = events((start, start + length, "chirp"))
    task = prepared(Planted([write(tmp_path, "a", duration=6.0) | {"annotation": annotation}]))
    offset = max(0.0, chunk)
    y = task.prepare_chunk(0, offset)["y"].data
    assert (y[:, 0] == 0).all()
    step = task.model.receptive_field.step
    (active,) = np.nonzero(y[:, 1])
    middles = offset + (active + 0.5) * step
    inside = Segment(max(start, offset), min(start + length, offset + 4.0))
    if inside.duration > step:
        assert abs(middles[0] - step / 2 - inside.start) <= step
        assert abs(middles[-1] + step / 2 - inside.end) <= step


def test_weak_targets(tmp_path):
    task = prepared(Planted([write(tmp_path, "a", tags=["chirp"])]))
    chunk = task.prepare_chunk(0, 0.0)
    assert (chunk["y"].data == -1).all()
    assert chunk["tags"].tolist() == [0, 1]


def test_tags_of_regions(tmp_path):
    tags = events((0, 2, "chirp"), (2, 4, "tone"), (2, 4, "chirp"), (4, 6, "none"))
    with pytest.warns(UserWarning, match="ignored: .'none'"):
        task = prepared(Planted([write(tmp_path, "a", duration=6.0, tags=tags)]), duration=2.0)
    assert [task.prepare_chunk(i, 2.0 * i)["tags"].tolist() for i in range(3)] == [[0, 1], [1, 1], [0, 0]]


def test_classes_that_were_not_annotated_are_unknown(tmp_path):
    strong = write(tmp_path, "a") | {"annotation": events((0, 1, "chirp")), "classes": ["chirp"]}
    weak = write(tmp_path, "b", tags=[]) | {"classes": ["tone"]}
    task = prepared(Planted([strong, weak]), classes=CLASSES)
    assert set(task.prepare_chunk(0, 0.0)["y"].data[:, 0].tolist()) == {-1}
    assert task.prepare_chunk(0, 0.0)["tags"].tolist() == [-1, 1]
    assert task.prepare_chunk(1, 0.0)["tags"].tolist() == [0, -1]


def test_classes_keep_their_number(tmp_path):
    """Whatever the order in which labels appear in files."""
    files = [write(tmp_path, "a") | {"annotation": events((0, 4, "chirp"))}]
    for classes in (["tone", "chirp"], ["chirp", "tone"]):
        y = prepared(Planted(files), classes=classes).prepare_chunk(0, 0.0)["y"].data[:-1]  # the last frame lies behind
        assert (y[:, classes.index("chirp")] == 1).all() and (y[:, classes.index("tone")] == 0).all()


def test_short_regions_are_padded(tmp_path):
    """Zeros behind a region are heard but not learned from."""
    file = write(tmp_path, "a", duration=3.0) | {"annotation": events((1, 3, "tone"))}
    chunk = prepared(Planted([file]), duration=4.0).prepare_chunk(0, 0.0)
    assert chunk["X"].shape == (1, 4 * SAMPLE_RATE) and not chunk["X"][:, 3 * SAMPLE_RATE :].any()
    y = chunk["y"].data
    assert (y[-45:] == -1).all() and (y[: 3 * 50 - 5] >= 0).all()


def test_only_annotated_regions_are_used(tmp_path):
    file = write(tmp_path, "a", duration=12.0) | {"annotation": events((0, 12, "tone"))}
    file["annotated"] = Timeline([Segment(1, 5), Segment(7, 11.5)])
    task = prepared(Planted([file], [file]), duration=2.0)
    assert [start for _, start in task._validation] == [1, 3, 7, 9, 11]
    chunks = task.train__iter__()
    # the middle of a chunk's last frame may lie behind its region
    assert all((next(chunks)["y"].data[:-1] >= 0).all() for _ in range(20))


def test_tags_are_not_checked_against_the_rest_of_a_clip(tmp_path):
    """The last 10 ms of a clip need not contain what it is tagged with; strong labels are checked to the end."""
    weak = write(tmp_path, "a", duration=4.01, tags=["tone"])
    strong = write(tmp_path, "b", duration=4.01) | {"annotation": events((0, 1, "tone"))}
    short = write(tmp_path, "c", duration=1.0, tags=["tone"])
    starts = [start for _, start in prepared(Planted([weak], [weak, strong, short]), duration=2.0)._validation]
    assert starts == [0, 2, 0, 2, 4, 0]


def test_a_file_may_have_another_rate(tmp_path):
    file = write(tmp_path, "a", tags=["tone"])
    soundfile.write(file["audio"], np.zeros((4 * 44100, 2), np.float32), 44100)
    assert prepared(Planted([file])).prepare_chunk(0, 0.0)["X"].shape == (1, 4 * SAMPLE_RATE)


# what is drawn -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("balanced", [True, False])
def test_rare_classes_are_drawn_as_often_as_frequent_ones(tmp_path, balanced):
    tone = write(tmp_path, "a", duration=40.0) | {"annotation": events((0, 40, "tone"))}
    both = write(tmp_path, "b", duration=40.0) | {"annotation": events((20, 21, "chirp"))}
    task = prepared(Planted([tone, both]), balanced=balanced, duration=2.0)
    drawn = Counter()
    chunks = task.train__iter__()
    for _ in range(300):
        drawn.update(np.flatnonzero(next(chunks)["tags"].numpy() == 1).tolist())
    assert drawn[0] > 80
    assert drawn[1] > 80 if balanced else drawn[1] < 40


def test_epochs_are_as_long_as_the_data(tmp_path):
    task = prepared(Planted([write(tmp_path, "a", duration=40.0, tags=["tone"])]), duration=2.0)
    assert task.train__len__() == 20


def test_a_run_that_resumes_in_mid_epoch_draws_other_chunks(tmp_path, monkeypatch):
    file = write(tmp_path, "a", duration=40.0, tags=["tone"])
    task = prepared(Planted([file]), num_workers=1)

    def drawn(step):
        batches = iter(task.train_dataloader())
        monkeypatch.setattr(DeviNet, "global_step", step)  # Lightning begins to iterate before it restores the step
        return next(batches)["X"]

    start, resumed, again = drawn(0), drawn(3), drawn(3)
    assert torch.equal(resumed, again) and not torch.equal(start, resumed)


def test_a_protocol_without_a_development_set_trains(tmp_path):
    task = prepared(Planted([write(tmp_path, "a", duration=8.0, tags=["tone"])]), duration=2.0)
    assert task.val_dataloader() == []


def test_annotations_may_go_on_behind_the_end_of_the_audio(tmp_path):
    said = events((0.5, 2.5, "tone"))
    file = {**write(tmp_path, "a", said), "annotation": said}
    samples, _ = soundfile.read(file["audio"])
    soundfile.write(file["audio"], samples[::2], SAMPLE_RATE // 2)
    file["annotated"] = Timeline([Segment(0, 5.0)])
    task = prepared(Planted([file], [dict(file)]), duration=4.2)
    chunks = [task.val__getitem__(i) for i in range(task.val__len__())]
    assert len(chunks) == 2 and all(chunk["X"].shape == (1, round(4.2 * SAMPLE_RATE)) for chunk in chunks)
    assert not chunks[1]["X"].any()


def test_a_cache_without_a_development_set_is_not_taken_for_one_with(tmp_path):
    file, cache = write(tmp_path, "a", duration=8.0, tags=["tone"]), tmp_path / "cache.npz"
    prepared(Planted([file]), cache=cache)
    with pytest.raises(ValueError, match=r"cache\.npz was made when .* had no development set: delete it"):
        prepared(Planted([file], [file]), cache=cache)


# errors --------------------------------------------------------------------------------------------------------------


def test_weak_labels_need_attention(tmp_path):
    protocol = Planted([write(tmp_path, "a", tags=["tone"])])
    with pytest.raises(ValueError, match="DeviNet has no attention head.*attention=True"):
        prepared(protocol, DeviNet(**TINY))


def test_files_without_labels_are_refused(tmp_path):
    with pytest.raises(ValueError, match="a has neither strong labels .* nor weak ones"):
        prepared(Planted([write(tmp_path, "a")]))


def test_a_file_that_a_table_of_regions_has_not(tmp_path):
    with pytest.raises(ValueError, match="a has neither strong labels .* nor weak ones"):
        prepared(Planted([write(tmp_path, "a", tags=events())]))
    silent = write(tmp_path, "a", tags=events()) | {"annotation": events()}
    assert prepared(Planted([silent])).prepare_chunk(0, 0.0)["y"].data.max() == 0


def test_classes_are_needed(tmp_path):
    file = write(tmp_path, "a", tags=["tone"])
    del file["classes"]
    with pytest.raises(ValueError, match="has no 'classes'.*or pass classes"):
        prepared(Planted([file]))


def test_audio_that_cannot_be_read_is_told(tmp_path):
    file = write(tmp_path, "a", tags=["tone"])
    task = prepared(Planted([file]))
    file["audio"].write_bytes(b"words")
    with pytest.raises(ValueError, match=r"a\.wav: cannot be read as WAV"):
        task.prepare_chunk(0, 0.0)


def test_a_cache_of_other_classes_is_refused(tmp_path):
    protocol = Planted([write(tmp_path, "a", tags=["tone"])])
    prepared(protocol, cache=tmp_path / "cache" / "labels.npz")
    with pytest.raises(ValueError, match=r"was made for .* classes \['tone', 'chirp'\], not for"):
        prepared(protocol, cache=tmp_path / "cache" / "labels.npz", classes=["tone"])
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["labels.npz"]


# metrics -------------------------------------------------------------------------------------------------------------


def test_error_rate_of_a_known_case():
    """Three segments: one substitution, one deletion and a hit, one insertion; three references."""
    reference = torch.tensor([[[1, 1, 1, 1, 0, 0], [0, 0, 0, 1, 0, 0]]])
    detected = torch.tensor([[[0, 0, 0, 1, 0, 1], [0, 1, 0, 0, 0, 0]]]).float()
    metric = SegmentErrorRate(step=0.5)
    metric.update(detected, reference)
    assert metric.compute() == pytest.approx((1 + 1 + 1) / 3)


@given(st.integers(0, 2**32 - 1))
def test_error_rate_laws(seed):
    generator = torch.Generator().manual_seed(seed)
    reference = torch.randint(-1, 2, (3, 2, 50), generator=generator)
    metric = SegmentErrorRate(step=0.1)
    metric.update((reference == 1).float(), reference)
    assert metric.compute() == 0
    if (reference == 1).any():
        metric = SegmentErrorRate(step=0.1)
        metric.update(torch.zeros(3, 2, 50), reference)
        assert metric.compute() == 1


def test_class_scores_look_at_their_class():
    targets = torch.randint(-1, 2, (4, 3, 20))
    predictions = torch.rand(4, 3, 20)
    for index in range(3):
        ours, theirs = class_scores("abc")[f"f1/{'abc'[index]}"], BinaryF1Score()
        known = targets[:, index] >= 0
        ours.update(predictions, targets)
        theirs.update(predictions[:, index][known], targets[:, index][known])
        assert ours.compute() == theirs.compute()


# learning ------------------------------------------------------------------------------------------------------------


def planted_files(folder, num_files, seed, weak):
    """Files of 4 s in which each class occurs with probability 1/2, for 0.4 to 1 s."""
    rng = np.random.default_rng(seed)
    for i in range(num_files):
        occurring = [name for name in CLASSES if rng.random() < 0.5]
        starts = rng.uniform(0, 3, len(occurring))
        annotation = events(*((t, t + rng.uniform(0.4, 1), name) for t, name in zip(starts, occurring, strict=True)))
        labels = {"tags": occurring} if weak else {}
        file = write(folder, f"file-{seed}-{i}", annotation, **labels)
        yield file if weak else file | {"annotation": annotation}


def test_weak_labels_localise(tmp_path):
    """Trained on tags only, frame F1 is far above that of detecting everything everywhere."""
    seed_everything(1, verbose=False)
    development = list(planted_files(tmp_path, 16, seed=2, weak=False))
    task = SpeakerDetection(
        Planted(list(planted_files(tmp_path, 64, seed=1, weak=True)), development),
        duration=4.0, batch_size=8, num_workers=0,
    )  # fmt: skip
    model = DeviNet(task=task, attention=True, **TINY)
    model.configure_optimizers = lambda: torch.optim.Adam(model.parameters(), lr=3e-3)
    fit = trainer(max_epochs=20, num_sanity_val_steps=0)
    fit.fit(model)

    active = sum(file["annotation"].label_duration(name) for file in development for name in CLASSES)
    prior = active / (4.0 * len(development) * len(CLASSES))
    chance = 2 * prior / (1 + prior)
    assert chance < 0.25
    scores = {name: float(value) for name, value in fit.callback_metrics.items()}
    assert scores["f1"] > 0.7
    assert scores["error_rate"] < 0.5
    assert scores["tagging/f1"] > 0.8
    assert {f"{score}/{name}" for score in ("f1", "precision", "recall") for name in CLASSES} <= scores.keys()

    # attention looks at the events, and the stock inference says when they are
    inference = Inference(model, step=1.0)
    errors = []
    for file in development:
        found = inference({"audio": file["audio"], "waveform": waveform(file), "sample_rate": SAMPLE_RATE})
        for segment, _, label in file["annotation"].itertracks(yield_label=True):
            column = found.data[:, CLASSES.index(label)]
            errors.append(not segment.overlaps(found.sliding_window[int(column.argmax())].middle))
    assert np.mean(errors) < 0.2


def waveform(file):
    return torch.from_numpy(soundfile.read(file["audio"], dtype="float32", always_2d=True)[0].T)


def test_strong_and_weak_in_one_batch(tmp_path):
    weak, strong = (list(planted_files(tmp_path, 4, seed, weak=seed == 1)) for seed in (1, 2))
    task = SpeakerDetection(Planted(weak + strong, strong), duration=4.0, batch_size=8, num_workers=0)
    model = DeviNet(task=task, attention=True, **TINY)
    fit = trainer(fast_dev_run=True)
    fit.fit(model)
    assert {"loss/train", "loss/val", "error_rate", "tagging/f1"} <= fit.callback_metrics.keys()
    assert task.val_monitor == ("loss/val", "min")
    batch = task.collate_fn([task.prepare_chunk(i, 0.0) for i in range(8)])
    assert (batch["y"] == -1).all(dim=(1, 2)).tolist() == [True] * 4 + [False] * 4
    assert (batch["tags"] >= 0).all()

    fit.save_checkpoint(tmp_path / "devinet.ckpt")
    loaded = Model.from_pretrained(tmp_path / "devinet.ckpt")
    assert isinstance(loaded, DeviNet) and loaded.specifications.classes == CLASSES
    torch.testing.assert_close(loaded.eval()(batch["X"]), model.eval()(batch["X"]))


@pytest.mark.parametrize("weak", [True, False])
def test_development_labels_may_be_of_either_kind(tmp_path, weak):
    files = list(planted_files(tmp_path, 4, 1, weak))
    task = SpeakerDetection(Planted(files, files), duration=4.0, batch_size=4, num_workers=0)
    fit = trainer(fast_dev_run=True)
    fit.fit(DeviNet(task=task, attention=True, **TINY))
    assert (
        "f1" in fit.callback_metrics
    ) != weak  # frames of tagged files are unknown: no score is better than a wrong one
    assert "tagging/f1" in fit.callback_metrics


def test_strong_labels_suit_any_frame_model(tmp_path):
    files = list(planted_files(tmp_path, 4, 1, weak=False))
    task = SpeakerDetection(Planted(files, files), duration=4.0, batch_size=4, num_workers=0)
    fit = trainer(fast_dev_run=True)
    fit.fit(PyanNet(task=task))
    assert "f1/tone" in fit.callback_metrics


def test_thresholds_are_tuned_by_the_stock_pipeline(tmp_path):
    """As `pyannote-audio optimize` does it."""
    files = list(planted_files(tmp_path, 2, 2, weak=False))
    task = prepared(Planted(files, files))
    pipeline = MultiLabelSegmentation(segmentation=task.model, fscore=True, step=4.0)
    subset = [file | {"waveform": waveform(file), "sample_rate": SAMPLE_RATE} for file in files]
    for file in subset:
        file["annotated"] = Timeline([Segment(0, 4)])
    optimizer = Optimizer(pipeline)
    optimizer.tune(subset, n_iterations=2, show_progress=False)
    assert set(optimizer.best_params["thresholds"]) == set(CLASSES)
