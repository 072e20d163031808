"""The laws of the stem, whatever its blocks."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from pyannote_pix2seq.models import Pix2Seq
from pyannote_pix2seq.models.stem import BLOCKS, Stem
from pyannote_pix2seq.models.weights import load, save
from tests.tasks.miniature import TINY, tiny

FEATURES = 80


def make(block, channels=(4, 6, 8), depths=1):
    torch.manual_seed(0)
    return Stem(FEATURES, channels, 16, block, depths).eval()


def frames(count, batch=1):
    return torch.randn(batch, count, FEATURES, generator=torch.Generator().manual_seed(count))


@pytest.mark.parametrize("block", sorted(BLOCKS))
@pytest.mark.parametrize("count", [1, 7, 8, 9, 100])
@torch.inference_mode()
def test_positions_are_as_many_as_promised(block, count):
    stem = make(block)
    assert stem(frames(count, batch=2)).shape == (2, stem.num_positions(count), 16)


@pytest.mark.parametrize("depths", [1, [1, 2, 3], [3, 1, 2]])
@pytest.mark.parametrize("block", sorted(BLOCKS))
def test_a_position_sees_its_receptive_field_and_no_more(block, depths):
    stem = make(block, depths=depths)
    features = frames(400).requires_grad_()
    position = 25
    stem(features)[0, position].sum().backward()
    seen = features.grad[0].abs().sum(-1).nonzero().flatten()
    size = stem.receptive_field_size()
    assert seen.max() - seen.min() + 1 == size
    assert (seen.max() + seen.min()) / 2 == position * stem.stride
    assert stem.receptive_field_size(3) == size + 2 * stem.stride


@pytest.mark.parametrize("block", sorted(BLOCKS))
@torch.inference_mode()
def test_what_comes_later_is_padding(block):
    """Positions whose field ends before the audio does are what they are in a longer recording."""
    stem = make(block)
    long = frames(400)
    short = stem(long[:, :200])
    inside = (200 - stem.receptive_field_size() // 2) // stem.stride
    torch.testing.assert_close(short[:, :inside], stem(long)[:, :inside], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(short[:, -1], stem(long)[:, short.shape[1] - 1], atol=1e-4)


def test_blocks_cost_the_same():
    def cost(block):
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            make(block, channels=(24, 48, 96))(frames(300))
        return counter.get_total_flops()

    costs = [cost(block) for block in BLOCKS]
    assert len(costs) > 1
    assert max(costs) < 1.02 * min(costs)


def test_the_block_is_kept_with_the_weights(tmp_path):
    model = tiny(stem_block="gated")
    model.setup()
    save(model, tmp_path)
    again = load(tmp_path)
    assert again.hparams.stem_block == "gated"
    assert {type(m) for m in again.stem.stages} & set(BLOCKS.values()) == {BLOCKS["gated"]}


def test_models_that_do_not_tell_have_residual_blocks():
    """Such as those of weights that were saved before there was a choice."""
    stages = Pix2Seq(**TINY).stem.stages
    assert {type(m) for m in stages} & set(BLOCKS.values()) == {BLOCKS["residual"]}


def test_an_unknown_block_is_told():
    with pytest.raises(ValueError, match="unknown block of a stem 'dense'; known blocks: gated, residual"):
        tiny(stem_block="dense")
