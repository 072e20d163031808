"""Files of a protocol as a folder that needs nothing of ours: audio, rttm, uem, lst and a `database.yml`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import soundfile
import yaml
from pyannote.database import registry

from ..files import replacing, writing_text
from .plan import SAMPLE_RATE
from .protocol import Mixture, MixtureProtocol

FORMATS = ("flac", "wav")


def freeze(protocol: MixtureProtocol, folder: Path, kind: str = "flac", num_workers: int = 1) -> Iterator[str]:
    """Write all files of a protocol; those that are there already are left as they are.

    Parameters
    ----------
    protocol : MixtureProtocol
    folder : Path
    kind : {"flac", "wav"}
        Of the audio, 16 bits.
    num_workers : int
        Processes; the bytes do not depend on it.

    Yields
    ------
    uri : str
        Of each file, when its audio is there.

    Raises
    ------
    ValueError
        If the kind is unknown, or the folder holds another set.
    """
    if kind not in FORMATS:
        raise ValueError(f"unknown format {kind!r}; formats: {', '.join(FORMATS)}.")
    if num_workers < 1:
        raise ValueError(f"the number of workers is at least 1; got {num_workers}.")
    subsets = {subset: protocol.mixtures(subset) for subset in protocol.definition.files}
    _check_folder(folder, subsets)
    mixtures = [mixture for files in subsets.values() for mixture in files]
    write = partial(_write_audio, folder=folder / "audio", kind=kind)
    if num_workers == 1:
        yield from map(write, mixtures)
    else:
        known = partial(_load, list(registry.configs))  # the speech may be that of a protocol
        with ProcessPoolExecutor(num_workers, mp_context=get_context("spawn"), initializer=known) as pool:
            yield from pool.map(write, mixtures)
    for subset, files in subsets.items():
        _write(folder / f"{subset}.lst", (f"{mixture.uri}\n" for mixture in files))
        _write(folder / f"{subset}.rttm", (mixture.annotation().to_rttm() for mixture in files))
        _write(folder / f"{subset}.uem", (mixture.annotated().to_uem() for mixture in files))
    entries = {s: {"uri": f"{s}.lst", "annotation": f"{s}.rttm", "annotated": f"{s}.uem"} for s in subsets}
    name = protocol.definition.name
    database = {
        "Databases": {name: f"audio/{{uri}}.{kind}"},
        "Protocols": {name: {"SpeakerDiarization": {name: {"scope": "database", **entries}}}},
    }
    _write(folder / "database.yml", [yaml.safe_dump(database, sort_keys=False)])


def _load(paths: list[Path]) -> None:
    """Make known in a process what `database.yml` files declare."""
    for path in paths:
        if path not in registry.configs:
            registry.load_database(path)


def _check_folder(folder: Path, subsets: dict[str, list[Mixture]]) -> None:
    """Another recipe, or other speech, gives files of other names: they would lie between those of this one."""
    ours = {mixture.uri for mixtures in subsets.values() for mixture in mixtures}
    others = sorted(path.name for path in (folder / "audio").glob("*") if path.stem not in ours and path.name[0] != ".")
    if others:
        raise ValueError(f"{folder}: holds another set ({others[0]} and {len(others) - 1} more); give an empty folder.")


def _write_audio(mixture: Mixture, folder: Path, kind: str) -> str:
    path = folder / f"{mixture.uri}.{kind}"
    if not path.exists():
        with replacing(path) as temporary:
            soundfile.write(temporary, mixture.waveform(), SAMPLE_RATE, subtype="PCM_16")
    return mixture.uri


def _write(path: Path, texts: Iterable[str]) -> None:
    with writing_text(path) as file:
        file.write("".join(texts))
