"""Sends frames through the modules of a link (Ge et al., Fig. 1) one after the other, and counts errors at its end."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...snr import generators
from . import coding, frames, modulation, receiver
from .channel import Channel, Received
from .counting import Counts, Flags, Rule
from .link_settings import Curve

_FIRST_BATCH = 1 << 16  # bits; decoders are at their fastest there
_LARGEST_BATCH = {"none": 1 << 20}


@dataclass(frozen=True)
class Streams:
    """Random numbers of one point: the same data and the same draws for every system, alpha and ruler."""

    data: np.random.Generator
    noise: np.random.Generator

    @classmethod
    def of(cls, seed: int, frame: int, snr_db: float) -> Streams:
        """Streams that depend on the seed, the frame's length and the SNR."""
        digest = hashlib.blake2b(f"{frame} {snr_db:g}".encode(), digest_size=8).digest()
        key = np.array([int.from_bytes(digest, "little")], dtype=np.uint64)
        data, noise = (next(generators(key, seed=seed, family=name)) for name in ("link data", "link noise"))
        return cls(data, noise)


class Chain:
    """The modules that a frame goes through."""

    def __init__(self, curve: Curve) -> None:
        self.curve = curve
        self._modulation = modulation.find(curve.modulation)
        self._metric = receiver.find(curve.receiver)
        code = coding.find(curve.code)(curve.frame)
        self._code = code if curve.interleaver == "none" else coding.Interleaved(code, 2 * curve.frame)

    def send(self, count: int, first: int, snr_db: float, streams: Streams) -> tuple[Flags, Flags]:
        """Send frames.

        Parameters
        ----------
        count, first : int
            How many frames, and the first one's number.
        snr_db : float
        streams : Streams

        Returns
        -------
        wrong : ndarray, shape-(count, frame), bool
            Which bits came out wrong.
        accepted : ndarray, shape-(count,), bool
            Which frames passed their check.
        """
        sent = frames.build(count, self.curve.frame, first, streams.data)
        decoded = self.transmit(torch.from_numpy(sent), snr_db, [streams.noise]).numpy()
        return decoded != sent, frames.accepted(decoded)

    def signal(self, bits: Tensor) -> Tensor:
        """Frames of bits, shape-(F, k), to real samples of mean power one, shape-(F, m)."""
        coded = self._code.encode(bits)
        return self._modulation.modulate(coded ^ self._flips(coded.shape[1]))

    def transmit(self, bits: Tensor, snr_db: float, noise: Sequence[np.random.Generator]) -> Tensor:
        """Send frames over the channel, and decode what arrives.

        Parameters
        ----------
        bits : Tensor, shape-(F, k), uint8
            Zeros and ones.
        snr_db : float
        noise : sequence of numpy.random.Generator
            Streams of the noise: each serves F / len(noise) frames in turn.

        Returns
        -------
        Tensor, shape-(F, k), uint8
        """
        coded = self._code.encode(bits)
        flips = self._flips(coded.shape[1])
        channel = Channel(self.curve.noise, self.curve.ruler, snr_db)
        parts = torch.split(self._modulation.modulate(coded ^ flips), len(bits) // len(noise))
        arrived = [channel.send(part, self._modulation.arms, stream) for part, stream in zip(parts, noise, strict=True)]
        ratios = receiver.demodulate(Received.joined(arrived), self._modulation, self._metric)
        return self._code.decode(ratios[:, : coded.shape[1]] * (1 - 2 * flips.float()))

    def _flips(self, count: int) -> Tensor:
        """Scrambling, known at both ends: which bits of a frame are flipped on the way, shape-(n,), uint8.

        In 16-QAM the second bit of an arm chooses between amplitudes of power 1/5 and 9/5. A frame's number begins with
        zeros: unscrambled, its header would have a fifth of the power that the SNR supposes. Every other such
        bit is flipped.
        """
        if self._modulation.bits == 1:
            return torch.zeros(count, dtype=torch.uint8)
        return (torch.arange(count) % 4 == 3).byte()

    @property
    def rate(self) -> float:
        """Information bits a real sample."""
        return self.curve.frame / self.signal(torch.zeros(1, self.curve.frame, dtype=torch.uint8)).shape[1]

    def measure(self, snr_db: float, rule: Rule, seed: int) -> Counts:
        """Send frames until the rule is met."""
        counts, streams = Counts(rule, self.curve.independent), Streams.of(seed, self.curve.frame, snr_db)
        sent, size = 0, _FIRST_BATCH
        while not counts.done:
            count = max(1, -(-min(size, rule.bits - counts.bits) // self.curve.frame))
            counts.add(*self.send(count, sent, snr_db, streams))
            sent += count
            size = min(2 * size, _LARGEST_BATCH.get(self.curve.code, _FIRST_BATCH))
        return counts
