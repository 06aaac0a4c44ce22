"""Capsule network with dynamic routing (Sabour, Frosst and Hinton 2017), and a CNN of the same stem beside it.

Both end in a vector for each class, `vectors`, from which `logits` follow and a decoder draws the image again. In the
capsule network they are capsules: their direction says how something looks, their length whether it is there.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..._utils.errors import ModelError

ITERATIONS = 3
"""Of the routing, as in the paper's experiments."""

PRIMARY, DIMENSIONS = 8, 16
"""Dimensions of a primary capsule, and of a class's."""

WIDTH, TYPES = 32, 2
"""Channels of the stem, and types of primary capsules at each place."""

_HIDDEN = (128, 256)
_DRAWN = 32
_COARSEST = 16
_KERNEL = 5
_RECONSTRUCTION = 0.0005
_EPSILON = 1e-6


def squash(vectors: Tensor) -> Tensor:
    """Shrink vectors to a length below one, formula (1): |s|^2 / (1 + |s|^2) s / |s|.

    Parameters
    ----------
    vectors : Tensor, shape-(..., D)

    Returns
    -------
    Tensor, same shape

    Examples
    --------
    >>> squash(torch.tensor([3.0, 4.0]))
    tensor([0.5769, 0.7692])
    """
    length = vectors.norm(dim=-1, keepdim=True)
    squashed: Tensor = vectors * (length / (1 + length.square()))
    return squashed


def route(votes: Tensor, iterations: int = ITERATIONS) -> tuple[Tensor, Tensor]:
    """Routing by agreement, procedure 1: a capsule sends more to those above that its votes agree with.

    The gradient passes through all iterations, so that an adversary sees the whole network.

    Parameters
    ----------
    votes : Tensor, shape-(N, J, I, D)
        What each of I capsules predicts each of J above to be.
    iterations : int
        One couples all capsules alike.

    Returns
    -------
    capsules : Tensor, shape-(N, J, D)
        Of a length below one.
    couplings : Tensor, shape-(N, J, I)
        Those that gave the capsules: the share of each of I capsules that goes to each above; over J the sum is one.
    """
    logits = torch.zeros_like(votes[..., 0])
    for iteration in range(iterations):
        couplings = logits.softmax(1)
        capsules = squash((couplings[:, :, None] @ votes).squeeze(2))
        if iteration < iterations - 1:
            logits = logits + (votes @ capsules[..., None]).squeeze(3)
    return capsules, couplings


def margin_loss(lengths: Tensor, labels: Tensor) -> Tensor:
    """Formula (4): the label's capsule is to be longer than 0.9, all others shorter than 0.1.

    Parameters
    ----------
    lengths : Tensor, shape-(N, K)
    labels : Tensor, shape-(N,)

    Returns
    -------
    Tensor, shape-()
        Mean over images.
    """
    present = F.one_hot(labels, lengths.shape[1])
    short, long = (0.9 - lengths).clamp(min=0).square(), (lengths - 0.1).clamp(min=0).square()
    return (present * short + 0.5 * (1 - present) * long).sum(1).mean()


class Decoder(nn.Module):
    """Draws an image from the vector of one class, all others masked (section 4.1).

    Parameters
    ----------
    classes : int
    shape : tuple of int
        Channels, height and width of the images. Larger ones than 32 x 32 are drawn at that resolution.
    """

    def __init__(self, classes: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        channels, *sides = shape
        self.shape = (channels, *(min(side, _DRAWN) for side in sides))
        sizes = (classes * DIMENSIONS, *_HIDDEN)
        layers = [layer for size in pairwise(sizes) for layer in (nn.Linear(*size), nn.ReLU())]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], math.prod(self.shape)), nn.Sigmoid())

    def forward(self, vectors: Tensor, classes: Tensor) -> Tensor:
        """Vectors of shape-(N, K, D) and a class for each, shape-(N,), to images of shape-(N, C, h, w)."""
        mask = F.one_hot(classes, vectors.shape[1]).to(vectors.dtype)
        drawn: Tensor = self.layers((vectors * mask[..., None]).flatten(1))
        return drawn.reshape(len(vectors), *self.shape)


class ClassVectors(nn.Module):
    """Network that ends in a vector for each class, with a decoder or without.

    Parameters
    ----------
    classes : int
    shape : tuple of int
        Channels, height and width of the images, of any size: the stem halves them until at most 16 pixels remain.
    decoder : bool
    """

    def __init__(self, classes: int, shape: tuple[int, int, int], decoder: bool = True) -> None:
        super().__init__()
        channels, *sides = shape
        halvings = max(1, math.ceil(math.log2(max(sides) / _COARSEST)))
        layers: list[nn.Module] = []
        for inputs in (channels, *[WIDTH] * (halvings - 1)):
            layers += [_halving(inputs, WIDTH), nn.BatchNorm2d(WIDTH), nn.ReLU()]
        self.stem = nn.Sequential(*layers, _halving(WIDTH, TYPES * PRIMARY))
        self.places = math.prod(-(-side // 2 ** (halvings + 1)) for side in sides)
        self.decoder = Decoder(classes, shape) if decoder else None

    def forward(self, images: Tensor) -> Tensor:
        """Images in [0, 1] of shape-(N, C, H, W) to logits of shape-(N, K)."""
        return self.logits(self.vectors(images))

    @abstractmethod
    def vectors(self, images: Tensor) -> Tensor:
        """The vectors of the classes, shape-(N, K, D)."""

    @abstractmethod
    def logits(self, vectors: Tensor) -> Tensor:
        """Logits of shape-(N, K)."""

    @abstractmethod
    def fit(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Loss of the classification, shape-()."""

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """What is minimised in training: the classification's loss, and the sum of squares of the reconstruction."""
        vectors = self.vectors(images)
        loss = self.fit(vectors, labels)
        if self.decoder is None:
            return loss
        pixels = math.prod(self.decoder.shape)
        return loss + _RECONSTRUCTION * pixels * self.reconstruction_error(images, vectors, labels).mean()

    def drawn(self, vectors: Tensor, classes: Tensor) -> Tensor:
        """What the decoder draws of a class of each image, shape-(N, C, h, w).

        Raises
        ------
        ModelError
            The network has no decoder.
        """
        if self.decoder is None:
            raise ModelError("the network draws no images: expected a decoder; pass decoder=True")
        drawn: Tensor = self.decoder(vectors, classes)
        return drawn

    def reconstruction_error(self, images: Tensor, vectors: Tensor, classes: Tensor) -> Tensor:
        """Mean squared difference of images and what is drawn of a class, shape-(N,).

        Parameters
        ----------
        images : Tensor, shape-(N, C, H, W)
        vectors : Tensor, shape-(N, K, D)
            Those of the images.
        classes : Tensor, shape-(N,)
            Which of them is drawn.

        Raises
        ------
        ModelError
            The network has no decoder.
        """
        drawn = self.drawn(vectors, classes)
        seen = F.adaptive_avg_pool2d(images, (drawn.shape[2], drawn.shape[3]))
        return (seen - drawn).square().flatten(1).mean(1)


class CapsNet(ClassVectors):
    """Primary capsules, squashed, vote for the capsules of the classes.

    Parameters
    ----------
    classes, shape, decoder
        See `ClassVectors`.
    iterations : int
        Of the routing.
    """

    def __init__(
        self, classes: int, shape: tuple[int, int, int], decoder: bool = True, iterations: int = ITERATIONS
    ) -> None:
        super().__init__(classes, shape, decoder)
        self.iterations = iterations
        self.weights = nn.Parameter(0.1 * torch.randn(TYPES * self.places, PRIMARY, classes * DIMENSIONS))

    def vectors(self, images: Tensor) -> Tensor:
        """See `ClassVectors`."""
        features = self.stem((images - 0.5) / 0.5)
        placed = features.reshape(len(images), TYPES, PRIMARY, self.places).transpose(2, 3)
        primary = squash(placed.reshape(len(images), -1, PRIMARY))
        votes = torch.bmm(primary.transpose(0, 1), self.weights)
        above = votes.reshape(*votes.shape[:2], -1, DIMENSIONS).permute(1, 2, 0, 3)
        return route(above.contiguous(), self.iterations)[0]  # in memory as it is read, which halves the time

    def logits(self, vectors: Tensor) -> Tensor:
        """Log-odds of the lengths, which are probabilities.

        They are log(|s|^2) of the vectors before `squash`: unlike the lengths they do not saturate, and no gradient
        vanishes.
        """
        odds: Tensor = vectors.norm(dim=2).logit(_EPSILON)
        return odds

    def fit(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """See `margin_loss`."""
        return margin_loss(vectors.norm(dim=2), labels)


class ConvNet(ClassVectors):
    """The same stem, then two fully connected layers; the first is as wide as all capsules of the classes."""

    def __init__(self, classes: int, shape: tuple[int, int, int], decoder: bool = True) -> None:
        super().__init__(classes, shape, decoder)
        self.hidden = nn.Linear(TYPES * PRIMARY * self.places, classes * DIMENSIONS)
        self.head = nn.Linear(classes * DIMENSIONS, classes)

    def vectors(self, images: Tensor) -> Tensor:
        """See `ClassVectors`."""
        features = self.stem((images - 0.5) / 0.5).relu().flatten(1)
        hidden: Tensor = self.hidden(features).relu()
        return hidden.reshape(len(images), -1, DIMENSIONS)

    def logits(self, vectors: Tensor) -> Tensor:
        """Of the last layer."""
        logits: Tensor = self.head(vectors.flatten(1))
        return logits

    def fit(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """The cross-entropy."""
        return F.cross_entropy(self.logits(vectors), labels)


def _halving(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, _KERNEL, stride=2, padding=_KERNEL // 2)
