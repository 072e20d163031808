"""How the files of the project lie: imports point one way, files stay small, everything is packaged."""

import ast
import sys
from importlib.resources import files
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")  # a dependency of pytest there

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pyannote_pix2seq"
MAX_LINES = 350

# Lowest first: a room imports itself and the rooms before it. `decoding` asks a model for two functions and imports
# none of the models, while a model searches for what it writes.
ROOMS = [
    "vocabulary",
    "turns",
    "tokens",
    "files",
    "weak_labels",
    "lengths",
    "audio",
    "decoder",
    "prompts",
    "diarization",
    "features",
    "decoding",
    "models",
    "mixtures",
    "tasks",
    "pipelines",
    "report",
    "export",
    "bulk",
    "cli",
    "__main__",
]


def sources():
    found = sorted(path for path in PACKAGE.rglob("*.py"))
    assert found
    return found


def room_of(module):
    """Room of a module given by its parts below the package."""
    return module[0] if module else "__init__"


def imported_rooms(path):
    """Rooms that a file imports, with the line, wherever the import stands in the file."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules = []
        if isinstance(node, ast.Import):
            modules = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            # `from . import turns` names a room, `from .turns import Turn` does not
            modules = [(*base, alias.name) for alias in node.names] if len(base) == 1 else [base]
        for module in modules:
            if module[0] == PACKAGE.name and module[1:2]:
                yield node.lineno, module[1]


def upward_imports(paths):
    wrong = []
    for path in paths:
        room = room_of(path.relative_to(PACKAGE).with_suffix("").parts)
        if room == "__init__":
            continue  # public names come from everywhere
        for line, imported in imported_rooms(path):
            if imported in ROOMS and ROOMS.index(imported) > ROOMS.index(room):
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {imported}")
    return wrong


def test_every_room_has_its_place():
    rooms = {room_of(path.relative_to(PACKAGE).with_suffix("").parts) for path in sources()} - {"__init__"}
    assert rooms <= set(ROOMS)


def test_imports_point_down():
    assert upward_imports(sources()) == []


@pytest.mark.parametrize(
    "line",
    ["from .pipelines import x", "from . import cli", "import pyannote_pix2seq.models.pix2seq", "from .cli.x import y"],
)
def test_an_upward_import_is_found(line):
    path = PACKAGE / "turns.py"

    class Changed(type(path)):
        def read_text(self, *args, **kwargs):
            return f"def late():\n    {line}\n"

    assert len(upward_imports([Changed(path)])) == 1


def test_files_stay_small():
    long = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    assert {name: length for name, length in long.items() if length > MAX_LINES} == {}


def test_every_package_is_in_the_wheel():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folders = {".".join(path.relative_to(ROOT).parent.parts) for path in sources() if path.name == "__init__.py"}
    assert set(setuptools["packages"]) == folders | {"pyannote_pix2seq.config"}
    assert setuptools["package-dir"]["pyannote_pix2seq.config"] == "config"
    modules = {".".join(path.relative_to(ROOT).parent.parts) for path in sources()}
    assert modules == folders, "a folder of modules lacks its __init__.py"


def test_the_configuration_is_a_package():
    packaged = files("pyannote_pix2seq.config")
    kept = sorted(path.relative_to(ROOT / "config").as_posix() for path in (ROOT / "config").rglob("*.yaml"))
    assert all(packaged.joinpath(name).is_file() for name in kept)
