"""Kaldi data folders.

Source: https://kaldi-asr.org/doc/data_prep.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ...files import reading_text
from .base import Source, Utterance, existing_file, existing_folder, sex


class Kaldi(Source):
    """`wav.scp` and `utt2spk`; `segments` and `spk2gender` are read when present.

    A relative path in `wav.scp` is looked for from the working folder, as Kaldi does, then from `root`.

    Parameters
    ----------
    root : str or Path
        A data folder.

    Raises
    ------
    FileNotFoundError
        If the folder, `wav.scp` or `utt2spk` is missing.
    ValueError
        If a line cannot be read, names an unknown recording, or runs a command (this source never runs one).
    """

    def __init__(self, root: str | Path) -> None:
        self.root = existing_folder(root, "kaldi")
        speakers = _table(existing_file(self.root / "utt2spk", "kaldi"), 2)
        recordings = {name: self._recording(name, path) for name, path in self._wav_scp().items()}
        sexes = _table(self.root / "spk2gender", 2)
        parts = _table(self.root / "segments", 4) or {name: [name, "", ""] for name in speakers}
        self.utterances = []
        for name, [speaker] in speakers.items():
            recording, start, end = parts.get(name, [name, "", ""])
            if recording not in recordings:
                raise ValueError(f"kaldi: utterance {name!r} needs {recording!r}, which wav.scp does not have.")
            self.utterances.append(
                Utterance(
                    speaker,
                    recordings[recording],
                    float(start) if start else None,
                    float(end) if end and float(end) >= 0 else None,  # -1 stands for the end of the file
                    sex=sex(sexes.get(speaker, [""])[0]),
                    source="kaldi",
                )
            )

    def _wav_scp(self) -> dict[str, str]:
        # A path may hold spaces, so only the first one separates.
        path = existing_file(self.root / "wav.scp", "kaldi")
        rows = [line.split(None, 1) for line in _lines(path) if line]
        for row in rows:
            if len(row) != 2:
                raise ValueError(f"kaldi: {str(path)!r}: cannot read {' '.join(row)!r}; expected <recording> <path>.")
        return dict(rows)

    def _recording(self, name: str, path: str) -> Path:
        if "|" in (path[0], path[-1]):
            raise ValueError(
                f"kaldi: recording {name!r} of {str(self.root / 'wav.scp')!r} is a command ({path!r}); "
                "commands are not run: write its output to an audio file, and that file's path in wav.scp."
            )
        if re.search(r"\.ark(:\d+)?$", path):
            raise ValueError(f"kaldi: recording {name!r} is in an archive ({path!r}); use audio files.")
        here = Path(path)
        return here if here.exists() or here.is_absolute() else self.root / here

    def __iter__(self) -> Iterator[Utterance]:
        return iter(self.utterances)


def _table(path: Path, width: int) -> dict[str, list[str]]:
    """Lines of `width` words as first word -> the others; empty when there is no such file."""
    table: dict[str, list[str]] = {}
    if path.is_file():
        for number, line in enumerate(_lines(path), 1):
            words = line.split()
            if words and len(words) != width:
                raise ValueError(f"kaldi: {str(path)!r}, line {number}: expected {width} words, got {line!r}.")
            if words:
                table[words[0]] = words[1:]
    return table


def _lines(path: Path) -> list[str]:
    with reading_text(path) as file:
        return [line.strip() for line in file.read().splitlines()]
