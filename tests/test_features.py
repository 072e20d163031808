"""Laws of every acoustic front-end of the table."""

import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyannote_pix2seq.features import FRONT_ENDS, front_end
from pyannote_pix2seq.models.weights import load, save
from tests import front_ends
from tests.tasks.miniature import tiny

SAMPLE_RATE = 16000

assert FRONT_ENDS  # a loop over an empty table would test nothing
every_front_end = pytest.mark.parametrize("name", sorted(FRONT_ENDS))


def make(name):
    torch.manual_seed(0)
    return front_ends.make(name, SAMPLE_RATE)


def noise(num_samples, batch_size=1):
    return 0.1 * torch.randn(batch_size, 1, num_samples, generator=torch.Generator().manual_seed(num_samples))


@every_front_end
@given(num_samples=st.integers(1, 8000))
def test_frames_are_as_many_as_promised(name, num_samples):
    extractor = make(name)
    features = extractor(noise(num_samples, batch_size=2))
    assert features.shape == (2, extractor.num_frames(num_samples), extractor.dimension)
    assert features.isfinite().all()


@every_front_end
def test_batch_equals_single(name):
    extractor, waveforms = make(name), noise(8000, batch_size=3)
    together = extractor(waveforms)
    for waveform, features in zip(waveforms, together, strict=True):
        torch.testing.assert_close(extractor(waveform[None])[0], features, rtol=1e-4, atol=1e-4)


@every_front_end
def test_a_later_sound_has_later_frames(name):
    extractor, waveforms = make(name), noise(16000)
    features, shifted = extractor(waveforms), extractor(waveforms[..., 5 * extractor.hop_length :])
    torch.testing.assert_close(features[:, 15:45], shifted[:, 10:40], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", sorted(FRONT_ENDS.keys() - {"dac_codes"}))  # codes have no gradient
def test_a_frame_sees_its_receptive_field_and_no_more(name):
    extractor, frame = make(name), 40
    waveforms = noise(16000).requires_grad_()
    extractor(waveforms)[0, frame].sum().backward()
    seen = waveforms.grad[0, 0].nonzero().flatten()
    center, half = extractor.receptive_field_center(frame), extractor.receptive_field_size() // 2
    assert center - half <= seen.min() < center < seen.max() <= center + half
    assert seen.max() - seen.min() > 0.8 * extractor.receptive_field_size()


@every_front_end
def test_neighbouring_frames_see_one_hop_more(name):
    extractor = make(name)
    assert extractor.receptive_field_size(3) - extractor.receptive_field_size(1) == 2 * extractor.hop_length


@every_front_end
def test_silence_is_finite(name):
    assert make(name)(torch.zeros(1, 1, 4000)).isfinite().all()


@every_front_end
def test_autocast_changes_nothing(name):
    extractor, waveforms = make(name), noise(4000)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = extractor(waveforms)
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, extractor(waveforms))


def test_learned_bands_follow_the_pitch():
    """A tone is loudest in a higher band when it is higher."""
    extractor = make("learned")
    time = torch.arange(SAMPLE_RATE) / SAMPLE_RATE
    loudest = [extractor(torch.sin(2 * torch.pi * hz * time)[None, None])[0, 50].argmax() for hz in (300, 1000, 4000)]
    assert loudest[0] < loudest[1] < loudest[2]


def test_learned_bands_are_learned():
    extractor = make("learned")
    extractor(noise(4000)).sum().backward()
    gradients = [parameter.grad for parameter in extractor.filters.parameters()]
    assert gradients and all(gradient.abs().sum() > 0 for gradient in gradients)


def test_unknown_name_is_refused():
    with pytest.raises(ValueError, match="unknown front-end .mfcc.; known front-ends: .*logmel"):
        front_end("mfcc", SAMPLE_RATE)
    with pytest.raises(ValueError, match="'learned' has no parameter 'num_mels'; its parameters: num_filters"):
        front_end("learned", SAMPLE_RATE, num_mels=64)


@pytest.fixture(scope="module")
def codec(tmp_path_factory):
    """Folder of a small codec with weights that let something through."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(1)
    model = transformers.DacModel(transformers.DacConfig(**front_ends.CODEC, decoder_hidden_size=8))
    for module in model.modules():
        if isinstance(module, torch.nn.Conv1d):
            module.reset_parameters()
    folder = tmp_path_factory.mktemp("codec")
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("odd", [(2, 4, 20), (2, 4, 5, 8), (3, 5)])
def test_a_click_is_heard_where_it_is(odd):
    pytest.importorskip("transformers")
    extractor = front_end("dac_latents", SAMPLE_RATE, architecture={**front_ends.CODEC, "downsampling_ratios": odd})
    for module in extractor.modules():
        if isinstance(module, torch.nn.Conv1d):  # a codec that adds up what it sees
            module.weight.data.fill_(1 / module.weight[0].numel())
            module.bias.data.zero_()
    waveforms = torch.zeros(1, 1, 100 * extractor.hop_length)
    waveforms[..., 50 * extractor.hop_length] = 0.01
    extractor.project.weight.data.fill_(1.0)
    heard = extractor.eval()(waveforms)[0] - extractor(torch.zeros_like(waveforms))[0]
    weight = heard.abs().sum(-1)
    assert ((weight * torch.arange(len(weight))).sum() / weight.sum()).item() == pytest.approx(50, abs=0.05)


@pytest.mark.parametrize("name", ["dac_codes", "dac_latents"])
def test_a_codec_stays_as_it_is_and_travels_with_the_model(name, codec, tmp_path):
    torch.manual_seed(0)
    model = tiny(front_end=name, front_end_parameters={"model": str(codec), "num_features": 32})
    model.setup()
    loaded = front_end(name, SAMPLE_RATE, model=str(codec)).quantizer.state_dict()
    for key, weight in model.front_end.quantizer.state_dict().items():
        assert torch.equal(weight, loaded[key]), key
    trained = {key for key, parameter in model.front_end.named_parameters() if parameter.requires_grad}
    assert trained == {"norm.weight", "norm.bias", "project.weight", "project.bias"}
    assert not model.train().front_end.quantizer.training

    for parameter in model.parameters():  # matrices are stored in half precision
        parameter.data = parameter.data.half().float()
    save(model.eval(), tmp_path)
    again = load(tmp_path)
    assert "model" not in again.hparams.front_end_parameters
    torch.testing.assert_close(again.front_end(noise(8000)), model.front_end(noise(8000)))


def test_codes_are_vectors_of_the_codebooks():
    extractor = make("dac_codes")
    first = extractor.compressed(extractor.encoder(noise(8000)))[0, :4].T
    book = extractor.quantizer.quantizers[0].codebook.weight
    assert (torch.cdist(first, book).min(1).values < 1e-5).all()


def test_codecs_that_cannot_be_had_are_told(codec, tmp_path, monkeypatch):
    def asked(**parameters):
        return front_end("dac_latents", SAMPLE_RATE, **parameters)

    with pytest.raises(ValueError, match="take the weights of a codec: .*model: ...*dac_16khz"):
        asked()
    with pytest.raises(FileNotFoundError, match="'nowhere/to/be/found': there is no such folder; expected a folder"):
        asked(model="nowhere/to/be/found")
    with pytest.raises(FileNotFoundError, match="cannot be loaded .*expected a folder"):
        asked(model=str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "encodec"}')
    with pytest.raises(ValueError, match="is a 'encodec' model"):
        asked(model=str(tmp_path))
    (tmp_path / "config.json").write_text((codec / "config.json").read_text())
    with pytest.raises(FileNotFoundError, match="cannot be loaded"):
        asked(model=str(tmp_path))
    with pytest.raises(ValueError, match="hears 16000 Hz, and the model 8000 Hz"):
        front_end("dac_latents", 8000, model=str(codec))
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match=r"pip install 'pyannote-pix2seq\[codec\]'"):
        asked(model=str(codec))
