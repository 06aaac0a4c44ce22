"""Which images of a cell were right, as short text that is safe to read."""

from __future__ import annotations

import base64
import binascii
import re
import zlib

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Hits = npt.NDArray[np.bool_]

IMAGES_A_CELL = 256
"""Small, so that a share of the cells is a share of every curve; a multiple of the usual batches, so that a rerun of a
cell has the same batches."""

_RANGES = re.compile(r"\d{1,8}(-\d{1,8})?(,\d{1,8}(-\d{1,8})?)*")


def pack_hits(hits: Hits) -> str:
    """Write correctness by SNR and image: bits, deflated, in base64.

    Parameters
    ----------
    hits : ndarray, shape-(K, N), bool
    """
    return base64.b64encode(zlib.compress(np.packbits(hits).tobytes(), 9)).decode("ascii")


def unpack_hits(text: str, steps: int, images: int) -> Hits:
    """Read what `pack_hits` wrote.

    Returns
    -------
    ndarray, shape-(steps, images), bool

    Raises
    ------
    ValueError
        It has another number of bits.
    """
    size = -(-steps * images // 8)
    try:
        inflate = zlib.decompressobj()
        packed = inflate.decompress(base64.b64decode(text, validate=True), size + 1)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"it is not readable: {error}") from None
    if len(packed) != size or not inflate.eof:
        raise ValueError(f"expected {steps} x {images} bits")
    bits = np.unpackbits(np.frombuffer(packed, np.uint8))
    if bits[steps * images :].any():
        raise ValueError(f"expected {steps} x {images} bits")
    return bits[: steps * images].reshape(steps, images).astype(bool)


def pack_indices(indices: Indices) -> str:
    """Write rising indices as ranges.

    Examples
    --------
    >>> pack_indices(np.array([0, 1, 2, 5, 7, 8]))
    '0-2,5,7-8'
    """
    runs = np.split(indices, np.flatnonzero(np.diff(indices) != 1) + 1)
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def unpack_indices(text: str) -> Indices:
    """Read what `pack_indices` wrote.

    Raises
    ------
    ValueError
        They are no rising indices, or more than a cell has.

    Examples
    --------
    >>> unpack_indices("0-2,5").tolist()
    [0, 1, 2, 5]
    """
    if not _RANGES.fullmatch(text):
        raise ValueError("expected ranges of images such as 0-255")
    ends = [[int(end) for end in part.split("-")] for part in text.split(",")]
    if sum(max(0, run[-1] - run[0]) + 1 for run in ends) > IMAGES_A_CELL:
        raise ValueError(f"expected at most {IMAGES_A_CELL} images")
    indices = np.concatenate([np.arange(run[0], run[-1] + 1) for run in ends])
    if not len(indices) or (np.diff(indices) <= 0).any() or pack_indices(indices) != text:
        raise ValueError("expected ranges of images in rising order")
    return indices
