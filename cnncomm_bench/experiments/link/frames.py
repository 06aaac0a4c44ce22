"""Source coding: puts data into frames of a header, a payload and a checksum, and checks them at the other end.

A frame of k bits is its number (16 bits), k - 32 bits of payload, and the CRC-16 of both (ITU-T V.41, polynomial
x^16 + x^12 + x^5 + 1), which misses a frame of random bits once in 65,536.
"""

from __future__ import annotations

import binascii

import numpy as np
import numpy.typing as npt

from ..._utils.errors import UsageError

Bits = npt.NDArray[np.uint8]

HEADER, CHECKSUM = 16, 16
SHORTEST = HEADER + 8 + CHECKSUM
LONGEST = 1 << 20


def check_length(length: int) -> int:
    """Refuse lengths that hold no payload, or that no memory holds.

    Raises
    ------
    UsageError
    """
    if not SHORTEST <= length <= LONGEST:
        raise UsageError(f"a frame of {length} bits: expected {SHORTEST} to {LONGEST}, such as 512", "frames")
    return length


def build(count: int, length: int, first: int, generator: np.random.Generator) -> Bits:
    """Frames of random data.

    Parameters
    ----------
    count, length : int
        Frames, and bits of each.
    first : int
        Number of the first frame, modulo 2^16.
    generator : numpy.random.Generator

    Returns
    -------
    ndarray, shape-(count, length), uint8
        Zeros and ones.
    """
    numbers = np.arange(first, first + count).astype(">u2").view(np.uint8).reshape(count, 2)
    payload = length - HEADER - CHECKSUM
    random = generator.integers(0, 256, (count, -(-payload // 8)), dtype=np.uint8)
    body = np.hstack([np.unpackbits(numbers, axis=1), np.unpackbits(random, axis=1)[:, :payload]])
    return np.hstack([body, _checksums(body)])


def accepted(frames: Bits) -> npt.NDArray[np.bool_]:
    """Which frames their checksum accepts.

    Parameters
    ----------
    frames : ndarray, shape-(F, length), uint8

    Returns
    -------
    ndarray, shape-(F,), bool
    """
    passed: npt.NDArray[np.bool_] = (_checksums(frames[:, :-CHECKSUM]) == frames[:, -CHECKSUM:]).all(axis=1)
    return passed


def _checksums(body: Bits) -> Bits:
    # Preset to ones, so that leading zeros count as well.
    values = [binascii.crc_hqx(row.tobytes(), 0xFFFF) for row in np.packbits(body, axis=1)]
    return np.unpackbits(np.array(values, dtype=">u2").view(np.uint8).reshape(-1, 2), axis=1)
