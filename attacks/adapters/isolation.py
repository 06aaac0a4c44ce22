"""Where another library's code runs: a module around the model, seeded global generators, no chatter."""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

from ..query import Logits


class AsModule(nn.Module):
    """Any model as a module, as the libraries want one.

    Parameters
    ----------
    model : callable
        Images in [0, 1] to logits.
    device : torch.device
    """

    def __init__(self, model: Logits, device: torch.device) -> None:
        super().__init__()
        self.call = model
        # Libraries ask the first parameter for the device.
        self.place = nn.Parameter(torch.zeros(0, device=device), requires_grad=False)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Logits of shape-(N, K)."""
        return self.call(images.float())  # numpy makes doubles of what a library computes


class _SeededState(np.random.RandomState):
    """A generator that takes its seed from the global one, where a library gives it none: the system's would differ."""

    def __init__(self, seed: Any = None) -> None:
        super().__init__(np.random.randint(2**32, dtype=np.uint64) if seed is None else seed)  # noqa: NPY002


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Run code that draws from the global generators with a seed, and leave those as they were.

    Parameters
    ----------
    seed : int
        Below 2^32.
    device : torch.device
    """
    standard, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002 - the libraries draw from it
    own_seeds = patch.object(np.random, "RandomState", _SeededState)
    with own_seeds, torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(standard)
            np.random.set_state(numpys)  # noqa: NPY002


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what libraries say about images they could not disturb: the fact `unperturbed` reports those."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
