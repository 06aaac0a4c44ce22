"""The images of a run, read a few at a time, so that they need not fit into memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .. import snr
from .._utils.errors import DataError
from .array_like import CHUNK, ArrayLike, chunks
from .images import balanced_subset

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """The images of a run that have an SNR, with their labels.

    Attributes
    ----------
    images : ArrayLike, shape-(N, C, H, W)
    labels : ndarray of int64, shape-(N,), or None
        None: each model's clean predictions take their place.
    keep : ndarray of int64
        Indices of the images that have power; the others are left out.
    views : tuple of ArrayLike
        The same images as each model takes them, where models take different sizes or channels.
    """

    images: ArrayLike
    labels: Indices | None
    keep: Indices
    views: tuple[ArrayLike, ...] = ()

    @classmethod
    def of(cls, images: ArrayLike, labels: Indices | None, views: Sequence[ArrayLike] = ()) -> Dataset:
        """Leave out the images of zero power, in any view, which have no SNR.

        Raises
        ------
        DataError
            No image is left.
        """
        distinct = {id(one): one for one in (images, *views)}.values()
        powered = np.logical_and.reduce(
            [np.concatenate([chunk.any(axis=(1, 2, 3)) for chunk in chunks(one)]) for one in distinct]
        )
        if not powered.any():
            raise DataError("every image has zero power (all pixels black): no SNR is defined")
        return cls(images, labels, np.flatnonzero(powered), tuple(views))

    def view(self, model: int) -> ArrayLike:
        """Return the images as a model takes them."""
        return self.views[model] if self.views else self.images

    def floats(self, indices: Indices, model: int = 0) -> Tensor:
        """Return the images at `indices` as a model takes them, float32 in [0, 1]."""
        chosen = torch.from_numpy(self.view(model)[indices])
        return chosen.float().div_(255) if chosen.dtype == torch.uint8 else chosen

    def subset(self, samples: int | None) -> Indices:
        """Return the first images of a seeded, balanced order, so that smaller subsets are part of larger ones."""
        if samples is None or samples >= len(self.keep):
            return self.keep
        labels = np.zeros(len(self.keep), dtype=np.int64) if self.labels is None else self.labels[self.keep]
        chosen: Indices = self.keep[np.sort(balanced_subset(labels, samples, seed=0))]
        return chosen

    def median_norm(self) -> float:
        """Return the median L2 norm of the images, estimated from at most 4,000 of them."""
        sample = self.keep[:: max(1, len(self.keep) // 2000)]
        parts = np.split(sample, range(CHUNK, len(sample), CHUNK))
        norms = torch.cat([snr.power(self.floats(part)).sqrt() for part in parts])
        return round(float(norms.median()), 4)

    def left_out(self) -> dict[str, list[int]]:
        """Return the indices of the images that are not run, by the reason."""
        dark = np.setdiff1d(np.arange(len(self.images)), self.keep)
        return {"zero power": dark.tolist()} if len(dark) else {}
