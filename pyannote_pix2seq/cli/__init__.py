"""The command `pyannote-pix2seq`: every command of `pyannote-audio`, and ours. One file for each of ours."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Callable

import typer

from .bulk import bulk
from .calibrate import calibrate
from .diarize import diarize
from .evaluate import evaluate
from .export import export
from .mixtures import app as mixtures
from .options import one_line
from .report import report
from .train import train
from .tune import tune

# Of `pyannote-audio`, with their help: written down, because importing it takes seconds. A test compares them with it.
UPSTREAM = {
    "apply": "Apply a pretrained PIPELINE to an AUDIO file or directory.",
    "benchmark": "Benchmark a pretrained diarization PIPELINE.",
    "download": "Download a pretrained PIPELINE to disk for later offline use.",
    "optimize": "Optimize a PIPELINE.",
    "strip": "Strip a pretrained CHECKPOINT to only keep the parts needed for inference.",
}

app = typer.Typer(
    help="Who spoke when: speaker diarization as a sequence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("calibrate")(calibrate)
app.command("diarize")(diarize)
app.command("bulk")(bulk)
app.command("report")(report)
app.command("evaluate")(evaluate)
app.command("export")(export)
app.add_typer(mixtures, name="mixtures")
app.command("tune")(tune)
app.command(
    "train", add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)(train)


def _upstream(name: str) -> Callable[[typer.Context], None]:
    def command(context: typer.Context) -> None:
        from pyannote.audio.__main__ import app as pyannote_audio

        typer.exit = typer.Exit  # type: ignore[attr-defined]  # what it calls when it gives up
        command = typer.main.get_command(pyannote_audio)
        status = command.main([name, *context.args], prog_name=context.find_root().info_name, standalone_mode=False)
        raise typer.Exit(status if isinstance(status, int) else 0)

    return command


for _name, _help in UPSTREAM.items():
    app.command(
        _name,
        help=f"{_help} (As in pyannote-audio.)",
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(_upstream(_name))


def main() -> None:
    """Run the command; what the user did wrong is one line on stderr, and exit code 1."""
    # pyannote.audio reports file durations and speaker counts to its authors unless told not to before it is imported
    os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "false")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be Unicode
    # audio is decoded without FFmpeg here
    warnings.filterwarnings("ignore", message=r"\s*torchcodec is not installed correctly")
    warnings.formatwarning = lambda message, *_, **__: f"warning: {' '.join(str(message).split())}\n"
    try:
        app()
    except (ValueError, OSError) as error:
        sys.exit(f"error: {one_line(error)}")
