"""What to evaluate on: the files of a protocol's subset, or of a folder in which references lie beside the audio."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyannote.core import Annotation, Segment, Timeline
from pyannote.database import registry
from yaml import YAMLError

from ..audio import READABLE, open_audio
from ..files import audio_paths, find_audio, reading_text, walk

SUBSETS = ("train", "development", "test")


def read_rttm(path: Path) -> dict[str, Annotation]:
    """Turns of each file that an RTTM is about.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, or it is no RTTM: the message tells the line.
    """
    turns: dict[str, Annotation] = {}
    for number, line in enumerate(_lines(path, "RTTM file", _fits_rttm)):
        annotation = turns.setdefault(line[1], Annotation(uri=line[1]))
        if line[0] == "SPEAKER":
            start = float(line[3])
            annotation[Segment(start, start + float(line[4])), number] = line[7]
    return turns


def _fits_rttm(line: list[str]) -> bool:
    # nine fields, or ten; more of them are names with spaces in them
    return 8 <= len(line) <= 10 and (line[0] != "SPEAKER" or _spans(line[3], line[4], length=True))


def read_uem(path: Path) -> dict[str, Timeline]:
    """What is annotated of each file that a UEM is about; raises as `read_rttm` does."""
    regions: dict[str, Timeline] = {}
    for uri, _, start, end in _lines(path, "UEM file", lambda line: len(line) == 4 and _spans(line[2], line[3])):
        regions.setdefault(uri, Timeline(uri=uri)).add(Segment(float(start), float(end)))
    return regions


def _lines(path: Path, what: str, fits: Callable[[list[str]], bool]) -> list[list[str]]:
    """Fields of the lines that are no comments, checked.

    Pyannote's own readers take any text, and files called `NA` or `<NA>`, for one in which nobody speaks.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file.")
    kept = []
    with reading_text(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip() or line.startswith(";;"):
                continue
            if not fits(fields := line.split()):
                raise ValueError(f"{path}: is no {what}; line {number} is {line.rstrip()[:40]!r}.")
            kept.append(fields)
    return kept


def _spans(start: str, end: str, length: bool = False) -> bool:
    """Whether these are seconds, in order; the second one may be a length."""
    try:
        first, last = float(start), float(end)
    except ValueError:
        return False
    return last >= (0 if length else first)


def load_registries(paths: Sequence[Path] | None) -> None:
    """Add the protocols of `database.yml` files to the known ones.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, or it is none of pyannote.database.
    """
    for path in paths or ():
        if not path.is_file():
            raise FileNotFoundError(f"registry: there is no file {str(path)!r}.")
        try:
            registry.load_database(path)
        except YAMLError as error:
            raise ValueError(f"{path}: is not valid YAML: {error}") from None
        except (AttributeError, TypeError):  # what pyannote.database expected to be a mapping is none
            raise ValueError(f"{path}: is no database.yml: its sections have to be mappings of names.") from None


def references(data: str, subset: str, kind: str | None = None) -> list[Mapping[str, Any]]:
    """Files with `uri`, `audio`, `annotation` and `annotated`; and `channel` where a protocol tells one.

    Parameters
    ----------
    data : str
        Name of a protocol, or a folder.
    subset : {"train", "development", "test"}
        Of the protocol.
    kind : str, optional
        In a folder, `<name>.<kind>.rttm` is the reference where there is one, instead of `<name>.rttm`.

    Raises
    ------
    ValueError
        If it is neither, if there is nothing to evaluate on, or a file has no reference.
    """
    if subset not in SUBSETS:
        raise ValueError(f"unknown subset {subset!r}; subsets: {', '.join(SUBSETS)}.")
    known = sorted(registry)
    if data not in known:  # asked first: training names the folder of its runs after the protocol
        if Path(data).is_dir():
            return _of_folder(Path(data), kind)
        raise ValueError(
            f"{data!r} is neither a folder nor a protocol; known protocols: {', '.join(known) or 'none'} "
            "(--registry database.yml adds others)."
        )
    if kind is not None:
        raise ValueError("--references is for folders; a protocol has its own.")
    try:
        files = [_of_protocol(file) for file in getattr(registry.get_protocol(data), subset)()]
    except NotImplementedError:
        raise ValueError(f"{data} has no {subset} subset.") from None
    except (KeyError, TypeError) as error:  # of pyannote.database: a file that a table leaves out, or no known table
        raise ValueError(f"{data}: its {subset} subset cannot be read: {error}") from error
    if not files:
        raise ValueError(f"the {subset} subset of {data} is empty.")
    return files


def _of_protocol(file: Mapping[str, Any]) -> Mapping[str, Any]:
    if file.get("annotation") is None:
        raise ValueError(f"{file['uri']}: the protocol has no annotation of this file.")
    audio = find_audio(file)
    annotated = _whole(audio) if file.get("annotated") is None else file["annotated"]
    channel = {} if file.get("channel") is None else {"channel": file["channel"]}
    return {"uri": file["uri"], "audio": audio, **channel, "annotation": file["annotation"], "annotated": annotated}


def _whole(audio: Any) -> Timeline:
    return Timeline([Segment(0.0, open_audio(audio).duration)])


def _of_folder(folder: Path, kind: str | None) -> list[Mapping[str, Any]]:
    there = list(walk(folder))
    audio = audio_paths(there)
    if not audio:
        raise ValueError(f"{folder}: there is no audio file in this folder.")
    files: list[Mapping[str, Any]] = []
    used = 0
    for path in audio:
        wanted = path.with_suffix(f".{kind}.rttm")
        if kind is not None and wanted.is_file():
            rttm, used = wanted, used + 1
        else:
            rttm = path.with_suffix(".rttm")
        if not rttm.is_file():
            raise ValueError(f"{path}: its reference {rttm.name} is not beside it.")
        uem = path.with_suffix(".uem")
        annotation = _only(read_rttm(rttm), rttm) or Annotation(uri=path.stem)
        if uem.is_file():
            annotated = _only(read_uem(uem), uem) or Timeline()
            annotation = annotation.crop(annotated)  # as protocols of pyannote.database do
        else:
            annotated = _whole(path)
        files.append({"uri": path.stem, "audio": path, "annotation": annotation, "annotated": annotated})
    uris = [file["uri"] for file in files]
    if twice := sorted({uri for uri in uris if uris.count(uri) > 1}):
        raise ValueError(f"{folder}: more than one file is called {', '.join(twice)}; names must differ.")
    if kind is not None and not used:
        raise ValueError(f"{folder}: there is no reference that ends in .{kind}.rttm.")
    names = {path.with_suffix("") for path in audio}
    alone = [
        path
        for path in there
        if path.suffix == ".rttm" and names.isdisjoint({path.with_suffix(""), path.with_suffix("").with_suffix("")})
    ]
    if alone:
        warnings.warn(
            f"{folder}: left out, since no recording lies beside them that can be read as {READABLE}: "
            f"{len(alone)} references, such as {alone[0].name}.",
            stacklevel=2,
        )
    return files


def _only(by_uri: Mapping[str, Any], path: Path) -> Any:
    """The one file of an RTTM or UEM; None when it is empty."""
    if len(by_uri) > 1:
        raise ValueError(f"{path}: is about {len(by_uri)} files ({', '.join(sorted(by_uri)[:3])}...); expected one.")
    return next(iter(by_uri.values()), None)
