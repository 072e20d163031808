"""Utterances of single speakers, where they come from, and which subset a speaker belongs to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ...files import walk

SUBSETS = ("train", "development", "test")
AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac"})


@dataclass(frozen=True, slots=True)
class Utterance:
    """Speech of one speaker: an audio file, or a part of it.

    Parameters
    ----------
    speaker : str
        Name of the speaker, unique in its source.
    path : Path
        Audio file.
    start, end : float, optional
        The part of the file, in seconds. Default: all of it.
    sex : str, optional
        "female", "male", or "" when unknown.
    age : str, optional
        As the corpus writes it: years ("23") or a decade ("twenties").
    source : str, optional
        Name of the corpus.
    split : str, optional
        Subset in which the corpus itself puts the speaker; it wins over the hash in `split`.
    """

    speaker: str
    path: Path
    start: float | None = None
    end: float | None = None
    sex: str = ""
    age: str = ""
    source: str = ""
    split: str = ""


class Source(ABC):
    """Where utterances come from: the constructor checks that it is there, iterating reads it, always in one order."""

    @abstractmethod
    def __iter__(self) -> Iterator[Utterance]: ...


def subset_of(speaker: str, shares: tuple[float, float, float] = (0.8, 0.1, 0.1)) -> str:
    """Subset of a speaker: depends on the name alone, so it is the same in every run and beside any other speakers.

    Raises
    ------
    ValueError
        If the shares are not three fractions that sum to 1.
    """
    if len(shares) != len(SUBSETS) or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"shares of {', '.join(SUBSETS)} must be three fractions that sum to 1; got {shares}.")
    position = int.from_bytes(sha256(speaker.encode()).digest()[:8], "big") / 2**64
    if position < shares[0]:
        return SUBSETS[0]
    return SUBSETS[1] if position < shares[0] + shares[1] else SUBSETS[2]


def split(
    utterances: Iterable[Utterance], subset: str, shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
) -> list[Utterance]:
    """Utterances whose speakers belong to one subset, in their order; no speaker is in two subsets.

    Parameters
    ----------
    utterances : iterable of Utterance
    subset : {"train", "development", "test"}
    shares : tuple of float, optional
        Expected fractions of the speakers in train, development and test.

    Raises
    ------
    ValueError
        If the subset is unknown, the shares do not sum to 1, or the corpus has one speaker in two subsets.
    """
    if subset not in SUBSETS:
        raise ValueError(f"unknown subset {subset!r}; known subsets: {', '.join(SUBSETS)}.")
    chosen: list[Utterance] = []
    subsets: dict[tuple[str, str], str] = {}  # of those met so far
    for u in utterances:
        its = u.split or subset_of(u.speaker, shares)
        if (other := subsets.setdefault((u.source, u.speaker), its)) != its:
            raise ValueError(f"speaker {u.speaker!r} is in the {other} subset and in the {its} subset ({u.path}).")
        if its == subset:
            chosen.append(u)
    return chosen


def sex(text: str) -> str:
    """The corpora's spellings of a speaker's sex as "female", "male" or "" (unknown)."""
    return {"f": "female", "m": "male"}.get(text.strip().lower()[:1], "")


def existing_folder(root: str | Path, what: str) -> Path:
    """The folder, checked.

    Raises
    ------
    FileNotFoundError
        If it is missing.
    ValueError
        If it is a file.
    """
    folder = Path(root).expanduser()
    if not folder.exists():
        raise FileNotFoundError(f"{what}: there is no folder {str(folder)!r}.")
    if not folder.is_dir():
        raise ValueError(f"{what}: {str(folder)!r} is a file; expected a folder.")
    return folder


def existing_file(path: str | Path, what: str) -> Path:
    """The file, checked; raises FileNotFoundError when it is missing."""
    file = Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f"{what}: there is no file {str(file)!r}.")
    return file


def audio_files(folder: Path, suffixes: Iterable[str] = AUDIO_SUFFIXES) -> Iterator[Path]:
    """Audio files below a folder, at any depth, sorted (see `walk`)."""
    wanted = frozenset(suffixes)
    return (path for path in walk(folder) if path.suffix.lower() in wanted)


def check_audio(folder: Path, what: str, layout: str) -> None:
    """Raises ValueError, with the layout that was expected, when there is no audio file below the folder."""
    if next(audio_files(folder), None) is None:
        raise ValueError(f"{what}: no audio file in {str(folder)!r}; expected {layout}.")
