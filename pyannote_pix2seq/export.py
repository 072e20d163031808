"""From a Lightning checkpoint to the folder of a pipeline, as it is shipped: safetensors, `config.yaml`, model card."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from pyannote.audio import Model

from .files import writing_text
from .models.checkpoints import load_checkpoint, open_checkpoint
from .models.weights import TRAINING_ONLY, save
from .pipelines import PromptedSpeakerDiarization
from .pipelines.multilabel import untuned

CARD = """\
---
license: # of the weights, as the training data allows
tags: [pyannote, speaker-diarization]
---
# {title}

{kind} of [pyannote-pix2seq](https://pypi.org/project/pyannote-pix2seq), {parameters:.1f} million parameters,
{trained}windows of {duration:g} s.

```python
from pyannote.audio import Pipeline

pipeline = Pipeline.from_pretrained("{title}")  # this folder, or its name on the Hugging Face hub
output = pipeline("audio.wav")
```

## Training data

<!-- which speech, whose licence, how many hours and speakers; the exact command -->

## Accuracy

<!-- the table that `pyannote-pix2seq evaluate {title} DATA` prints, with the version of DATA -->

## Limits

<!-- languages, numbers of speakers, recording conditions that were not measured -->
"""


def export(checkpoint: str | Path, folder: str | Path, mean_with: Sequence[str | Path] = ()) -> Path:
    """Write the pipeline of a checkpoint's model.

    Parameters
    ----------
    checkpoint : str or Path
        Written by `pyannote-pix2seq train`. When weights were averaged, the averages are taken.
    folder : str or Path
        Made when it is missing. Its model card is kept when there is one.
    mean_with : sequence of (str or Path)
        Checkpoints of other runs that began with the same weights, or of parts of one run: their mean is often better
        than any of them (Wortsman et al., arXiv 2203.05482).

    Returns
    -------
    folder : Path
        For `Pipeline.from_pretrained`.

    Raises
    ------
    FileNotFoundError, ValueError
        If a checkpoint cannot be opened, or is not of a model of ours, or not of the same one.
    """
    folder = Path(folder)
    if folder.is_file():
        raise ValueError(f"{folder}: is a file; expected a folder to write to.")
    model = load_checkpoint(checkpoint)
    others = [load_checkpoint(path).state_dict() for path in mean_with]
    shipped = {n: weights for n, weights in model.state_dict().items() if not n.startswith(TRAINING_ONLY)}
    for name, weights in shipped.items():
        for path, other in zip(mean_with, others, strict=True):
            if name not in other or other[name].shape != weights.shape:
                raise ValueError(f"{path}: is of another model than {checkpoint}: {name} differs.")
        if weights.is_floating_point():
            weights.copy_(torch.stack([weights, *(other[name] for other in others)]).mean(0))
    name, config = _pipeline(model)
    save(model, folder / name)
    with writing_text(folder / "config.yaml") as file:
        file.write(yaml.safe_dump(config, sort_keys=False))
    if not (folder / "README.md").exists():
        with writing_text(folder / "README.md") as file:
            file.write(_card(model, open_checkpoint(checkpoint), folder))
    return folder


def _pipeline(model: Model) -> tuple[str, dict[str, Any]]:
    """Name of the model's folder, and `config.yaml` of the pipeline."""
    kind = type(model).__name__
    dependencies = {"pyannote.audio": "4.0.0", "pyannote_pix2seq": version("pyannote-pix2seq")}
    if kind == "Pix2Seq":
        pipeline = {
            "name": "pyannote_pix2seq.pipelines.PromptedSpeakerDiarization",
            "params": {"model": "$model/pix2seq"},
        }
        params: dict[str, Any] = dict(PromptedSpeakerDiarization(model).default_parameters())
    elif kind == "DeviNet" and model.specifications.permutation_invariant:
        raise ValueError(
            "this DeviNet tells speakers of a chunk apart, not classes: `pyannote-pix2seq strip` it for pyannote's own "
            "SpeakerDiarization pipeline."
        )
    elif kind == "DeviNet":
        pipeline = {
            "name": "pyannote_pix2seq.pipelines.MultiLabelSegmentation",
            # windows overlap by half; upstream's default, nine tenths, takes five times as long
            "params": {"segmentation": "$model/devinet", "step": float(model.specifications.duration) / 2},
        }
        params = untuned(model.specifications.classes)
    else:
        raise ValueError(f"only Pix2Seq and DeviNet are exported; got a {kind}: `pyannote-pix2seq strip` it instead.")
    return kind.lower(), {"dependencies": dependencies, "pipeline": pipeline, "params": params}


def _card(model: Model, checkpoint: dict[str, Any], folder: Path) -> str:
    steps, epochs = checkpoint.get("global_step"), checkpoint.get("epoch")
    return CARD.format(
        title=folder.resolve().name,
        kind=type(model).__name__,
        parameters=sum(p.numel() for n, p in model.named_parameters() if not n.startswith(TRAINING_ONLY)) / 1e6,
        trained="" if steps is None or epochs is None else f"trained for {steps:,} steps ({epochs + 1} epochs); ",
        duration=model.specifications.duration,
    )
