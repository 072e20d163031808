"""Mozilla Common Voice, as its archives unpack.

Source: https://commonvoice.mozilla.org/datasets.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from ...files import reading_text
from .base import Source, Utterance, existing_folder, sex

csv.field_size_limit(2**24)  # a few sentences are longer than the 128 KiB that csv allows


class CommonVoice(Source):
    """`root/validated.tsv` and `root/clips/*.mp3`, or several such languages in `root/<language>/`.

    The speaker is the `client_id`: an account, which one person may have several of.

    Parameters
    ----------
    root : str or Path
        Folder of a language, or of a release (`cv-corpus-...`) that holds some.
    """

    def __init__(self, root: str | Path) -> None:
        folder = existing_folder(root, "commonvoice")
        tables = [folder / "validated.tsv"] if (folder / "validated.tsv").is_file() else []
        self.tables = tables or sorted(folder.glob("*/validated.tsv"))
        if not self.tables:
            raise FileNotFoundError(
                f"commonvoice: no validated.tsv in {str(folder)!r}, nor in {str(folder / '<language>')!r}."
            )
        for table in self.tables:
            existing_folder(table.parent / "clips", "commonvoice")
            with reading_text(table) as file:
                columns = file.readline().rstrip("\r\n").split("\t")
            missing = {"client_id", "path"} - set(columns)
            if missing:
                raise ValueError(
                    f"commonvoice: {str(table)!r} has no column {', '.join(sorted(missing))}; "
                    f"its columns are: {', '.join(columns)}."
                )

    def __iter__(self) -> Iterator[Utterance]:
        for table in self.tables:
            with reading_text(table) as file:
                # Sentences may hold a lone quotation mark.
                rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, restval="")
                for row in rows:
                    if not row["client_id"].strip():  # or all of them would be one person
                        raise ValueError(f"commonvoice: {str(table)!r}, line {rows.line_num}: no client_id.")
                    name = row["path"] if "." in row["path"] else row["path"] + ".mp3"  # the first releases: no ending
                    yield Utterance(
                        row["client_id"],
                        table.parent / "clips" / name,
                        sex=sex(row.get("gender", "")),
                        age=row.get("age", ""),
                        source="commonvoice",
                    )
