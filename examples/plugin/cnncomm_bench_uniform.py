"""Uniform noise for cnncomm-bench, which finds it by the entry point in pyproject.toml.

pip install ./examples/plugin
cnncomm-bench --attack uniform --attack uniform:channels=shared
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from cnncomm_bench.attacks import DirectionNoise
from cnncomm_bench.snr.streams import Digests, generators


@dataclass(frozen=True)
class UniformNoise(DirectionNoise):
    """Uniform noise. The fields are the parameters of the spec string.

    The harness scales the direction that `draw` gives to every SNR, exactly and after clipping.
    """

    family: ClassVar[str] = "uniform"

    channels: Literal["independent", "shared"] = "independent"

    def draw(self, keys: Digests, shape: tuple[int, ...], *, seed: int, call: int = 0) -> Tensor:
        """One direction an image, from the image's own stream, so that batches do not matter."""
        channels = shape[0] if self.channels == "independent" else 1
        streams = generators(keys, seed=seed, family=self.family, call=call)
        rows = [torch.from_numpy(stream.uniform(-1, 1, (channels, *shape[1:]))) for stream in streams]
        return torch.stack(rows).float()
