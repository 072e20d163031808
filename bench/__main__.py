"""`python -m bench [NAME...]`: all measurements, or some."""

from __future__ import annotations

import importlib
import os
import sys
import warnings

MEASUREMENTS = ("decoding", "files", "prompts", "mixtures", "detectors")


def main() -> None:
    os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "false")
    warnings.filterwarnings("ignore")
    chosen = sys.argv[1:] or MEASUREMENTS
    unknown = [name for name in chosen if name not in MEASUREMENTS]
    if unknown:
        sys.exit(f"unknown measurement {', '.join(unknown)}; measurements: {', '.join(MEASUREMENTS)}.")
    for name in chosen:
        importlib.import_module(f"bench.{name}").main()


if __name__ == "__main__":
    main()
