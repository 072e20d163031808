"""Weights on disk: a folder with `config.yaml`, `model.safetensors`, and a stub that pyannote's own loader can find.

`pyannote.audio.Model.from_pretrained(folder)` insists on a pickled `pytorch_model.bin`. Ours holds no weights: it names
the class, whose `load_from_checkpoint` then reads the two other files. Our own `load` never opens it.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from pyannote.audio import Model
from pyannote.audio.core.task import Problem, Resolution, Specifications
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialise

from ..files import replacing, writing_text

CONFIG, WEIGHTS, STUB = "config.yaml", "model.safetensors", "pytorch_model.bin"
# of no use once training is over
TRAINING_ONLY = ("identity.", "validation_metric.", "loss_func.")
PACKAGE = __name__.split(".")[0]


def model_class(module: str, name: str) -> type[Model]:
    """A class of models, and nothing else that a module has: files say what is made, and of which arguments.

    Raises
    ------
    AttributeError, ImportError, TypeError
        If there is no such class.
    """
    kind = getattr(import_module(module), name)
    if not (isinstance(kind, type) and issubclass(kind, Model)):
        raise TypeError(f"{module}.{name} is no model")
    return kind


class Shippable(Model):
    """A model whose folder of weights holds safetensors."""

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, *args: Any, **kwargs: Any) -> Model:
        """Load a Lightning checkpoint, or the folder in which the stub of `save` lies.

        Raises
        ------
        ValueError
            If there is a stub without its weights, as after a download of that one file.
        """
        path = Path(checkpoint_path) if isinstance(checkpoint_path, str | Path) else None
        if path is None or path.name != STUB or not (path.parent / WEIGHTS).exists():
            try:
                return super().load_from_checkpoint(checkpoint_path, *args, **kwargs)
            except KeyError:  # what Lightning leaves in a checkpoint
                if path is None or path.name != STUB:
                    raise
                raise ValueError(
                    f"{checkpoint_path} holds no weights and has no {WEIGHTS} beside it: download all of the "
                    "repository (huggingface_hub.snapshot_download does), and give its folder."
                ) from None
        where = kwargs.pop("map_location", None)
        overrides = {name: value for name, value in kwargs.items() if name not in ("strict", "weights_only")}
        model = load(path.parent, **overrides)
        return model.to(where) if isinstance(where, str | torch.device) else model


def _halved(name: str, tensor: torch.Tensor) -> bool:
    """Matrices are; but what a front-end measures time and frequencies by is not exact enough in float16."""
    return tensor.ndim > 1 and tensor.is_floating_point() and not name.startswith("front_end.filters.")


def save(model: Model, folder: str | Path) -> None:
    """Write the weights of a model and everything it takes to load them.

    Parameters
    ----------
    model : Model
        Heads that only training needs are left out; matrices are stored as float16.
    folder : str or Path
        Made when it is missing.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    specifications = model.specifications
    config = {
        "name": f"{type(model).__module__}.{type(model).__name__}",
        "params": _plain(dict(model.hparams)),
        "specifications": {
            "problem": specifications.problem.name,
            "resolution": specifications.resolution.name,
            "duration": float(specifications.duration),
            "min_duration": _plain(specifications.min_duration),
            "warm_up": _plain(specifications.warm_up),
            "classes": None if specifications.classes is None else [str(name) for name in specifications.classes],
            "powerset_max_classes": specifications.powerset_max_classes,
            "permutation_invariant": bool(specifications.permutation_invariant),
        },
        "versions": {name: version(name) for name in ("pyannote.audio", "pyannote-pix2seq")},
    }
    kept = {
        name: tensor.half().contiguous() if _halved(name, tensor) else tensor.contiguous()
        for name, tensor in model.state_dict().items()
        if not name.startswith(TRAINING_ONLY)
    }
    stub = {
        "state_dict": {},
        "pyannote.audio": {
            "versions": {"pyannote.audio": version("pyannote.audio")},
            "architecture": {"module": type(model).__module__, "class": type(model).__name__},
        },
    }
    with replacing(folder / WEIGHTS) as path:
        path.write_bytes(serialise(kept))
    with writing_text(folder / CONFIG) as file:
        file.write(yaml.safe_dump(config, sort_keys=False))
    with replacing(folder / STUB) as path:
        torch.save(stub, path)


def load(folder: str | Path, **overrides: Any) -> Model:
    """Model from a folder written by `save`, in evaluation mode.

    Parameters
    ----------
    folder : str or Path
    **overrides
        Parameters of the model that replace those in the folder.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If the folder is not of this package, or damaged.
    """
    folder = Path(folder)
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"no {name} in {str(folder)!r}: expected a folder written by `pyannote-pix2seq export`."
            )
    try:
        config = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{str(folder / CONFIG)!r} is damaged: {' '.join(str(error).split())}.") from None
    try:
        module, _, name = str(config["name"]).rpartition(".")
        if module.split(".")[0] != PACKAGE:
            raise ValueError(f"{str(folder / CONFIG)!r} names {config['name']!r}, which is not a model of {PACKAGE}.")
        model = model_class(module, name)(**{**config["params"], **overrides})
        told = config["specifications"]
        model.specifications = _specifications(model, told)
    except (KeyError, TypeError, AttributeError, ImportError) as error:
        raise ValueError(f"{str(folder / CONFIG)!r} does not describe a model of this version: {error}.") from None
    try:
        state = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise ValueError(f"{str(folder / WEIGHTS)!r} is damaged: {error}.") from None
    model.setup()
    try:
        model.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in state.items()})
    except RuntimeError as error:
        raise ValueError(f"{str(folder / WEIGHTS)!r} does not fit this version of {config['name']}: {error}") from None
    return model.eval()


def _specifications(model: Model, told: dict[str, Any]) -> Specifications:
    """Specifications of the kind that the model uses."""
    kind = getattr(type(model), "Specifications", Specifications)
    return kind(**{**told, "problem": Problem[told["problem"]], "resolution": Resolution[told["resolution"]]})


def _plain(value: Any) -> Any:
    """The same, made of what YAML can write."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.item() if hasattr(value, "item") else value
