"""Tables of labels, as sound event corpora come with them, for use in `database.yml`.

A *weak* label (a tag) says that a class occurs in a file, not when. Layouts that are understood, comma- or
tab-separated, names with or without audio suffix:

=============================================================  ===============================================
columns                                                        gives
=============================================================  ===============================================
header `file tags` (DESED: `filename event_labels`)            tags of each file
header `file onset offset tags` (`... event_label`)            labels of regions, in seconds
no header: file, tags                                          tags of each file
no header: file, onset, offset, label (DCASE 2017 task 4)      labels of regions; tags of each file where all
                                                               names end in their own `_onset_offset`
no header: YouTube id, start, end, "tags"[, ...] (AudioSet)    tags of each file `[Y]id_start_end`
=============================================================  ===============================================

Several tags are separated by a comma without space behind it: AudioSet has classes such as "Fire engine, fire truck".
In `database.yml`, a table may be the value of `tags` (weak labels) or, if it has regions, of `annotation`:

    Databases:
      DCASE2017: audio/{uri}.wav
    Protocols:
      DCASE2017:
        Segmentation:
          Task4:
            classes: [Train horn, "Air horn, truck horn", Car alarm]
            train: {uri: train.lst, tags: groundtruth_weak_label_training_set.csv}
            development: {uri: dev.lst, annotation: groundtruth_strong_label_testing_set.csv}

RTTM files need no loader of ours: voice types (KCHI, CHI, MAL, FEM) come as the speaker field of their lines.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pyannote.core import Annotation, Segment

from .files import reading_text

FILE, ONSET, OFFSET = ("file", "filename", "uri"), ("onset", "start"), ("offset", "end")
TAGS = ("tags", "tag", "labels", "label", "event_labels", "event_label")

_AUDIO_SUFFIX = re.compile(r"\.(wav|flac|mp3|ogg|opus|m4a)$", re.IGNORECASE)
_TIMES_IN_NAME = re.compile(r"_(\d+\.\d+)_(\d+\.\d+)$")
# 64 bits, six to a character, which leaves four for the last
_YOUTUBE_ID = re.compile(r"[\w-]{10}[048AEIMQUYcgkosw]")


class Row(NamedTuple):
    """One line of a table; `region` is None where it is about the whole file."""

    uri: str
    region: Segment | None
    tags: list[str]


class LabelTable:
    """Labels of a table of files: a loader of `pyannote.database` for `.csv` and `.tsv`.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    ValueError
        If a line cannot be understood; the message names it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        rows = _read(self.path)
        self.has_regions = any(row.region is not None for row in rows)
        self._rows: dict[str, list[Row]] = {}
        for row in rows:
            self._rows.setdefault(row.uri, []).append(row)

    def __call__(self, file: Mapping[str, str]) -> Annotation | list[str] | None:
        """Labels of one file.

        Parameters
        ----------
        file : mapping
            With key `uri`.

        Returns
        -------
        labels : list of str, Annotation or None
            Tags of the file, None if it is not in the table. For a table of regions an `Annotation`.
        """
        uri = _AUDIO_SUFFIX.sub("", file["uri"])
        # the audio of AudioSet clips is stored with a Y in front, since ids may start with a dash
        rows = self._rows.get(uri, self._rows.get(uri.removeprefix("Y")))
        if not self.has_regions:
            return None if rows is None else list(dict.fromkeys(tag for row in rows for tag in row.tags))
        annotation = Annotation(uri=file["uri"])
        for row in rows or ():
            for tag in row.tags:
                annotation[row.region, annotation.new_track(row.region)] = tag
        return annotation


def _read(path: Path) -> list[Row]:
    with reading_text(path) as lines:
        text = [line for line in lines if line.strip() and not line.startswith("#")]
    if not text:
        return []
    cells = list(csv.reader(text, delimiter="\t" if "\t" in text[0] else ",", skipinitialspace=True))
    for line in cells:
        if any(cell.strip() for cell in line[len(cells[0]) :]):
            raise ValueError(
                f"{path}: the line {line} has more cells than the first one, {cells[0]}; several tags share a cell, "
                'in quotes: "Speech,Music".'
            )
    columns = _named_columns(path, cells[0])
    rows = [_row(path, line, columns or _unnamed_columns(path, cells[0])) for line in cells[1 if columns else 0 :]]
    if all(row.region and row.region == _times_in_name(row.uri) for row in rows):
        return [row._replace(region=None) for row in rows]  # where the clip was cut from: nothing about the clip
    ids = {row.uri for row in rows if row.region and _YOUTUBE_ID.fullmatch(row.uri)}
    if not columns and len(ids) == len(rows):  # AudioSet has one clip of a video; files with events come once for each
        return [row._replace(uri=f"{row.uri}_{_name_of_times(row.region)}", region=None) for row in rows]
    return rows


def _named_columns(path: Path, header: list[str]) -> dict[str, int]:
    """Column of each kind of cell; empty if the line is no header."""
    header = [cell.strip().lower() for cell in header]
    if header[0] not in FILE:
        return {}
    kinds = {"file": FILE, "onset": ONSET, "offset": OFFSET, "tags": TAGS}
    columns = {kind: i for kind, names in kinds.items() for i, cell in enumerate(header) if cell in names}
    if "tags" not in columns or ("onset" in columns) != ("offset" in columns):
        raise ValueError(
            f"{path}: a header needs a column of files ({', '.join(FILE)}), one of tags ({', '.join(TAGS)}) and both "
            f"or neither of onset and offset; got {', '.join(header)}."
        )
    return columns


def _unnamed_columns(path: Path, line: list[str]) -> dict[str, int]:
    if len(line) in (1, 3):
        raise ValueError(f"{path}: needs columns file, tags or file, onset, offset, tags, or a header; got {line}.")
    return {"file": 0, "tags": 1} if len(line) == 2 else {"file": 0, "onset": 1, "offset": 2, "tags": 3}


def _times_in_name(uri: str) -> Segment | None:
    match = _TIMES_IN_NAME.search(uri)
    return Segment(*map(float, match.groups())) if match else None


def _name_of_times(region: Segment) -> str:
    return f"{region.start:.3f}_{region.end:.3f}"


def _row(path: Path, line: list[str], columns: dict[str, int]) -> Row:
    try:
        uri = _AUDIO_SUFFIX.sub("", line[columns["file"]].strip())
        if not any(cell.strip() for cell in line[columns["tags"] :]):
            return Row(uri, None, [])  # a file without any event: its other cells are empty or missing, too
        tags = line[columns["tags"]].strip()
        region = Segment(float(line[columns["onset"]]), float(line[columns["offset"]])) if "onset" in columns else None
    except (IndexError, ValueError):
        raise ValueError(
            f"{path}: cannot understand the line {line}: expected file, tags or file, onset, offset, tags, "
            "with onset and offset in seconds."
        ) from None
    return Row(uri, region, [tag.strip() for tag in re.split(r",(?! )", tags)])
