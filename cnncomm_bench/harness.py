"""A run from end to end: models and images in, a run's folder out."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from . import suites
from .attacks import parse
from .attacks.answers import Logits, checked
from .attacks.base import Attack
from .data import Images
from .derived import derive
from .diagnostics import probe
from .errors import DataError, UsageError
from .models import Model
from .preprocessing import Preprocessing
from .progress import Progress
from .run import Run
from .schema import DataInfo, ModelInfo, RunInfo
from .store import Store
from .suites import Suite
from .sweep import Pixels, Sweep, auto_batch_size, median_norm, plan

_REPORTED = ("cnncomm-bench", "torch", "numpy", "scipy", "pandas", "pyarrow")


def evaluate(
    model: Logits,
    images: npt.NDArray[Any] | Tensor,
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
        uint8, or float in [0, 1].
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
        The model does not answer with finite logits.

    Examples
    --------
    >>> from cnncomm_bench import bundled, evaluate
    >>> images, labels, _ = bundled.images()
    >>> run = evaluate(bundled.load("standard"), images[:100], labels[:100], attacks=["gaussian"], snr_db=[0, 30])
    >>> run.curves.snr_db.tolist()
    [inf, 0.0, 30.0]
    """
    pixels, target = _as_pixels(images), np.asarray(labels).astype(np.int64)
    suite = suites.build(
        "evaluate",
        attacks=[parse(attack) for attack in attacks],
        snr_db=snr_db if isinstance(snr_db, str) else list(snr_db),
        rulers=[ruler],
    )
    chosen = _device_of(model) if device == "auto" else pick_device(device)
    digest = hashlib.sha256(pixels.tobytes() + target.tobytes()).hexdigest()
    data = Images("images", pixels, target, (), digest, ())
    with contextlib.ExitStack() as stack:
        if isinstance(model, torch.nn.Module):
            stack.enter_context(_evaluating(model.to(chosen)))
        folder = Path(out) if out is not None else Path(stack.enter_context(tempfile.TemporaryDirectory()))
        entry = Model(name, model, 0, None, None, True, "", Preprocessing())
        return execute(
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


def execute(
    models: Sequence[Model],
    data: Images,
    suite: Suite,
    folder: Path,
    *,
    seeds: Sequence[int] = (0,),
    bits: int | None = None,
    batch_size: int | str = "auto",
    device: str = "cpu",
    command: str = "",
    quiet: bool = False,
    derived: bool = True,
) -> Run:
    """Run a suite on models and images and leave a run's folder behind.

    Parameters
    ----------
    models : sequence of Model
    data : Images
    suite : Suite
    folder : Path
        New, or one that holds the same run: that is gone on with.
    seeds : sequence of int
    bits : int, optional
        Round disturbed images as a file of that many bits would.
    batch_size : int or "auto"
    device : str
    command : str
        What was typed, for the record.
    quiet : bool
        Show no progress.
    derived : bool
        Write tables, pictures and report, not only the predictions.

    Returns
    -------
    Run

    Raises
    ------
    BenchError
        See `evaluate`; and `RunFolderError` for a folder that holds something else.
    """
    pixels = Pixels.of(data.images, data.labels)
    classes = _probe(models, data, device)
    size = auto_batch_size(data.images.shape[1:], device) if batch_size == "auto" else int(batch_size)
    if size < 1:
        raise UsageError(f"batch size {size}: expected at least 1, or auto")
    cells = plan(len(models), suite, pixels, seeds)
    info = RunInfo(
        models=[_model_info(model, _findings(model, pixels, suite, device)) for model in models],
        data=DataInfo(
            name=data.name,
            sha256=data.sha256,
            images=len(data.images),
            shape=list(data.images.shape[1:]),
            classes=classes,
            class_names=list(data.class_names),
            labelled=data.labels is not None,
            median_norm=median_norm(pixels),
            left_out=_left_out(pixels),
            notes=list(data.notes),
        ),
        suite=suite,
        seeds=list(seeds),
        bits=bits,
        batch_size=size,
        device=device,
        command=command,
        versions=_versions(),
    )
    names = [model.name for model in models]
    sweep = Sweep([model.predict for model in models], names, pixels, batch_size=size, device=device, bits=bits)
    with Store(folder, info, len(cells)).writing() as store:
        with Progress(names, [cells[index] for index in store.missing()], quiet=quiet) as progress:
            sweep.run(cells, store, progress.advance)
        store.merge()
        run = Run.open(folder)
        if derived:
            derive(run, folder, data=data, models=models)
    return run


def default_folder(models: Sequence[Model], data: Images, suite: Suite, **rest: object) -> Path:
    """A folder under `runs/` that the same arguments name again, so that a broken run is gone on with.

    Parameters
    ----------
    models : sequence of Model
    data : Images
    suite : Suite
    **rest
        What else decides the predictions.

    Returns
    -------
    Path
    """
    names = "+".join(model.name for model in models)
    readable = "".join(c if c.isalnum() or c in "+-_." else "-" for c in f"{names}-{data.name}".replace("bundled:", ""))
    about = [[m.sha256, m.name, str(m.preprocessing)] for m in models], data.sha256, suite.model_dump(mode="json"), rest
    return Path("runs") / f"{readable[:80]}-{hashlib.sha256(json.dumps(about).encode()).hexdigest()[:8]}"


def pick_device(device: str) -> str:
    """The device to run on; "auto" takes a GPU where there is one.

    Parameters
    ----------
    device : str

    Returns
    -------
    str

    Raises
    ------
    UsageError
        Torch knows no such device, or this machine has none.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"device {device!r} cannot be used: {reason}; try --device cpu") from error
    return device


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


def _findings(model: Model, pixels: Pixels, suite: Suite, device: str) -> list[str]:
    """What speaks against trusting gradient attacks on a model, seen on some 50 images."""
    if pixels.labels is None or not any(entry.adversary for entry in suite.attacks):
        return []
    some = pixels.keep[:: max(1, len(pixels.keep) // 50)][:50]
    labels = torch.from_numpy(pixels.labels[some]).to(device)
    return probe(model.predict, pixels.floats(some).to(device), labels)


def _probe(models: Sequence[Model], data: Images, device: str) -> int:
    """Number of classes, told by the models' answers to one image."""
    one = Pixels(data.images, None, np.arange(1)).floats(np.arange(1)).to(device)
    found = {}
    for model in models:
        with torch.inference_mode():
            found[model.name] = int(checked(model.predict(one), 1).shape[1])
    if len(set(found.values())) > 1:
        raise UsageError("models of different numbers of classes cannot be compared: " + ", ".join(
            f"{name} has {classes}" for name, classes in found.items()))  # fmt: skip
    classes = next(iter(found.values()))
    if data.labels is not None and not (data.labels.min() >= 0 and data.labels.max() < classes):
        raise DataError(
            f"labels run from {data.labels.min()} to {data.labels.max()}, but {next(iter(found))} has {classes} classes"
        )
    return classes


def _as_pixels(images: npt.NDArray[Any] | Tensor) -> npt.NDArray[Any]:
    array = images.detach().cpu().numpy() if isinstance(images, Tensor) else np.asarray(images)
    if array.ndim != 4 or not len(array):
        raise DataError(f"images of shape {array.shape}, expected (N, C, H, W)")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if not (np.isfinite(array).all() and array.min(initial=0) >= 0 and array.max(initial=0) <= 1):
        raise DataError("float images must be finite and lie in [0, 1]; pass uint8 for pixels of 0 to 255")
    return np.ascontiguousarray(array, dtype=np.float32)


def _model_info(model: Model, findings: list[str]) -> ModelInfo:
    return ModelInfo(
        name=model.name,
        sha256=model.sha256,
        preprocessing=json.loads(json.dumps(vars(model.preprocessing), default=str)),
        notes=list(model.notes),
        findings=findings,
    )


def _left_out(pixels: Pixels) -> dict[str, list[int]]:
    dark = np.setdiff1d(np.arange(len(pixels.images)), pixels.keep)
    return {"zero power": dark.tolist()} if len(dark) else {}


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **dict(_installed())}


def _installed() -> Iterator[tuple[str, str]]:
    for name in _REPORTED:
        with contextlib.suppress(PackageNotFoundError):
            yield name, version(name)
