"""Muon and AdamW as one optimizer."""

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from pyannote_pix2seq.cli.muon import Muon, Orthogonal, between_layers, fast
from pyannote_pix2seq.cli.optimization import parameter_groups


def made():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(200, 8), nn.Linear(8, 12), nn.LayerNorm(12), nn.Linear(12, 8), nn.Linear(8, 200))
    return model, Muon(parameter_groups(model), lr=0.01)


def step(model, optimizer, seed):
    optimizer.zero_grad()
    tokens = torch.randint(0, 200, (16,), generator=torch.Generator().manual_seed(seed))
    nn.functional.cross_entropy(model(tokens), tokens).backward()
    optimizer.step()


def test_matrices_between_layers_move_by_steps_of_one_length_in_all_directions():
    model, optimizer = made()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    adamw = torch.optim.AdamW(parameter_groups(model), lr=0.01, betas=(0.9, 0.98), weight_decay=0.05)
    step(model, optimizer, 0)
    after = {name: p.detach().clone() for name, p in model.named_parameters()}
    gradients = [p.grad for p in model.parameters()]
    model.load_state_dict(before)
    for p, gradient in zip(model.parameters(), gradients, strict=True):
        p.grad = gradient
    adamw.step()
    hidden = {name for name, p in model.named_parameters() if between_layers(p)}
    assert hidden == {"1.weight", "3.weight"}
    for name, p in model.named_parameters():
        if name in hidden:
            # decay shrinks the matrix by rate times 0.05 first
            lengths = torch.linalg.svdvals(after[name] - (1 - 0.04 * 0.05) * before[name])
            assert lengths.max() < 3 * lengths.min()
            assert 0.5 < lengths.mean() / (0.04 * 0.2 * 12**0.5) < 1.3
        else:
            torch.testing.assert_close(after[name], p.detach())


def test_a_schedule_moves_both_rates_and_a_resumed_optimizer_goes_on_exactly():
    model, optimizer = made()
    schedule = LambdaLR(optimizer, lambda n: 1 / (1 + n))
    for n in range(3):
        step(model, optimizer, n)
        schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.01, *[0.0025] * (len(optimizer.param_groups) - 1)]
    again, resumed = made()
    again.load_state_dict(model.state_dict())
    resumed.load_state_dict(deepcopy(optimizer.state_dict()))  # tensors would be shared
    for n in range(3, 5):
        step(model, optimizer, n)
        step(again, resumed, n)
    for p, q in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(p, q)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_matrices_move_as_by_the_muon_of_torch_in_either_precision(monkeypatch, precision):
    monkeypatch.setattr("pyannote_pix2seq.cli.muon.fast", lambda device: precision)
    torch.manual_seed(0)
    ours = [nn.Parameter(torch.randn(*shape)) for shape in [(12, 8), (8, 12), (10, 10)]]
    theirs = [nn.Parameter(p.detach().clone()) for p in ours]
    given = {"lr": 0.02, "weight_decay": 0.05, "momentum": 0.95}
    optimizers = (
        Orthogonal([{"params": ours}], **given),
        torch.optim.Muon(theirs, **given, adjust_lr_fn="match_rms_adamw"),
    )
    start = [p.detach().clone() for p in ours]
    for _ in range(3):
        for p, q in zip(ours, theirs, strict=True):
            p.grad = torch.randn_like(p)
            q.grad = p.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for p, q, before in zip(ours, theirs, start, strict=True):
        moved, expected = p.detach() - before, q.detach() - before
        assert (moved - expected).norm() < 0.03 * expected.norm()  # bfloat16 has eight bits


@pytest.mark.parametrize(
    ("capability", "precision"), [("AVX2", torch.float32), ("DEFAULT", torch.float32), ("AVX512", torch.bfloat16)]
)
def test_bfloat16_is_for_machines_that_are_fast_at_it(monkeypatch, capability, precision):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert fast(torch.device("cpu")) == precision
    assert fast(torch.device("cuda")) == torch.bfloat16
