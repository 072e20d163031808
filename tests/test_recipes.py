"""Commands of the recipes are commands that exist, with options and parameters that exist. Nothing is trained."""

import re
import shlex
from inspect import signature
from pathlib import Path

import pytest
import typer
from hydra import compose, initialize_config_module
from hydra.utils import get_object

from pyannote_pix2seq.cli import UPSTREAM, app
from pyannote_pix2seq.cli.train import _entry

RECIPES = Path(__file__).parents[1] / "recipes"
COMMANDS = ("pyannote-audio-train", "pyannote-pix2seq")


def commands():
    for path in sorted(RECIPES.glob("*/README.md")):
        for block in re.findall(r"```(?:bash|console)\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL):
            block = re.sub(r'"\$\(.*?\)"', "somewhere", block.replace("\\\n", " "))
            variables = dict(re.findall(r'^(\w+)="([^"]*)"$', block, re.MULTILINE))
            for line in map(str.strip, block.splitlines()):
                if line.startswith(COMMANDS):
                    for name, value in variables.items():
                        line = line.replace(f"${name} ", f"{' '.join(value.split())} ")
                    yield pytest.param(shlex.split(line, comments=True), id=f"{path.parent.name}: {line[:60]}")


FOUND = list(commands())
assert len(FOUND) > 10


@pytest.mark.parametrize("words", FOUND)
def test_commands_and_their_options_exist(words):
    program, *rest = words
    if program == "pyannote-audio-train" or rest[0] == "train":
        with initialize_config_module("pyannote_pix2seq.config", version_base="1.3"):
            config = compose("config", overrides=[_entry(word) for word in rest if "=" in word])
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


def test_every_recipe_is_in_the_table():
    table = (RECIPES / "README.md").read_text(encoding="utf-8")
    folders = sorted(path.parent.name for path in RECIPES.glob("*/README.md"))
    assert sorted(re.findall(r"^\| \[(\w+)\]\(\1\)", table, re.MULTILINE)) == folders
