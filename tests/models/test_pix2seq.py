"""The laws of the sequence model."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pyannote.audio import Model

from pyannote_pix2seq.decoding.rules import window_rules
from pyannote_pix2seq.decoding.search import search
from pyannote_pix2seq.models.weights import load, save
from pyannote_pix2seq.tasks.targets import activity_loss, collate, sequence_loss
from pyannote_pix2seq.tasks.windows import Prompting, SyntheticWindows
from pyannote_pix2seq.tokens import encode
from pyannote_pix2seq.vocabulary import Vocabulary
from tests.strategies import references
from tests.tasks.miniature import simulator, tiny

turns_of_window = references(num_speakers=4, last_step=200, max_size=5).filter(bool)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = tiny()
    model.setup()
    return model.eval()


def sound(batch=1, seconds=4.0, seed=0):
    return 0.1 * torch.randn(batch, 1, round(seconds * 16000), generator=torch.Generator().manual_seed(seed))


def written(model, turns):
    return torch.tensor([[Vocabulary.DIARIZE, *encode(turns, model.vocabulary)]])


@given(turns=turns_of_window, data=st.data())
@torch.inference_mode()
def test_a_token_changes_nothing_before_it(model, turns, data):
    tokens = written(model, turns)
    changed = data.draw(st.integers(1, tokens.shape[1] - 1))
    others = tokens.clone()
    others[0, changed] = (others[0, changed] + 7) % len(model.vocabulary)
    state = model.read(sound())
    (before, _), (after, _) = model.write(tokens, state), model.write(others, state)
    assert torch.equal(before[:, :changed], after[:, :changed])


@given(turns=turns_of_window, data=st.data())
@torch.inference_mode()
def test_cached_is_uncached(model, turns, data):
    tokens = written(model, turns)
    cut = data.draw(st.integers(1, tokens.shape[1] - 1))
    state = model.read(sound())
    whole, _ = model.write(tokens, state)
    first, state = model.write(tokens[:, :cut], state)
    second, _ = model.write(tokens[:, cut:], state)
    assert torch.allclose(torch.cat([first, second], 1), whole, atol=1e-4)


@given(turns=turns_of_window)
@torch.inference_mode()
def test_a_voice_is_what_is_heard_where_nobody_else_talks_on(model, turns):
    state = model.read(sound())
    _, after = model.write(written(model, turns), state)
    position = model.steps_per_position
    active = state.activity[0].sigmoid()
    others = [torch.cat([active[:, :s], active[:, s + 1 :]], 1) for s in range(active.shape[1])]
    just_one = sum(active[:, s] * (1 - others[s]).prod(1) for s in range(active.shape[1]))
    heard = just_one[:, None] * state.voices[0]
    expected, last = torch.zeros_like(after.met[0]), 0
    for turn in turns:
        first, stop, free = turn.start // position, -(-turn.end // position), -(-last // position)
        alone = max(first, free) if stop - free >= model.ALONE else first  # too little left: all of it
        expected[turn.speaker] += heard[alone:stop].sum(0)
        last = max(last, turn.end)
    assert torch.allclose(after.met[0], expected, atol=1e-4)


@given(batch=st.integers(2, 4), seed=st.integers(0, 5))
@torch.inference_mode()
def test_a_row_of_a_batch_is_what_it_is_alone(model, batch, seed):
    waveforms = sound(batch, seed=seed)
    tokens = torch.tensor([[Vocabulary.DIARIZE, model.vocabulary.first_time + 5]]).expand(batch, -1)
    state = model.read(waveforms)
    logits, _ = model.write(tokens, state)
    alone = model.read(waveforms[:1])
    assert torch.allclose(state.activity[:1], alone.activity, atol=1e-4)
    assert torch.allclose(logits[:1], model.write(tokens[:1], alone)[0], atol=1e-4)
    assert torch.equal(state.select(torch.tensor([1])).activity, state.activity[1:2])


@torch.inference_mode()
def test_writing_leaves_the_state_as_it_was(model):
    state = model.read(sound())
    tokens = torch.tensor([[Vocabulary.DIARIZE]])
    first, _ = model.write(tokens, state)
    model.write(torch.tensor([[Vocabulary.DIARIZE, model.vocabulary.first_time]]), state)
    assert torch.equal(model.write(tokens, state)[0], first)


@torch.inference_mode()
def test_silence_is_finite_and_any_length_is_read(model):
    for samples in (400, 16000, 64000):
        state = model.read(torch.zeros(1, 1, samples))
        assert state.activity.shape[1] == model.num_frames(samples)
        assert torch.isfinite(model.write(torch.tensor([[Vocabulary.DIARIZE]]), state)[0]).all()


def test_the_receptive_field_is_where_gradients_come_from(model):
    """Of the stem: attention sees everything."""
    samples, frame = 32000, 12
    waveform = sound(seconds=2).requires_grad_()
    model.stem(model.front_end(waveform))[0, frame].sum().backward()
    heard = waveform.grad[0, 0].nonzero()[:, 0]
    size, centre = model.receptive_field_size(), model.receptive_field_center(frame)
    assert heard.min() >= centre - size // 2 - 1 or heard.min() == 0
    assert heard.max() <= centre + size // 2 + 1 or heard.max() == samples - 1
    step = model.receptive_field_center(1) - model.receptive_field_center(0)
    assert model.num_frames(samples) == pytest.approx(samples / step, abs=1)


def test_weights_on_disk_give_the_same_logits(model, tmp_path):
    for parameter in model.parameters():  # matrices are stored in half precision
        parameter.data = parameter.data.half().float()
    save(model, tmp_path / "pix2seq")
    tokens = torch.tensor([[Vocabulary.DIARIZE, model.vocabulary.first_time + 3]])
    expected = model(sound(), tokens)
    assert torch.allclose(load(tmp_path / "pix2seq")(sound(), tokens), expected, atol=1e-5)
    assert torch.allclose(Model.from_pretrained(tmp_path / "pix2seq").eval()(sound(), tokens), expected, atol=1e-5)


def test_forward_writes_token_ids(model):
    ids = model(sound(2))
    assert ids.shape == (2, 3 * model.hparams.max_turns)
    assert ids.min() >= 0 and ids.max() < len(model.vocabulary)


def test_one_batch_can_be_overfitted():
    torch.manual_seed(0)
    model = tiny(dimension=32, num_layers=2)
    model.setup()
    windows = SyntheticWindows(simulator(), 4.0, 0.02, Prompting(probability=0.0))
    chosen = [w for w in map(windows.__getitem__, range(12)) if len(w.turns) in (1, 2, 3)][:2]
    batch = collate(chosen, model.vocabulary, model.num_frames(64000), model.steps_per_position)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0)
    for _ in range(1500):
        state = model.read(batch["waveforms"])
        logits, _ = model.write(batch["tokens"][:, :-1], state)
        loss = sequence_loss(logits, batch["tokens"], batch["taught"], model.vocabulary, 0.0)
        if loss.item() < 0.02:
            break
        optimizer.zero_grad()
        (loss + 0.1 * activity_loss(state.activity, batch["activity"])).backward()
        optimizer.step()
    assert loss.item() < 0.02
    with torch.no_grad():
        for _ in range(50):  # running statistics catch up with the weights
            model.read(batch["waveforms"])
    model.eval()
    found = search(model, batch["waveforms"], [window_rules(model.vocabulary, max_turns=8)] * len(chosen))
    for decoded, window in zip(found, chosen, strict=True):
        assert decoded.tokens == encode(window.turns, model.vocabulary)[: len(decoded.tokens)]
        assert len(decoded.tokens) == 3 * len(window.turns)


def test_sizes_that_do_not_fit_are_told():
    with pytest.raises(ValueError, match="voice_layer <= frame_layer < num_layers"):
        tiny(frame_layer=2)
    with pytest.raises(ValueError, match="known front-ends"):
        tiny(front_end="none")
