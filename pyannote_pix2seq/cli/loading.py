"""Pipelines and models, by what users call them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pyannote.audio import Model, Pipeline
from pyannote.audio import pipelines as stock
from pyannote.audio.utils.dependencies import MissingDependency, WrongDependencyVersion

from .. import pretrained
from ..audio import SAMPLE_RATE, open_audio
from ..files import read_yaml
from ..models.checkpoints import load_checkpoint
from ..models.weights import WEIGHTS, load
from ..pipelines import MultiLabelSegmentation, PromptedSpeakerDiarization
from ..pipelines.multilabel import untuned

# of a `config.yaml`, by pyannote; `optimize` writes the last
SECTIONS = ("version", "dependencies", "pipeline", "params", "freeze", "preprocessors", "device", "optimization")


def load_pipeline(source: str) -> Pipeline:
    """Pipeline of a folder, a `config.yaml`, a model's folder or checkpoint; or by its name, shipped or on the hub.

    Raises
    ------
    FileNotFoundError, ValueError
        If it cannot be loaded.
    """
    path = Path(source)
    if path.suffix == ".ckpt":
        return pipeline_of(load_checkpoint(path))
    if (path / WEIGHTS).is_file():
        return pipeline_of(load(path))
    if path.is_dir() and not (path / "config.yaml").is_file():
        raise ValueError(f"{path}: neither config.yaml nor {WEIGHTS} is in this folder.")
    if not path.exists() and source.count("/") != 1:
        if path.name != source:
            raise FileNotFoundError(f"{source}: there is no such pipeline.")
        path = pretrained(source)
    if not path.exists():
        pipeline = Pipeline.from_pretrained(source)
        if pipeline is None:
            raise ValueError(f"{source}: cannot be loaded as a pipeline.")
        return pipeline
    config = path / "config.yaml" if path.is_dir() else path
    _check_config(config)
    try:
        return Pipeline.from_pretrained(path)
    except (AttributeError, ImportError, KeyError, TypeError, MissingDependency, WrongDependencyVersion) as error:
        raise ValueError(f"{config}: {type(error).__name__}: {error}.") from error


def _check_config(path: Path) -> None:
    """Raises ValueError when a `config.yaml` is none."""
    config = read_yaml(path)
    if isinstance(config, dict) and (unknown := [key for key in config if key not in SECTIONS]):
        raise ValueError(f"{path}: unknown section {unknown[0]!r}; sections: {', '.join(SECTIONS)}.")
    pipeline = config.get("pipeline") if isinstance(config, dict) else None
    if not isinstance(pipeline, dict) or not isinstance(pipeline.get("name"), str):
        raise ValueError(f"{path}: needs `pipeline:` with a `name:` of its class, and `params:`.")


def pipeline_of(model: Model) -> Pipeline:
    """The pipeline that a model of ours is for, with its default parameters."""
    if hasattr(model, "write"):
        return PromptedSpeakerDiarization(model)
    if getattr(model.specifications, "classes", None):
        return MultiLabelSegmentation(model).instantiate(untuned(model.specifications.classes))
    raise ValueError(f"there is no pipeline for a {type(model).__name__} alone; write its config.yaml.")


def own_config(folder: Path) -> Path:
    """`config.yaml` of a pipeline's folder, to be changed.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    path = folder / "config.yaml"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file; make a copy of a pipeline that ships to change it.")
    return path


def detects_classes(pipeline: Pipeline) -> bool:
    """Whether the labels that the pipeline writes are classes, not speakers that have to be matched."""
    return isinstance(pipeline, stock.MultiLabelSegmentation)


def in_memory(file: Mapping[str, Any]) -> dict[str, Any]:
    """File as pipelines of pyannote take it where there is no FFmpeg."""
    waveform = torch.from_numpy(open_audio(file).read())[None]
    return {"uri": file["uri"], "waveform": waveform, "sample_rate": SAMPLE_RATE}


def to_device(pipeline: Pipeline, name: str) -> Pipeline:
    """Move a pipeline.

    Raises
    ------
    ValueError
        If the device cannot be used here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"device {name!r} cannot be used here: {str(error).splitlines()[0]}") from None
    return pipeline.to(device)
