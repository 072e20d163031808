"""A table of utterances (csv)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from .base import SUBSETS, Source, Utterance, existing_file, sex


class Manifest(Source):
    """A csv table: `path` (relative to the table) and `speaker`, and if present `source`, `sex`, `split` and `extra`.

    The speaker of a row is `source/speaker`, as two corpora may use one name for two people. A row's `split` wins
    over the hash in `sources.split`.

    Parameters
    ----------
    path : str or Path
        The csv file.
    split : {"train", "development", "test"}, optional
        Only the rows of this split.
    """

    def __init__(self, path: str | Path, split: str | None = None) -> None:
        self.path = existing_file(path, "manifest")
        if split is not None and split not in SUBSETS:
            raise ValueError(f"manifest: unknown split {split!r}; known splits: {', '.join(SUBSETS)}.")
        self.split = split
        with self.path.open(newline="", encoding="utf-8") as file:
            columns = csv.DictReader(file).fieldnames or []
        needed = ["path", "speaker", *(["split"] if split else [])]
        missing = [name for name in needed if name not in columns]
        if missing:
            raise ValueError(
                f"manifest: {str(self.path)!r} has no column {', '.join(missing)}; it has: {', '.join(columns)}."
            )

    def __iter__(self) -> Iterator[Utterance]:
        with self.path.open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file, restval="")
            for row in table:
                split = row.get("split", "")
                if split and split not in SUBSETS:
                    raise ValueError(
                        f"manifest: {str(self.path)!r}, line {table.line_num}: unknown split {split!r}; "
                        f"known splits: {', '.join(SUBSETS)}, or nothing."
                    )
                if self.split is None or split == self.split:
                    corpus = row.get("source", "")
                    yield Utterance(
                        speaker=f"{corpus}/{row['speaker']}" if corpus else row["speaker"],
                        path=self.path.parent / row["path"],
                        sex=sex(row.get("sex", "")),
                        age=_extra(row.get("extra", "")).get("age", ""),
                        source=corpus or "manifest",
                        split=split,
                    )


def _extra(text: str) -> dict[str, str]:
    """ "age=13;repo=x" as a dictionary."""
    return dict(pair.split("=", 1) for pair in text.split(";") if "=" in pair)
