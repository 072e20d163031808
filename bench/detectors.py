"""DeviNet beside PyanNet: audio per second of computing, same machine, same windows."""

from __future__ import annotations

from functools import partial
from importlib.resources import files
from typing import Any

import torch
import yaml
from pyannote.audio import Model
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.segmentation import PyanNet

from pyannote_pix2seq.models import DeviNet

from .table import seconds, show

BATCH, DURATION = 8, 5.0
PRESETS = ("DeviNet", "DeviNetPaper", "DeviNetLight")
PEER = "PyanNet"


def preset(name: str) -> dict[str, Any]:
    """Parameters of a model yaml of the configuration."""
    parameters = yaml.safe_load((files("pyannote_pix2seq.config") / "model" / f"{name}.yaml").read_text("utf-8"))
    del parameters["_target_"]
    return parameters


def ready(model: Model) -> Model:
    model.specifications = Specifications(
        problem=Problem.MULTI_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=DURATION,
        classes=["KCHI", "CHI", "MAL", "FEM"],
    )
    model.build()
    return model.eval()


def main() -> None:
    torch.set_num_threads(2)
    waveforms = torch.randn(BATCH, 1, round(DURATION * 16000)) * 0.1
    models = {PEER: PyanNet(), **{name: DeviNet(**preset(name)) for name in PRESETS}}
    with torch.inference_mode():
        took = {name: seconds(partial(ready(model), waveforms)) for name, model in models.items()}
    rows = []
    for name, model in models.items():
        size = sum(p.numel() for p in model.parameters()) / 1e6
        speed, ratio = BATCH * DURATION / took[name], took[PEER] / took[name]
        rows.append((name, f"{size:.2f} M", f"{speed:.0f} x real time", f"{ratio:.2f} x {PEER}"))
    title = f"detectors on the CPU, 2 threads, batches of {BATCH} x {DURATION:g} s"
    show(title, rows, ("model", "parameters", "speed", "ratio"))
