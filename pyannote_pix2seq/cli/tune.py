"""`pyannote-pix2seq tune`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from .options import Data, Device, Registry, Subset

if TYPE_CHECKING:
    from pyannote.core import Annotation, SlidingWindowFeature, Timeline

ONSETS = [i / 10 for i in range(1, 10)]
HYSTERESIS = (0.8, 0.6)  # offset / onset
DURATIONS = (0.1, 0.25)  # seconds


class Scored(NamedTuple):
    """Scores of the frames of one file, and what they should be."""

    uri: str
    frames: SlidingWindowFeature
    annotation: Annotation
    annotated: Timeline


def tune(
    pipeline: Annotated[
        Path, typer.Argument(help="Folder of a pipeline that detects classes; its config.yaml is changed.")
    ],
    data: Data,
    subset: Subset = "development",
    registry: Registry = None,
    device: Device = "auto",
) -> None:
    """Choose the thresholds and durations of each class that give it the best F.

    `pyannote-pix2seq optimize` minimizes error rates of diarization, which match labels freely: not for classes.
    """
    import yaml

    from ..files import writing_text
    from .loading import detects_classes, in_memory, load_pipeline, own_config, to_device
    from .references import load_registries, references

    load_registries(registry)
    path = own_config(pipeline)
    loaded = to_device(load_pipeline(str(pipeline)), device)
    if not detects_classes(loaded):
        raise ValueError(f"{pipeline}: expected the folder of a MultiLabelSegmentation pipeline.")
    if loaded.share_min_duration:  # which leaves a class no durations of its own
        raise ValueError(f"{path}: leave share_min_duration out; each class gets its own durations.")
    files = [
        Scored(file["uri"], loaded._segmentation(in_memory(file)), file["annotation"], file["annotated"])
        for file in references(data, subset)
    ]
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = {name: best(files, name, index) for index, name in enumerate(loaded.classes())}
    config["params"] = {"thresholds": {name: chosen for name, (chosen, _) in found.items()}}
    for name, (chosen, score) in found.items():  # before anything is written, which may fail
        typer.echo(f"{name}: F {score:.1f} % with " + ", ".join(f"{key} {value:g}" for key, value in chosen.items()))
    with writing_text(path) as file:
        file.write(yaml.safe_dump(config, sort_keys=False))


def best(files: Sequence[Scored], name: str, index: int) -> tuple[dict[str, float], float]:
    """Hyper-parameters of a class, and its F in percent: the onset first, then each other with those before it kept.

    Parameters
    ----------
    files : sequence of Scored
    name : str
        Class.
    index : int
        Its column in the scores.
    """
    from ..pipelines.multilabel import UNTUNED

    chosen, score = UNTUNED, f_score(files, name, index, UNTUNED)
    for key in UNTUNED:
        for tried in _alternatives(key, chosen):
            better = f_score(files, name, index, tried)
            if better > score:
                chosen, score = tried, better
    return dict(chosen), score


def _alternatives(key: str, chosen: Mapping[str, float]) -> Iterator[dict[str, float]]:
    """Other values of one hyper-parameter; the offset moves with the onset."""
    if key == "onset":
        yield from ({**chosen, "onset": onset, "offset": onset} for onset in ONSETS)
    elif key == "offset":
        yield from ({**chosen, "offset": round(chosen["onset"] * ratio, 3)} for ratio in HYSTERESIS)
    else:
        yield from ({**chosen, key: duration} for duration in DURATIONS)


def f_score(files: Sequence[Scored], name: str, index: int, parameters: Mapping[str, Any]) -> float:
    """F of a class in percent; 0 where it is neither found nor there."""
    from pyannote.audio.utils.signal import Binarize
    from pyannote.core import SlidingWindowFeature

    from .scores import Detected, score_detection

    binarize = Binarize(**parameters)
    total = Detected()
    for file in files:
        frames = SlidingWindowFeature(file.frames.data[:, index : index + 1], file.frames.sliding_window)
        found = binarize(frames)
        found = found.rename_labels(dict.fromkeys(found.labels(), name))
        total += score_detection(file.annotation, found, file.annotated, [name])[name]
    return total.row()["f"] or 0.0
