"""Attacks: everything that turns a clean image into a disturbed one at a stated SNR.

`registry` finds an attack by its spec string, `attack` holds the contract, `base` its two kinds, and each family has
a file.
"""

if __name__ != "cnncomm_bench.attacks":
    raise ImportError(f"this package is cnncomm_bench.attacks; it cannot be imported as {__name__!r}")

from . import stable
from .attack import Attack, Norm, Passes
from .base import Adversary, DirectionNoise, Noise
from .batch import AdversaryBatch, ImageBatch, NoiseBatch, Perturbed
from .enlarged import EnlargedStableNoise
from .losses import column, loss_and_grad
from .names import ALIASES, LIBRARIES, available, is_own, other_name
from .query import Logits, checked, predict
from .radius import AtRadius
from .registry import parse
from .spec import parameters
from .stable import StableNoise
from .tone import NYQUIST, BandNoise, ToneNoise, filtered_noise, radial_frequencies

__all__ = [
    "ALIASES",
    "LIBRARIES",
    "NYQUIST",
    "Adversary",
    "AdversaryBatch",
    "AtRadius",
    "Attack",
    "BandNoise",
    "DirectionNoise",
    "EnlargedStableNoise",
    "ImageBatch",
    "Logits",
    "Noise",
    "NoiseBatch",
    "Norm",
    "Passes",
    "Perturbed",
    "StableNoise",
    "ToneNoise",
    "available",
    "checked",
    "column",
    "filtered_noise",
    "is_own",
    "loss_and_grad",
    "other_name",
    "parameters",
    "parse",
    "predict",
    "radial_frequencies",
    "stable",
]
