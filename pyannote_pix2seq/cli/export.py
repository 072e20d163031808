"""`pyannote-pix2seq export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def export(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint written by training.")],
    folder: Annotated[Path, typer.Argument(help="Folder of the pipeline; an existing model card is kept.")],
    mean_with: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Option(help="Another checkpoint of the same model, to take the mean of their weights; repeat for more."),
    ] = None,
) -> None:
    """Turn a checkpoint into the folder of a pipeline, for `Pipeline.from_pretrained` and `diarize --pipeline`."""
    from ..export import export as write

    print(write(checkpoint, folder, mean_with or ()))
