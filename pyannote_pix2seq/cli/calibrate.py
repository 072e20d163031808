"""`pyannote-pix2seq calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .options import Data, Device, Registry, Subset


def calibrate(
    pipeline: Annotated[
        Path, typer.Argument(help="Folder of a pipeline that diarizes with a Pix2Seq; its config.yaml is changed.")
    ],
    data: Data,
    subset: Subset = "development",
    registry: Registry = None,
    device: Device = "auto",
) -> None:
    """Make the confidence of turns mean what it says: of turns with confidence 0.8, four fifths are right.

    `pyannote-pix2seq evaluate` shows how far this holds on other files.
    """
    import yaml

    from ..files import writing_text
    from ..pipelines import PromptedSpeakerDiarization
    from ..pipelines.confidence import Calibration
    from .evaluate import diarized
    from .loading import load_pipeline, own_config, to_device
    from .references import load_registries, references
    from .reliability import judged, show

    load_registries(registry)
    path = own_config(pipeline)
    loaded: Any = to_device(load_pipeline(str(pipeline)), device)
    if not isinstance(loaded, PromptedSpeakerDiarization):
        raise ValueError(f"{pipeline}: expected the folder of a PromptedSpeakerDiarization pipeline.")
    loaded.calibration = Calibration()
    found = judged(diarized(loaded, references(data, subset), "auto"))
    calibration = found.fit()
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    config["pipeline"]["params"]["calibration"] = vars(calibration)
    show(found, "before")  # before anything is written: what took long is seen though that may fail
    show(found.under(calibration), f"after: offset {calibration.offset:g}, slope {calibration.slope:g}")
    with writing_text(path) as file:
        file.write(yaml.safe_dump(config, sort_keys=False))
