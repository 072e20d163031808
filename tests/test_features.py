"""Laws of every acoustic front-end of the table."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pyannote_pix2seq.features import FRONT_ENDS, front_end

SAMPLE_RATE = 16000

assert FRONT_ENDS  # a loop over an empty table would test nothing
every_front_end = pytest.mark.parametrize("name", sorted(FRONT_ENDS))


def make(name):
    torch.manual_seed(0)
    return front_end(name, SAMPLE_RATE).eval()


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


@every_front_end
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
