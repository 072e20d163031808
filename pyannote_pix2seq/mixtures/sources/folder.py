"""Any folder with one folder per speaker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .base import Source, Utterance, audio_files, check_audio, existing_folder


class Folder(Source):
    """`root/speaker/utterance.wav`; utterances may lie deeper, and audio directly in `root` is nobody's.

    Parameters
    ----------
    root : str or Path
        Folder of the speakers' folders.
    """

    layout = "<speaker>/<utterance>.wav (or .flac, .ogg, .opus, .mp3)"

    def __init__(self, root: str | Path) -> None:
        self.root = existing_folder(root, "folder")
        if not any(self._speakers()):
            raise ValueError(f"folder: no speaker's folder in {str(self.root)!r}; expected {self.layout}.")
        check_audio(self.root, "folder", self.layout)

    def _speakers(self) -> list[Path]:
        return sorted(p for p in self.root.iterdir() if p.is_dir() and not p.name.startswith("."))

    def __iter__(self) -> Iterator[Utterance]:
        for folder in self._speakers():
            for path in audio_files(folder):
                yield Utterance(folder.name, path, source="folder")
