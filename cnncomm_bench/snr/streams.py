"""One random stream per image, keyed by the seed, the family of the attack and the image's content.

The noise of an image therefore depends on nothing else: not on batch size, order, subset, worker, device,
library or range of values. Streams are numpy generators on the host; they release the interpreter's lock
while they draw, so noise for the next batch is drawn while a model runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Digests = npt.NDArray[np.uint64]


def digests(images: Tensor) -> Digests:
    """64-bit digest of each image's pixels, rounded to 8 bits.

    Parameters
    ----------
    images : Tensor, shape-(N, C, H, W)
        In [0, 1], on any device.

    Returns
    -------
    ndarray, shape-(N,), uint64

    Raises
    ------
    ValueError
        An image holds NaN.
    """
    pixels = images.detach().float()
    if pixels.isnan().any():
        raise ValueError("an image holds NaN")
    shape = str(tuple(images.shape[1:])).encode()
    rows = (pixels * 255).round_().clamp_(0, 255).to(torch.uint8).cpu().contiguous().numpy()
    hashes = (hashlib.blake2b(row.tobytes(), digest_size=8, key=shape).digest() for row in rows)
    return np.fromiter((int.from_bytes(h, "little") for h in hashes), dtype=np.uint64, count=len(rows))


def generators(keys: Digests, *, seed: int, family: str, call: int = 0) -> Iterator[np.random.Generator]:
    """A generator for each image.

    Parameters
    ----------
    keys : ndarray, shape-(N,), uint64
        From `digests`.
    seed : int
        Not negative.
    family : str
        Attacks of one family share their draws, so that comparisons within it are paired.
    call : int
        A counter mixed in where fresh noise is wanted at every call, as for training.
    """
    name = int.from_bytes(hashlib.blake2b(family.encode(), digest_size=8).digest(), "little")
    for key in keys:
        yield np.random.Generator(np.random.SFC64([seed, name, int(key), call]))
