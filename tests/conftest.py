"""What all tests share: no telemetry, no deadline, and markers for what a machine may lack."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

os.environ["PYANNOTE_METRICS_ENABLED"] = "false"  # read when pyannote.audio is imported

# a time limit for each example fails on busy machines
settings.register_profile("default", deadline=None)
settings.load_profile("default")

SHARED = Path(__file__).parents[2] / "shared"


def pytest_collection_modifyitems(items):
    """Skip tests whose marker names something that is not there."""
    missing = {}
    if not SHARED.is_dir():
        missing["shared"] = pytest.mark.skip(reason="there is no ../shared")
    if not torch.cuda.is_available():
        missing["gpu"] = pytest.mark.skip(reason="there is no CUDA device")
    for item in items:
        for name in missing.keys() & item.keywords.keys():
            item.add_marker(missing[name])


@pytest.fixture
def shared() -> Path:
    """Folder of recordings beside the checkout; a test that asks for it is marked `shared`."""
    return SHARED
