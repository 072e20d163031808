"""`pyannote-pix2seq mixtures`: hear synthetic conversations, freeze them, and compare them with real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from .options import Registry
from .study import study

if TYPE_CHECKING:
    from ..mixtures.bank import Bank
    from ..mixtures.protocol import MixtureProtocol
    from ..mixtures.statistics import Statistics, Talk

app = typer.Typer(help="Synthetic conversations: preview, render, fit, compare, stats, study.", no_args_is_help=True)
app.command()(study)

WINDOWS = 200  # that are drawn of each style for its statistics
MIXTURE = "Name of a protocol of mixtures (Conversation, Pix2Seq.SpeakerDiarization.Mine), or a yaml file that has one."
DATA = (
    "Protocols, RTTM files, frozen sets, yaml files of mixtures, or folders with NAME.rttm (and NAME.uem) beside audio."
)
Kind = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(metavar="KIND", help="In a folder: NAME.KIND.rttm is the reference where it exists."),
]
Voices = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(metavar="MIXTURE", help="Plan with the speech of this protocol. Default: speech without pauses."),
]


@app.command()
def preview(
    mixture: Annotated[str, typer.Argument(help=MIXTURE)] = "Conversation",
    into: Annotated[Path, typer.Option(help="Where to write: NAME.wav, NAME.rttm, NAME.png.")] = Path("mixture"),
    subset: Annotated[str, typer.Option(help="train, development or test.")] = "train",
    index: Annotated[int, typer.Option(min=0, help="Number of the mixture.")] = 0,
    registry: Registry = None,
) -> None:
    """Hear and see one mixture: its sound, its annotation and a picture of both."""
    import soundfile

    from ..audio import SAMPLE_RATE, open_audio
    from ..files import replacing, writing_text
    from ..mixtures.protocol import Mixture
    from ..report import draw

    one = Mixture(find_protocol(mixture, registry).definition, subset, index)
    with _reading():
        annotation = one.annotation()
    wav, rttm, picture = (into.with_name(into.name + suffix) for suffix in (".wav", ".rttm", ".png"))
    with replacing(wav) as temporary:
        soundfile.write(temporary, one.waveform(), SAMPLE_RATE, subtype="PCM_16")
    with writing_text(rttm) as file:
        file.write(annotation.to_rttm())
    draw(annotation, open_audio(wav), picture)
    for path in (wav, rttm, picture):
        typer.echo(path)


@app.command()
def render(
    mixture: Annotated[str, typer.Argument(help=MIXTURE)],
    into: Annotated[Path, typer.Argument(help="Folder for audio, rttm, uem, lst and database.yml.")],
    kind: Annotated[str, typer.Option("--format", help="flac or wav.")] = "flac",
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    registry: Registry = None,
) -> None:
    """Freeze a protocol: the same files for everybody, on disk. A run that was stopped goes on where it was."""
    from rich.console import Console
    from rich.progress import track

    from ..mixtures.frozen import freeze

    protocol = find_protocol(mixture, registry)
    total = sum(protocol.definition.files.values())
    with _reading():
        for subset in protocol.definition.files:
            protocol.simulator(subset)
    for _ in track(freeze(protocol, into, kind, workers), "mixtures", total, console=Console(stderr=True)):
        pass
    typer.echo(into / "database.yml")


@app.command()
def fit(
    data: Annotated[list[str], typer.Argument(help=DATA)],
    into: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="A yaml file to write: a mixture for the other commands or database.yml. Default: stdout."),
    ] = None,
    voices: Voices = None,
    trials: Annotated[int, typer.Option(min=1, help="Styles that are tried.")] = 600,
    subset: Annotated[str, typer.Option(help="Of a protocol.")] = "train",
    references: Kind = None,
    registry: Registry = None,
) -> None:
    """Find the style whose conversations go as those of given annotations do."""
    import yaml

    from ..files import writing_text
    from ..mixtures.fit import fit as fitted
    from ..mixtures.plain import plain

    talks = list(_talks(data, subset, references, registry))
    style = fitted(talks, _bank(voices, registry), trials)
    text = yaml.safe_dump({"style": {"name": "Conversation", **plain(asdict(style))}}, sort_keys=False)
    if into is None:
        typer.echo(text, nl=False)
    else:
        with writing_text(into) as file:
            file.write(text)
        typer.echo(into)


@app.command()
def compare(
    data: Annotated[list[str], typer.Argument(help=DATA)],
    mixture: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="Protocol of mixtures or yaml file, as often as needed. Default: the three styles."),
    ] = None,
    voices: Voices = None,
    subset: Annotated[str, typer.Option(help="Of a protocol.")] = "train",
    references: Kind = None,
    registry: Registry = None,
) -> None:
    """How far mixtures are from given conversations: earth mover's distance of each statistic; 0 is the same."""
    from ..mixtures.fit import endless_voices, simulated
    from ..mixtures.statistics import distances, measure

    reference = measure(_talks(data, subset, references, registry))
    names = mixture or ["Conversation", "Artificial", "Independent"]
    styles = {name: find_protocol(name, registry).definition.make_style() for name in names}
    bank = _bank(voices, registry) or endless_voices(max(style.max_speakers for style in styles.values()))
    rows = {name: distances(reference, simulated(style, bank, WINDOWS)) for name, style in styles.items()}
    _show("distance to the given conversations", rows, lambda number: f"{number:.3f}")


@app.command()
def stats(
    data: Annotated[list[str], typer.Argument(help=DATA)],
    subset: Annotated[str, typer.Option(help="Of a protocol.")] = "train",
    references: Kind = None,
    registry: Registry = None,
) -> None:
    """How conversations go: mean, median and 90 % quantile of each statistic, in windows of 30 s."""
    from ..mixtures.statistics import measure

    _show_statistics(measure(_talks(data, subset, references, registry)))


def find_protocol(name: str, registry: list[Path] | None) -> MixtureProtocol:
    """The protocol of mixtures of a name or a yaml file."""
    from pyannote.database import registry as databases

    from ..mixtures.protocol import DATABASE, MixtureProtocol, define_file
    from .references import load_registries

    load_registries(registry)
    if Path(name).suffix in (".yaml", ".yml"):
        return define_file(Path(name))
    full = name if "." in name else f"{DATABASE}.{MixtureProtocol.TASK}.{name}"
    known = [known for known in databases if known.startswith(f"{DATABASE}.{MixtureProtocol.TASK}.")]
    if full not in known:
        names = ", ".join(known.rsplit(".", 1)[1] for known in known)
        raise ValueError(f"{name!r} is no protocol of mixtures; there are: {names} (--registry adds others).")
    return databases.get_protocol(full)


def _reading() -> Any:
    """Says on a terminal why nothing happens yet."""
    from rich.console import Console

    return Console(stderr=True).status("reading the speech (it is kept for the next time)")


def _bank(voices: str | None, registry: list[Path] | None) -> Bank | None:
    if voices is None:
        return None
    with _reading():
        return find_protocol(voices, registry).simulator("train").bank


def _talks(data: list[str], subset: str, kind: str | None, registry: list[Path] | None) -> Iterator[Talk]:
    from pyannote.core import Annotation
    from pyannote.database import registry as databases

    from ..mixtures.protocol import DATABASE, MixtureProtocol
    from ..mixtures.statistics import of_annotated, of_annotation, of_plan
    from .references import load_registries, read_rttm, read_uem, references

    load_registries(registry)
    ours = f"{DATABASE}.{MixtureProtocol.TASK}"
    known = {name for name in databases if name.startswith(f"{ours}.")}
    with_kind = {item for item in data if kind and next(Path(item).rglob(f"*.{kind}.rttm"), None)}
    if kind and not with_kind:
        raise ValueError(f"{', '.join(data)}: there is no reference that ends in .{kind}.rttm.")
    for item in data:
        if (frozen := Path(item, f"{subset}.rttm")).is_file():
            item = str(frozen)
        if item.endswith(".rttm"):
            turns = read_rttm(Path(item))
            uem = Path(item).with_suffix(".uem")
            annotated = read_uem(uem) if uem.is_file() else {}
            for uri in {**turns, **annotated}:
                said = turns.get(uri, Annotation())
                yield from of_annotated(said, annotated[uri]) if uri in annotated else [of_annotation(said)]
        elif Path(item).suffix in (".yaml", ".yml") or {item, f"{ours}.{item}"} & known:
            try:
                mixtures = find_protocol(item, None).mixtures(subset)
            except NotImplementedError as error:
                raise ValueError(str(error)) from None
            yield from (of_plan(mixture.plan()) for mixture in mixtures)  # plans tell all, no audio is needed
        else:
            for file in references(item, subset, kind if item in with_kind else None):
                yield from of_annotated(file["annotation"], file["annotated"])


def _show(title: str, rows: dict[str, dict[str, float]], text: Callable[[float], str]) -> None:
    from rich.console import Console
    from rich.table import Table

    from ..mixtures.statistics import NAMES

    table = Table(title=title, title_justify="left")
    table.add_column("", min_width=max(map(len, rows)))
    for heading in NAMES.values():
        table.add_column(heading)
    for name, row in rows.items():
        table.add_row(name, *(text(row[statistic]) for statistic in NAMES))
    Console().print(table)


def _show_statistics(statistics: Statistics) -> None:
    import numpy as np

    from ..mixtures.statistics import NAMES

    measures: dict[str, Callable[[Any], Any]] = {
        "mean": np.mean,
        "median": np.median,
        "90 %": lambda values: np.quantile(values, 0.9),
    }
    values = {name: getattr(statistics, name) for name in NAMES}
    rows = {
        label: {name: float(of(v)) if len(v) else float("nan") for name, v in values.items()}
        for label, of in measures.items()
    }
    _show(f"{len(statistics.rate)} windows", rows, lambda number: f"{number:.2f}")
