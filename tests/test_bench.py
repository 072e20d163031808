"""What `make bench` compares is the same thing."""

import torch

from bench.decoding import Recomputing
from bench.files import call, peer
from pyannote_pix2seq.decoding import search, window_rules
from tests.tasks.miniature import tiny


def test_the_seeds_way_of_decoding_comes_to_the_same():
    model = tiny().eval()
    waveforms = torch.randn(2, 1, 64000, generator=torch.Generator().manual_seed(0)) / 10
    rules = [window_rules(model.vocabulary, min_speakers=2, max_turns=4)] * 2
    cached, anew = search(model, waveforms, rules), search(Recomputing(model), waveforms, rules, cached=False)
    assert [d.tokens for d in cached] == [d.tokens for d in anew] and all(d.tokens for d in cached)
    for one, other in zip(cached, anew, strict=True):
        torch.testing.assert_close(one.probabilities, other.probabilities)


def test_the_peer_does_all_of_its_work():
    """Where nobody talks at all it would compute no embeddings."""
    assert len(peer()(call(10)).speaker_diarization.labels()) == 1
