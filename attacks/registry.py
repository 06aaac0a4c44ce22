"""Spec strings: `NAME[:key=value,...]` to an attack; `spec.shortest` is the way back.

A class is imported when it is asked for. `torchattacks.NAME`, `art.NAME` and `foolbox.NAME` are those libraries' own
attacks, see `adapters.library`. Other packages add attacks by an entry point, see `names`.
"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from .._utils.errors import UsageError, suggest
from . import names
from .attack import Attack
from .conversion import convert
from .spec import as_text, parameters


def parse(spec: Any) -> Attack:
    """Attack of a spec string.

    Parameters
    ----------
    spec : str, Attack, or attack of torchattacks, ART or Foolbox
        `NAME[:key=value,...]`, for an adversary at a fixed radius with `@l2=EPS` or `@linf=EPS` behind it; an
        attack is returned as it is, and one of another library is put on the SNR axis.

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
    if not isinstance(spec, str):
        from .adapters.configured import from_object

        return from_object(spec)
    spec, at, radius = spec.partition("@")
    if at:
        from .radius import at_radius

        return at_radius(parse(spec), radius)
    name, _, rest = spec.strip().partition(":")
    given = dict(_pairs(spec, rest))
    library, _, attack = name.partition(".")
    if attack and library in names.LIBRARIES:
        from .adapters.library import from_spec

        return from_spec(library, attack, given)
    cls, fixed = _find(name)
    hints = typing.get_type_hints(cls)
    kinds = {field.name: hints[field.name] for field in parameters(cls)}
    for key in given:
        if key not in kinds:
            raise UsageError(f"attack {name!r} has no parameter {key!r}; " + suggest(key, kinds))
        if key in fixed:
            base = names.ALIASES[name][0]
            raise UsageError(f"attack {name!r} fixes {key}={as_text(fixed[key])}: leave it out, or write {base!r}")
    return cls(**fixed, **{key: convert(name, key, text, kinds[key]) for key, text in given.items()})


def _find(name: str) -> tuple[type[Attack], dict[str, Any]]:
    base, fixed = names.ALIASES.get(name, (name, {}))
    if base in names.OWN:
        module, attribute = names.location(base)
        return getattr(import_module(module), attribute), fixed
    if base in names.plugins():
        return _load(base), fixed
    library, dot, attack = name.partition(".")
    if dot and (near := difflib.get_close_matches(library, names.LIBRARIES, n=1)):
        raise UsageError(f"no attack is called {name!r}; did you mean {f'{near[0]}.{attack}'!r}?")
    if name in names.LIBRARIES:
        raise UsageError(f"{name!r} is a library: expected one of its classes, as in {names.EXAMPLES[name]!r}")
    hint = names.other_name(name) or suggest(name, names.available())
    raise UsageError(f"no attack is called {name!r}; {hint}")


def _load(name: str) -> type[Attack]:
    point = names.plugins()[name]
    try:
        cls = point.load()
    except Exception as error:
        raise UsageError(f"attack {name!r} of {point.value} cannot be loaded: {error}") from error
    if not (isinstance(cls, type) and issubclass(cls, Attack)):
        raise UsageError(f"attack {name!r}: {point.value} is no cnncomm_bench.attacks.Attack class")
    return cls


def _pairs(spec: str, text: str) -> Iterator[tuple[str, str]]:
    seen = set()
    for part in filter(None, text.split(",")):
        key, equals, value = (word.strip() for word in part.partition("="))
        if not (key and equals and value):
            raise UsageError(f"{spec!r}: expected NAME:key=value,key=value, found {part!r}")
        if key in seen:
            raise UsageError(f"{spec!r} gives {key} twice")
        seen.add(key)
        yield key, value
