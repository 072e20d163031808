"""Any pyannote.database protocol: the parts of its files where exactly one speaker talks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pyannote.core import Annotation
from pyannote.database import ProtocolFile, registry

from ...files import find_audio
from .base import SUBSETS, Source, Utterance


class Protocol(Source):
    """Single-speaker regions of a protocol's annotations.

    A label names the same person in the whole protocol only when a file's `scope` is "database" or "global"; otherwise
    the speaker is `uri/label`. The protocol's own subsets win over the hash in `sources.split`.

    Parameters
    ----------
    protocol : str
        Such as "AMI.SpeakerDiarization.only_words", known to `pyannote.database.registry`.
    subset : {"train", "development", "test"}, optional
        Only this subset of it. Default: those it has.
    min_duration : float, optional
        Shorter regions are left out, in seconds.
    """

    def __init__(self, protocol: str, subset: str | None = None, min_duration: float = 0.5) -> None:
        if subset is not None and subset not in SUBSETS:
            raise ValueError(f"protocol: unknown subset {subset!r}; known subsets: {', '.join(SUBSETS)}.")
        if min_duration < 0:
            raise ValueError(f"protocol: min_duration cannot be negative; got {min_duration} s.")
        known = sorted(registry)
        if protocol not in known:
            raise ValueError(f"protocol: unknown protocol {protocol!r}; known protocols: {', '.join(known) or 'none'}.")
        self.name = protocol
        self.subset = subset
        self.min_duration = min_duration
        self.protocol = registry.get_protocol(protocol, preprocessors={"audio": find_audio})

    def __iter__(self) -> Iterator[Utterance]:
        for subset in [self.subset] if self.subset else SUBSETS:
            for file in self._files(subset):
                everywhere = file.get("scope") in ("database", "global")
                for start, end, label in single_speaker_regions(_annotation(file)):
                    if end - start >= self.min_duration:
                        speaker = str(label) if everywhere else f"{file['uri']}/{label}"
                        yield Utterance(speaker, Path(file["audio"]), start, end, source=self.name, split=subset)

    def _files(self, subset: str) -> list[ProtocolFile]:
        try:
            return list(getattr(self.protocol, subset)())
        except NotImplementedError:  # a protocol need not have all three
            if subset == self.subset:
                raise ValueError(f"protocol: {self.name} has no {subset} subset.") from None
            return []


def _annotation(file: ProtocolFile) -> Annotation:
    """The reference of a file; pyannote.database has cropped it to the annotated part."""
    annotation = file.get("annotation")
    if annotation is None:
        raise ValueError(f"protocol: file {file['uri']!r} has no annotation.")
    return annotation


def single_speaker_regions(annotation: Annotation) -> list[tuple[float, float, str]]:
    """(start, end, label), in seconds, of the regions where exactly one label is active, longest possible, in order."""
    bounds = [
        (time, change, label)
        for segment, _, label in annotation.itertracks(yield_label=True)
        for time, change in ((segment.start, 1), (segment.end, -1))
    ]
    active: Counter[str] = Counter()
    regions: list[tuple[float, float, str]] = []
    previous = 0.0
    for time, change, label in sorted(bounds, key=lambda bound: bound[:2]):
        if len(active) == 1 and time > previous:
            (speaker,) = active
            if regions and regions[-1][1:] == (previous, speaker):
                regions[-1] = (regions[-1][0], time, speaker)
            else:
                regions.append((previous, time, speaker))
        active[label] += change
        if not active[label]:
            del active[label]
        previous = time
    return regions
