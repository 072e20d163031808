"""Hyper-parameters that are fixed."""

from __future__ import annotations

from numbers import Real
from typing import Any

from pyannote.audio import Pipeline
from pyannote.pipeline.parameter import Uniform


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


class Freezing(Pipeline):
    """A pipeline that can be used when hyper-parameters are frozen, and keeps them so.

    In the stock one a frozen hyper-parameter is no number until all are instantiated, and not frozen after that.
    """

    def __init__(self) -> None:
        super().__init__()
        self._ranges: dict[str, Uniform] = {}

    def freeze(self, params: dict[str, Any]) -> Freezing:
        """Fix hyper-parameters: they have these values from now on.

        Raises
        ------
        ValueError
            If a value is no number in the range of its hyper-parameter.
        """
        self._check(params)
        super().freeze(params)
        return self.instantiate({})

    def instantiate(self, params: dict[str, Any]) -> Freezing:
        """Give hyper-parameters their values; of the frozen ones, others than theirs are refused with a warning.

        Raises
        ------
        ValueError
            If one does not exist, or its value is no number in its range.
        """
        self._check(params)
        frozen = self.parameters(frozen=True)
        super().freeze(frozen)  # again: since it has its value, it is a number
        return super().instantiate({**frozen, **params})

    def _check(self, params: dict[str, Any]) -> None:
        # of a frozen one only the value is left
        self._ranges |= {name: known for name, known in self._parameters.items() if isinstance(known, Uniform)}
        if unknown := [name for name in params if name not in self._ranges]:
            known = ", ".join(self._ranges)
            told = "those of the pipeline itself stand below `pipeline: params:` in its config.yaml"
            raise ValueError(f"unknown hyper-parameter {unknown[0]!r}; known ones: {known} ({told}).")
        for name, value in params.items():
            declared = self._ranges.get(name)
            if declared is not None and not (_is_number(value) and declared.low <= value <= declared.high):
                expected = f"expected a number from {declared.low:g} to {declared.high:g}"
                raise ValueError(f"hyper-parameter {name}: {expected}; got {value!r}.")
