"""One training run: from its configuration to checkpoints in a folder."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from hydra.utils import get_object, instantiate
from lightning.pytorch.callbacks import LearningRateMonitor, RichProgressBar
from lightning.pytorch.plugins import TorchCheckpointIO
from omegaconf import DictConfig, OmegaConf
from pyannote.audio import Model
from pyannote.audio.core.task import Task, UnknownSpecificationsError
from pyannote.audio.tasks.segmentation.mixins import SegmentationTask
from pyannote.database import Protocol, registry
from torch import nn

from ..decoder import install
from ..files import find_audio
from ..mixtures import protocol as mixtures
from ..models.checkpoints import open_checkpoint, open_model, trust
from ..models.pix2seq import Pix2Seq
from ..models.weights import WEIGHTS
from ..tasks import SequenceDiarization
from .callbacks import AtomicCheckpoints, AveragedWeights, SeedSteps, checkpoints
from .optimization import attach
from .references import load_registries
from .train import LAST

SHARED = ("callbacks", "limit_val_batches")  # of the trainer, which both the user and the run may give


def run(config: DictConfig, folder: Path) -> float | None:
    """Train a model.

    Parameters
    ----------
    config : DictConfig
        See `config/config.yaml`.
    folder : Path
        Where checkpoints go.

    Returns
    -------
    score : float or None
        Best value of what the task monitors: what sweepers of Hydra optimize.

    Raises
    ------
    ValueError
        If the configuration does not make sense; the message lists what would.
    """
    install()  # tasks of pyannote read audio through FFmpeg, unless there is none
    trust()  # or Lightning refuses its own checkpoint when it resumes
    torch.set_float32_matmul_precision("high")
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    protocol = _protocol(config)
    _check_subsets(protocol)
    augmentation = config.get("augmentation")
    if augmentation is not None and "_target_" not in augmentation:
        raise ValueError(f"augmentation.{next(iter(augmentation))}=... is of no augmentation; choose one first.")
    augmentation = instantiate(augmentation, _convert_="all")
    task = _make("task", config.task, protocol=protocol, augmentation=augmentation)
    if isinstance(task, SegmentationTask) and task.__module__.startswith("pyannote.audio."):
        _check_files(protocol, task)
    model = _make("model", config.model, task=task)
    if isinstance(model, Pix2Seq) != isinstance(task, SequenceDiarization):
        raise ValueError(
            f"task={type(task).__name__} is not for model={type(model).__name__}: SequenceDiarization, and no other "
            "task, is for Pix2Seq, and for no other model; give task=... and model=... together."
        )
    attach(
        model,
        _make("optimizer", config.optimizer, _partial_=True),
        _make("scheduler", config.scheduler, _partial_=True),
    )
    if config.channels_last:
        model = model.to(memory_format=torch.channels_last)
    if config.compile:
        for module in _blocks(model):
            module.compile()
    rehearsal = bool(config.trainer.fast_dev_run)
    saved = [] if rehearsal else checkpoints(folder, _monitor(task), **config.checkpoint)
    own = instantiate(config.trainer.get("callbacks"), _convert_="all") or []
    callbacks: list[Any] = [*(own if isinstance(own, list) else [own]), *saved, SeedSteps(config.seed)]
    if config.average is not None:
        callbacks.append(AveragedWeights(decay=config.average))
    if config.trainer.enable_progress_bar:
        callbacks.append(RichProgressBar())
    if config.trainer.logger and not rehearsal:
        callbacks.append(LearningRateMonitor())
    given = {} if task.has_validation else {"limit_val_batches": 0}  # Lightning takes no loader for a mistake
    trainer = _make("trainer", config.trainer, callbacks=callbacks, **given)
    if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:  # not one of the user's own
        trainer.strategy.checkpoint_io = AtomicCheckpoints()
    trainer.fit(model, ckpt_path=_resumed(config.resume, folder, model, averages=config.average is not None))
    best = next((callback for callback in saved if callback.monitor is not None), None)
    if best is None or best.best_model_score is None:
        return None
    best.to_yaml(str(folder / "best.yaml"))
    return float(best.best_model_score)


def _check_subsets(protocol: Protocol) -> None:
    """Raise a ValueError for a set that is there and has no file, of which others only say StopIteration."""
    for subset in ("train", "development"):
        with suppress(AttributeError, NotImplementedError):  # how a protocol says that it has no such set
            if next(getattr(protocol, subset)(), None) is None:
                raise ValueError(f"{protocol.name}: the {subset} set has no file.")


def _check_files(protocol: Protocol, task: SegmentationTask) -> None:
    """Say what the tasks of pyannote.audio stumble over without a word about the data.

    Raises
    ------
    ValueError
        If a file has no labels, nobody speaks, or no annotated part is as long as what the task cuts out.
    """
    for subset in ("train", "development")[: 1 + task.has_validation]:
        spoken, longest = 0.0, 0.0
        for file in getattr(protocol, subset)():
            for key in ("annotation", "annotated"):
                if file.get(key) is None:
                    raise ValueError(f"{protocol.name}: file {file['uri']!r} has no {key!r}.")
            spoken += file["annotation"].get_timeline().duration()
            longest = max([longest, *(region.duration for region in file["annotated"])])
        if not spoken:
            raise ValueError(f"{protocol.name}: nobody speaks in the {subset} set; nothing can be learned from it.")
        if longest < task.duration:
            raise ValueError(
                f"{protocol.name}: no annotated part of the {subset} set lasts task.duration={task.duration:g} s; "
                f"the longest has {longest:g} s."
            )


def _monitor(task: Task) -> tuple[str | None, str]:
    """What the task wants to be minimal or maximal."""
    if not task.has_validation:
        return None, "min"
    try:
        return task.val_monitor
    except UnknownSpecificationsError:  # some tasks of pyannote have to see the data first
        task.prepare_data()
        task.setup()
        return task.val_monitor


def pretrained_model(checkpoint: str, task: Any) -> Model:
    """A trained model that goes on with another task, or other data.

    Parameters
    ----------
    checkpoint : str
        Lightning checkpoint, folder of a model or of a pipeline with one, or a name on the Hugging Face hub.
    task : Task
    """
    path = Path(checkpoint)
    folders = [path, *sorted(path.glob("*/"))] if path.is_dir() else []
    ours = next((folder for folder in folders if (folder / WEIGHTS).is_file()), None)
    if not path.exists() and checkpoint.count("/") != 1:
        raise FileNotFoundError(f"model.checkpoint: there is no {checkpoint!r}.")
    model = open_model(ours or checkpoint)
    model.task = task
    return model.train()


def _protocol(config: DictConfig) -> Protocol:
    """The protocol, made of `source` and `mixture` when they are given."""
    load_registries(_paths(config.registry))
    mixtures.register()
    name, parts = config.protocol, _plain(config, "source", "mixture")
    task, _, own = name.rpartition(".")
    if parts["source"] or parts["mixture"]:
        if not task.startswith(f"{mixtures.DATABASE}."):
            raise ValueError(
                "source and mixture describe a protocol of mixtures, such as "
                f"{mixtures.DATABASE}.SpeakerDiarization.Conversation; got protocol={name}."
            )
        # of a protocol that is known, all stays that is not given
        before = registry.get_protocol(name).definition if name in set(registry) else None
        data = {f.name: getattr(before, f.name) for f in fields(before) if f.name != "name"} if before else {}
        given = {**(parts["mixture"] or {}), **({"source": parts["source"]} if parts["source"] else {})}
        mixtures.define(own, **{**data, **given})
    if name not in (known := sorted(registry)):
        raise ValueError(f"unknown protocol {name!r}; known protocols: {', '.join(known)} (registry=... adds others).")
    # mixtures know where they are; looking for them would render them all
    preprocessors = {} if task.startswith(f"{mixtures.DATABASE}.") else {"audio": find_audio}
    return registry.get_protocol(name, preprocessors=preprocessors)


def _plain(config: DictConfig, *names: str) -> dict[str, Any]:
    """Parts of the configuration as plain data; None for those that are not there."""
    parts = {name: config.get(name) for name in names}
    return {name: part and OmegaConf.to_container(part, resolve=True) for name, part in parts.items()}


def _paths(given: Any) -> list[Path]:
    """One path, several with commas between them, or a list."""
    if not given:
        return []
    names: Iterable[str] = given.split(",") if isinstance(given, str) else given
    return [Path(name.strip()) for name in names]


def _make(what: str, config: DictConfig, **given: Any) -> Any:
    """Instantiate; what the class does not take is told with what it does, and so is what only the run may give."""
    try:
        made = get_object(config._target_)
    except ImportError as error:
        raise ValueError(f"{what}: {config._target_!r} cannot be imported ({error}).") from error
    # a constructor that was wrapped, such as Trainer's, tells its parameters all the same
    known = [n for n, p in inspect.signature(made).parameters.items() if p.kind is not p.VAR_KEYWORD]
    for name in config:
        if not str(name).startswith("_") and (name not in known or (name in given and name not in SHARED)):
            takes = ", ".join(n for n in known if n not in {"params", "model", *given})
            raise ValueError(f"{what}={made.__name__} has no parameter {name!r}; its parameters: {takes}.")
    return instantiate(config, **given, _convert_="all")


def _blocks(model: nn.Module) -> Iterable[nn.Module]:
    """What is worth compiling: children with a `forward` of their own, so that parameters keep their names."""
    for child in model.children():
        if isinstance(child, nn.ModuleList):
            yield from child
        elif type(child).forward is not nn.Module.forward and any(True for _ in child.parameters()):
            yield child


def _resumed(resume: str | None, folder: Path, model: Model, averages: bool) -> str | None:
    """Checkpoint to go on with: one of such a model, whose weights are averaged as well if those are."""
    path = folder / LAST if resume == "auto" else Path(resume or "")
    if resume in (None, "auto") and not path.is_file():
        return None
    if not path.is_file():
        raise FileNotFoundError(f"resume: there is no checkpoint {resume!r}; resume=auto takes the newest, or none.")
    checkpoint = open_checkpoint(path)
    kind, saved = checkpoint["pyannote.audio"]["architecture"]["class"], checkpoint["state_dict"]
    made_later = {*getattr(model, "task_dependent", ())}  # when training begins
    own = {name: w for name, w in model.state_dict().items() if name.partition(".")[0] not in made_later}
    parts = {name.partition(".")[0] for name in own}
    names = {*own, *(name for name in saved if name.partition(".")[0] in parts)}
    other = sorted(n for n in names if n not in own or n not in saved or own[n].shape != saved[n].shape)
    if kind != type(model).__name__ or other:
        differs = f"that is a {kind}" if kind != type(model).__name__ else f"{other[0]} differs in shape, or is missing"
        raise ValueError(f"resume: {path} is of another model than this {type(model).__name__}: {differs}.")
    if "optimizer_states" not in checkpoint:
        raise ValueError(
            f"resume: {path} has weights alone; model=Pretrained model.checkpoint={path} goes on from them."
        )
    if "current_model_state" in checkpoint and not averages:
        raise ValueError(f"resume: {path} is of a run that averages weights: give the same average=... as there.")
    task = model.task
    task.prepare_data()
    task.setup()  # some have to see the data first
    for what in ("classes", "num_voices"):
        both = (checkpoint["pyannote.audio"]["specifications"], task.specifications)
        before_and_now: list[Any] = [getattr(each, what, None) for each in both]
        if not np.array_equal(*before_and_now):  # pyannote has some classes in an array
            raise ValueError(f"resume: {path} is of a run with other {what} than this one.")
    return str(path)
