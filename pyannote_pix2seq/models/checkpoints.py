"""Lightning checkpoints, opened without running any code that they may hold."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import snapshot_download
from pyannote.audio import Model
from pyannote.audio.core.task import Problem, Resolution, Specifications

from .pix2seq import SequenceSpecifications
from .weights import CONFIG, STUB, WEIGHTS, load, model_class

TRUSTED = ("pyannote_pix2seq", "pyannote.audio")  # packages whose models may be made
# how NumPy pickles an array of strings: MultiLabelSegmentation has its classes in one
STRINGS = [np.ndarray, np.dtype, type(np.dtype(str)), np.empty(0).__reduce__()[0]]
# what pyannote pickles into checkpoints beside tensors and plain Python
SAFE = [Problem, Resolution, Specifications, SequenceSpecifications, *STRINGS]
WHERE = ("checkpoint", "subfolder", "revision", "token", "cache_dir", "map_location", "strict")
WEIGHT_FILES = (".ckpt", ".bin", ".safetensors")
NOT_OF_THE_MODEL = ("validation_metric.", "tagging_metric.", "loss_func.")


def trust() -> None:
    """Let everything that opens checkpoints in this process, such as Lightning when it resumes, accept ours."""
    torch.serialization.add_safe_globals(SAFE)


def open_checkpoint(path: str | Path) -> dict[str, Any]:
    """Content of a checkpoint.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, not a checkpoint of pyannote, or holds pickled code.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such checkpoint.")
    # leaving the context takes away what it was given, also what `trust` had granted before
    granted = [kind for kind in SAFE if kind not in torch.serialization.get_safe_globals()]
    try:
        with torch.serialization.safe_globals(granted):
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = _first_line(str(error).split("Unsupported ")[-1])
        raise ValueError(f"{path}: is not opened, because it holds more than weights ({reason}).") from None
    except (RuntimeError, EOFError, OSError, LookupError, AssertionError) as error:  # torch's reader has them all
        reason = _first_line(str(error)) or type(error).__name__
        raise ValueError(f"{path}: is damaged, or not a checkpoint ({reason}).") from None
    if not isinstance(checkpoint, dict) or not {"pyannote.audio", "state_dict"} <= checkpoint.keys():
        raise ValueError(f"{path}: is not a checkpoint of a pyannote model.")
    specifications = checkpoint["pyannote.audio"].get("specifications")
    if getattr(specifications, "classes", None) is not None:
        specifications.classes = [str(name) for name in specifications.classes]
    return checkpoint


def _first_line(text: str) -> str:
    return text.partition("\n")[0][:120]


def load_checkpoint(path: str | Path) -> Model:
    """Model of a checkpoint, in evaluation mode. With averaged weights, if training averaged them.

    Raises
    ------
    FileNotFoundError, ValueError
        See `open_checkpoint`; also if the model is of another package, or does not fit its weights.
    """
    checkpoint = open_checkpoint(path)
    about = checkpoint["pyannote.audio"]
    module, name = about["architecture"]["module"], about["architecture"]["class"]
    if not any(module == package or module.startswith(f"{package}.") for package in TRUSTED):
        raise ValueError(f"{path}: holds a {module}.{name}; only models of {' and '.join(TRUSTED)} are opened.")
    try:
        model = model_class(module, name)(**checkpoint.get("hyper_parameters", {}))
        model.specifications = about["specifications"]
        model.setup()
        weights = {k: v for k, v in checkpoint["state_dict"].items() if not k.startswith(NOT_OF_THE_MODEL)}
        model.load_state_dict(weights)
    except (AttributeError, ImportError, KeyError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"{path}: does not fit {module}.{name} of this version ({' '.join(str(error).split())[:200]})."
        ) from None
    return model.eval()


def _downloaded(
    checkpoint: str,
    subfolder: str | None = None,
    revision: str | None = None,
    token: Any = None,
    cache_dir: Any = None,
    **_: Any,
) -> Path | None:
    """Folder of a model that `save` wrote, fetched from the hub; None where there is none, which pyannote explains.

    By itself, pyannote fetches one file, which holds no weights.
    """
    names = [f"{subfolder}/{name}" if subfolder else name for name in (CONFIG, WEIGHTS)]
    try:
        fetched = snapshot_download(
            str(checkpoint), revision=revision, token=token, cache_dir=cache_dir, allow_patterns=names
        )
    except (OSError, ValueError):  # no such repository, no access, no network
        return None
    folder = Path(fetched, subfolder or "")
    return folder if (folder / WEIGHTS).is_file() else None


def open_model(source: Any, token: str | bool | None = None, cache_dir: str | Path | None = None) -> Model:
    """Model, in evaluation mode, of what a `config.yaml` may name; what lies on disk runs no code of its own.

    Parameters
    ----------
    source : Model, str, Path or mapping
        A checkpoint, the folder of a model, a name on the Hugging Face hub, or a mapping of arguments of
        `Model.from_pretrained`.
    token, cache_dir
        For the hub.

    Raises
    ------
    FileNotFoundError, ValueError
        See `load_checkpoint` and `weights.load`.
    """
    if isinstance(source, Model):
        return source.eval()
    given = dict(source) if isinstance(source, Mapping) else {"checkpoint": source}
    if "checkpoint" not in given:
        raise ValueError(f"model: names no checkpoint; got {', '.join(map(repr, given)) or 'nothing'}.")
    path = Path(given["checkpoint"]) / (given.get("subfolder") or "")
    if not path.exists():
        if path.suffix in WEIGHT_FILES:  # nobody calls a repository so
            raise FileNotFoundError(f"model: there is no file {str(path)!r}.")
        if (folder := _downloaded(**{"token": token, "cache_dir": cache_dir, **given})) is not None:
            return load(folder).to(given.get("map_location") or "cpu")
        model = Model.from_pretrained(**{"token": token, "cache_dir": cache_dir, "strict": False, **given})
        if model is None:  # pyannote has said why
            raise ValueError(f"model: {given['checkpoint']!r} cannot be loaded.")
        return model.eval()
    if unknown := given.keys() - WHERE:
        raise ValueError(f"model: unknown parameter {', '.join(sorted(unknown))}; known ones: {', '.join(WHERE)}.")
    model = load(path) if (path / WEIGHTS).is_file() else load_checkpoint(path / STUB if path.is_dir() else path)
    return model.to(given.get("map_location") or "cpu")
