"""Objects from plain data, as YAML has it: a name, or a mapping with a name and parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar

Made = TypeVar("Made")


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
        if signature[parameter].annotation == "tuple[float, float]" and not _is_pair(given):
            raise ValueError(f"{what} {name!r}: {parameter}: expected two numbers; got {given!r}.")
    try:
        return table[name](**parameters)
    except TypeError as error:
        raise ValueError(f"{what} {name!r}: {error}; got {parameters}.") from error


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(number, Real) for number in value)


def resolved(table: Mapping[str, Callable[..., Any]], value: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Parameters that are paths, relative to `folder` where that exists there: as in `database.yml`."""
    if value["name"] not in table:
        return value
    paths = [n for n, p in inspect.signature(table[value["name"]]).parameters.items() if "Path" in str(p.annotation)]
    there = {n: str(folder / value[n]) for n in paths if isinstance(value.get(n), str) and (folder / value[n]).exists()}
    return {**value, **there}
