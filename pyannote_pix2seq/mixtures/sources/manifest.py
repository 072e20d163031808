"""A table of utterances (csv)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from ...files import reading_text
from .base import SUBSETS, Source, Utterance, existing_file, sex


class Manifest(Source):
    """A csv table: `path` (relative to the table) and `speaker`, and if present `source`, `sex`, `split` and `extra`.

    The speaker of a row is `source/speaker`, as two corpora may use one name for two people. A row's `split` wins
    over the hash in `sources.split`.

    Parameters
    ----------
    path : str or Path
        The csv file, or a folder: then every `manifest.csv` in it or one folder down.
    split : {"train", "development", "test"}, optional
        Only the rows of this split.
    """

    def __init__(self, path: str | Path, split: str | None = None) -> None:
        if Path(path).expanduser().is_dir():
            folder = Path(path).expanduser()
            self.paths = sorted([*folder.glob("manifest.csv"), *folder.glob("*/manifest.csv")])
            if not self.paths:
                raise FileNotFoundError(f"manifest: no manifest.csv in {str(folder)!r} or one folder down.")
        else:
            self.paths = [existing_file(path, "manifest")]
        if split is not None and split not in SUBSETS:
            raise ValueError(f"manifest: unknown split {split!r}; known splits: {', '.join(SUBSETS)}.")
        self.split = split
        needed = ["path", "speaker", *(["split"] if split else [])]
        for table in self.paths:
            with reading_text(table) as file:
                columns = csv.DictReader(file).fieldnames or []
            missing = [name for name in needed if name not in columns]
            if missing:
                raise ValueError(
                    f"manifest: {str(table)!r} has no column {', '.join(missing)}; it has: {', '.join(columns)}."
                )

    def __iter__(self) -> Iterator[Utterance]:
        for path in self.paths:
            yield from self._rows(path)

    def _rows(self, path: Path) -> Iterator[Utterance]:
        with reading_text(path) as file:
            table = csv.DictReader(file, restval="")
            for row in table:
                split = row.get("split", "")
                if split and split not in SUBSETS:
                    raise ValueError(
                        f"manifest: {str(path)!r}, line {table.line_num}: unknown split {split!r}; "
                        f"known splits: {', '.join(SUBSETS)}, or nothing."
                    )
                if not row["speaker"].strip():  # or all of them would be one person
                    raise ValueError(f"manifest: {str(path)!r}, line {table.line_num}: the speaker is missing.")
                if self.split is None or split == self.split:
                    corpus = row.get("source", "")
                    yield Utterance(
                        speaker=f"{corpus}/{row['speaker']}" if corpus else row["speaker"],
                        path=path.parent / row["path"],
                        sex=sex(row.get("sex", "")),
                        age=_extra(row.get("extra", "")).get("age", ""),
                        source=corpus or "manifest",
                        split=split,
                    )


def _extra(text: str) -> dict[str, str]:
    """ "age=13;repo=x" as a dictionary."""
    return dict(pair.split("=", 1) for pair in text.split(";") if "=" in pair)
