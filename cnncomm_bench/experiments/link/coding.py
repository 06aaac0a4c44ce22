"""Channel coding: none, a convolutional code with Viterbi's decoder, or an LDPC code of 5G; and the interleaver.

Sionna's physical layer encodes and decodes. Its LLRs are log p(1)/p(0), as everywhere here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any, Protocol

from torch import Tensor

from ..._utils.errors import BenchError, UsageError, suggest

LONGEST_LDPC = 8448  # information bits of 5G's base graph 1


class Code(Protocol):
    """A code for frames of k bits."""

    def encode(self, bits: Tensor) -> Tensor:
        """Bits of shape-(F, k) to coded bits of shape-(F, n)."""

    def decode(self, ratios: Tensor) -> Tensor:
        """Log-likelihood ratios of shape-(F, n) to bits of shape-(F, k), uint8."""


class Uncoded:
    """No code: a bit is what its ratio says."""

    def encode(self, bits: Tensor) -> Tensor:
        """The bits themselves."""
        return bits

    def decode(self, ratios: Tensor) -> Tensor:
        """The signs."""
        return (ratios > 0).byte()


class _OfSionna:
    """A code whose encoder and decoder are Sionna's."""

    def __init__(self, encoder: Any, decoder: Any) -> None:
        self._encoder, self._decoder = encoder, decoder

    def encode(self, bits: Tensor) -> Tensor:
        """Bits of shape-(F, k) to coded bits of shape-(F, n)."""
        coded: Tensor = self._encoder(bits.float())
        return coded.byte()

    def decode(self, ratios: Tensor) -> Tensor:
        """The bits that the decoder decides on."""
        decoded: Tensor = self._decoder(ratios)
        return decoded.byte()


class Convolutional(_OfSionna):
    """Convolutional code of rate 1/2, ended in the zero state, and Viterbi's decoder on soft values.

    Parameters
    ----------
    constraint_length : int
        7 has the generators 133 and 171 (octal).
    """

    def __init__(self, constraint_length: int = 7) -> None:
        conv = _sionna("conv")
        encoder = conv.ConvEncoder(
            rate=0.5, constraint_length=constraint_length, terminate=True, precision="single", device="cpu"
        )
        decoder = conv.ViterbiDecoder(encoder=encoder, method="soft_llr", precision="single", device="cpu")
        super().__init__(encoder, decoder)


class Ldpc(_OfSionna):
    """LDPC code of 5G (3GPP TS 38.212) of rate 1/2, decoded by 20 rounds of belief propagation.

    Parameters
    ----------
    length : int
        Information bits of a frame.
    """

    def __init__(self, length: int) -> None:
        if length > LONGEST_LDPC:
            raise UsageError(f"a frame of {length} bits: ldpc takes at most {LONGEST_LDPC}, such as 512", "frames")
        ldpc = _sionna("ldpc")
        encoder = ldpc.LDPC5GEncoder(length, 2 * length, precision="single", device="cpu")
        decoder = ldpc.LDPC5GDecoder(encoder, num_iter=20, precision="single", device="cpu")
        super().__init__(encoder, decoder)


class Interleaved:
    """A code whose bits are written into a square by rows and sent by columns, so that a burst is spread.

    Parameters
    ----------
    code : Code
    length : int
        Coded bits of a frame.
    """

    def __init__(self, code: Code, length: int) -> None:
        interleaving = _sionna("interleaving")
        self._code = code
        self._interleave = interleaving.RowColumnInterleaver(row_depth=math.isqrt(length), device="cpu")
        self._restore = interleaving.Deinterleaver(self._interleave, device="cpu")

    def encode(self, bits: Tensor) -> Tensor:
        """As the code, in another order."""
        sent: Tensor = self._interleave(self._code.encode(bits))
        return sent

    def decode(self, ratios: Tensor) -> Tensor:
        """As the code, from the order of sending."""
        return self._code.decode(self._restore(ratios))


CODES: dict[str, Callable[[int], Code]] = {
    "none": lambda length: Uncoded(),
    "conv": lambda length: Convolutional(),
    "ldpc": Ldpc,
}


def find(name: str) -> Callable[[int], Code]:
    """The maker of a code, by its name: (information bits of a frame) to the code.

    Raises
    ------
    UsageError
    """
    try:
        return CODES[name]
    except KeyError:
        raise UsageError(f"no code is called {name!r}; " + suggest(name, CODES), "codes") from None


def _sionna(part: str) -> ModuleType:
    import importlib

    try:
        return importlib.import_module(f"sionna.phy.fec.{part}")
    except ImportError as error:
        raise BenchError(
            "coded links need Sionna's physical layer: pip install 'cnncomm-bench[comms]', or pass the code none",
            "codes",
        ) from error
