"""White noise seen along the direction of each image's nearest adversarial example."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from .batch import AdversaryBatch, NoiseBatch
from .stable import StableNoise


def seen_along(
    batch: AdversaryBatch, nearest: Tensor, right: Tensor, budgets_db: Tensor
) -> Iterator[dict[str, Tensor]]:
    """What white noise does to an image if its boundary is a plane across the nearest adversarial example.

    With that example at clean + d u, |u| = 1, the plane's far side is where the noise n has <n, u> > d. Isotropic noise
    has a share of 1/D of its power along u, D the number of pixel values: the root of the yardstick 10 log10(D)
    (Fawzi et al. 2016, Ford et al. 2019). Noise that was clipped to valid pixels is not isotropic.

    Parameters
    ----------
    batch : AdversaryBatch
    nearest : Tensor, shape-(N, C, H, W)
        Nearest adversarial examples; the clean image where none is known.
    right : Tensor, shape-(N,), bool
        Which images the model gets right unharmed.
    budgets_db : Tensor, shape-(K, N)
        SNRs of the noise, dB.

    Yields
    ------
    dict of Tensor, shape-(N,)
        For each SNR: `nearest_found`, 1 where there is one; `white_along`, the share of the noise's power
        along it, 0 where there is none; `flat_right`, 1 where a right image stays on the near side.
    """
    clean = batch.images
    path = (nearest - clean).flatten(1).double()
    distance = path.norm(dim=1)
    found = distance > 0
    unit = path / torch.where(found, distance, 1.0)[:, None]
    white = NoiseBatch(clean, seed=batch.seed, call=batch.call, bounds=batch.bounds, keys=batch.keys)
    for perturbed in StableNoise(alpha=2.0).over(white, budgets_db):
        noise = (perturbed.images - clean).flatten(1).double()
        reach = (noise * unit).sum(1)
        yield {
            "nearest_found": found.double(),
            "white_along": reach.square() / noise.square().sum(1),
            "flat_right": (right & ~(found & (reach > distance))).double(),
        }
