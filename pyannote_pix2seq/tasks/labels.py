"""Strong and weak labels of a protocol as tables of numbers, and drawing from them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

import numpy as np
from pyannote.core import Annotation, Segment, Timeline
from pyannote.database import Protocol

from ..audio import open_audio

FILES = [("train", "?"), ("weak", "?")]
REGIONS = [("file", "i4"), ("start", "f8"), ("end", "f8")]
EVENTS = [("region", "i4"), ("start", "f8"), ("end", "f8"), ("class", "i4")]


class Pool(NamedTuple):
    """Stretches of time to draw from, with probability proportional to duration.

    regions : index of the region that each lies in; starts, ends : in seconds.
    """

    regions: np.ndarray
    starts: np.ndarray
    ends: np.ndarray

    def draw(self, rng: Random) -> tuple[int, float]:
        """A region, and a time in it in seconds."""
        until = np.cumsum(self.ends - self.starts)
        i = min(int(np.searchsorted(until, rng.random() * until[-1], side="right")), len(until) - 1)
        return int(self.regions[i]), rng.uniform(float(self.starts[i]), float(self.ends[i]))


def read_labels(protocol: Protocol, classes: Sequence[str] | None, has_validation: bool) -> dict[str, Any]:
    """Labels of the training and development sets.

    Returns
    -------
    labels : dict of arrays
        protocol : name
        classes-list : names of the classes
        audio-path : (file,)
        files : (file,) whether in the training set, whether labels are weak
        known : (file, class) whether the class was annotated
        regions : (region,) file, start and end in seconds
        events : (event,) region, start and end in seconds, class; sorted by region

    Raises
    ------
    ValueError
        If no class is known, or a file has no labels.
    """
    files = [(True, file) for file in protocol.train()]
    if has_validation:
        files += [(False, file) for file in protocol.development()]
    classes = list(classes or dict.fromkeys(name for _, file in files for name in file.get("classes") or ()))
    if not classes:
        raise ValueError(
            f"which classes should be detected? {protocol.name} has no 'classes': add them to it (in database.yml), "
            "or pass classes=[...] to the task."
        )

    number = {name: i for i, name in enumerate(classes)}
    known = np.zeros((len(files), len(classes)), dtype=bool)
    ignored: set[str] = set()
    table: list[tuple[bool, bool]] = []
    paths: list[str] = []
    regions: list[tuple[int, float, float]] = []
    events: list[tuple[int, float, float, int]] = []
    for i, (train, file) in enumerate(files):
        weak, labelled = _labelled_regions(file)
        table.append((train, weak))
        paths.append(str(file["audio"]))
        known[i, [number[name] for name in file.get("classes") or classes if name in number]] = True
        for region, labels in labelled:
            ignored.update(name for _, name in labels if name not in number)
            events += [(len(regions), *segment, number[name]) for segment, name in labels if name in number]
            regions.append((i, *region))
    if ignored:
        warnings.warn(f"labels that are none of the classes {classes} are ignored: {sorted(ignored)}", stacklevel=2)
    return {
        "protocol": np.array(protocol.name),
        "classes-list": np.array(classes),
        "audio-path": np.array(paths),
        "files": np.array(table, dtype=FILES),
        "known": known,
        "regions": np.array(regions, dtype=REGIONS),
        "events": np.array(events, dtype=EVENTS),
    }


def _labelled_regions(file: Mapping[str, Any]) -> tuple[bool, list[tuple[Segment, list[tuple[Segment, str]]]]]:
    """Whether the labels of a file are weak, and its regions with the labelled segments of each."""
    annotation, tags = file.get("annotation"), file.get("tags")
    if isinstance(tags, Annotation) and not tags:
        tags = None  # a table of regions that does not have the file
    if tags is not None and not annotation:
        if isinstance(tags, Annotation):
            regions = tags.get_timeline(copy=False)
            return True, [(region, [(region, tag) for tag in sorted(tags.get_labels(region))]) for region in regions]
        return True, [(region, [(region, tag) for tag in tags]) for region in _annotated(file)]
    if annotation is None:
        raise ValueError(f"{file['uri']} has neither strong labels ('annotation') nor weak ones ('tags').")
    return False, [
        (region, [(segment, label) for segment, _, label in annotation.crop(region).itertracks(yield_label=True)])
        for region in _annotated(file)
    ]


def _annotated(file: Mapping[str, Any]) -> Timeline:
    annotated = file.get("annotated")
    return Timeline([Segment(0, open_audio(file).duration)]) if annotated is None else annotated.support()
