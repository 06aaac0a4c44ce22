"""The device that models run on, and how many images it takes at a time."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from .errors import UsageError


def pick_device(device: str) -> str:
    """The device to run on; "auto" takes a GPU where there is one.

    Raises
    ------
    UsageError
        Torch knows no such device, or this machine has none.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.zeros(1, device=device).cpu()  # the device "meta" holds no values
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"device {device!r} cannot be used: {reason}; pass cpu, or auto", "device") from error
    return device


def auto_batch_size(shape: Sequence[int], device: str) -> int:
    """Number of images of shape (C, H, W) in a forward pass."""
    values = max(1, int(np.prod(shape)))
    # On a processor, activations that leave the cache and the allocator's pool cost more than small batches do.
    most, budget = (64, 2**19) if device == "cpu" else (2048, 2**24)
    return max(8, min(budget // values, most))


def noise_threads(device: str) -> int:
    """Number of threads that draw noise on the host while the model runs.

    A thread draws the noise of about 10,000 CIFAR images a second, for all SNRs at once: one suffices for a model that
    shares the processor with it, and a fast GPU takes several, as far as there are spare cores.
    """
    return 1 if device == "cpu" else max(1, min(4, (os.cpu_count() or 1) - 1))


def single_threaded() -> None:
    """Limit the calling thread to one thread of torch's own: two OpenMP teams fight for the cores, and both lose.

    The other threads keep what they have.
    """
    torch.get_num_threads()  # torch sets up a thread's OpenMP when it is first asked, over whatever was set before
    threadpool_limits(limits=1, user_api="openmp")
