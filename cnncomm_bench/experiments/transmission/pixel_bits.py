"""Converts 8-bit pixel values to bits and back, in natural or in Gray labelling.

The first bit is the most significant one. In Gray's labelling neighbouring values differ in one bit.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

BITS = 8
LABELLINGS = ("natural", "gray")


def to_bits(images: Tensor, labelling: str) -> Tensor:
    """Bits of each image's pixel values.

    Parameters
    ----------
    images : Tensor, shape-(N, C, H, W), uint8
    labelling : {"natural", "gray"}

    Returns
    -------
    Tensor, shape-(N, 8 * C * H * W), uint8
        Zeros and ones, eight for each value in turn.

    Examples
    --------
    >>> to_bits(torch.tensor([[[[5]]]], dtype=torch.uint8), "natural").tolist()
    [[0, 0, 0, 0, 0, 1, 0, 1]]
    >>> to_bits(torch.tensor([[[[5]]]], dtype=torch.uint8), "gray").tolist()
    [[0, 0, 0, 0, 0, 1, 1, 1]]
    """
    values = images.flatten(1)
    words = values ^ (values >> 1) if labelling == "gray" else values
    return torch.from_numpy(np.unpackbits(words.numpy(), axis=1))


def from_bits(bits: Tensor, shape: tuple[int, ...], labelling: str) -> Tensor:
    """Images of bits, the inverse of `to_bits`.

    Parameters
    ----------
    bits : Tensor, shape-(N, 8 * C * H * W), uint8
    shape : (C, H, W)
    labelling : {"natural", "gray"}

    Returns
    -------
    Tensor, shape-(N, C, H, W), uint8
    """
    words = torch.from_numpy(np.packbits(bits.numpy(), axis=1))
    if labelling == "gray":  # each bit of the value is the parity of the word's bits down to it
        for step in (4, 2, 1):
            words = words ^ (words >> step)
    return words.reshape(len(bits), *shape)
