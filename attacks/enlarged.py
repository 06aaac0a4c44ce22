"""Enlarged noise: the points of alpha-stable noise grown to squares, triangles and rhombi (Fig. 4 of Ge et al.).

The paper enlarges "the noise points of salt-pepper noises to larger regions with specific shape(with same SNR)", its
salt-and-pepper noise being stable noise of alpha = 0.9. Here each pixel takes the value of largest magnitude under the
footprint: a dilation, by which large points grow over small ones. The draw is that of `stable`, so that enlarged noise
and the noise whose points it enlarges are paired.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from .._utils.errors import UsageError
from ..snr import Digests
from .base import DirectionNoise
from .footprint import Shape, default_size, footprint, largest_covering
from .stable import StableNoise


@dataclass(frozen=True)
class EnlargedStableNoise(DirectionNoise):
    """Alpha-stable noise whose points are enlarged to a shape.

    Parameters
    ----------
    shape : {"square", "triangle", "rhombus", "point"}
        A point leaves the noise as it is.
    size : int, optional
        In pixels; max(3, round(0.04 min(height, width))) by default. A point has none.
    alpha, beta : float
        Of the law, see `StableNoise`; 0.9 is the paper's salt and pepper.
    channels : {"shared", "independent"}
        One value for all channels of a pixel, so that a region has one colour, or one for each channel.
    """

    family: ClassVar[str] = "enlarged"

    shape: Shape = "square"
    size: int | None = None
    alpha: float = 0.9
    beta: float = 0.0
    channels: Literal["independent", "shared"] = "shared"

    def __post_init__(self) -> None:
        if self.shape == "point" and self.size is not None:
            raise UsageError("noise enlarged to shape point is not enlarged: leave size out, or take shape=square")
        if self.size is not None and self.size < 1:
            raise UsageError(f"size={self.size} is no footprint: size is in pixels, at least 1")
        self._points()  # refuses parameters that no stable law has

    def _points(self) -> StableNoise:
        return StableNoise(alpha=self.alpha, beta=self.beta, channels=self.channels)

    def draw(self, keys: Digests, shape: tuple[int, ...], *, seed: int, call: int = 0) -> Tensor:
        """Dilated stable values for each image, see `Attack.draw`.

        Returns
        -------
        Tensor, shape-(N, C, H, W), or (N, 1, H, W) for shared channels
        """
        points = self._points().draw(keys, shape, seed=seed, call=call)
        rows = footprint(self.shape, self.size or default_size(*shape[1:]))
        highest, lowest = largest_covering(points, rows), -largest_covering(-points, rows)
        return torch.where(highest >= -lowest, highest, lowest)
