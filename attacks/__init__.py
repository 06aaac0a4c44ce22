"""Attacks: everything that turns a clean image into a disturbed one at a stated SNR.

`registry` finds an attack by its spec string, `base` holds the contract, and each family has a file.
"""

if __name__ != "cnncomm_bench.attacks":
    raise ImportError(f"this package is cnncomm_bench.attacks; it cannot be imported as {__name__!r}")

from .base import Adversary, Attack, Disturbed, Noise
from .registry import available, parse

__all__ = ["Adversary", "Attack", "Disturbed", "Noise", "available", "parse"]
