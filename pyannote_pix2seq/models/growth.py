"""Deeper models that do what a trained one does, so that there is room for more to be learned."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from .pix2seq import Pix2Seq
from .stem import Residual, Stem
from .transformer import Layer


def deeper(model: Pix2Seq, depths: Sequence[int], layers: Sequence[int] = ()) -> Pix2Seq:
    """The model with more blocks in its stem, and with more layers.

    What is added does nothing yet, since the last of its weights are zero: Chen et al., Net2Net, arXiv 1511.05641;
    Goyal et al., arXiv 1706.02677, section 5.1.

    Parameters
    ----------
    model : Pix2Seq
        With a stem of residual blocks.
    depths : sequence of int
        Blocks of each stage of the stem, as many as there are or more.
    layers : sequence of int
        Which layers of the deeper model are new. One where the frame head has its place comes before it.

    Returns
    -------
    model : Pix2Seq
        In evaluation mode.

    Raises
    ------
    ValueError
        If a stage is to have fewer blocks than it has, or there is no such layer, or blocks are of another kind.
    """
    num_layers = model.hparams.num_layers + len(layers)
    if sorted({*layers} & {*range(num_layers)}) != sorted(layers):
        raise ValueError(f"new layers are some of 0 to {num_layers - 1}; got {list(layers)}.")
    kept = [i for i in range(num_layers) if i not in layers]
    shape = {
        "stem_depths": list(depths),
        "num_layers": num_layers,
        "voice_layer": kept[model.hparams.voice_layer],
        "frame_layer": kept[model.hparams.frame_layer],
    }
    made = Pix2Seq(**{name: value for name, value in model.hparams.items() if name != "task"} | shape)
    made.specifications = model.specifications
    made.setup()
    renamed = {f"layers.{i}.": f"layers.{j}." for i, j in enumerate(kept)}
    silent: list[nn.Module] = []
    for before, after in zip(_stages(model.stem), _stages(made.stem), strict=True):
        renamed |= {f"stem.stages.{i}.": f"stem.stages.{j}." for i, j in zip(before, after, strict=False)}
        if len(after) < len(before):
            raise ValueError(f"a stem of {model.stem.depths} blocks cannot become one of {list(depths)}.")
        for block in (made.stem.stages[i] for i in after[len(before) :]):
            if not isinstance(block, Residual):
                raise ValueError(f"only residual blocks can be added; this stem has {model.hparams.stem_block} ones.")
            silent.append(block.body[-1])
    for layer in (layer for i, layer in enumerate(made.layers) if i in layers and isinstance(layer, Layer)):
        silent += [layer.attention.out, layer.feed_forward[-1]]
    for weight in (weight for last in silent for weight in last.parameters()):
        nn.init.zeros_(weight)
    known: dict[str, Tensor] = {}
    for name, weight in model.state_dict().items():
        old = next((old for old in renamed if name.startswith(old)), "")
        known[renamed.get(old, "") + name.removeprefix(old)] = weight
    made.load_state_dict(made.state_dict() | known)
    return made.eval()


def _stages(stem: Stem) -> list[range]:
    """Places of the modules of each stage: a convolution, its norm, what makes it bend, and blocks."""
    starts = [i for i, module in enumerate(stem.stages) if isinstance(module, nn.Conv2d)]
    return [range(i, j) for i, j in zip(starts, [*starts[1:], len(stem.stages)], strict=True)]
