"""Many files: what is to be diarized, what is done already, and results that are never half-written."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .diarization import Diarization
from .files import SUFFIXES, audio_paths, reading_text, walk, writing_text
from .pipelines import PromptedSpeakerDiarization

THERE = "is there already, beside its recording: write to another folder, or remove it."


def find(inputs: Iterable[str | Path]) -> dict[str, Path]:
    """Audio files by name.

    Parameters
    ----------
    inputs : iterable of (str or Path)
        Audio files, folders (searched at any depth), patterns such as `calls/**/*.mp3`, or text files `*.lst` with the
        path of a file in each line, seen from where the list lies.

    Returns
    -------
    files : dict
        Path of each file by its name: its path without suffix, seen from the folder that was searched or from the
        list, or its stem. Files need not exist.

    Raises
    ------
    FileNotFoundError
        If there is no such folder or list, or a pattern or a folder has no audio file.
    ValueError
        If two files have one name.
    """
    files: dict[str, Path] = {}
    for item in inputs:
        for name, path in _expand(Path(item)):
            if files.setdefault(name, path) != path:
                raise ValueError(
                    f"{files[name]} and {path} would both be called {name}; do them one after the other, with a folder "
                    "of results for each."
                )
    return files


def _expand(item: Path) -> Iterator[tuple[str, Path]]:
    if item.suffix == ".lst":
        if not item.is_file():
            raise FileNotFoundError(f"{item}: there is no such list.")
        with reading_text(item) as file:
            lines = [Path(line.strip()) for line in file if line.strip()]
        yield from ((line.stem if line.is_absolute() else _name(line), item.parent / line) for line in lines)
    elif item.is_dir() or (glob.has_magic(str(item)) and not item.exists()):
        there = walk(item) if item.is_dir() else map(Path, glob.glob(str(item), recursive=True))
        found = audio_paths(there)
        if not found:
            raise FileNotFoundError(f"{item}: there is no audio file; known suffixes: {', '.join(sorted(SUFFIXES))}.")
        yield from ((_name(path.relative_to(item)) if item.is_dir() else path.stem, path) for path in found)
    else:
        yield item.stem, item


def _name(relative: Path) -> str:
    return "/".join(part for part in relative.with_suffix("").parts if part != "..")


def bulk(
    pipeline: PromptedSpeakerDiarization, files: Mapping[str, Path], folder: Path, **options: Any
) -> Iterator[tuple[str, Diarization | Exception | None]]:
    """Diarize files that were not diarized before; chunks of several are decoded together.

    Parameters
    ----------
    pipeline : PromptedSpeakerDiarization
    files : mapping
        Paths by name, as from `find`.
    folder : Path
        Where `name.rttm` and `name.json` go. A file whose RTTM is there is left out.
    **options
        For `pipeline.apply_batch`.

    Yields
    ------
    result : (name, Diarization, Exception or None)
        When it is written; the reason if the file cannot be read, or what was found not be written; None if it was
        diarized before.
    """
    # not Path.exists, which raises where a name is too long
    waiting = {name: path for name, path in files.items() if not os.path.exists(rttm_path(folder, name))}
    yield from ((name, None) for name in files if name not in waiting)
    for name, path in list(waiting.items()):
        if there := own(path, folder, name):
            del waiting[name]
            yield name, FileExistsError(f"{there}: {THERE}")
    asked = ({"uri": name, "audio": path} for name, path in waiting.items())
    for file, result in pipeline.apply_batch(asked, **options, return_exceptions=True):
        if isinstance(result, Diarization):
            try:
                write(result, folder, file["uri"])
            except OSError as error:  # a name that is too long, say: the others go on
                result = error
        yield file["uri"], result


def rttm_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.rttm"


def json_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"


def own(audio: Path, folder: Path, name: str) -> Path | None:
    """What is beside a recording already, where its diarization would be written: a reference, or a transcript."""
    for path in (rttm_path(folder, name), json_path(folder, name)):
        if os.path.exists(path) and os.path.realpath(audio.parent) == os.path.realpath(path.parent):
            return path
    return None


def write(diarization: Diarization, folder: Path, name: str) -> None:
    """Write `name.json` and `name.rttm`, both or neither; the RTTM last: where it is, all is."""
    serialized = json.dumps(diarization.serialize(), indent=2, ensure_ascii=False)
    with writing_text(rttm_path(folder, name)) as rttm, writing_text(json_path(folder, name)) as other:
        other.write(serialized)
        rttm.write(diarization.to_rttm())
        rttm.flush()  # what the disk has no room for fails before the JSON is there
