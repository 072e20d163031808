"""VoxCeleb 1 and 2, as their archives unpack.

Source: https://www.robots.ox.ac.uk/~vgg/data/voxceleb/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from .base import Source, Utterance, audio_files, existing_folder, sex

SPEAKER = re.compile(r"id\d{5}")


class VoxCeleb(Source):
    """`idXXXXX/<video>/*.wav` (VoxCeleb 1) or `*.m4a` (VoxCeleb 2), at any depth, and `vox*_meta.csv` (sex).

    Parameters
    ----------
    root : str or Path
        A folder above those of the speakers: `wav`, `dev/aac`, or a common parent of both releases. The tables are
        looked for in it and just above it.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = existing_folder(root, "voxceleb")
        if next(self._paths(), None) is None:
            raise ValueError(f"voxceleb: no audio in {str(self.root)!r}; expected idXXXXX/<video>/*.wav (or *.m4a).")

    def _paths(self) -> Iterator[Path]:
        return (path for path in audio_files(self.root) if SPEAKER.fullmatch(path.parent.parent.name))

    def __iter__(self) -> Iterator[Utterance]:
        sexes: dict[str, str] = {}
        for folder in (self.root.resolve().parent, self.root):
            for table in sorted(folder.glob("vox*_meta.csv")):
                sexes.update(_sexes(table))
        for path in self._paths():
            speaker = path.parent.parent.name
            yield Utterance(speaker, path, sex=sexes.get(speaker, ""), source="voxceleb")


def _sexes(path: Path) -> dict[str, str]:
    """Sex of each speaker; the first release separates its cells by tabs, the second by " ,"."""
    rows = [
        [cell.strip() for cell in re.split(r"[\t,]", line)]
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
    ]
    if not rows or "Gender" not in rows[0]:
        raise ValueError(f"voxceleb: {str(path)!r} has no column Gender.")
    column = rows[0].index("Gender")
    return {row[0]: sex(row[column]) for row in rows[1:] if len(row) > column}
