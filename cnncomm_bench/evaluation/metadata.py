"""What a run's folder will say about the run, found out before it begins: models, images, versions."""

from __future__ import annotations

import contextlib
import json
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import torch

from .._utils import memory
from .._utils.errors import DataError, UsageError
from ..attacks import checked
from ..data import Dataset, Images
from ..models import Model
from ..results import DataInfo, ModelInfo, RunInfo, Suite
from .gradient_probe import probe

_REPORTED = ("cnncomm-bench", "torch", "numpy", "scipy", "pandas", "pyarrow")
_PROBED = 50  # images, to find out what speaks against a model's gradients


def collect_metadata(
    models: Sequence[Model],
    data: Images,
    dataset: Dataset,
    suite: Suite,
    *,
    seeds: Sequence[int],
    bits: int | None,
    batch_size: int,
    device: str,
    command: str,
) -> RunInfo:
    """Describe a run that is about to begin; the parameters are those of `harness.execute`.

    Returns
    -------
    RunInfo

    Raises
    ------
    UsageError
        Models of different numbers of classes.
    DataError
        Labels beyond the models' classes.
    ModelError
        A model does not answer with finite logits.
    """
    classes = _classes(models, data, device)
    return RunInfo(
        models=[
            ModelInfo(
                name=model.name,
                sha256=model.sha256,
                preprocessing=json.loads(json.dumps(vars(model.preprocessing), default=str)),
                notes=list(model.notes),
                findings=_findings(model, dataset, suite, device),
            )
            for model in models
        ],
        data=DataInfo(
            name=data.name,
            sha256=data.sha256,
            images=len(data.images),
            shape=list(data.images.shape[1:]),
            classes=classes,
            class_names=list(data.class_names),
            labelled=data.labels is not None,
            median_norm=dataset.median_norm(),
            left_out=dataset.left_out(),
            notes=list(data.notes),
        ),
        suite=suite,
        seeds=list(seeds),
        bits=bits,
        batch_size=batch_size,
        device=device,
        command=command,
        versions=versions(),
    )


def versions() -> dict[str, str]:
    """Versions of Python, of this package and of what it stands on."""
    return {"python": platform.python_version(), **dict(_installed())}


def _findings(model: Model, dataset: Dataset, suite: Suite, device: str) -> list[str]:
    """What speaks against trusting gradient attacks on a model, seen on some 50 images, or as many as fit."""
    if dataset.labels is None or not any(entry.adversary for entry in suite.attacks):
        return []
    some = dataset.keep[:: max(1, len(dataset.keep) // _PROBED)][:_PROBED]
    while True:
        labels = torch.from_numpy(dataset.labels[some]).to(device)
        try:
            return probe(model.predict, dataset.floats(some).to(device), labels)
        except Exception as error:
            if len(some) == 1 or not memory.ran_out(error):
                raise
        memory.release()
        some = some[::2]


def _classes(models: Sequence[Model], data: Images, device: str) -> int:
    """Number of classes, told by the models' answers to one image."""
    one = Dataset(data.images, None, np.arange(1)).floats(np.arange(1)).to(device)
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


def _installed() -> Iterator[tuple[str, str]]:
    for name in _REPORTED:
        with contextlib.suppress(PackageNotFoundError):
            yield name, version(name)
