"""The "special" CNN of Ge et al., Section 3: labels deconvolved to images, sent over the channel, and relabelled.

Transmitter and receiver are trained together through the channel (as O'Shea and Hoydis 2017 do with dense layers):
256 labels, 8 bits, become images of 4 x 4 samples, so that the rate is 1/2 like the convolutional code's. Larger
images, with pooling, are designed in `image_networks`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from ..._utils.errors import BenchError
from ..link import Channel, Counts, Rule, Stable

BITS, SIDE = 8, 4
LABELS, SAMPLES = 2**BITS, SIDE**2
TRAINED_AT_DB = (0.0, 10.0)
_FULL_SCALE = 4.0  # a limiter before the CNN: impulses of 10^6 would leave nothing to learn from


class Transmitter(nn.Module):
    """Labels to images of power one: two transposed convolutions, 1 x 1 to 2 x 2 to 4 x 4."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.first = nn.ConvTranspose2d(LABELS, width, 2)
        self.second = nn.ConvTranspose2d(width, 1, 2, stride=2)

    def forward(self, labels: Tensor) -> Tensor:
        """Labels of shape-(N,) to samples of shape-(N, 16)."""
        one_hot = F.one_hot(labels, LABELS).float()[..., None, None]
        image = self.second(torch.relu(self.first(one_hot))).flatten(1)
        samples: Tensor = image / image.square().mean(1, keepdim=True).sqrt()
        return samples


class Receiver(nn.Module):
    """Received images to logits over the labels: a limiter, two convolutions, one dense layer."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.head = nn.Linear(width * SAMPLES, LABELS)

    def forward(self, samples: Tensor) -> Tensor:
        """Samples of shape-(N, 16) to logits of shape-(N, 256)."""
        image = samples.clamp(-_FULL_SCALE, _FULL_SCALE).reshape(-1, 1, SIDE, SIDE)
        features = torch.relu(self.second(torch.relu(self.first(image))))
        logits: Tensor = self.head(features.flatten(1))
        return logits


class Design(NamedTuple):
    """What a special CNN sends, and the networks at both ends.

    Attributes
    ----------
    labels : int
    transmitter : callable
        Makes a network: labels of shape-(N,) to samples of mean power one, shape-(N, m).
    receiver : callable
        Makes a network: samples to logits of shape-(N, labels).
    trained_at_db : (float, float)
        SNRs are drawn evenly from this range.
    """

    labels: int
    transmitter: Callable[[], nn.Module]
    receiver: Callable[[], nn.Module]
    trained_at_db: tuple[float, float]


SIGNALS = Design(LABELS, Transmitter, Receiver, TRAINED_AT_DB)


class SpecialCnn:
    """A transmitter and a receiver, trained together in one noise.

    Parameters
    ----------
    noise : Stable
    ruler : {"dispersion", "geometric"}
    design : Design
    steps, batch : int
        Of the training.
    seed : int
    quiet : bool
        Show no progress.

    Raises
    ------
    BenchError
        The loss is NaN or infinite.
    """

    def __init__(
        self,
        noise: Stable,
        ruler: str,
        design: Design = SIGNALS,
        *,
        steps: int = 1500,
        batch: int = 512,
        seed: int = 0,
        quiet: bool = False,
    ) -> None:
        self.noise, self.ruler = noise, ruler
        with torch.random.fork_rng(devices=[]):  # initial weights come from torch's global generator
            torch.manual_seed(seed)
            self.transmitter, self.receiver = design.transmitter(), design.receiver()
        generator = np.random.default_rng(seed)
        weights = [*self.transmitter.parameters(), *self.receiver.parameters()]
        optimiser = torch.optim.Adam(weights, lr=3e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for _ in tqdm(range(steps), desc=f"training in {noise.spec}", unit="step", disable=quiet, mininterval=0.5):
            labels = torch.from_numpy(generator.integers(0, design.labels, batch))
            loss = F.cross_entropy(self._logits(labels, generator.uniform(*design.trained_at_db), generator), labels)
            if not loss.isfinite():
                raise BenchError(f"training in {noise.spec}: the loss is {loss.item()}; pass another seed", "seed")
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()

    def _logits(self, labels: Tensor, snr_db: float, generator: np.random.Generator) -> Tensor:
        received = Channel(self.noise, self.ruler, snr_db).send(self.transmitter(labels), 1, generator)
        logits: Tensor = self.receiver(received.samples)
        return logits

    @torch.inference_mode()
    def measure(self, snr_db: float, rule: Rule, seed: int, batch: int = 4096) -> Counts:
        """Count wrong labels of `SIGNALS`, and the wrong bits of their numbers, until the rule is met."""
        counts, generator = Counts(rule, independent=False), np.random.default_rng([seed, 1])
        while not counts.done:
            labels = generator.integers(0, LABELS, batch)
            guesses = self._logits(torch.from_numpy(labels), snr_db, generator).argmax(1).numpy()
            counts.add(_bits(labels) != _bits(guesses), np.zeros(batch, dtype=bool))
        return counts


def _bits(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    return np.unpackbits(labels.astype(np.uint8)[:, None], axis=1)
