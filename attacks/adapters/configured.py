"""Attack objects of other libraries, configured by their users, as attacks of the harness."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._utils.errors import UsageError
from .. import names
from ..attack import Attack
from .library import SIZES, FromLibrary, adapter_of, assembled
from .noises import OwnNoise

_STEPS = ("alpha", "eps_step")
"""Lengths of a step, which keep their proportion to the size."""
_IGNORED = ("verbose", "summary_writer", "device", "batch_size")
"""What says nothing of the perturbation."""


def from_object(attack: Any) -> Attack:
    """Attack of the harness from one of torchattacks, ART or Foolbox; its model is replaced by the one under test.

    Its size is the SNR's to set; the length of its steps keeps its proportion to it.

    Parameters
    ----------
    attack : object
        Of a class that a spec string may name.

    Raises
    ------
    UsageError
        It is no such attack, is targeted, or has a parameter that is no number, word or truth value.
    """
    if isinstance(attack, OwnNoise):
        return attack._noise()
    library = next(
        (root for base in type(attack).__mro__ if (root := base.__module__.partition(".")[0]) in names.LIBRARIES), None
    )
    if library is None:
        raise UsageError(
            f"{type(attack).__name__} is no attack: expected a spec string, an Attack, or an attack of "
            f"{', '.join(names.LIBRARIES)}",
            "attacks",
        )
    adapter, name = adapter_of(library), type(attack).__name__
    if adapter.attack_classes().get(name) is not type(attack):
        raise UsageError(
            f"{library}.{name} cannot be rebuilt for another model: pass an attack of {library}", "attacks"
        )
    if getattr(attack, "targeted", False):
        raise UsageError(f"{library}.{name} is targeted: accuracy curves are of untargeted attacks", "attacks")
    defaults = adapter.defaults(type(attack))
    given = {key: _plain(getattr(attack, key)) for key in defaults if key not in _IGNORED and hasattr(attack, key)}
    kind, order = adapter.treatment(type(attack), {**defaults, **given})
    if order is not None:
        given = _without_size(given, defaults)
    changed = {key: value for key, value in given.items() if value != defaults[key]}
    odd = next((key for key, value in changed.items() if not isinstance(value, bool | int | float | str)), None)
    if odd is not None:
        raise UsageError(
            f"{library}.{name}: {odd} is a {type(changed[odd]).__name__}, expected a number, "
            "a word or a truth value: no spec string can give another",
            "attacks",
        )
    found: FromLibrary = assembled(library, name, kind, changed)
    return found


def _without_size(given: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Parameters at the default size, the lengths of steps in proportion."""
    size = next((key for key in SIZES if key in given), None)
    if size is None:
        return given
    own, usual = given[size], defaults[size]
    scale = usual / own if isinstance(own, int | float) and isinstance(usual, int | float) and own else 1.0
    scaled = {
        key: float(f"{value * scale:.6g}") if scale != 1 and key in _STEPS and isinstance(value, int | float) else value
        for key, value in given.items()
    }
    return {key: value for key, value in scaled.items() if key not in SIZES}


def _plain(value: Any) -> Any:
    """A number of numpy as one of Python."""
    return value.item() if isinstance(value, np.generic) else value
