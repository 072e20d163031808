"""What a front-end of the table needs beside its name to be made small and without any file."""

import pytest
from torch import nn

from pyannote_pix2seq.features import front_end

CODEC = {
    "encoder_hidden_size": 4,
    "downsampling_ratios": [2, 4, 20],
    "n_codebooks": 2,
    "codebook_size": 16,
    "codebook_dim": 4,
    "sampling_rate": 16000,
}


def parameters(name):
    if not name.startswith("dac"):
        return {}
    pytest.importorskip("transformers")
    return {"architecture": CODEC}


def make(name, sample_rate=16000):
    made = front_end(name, sample_rate, **parameters(name))
    for module in made.modules():  # the codec starts with weights so small that nothing comes through
        if isinstance(module, nn.Conv1d):
            module.reset_parameters()
    return made.eval()
