"""VoxCeleb 1 and 2, as their archives unpack.

Source: https://www.robots.ox.ac.uk/~vgg/data/voxceleb/.
"""

from __future__ import annotations

import re
import shlex
import warnings
from collections.abc import Iterator
from pathlib import Path

from .base import AUDIO_SUFFIXES, Source, Utterance, audio_files, existing_folder, sex

SPEAKER = re.compile(r"id\d{5}")
AAC = frozenset({".m4a", ".aac"})  # which only FFmpeg decodes
CONVERT = """find {} -name '*.m4a' -exec sh -c 'ffmpeg -i "$0" "${{0%.m4a}}.flac"' {{}} \\;"""


class VoxCeleb(Source):
    """`idXXXXX/<video>/*.wav` (VoxCeleb 1) at any depth, and `vox*_meta.csv` (sex).

    VoxCeleb 2 comes as `*.m4a`, which has to be converted once (the error says how); the `*.m4a` may stay.

    Parameters
    ----------
    root : str or Path
        A folder above those of the speakers: `wav`, `dev/aac`, or a common parent of both releases. The tables are
        looked for in it and just above it.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = existing_folder(root, "voxceleb")
        if next(self._paths(), None) is None:
            if next(self._paths(AAC), None) is not None:
                raise ValueError(f"voxceleb: {str(self.root)!r} holds AAC only; {self._advice()}")
            raise ValueError(f"voxceleb: no audio in {str(self.root)!r}; expected idXXXXX/<video>/*.wav (or *.flac).")

    def _paths(self, suffixes: frozenset[str] = AUDIO_SUFFIXES - AAC) -> Iterator[Path]:
        return (path for path in audio_files(self.root, suffixes) if SPEAKER.fullmatch(path.parent.parent.name))

    def _advice(self) -> str:
        return f"convert it with FFmpeg first: {CONVERT.format(shlex.quote(str(self.root)))}"

    def __iter__(self) -> Iterator[Utterance]:
        left = {path.with_suffix("") for path in self._paths(AAC)} - {path.with_suffix("") for path in self._paths()}
        if left:
            warnings.warn(f"voxceleb: {len(left)} files are AAC and skipped; {self._advice()}", stacklevel=2)
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
