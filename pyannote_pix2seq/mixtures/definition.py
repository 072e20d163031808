"""What a protocol of mixtures is made of, as plain data: checked, hashed, and turned into simulators."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache, lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import audio
from .plain import check_keys, make, named, plain, resolved
from .plan import SAMPLE_RATE

if TYPE_CHECKING:
    from .simulator import Simulator

SUBSETS = ("train", "development", "test")
EFFECTS = ("loudness", "reverberation", "noise", "microphone", "level")


@dataclass(frozen=True)
class Definition:
    """A protocol of mixtures: plain data, so that it can be hashed, printed and written to YAML.

    Parameters
    ----------
    name : str
        Of the protocol.
    source : str or mapping
        Where single-speaker speech comes from: a name of `sources.SOURCES`, or a mapping with `name` and parameters.
    style : str or mapping
        How a conversation goes; a name of `styles.STYLES`.
    effects : sequence of (str or mapping)
        What happens to the voices, in this order; names of `effects.EFFECTS`.
    files : mapping
        Number of files of each subset; a subset that is not named is not there.
    duration : float
        Of a file, in seconds. Tasks of pyannote.audio need files longer than their chunks.
    difficulty : float
        0 (clean) to 1.
    shares : sequence of float
        Fractions of the speakers in train, development and test, when the source does not say.
    seed : int
    """

    name: str
    source: Any = "espeak"
    style: Any = "Conversation"
    effects: Any = EFFECTS
    files: Any = field(default_factory=lambda: {"train": 200, "development": 40, "test": 40})
    duration: float = 61.0
    difficulty: float = 1.0
    shares: Any = (0.8, 0.1, 0.1)
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ValueError(
                "the name of a protocol (a yaml file gives it its own) is made of letters, digits and underscores, and "
                f"starts with no digit; got {self.name!r}."
            )
        checked = {
            "source": named("source", self.source),
            "style": named("style", self.style),
            "effects": [named("effect", effect) for effect in _list("effects", self.effects)],
            "files": self._files(),
            "duration": _number("duration", self.duration, 1.0, 86400.0),
            "difficulty": _number("difficulty", self.difficulty, 0.0, 1.0),
            "shares": [_number("shares", share, 0.0, 1.0) for share in _list("shares", self.shares)],
        }
        if not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"seed: expected a whole number from 0 on; got {self.seed!r}.")
        for key, value in checked.items():
            object.__setattr__(self, key, value)

    def _files(self) -> dict[str, int]:
        files = dict(self.files) if isinstance(self.files, Mapping) else None
        if not files or not all(isinstance(n, int) and n > 0 for n in files.values()):
            raise ValueError(f"files: expected the number of files of each subset; got {self.files!r}.")
        check_keys("files", files, SUBSETS)
        return files

    @classmethod
    def read(cls, name: str, data: Any, folder: Path | None = None) -> Definition:
        """From a mapping, as YAML has it; paths may be relative to `folder`.

        Raises
        ------
        ValueError
            If a key, a name or a parameter is unknown, or a value does not fit.
        """
        data = plain(data) or {}
        if not isinstance(data, dict):
            raise ValueError(f"mixtures {name!r}: expected a mapping; got {data!r}.")
        check_keys(f"mixtures {name!r}", data, [field.name for field in fields(cls) if field.name != "name"])
        definition = cls(name, **data)
        if folder is not None:
            from .effects import EFFECTS
            from .sources import SOURCES
            from .styles import STYLES

            object.__setattr__(definition, "source", resolved(SOURCES, definition.source, folder))
            object.__setattr__(definition, "style", resolved(STYLES, definition.style, folder))
            object.__setattr__(definition, "effects", [resolved(EFFECTS, e, folder) for e in definition.effects])
        return definition.checked()

    def checked(self) -> Definition:
        """Itself.

        Raises
        ------
        ValueError
            If the source, the style or an effect cannot be made.
        """
        from . import sources

        make("source", sources.SOURCES, self.source)
        self.make_style()
        self.make_effects()
        return self

    def make_style(self) -> Any:
        from .styles import STYLES

        return make("style", STYLES, self.style)

    def make_effects(self) -> list[Any]:
        from .effects import EFFECTS

        return [make("effect", EFFECTS, effect) for effect in self.effects]

    @property
    def num_samples(self) -> int:
        return round(self.duration * SAMPLE_RATE)

    @property
    def recipe(self) -> str:
        """All that shapes the mixtures, in one text; the number of files does not."""
        return json.dumps({f.name: getattr(self, f.name) for f in fields(self) if f.name != "files"}, sort_keys=True)

    def simulator(self, subset: str) -> Simulator:
        """Conversations of the speakers of one subset; what was loaded once is kept.

        Raises
        ------
        ValueError
            If the subset is unknown, or has too few speakers for the style.
        """
        if subset not in SUBSETS:
            raise ValueError(f"unknown subset {subset!r}; known subsets: {', '.join(SUBSETS)}.")
        return _simulator(self.recipe, subset)

    def fingerprint(self, subset: str) -> str:
        """Changes whenever the sound or the annotation of a file may: recipe, speech, recordings of effects, code."""
        from .effects.recordings import Recordings

        simulator = self.simulator(subset)
        values = [value for effect in simulator.effects for value in vars(effect).values()]
        recorded = [value.key for value in values if isinstance(value, Recordings)]
        return sha256("\n".join([self.recipe, simulator.bank.key, *recorded, _code()]).encode()).hexdigest()[:10]


def _list(what: str, value: Any) -> list[Any]:
    value = plain(value)
    if not isinstance(value, list):
        raise ValueError(f"{what}: expected a list; got {value!r}.")
    return value


def _number(what: str, value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ValueError(f"{what}: expected a number from {low:g} to {high:g}; got {value!r}.")
    return float(value)


@cache
def _code() -> str:
    """Of the mixtures and of what reads recordings for them, and the versions of the libraries that shape the sound."""
    libraries = ("numpy", "scipy", "pyroomacoustics", "torch", "soxr", "soundfile")
    code = sha256(" ".join(version(library) for library in libraries).encode())
    for path in (Path(audio.__file__), *sorted(Path(__file__).parent.rglob("*.py"))):
        code.update(path.read_bytes())
    return code.hexdigest()


@lru_cache(maxsize=16)
def _simulator(recipe: str, subset: str) -> Simulator:
    from .simulator import Simulator

    definition = Definition(**json.loads(recipe))
    style = definition.make_style()
    bank = _bank(json.dumps(definition.source, sort_keys=True), subset, tuple(definition.shares))
    if len(bank.speakers) < style.max_speakers:
        raise ValueError(
            f"mixtures {definition.name!r}: the {subset} subset has only {len(bank.speakers)} usable speakers, but the "
            f"style {definition.style['name']!r} puts up to {style.max_speakers} in one mixture; give the style fewer "
            "(num_speakers), or the subset more (shares)."
        )
    return Simulator(bank, style, definition.make_effects())


@lru_cache(maxsize=16)
def _bank(source: str, subset: str, shares: Sequence[float]) -> Any:
    from . import sources
    from .bank import Bank

    value = json.loads(source)
    utterances = list(make("source", sources.SOURCES, value))
    if not utterances:
        raise ValueError(f"source {value['name']!r} has no utterance at all.")
    chosen = sources.split(utterances, subset, tuple(shares))  # type: ignore[arg-type]
    if not chosen:
        speakers = len({utterance.speaker for utterance in utterances})
        raise ValueError(
            f"source {value['name']!r}: none of its {speakers} speakers is in the {subset} subset; "
            + (
                "the source itself says where they belong: ask for another subset, or another source."
                if all(utterance.split for utterance in utterances)
                else f"give it more by `shares` (now {', '.join(f'{share:g}' for share in shares)})."
            )
        )
    return Bank.load(chosen)
