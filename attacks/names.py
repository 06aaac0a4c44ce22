"""Names of attacks: this package's own, their aliases, and those that other packages add by an entry point."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

GROUP = "cnncomm_bench.attacks"
"""Group of entry points, each of which names an `Attack` class."""

OWN = {
    "stable": "stable:StableNoise",
    "impulse": "impulse:ImpulseNoise",
    "enlarged": "enlarged:EnlargedStableNoise",
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
"""Name to `module:class` in this package."""

ALIASES: dict[str, tuple[str, dict[str, Any]]] = {
    "gaussian": ("stable", {"alpha": 2.0}),
    "cauchy": ("stable", {"alpha": 1.0}),
    "levy": ("stable", {"alpha": 0.5, "beta": 1.0}),
    "salt-pepper": ("stable", {"alpha": 0.9}),
    "enlarged-square": ("enlarged", {"shape": "square"}),
    "enlarged-triangle": ("enlarged", {"shape": "triangle"}),
    "enlarged-rhombus": ("enlarged", {"shape": "rhombus"}),
    "impulse-point": ("impulse", {"shape": "point"}),
    "impulse-square": ("impulse", {"shape": "square"}),
    "impulse-triangle": ("impulse", {"shape": "triangle"}),
    "impulse-rhombus": ("impulse", {"shape": "rhombus"}),
}
"""Alias to a name of `OWN` and the parameters that it fixes."""

ALWAYS_SHOWN = {
    "stable": ("alpha",),
    "impulse": ("shape",),
    "enlarged": ("shape",),
    "tone": ("u", "v"),
    "band": ("low", "high"),
}
"""Parameters shown even at their default: "stable" alone does not say how heavy its tails are."""

EXAMPLES = {"torchattacks": "torchattacks.PGDL2", "art": "art.HopSkipJump", "foolbox": "foolbox.DDNAttack"}
LIBRARIES = tuple(EXAMPLES)
"""Libraries whose attacks a spec string may name, as in `torchattacks.PGDL2:steps=20`."""


_OTHER_NAMES = {
    **dict.fromkeys(("autoattack", "aa"), "its parts are the suite 'adversarial'"),
    **dict.fromkeys(("white", "awgn", "normal", "gauss", "gaussiannoise"), "take gaussian"),
    **dict.fromkeys(("saltandpepper", "snp"), "take salt-pepper, or impulse-point, whose impulses saturate"),
    **dict.fromkeys(("bim", "ifgsm", "pgdlinf"), "take pgd-linf, or torchattacks.BIM"),
    **dict.fromkeys(("cw", "carlini", "carliniwagner"), "take torchattacks.CW, or foolbox.L2CarliniWagnerAttack"),
    "worst": "it is the worst case of each image over all adversaries of a run, and is scored wherever there are two",
    "apgd": "take apgd-ce or apgd-dlr",
    "deepfool": "take foolbox.L2DeepFoolAttack, or fmn",
    "fab": "take torchattacks.FAB, or fmn",
    "ddn": "take foolbox.DDNAttack, or fmn",
    "hopskipjump": "take art.HopSkipJump",
    "boundary": "take art.BoundaryAttack",
    "mifgsm": "take torchattacks.MIFGSM",
}


def other_name(name: str) -> str | None:
    """What to take for a name that others use, such as "AutoAttack"; None where nothing is known."""
    return _OTHER_NAMES.get("".join(filter(str.isalnum, name.lower())))


@cache
def plugins() -> Mapping[str, EntryPoint]:
    """Attacks of other packages: name to entry point. Names of our own are not replaced."""
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in {*OWN, *ALIASES}}


def available() -> list[str]:
    """Names that a spec string may begin with, aliases and other packages' attacks included."""
    return sorted({*OWN, *ALIASES, *plugins()})


def is_own(spec: str) -> bool:
    """Whether a spec string names an attack of this package."""
    return spec.partition(":")[0].strip() in {*OWN, *ALIASES}


def location(name: str) -> tuple[str, str]:
    """Module and class of a name, without importing them."""
    if name in OWN:
        module, _, attribute = OWN[name].partition(":")
        return f"{__package__}.{module}", attribute
    point = plugins()[name]
    return point.module, point.attr
