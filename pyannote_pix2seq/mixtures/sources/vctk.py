"""VCTK, as its archives unpack: releases 0.80 and 0.92.

Source: https://doi.org/10.7488/ds/2645.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .base import Source, Utterance, audio_files, existing_folder, sex

# Both microphones of a reading are the same speech, so only the first is read.
LAYOUTS = (("wav48_silence_trimmed", "_mic1.flac"), ("wav48", ".wav"))


class VCTK(Source):
    """`root/wav48_silence_trimmed/pXXX/*_mic1.flac` (or `wav48/pXXX/*.wav`) and `speaker-info.txt` (age, sex).

    Parameters
    ----------
    root : str or Path
        Folder that holds `wav48_silence_trimmed` or `wav48`.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = existing_folder(root, "vctk")
        for folder, self.ending in LAYOUTS:
            self.audio = self.root / folder
            if next(self._paths(), None) is not None:
                return
        expected = " or ".join(f"{folder}/<speaker>/*{ending}" for folder, ending in LAYOUTS)
        raise ValueError(f"vctk: no audio in {str(self.root)!r}; expected {expected}.")

    def _paths(self) -> Iterator[Path]:
        return (path for path in audio_files(self.audio) if path.name.endswith(self.ending))

    def __iter__(self) -> Iterator[Utterance]:
        info = _speaker_info(self.root / "speaker-info.txt")
        for path in self._paths():
            age, gender = info.get(path.parent.name, ("", ""))
            yield Utterance(path.parent.name, path, sex=gender, age=age, source="vctk")


def _speaker_info(path: Path) -> dict[str, tuple[str, str]]:
    """(age, sex) of each speaker, from lines such as "p225  23  F  English"; release 0.80 leaves out the "p"."""
    if not path.is_file():
        return {}
    rows = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()[1:]]
    return {f"p{row[0]}" if row[0].isdigit() else row[0]: (row[1], sex(row[2])) for row in rows if len(row) > 2}
