"""Objects from plain data, as YAML has it: a name, or a mapping with a name and parameters."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar

Made = TypeVar("Made")
Probability = float
Range = tuple[float, float]


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))


# what a parameter may be, by how the maker declares it
KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "float": (_is_number, "a number"),
    "int": (lambda value: _is_number(value) and isinstance(value, int), "a whole number"),
    "Probability": (lambda value: _is_number(value) and 0 <= value <= 1, "a probability from 0 to 1"),
    "Range": (lambda value: _is_pair(value) and value[0] <= value[1], "two numbers, the smaller one first"),
    "Sequence[float]": (lambda value: isinstance(value, list) and all(map(_is_number, value)), "a list of numbers"),
    "tuple[float, float]": (_is_pair, "two numbers"),
}


def plain(value: Any) -> Any:
    """Only dicts, lists and scalars, whatever kind of mapping or sequence came."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def named(what: str, value: Any) -> dict[str, Any]:
    """`value` as a mapping with the key `name`.

    Raises
    ------
    ValueError
        If it is neither a name nor a mapping with one.
    """
    value = {"name": value} if isinstance(value, str) else plain(value)
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise ValueError(f"{what}: expected a name, or a mapping with the key 'name'; got {value!r}.")
    return value


def check_keys(what: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raises ValueError, with what would do, when a key is not among those known."""
    for key in given:
        if key not in known:
            raise ValueError(f"{what} has no parameter {key!r}; its parameters: {', '.join(known) or 'none'}.")


def make(what: str, table: Mapping[str, Callable[..., Made]], value: Any) -> Made:
    """Make an object of a table.

    Parameters
    ----------
    what : str
        What the table holds, for messages.
    table : dict
        Makers by name.
    value : str or mapping
        A name, or a mapping with the key `name` and the maker's parameters.

    Raises
    ------
    ValueError
        If the name is not in the table, or a parameter is unknown, missing or does not fit.
    """
    parameters = named(what, value)
    name = parameters.pop("name")
    if name not in table:
        raise ValueError(f"unknown {what} {name!r}; known {what}s: {', '.join(sorted(table))}.")
    signature = inspect.signature(table[name]).parameters
    check_keys(f"{what} {name!r}", parameters, list(signature))
    for parameter, declared in signature.items():
        if declared.default is declared.empty and parameter not in parameters:
            known = ", ".join(signature)
            raise ValueError(f"{what} {name!r} needs the parameter {parameter!r}; its parameters: {known}.")
    for parameter, given in parameters.items():
        fits, expected = KINDS.get(str(signature[parameter].annotation), (lambda _: True, ""))
        if not fits(given):
            raise ValueError(f"{what} {name!r}: {parameter}: expected {expected}; got {given!r}.")
    try:
        return table[name](**parameters)
    except TypeError as error:
        raise ValueError(f"{what} {name!r}: {error}; got {parameters}.") from error


def resolved(table: Mapping[str, Callable[..., Any]], value: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Parameters that are paths, relative to `folder` where that exists there: as in `database.yml`."""
    if value["name"] not in table:
        return value
    paths = [n for n, p in inspect.signature(table[value["name"]]).parameters.items() if "Path" in str(p.annotation)]
    there = {n: str(folder / value[n]) for n in paths if isinstance(value.get(n), str) and (folder / value[n]).exists()}
    return {**value, **there}
