"""Mixtures as a database of pyannote: `Pix2Seq.SpeakerDiarization.Conversation`, `.Artificial`, `.Independent`,
and the same with "female" and "male" in place of the voices: `Pix2Seq.Segmentation.Conversation` and so on.

Own ones are declared in any `database.yml` that pyannote.database loads, under the key `Mixtures`:

    Mixtures:
      Meetings:                                    # Pix2Seq.SpeakerDiarization.Meetings
        source: {name: librispeech, root: LibriSpeech}
        style: {name: Conversation, num_speakers: [0, 0, 1, 1, 1]}
        effects: [loudness, {name: noise, recorded: musan/noise}, level]
        files: {train: 1000, development: 100}
        duration: 61.0
        seed: 1

Nothing is read or rendered before the first file is asked for; audio goes to a cache (`cache.cache_folder`).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import yaml
from pyannote.core import Annotation, Segment, Timeline
from pyannote.database import Database, ProtocolFile, registry
from pyannote.database.protocol import SpeakerDiarizationProtocol

from ..decoder import install
from ..files import reading_text, replacing
from .cache import cache_folder
from .definition import SUBSETS, Definition
from .plan import SAMPLE_RATE, Plan

if TYPE_CHECKING:
    from .simulator import Simulator

DATABASE = "Pix2Seq"
CLASSES = ("female", "male")
SECTION = "Mixtures"

BUILT_IN = {name: Definition(name, style=name) for name in ("Conversation", "Artificial", "Independent")}
_DEFINED: dict[str, Definition] = {}  # by `define`


@dataclass(frozen=True)
class Mixture:
    """One file of a protocol; everything about it is made when it is asked for."""

    definition: Definition
    subset: str
    index: int

    @property
    def uri(self) -> str:
        fingerprint = self.definition.fingerprint(self.subset)
        return f"{self.definition.name}-{fingerprint}-{self.subset}-{self.index:05d}"

    def plan(self) -> Plan:
        simulator = self.definition.simulator(self.subset)
        rng = np.random.default_rng((self.definition.seed, SUBSETS.index(self.subset), self.index))
        return simulator.plan(rng, self.definition.duration, self.definition.difficulty)

    def waveform(self, plan: Plan | None = None) -> np.ndarray:
        """(sample,) float32."""
        return self.definition.simulator(self.subset).render(plan or self.plan())

    def annotation(self, file: Any = None) -> Annotation:
        plan = self.plan()
        return plan.annotation(self.definition.simulator(self.subset).labels(plan), uri=self.uri)

    @property
    def sexes(self) -> tuple[Sequence[str], Sequence[str]]:
        """Names of all speakers of the subset, and their sexes."""
        bank = self.definition.simulator(self.subset).bank
        return bank.speakers, bank.sexes

    def voice_types(self, file: Any = None) -> Annotation:
        """Who speaks when, by sex."""
        plan, (_, sexes) = self.plan(), self.sexes
        return plan.annotation([sexes[voice.speaker] for voice in plan.voices], uri=self.uri)

    def annotated(self, file: Any = None) -> Timeline:
        return Timeline([Segment(0.0, self.definition.num_samples / SAMPLE_RATE)], uri=self.uri)

    def audio(self, file: Any = None) -> Path:
        """Path of the sound, rendered unless it is in the cache. Several processes may ask at once."""
        import soundfile

        install()  # by now, whoever reads it is imported
        path = cache_folder("mixtures") / f"{self.uri}.wav"
        if not path.exists():
            with replacing(path) as temporary:
                soundfile.write(temporary, self.waveform(), SAMPLE_RATE, subtype="PCM_16")
        return path


class MixtureProtocol(SpeakerDiarizationProtocol):
    """Files of mixtures, always the same ones, and (through `simulator`) mixtures without end.

    Parameters
    ----------
    definition : Definition
    preprocessors : dict, optional
        See `pyannote.database.Protocol`.
    """

    TASK = "SpeakerDiarization"

    def __init__(self, definition: Definition, preprocessors: Any = None) -> None:
        super().__init__(preprocessors=preprocessors)
        self.definition = definition
        self.name = f"{DATABASE}.{self.TASK}.{definition.name}"

    def simulator(self, subset: str) -> Simulator:
        """Conversations without end, of the speakers of a subset."""
        return self.definition.simulator(subset)

    def mixtures(self, subset: str) -> list[Mixture]:
        """Plans of the files of a subset, without audio."""
        if subset not in self.definition.files:
            there = ", ".join(known for known in SUBSETS if known in self.definition.files)
            raise NotImplementedError(f"{self.name} has no {subset} subset; it has: {there}.")
        return [Mixture(self.definition, subset, i) for i in range(self.definition.files[subset])]

    def train_iter(self) -> Iterator[ProtocolFile]:
        return map(self.file, self.mixtures("train"))

    def development_iter(self) -> Iterator[ProtocolFile]:
        return map(self.file, self.mixtures("development"))

    def test_iter(self) -> Iterator[ProtocolFile]:
        return map(self.file, self.mixtures("test"))

    def file(self, mixture: Mixture) -> ProtocolFile:
        # any other key would become metadata of pyannote's training tasks; labels name voices, in all files the same
        stored = {"uri": mixture.uri, "database": DATABASE, "subset": mixture.subset, "scope": "database"}
        lazy = {"audio": mixture.audio, "annotation": mixture.annotation, "annotated": mixture.annotated}
        return ProtocolFile(stored, lazy=lazy)


class VoiceTypeProtocol(MixtureProtocol):
    """The same files with two classes, "female" and "male", in place of the voices: for multi-label tasks.

    They are the speakers' own: give the style `speeds: [1.0]`, since a voice at another speed may be of another type.

    Raises
    ------
    ValueError
        When a file is asked for and the source does not know the sex of its speakers.
    """

    TASK = "Segmentation"

    def file(self, mixture: Mixture) -> ProtocolFile:
        unknown = [s for s, sex in zip(*mixture.sexes, strict=True) if sex not in CLASSES]
        if unknown:
            raise ValueError(
                f"{self.name}: the source does not know the sex of {len(unknown)} speakers: {unknown[:3]}."
            )
        file = super().file(mixture)
        file["scope"], file["classes"] = "global", list(CLASSES)
        file.lazy["annotation"] = mixture.voice_types
        return file


KINDS = (MixtureProtocol, VoiceTypeProtocol)


class Pix2Seq(Database):
    """Synthetic conversations, mixed from recordings of single speakers."""

    # pyannote.database takes them from here when a `database.yml` adds protocols of its own to this database
    _protocols: ClassVar[dict[tuple[str, str], Any]] = {
        (kind.TASK, name): partial(kind, definition) for kind in KINDS for name, definition in BUILT_IN.items()
    }

    def __init__(self, preprocessors: Any = None) -> None:
        super().__init__(preprocessors=preprocessors)
        # for FileFinder, which looks where the audio was rendered to
        registry.sources[DATABASE] = [str(cache_folder("mixtures") / "{uri}.wav")]
        for (task, name), protocol in self._protocols.items():
            self.register_protocol(task, name, protocol)
        for kind in KINDS:
            for path, config in registry.configs.items():
                section = config.get(SECTION) or {}
                if not isinstance(section, Mapping):  # of one file; no trouble for others
                    warnings.warn(f"{path}: {SECTION}: expected names of mixtures; got {section!r}.", stacklevel=2)
                    section = {}
                for name, data in section.items():
                    self.register_protocol(kind.TASK, str(name), partial(_declared, kind, path, str(name), data))
            for name, definition in _DEFINED.items():
                self.register_protocol(kind.TASK, name, partial(kind, definition))


def _declared(
    kind: type[MixtureProtocol], path: Path, name: str, data: Any, preprocessors: Any = None
) -> MixtureProtocol:
    """A protocol declared in a `database.yml`; checked only now, so that a mistake in one is no trouble for others."""
    try:
        return kind(Definition.read(name, data, Path(path).parent), preprocessors)
    except (ValueError, OSError) as error:
        raise ValueError(f"{path}: {SECTION}: {name}: {error}") from error


def define(name: str, **data: Any) -> MixtureProtocol:
    """Define a protocol of mixtures, known to `pyannote.database.registry` from then on.

    Parameters
    ----------
    name : str
        `Pix2Seq.SpeakerDiarization.<name>`; a protocol of this name is replaced.
    **data
        Plain data: `source`, `style`, `effects`, `files`, `duration`, `difficulty`, `shares`, `seed`; see `Definition`.

    Raises
    ------
    ValueError
        If a key, a name or a parameter is unknown (the message lists the known ones), or a value does not fit.

    >>> define("Calls", source={"name": "folder", "root": "speech"}, style={"name": "Conversation", "hold": 0.2})
    """
    _DEFINED[name] = Definition.read(name, data)
    register()
    return registry.get_protocol(f"{DATABASE}.{MixtureProtocol.TASK}.{name}")


def register() -> None:
    """Make the database known to pyannote.database; protocols of this name that are there already stay."""
    there = getattr(registry.databases.get(DATABASE), "_protocols", {})
    Pix2Seq._protocols = {**Pix2Seq._protocols, **there}
    registry.databases[DATABASE] = Pix2Seq


def define_file(path: Path) -> MixtureProtocol:
    """Define the protocol of a yaml file, named after it; paths in it may be relative to it.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no yaml in UTF-8, or as `define` does.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file.")
    try:
        with reading_text(path) as file:
            data = yaml.safe_load(file)
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: is no yaml file ({error}).") from None
    name = re.sub(r"\W", "_", path.stem)
    _DEFINED[name] = Definition.read(name, data, path.absolute().parent)
    register()
    return registry.get_protocol(f"{DATABASE}.{MixtureProtocol.TASK}.{name}")
