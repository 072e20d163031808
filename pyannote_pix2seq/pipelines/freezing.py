"""Hyper-parameters that are fixed."""

from __future__ import annotations

from typing import Any

from pyannote.audio import Pipeline


class Freezing(Pipeline):
    """A pipeline that can be used when hyper-parameters are frozen, and keeps them so.

    In the stock one a frozen hyper-parameter is no number until all are instantiated, and not frozen after that.
    """

    def freeze(self, params: dict[str, Any]) -> Freezing:
        """Fix hyper-parameters: they have these values from now on."""
        super().freeze(params)
        return self.instantiate({})

    def instantiate(self, params: dict[str, Any]) -> Freezing:
        """Give hyper-parameters their values; of the frozen ones, others than theirs are refused with a warning."""
        frozen = self.parameters(frozen=True)
        super().freeze(frozen)  # again: since it has its value, it is a number
        return super().instantiate({**frozen, **params})
