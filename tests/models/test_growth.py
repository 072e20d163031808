"""Deeper models do what those did that they were made from, until they are trained."""

import pytest
import torch

from pyannote_pix2seq.models.growth import deeper
from pyannote_pix2seq.models.pix2seq import SequenceSpecifications
from pyannote_pix2seq.models.weights import load, save
from tests.tasks.miniature import tiny


def trained():
    """One with an identity head, whose statistics and weights are nobody's defaults."""
    torch.manual_seed(1)
    model = tiny(num_layers=3, frame_layer=2)
    model.specifications = SequenceSpecifications.of(4.0, num_voices=5)
    model.setup()
    with torch.no_grad():
        for tensor in [*model.parameters(), *(b for b in model.buffers() if b.is_floating_point())]:
            tensor += 0.1 * torch.rand_like(tensor)
    return model.eval()


WAVEFORMS = 0.1 * torch.randn(2, 1, 64000, generator=torch.Generator().manual_seed(0))


def answers(model):
    state = model.read(WAVEFORMS)
    first = model.vocabulary.first_time
    tokens = torch.tensor(
        [[model.vocabulary.DIARIZE, first + 5, first + 90, model.vocabulary.first_speaker, first + 9]] * 2
    )
    logits, _ = model.write(tokens, state)
    return logits, state.activity, model.identify(state.voices)


@pytest.mark.parametrize("layers", [[], [0], [2], [4, 1], [3, 4]])
@pytest.mark.parametrize("depths", [[1, 1, 1], [1, 2, 3]])
@torch.inference_mode()
def test_deeper_models_answer_the_same(depths, layers):
    model = trained()
    made = deeper(model, depths, layers)
    for before, after in zip(answers(model), answers(made), strict=True):
        torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-5)
    assert made.hparams.num_layers == 3 + len(layers)
    assert made.stem.depths == depths


def test_all_that_is_new_is_learned():
    model = trained()
    made = deeper(model, [2, 1, 2], [1, 4]).train()
    optimizer = torch.optim.SGD(made.parameters(), lr=1.0)
    for _ in range(2):  # only what comes last has a gradient at first
        optimizer.zero_grad()
        sum(answer.square().clamp(max=10).mean() for answer in answers(made)).backward()
        optimizer.step()
    new = ("stem.stages.4.", "stem.stages.13.", "layers.1.", "layers.4.")
    gradients = {name: p.grad for name, p in made.named_parameters() if name.startswith(new)}
    assert len(gradients) > 20
    assert not {name for name, gradient in gradients.items() if not gradient.any()}


def test_it_is_kept_with_the_weights_and_grows_again(tmp_path):
    made = deeper(deeper(trained(), [1, 2, 1]), [2, 2, 1], [3])
    save(made, tmp_path)
    again = load(tmp_path)
    assert again.stem.depths == [2, 2, 1]
    assert len(again.layers) == 4


@pytest.mark.parametrize(
    ("depths", "layers", "told"),
    [
        ([1, 1], [], "3 stages needs as many depths"),
        ([1, 0, 1], [], "3 stages needs as many depths"),
        ([1, 1, 1], [5], "some of 0 to 3"),
        ([1, 1, 1], [2, 2], "some of 0 to 4"),
    ],
)
def test_what_cannot_be_is_told(depths, layers, told):
    with pytest.raises(ValueError, match=told):
        deeper(trained(), depths, layers)


def test_nothing_becomes_shallower_and_gated_blocks_do_not_grow():
    with pytest.raises(ValueError, match=r"a stem of \[1, 2, 1\] blocks cannot become one of \[1, 1, 1\]"):
        deeper(deeper(trained(), [1, 2, 1]), [1, 1, 1])
    gated = tiny(stem_block="gated")
    gated.setup()
    with pytest.raises(ValueError, match="only residual blocks can be added; this stem has gated ones"):
        deeper(gated, [1, 2, 1])
    assert len(deeper(gated, [1, 1, 1], [1]).layers) == 3
