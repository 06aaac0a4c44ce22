"""Modulation: bits to the real samples of a carrier's arms, in phase (I) and in quadrature (Q).

Every modulation here sends each arm on its own, a Gray-labelled amplitude of mean power one: BPSK one bit on the I
arm, QPSK one bit on each arm, 16-QAM two bits on each. A frame is the row of its real samples, I and Q in turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..._utils.errors import UsageError, suggest


@dataclass(frozen=True)
class Modulation:
    """A modulation of the carrier.

    Attributes
    ----------
    name : str
    arms : int
        1 where only I carries bits, 2 for I and Q.
    bits : int
        Bits a real sample.
    """

    name: str
    arms: int
    bits: int

    @property
    def levels(self) -> Tensor:
        """Amplitudes, shape-(2^bits,), by their label read as a binary number; mean power one.

        The labels of 3GPP TS 38.211, by which neighbours differ in one bit: the first bit is the sign, and ones
        are negative.
        """
        if self.bits == 1:
            return torch.tensor([1.0, -1.0])
        return torch.tensor([1.0, 3.0, -1.0, -3.0]) / 5**0.5

    def modulate(self, bits: Tensor) -> Tensor:
        """Bits to real samples; the last symbol is filled up with zeros.

        Parameters
        ----------
        bits : Tensor, shape-(F, n)
            Zeros and ones.

        Returns
        -------
        Tensor, shape-(F, m), float32
        """
        if self.bits == 1 and bits.shape[1] % self.arms == 0:
            return 1 - 2 * bits.float()
        filled = torch.nn.functional.pad(bits, (0, -bits.shape[1] % (self.bits * self.arms)))
        groups = filled.long().reshape(len(bits), -1, self.bits)
        weights = 2 ** torch.arange(self.bits - 1, -1, -1)
        return self.levels[(groups * weights).sum(2)]


MODULATIONS = {m.name: m for m in (Modulation("bpsk", 1, 1), Modulation("qpsk", 2, 1), Modulation("16qam", 2, 2))}


def find(name: str) -> Modulation:
    """A modulation by its name.

    Raises
    ------
    UsageError
    """
    try:
        return MODULATIONS[name]
    except KeyError:
        raise UsageError(f"no modulation is called {name!r}; " + suggest(name, MODULATIONS), "modulations") from None
