"""Speaker diarization as a sequence: a plugin for pyannote.audio.

>>> from pyannote.audio import Pipeline
>>> from pyannote_pix2seq import pretrained
>>> diarization = Pipeline.from_pretrained(pretrained())("call.wav")
"""

from __future__ import annotations

from pathlib import Path

from .decoder import install
from .diarization import Diarization
from .mixtures.protocol import register

install()  # pyannote.audio may have been imported before
register()  # "Pix2Seq" becomes a database of pyannote.database

_PRETRAINED = Path(__file__).parent / "pretrained"


def pretrained(name: str = "small") -> Path:
    """Folder of a pipeline that ships with the package.

    Give it to `pyannote.audio.Pipeline.from_pretrained`; the model is in a folder of it. No network is needed.

    Raises
    ------
    ValueError
        If no pipeline of this name is shipped.
    """
    shipped = sorted(config.parent.name for config in _PRETRAINED.glob("*/config.yaml"))
    if name not in shipped:
        raise ValueError(f"no pipeline {name!r} is shipped; there is: {', '.join(shipped) or 'none'}.")
    return _PRETRAINED / name


__all__ = ["Diarization", "pretrained"]
