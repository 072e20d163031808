"""DeviNet: its layers, its place in time, its attention head, and its life inside pyannote.audio."""

from importlib.resources import files

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning import Trainer
from pyannote.audio import Inference, Model
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.pipelines import MultiLabelSegmentation
from pyannote.core import Segment
from torch import nn

from pyannote_pix2seq.features import FRONT_ENDS
from pyannote_pix2seq.models.devinet import DeviNet, attend
from pyannote_pix2seq.models.weights import save
from tests.front_ends import parameters

VOICE_TYPES = ["KCHI", "CHI", "MAL", "FEM"]


def preset(name):
    """Parameters of a yaml of the configuration."""
    parameters = yaml.safe_load((files("pyannote_pix2seq.config") / "model" / f"{name}.yaml").read_text("utf-8"))
    assert parameters.pop("_target_") == "pyannote_pix2seq.models.DeviNet"
    return parameters


PRINTED, PAPER, LIGHT = map(preset, ("DeviNet", "DeviNetPaper", "DeviNetLight"))
TINY = {
    "conv_blocks": 2, "conv_channels": 4, "layers_pooling": [4, 4], "final_channels": 8, "final_pooling": 4,
    "recurrent": [8], "linear_layers": [8],
}  # fmt: skip


def make(problem=Problem.MULTI_LABEL_CLASSIFICATION, classes=VOICE_TYPES, **parameters):
    torch.manual_seed(0)
    model = DeviNet(**parameters)
    model._specifications = Specifications(
        problem=problem, resolution=Resolution.FRAME, duration=2.0, classes=list(classes)
    )
    model.build()
    return model.eval()


def noise(num_samples, batch_size=1):
    return 0.1 * torch.randn(batch_size, 1, num_samples, generator=torch.Generator().manual_seed(num_samples))


def layers(model):
    """Layers that have weights or pool, as (part, description) pairs in order."""
    found = []
    for name, layer in model.named_modules():
        match layer:
            case nn.Conv2d():
                what = (
                    f"conv {layer.in_channels}-{layer.out_channels} {layer.kernel_size} {layer.stride} {layer.padding}"
                )
            case nn.BatchNorm2d():
                what = f"norm {layer.num_features}"
            case nn.MaxPool2d():
                what = f"pool {layer.kernel_size}"
            case nn.GRU():
                what = f"gru {layer.input_size}-{layer.hidden_size}{' bidirectional' if layer.bidirectional else ''}"
            case nn.Linear():
                what = f"linear {layer.in_features}-{layer.out_features}"
            case nn.Tanh() | nn.Sigmoid():
                what = type(layer).__name__
            case _:
                continue
        found.append((name.split(".")[0], what))
    return found


def num_weights(model):
    return sum(parameter.numel() for parameter in model.parameters())


def test_the_printed_network():
    """Layer by layer the table that the port's README prints."""

    def gated(size):
        return [f"conv {size}-256 (3, 3) (1, 1) (1, 1)", "norm 256"]

    def block(size):
        return [*gated(size), *gated(128), "pool (1, 2)"]

    expected = [("pooled_gcnns", layer) for layer in block(1) + block(128) + block(128)]
    expected += [("final_conv", "conv 128-256 (3, 3) (2, 2) (1, 1)"), ("final_pool", "pool (1, 4)")]
    expected += [("gated_bigru", "gru 256-128 bidirectional")] * 2
    expected += [("fc_layers", layer) for layer in ("linear 128-32", "Tanh", "linear 32-32", "Tanh")]
    expected += [("classifier", "linear 32-4"), ("activation", "Sigmoid")]
    model = make(**PRINTED)
    assert layers(model) == expected
    assert num_weights(model) == 2_374_852


def test_the_paper_s_network():
    model = make(classes=[f"class {i}" for i in range(17)], **PAPER)
    assert model.num_frames(160_000) in (240, 241)  # 240 in the paper, whose frames do not reach beyond the edges
    kinds = [what.split()[0] for _, what in layers(model)]
    assert kinds.count("conv") == 2 * 4 + 1 and kinds.count("gru") == 2
    assert isinstance(model.final_relu, nn.ReLU)
    assert model.classifier.in_features == 2 * 128
    assert num_weights(model) == 1_269_666


def test_the_light_network():
    model = make(**LIGHT)
    assert num_weights(model) == 135_236
    assert model.receptive_field.step == 0.02


def test_the_gate_multiplies():
    """What the gate closes does not pass: a network whose gates are shut tells nothing about its input."""
    model = make(**TINY)
    for gated in (layer for block in model.pooled_gcnns for layer in list(block)[:2]):
        channels = gated.batchnorm.num_features // 2
        gated.batchnorm.weight.data[:channels] = 0
        gated.batchnorm.bias.data[:channels] = -1e4
    torch.testing.assert_close(model(noise(8000)), model(torch.zeros(1, 1, 8000)))


@pytest.mark.parametrize("front_end", sorted(FRONT_ENDS))
@pytest.mark.parametrize("final_stride", [1, 2])
@settings(max_examples=20)
@given(num_samples=st.integers(1, 6000))
def test_frames_are_as_many_as_promised(front_end, final_stride, num_samples):
    chosen = {"front_end": front_end, "front_end_parameters": parameters(front_end) or None}
    model = make(**TINY | chosen | {"final_stride": final_stride, **fit(front_end, final_stride)})
    assert model(noise(num_samples)).shape == (1, model.num_frames(num_samples), len(VOICE_TYPES))


def fit(front_end, final_stride):
    """Poolings that leave one band of any front-end of the table."""
    bands = 64 if front_end == "logmel" else FRONT_ENDS[front_end](**parameters(front_end)).dimension
    return {"layers_pooling": [2, 2], "final_pooling": bands // (2 * 2 * final_stride)}


@pytest.mark.parametrize("final_stride", [1, 2])
def test_a_frame_sees_its_receptive_field_and_no_more(final_stride):
    model = make(**TINY | {"final_stride": final_stride, "final_pooling": 4 // final_stride, "recurrent": []})
    frame = 30
    waveforms = noise(16000).requires_grad_()
    model(waveforms)[0, frame].sum().backward()
    seen = waveforms.grad[0, 0].nonzero().flatten()
    center, half = model.receptive_field_center(frame), model.receptive_field_size() // 2
    # a Hann window is zero or nearly so at its edges
    assert -half <= seen.min() - center < -0.95 * half
    assert 0.95 * half < seen.max() - center <= half


@pytest.mark.parametrize("parameters", [TINY, PRINTED, PAPER, LIGHT])
def test_pyannote_places_frames_where_they_are(parameters):
    """It assumes the middle of frame i at i x step + duration / 2: that is within half a step of the truth."""
    model = make(**parameters)
    window = model.receptive_field
    truth = np.array([model.receptive_field_center(i) for i in range(50)]) / 16000
    np.testing.assert_allclose([window[i].middle for i in range(50)], truth, atol=1e-9)
    assumed = np.arange(50) * window.step + window.duration / 2
    assert np.abs(assumed - truth).max() <= window.step / 2 + 1e-9


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"layers_pooling": [2, 2, 2, 1]}, "must be 64, the number of bands.*got 2 x 2 x 2 x 1 x 1 x 4 = 32"),
        ({"conv_blocks": 3}, "one number for each of the 3 convolutional blocks"),
        ({"front_end_parameters": {"num_mels": 80}}, "must be 80"),
        ({"activation_type": "relu"}, "unknown activation_type 'relu'; known: sigmoid, tanh"),
        ({"directions": "average"}, "unknown directions 'average'; known: concatenate, sum"),
        ({"front_end": "mfcc"}, "known front-ends"),
    ],
)
def test_what_does_not_fit_is_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        DeviNet(**parameters)


def test_attention_needs_detections():
    with pytest.raises(ValueError, match="binary or multi-label"):
        make(Problem.MONO_LABEL_CLASSIFICATION, attention=True, **TINY)


# attention -----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1))
def test_a_clip_is_between_its_frames(seed):
    frames, attention = torch.rand(2, 2, 7, 3, generator=torch.Generator().manual_seed(seed))
    clips = attend(frames, attention)
    assert (clips <= frames.amax(1) + 1e-6).all() and (clips >= frames.amin(1) - 1e-6).all()
    torch.testing.assert_close(attend(frames, torch.ones_like(frames)), frames.mean(1))
    torch.testing.assert_close(attend(frames, 5 * attention), clips)


def test_attention_picks_its_frame():
    frames, attention = torch.rand(2, 7, 3), torch.zeros(2, 7, 3)
    attention[:, 4] = 1
    torch.testing.assert_close(attend(frames, attention), frames[:, 4], atol=1e-5, rtol=0)
    assert attend(frames, torch.zeros(2, 7, 3)).isfinite().all()


def test_a_clip_is_a_probability():
    """Rounding may not push it above 1, where cross-entropy is not defined."""
    assert attend(torch.ones(50, 501, 4), torch.rand(50, 501, 4)).max() <= 1


def test_attention_sums_to_one_over_frames():
    detection = make(attention=True, **TINY).detect(noise(8000, batch_size=2))
    torch.testing.assert_close(detection.attention.sum(1), torch.ones(2, 4))
    torch.testing.assert_close(detection.clips, attend(detection.frames, detection.attention))


def test_forward_gives_frames():
    model = make(attention=True, **TINY)
    torch.testing.assert_close(model(noise(8000)), model.detect(noise(8000)).frames)
    without = make(**TINY).detect(noise(8000))
    assert without.attention is None and without.clips is None


def test_what_is_surely_there_can_be_unlearned_in_half_precision():
    model = make(**TINY)
    torch.nn.init.constant_(model.classifier.bias, 9.0)
    with torch.autocast("cpu", torch.bfloat16):
        frames = model.detect(noise(8000)).frames
    assert frames.dtype == torch.float32 and 0.99 < frames.max() < 1


# pyannote.audio ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parameters", [TINY, TINY | {"attention": True, "front_end": "learned"}])
def test_from_pretrained(parameters, tmp_path):
    model = make(**parameters)
    trainer = Trainer(logger=False, accelerator="cpu", default_root_dir=tmp_path)
    trainer.strategy.connect(model)
    trainer.save_checkpoint(tmp_path / "devinet.ckpt")
    loaded = Model.from_pretrained(tmp_path / "devinet.ckpt").eval()
    assert isinstance(loaded, DeviNet)
    assert loaded.hparams == model.hparams and "task" not in loaded.hparams
    assert loaded.specifications.classes == VOICE_TYPES
    torch.testing.assert_close(loaded(noise(8000)), model(noise(8000)))


@pytest.mark.parametrize("parameters", [TINY, TINY | {"attention": True}])
def test_folder_of_weights(parameters, tmp_path):
    """As it is shipped: safetensors, which pyannote's own loader finds."""
    model = make(**parameters)
    save(model, tmp_path)
    loaded = Model.from_pretrained(tmp_path).eval()
    assert isinstance(loaded, DeviNet) and loaded.specifications.classes == VOICE_TYPES
    torch.testing.assert_close(loaded(noise(8000)), model(noise(8000)), atol=0.01, rtol=0)  # stored as float16


@pytest.mark.parametrize("problem", [Problem.BINARY_CLASSIFICATION, Problem.MONO_LABEL_CLASSIFICATION])
def test_other_problems(problem):
    output = make(problem, **TINY)(noise(8000))
    if problem is Problem.MONO_LABEL_CLASSIFICATION:
        output = output.exp().sum(-1)
        torch.testing.assert_close(output, torch.ones_like(output))
    else:
        assert ((output >= 0) & (output <= 1)).all()


def test_stock_inference_and_pipeline():
    model = make(**TINY)
    file = {"uri": "noise", "waveform": noise(5 * 16000)[0], "sample_rate": 16000}
    scores = Inference(model, step=1.0)(file)
    assert scores.data.shape[1] == 4 and abs(len(scores) - model.num_frames(5 * 16000)) <= 1

    pipeline = MultiLabelSegmentation(segmentation=model, step=1.0)
    assert list(pipeline.classes()) == VOICE_TYPES
    median = dict(zip(VOICE_TYPES, np.median(scores.data, axis=0).tolist(), strict=True))
    pipeline.instantiate(
        {
            "thresholds": {
                name: {"onset": median[name], "offset": median[name], "min_duration_on": 0.0, "min_duration_off": 0.0}
                for name in VOICE_TYPES
            }
        }
    )
    detected = pipeline(file)
    assert set(detected.labels()) == set(VOICE_TYPES)
    assert detected.get_timeline().extent() in Segment(-0.1, 5.1)
