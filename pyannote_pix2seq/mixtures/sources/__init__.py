"""Single-speaker speech, read as each corpus is distributed: one table, one line for each source."""

from __future__ import annotations

import inspect
from typing import Any

from .base import SUBSETS, Source, Utterance, split
from .commonvoice import CommonVoice
from .espeak import ESpeak
from .folder import Folder
from .kaldi import Kaldi
from .librispeech import LibriLight, LibriSpeech, LibriTTS
from .manifest import Manifest
from .protocol import Protocol
from .vctk import VCTK
from .voxceleb import VoxCeleb

SOURCES: dict[str, type[Source]] = {
    "commonvoice": CommonVoice,
    "espeak": ESpeak,
    "folder": Folder,
    "kaldi": Kaldi,
    "librilight": LibriLight,
    "librispeech": LibriSpeech,
    "libritts": LibriTTS,
    "manifest": Manifest,
    "protocol": Protocol,
    "vctk": VCTK,
    "voxceleb": VoxCeleb,
}


def source(name: str, **parameters: Any) -> Source:
    """Make a source of the table.

    Raises
    ------
    ValueError
        If the name is not in the table, or the source does not take such a parameter, or needs another one.
    """
    try:
        kind = SOURCES[name]
    except KeyError:
        raise ValueError(f"unknown source {name!r}; known sources: {', '.join(sorted(SOURCES))}.") from None
    known = inspect.signature(kind).parameters
    for parameter in parameters:
        if parameter not in known:
            raise ValueError(f"source {name!r} has no parameter {parameter!r}; its parameters: {', '.join(known)}.")
    for parameter, declared in known.items():
        if declared.default is declared.empty and parameter not in parameters:
            raise ValueError(f"source {name!r} needs the parameter {parameter!r}; its parameters: {', '.join(known)}.")
    return kind(**parameters)


__all__ = ["SOURCES", "SUBSETS", "Source", "Utterance", "source", "split"]
