"""Options that several commands have, and what they become."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

if TYPE_CHECKING:
    from ..pipelines import PromptedSpeakerDiarization

NumSpeakers = Annotated[Optional[int], typer.Option(help="Exact number of speakers in each file.")]  # noqa: UP045
MinSpeakers = Annotated[Optional[int], typer.Option(help="Smallest number of speakers in each file.")]  # noqa: UP045
MaxSpeakers = Annotated[Optional[int], typer.Option(help="Largest number of speakers in each file.")]  # noqa: UP045
Speakers = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--speaker", metavar="NAME=CLIP", help="A known speaker and a recording of them alone; for each one."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps...")]
Folder = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--pipeline", help="Folder of a pipeline, instead of the one shipped."),
]

Data = Annotated[
    str, typer.Argument(help="Protocol, or a folder in which NAME.rttm (and NAME.uem) lie beside the audio.")
]
Subset = Annotated[str, typer.Option(help="Of the protocol: train, development or test.")]
Registry = Annotated[Optional[list[Path]], typer.Option(help="A database.yml with the protocol.")]  # noqa: UP045


def clips(speakers: list[str] | None) -> dict[str, str]:
    """Recording of each known speaker, by name.

    Raises
    ------
    ValueError
        If something else than NAME=CLIP was given, or a name twice.
    """
    clips: dict[str, str] = {}
    for speaker in speakers or []:
        name, equals, clip = speaker.partition("=")
        if not (name and equals and clip):
            raise ValueError(f"--speaker takes NAME=CLIP, as in Alice=alice.wav; got {speaker!r}.")
        if name in clips:
            raise ValueError(f"--speaker {name} is given twice.")
        clips[name] = clip
    return clips


def load(folder: Path | None, device: str) -> PromptedSpeakerDiarization:
    """The pipeline of a folder, or the one shipped.

    Raises
    ------
    FileNotFoundError, ValueError
        If it cannot be loaded, or is of another kind.
    """
    from rich.console import Console

    from .. import pretrained
    from ..pipelines import PromptedSpeakerDiarization
    from .loading import load_pipeline, to_device

    with Console(stderr=True).status("loading the pipeline"):
        loaded = to_device(load_pipeline(str(folder or pretrained())), device)
    if not isinstance(loaded, PromptedSpeakerDiarization):
        raise ValueError(
            f"{folder}: is a {type(loaded).__name__}; this command takes a PromptedSpeakerDiarization "
            "(`pyannote-pix2seq apply` takes any pipeline)."
        )
    return loaded


def one_line(error: Exception) -> str:
    """What an error says, on one line."""
    # one that was raised in a worker of a DataLoader says its traceback first
    message = str(error).rpartition(f"\n{type(error).__name__}: ")[2]
    return " ".join(message.split())
