"""Acoustic front-ends: one table, one line for each."""

from __future__ import annotations

import inspect
from typing import Any

from .base import FrontEnd
from .codec import DacCodes, DacLatents
from .learned import LearnedFilterbank
from .logmel import LogMel

FRONT_ENDS: dict[str, type[FrontEnd]] = {
    "dac_codes": DacCodes,
    "dac_latents": DacLatents,
    "learned": LearnedFilterbank,
    "logmel": LogMel,
}


def front_end(name: str, sample_rate: int, **parameters: Any) -> FrontEnd:
    """Make a front-end of the table.

    Raises
    ------
    ValueError
        If the name is not in the table, or the front-end has no such parameter.
    """
    try:
        kind = FRONT_ENDS[name]
    except KeyError:
        raise ValueError(f"unknown front-end {name!r}; known front-ends: {', '.join(sorted(FRONT_ENDS))}.") from None
    known = [parameter for parameter in inspect.signature(kind).parameters if parameter != "sample_rate"]
    if unknown := [parameter for parameter in parameters if parameter not in known]:
        raise ValueError(f"front-end {name!r} has no parameter {unknown[0]!r}; its parameters: {', '.join(known)}.")
    return kind(sample_rate=sample_rate, **parameters)


__all__ = ["FRONT_ENDS", "FrontEnd", "front_end"]
