"""Two ways to send images over a noisy channel: as coded bits, or as amplitudes.

Both use the link's channel at the same SNR: power of a real sample over noise power of a real sample. The noise of an
image depends on the seed and on the image's content alone, so all alphas and SNRs share its draw.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from ...attacks import StableNoise
from ...snr import digests, generators, power
from ..link import Chain, Channel, Curve, Stable
from .pixel_bits import BITS, from_bits, to_bits

_BATCH_BITS = 1 << 16  # decoders are at their fastest there


@dataclass(frozen=True)
class Arrived:
    """Images at the other end.

    Attributes
    ----------
    images : Tensor, shape-(N, C, H, W), float32
        In [0, 1].
    bits : int
        Bits sent for each image; 0 where amplitudes were sent.
    errors : ndarray, shape-(N,), int64
        Wrong bits of each image.
    """

    images: Tensor
    bits: int
    errors: np.ndarray


class System(Protocol):
    """A way to send images."""

    @property
    def columns(self) -> dict[str, Any]:
        """Its name in `transmission.csv`."""

    @property
    def independent(self) -> bool:
        """Whether bits fail independently of each other."""

    def samples_per_value(self, shape: tuple[int, ...]) -> float:
        """Real samples sent for a pixel value of an image of shape-(C, H, W)."""

    def send(self, images: Tensor, snr_db: float, seed: int) -> Arrived:
        """Send uint8 images of shape-(N, C, H, W)."""


@dataclass(frozen=True)
class Digital:
    """Pixel values as bits, through the modules of a link.

    Parameters
    ----------
    curve : Curve
        The last frame of an image is filled up with bits that count neither as bits nor as errors.
    labelling : {"natural", "gray"}
    """

    curve: Curve
    labelling: str

    @cached_property
    def chain(self) -> Chain:
        """The link's modules."""
        return Chain(self.curve)

    @property
    def columns(self) -> dict[str, Any]:
        """Its name in `transmission.csv`."""
        return {**self.curve.columns, "labelling": self.labelling}

    @property
    def independent(self) -> bool:
        """Whether bits fail independently of each other."""
        return self.curve.independent

    def frames(self, images: Tensor, seed: int) -> Tensor:
        """Bits of each image in frames, shape-(N * frames, frame), scrambled as on a real link.

        Bits of pictures are no coin tosses: black ones would leave 16-QAM at a fifth of its power.
        """
        bits = to_bits(images, self.labelling)
        filled = pad(bits, (0, -bits.shape[1] % self.curve.frame))
        return (filled ^ self._scrambling(images, filled.shape[1], seed)).reshape(-1, self.curve.frame)

    def _scrambling(self, images: Tensor, length: int, seed: int) -> Tensor:
        streams = _streams(images, seed, "scrambling")
        return torch.from_numpy(np.stack([stream.integers(0, 2, length, dtype=np.uint8) for stream in streams]))

    def samples_per_value(self, shape: tuple[int, ...]) -> float:
        """Real samples sent for a pixel value, the bits that fill up the last frame among them."""
        sent = self.chain.signal(self.frames(torch.zeros(1, *shape, dtype=torch.uint8), 0))
        return sent.numel() / int(np.prod(shape))

    def send(self, images: Tensor, snr_db: float, seed: int) -> Arrived:
        """Send uint8 images of shape-(N, C, H, W), a batch of frames at a time."""
        shape = tuple(images.shape[1:])
        size = int(np.prod(shape)) * BITS
        batches = [
            self._decoded(batch, snr_db, seed)[:, :size] for batch in torch.split(images, max(1, _BATCH_BITS // size))
        ]
        bits = torch.cat(batches)
        errors = (bits != to_bits(images, self.labelling)).sum(1).numpy()
        return Arrived(from_bits(bits, shape, self.labelling).float() / 255, size, errors)

    def _decoded(self, images: Tensor, snr_db: float, seed: int) -> Tensor:
        noise = _streams(images, seed, StableNoise.family)
        decoded = self.chain.transmit(self.frames(images, seed), snr_db, noise).reshape(len(images), -1)
        return decoded ^ self._scrambling(images, decoded.shape[1], seed)


@dataclass(frozen=True)
class Analog:
    """Pixel values as amplitudes, each image at power one; the receiver clips to valid pixels.

    At alpha = 2 this is white Gaussian noise on the image. The draws are those of the noise `stable`.

    Parameters
    ----------
    noise : Stable
    ruler : {"dispersion", "geometric", "realised"}
        `realised` fixes the noise power before clipping.
    """

    noise: Stable
    ruler: str

    @property
    def columns(self) -> dict[str, Any]:
        """Its name in `transmission.csv`."""
        none = dict.fromkeys(("code", "receiver", "interleaver", "labelling"), "none")
        return {"alpha": self.noise.alpha, "noise": self.noise.spec, "modulation": "analog", "ruler": self.ruler,
                "frame": 0, **none}  # fmt: skip

    @property
    def independent(self) -> bool:
        """No bits are sent."""
        return True

    def samples_per_value(self, shape: tuple[int, ...]) -> float:
        """One real sample for a pixel value."""
        return 1.0

    def received(self, images: Tensor, snr_db: float, seed: int) -> Tensor:
        """Received amplitudes in units of pixels, before clipping; images in [0, 1], shape-(N, C, H, W)."""
        values = images.flatten(1)
        scale = (power(images) / values.shape[1]).sqrt().float()[:, None]
        channel = Channel(self.noise, self.ruler, snr_db)
        signals = torch.split(values / scale, 1)
        streams = _streams(images, seed, StableNoise.family)
        arrived = [channel.send(one, 1, stream).samples for one, stream in zip(signals, streams)]
        return (torch.cat(arrived) * scale).reshape(images.shape)

    def send(self, images: Tensor, snr_db: float, seed: int) -> Arrived:
        """Send uint8 images of shape-(N, C, H, W)."""
        received = self.received(images.float() / 255, snr_db, seed)
        return Arrived(received.clamp(0, 1), 0, np.zeros(len(images), dtype=np.int64))


def _streams(images: Tensor, seed: int, family: str) -> list[np.random.Generator]:
    pixels = images.float() / 255 if images.dtype == torch.uint8 else images
    return list(generators(digests(pixels), seed=seed, family=family))
