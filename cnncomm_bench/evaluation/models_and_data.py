"""Opens the models that a configuration names, and the images as each of them takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .._utils.errors import DataError, UsageError
from .._utils.files import shown
from ..data import Images, check_labels, open_images, read_class_map
from ..models import Model, Preprocessing, is_name, open_model
from ..results import RunConfig

_NONE = "none"
_BY_CHANCE = 10
_OF_A_MODEL = ("arch", "mean", "std", "size")


def open_models(config: RunConfig, device: str) -> list[Model]:
    """Open the models of a run, each with its own options.

    Raises
    ------
    UsageError
        Options that are neither given once nor once a model; models of different numbers of classes.
    BenchError
        See `open_model`.
    """
    names = None if config.classes is None else read_class_map(Path(config.classes))[1]
    models = [
        open_model(spec, **options_of(config, place), class_names=names, trust=config.trust, device=device)
        for place, spec in enumerate(config.models)
    ]
    first = models[0]
    for other in models[1:]:
        if other.classes != first.classes:
            raise UsageError(
                f"{first.name} has {first.classes} classes and {other.name} has {other.classes}: models of different "
                "numbers of classes cannot be compared; run each by itself",
                "models",
            )
    return models


def options_of(config: RunConfig, place: int) -> dict[str, Any]:
    """The options of one model: given once they are those of all models, else the first is the first model's.

    An architecture that is given once is that of the models that are files; `none` stands for no option.
    """
    options, count = {}, len(config.models)
    for name in _OF_A_MODEL:
        value = getattr(config, name)
        each = isinstance(value, tuple) and not (value and isinstance(value[0], float))
        if each and len(value) != count:
            raise UsageError(
                f"{len(value)} values of {name} for {count} models: expected one for all, or one a model "
                f"({_NONE}: as the model says)",
                name,
            )
        own = value[place] if each else value
        options[name] = None if isinstance(own, str) and own.lower() == _NONE else own
    named = [is_name(spec) for spec in config.models]
    if not isinstance(config.arch, tuple) and named[place] and not all(named):
        options["arch"] = None
    return options


def open_data(config: RunConfig, models: Sequence[Model]) -> list[Images]:
    """Open the images as each model takes them; models that take the same share them.

    A model that takes any size gets that of the first one that takes one only.

    Raises
    ------
    DataError
        A model has other classes than the images.
    BenchError
        See `open_images`.
    """
    sized = next((model.preprocessing for model in models if model.size), None)
    channels = next((model.channels for model in models if model.channels), None)
    found: dict[tuple[Any, ...], Images] = {}
    same: dict[str, Images] = {}
    data = []
    for model in models:
        how = _as(model.preprocessing, sized) if model.size is None and sized is not None else model.preprocessing
        wanted = model.channels or channels
        key = (wanted, how.size, how.resize or how.size, how.interpolation if how.size else "")
        if key not in found:
            opened = open_images(
                config.data,
                channels=wanted,
                size=how.size,
                preprocessing=how,
                classes=config.classes,
                model_classes=model.classes,
                samples=config.samples,
            )
            check_labels(model, opened)
            _check_count(model, opened, config)
            found[key] = same.setdefault(opened.sha256, opened)
        data.append(found[key])
    return data


def _as(own: Preprocessing, sized: Preprocessing) -> Preprocessing:
    return replace(own, size=sized.size, resize=sized.resize, interpolation=sized.interpolation)


def _check_count(model: Model, data: Images, config: RunConfig) -> None:
    """Refuse images of other classes than the model's, unless a class map says which is which.

    Classes without names are as many as the largest label says, and may lack the last ones by chance.
    """
    count, names = len(data.class_names), [name for name in data.class_names if not name.isdigit()]
    if data.labels is None or config.classes is not None or count == model.classes:
        return
    if not names and count > model.classes / _BY_CHANCE:
        return
    raise DataError(
        f"{data.name} has {count} classes ({shown(data.class_names[0], 40)}, ...) and {model.name} has "
        f"{model.classes:,}: expected images of its classes; pass those, or a class map that says which of its classes "
        "each is",
        "data",
        "classes",
    )


def distinct_names(models: Sequence[Model]) -> list[Model]:
    """Models under names that differ: the same file stem in two folders gets its number."""
    names = [model.name for model in models]
    return [
        replace(model, name=f"{model.name}#{names[: place + 1].count(model.name)}")
        if names.count(model.name) > 1
        else model
        for place, model in enumerate(models)
    ]
