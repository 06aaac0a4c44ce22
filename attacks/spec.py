"""An attack to its shortest spec string, `NAME[:key=value,...]`; `registry.parse` is the way back."""

from __future__ import annotations

import dataclasses
from typing import Any

from . import names


def shortest(attack: object) -> str:
    """Shortest spec string of an attack, aliases included.

    Parameters
    ----------
    attack : Attack
        Its fields are the parameters.

    Returns
    -------
    str
        The name of its class, where no name is registered for it.

    Examples
    --------
    >>> from cnncomm_bench.attacks import StableNoise
    >>> shortest(StableNoise(alpha=1.0))
    'cauchy'
    """
    where = (type(attack).__module__, type(attack).__qualname__)
    own = [name for name in {**names.OWN, **names.plugins()} if names.location(name) == where]
    if not own:
        return type(attack).__name__
    values = {field.name: getattr(attack, field.name) for field in parameters(attack)}
    defaults = {field.name: field.default for field in parameters(attack)}
    candidates = []
    for name, fixed in [(n, {}) for n in own] + [(a, f) for a, (n, f) in names.ALIASES.items() if n in own]:
        if any(values[key] != value for key, value in fixed.items()):
            continue
        shown = names.ALWAYS_SHOWN.get(name, ())
        candidates.append(
            joined(name, {k: v for k, v in values.items() if k not in fixed and (v != defaults[k] or k in shown)})
        )
    return min(candidates, key=lambda text: (text.count("="), len(text), text))


def joined(name: str, values: dict[str, Any]) -> str:
    """Spec string of a name and its parameters."""
    return name + ":" * bool(values) + ",".join(f"{key}={as_text(value)}" for key, value in values.items())


def as_text(value: object) -> str:
    """A parameter's value, as a spec string shows it: it reads back as the same value."""
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def parameters(attack: Any) -> tuple[dataclasses.Field[Any], ...]:
    """The fields that a spec string can set, of an attack or its class; none where it is no dataclass."""
    return dataclasses.fields(attack) if dataclasses.is_dataclass(attack) else ()
