"""`evaluate`: a callable and arrays in, a scored run out."""

from __future__ import annotations

import contextlib
import hashlib
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
from .._utils.errors import DataError
from ..attacks import Attack, Logits, parse
from ..data import ArrayLike, Images, chunks
from ..models import Model, Preprocessing
from ..results import Run, suites
from .execution import execute


def evaluate(
    model: Logits,
    images: ArrayLike | Tensor,
    labels: npt.NDArray[Any] | Tensor,
    *,
    attacks: Sequence[str | Attack],
    snr_db: Sequence[float] | str = suites.DEFAULT_GRID,
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
        uint8, or float in [0, 1]. Or anything that has a shape, a dtype and a length and answers `images[indices]`
        with an array, such as images mapped from a file: only a few are asked for at a time.
    labels : ndarray or Tensor, shape-(N,)
    attacks : sequence of str or Attack
        Names, spec strings or attacks.
    snr_db : sequence of float, or str
        The grid, rising, dB; or as on the command line, `"0:50:5"`.
    ruler : {"realised", "dispersion", "geometric"}
    seed : int
    batch_size : int or "auto"
    device : str
        "auto" takes the module's own, else a GPU where there is one.
    name : str
        The model's name in tables.
    out : str or Path, optional
        Folder to store the run in; without one nothing is kept on disk.

    Returns
    -------
    Run

    Raises
    ------
    UsageError
        An unknown attack, ruler or device, an empty grid.
    DataError
        Images and labels that do not fit each other or the model.
    ModelError
        The model does not answer with finite logits; or not one attack could be run: the first reason.

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
    frames, target = _as_frames(images), np.asarray(labels).astype(np.int64)
    suite = suites.build(
        "evaluate",
        attacks=[parse(attack) for attack in attacks],
        snr_db=snr_db if isinstance(snr_db, str) else list(snr_db),
        rulers=[ruler],
    )
    chosen = _device_of(model) if device == "auto" else pick_device(device)
    data = Images("images", frames, target, (), _digest(frames, target), ())
    with contextlib.ExitStack() as stack:
        if isinstance(model, torch.nn.Module):
            stack.enter_context(_evaluating(model.to(chosen)))
        folder = Path(out) if out is not None else Path(stack.enter_context(tempfile.TemporaryDirectory()))
        entry = Model(name, model, 0, None, None, True, "", Preprocessing())
        run = execute(
            [entry],
            data,
            suite,
            folder,
            seeds=[seed],
            batch_size=batch_size,
            device=chosen,
            quiet=True,
            derived=bool(out),
        )
    for failure in run.info.failures:
        warnings.warn(str(failure), RuntimeWarning, stacklevel=2)
    return run


@contextlib.contextmanager
def _evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Eval mode, and afterwards every part in the mode it was in."""
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


def _as_frames(images: ArrayLike | Tensor) -> ArrayLike:
    """Images as they can be run; an array mapped from a file, or anything that is no array, stays where it is."""
    held: Any = images.detach().cpu().numpy() if isinstance(images, Tensor) else images
    frames: ArrayLike = held if hasattr(held, "shape") and hasattr(held, "dtype") else np.asarray(held)
    if len(frames.shape) != 4 or not len(frames):
        raise DataError(f"images of shape {tuple(frames.shape)}, expected (N, C, H, W)")
    if frames.dtype == np.uint8:
        return frames
    for chunk in chunks(frames):
        if not (np.isfinite(chunk).all() and chunk.min(initial=0) >= 0 and chunk.max(initial=0) <= 1):
            raise DataError("float images must be finite and lie in [0, 1]; pass uint8 for dataset of 0 to 255")
    return frames if frames.dtype == np.float32 else np.asarray(frames, dtype=np.float32)


def _digest(frames: ArrayLike, labels: npt.NDArray[np.int64]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks(frames):
        digest.update(np.ascontiguousarray(chunk).data)
    digest.update(np.ascontiguousarray(labels).data)
    return digest.hexdigest()
