"""`pyannote-audio-train` and `pyannote-pix2seq train`: training with the grammar of pyannote.audio 3."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .options import one_line

if TYPE_CHECKING:
    from importlib.abc import Traversable

    from omegaconf import DictConfig

SCRIPT = "pyannote-audio-train"
LAST = "last.ckpt"
ENTRIES = ("model", "task")  # groups that can also be given as a `config.yml`
PATHS = ("resume", "registry", "model.checkpoint", "source.root", "source.path", "task.cache", "hydra.run.dir")
MADE = ("task", "model", "source", "mixture", "optimizer", "scheduler", "trainer", "augmentation")
USAGE = """\
Train any model of pyannote.audio or of this package on any of their tasks.

    pyannote-audio-train protocol=DATABASE.TASK.PROTOCOL [task=...] [model=...] [KEY=VALUE ...]

    pyannote-audio-train protocol=Pix2Seq.SpeakerDiarization.Conversation trainer=fast_dev_run
    pyannote-audio-train protocol=AMI.SpeakerDiarization.only_words registry=AMI/database.yml task.duration=10
    pyannote-audio-train protocol=... task=VoiceActivityDetection model=PyanNet optimizer.lr=0.001 resume=auto
    pyannote-audio-train protocol=... model=my/config.yml        its `name: package.Class` and `params: {...}`

task.X=..., model.X=..., optimizer.X=... set any parameter X of what is made; an unknown one lists the known ones.

"""


def train(context: typer.Context) -> None:
    """Train a model; arguments are KEY=VALUE, as in pyannote-audio-train of pyannote.audio 3."""
    beside = Path(sys.argv[0]).with_name(SCRIPT)  # what the other processes of a distributed run start with
    train_with(context.args, str(beside) if beside.exists() else sys.argv[0])


def main() -> None:
    """Run `pyannote-audio-train`; what the user did wrong is one line on stderr, and exit code 1."""
    os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "false")
    warnings.filterwarnings("ignore", message=r"\s*torchcodec is not installed correctly")
    try:
        train_with(sys.argv[1:], sys.argv[0])
    except (ValueError, OSError) as error:
        sys.exit(f"error: {one_line(error)}")


def train_with(arguments: Sequence[str], script: str = SCRIPT) -> None:
    """Train as told by arguments of Hydra.

    Raises
    ------
    ValueError
        For what the user did wrong: a line that lists what would do.
    """
    if not arguments or {"-h", "--help"} & set(arguments):
        print(USAGE + _groups())
        return
    import hydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    OmegaConf.register_new_resolver("new_or_last", _new_or_last, replace=True, use_cache=True)
    sys.argv = [script, *(_entry(argument) for argument in arguments)]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # let errors through: they are told in one line

    @hydra.main(version_base="1.3", config_path="pkg://pyannote_pix2seq.config", config_name="config")
    def entry(config: DictConfig) -> float | None:
        from hydra.core.hydra_config import HydraConfig

        from .training import run

        # the other processes of a distributed run start with these: each has to read a `config.yml` for itself
        sys.argv[1:] = arguments
        try:
            return run(config, Path(HydraConfig.get().runtime.output_dir))
        except Exception as error:  # Hydra would print the arguments before it
            failed.append(error)
            return None

    failed: list[Exception] = []
    try:
        entry()
        if failed:
            raise failed[0]
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(_explained(error)) from error


def _explained(error: BaseException) -> str:
    """Hydra's message in one line; for an unknown key, with the known ones."""
    cause: Any = error.__cause__ or error.__context__
    if isinstance(cause, ValueError | OSError | ImportError) and type(cause).__module__ == "builtins":
        return str(cause)  # raised by what was being made
    text = " ".join(str(error).split("Config search path")[0].split())
    node = getattr(cause, "parent_node", None)
    if node is not None and hasattr(node, "keys") and "not in struct" in str(cause):
        known = ", ".join(sorted(str(key) for key in node if not str(key).startswith("_")))
        full = getattr(cause, "full_key", None) or getattr(cause, "key", "")
        return f"unknown key {full!r}; known keys there: {known} (+{full}=... adds one)."
    if "Missing mandatory value" in text or "Missing mandatory value" in str(cause):
        full = getattr(error, "full_key", None) or getattr(cause, "full_key", None) or "protocol"
        return f"{full}=... is missing."
    return text


def _groups() -> str:
    """Choices of each group, for the help."""
    lines = []

    def look(folder: Traversable, group: str) -> None:
        choices = sorted(path.name[:-5] for path in folder.iterdir() if path.name.endswith(".yaml"))
        if choices and group not in ("", "hydra"):
            lines.append(f"    {group:15}{' '.join(choices)}")
        for path in folder.iterdir():
            if path.is_dir():
                look(path, f"{group}/{path.name}".strip("/"))

    look(files("pyannote_pix2seq.config"), "")
    return "\n".join(["Groups and their choices:", *sorted(lines)])


def _entry(argument: str) -> str:
    """An argument as Hydra takes it.

    `model=my/config.yml` becomes the choice of a group that is made of this file. `model.anything=1` need not be in
    the configuration: what is made of it knows its parameters, and lists them when there is none of this name.
    """
    group, equals, value = argument.partition("=")
    if group in PATHS:
        argument = _quoted(argument)
    if equals and group.partition(".")[0] in MADE and "." in group:
        return f"++{argument}"
    if not equals or group not in ENTRIES or not value.endswith((".yml", ".yaml")):
        return argument
    import yaml
    from hydra.core.config_store import ConfigStore

    from ..files import read_yaml

    path = Path(value)
    if not path.is_file():
        raise FileNotFoundError(f"{argument}: there is no such file.")
    content = read_yaml(path)
    entry = content.get(group, content) if isinstance(content, dict) else None
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise ValueError(
            f"{value}: expected `name: package.module.Class` and `params: {{...}}`, here or below {group!r}."
        )
    unknown = sorted(entry.keys() - {"name", "params"})
    if unknown:
        raise ValueError(f"{value}: {group} has an unknown key {unknown[0]!r}; known keys: name, params.")
    node = {"_target_": entry["name"], **(entry.get("params") or {})}
    if "." not in entry["name"]:  # the name of a choice
        packaged = files("pyannote_pix2seq.config") / group / f"{entry['name']}.yaml"
        if not packaged.is_file():
            raise ValueError(f"{value}: unknown {group} {entry['name']!r}; expected package.module.Class or a choice.")
        node = {**yaml.safe_load(packaged.read_text(encoding="utf-8")), **(entry.get("params") or {})}
    ConfigStore.instance().store(group=group, name="from_file", node=node)
    return f"{group}=from_file"


def _quoted(argument: str) -> str:
    """The same, in quotes where Hydra's grammar has no word for it: names of files may have any characters."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        OverridesParser.create().parse_override(argument)
        return argument
    except HydraException:
        group, _, value = argument.partition("=")
        escaped = re.sub(r"(\\*)('|$)", lambda found: 2 * found[1] + found[2].replace("'", r"\'"), value)
        return f"{group}='{escaped}'"


def _new_or_last(protocol: str, resume: str | None, task: str, model: str) -> str:
    """Name of a run's folder: the time, or with `resume=auto` that of the newest run of this task and model."""
    if resume == "auto":
        for run in sorted((path.parent for path in Path(protocol).glob(f"*/{LAST}")), reverse=True):
            if _targets(run / "config.yaml") == (task, model):
                return run.name
    now = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    if {"--cfg", "-c"} & {*sys.argv} or {"RANK", "SLURM_PROCID"} & {*os.environ}:
        return now  # nothing is trained, or by several processes that share a folder
    name, number = now, 1
    while True:
        try:
            Path(protocol, name).mkdir(parents=True)
            return name
        except FileExistsError:  # another run that began in this second
            number += 1
            name = f"{now}-{number}"


def _targets(path: Path) -> tuple[str, str] | None:
    """Task and model of an earlier run."""
    import yaml

    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        return config["task"]["_target_"], config["model"]["_target_"]
    except (OSError, KeyError, TypeError, yaml.YAMLError):
        return None
