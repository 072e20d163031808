"""`Diarization`: what the pipeline returns."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from itertools import count, islice
from typing import Any, TextIO

from pyannote.core import Annotation, Segment
from pyannote.core.utils.generators import int_generator, string_generator
from pyannote.core.utils.types import LabelGenerator, TrackName

from .prompts import SpeakerMemory


def rttm_name(name: str) -> str:
    """What RTTM calls a file or a speaker: spaces set its columns apart, so those in names become underscores."""
    return re.sub(r"\s", "_", name)


class Diarization(Annotation):
    """Who spoke when: an `Annotation` that also knows how sure it is, and the voices it met.

    It has the attributes of the output of pyannote's own `SpeakerDiarization` pipeline, so that whatever takes
    that or an `Annotation` takes this.

    Parameters
    ----------
    uri : str, optional
    modality : str, optional

    Attributes
    ----------
    confidence : dict
        How sure the model is of each track, from 0 to 1.
    memory : SpeakerMemory
        The voices met: give it to the pipeline with the next file, and the labels go on.
    """

    def __init__(self, uri: str | None = None, modality: str | None = None):
        super().__init__(uri=uri, modality=modality)
        self.confidence: dict[TrackName, float] = {}
        self.memory = SpeakerMemory()

    @property
    def speaker_diarization(self) -> Diarization:
        """Itself."""
        return self

    @property
    def speaker_embeddings(self) -> None:
        """None: voices are heard anew in each file, by what `memory` keeps of them."""

    @property
    def exclusive_speaker_diarization(self) -> Diarization:
        """One speaker at a time, as transcription needs it.

        Of overlapping turns, the one that began first keeps the floor; of those that began together, the longer.
        """
        turns = sorted(self.itertracks(yield_label=True), key=lambda t: (t[0].start, -t[0].end))
        exclusive = self._with_what_is_known(self.empty())
        now = float("-inf")
        for segment, track, label in turns:  # by start: whoever comes later gets only what is left
            if segment.end > now:
                rest = Segment(max(segment.start, now), segment.end)
                if rest:
                    exclusive[rest, track] = label
                    now = segment.end
        return exclusive

    def serialize(self) -> dict[str, Any]:
        """As a dictionary ready for JSON.

        Returns
        -------
        serialized : dict
            `diarization` and `exclusive_diarization`: lists of `start` and `end` (seconds, to the millisecond),
            `speaker` and `confidence`.
        """

        def turns(diarization: Diarization) -> list[dict[str, Any]]:
            return [
                {
                    "start": round(segment.start, 3),
                    "end": round(segment.end, 3),
                    "speaker": label,
                    "confidence": round(self.confidence[track], 3) if track in self.confidence else None,
                }
                for segment, track, label in diarization.itertracks(yield_label=True)
            ]

        return {"diarization": turns(self), "exclusive_diarization": turns(self.exclusive_speaker_diarization)}

    def to_rttm(self) -> str:
        """RTTM, with names as it can say them (see `rttm_name`)."""
        plain: Annotation = Annotation(uri=rttm_name(self.uri) if self.uri else None)
        for segment, track, label in self.itertracks(yield_label=True):
            plain[segment, track] = rttm_name(str(label))
        return plain.to_rttm()

    def write_rttm(self, file: TextIO) -> None:
        file.write(self.to_rttm())

    # what pyannote.core derives from an annotation keeps what is known about its tracks

    def _with_what_is_known(self, derived: Diarization) -> Diarization:
        derived.confidence = dict(self.confidence)
        derived.memory = self.memory
        return derived

    def copy(self) -> Diarization:
        return self._with_what_is_known(super().copy())

    def crop(self, *args: Any, **kwargs: Any) -> Diarization:
        return self._with_what_is_known(super().crop(*args, **kwargs))

    def subset(self, *args: Any, **kwargs: Any) -> Diarization:
        return self._with_what_is_known(super().subset(*args, **kwargs))

    def relabel_tracks(self, *args: Any, **kwargs: Any) -> Diarization:
        relabeled = super().relabel_tracks(*args, **kwargs)
        relabeled.confidence = dict(self.confidence)
        return relabeled  # its labels are not those of the voices any more

    def rename_tracks(self, generator: LabelGenerator = "string") -> Diarization:
        tracks = [track for _, track in self.itertracks()]
        endless = {"string": string_generator, "int": int_generator}
        names = list(islice(endless[generator]() if isinstance(generator, str) else generator, len(tracks)))
        renamed = super().rename_tracks(iter(names))
        renamed.confidence = {
            name: self.confidence[track] for name, track in zip(names, tracks, strict=True) if track in self.confidence
        }
        renamed.memory = self.memory
        return renamed

    def update(self, annotation: Annotation, copy: bool = False) -> Diarization:
        """As in `Annotation`, but a track called like another turn here gets a new name, to keep its confidence.

        Voices that are not known here come along.
        """
        updated = self.copy() if copy else self
        confidence, memory = getattr(annotation, "confidence", {}), getattr(annotation, "memory", SpeakerMemory())
        places = {track: segment for segment, track in updated.itertracks()}
        coming = list(annotation.itertracks(yield_label=True))
        theirs = {track for _, track, _ in coming}  # no new name may be one that is still to come
        for segment, track, label in coming:
            taken = places.get(track, segment) != segment
            name = next(i for i in count(len(places)) if i not in places and i not in theirs) if taken else track
            updated[segment, name], places[name] = label, segment
            updated.confidence.pop(name, None)
            if track in confidence:
                updated.confidence[name] = confidence[track]
        for voice in memory.voices:
            if voice.label not in updated.memory.labels:
                updated.memory = updated.memory.put(voice)
        return updated

    def rename_labels(
        self, mapping: dict | None = None, generator: LabelGenerator = "string", copy: bool = True
    ) -> Diarization:
        before = {(segment, track): label for segment, track, label in self.itertracks(yield_label=True)}
        renamed = super().rename_labels(mapping=mapping, generator=generator, copy=copy)
        if mapping is None:
            mapping = {before[segment, track]: label for segment, track, label in renamed.itertracks(yield_label=True)}
        renamed.memory = renamed.memory.rename(mapping)
        return renamed

    def support(self, collar: float = 0.0) -> Diarization:
        """As in `Annotation`; the confidence of a joined track is the mean over its parts, by duration."""
        support = super().support(collar)
        support.memory = self.memory
        parts: dict[Any, deque] = defaultdict(deque)
        for segment, track, label in self.itertracks(yield_label=True):
            if track in self.confidence:
                parts[label].append((segment, self.confidence[track]))
        for segment, track, label in support.itertracks(yield_label=True):  # in order of time, as the parts
            total = known = 0.0
            while parts[label] and parts[label][0][0] in segment:
                part, confidence = parts[label].popleft()
                total, known = total + part.duration, known + part.duration * confidence
            if total:
                support.confidence[track] = known / total
        return support
