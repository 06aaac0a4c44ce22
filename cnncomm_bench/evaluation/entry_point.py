"""`evaluate`: a callable and arrays in, a scored run out."""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .._utils.devices import pick_device
from .._utils.errors import DataError, UsageError
from ..attacks import Attack, Logits
from ..data import ArrayLike, Images, chunks, images_sha256
from ..models import Model, Preprocessing
from ..report import Run
from ..results import AUTO, RunConfig
from .execution import execute
from .preparation import Request, choose_suite


def evaluate(
    model: Logits,
    images: ArrayLike | Tensor,
    labels: npt.NDArray[Any] | Tensor,
    *,
    attacks: Sequence[str | Attack],
    snr_db: Sequence[float] | str = AUTO,
    precision: float | None = None,
    ruler: str = "realised",
    seed: int = 0,
    batch_size: int | str = "auto",
    device: str = "auto",
    name: str = "model",
    out: str | Path | None = None,
) -> Run:
    """Score a model's accuracy-drop curve.

    Parameters
    ----------
    model : callable
        Float images in [0, 1], shape-(N, C, H, W), to logits of shape-(N, K). Gradient attacks need torch's
        autograd to pass through it. A torch module is evaluated in eval mode, and left in the mode it was in.
    images : ndarray or Tensor, shape-(N, C, H, W)
        uint8, or float in [0, 1]. Or anything with a shape, a dtype and a length whose `images[indices]` is an array,
        such as images mapped from a file: only a few are read at a time.
    labels : ndarray or Tensor, shape-(N,)
    attacks : sequence of str or Attack
        Names, spec strings or attacks.
    snr_db : sequence of float, or str
        The grid, rising, dB; or as text, `"0:50:5"`. "auto" lays one for each attack, by a pilot on 64 images.
    precision : float, optional
        dB: images are added block by block, each at a few SNRs around the threshold, until its 95 % interval is at
        most +-precision. Takes the place of a grid.
    ruler : {"realised", "dispersion", "geometric"}
    seed : int
        Of the noise, from 0 to 2^63 - 1.
    batch_size : int or "auto"
        Images in a forward pass.
    device : str
        "auto": the module's own, else a GPU where there is one.
    name : str
        The model's name in tables.
    out : str or Path, optional
        Folder of the run; a run that it holds is resumed. Without one nothing is kept on disk.

    Raises
    ------
    UsageError
        No attack, an unknown attack, ruler or device, an empty grid.
    DataError
        Images and labels that do not fit each other or the model.
    ModelError
        The model does not answer with finite logits; or every attack failed: the first reason.

    Warns
    -----
    RuntimeWarning
        Some attacks failed; `Run.info.failures` says why.

    Examples
    --------
    >>> from cnncomm_bench import bundled, evaluate
    >>> images, labels, _ = bundled.images()
    >>> run = evaluate(bundled.load("standard"), images[:100], labels[:100], attacks=["gaussian"], snr_db=[0, 30])
    >>> run.curves.snr_db.tolist()
    [inf, 0.0, 30.0]
    """
    pixels, target = _as_images(images), np.asarray(labels).astype(np.int64)
    if not attacks:
        raise UsageError("there is no attack: expected one or more, such as ['gaussian', 'pgd']", "attacks")
    with contextlib.ExitStack() as stack:
        config = RunConfig.of(
            models=(name,),
            attacks=tuple(attacks),
            snr=snr_db,
            precision=precision,
            rulers=(ruler,),
            seeds=(seed,),
            batch_size=batch_size,
            device=_device_of(model) if device == "auto" else device,
            out=stack.enter_context(tempfile.TemporaryDirectory()) if out is None else out,
        )
        suite = choose_suite(config)
        if isinstance(model, torch.nn.Module):
            stack.enter_context(_evaluating(model.to(pick_device(config.device))))
        entry = Model(name, model, 0, None, None, True, "", Preprocessing())
        data = Images("images", pixels, target, (), images_sha256(pixels, target))
        run = execute(Request.of(config, [entry], data, suite), quiet=True, outputs=out is not None)
    for failure in run.info.failures:
        warnings.warn(str(failure), RuntimeWarning, stacklevel=2)
    return run


@contextlib.contextmanager
def _evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Put a module in eval mode, and each of its parts back in its own mode afterwards."""
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def _device_of(model: Logits) -> str:
    if isinstance(model, torch.nn.Module) and (parameter := next(model.parameters(), None)) is not None:
        return str(parameter.device)
    return pick_device("auto")


def _as_images(images: ArrayLike | Tensor) -> ArrayLike:
    """Images as they can be run; an array mapped from a file, or anything that is no array, stays where it is."""
    held: Any = images.detach().cpu().numpy() if isinstance(images, Tensor) else images
    pixels: ArrayLike = held if hasattr(held, "shape") and hasattr(held, "dtype") else np.asarray(held)
    if len(pixels.shape) != 4 or not len(pixels):
        raise DataError(f"images of shape {tuple(pixels.shape)}: expected (N, C, H, W)", "images")
    if pixels.dtype == np.uint8:
        return pixels
    for chunk in chunks(pixels):
        if not (np.isfinite(chunk).all() and chunk.min(initial=0) >= 0 and chunk.max(initial=0) <= 1):
            raise DataError("float images must be finite and in [0, 1]: pass uint8 for pixels of 0 to 255", "images")
    return pixels if pixels.dtype == np.float32 else np.asarray(pixels, dtype=np.float32)
