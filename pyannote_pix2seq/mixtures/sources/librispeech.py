"""LibriSpeech, LibriTTS(-R) and Libri-light: audiobooks, as their archives unpack.

Sources: https://www.openslr.org/12, https://www.openslr.org/60, https://www.openslr.org/141, https://github.com/facebookresearch/libri-light.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from .base import SUBSETS, Source, Utterance, audio_files, existing_folder, sex


class LibriSpeech(Source):
    """`root/<subset>/<speaker>/<chapter>/*.flac` and `SPEAKERS.TXT` (sex).

    Where subsets of all three kinds are there (train-*, dev-*, test-*), they win over the hash in `sources.split`.

    Parameters
    ----------
    root : str or Path
        The folder `LibriSpeech`, or the one that holds it.
    """

    name = "librispeech"
    suffix = ".flac"
    folders: tuple[str, ...] = ("LibriSpeech",)

    def __init__(self, root: str | Path) -> None:
        given = existing_folder(root, self.name)
        for folder in filter(Path.is_dir, (given, *(given / name for name in self.folders))):
            self.subsets = {path.name: path for path in sorted(folder.iterdir()) if path.is_dir() and _split(path.name)}
            if self.subsets:
                break
        else:
            raise ValueError(
                f"{self.name}: no subset (train-*, dev-*, test-*) in {str(given)!r}; "
                f"expected <subset>/<speaker>/<chapter>/*{self.suffix}."
            )
        self.root = folder
        self.has_own_splits = {_split(name) for name in self.subsets} == set(SUBSETS)

    def __iter__(self) -> Iterator[Utterance]:
        sexes = _speakers(self.root)
        for subset, folder in self.subsets.items():
            split = _split(subset) if self.has_own_splits else ""
            for path in audio_files(folder, [self.suffix]):
                speaker = path.parent.parent.name
                yield Utterance(speaker, path, sex=sexes.get(speaker, ""), source=self.name, split=split)


class LibriTTS(LibriSpeech):
    """`root/<subset>/<speaker>/<chapter>/*.wav` and `SPEAKERS.txt`: LibriTTS and LibriTTS-R.

    Parameters
    ----------
    root : str or Path
        The folder `LibriTTS` or `LibriTTS_R`, or the one that holds it.
    """

    name = "libritts"
    suffix = ".wav"
    folders = ("LibriTTS", "LibriTTS_R")


class LibriLight(Source):
    """`root/<speaker>/<book>/*.flac`, each with a `.json` whose `voice_activity` cuts the chapter into utterances.

    Parameters
    ----------
    root : str or Path
        One subset (`small`, `medium`, `large`), or the folder that holds them.
    """

    def __init__(self, root: str | Path) -> None:
        given = existing_folder(root, "librilight")
        held = [given / name for name in ("small", "medium", "large") if (given / name).is_dir()]
        self.subsets = held or [given]
        if not any(next(folder.glob("*/*/*.flac"), None) for folder in self.subsets):
            raise ValueError(f"librilight: no audio in {str(given)!r}; expected <speaker>/<book>/<chapter>.flac.")

    def __iter__(self) -> Iterator[Utterance]:
        for folder in self.subsets:
            for path in audio_files(folder, [".flac"]):
                speaker = path.parent.parent.name
                for start, end in _voice_activity(path.with_suffix(".json")):
                    yield Utterance(speaker, path, start, end, source="librilight")


def _split(subset: str) -> str:
    """The split that a subset such as "train-clean-100" belongs to; "" when it is none of them."""
    return {"train": "train", "dev": "development", "test": "test"}.get(subset.split("-")[0], "")


def _speakers(root: Path) -> dict[str, str]:
    """Sex of each reader, from lines such as "14 | F | train-clean-360 | 25.03 | Name"; empty when there is no list."""
    for path in sorted(root.iterdir()):
        if path.name.lower() == "speakers.txt":
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            cells = [[cell.strip() for cell in line.split("|")] for line in lines if not line.startswith(";")]
            return {row[0]: sex(row[1]) for row in cells if len(row) > 1}
    return {}


def _voice_activity(path: Path) -> list[tuple[float | None, float | None]]:
    """Speech of a chapter, in seconds; the whole chapter when nobody wrote it down."""
    if path.is_file():
        regions = json.loads(path.read_text(encoding="utf-8")).get("voice_activity") or []
        if regions:
            return [(float(start), float(end)) for start, end in regions]
    return [(None, None)]
