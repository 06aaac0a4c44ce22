"""Attacks and suites for the screen: a line for each, or one with its parameters."""

from __future__ import annotations

import inspect
import re
from typing import Any

from .._utils.errors import UsageError
from ..attacks import ALIASES, LIBRARIES, Attack, available, parameters, parse
from ..results import suites
from .tables import in_columns


def every_attack() -> str:
    """Every attack with what it is, and every suite."""
    rows = []
    for name in available():
        try:
            attack = parse(name)
        except UsageError as error:
            rows.append({"attack": name, "kind": "", "what it is": str(error)})
            continue
        fixed = ", ".join(
            f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in _fixed(name)
        )
        rows.append(
            {"attack": name, "kind": _kind(attack), "what it is": f"{_line(attack)}{f' ({fixed})' if fixed else ''}"}
        )
    for library in LIBRARIES:
        rows.append(
            {
                "attack": f"{library}.NAME",
                "kind": "",
                "what it is": f"An attack or noise of {library}, by its class there.",
            }
        )
    known = [{"suite": name, "what it is": suites.load(name).title} for name in suites.names()]
    more = "Parameters of one: cnncomm-bench attacks NAME. A suite of your own: a TOML file, see docs/suites.md."
    return f"{in_columns(rows)}\n\n{in_columns(known)}\n\n{more}"


def one_attack(spec: str) -> str:
    """What an attack is, and its parameters with their values."""
    attack = parse(spec)
    name, fixed = spec.partition(":")[0], dict(_fixed(spec.partition(":")[0]))
    explained, own = _explained(type(attack)), {field.name: getattr(attack, field.name) for field in parameters(attack)}
    values: dict[str, Any] = getattr(attack, "arguments", own)
    rows = [
        {"parameter": key, "value": _plain(value), "": "fixed by the name" if key in fixed else explained.get(key, "")}
        for key, value in values.items()
    ]
    table = in_columns(rows) if rows else "It has no parameters."
    free = (f"{key}={_plain(value)}" for key, value in values.items() if key not in fixed and value is not None)
    example = next(free, "") if values is own else ""
    typed = f"\n\nAs typed: {name}:{example}" if example else ""
    return f"{attack.spec}, {_kind(attack)}: {_line(attack)}\n\n{table}{typed}"


def _kind(attack: Attack) -> str:
    return "adversary" if attack.needs_model else "noise"


def _fixed(name: str) -> list[tuple[str, Any]]:
    """Parameters that an alias fixes."""
    return list(ALIASES[name][1].items()) if name in ALIASES else []


def _line(attack: Attack) -> str:
    """The first sentence of its class's documentation."""
    return (inspect.getdoc(type(attack)) or "").split("\n\n")[0].replace("\n", " ")


def _explained(cls: type) -> dict[str, str]:
    """Parameters as the docstrings of a class and of those it is made from explain them."""
    found: dict[str, str] = {}
    for one in reversed(cls.__mro__):
        lines = inspect.cleandoc(one.__doc__ or "").partition("\nParameters\n----------\n")[2].splitlines()
        names: list[str] = []
        for line in lines:
            if not line.strip():
                break
            if line[0].isspace():
                found |= {name: f"{found[name]} {line.strip()}".strip() for name in names}
            else:
                head, _, kind = line.partition(" : ")
                names = [name for name in re.split(r",\s*", head) if kind or name not in found]
                found |= dict.fromkeys(names, "")
    return found


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else "auto" if value is None else str(value)
