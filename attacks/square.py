"""Square attack (Andriushchenko et al. 2020) in each image's own L2 ball: a black box, it needs answers only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from .. import snr
from .._utils.errors import UsageError
from ..snr import Digests, generators
from .attack import Passes
from .base import Adversary
from .batch import AdversaryBatch
from .losses import column, margins

_SMALLEST = 3  # pixels on a side, below which the windows' pattern has no two halves

_EMPTY = 1e-12  # norm below which a window holds nothing

# Up to which query, of 10,000, the windows cover which part of the image, in units of `p`.
_SCHEDULE = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)


@dataclass(frozen=True)
class SquareAttack(Adversary):
    """Random search over square windows of noise, keeping what raises the margin (Andriushchenko et al. 2020).

    A query moves the power of one window into another, where it adds a pattern of two opposed halves, and with it
    the power that clipping left unspent. Along the grid each budget starts from where the smaller one ended. An
    image drops out once it is fooled.

    Parameters
    ----------
    queries : int
        Answers an image costs at most, at each SNR.
    p : float
        Part of the image that the first windows cover.
    """

    family: ClassVar[str] = "square-attack"
    uses_gradient: ClassVar[bool] = False
    stops_when_fooled: ClassVar[bool] = True

    queries: int = 1000
    p: float = 0.8

    def __post_init__(self) -> None:
        if self.queries < 1 or not 0 < self.p <= 1:
            raise UsageError(
                f"square-attack with queries={self.queries}, p={self.p:g}: expected queries >= 1, 0 < p <= 1"
            )

    def passes(self, classes: int) -> Passes:
        """Every query, and the answer to the best image; see `Attack.passes`."""
        return Passes(self.queries + 1, 0)

    def draw(self, keys: Digests, shape: tuple[int, ...], *, seed: int, call: int = 0) -> Tensor:
        """Uniform numbers for the first image and for each query, see `Attack.draw`.

        Returns
        -------
        Tensor, shape-(N, M)
        """
        first, query = _first_numbers(shape), _query_numbers(shape)
        numbers = np.empty((len(keys), first + self.queries * query), dtype=np.float32)
        for row, generator in enumerate(generators(keys, seed=seed, family=self.family, call=call)):
            generator.random(dtype=np.float32, out=numbers[row])
        return torch.from_numpy(numbers)

    def perturb(self, batch: AdversaryBatch, budget_db: Tensor, start: Tensor) -> Tensor:
        """First image that fools the model, else the one of largest margin, see `Adversary.perturb`."""
        clean, shape = batch.images, tuple(batch.images.shape[1:])
        chances = start[:, _first_numbers(shape) :].reshape(len(clean), self.queries, -1)
        noise = _tiles(shape, start[:, : _first_numbers(shape)]).to(clean.dtype)
        if batch.warm_start is not None:
            reached = batch.warm_start - clean
            noise = torch.where(column(reached.flatten(1).any(1)), reached, noise)
        radius = column(snr.radius(clean, budget_db)).to(clean.dtype)
        best = _within(clean, noise, radius, batch.bounds)
        best_margin = margins(batch, best)
        for query in range(self.queries - 1):
            rows = (best_margin <= 0).nonzero().flatten()
            if not len(rows):
                break
            noise = _moved(best[rows] - clean[rows], radius[rows], self._side(query, shape), chances[rows, query])
            candidate = _within(clean[rows], noise, radius[rows], batch.bounds)
            margin = margins(batch.rows(rows), candidate)
            better = margin > best_margin[rows]
            best[rows[better]] = candidate[better]
            best_margin[rows[better]] = margin[better]
        return best

    def _side(self, query: int, shape: tuple[int, ...]) -> int:
        """Side of a query's windows, odd where the image is large enough; halved areas on the paper's schedule."""
        halvings = sum(query / self.queries * 10_000 > limit for limit in _SCHEDULE)
        side = max(_SMALLEST, round(math.sqrt(self.p / 2**halvings * shape[1] * shape[2])))
        return min(side + (side % 2 == 0), shape[1], shape[2])


def _first_numbers(shape: tuple[int, ...]) -> int:
    down, across, _ = _grid(shape)
    return down * across * (1 + shape[0])


def _query_numbers(shape: tuple[int, ...]) -> int:
    return 5 + shape[0]


def _grid(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Tiles down, tiles across and their side: five across the shorter side, as in the paper."""
    height, width = shape[1:]
    if min(height, width) < _SMALLEST:
        raise UsageError(f"square-attack needs images of {_SMALLEST} x {_SMALLEST} pixels, got {height} x {width}")
    side = max(_SMALLEST, min(height, width) // 5)
    return height // side, width // side, side


@cache
def _pattern(side: int) -> Tensor:
    """Two opposed halves, each falling off from its centre; of norm one. Shape-(side, side)."""
    upper, lower = _hill(side // 2, side), _hill(side - side // 2, side)
    pattern = torch.cat([upper / upper.norm(), -lower / lower.norm()])
    return pattern / math.sqrt(2)


def _hill(height: int, width: int) -> Tensor:
    """Sum over k >= d of 1/(k + 1)^2, d the number of rings between a pixel and the centre."""
    rings = max(height // 2, width // 2) + 1
    tail = (1 / torch.arange(1, rings + 1).square()).flip(0).cumsum(0).flip(0)
    rows, columns = torch.arange(height) - height // 2, torch.arange(width) - width // 2
    rings_away = torch.maximum(rows.abs()[:, None], columns.abs()[None])
    return tail[rings_away]


def _tiles(shape: tuple[int, ...], chances: Tensor) -> Tensor:
    """First noise: the pattern in every tile, turned and signed at random. Shape-(N, C, H, W)."""
    down, across, side = _grid(shape)
    chances = chances.reshape(len(chances), down, across, 1 + shape[0])
    pieces = _signed(side, chances[..., 0], chances[..., 1:])  # (N, down, across, C, side, side)
    tiles = pieces.permute(0, 3, 1, 4, 2, 5).reshape(len(chances), shape[0], down * side, across * side)
    top, left = (shape[1] - down * side) // 2, (shape[2] - across * side) // 2
    noise = torch.zeros(len(chances), *shape, device=chances.device)
    noise[:, :, top : top + down * side, left : left + across * side] = tiles
    return noise


def _signed(side: int, turn: Tensor, signs: Tensor) -> Tensor:
    """The pattern, turned where `turn` > 1/2, with a sign for each channel. Shape-(..., C, side, side)."""
    pattern = _pattern(side).to(signs.device)
    turned = torch.where((turn > 0.5)[..., None, None], pattern.T, pattern)
    return turned[..., None, :, :] * torch.where(signs > 0.5, 1.0, -1.0)[..., None, None]


def _within(clean: Tensor, noise: Tensor, radius: Tensor, bounds: snr.Bounds) -> Tensor:
    return (clean + _normal(noise.flatten(1)).view_as(noise) * radius).clamp(*bounds)


def _moved(noise: Tensor, radius: Tensor, side: int, chances: Tensor) -> Tensor:
    """Noise with the power of a second window, and what is unspent, moved into a first window."""
    count, channels, height, width = noise.shape
    corners = torch.tensor([height, width, height, width], device=noise.device) - side + 1
    corner = torch.minimum((chances[:, :4] * corners).long(), corners - 1)
    into, out_of = (_window(corner[:, i : i + 2], side, height, width) for i in (0, 2))
    unspent = (radius.square() - noise.square().sum((1, 2, 3), keepdim=True)).clamp(min=0)
    power = unspent / channels + (noise.square() * (into | out_of)).sum((2, 3), keepdim=True)

    # Rows and columns of the first window, to read and write it: (N, 1, side, 1) and (N, 1, 1, side).
    offsets = torch.arange(side, device=noise.device)
    rows, columns = corner[:, 0, None] + offsets, corner[:, 1, None] + offsets
    image = torch.arange(count, device=noise.device)[:, None, None, None]
    channel = torch.arange(channels, device=noise.device)[:, None, None]
    place = (image, channel, rows[:, None, :, None], columns[:, None, None, :])
    windows = _normal(noise[place].flatten(2)) + _signed(side, chances[:, 4], chances[:, 5:]).to(noise.dtype).flatten(2)
    noise = noise * ~out_of
    noise[place] = (_normal(windows) * power.flatten(2).sqrt()).view(count, channels, side, side)
    return noise


def _window(corner: Tensor, side: int, height: int, width: int) -> Tensor:
    """Pixels of a window, shape-(N, 1, H, W), bool."""
    down = torch.arange(height, device=corner.device) - corner[:, :1]
    right = torch.arange(width, device=corner.device) - corner[:, 1:]
    inside = ((down >= 0) & (down < side))[:, :, None] & ((right >= 0) & (right < side))[:, None, :]
    return inside[:, None]


def _normal(rows: Tensor) -> Tensor:
    """Vectors along the last dimension at norm one; a zero one stays zero."""
    norms: Tensor = rows.norm(dim=-1, keepdim=True)
    return rows / norms.clamp(min=_EMPTY)
