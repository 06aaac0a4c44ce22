"""`evaluate`: a callable and arrays in, a scored run out."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .._utils.devices import auto_batch_size, pick_device
from .._utils.errors import DataError, UsageError
from ..attacks import parse
from ..data import ArrayLike, Dataset, Images, balanced_subset, images_sha256
from ..models import Model, model_of, open_model
from ..report import Run
from ..results import AUTO, RunConfig
from .arguments import arrays_of, as_tuple
from .execution import execute
from .models_and_data import options_of
from .preparation import Request, choose_suite


def evaluate(
    model: Any,
    images: ArrayLike | Tensor | torch.utils.data.Dataset[Any] | torch.utils.data.DataLoader[Any] | Images,
    labels: npt.NDArray[Any] | Tensor | Sequence[int] | None = None,
    *,
    attacks: Any,
    snr_db: Sequence[float] | str = AUTO,
    precision: float | None = None,
    eps_l2: float | Sequence[float] | None = None,
    ruler: str = "realised",
    samples: int | None = None,
    seed: int = 0,
    mean: str | float | Sequence[float] | None = None,
    std: str | float | Sequence[float] | None = None,
    arch: str | None = None,
    trust: bool = False,
    batch_size: int | str = "auto",
    device: str = "auto",
    name: str | None = None,
    out: str | Path | None = None,
    progress: bool = False,
) -> Run:
    """Score a model's accuracy-drop curve.

    Parameters
    ----------
    model : callable, estimator or str
        Float images in [0, 1], shape-(N, C, H, W), to logits of shape-(N, K), or to a tuple, dict or output object that
        holds them. Gradient attacks need torch's autograd to pass through it. A torch module is evaluated in eval
        mode, and left in the mode it was in. Or a function of numpy arrays, without gradients; an estimator of
        `art.estimators.classification`, a model of Foolbox, or a checkpoint or name as on the command line.
    images : ndarray, Tensor, ArrayLike, Dataset, DataLoader or Images
        uint8, or float in [0, 1]; shape-(N, C, H, W), or (N, H, W, C) of 1 or 3 channels. Or anything with a shape, a
        dtype and a length whose `images[indices]` is an array, such as images mapped from a file: only a few are read
        at a time. Or a data set or loader of torch, whose images are collected; or what `data.open_images` gives.
    labels : array_like, optional
        Shape-(N,), or one-hot. None: those of the data set; of arrays, agreement with the clean predictions is scored.
    attacks : str, Attack, or sequence of them
        Names, spec strings or attacks; attacks of torchattacks, ART and Foolbox get the model under test, and the SNR
        as their size.
    snr_db : sequence of float, or str
        The grid, rising, dB; or as text, `"0:50:5"`. "auto" lays one for each attack, by a pilot on 64 images.
    precision : float, optional
        dB: images are added block by block, each at a few SNRs around the threshold, until its 95 % interval is at
        most +-precision. Takes the place of a grid.
    eps_l2 : float or sequence of float, optional
        Run adversaries also at these L2 radii.
    ruler : {"realised", "dispersion", "geometric"}
    samples : int, optional
        Use that many images, balanced over the classes.
    seed : int
        Of the noise, from 0 to 2^63 - 1.
    mean, std : str, float or sequence of float, optional
        Normalisation of the model, for pixels in [0, 1]. By default a model gets these as they are.
    arch : str, optional
        Architecture of a checkpoint, see `open_model`.
    trust : bool
        Open a checkpoint that executes code when it is read.
    batch_size : int or "auto"
        Images in a forward pass.
    device : str
        "auto": the module's own, else a GPU where there is one.
    name : str, optional
        The model's name in tables; "model" by default, and that of a checkpoint.
    out : str or Path, optional
        Folder of the run; a run that it holds is resumed. Without one nothing is kept on disk.
    progress : bool
        Show a progress bar.

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
        Some attacks failed; `Run.info.failures` says why. Clean accuracy is near chance.

    Examples
    --------
    >>> from cnncomm_bench import bundled, evaluate
    >>> images, labels, _ = bundled.images()
    >>> run = evaluate(bundled.load("standard"), images[:100], labels[:100], attacks=["gaussian"], snr_db=[0, 30])
    >>> run.curves.snr_db.tolist()
    [inf, 0.0, 30.0]
    """
    chosen = tuple(one if isinstance(one, str) else parse(one) for one in as_tuple(attacks))
    if not chosen:
        raise UsageError("there is no attack: expected one or more, such as ['gaussian', 'pgd']", "attacks")
    pixels, target = arrays_of(images, labels)
    with contextlib.ExitStack() as stack:
        config = RunConfig.of(
            models=(_name_of(model, name),),
            arch=arch,
            mean=mean if mean is None or isinstance(mean, str | int | float) else tuple(mean),
            std=std if std is None or isinstance(std, str | int | float) else tuple(std),
            trust=trust,
            attacks=chosen,
            snr=snr_db,
            precision=precision,
            eps_l2=as_tuple(eps_l2),
            rulers=(ruler,),
            samples=samples,
            seeds=(seed,),
            batch_size=batch_size,
            device=_device_of(model) if device == "auto" else device,
            out=stack.enter_context(tempfile.TemporaryDirectory()) if out is None else out,
        )
        suite = choose_suite(config)
        if isinstance(model, torch.nn.Module):
            stack.enter_context(_evaluating(model))
        if config.samples is not None and config.samples < len(pixels):
            kept = balanced_subset(np.zeros(len(pixels), np.int64) if target is None else target, config.samples, 0)
            pixels, target = pixels[kept], None if target is None else target[kept]
        entry = _opened(model, pixels, config)
        data = Images("images", pixels, target, (), images_sha256(pixels, target))
        run = execute(Request.of(config, [entry], data, suite), quiet=not progress, outputs=out is not None)
    for failure in run.info.failures:
        warnings.warn(str(failure), RuntimeWarning, stacklevel=2)
    return run


def _opened(model: Any, pixels: ArrayLike, config: RunConfig) -> Model:
    """The model, whether it is an object or the name of a checkpoint."""
    (name,), device, shape = config.models, pick_device(config.device), tuple(pixels.shape[1:])
    options = options_of(config, 0)
    if not isinstance(model, str | os.PathLike):
        dataset = Dataset(pixels, None, np.arange(1))
        example = dataset.floats(dataset.keep).to(device)
        size = auto_batch_size(shape, device) if config.batch_size == "auto" else config.batch_size
        return model_of(model, example, name=name, batch_size=size, mean=options["mean"], std=options["std"])
    side = shape[1] if shape[1] == shape[2] else None
    options["size"] = side
    found = open_model(os.fspath(model), **options, channels=shape[0], trust=config.trust, device=device)
    if side is None and found.size is not None:
        raise DataError(
            f"{found.name} takes images of {found.size} x {found.size}, and these are {shape[1]} x {shape[2]}: "
            "pass images of its size",
            "images",
        )
    return found if config.models == (os.fspath(model),) else replace(found, name=name)


def _name_of(model: Any, name: str | None) -> str:
    """The model's name in tables."""
    if name is not None:
        return name
    return os.fspath(model) if isinstance(model, str | os.PathLike) else "model"


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


def _device_of(model: Any) -> str:
    if isinstance(model, torch.nn.Module) and (parameter := next(model.parameters(), None)) is not None:
        return str(parameter.device)
    return pick_device("auto")
