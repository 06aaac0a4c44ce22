"""Attacks: everything that turns a clean image into a disturbed one at a stated SNR.

`registry` finds an attack by its spec string, `base` holds the contract, and each family has a file.
"""

if __name__ != "cnncomm_bench.attacks":
    raise ImportError(f"this package is cnncomm_bench.attacks; it cannot be imported as {__name__!r}")

from . import stable
from .base import Adversary, Attack, Batch, DirectionNoise, Noise, Perturbed
from .losses import column, loss_and_grad
from .minimum_norm import MinimumNorm
from .query import Logits, checked, predict
from .radius import AtRadius
from .registry import LIBRARIES, available, parameters, parse
from .stable import StableNoise
from .tone import NYQUIST, BandNoise, ToneNoise, radial_frequencies

__all__ = [
    "LIBRARIES",
    "NYQUIST",
    "Adversary",
    "AtRadius",
    "Attack",
    "BandNoise",
    "Batch",
    "DirectionNoise",
    "Perturbed",
    "Logits",
    "MinimumNorm",
    "Noise",
    "StableNoise",
    "ToneNoise",
    "available",
    "checked",
    "column",
    "parameters",
    "parse",
    "predict",
    "radial_frequencies",
    "loss_and_grad",
    "stable",
]
