"""The metadata of a run, collected before it begins: models, images, versions."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import torch

from .._utils import memory
from .._utils.devices import auto_batch_size, pick_device
from .._utils.errors import DataError, UsageError
from ..attacks import checked
from ..data import Dataset, Images
from ..models import Model
from ..results import DataInfo, ModelInfo, RunConfig, RunInfo, Suite
from .gradient_probe import probe

_REPORTED = ("cnncomm-bench", "torch", "numpy", "scipy", "pandas", "pyarrow")
_PROBED = 50  # images, for the probe of a model's gradients


def collect_metadata(
    config: RunConfig, models: Sequence[Model], data: Images, dataset: Dataset, suite: Suite
) -> RunInfo:
    """Describe a run that is about to begin.

    Raises
    ------
    UsageError
        Models of different numbers of classes; a device that does not exist.
    DataError
        Labels beyond the models' classes.
    ModelError
        A model does not answer with finite logits.
    """
    device = pick_device(config.device)
    classes = _classes(models, data, dataset, device)
    return RunInfo(
        config=config,
        models=[
            ModelInfo(
                name=model.name,
                sha256=model.sha256,
                weights_sha256=_weights_sha256(model),
                preprocessing=json.loads(json.dumps(vars(model.preprocessing), default=str)),
                notes=list(model.notes),
                findings=[*model.remarks, *_findings(place, model, dataset, suite, device)],
            )
            for place, model in enumerate(models)
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
        seeds=list(config.seeds),
        bits=config.bits,
        batch_size=_batch_size(config, dataset, device),
        device=device,
        versions=versions(),
    )


def versions() -> dict[str, str]:
    """Versions of Python, of this package and of what the numbers depend on."""
    return {"python": platform.python_version(), **dict(_installed())}


def _batch_size(config: RunConfig, dataset: Dataset, device: str) -> int:
    if config.batch_size == "auto":
        shapes = [tuple(view.shape[1:]) for view in (dataset.images, *dataset.views)]
        return min(auto_batch_size(shape, device) for shape in shapes)
    return config.batch_size


def _weights_sha256(model: Model) -> str:
    """SHA-256 of a module that has no file: other weights under the same name are another run."""
    if model.sha256 or not isinstance(model.predict, torch.nn.Module):
        return ""
    digest = hashlib.sha256()
    for name, tensor in itertools.chain(model.predict.named_parameters(), model.predict.named_buffers()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _findings(place: int, model: Model, dataset: Dataset, suite: Suite, device: str) -> list[str]:
    """What the gradient probe finds on some 50 images, or on as many as fit into memory."""
    if dataset.labels is None or not model.differentiable or not any(entry.adversary for entry in suite.attacks):
        return []
    some = dataset.keep[:: max(1, len(dataset.keep) // _PROBED)][:_PROBED]
    while True:
        labels = torch.from_numpy(dataset.labels[some]).to(device)
        try:
            return probe(model.predict, dataset.floats(some, place).to(device), labels)
        except Exception as error:
            if len(some) == 1 or not memory.ran_out(error):
                raise
        memory.release()
        some = some[::2]


def _classes(models: Sequence[Model], data: Images, dataset: Dataset, device: str) -> int:
    """Number of classes, from the models' logits of one image."""
    found = {}
    for place, model in enumerate(models):
        one = dataset.floats(np.arange(1), place).to(device)
        with torch.inference_mode():
            found[model.name] = int(checked(model.predict(one), 1).shape[1])
    if len(set(found.values())) > 1:
        each = ", ".join(f"{name} has {classes}" for name, classes in found.items())
        raise UsageError(f"models of different numbers of classes cannot be compared: {each}", "models")
    classes = next(iter(found.values()))
    if data.labels is not None and not (data.labels.min() >= 0 and data.labels.max() < classes):
        lowest, highest = data.labels.min(), data.labels.max()
        raise DataError(
            f"labels run from {lowest} to {highest}, but {next(iter(found))} has {classes} classes",
            "data",
            "classes",
        )
    return classes


def _installed() -> Iterator[tuple[str, str]]:
    for name in _REPORTED:
        with contextlib.suppress(PackageNotFoundError):
            yield name, version(name)
