"""Measures whether input gradients align with the image, more in robust models than in standard ones (Section 5.3).

Two numbers an image: the cosine of gradient and image, |<x, g>| / (||x|| ||g||), the alignment of Etmann et al. (2019,
"On the connection between adversarial robustness and saliency map interpretability") divided by ||x||; and the rank
correlation of the gradient's magnitude with the image's edges, by Sobel's filter. Images of one data set look alike:
what a gradient shares with another test image says nothing of this one, so that is subtracted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from ...attacks import Logits, checked
from ...results.claims import Claim, bootstrapped, decide
from ...results.statistics import RESAMPLES, Floats, effect_of, resample
from .association import draws, over_trainings
from .spectrum import rank_correlation

MEASURES = {
    "image": "cosine of gradient and image",
    "edges": "rank correlation of the gradient's magnitude and the edges",
}

_BATCH = 125
_SOBEL = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 8

_STATEMENTS = {
    "gradients-align": (
        "Features learned by robust models align better with human perception (Ge et al., Section 5.3, in our words): "
        "their input gradients have more in common with the image, beyond what they share with other images."
    ),
    "gradients-align-control": "Control, to come out undecided: gradients of models trained alike align alike.",
}


@dataclass(frozen=True)
class Alignment:
    """Alignment of the gradients of trainings.

    Attributes
    ----------
    trainings : tuple of str
    own, other : dict of str to ndarray, shape-(1 + B, R)
        By measure: with the image itself, and with another test image; means over images and networks.
    images, units : int
        How many images; independent units, for p values.
    """

    trainings: tuple[str, ...]
    own: dict[str, Floats]
    other: dict[str, Floats]
    images: int
    units: int

    def beyond(self, measure: str, training: str) -> Floats:
        """Alignment with the image itself beyond that with another, shape-(1 + B,)."""
        row = self.trainings.index(training)
        found: Floats = self.own[measure][:, row] - self.other[measure][:, row]
        return found


def input_gradients(model: Logits, images: Tensor) -> Tensor:
    """Gradient of the logit of the class that the model predicts, by the pixels.

    Parameters
    ----------
    model : callable
    images : Tensor, shape-(N, C, H, W)

    Returns
    -------
    Tensor, shape-(N, C, H, W)
    """
    parts = []
    for batch in torch.split(images, _BATCH):
        pixels = batch.clone().requires_grad_(True)
        largest = checked(model(pixels), len(pixels)).amax(1)
        parts.append(torch.autograd.grad(largest.sum(), pixels)[0])
    return torch.cat(parts)


def edges(images: Tensor) -> Tensor:
    """Edge strength by Sobel's filter, of the mean over the channels; the pixels of the border are repeated.

    Parameters
    ----------
    images : Tensor, shape-(N, C, H, W)

    Returns
    -------
    Tensor, shape-(N, H, W)
    """
    filters = torch.stack([_SOBEL, _SOBEL.T])[:, None].to(images)
    slopes = F.conv2d(F.pad(images.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate"), filters)
    strength: Tensor = slopes.square().sum(1).sqrt()
    return strength


def alignments(gradients: Tensor, images: Tensor) -> dict[str, Floats]:
    """Both measures of `MEASURES`.

    Parameters
    ----------
    gradients, images : Tensor, shape-(N, C, H, W)

    Returns
    -------
    dict of str to ndarray, shape-(N,)
        0 where a gradient or its image is constant, or zero.
    """
    strength = gradients.square().sum(1)
    return {
        "image": np.abs(_cosine(_flat(gradients), _flat(images))),
        "edges": np.nan_to_num(rank_correlation(_flat(strength), _flat(edges(images)))),
    }


def measure(trained: Mapping[str, Sequence[Logits]], images: Tensor, *, seed: int = 0) -> Alignment:
    """Align the gradients of all networks with their images, and with others.

    Parameters
    ----------
    trained : mapping of str to sequence of callable
        Training to its networks, the same number of each, at least two.
    images : Tensor, shape-(N, C, H, W)
        In [0, 1], on the models' device.
    seed : int
        Of the other images, and of the bootstrap.
    """
    around = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed)).to(images.device)
    others = torch.empty_like(images)
    others[around] = images[around.roll(1)]
    found = []
    for networks in trained.values():
        gradients = [input_gradients(model, images) for model in networks]
        found.append([[list(alignments(one, seen).values()) for seen in (images, others)] for one in gradients])
    values = np.array(found)  # trainings, networks, own or other, measures, images
    weights = resample(len(images), RESAMPLES, seed) / len(images)
    sampled = (weights @ values.reshape(-1, len(images)).T).reshape(len(weights), *values.shape[:2], -1)
    own, other = np.split(over_trainings(sampled, seed), 2, axis=2)
    return Alignment(
        tuple(trained),
        {name: own[..., column] for column, name in enumerate(MEASURES)},
        {name: other[..., column] for column, name in enumerate(MEASURES)},
        len(images),
        draws(*[values.shape[1]] * values.shape[0]),
    )


def judge(aligned: Alignment, standard: str, again: str, robust: str) -> list[Claim]:
    """Claims on the robust training against the standard one, and on the standard one against itself.

    Parameters
    ----------
    aligned : Alignment
    standard, again, robust : str
        Trainings; the second is the first with other seeds.
    """
    found = []
    for claim, against in (("gradients-align", robust), ("gradients-align-control", again)):
        for measure, what in MEASURES.items():
            effect = effect_of(aligned.beyond(measure, against) - aligned.beyond(measure, standard), aligned.units)
            about = f"difference of the {what}, less that with another image, {aligned.images} images; interval over "
            about += "images and trainings"
            name = f"{against} against {standard}, {measure}"
            found.append(decide(claim, name, "realised", effect, about, statement=_STATEMENTS[claim]))
    return found


def table(aligned: Alignment) -> pd.DataFrame:
    """Alignment of each training.

    Returns
    -------
    DataFrame
        `training, measure, own, own_low, own_high, other, other_low, other_high, beyond, beyond_low, beyond_high`.
    """
    rows = []
    for row, training in enumerate(aligned.trainings):
        for measure in MEASURES:
            values = (aligned.own[measure][:, row], aligned.other[measure][:, row], aligned.beyond(measure, training))
            rows.append((training, measure, *(number for each in values for number in bootstrapped(each))))
    names = [f"{name}{end}" for name in ("own", "other", "beyond") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["training", "measure", *names])


def _flat(values: Tensor) -> Floats:
    return values.flatten(1).double().cpu().numpy()


def _cosine(first: Floats, second: Floats) -> Floats:
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    products: Floats = (first * second).sum(1)
    return np.where(lengths > 0, products / np.where(lengths > 0, lengths, 1), 0.0)
