"""What the pipeline is asked: files, and options of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

import torch
from pyannote.database import ProtocolFile

from ..audio import SAMPLE_RATE, Source, open_audio

COUNTS = ("num_speakers", "min_speakers", "max_speakers")
OPTIONS = (*COUNTS, "speakers", "memory", "hook")


def check_options(given: Iterable[str], known: Sequence[str], what: str = "option") -> None:
    """Raise a ValueError that lists the known options when others are given."""
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ValueError(f"unknown {what} {', '.join(map(repr, unknown))}; options: {', '.join(known)}.")


def options_of(file: Any, given: Mapping[str, Any], known: Sequence[str] = OPTIONS) -> dict[str, Any]:
    """Options of one file: what is given for all goes before what the file brings along as `pipeline_kwargs`."""
    own = dict(file.get("pipeline_kwargs") or {}) if isinstance(file, Mapping) else {}
    check_options(own, known, "option in 'pipeline_kwargs'")
    options = {**own, **{name: value for name, value in given.items() if value is not None}}
    # pyannote-audio's oracle says 0 for a file where nobody speaks, and takes that for unknown
    return {name: value for name, value in options.items() if not (name in COUNTS and value == own.get(name) == 0)}


def bounds_of(file: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Bounds of the number of speakers in a file."""
    return options_of(file, {name: given[name] for name in COUNTS if name in given}, COUNTS)


class Preloaded(dict):
    """A file with its waveform; what hooks leave in it, they leave in the user's own file."""

    def __init__(self, own: Mapping, content: Mapping) -> None:
        super().__init__(content)
        self.own = own

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        if isinstance(self.own, MutableMapping):
            self.own[key] = value


def prepared(file: Source, preprocessors: Mapping | None, preload: bool) -> Mapping:
    """File as a mapping with its `uri`, its preprocessors, and its waveform where it is to be read beforehand."""
    mapping: Mapping = file if isinstance(file, Mapping) else {"audio": file}
    if mapping.get("uri") is None:
        uri = open_audio(mapping).uri
        if isinstance(mapping, MutableMapping):  # the user's own, as in pyannote: that is where hooks leave things
            mapping["uri"] = uri
        else:
            mapping = {**mapping, "uri": uri}
    if preprocessors is not None:
        mapping = ProtocolFile(mapping, lazy=preprocessors)
    if preload:
        waveform = torch.from_numpy(open_audio(mapping).read())[None]
        kept = {key: mapping[key] for key in mapping if key != "channel"}
        mapping = Preloaded(mapping, {**kept, "waveform": waveform, "sample_rate": SAMPLE_RATE})
    return mapping


def tracked(files: Iterable[Any], progress: bool) -> Iterator[Any]:
    """Files, with a bar on stderr of how many were started if there is to be `progress`."""
    if not progress:
        return iter(files)
    from rich.console import Console
    from rich.progress import track

    return iter(track(list(files), "files", console=Console(stderr=True)))
