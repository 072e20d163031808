"""A deeper model that does what a trained one does: `pyannote_pix2seq/models/growth.py`, for checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer
from burst import save

from pyannote_pix2seq.models.checkpoints import open_model
from pyannote_pix2seq.models.growth import deeper


def grow(
    start: Annotated[Path, typer.Argument(help="Checkpoint, or folder of a model.")],
    out: Annotated[Path, typer.Argument(help="Checkpoint of the deeper model.")],
    depths: Annotated[str, typer.Option(help="Blocks of each stage of the stem.")] = "1,2,5",
    layers: Annotated[str, typer.Option(help="Which layers of the deeper model are new.")] = "4,7",
) -> None:
    """Make a model deeper, for more to be learned."""
    torch.manual_seed(0)
    save(deeper(open_model(start), *([int(i) for i in each.split(",") if i] for each in (depths, layers))), out)


if __name__ == "__main__":
    typer.run(grow)
