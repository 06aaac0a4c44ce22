"""What torchattacks' own attacks know of sizes, and how each gets the SNR as its budget, see `budget`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torchattacks
from torch import Tensor, nn
from torchattacks.attack import Attack

from .budget import Kind, LibraryAttack, Size, signature

_L2 = ("PGDL2", "PGDRSL2")
_MINIMUM = ("CW", "DeepFool", "EADEN", "EADL1", "FAB", "SparseFool")
_BY_NORM = {"L2": 2.0, "Linf": float("inf"), "L1": 1.0}
STEPS = ("steps", "nb_iter", "n_queries", "max_iterations", "num_iter_set")
"""What its attacks call the number of their steps: one has one of these."""
REPEATS = ("n_restarts", "restarts", "eot_iter", "noise_batch_size", "binary_search_steps")
"""What they call how often they take all steps, or ask at each."""
PER_CLASS = ("DeepFool", "FAB", "SparseFool")
"""They take a gradient for each class at every step."""
SINGLE_STEP = ("FFGSM", "FGSM", "GN")
"""They take one step; the others take many."""
BLACK_BOXES = ("GN", "OnePixel", "Pixle", "SPSA", "Square")
"""They use no gradient of the model."""
_NO_ATTACKS = ("VANILA", "MultiAttack", "LGV")
_PER_IMAGE = ("PGDL2", "PGDRSL2")
_SIZE_NAMES = ("eps", "max_epsilon")


def attack_classes() -> dict[str, type]:
    """Attacks that a spec string may name."""
    names = (name for name in torchattacks.__all__ if name not in _NO_ATTACKS)
    return {name: getattr(torchattacks, name) for name in names}


def defaults(cls: type) -> dict[str, Any]:
    """Parameters of an attack as the harness calls it, see `library.from_spec`."""
    known = signature(cls)
    return {**known, **({"norm": "L2"} if "norm" in known else {})}


def treatment(cls: type, parameters: dict[str, Any]) -> tuple[Kind, float | None]:
    """How an attack gets the SNR as budget, and the p of the norm that its size is measured in."""
    names = [base.__name__ for base in cls.__mro__]
    sized = any(name in parameters for name in _SIZE_NAMES)
    order = 2.0 if any(name in _L2 for name in names) else _BY_NORM.get(str(parameters.get("norm", "Linf")))
    if any(name in _MINIMUM for name in names):
        return "minimum", order if sized else None
    if sized and order == 2:
        return "budget", order
    return "rescaled", order if sized else None


def treatment_of(attack: Attack) -> tuple[Kind, float | None]:
    """As `treatment`, for an attack that is there: one that is made of others is treated as they are."""
    if isinstance(attack, torchattacks.LGV):
        return treatment(attack.attack_class, _lgv_options(attack))
    if not isinstance(attack, torchattacks.MultiAttack):
        return treatment(type(attack), vars(attack))
    kinds = {treatment_of(part) for part in attack.attacks}
    if len(kinds) == 1:
        return kinds.pop()
    # No one size fits parts of several norms: each keeps its own, and what they find is rescaled.
    return "rescaled", None


def _lgv_options(attack: torchattacks.LGV) -> dict[str, Any]:
    """What LGV will call the attack with that it makes only when it runs."""
    return {**signature(attack.attack_class), **attack.kwargs_att}


def build(
    cls: type, parameters: dict[str, Any], model: nn.Module, shape: tuple[int, ...], classes: int
) -> LibraryAttack:
    """Put an attack of torchattacks on a model, for the harness."""
    if "n_classes" in parameters:
        parameters = {**parameters, "n_classes": classes}
    return wrap(cls(model, **parameters))


def wrap(attack: Attack) -> LibraryAttack:
    """Say how our ruler sees an attack of torchattacks."""
    kind, order = treatment_of(attack)

    def run(images: Tensor, labels: Tensor | None, size: Size | None) -> Tensor:
        with _sized(attack, size):
            found: Tensor = attack(images, labels)
        return found.detach()

    most = attack.batch_max // attack.noise_batch_size if hasattr(attack, "batch_max") else None
    return LibraryAttack(run, kind, order, each=type(attack).__name__ in _PER_IMAGE, most=most)


@contextmanager
def _sized(attack: Attack, size: Size | None) -> Iterator[None]:
    """Give an attack and those it is made of another size, their step sizes in proportion."""
    before: list[tuple[Attack, str, Any]] = []
    if isinstance(attack, torchattacks.LGV) and size is not None:
        own = _lgv_options(attack)
        scaled = {name: own[name] * (size / own["eps"]) for name in ("eps", "alpha") if name in own and own["eps"]}
        before = [(attack, "kwargs_att", attack.kwargs_att), (attack, "base_attack", None)]
        attack.kwargs_att, attack.base_attack = {**attack.kwargs_att, **scaled}, None
    parts = {id(part): part for part in (attack, *attack._attacks.values())} if size is not None else {}
    try:
        for part in parts.values():
            for name in (name for name in _SIZE_NAMES if hasattr(part, name)):
                own, stride = getattr(part, name), getattr(part, "alpha", None)
                before += [(part, name, own), *([(part, "alpha", stride)] if stride is not None else [])]
                setattr(part, name, size)
                if stride is not None and own:
                    part.alpha = size * (stride / own)
        yield
    finally:
        for part, name, value in before:
            setattr(part, name, value)
