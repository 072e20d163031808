"""Single-speaker speech, read as each corpus is distributed: one table, one line for each source."""

from __future__ import annotations

from typing import Any

from ..plain import make
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
    return make("source", SOURCES, {**parameters, "name": name})


__all__ = ["SOURCES", "SUBSETS", "Source", "Utterance", "source", "split"]
