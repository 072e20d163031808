"""pyannote's pipeline of classes that may overlap, with all of them kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import repeat
from typing import Any

from pyannote.audio import pipelines
from pyannote.core import Annotation, SlidingWindowFeature

from ..models.checkpoints import open_model

Binarize = Callable[[SlidingWindowFeature], Annotation]

UNTUNED = {"onset": 0.5, "offset": 0.5, "min_duration_on": 0.0, "min_duration_off": 0.0}  # of a class


class MultiLabelSegmentation(pipelines.MultiLabelSegmentation):
    """Detect classes that may overlap.

    The stock pipeline calls the tracks of all classes alike, so where two classes start and end together, as speech and
    the only voice in it do, it keeps the last one alone. Here a track is called as its class is, and both are kept.
    Parameters and hyper-parameters are those of `pyannote.audio.pipelines.MultiLabelSegmentation`.
    """

    _binarize: dict[str, Binarize]

    def __init__(self, segmentation: Any = None, *args: Any, **kwargs: Any) -> None:
        hub = {name: kwargs[name] for name in ("token", "cache_dir") if name in kwargs}
        super().__init__(None if segmentation is None else open_model(segmentation, **hub), *args, **kwargs)

    def initialize(self) -> None:
        """Make the detectors of each class from the current hyper-parameters."""
        super().initialize()
        self._binarize = {name: partial(_named, name, binarize) for name, binarize in self._binarize.items()}


def untuned(classes: Iterable[str]) -> dict[str, dict[str, dict[str, float]]]:
    """Hyper-parameters before they are tuned."""
    return {"thresholds": {name: dict(UNTUNED) for name in classes}}


def _named(name: str, binarize: Binarize, scores: SlidingWindowFeature) -> Annotation:
    return binarize(scores).rename_tracks(generator=repeat(name))
