"""The scale at which noise, clipped to valid pixels, has a given power.

With `headroom_i` the distance from a clean pixel to the bound its noise points at, that scale s is the root of

    P(s) = sum_i min(s |n_i|, headroom_i)^2 = power.

P grows monotonically and is quadratic in s between the scales t_i = headroom_i / |n_i| at which pixels saturate. So one
sort of t gives the root for many powers in closed form (the idea of clipping-aware rescaling, Rauber and Bethge 2020);
for a single power, Newton's method gets there sooner.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

Bounds = tuple[float, float]

_NEWTON = 16  # steps, of which noise without heavy tails takes three or four


def scales(clean: Tensor, direction: Tensor, wanted: Tensor, bounds: Bounds) -> tuple[Tensor, Tensor]:
    """Scales at which clip(clean + s direction) is as far from clean as wanted.

    Parameters
    ----------
    clean, direction : Tensor, shape-(N, D)
    wanted : Tensor, shape-(K, N), float64
        Noise power: sums of squares.
    bounds : (float, float)
        Smallest and largest valid pixel.

    Returns
    -------
    scale : Tensor, shape-(K, N), float64
    reached : Tensor, shape-(K, N), bool
        False for an image that saturates before that power; its scale saturates it.
    """
    size, headroom = _size_and_headroom(clean, direction, bounds)
    order = _order(torch.where(size > 0, headroom / size, math.inf))
    size = size.gather(1, order).to(torch.float64)
    headroom = torch.where(size > 0, headroom.gather(1, order), 0).to(torch.float64)
    # Again in double: the root must not inherit float32's rounding of the ratio.
    saturates_at = torch.where(size > 0, headroom / size, math.inf)

    saturated = headroom.square().cumsum(1)  # power of the pixels up to and with i, all at their bound
    # Power per squared scale of the pixels from i on, summed from the smallest: no cancellation under heavy tails.
    free = torch.nn.functional.pad(size.square().flip(1).cumsum(1).flip(1), (0, 1))
    at_breakpoint = saturated + saturates_at.square() * free[:, 1:]
    # Pixels that never saturate give inf or NaN; ratios equal in float32 may be out of order by a rounding.
    at_breakpoint = at_breakpoint.nan_to_num_(nan=math.inf).cummax(1).values

    target = wanted.T.contiguous()
    passed = torch.searchsorted(at_breakpoint, target)  # how many pixels are saturated at the root
    below = torch.nn.functional.pad(saturated, (1, 0)).gather(1, passed)
    root = ((target - below).clamp_(min=0) / free.gather(1, passed)).sqrt_()
    reached = target <= saturated[:, -1:] * (1 + 1e-12)
    all_saturated = torch.where(saturates_at < math.inf, saturates_at, 0).amax(1, keepdim=True)
    root = torch.where(reached & root.isfinite(), root, all_saturated)
    return root.T, reached.T


def scale_to_power(clean: Tensor, direction: Tensor, wanted: Tensor, bounds: Bounds) -> Tensor:
    """As `scales`, for a single power an image and no scale above one, to the precision of the images' dtype.

    Every step of Newton's method solves for the power as if the pixels that are saturated now were all. As none is yet
    at the first step, where the scale is too small, they only become more, and the root is met once they stay the same.

    Parameters
    ----------
    clean, direction : Tensor, shape-(N, D)
    wanted : Tensor, shape-(N,), float64
    bounds : (float, float)

    Returns
    -------
    Tensor, shape-(N,), float64
    """
    size, headroom = _size_and_headroom(clean, direction, bounds)
    peak = size.amax(1, keepdim=True)
    share = size / peak  # its squares don't overflow
    ratio, power, held = headroom / share, share.square(), headroom.square()
    # Sums in double: in float32 their last digits depend on how many images are summed at once.
    scale = (wanted / power.sum(1, dtype=torch.float64)).sqrt_()
    count = torch.zeros(len(size), dtype=torch.int64, device=size.device)
    for _ in range(_NEWTON):
        saturated = ratio <= scale[:, None].to(ratio.dtype)
        before, count = count, saturated.sum(1)
        if torch.equal(before, count):
            break
        rest = wanted - held.masked_fill(~saturated, 0).sum(1, dtype=torch.float64)
        scale = (rest / power.masked_fill(saturated, 0).sum(1, dtype=torch.float64)).sqrt_()
    else:
        scale[:] = math.nan
    scale = scale / peak[:, 0]
    if not scale.isfinite().all():  # an image saturates, has no noise, or noise of very heavy tails
        scale = scales(clean, direction, wanted[None], bounds)[0][0]
    return scale.clamp(max=1)


def _order(ratio: Tensor) -> Tensor:
    """Indices that sort each row; on a processor by numpy, whose vectorised sort takes half the time of torch's."""
    if ratio.device.type != "cpu":
        return ratio.argsort(1)
    return torch.from_numpy(np.argsort(ratio.numpy(), axis=1))


def _size_and_headroom(clean: Tensor, direction: Tensor, bounds: Bounds) -> tuple[Tensor, Tensor]:
    low, high = bounds
    return direction.abs(), torch.where(direction > 0, high - clean, clean - low).clamp_(min=0)
