"""Commands of the README and the recipes are commands that exist, with options and parameters that exist. Nothing is
trained."""

import re
import shlex
from inspect import signature
from pathlib import Path

import pytest
import torch
import typer
from hydra import compose, initialize_config_module
from hydra.utils import get_object, instantiate

from pyannote_pix2seq.cli import UPSTREAM, app
from pyannote_pix2seq.cli.train import _entry
from pyannote_pix2seq.cli.training import _paths

ROOT = Path(__file__).parents[1]
RECIPES, CONFIG = ROOT / "recipes", ROOT / "config"
READMES = [ROOT / "README.md", *sorted(RECIPES.glob("*/README.md"))]
COMMANDS = ("pyannote-audio-train", "pyannote-pix2seq")


def commands(path):
    for block in re.findall(r"```(?:bash|console)\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL):
        block = re.sub(r'"\$\(.*?\)"', "somewhere", block.replace("\\\n", " "))
        variables = dict(re.findall(r'^(\w+)="([^"]*)"$', block, re.MULTILINE))
        for line in map(str.strip, block.splitlines()):
            if line.startswith(COMMANDS):
                for name, value in variables.items():
                    line = line.replace(f"${name} ", f"{' '.join(value.split())} ")
                yield shlex.split(line, comments=True)


def trains(words):
    return words[0] == "pyannote-audio-train" or words[1] == "train"


def composed(*overrides):
    with initialize_config_module("pyannote_pix2seq.config", version_base="1.3"):
        return compose("config", overrides=list(overrides))


FOUND = [
    pytest.param(words, id=f"{path.parent.name}: {' '.join(words)[:60]}")
    for path in READMES
    for words in commands(path)
]
assert len(FOUND) > 10


@pytest.mark.parametrize("words", FOUND)
def test_commands_and_their_options_exist(words):
    rest = words[1:]
    if trains(words):
        config = composed(*(_entry(word) for word in rest if "=" in word))
        for group in ("task", "model", "optimizer", "scheduler", "trainer"):
            known = signature(get_object(config[group]._target_)).parameters
            assert {name for name in config[group] if not name.startswith("_")} <= known.keys(), group
        return
    command = typer.main.get_command(app)
    while hasattr(command, "commands"):
        name, *rest = rest
        assert name in command.commands
        command = command.commands[name]
    if name not in UPSTREAM:
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= options


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.parent.name)
def test_what_is_exported_was_trained(path):
    """In the folder that the run was given, or in PROTOCOL/TIME."""
    given = [dict(word.split("=", 1) for word in words if "=" in word) for words in commands(path) if trains(words)]
    folders = {options.get("hydra.run.dir", f"{options['protocol']}/*") for options in given}
    for words in commands(path):
        if words[1] == "export":
            checkpoints = [word for word in words if word.endswith(".ckpt")]
            assert checkpoints and {str(Path(checkpoint).parent) for checkpoint in checkpoints} <= folders


def test_several_registries_are_given_as_the_comment_says():
    (example,) = re.findall(r"registry=\S+", (CONFIG / "config.yaml").read_text(encoding="utf-8"))
    assert _paths(composed(example).registry) == [Path("a.yml"), Path("b.yml")]


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONFIG / "augmentation").glob("*.yaml")))
def test_augmentations_work(name):
    augmentation = instantiate(composed(f"augmentation={name}").augmentation)
    assert augmentation(samples=torch.ones(2, 1, 1600), sample_rate=16000).samples.shape == (2, 1, 1600)


def test_every_recipe_is_in_the_table():
    table = (RECIPES / "README.md").read_text(encoding="utf-8")
    folders = sorted(path.parent.name for path in RECIPES.glob("*/README.md"))
    assert sorted(re.findall(r"^\| \[(\w+)\]\(\1\)", table, re.MULTILINE)) == folders
