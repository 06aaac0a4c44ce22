"""Spec strings: `NAME[:key=value,...]` to an attack, and an attack to its shortest spec string.

Attacks of this package stand in `_OWN`, those of other packages in the entry-point group
`cnncomm_bench.attacks`, whose entries name an `Attack` class. A class is imported when it is asked for.
`torchattacks.NAME`, `art.NAME` and `foolbox.NAME` are those libraries' own attacks, see `foreign`.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from .._utils.errors import UsageError, suggest
from .base import Attack

GROUP = "cnncomm_bench.attacks"

_OWN = {
    "stable": "stable:StableNoise",
    "impulse": "impulse:ImpulseNoise",
    "tone": "tone:ToneNoise",
    "band": "tone:BandNoise",
    "fgsm": "gradient:FastGradientSign",
    "fgm": "gradient:FastGradient",
    "pgd": "gradient:ProjectedGradient",
    "pgd-linf": "gradient:ProjectedSign",
    "apgd-ce": "apgd:AutoGradient",
    "apgd-dlr": "apgd:AutoGradientRatio",
    "square-attack": "square:SquareAttack",
    "fmn": "fmn:FastMinimumNorm",
}

LIBRARIES = ("torchattacks", "art", "foolbox")
"""Libraries whose attacks a spec string may name, as in `torchattacks.PGDL2:steps=20`."""

_ALIASES: dict[str, tuple[str, dict[str, Any]]] = {
    "gaussian": ("stable", {"alpha": 2.0}),
    "cauchy": ("stable", {"alpha": 1.0}),
    "levy": ("stable", {"alpha": 0.5, "beta": 1.0}),
    "salt-pepper": ("stable", {"alpha": 0.9}),
    "impulse-point": ("impulse", {"shape": "point"}),
    "impulse-square": ("impulse", {"shape": "square"}),
    "impulse-triangle": ("impulse", {"shape": "triangle"}),
    "impulse-rhombus": ("impulse", {"shape": "rhombus"}),
}

# Shown even at its default: "stable" alone does not say how heavy its tails are, nor "tone" where it lies.
_ALWAYS_SHOWN = {"stable": ("alpha",), "impulse": ("shape",), "tone": ("u", "v"), "band": ("low", "high")}


def available() -> list[str]:
    """Names that a spec string may begin with, aliases and other packages' attacks included."""
    return sorted({*_OWN, *_ALIASES, *_entry_points()})


def parse(spec: str | Attack) -> Attack:
    """Attack of a spec string.

    Parameters
    ----------
    spec : str or Attack
        `NAME[:key=value,...]`, for an adversary at a fixed radius with `@l2=EPS` or `@linf=EPS` behind it; an
        attack is returned as it is.

    Returns
    -------
    Attack

    Raises
    ------
    UsageError
        An unknown name or key, with those that exist and the nearest; a value of the wrong kind.

    Examples
    --------
    >>> parse("stable:alpha=1").spec
    'cauchy'
    """
    if isinstance(spec, Attack):
        return spec
    spec, at, radius = spec.partition("@")
    if at:
        from .radius import at_radius

        return at_radius(parse(spec), radius)
    name, _, rest = spec.strip().partition(":")
    given = dict(_pairs(spec, rest))
    library, _, attack = name.partition(".")
    if attack and library in LIBRARIES:
        from .adapters.library import from_spec

        return from_spec(library, attack, given)
    cls, fixed = _find(name)
    known = _kinds(cls)
    for key in given:
        if key not in known:
            raise UsageError(f"attack {name!r} has no parameter {key!r}; " + suggest(key, known))
        if key in fixed:
            raise UsageError(f"attack {name!r} fixes {key}={_text(fixed[key])}: leave it out, or write {_base(name)!r}")
    values = {key: _convert(name, key, text, known[key]) for key, text in given.items()}
    return cls(**fixed, **values)


def shortest(attack: Attack) -> str:
    """Shortest spec string of an attack, aliases included.

    Parameters
    ----------
    attack : Attack

    Returns
    -------
    str
    """
    if inspect.getattr_static(type(attack), "spec") is not inspect.getattr_static(Attack, "spec"):
        return attack.spec
    names = [name for name in {**_OWN, **_entry_points()} if _place(name) == _place_of(type(attack))]
    if not names:
        return type(attack).__name__
    values = {field.name: getattr(attack, field.name) for field in parameters(attack)}
    defaults = {field.name: field.default for field in parameters(attack)}
    candidates = []
    for name, fixed in [(n, {}) for n in names] + [(a, f) for a, (n, f) in _ALIASES.items() if n in names]:
        if any(values[key] != value for key, value in fixed.items()):
            continue
        shown = _ALWAYS_SHOWN.get(name, ())
        rest = {k: v for k, v in values.items() if k not in fixed and (v != defaults[k] or k in shown)}
        candidates.append(name + ":" * bool(rest) + ",".join(f"{key}={_text(value)}" for key, value in rest.items()))
    return min(candidates, key=lambda text: (text.count("="), len(text), text))


def parameters(attack: Any) -> tuple[dataclasses.Field[Any], ...]:
    """The fields that a spec string can set, of an attack or its class; none where it is no dataclass."""
    return dataclasses.fields(attack) if dataclasses.is_dataclass(attack) else ()


def _place(name: str) -> tuple[str, str]:
    """Module and class behind a name, told without importing them."""
    if name in _OWN:
        module, _, attribute = _OWN[name].partition(":")
        return f"{__package__}.{module}", attribute
    point = _entry_points()[name]
    return point.module, point.attr


def _place_of(cls: type[Attack]) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def _find(name: str) -> tuple[type[Attack], dict[str, Any]]:
    base, fixed = _ALIASES.get(name, (name, {}))
    if base in _OWN:
        module, _, attribute = _OWN[base].partition(":")
        return getattr(import_module(f".{module}", __package__), attribute), fixed
    if base in _entry_points():
        return _load(_entry_points()[base]), fixed
    raise UsageError(f"no attack is called {name!r}; " + suggest(name, available()))


@cache
def _entry_points() -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in {*_OWN, *_ALIASES}}


def _load(point: EntryPoint) -> type[Attack]:
    try:
        cls = point.load()
    except Exception as error:
        raise UsageError(f"attack {point.name!r} of {point.value} cannot be loaded: {error}") from error
    if not (isinstance(cls, type) and issubclass(cls, Attack)):
        raise UsageError(f"attack {point.name!r}: {point.value} is no cnncomm_bench.attacks.Attack class")
    return cls


def _kinds(cls: type[Attack]) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in parameters(cls)}


def _pairs(spec: str, text: str) -> Iterable[tuple[str, str]]:
    seen = set()
    for part in filter(None, text.split(",")):
        key, equals, value = (word.strip() for word in part.partition("="))
        if not (key and equals and value):
            raise UsageError(f"{spec!r}: expected NAME:key=value,key=value, found {part!r}")
        if key in seen:
            raise UsageError(f"{spec!r} gives {key} twice")
        seen.add(key)
        yield key, value


def _convert(name: str, key: str, text: str, kind: Any) -> Any:
    if typing.get_origin(kind) is Literal:
        options = typing.get_args(kind)
        if text not in options:
            raise UsageError(f"{name}: {key}={text!r}; " + suggest(text, options))
        return text
    if isinstance(kind, types.UnionType):
        kind = next(option for option in typing.get_args(kind) if option is not type(None))
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise UsageError(f"{name}: {key}={text!r} is neither true nor false")
        return text.lower() == "true"
    try:
        return kind(text)
    except ValueError:
        what = {int: "a whole number", float: "a number"}.get(kind, kind.__name__)
        raise UsageError(f"{name}: {key}={text!r} is not {what}") from None


def _base(name: str) -> str:
    return _ALIASES[name][0]


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)
