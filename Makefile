# `make diarize [AUDIO=file]`, `make test`, `make bench`, `make lint`: each sets up `.venv` first when that is needed.

PYTHON ?= python3
AUDIO ?=
# made last, so that an interrupted installation is done again
INSTALLED := .venv/installed

# pyannote.audio reports file durations and speaker counts to its authors unless told not to
export PYANNOTE_METRICS_ENABLED := false

.PHONY: diarize test bench lint

diarize: $(INSTALLED)
	.venv/bin/pyannote-pix2seq diarize $(if $(AUDIO),"$(AUDIO)") --picture diarization.png

test: $(INSTALLED)
	.venv/bin/python -m pytest

bench: $(INSTALLED)
	.venv/bin/python -m bench

lint: $(INSTALLED)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

# all output goes to stderr: `make -s diarize` writes RTTM and nothing else to stdout
$(INSTALLED): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or later is needed; try make PYTHON=python3.11")' >&2
	$(PYTHON) -m venv .venv >&2
	.venv/bin/python -m pip install --editable ".[dev]" >&2
	touch $@
