import pytest
import torch

from pyannote_pix2seq.models.voice import VoiceHead

REACH = sum(VoiceHead.DILATIONS)


@pytest.fixture(scope="module")
def head():
    torch.manual_seed(0)
    return VoiceHead(16, 4).eval()


@pytest.mark.parametrize("place", [0, 7, 19])
def test_a_place_is_heard_by_those_near_it_and_by_nobody_else(head, place):
    x = torch.randn(1, 20, 16)
    changed = x.clone()
    changed[0, place] = torch.randn(16)
    with torch.inference_mode():
        differs = (head(x) != head(changed)).any(-1)[0]
    near = (torch.arange(20) - place).abs() <= REACH
    assert torch.equal(differs, near)


def test_in_a_batch_as_alone(head):
    x = torch.randn(3, 12, 16)
    with torch.inference_mode():
        torch.testing.assert_close(head(x), torch.cat([head(row[None]) for row in x]))
