"""Preprocessing of a model: resize, crop and normalisation, and the file or library that states them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .._utils.errors import ModelError, UsageError
from .._utils.files import one_line, parse_json, shown

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")


@dataclass(frozen=True)
class Preprocessing:
    """Resize, crop and normalisation of a model.

    Attributes
    ----------
    mean, std : tuple of float
        Of each channel, for pixels in [0, 1]; one number for all channels.
    size : int or None
        Side of the square centre crop the network gets; None where it takes any size.
    resize : int or None
        Length of the shorter side before that crop; None: the same as `size`.
    interpolation : str
        One of `INTERPOLATIONS`.
    source : str
        Where the numbers come from: 'as passed', 'model.json', 'torchvision weights', 'timm', 'default', ...
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    size: int | None = None
    resize: int | None = None
    interpolation: str = "bilinear"
    source: str = "default"


def imagenet(source: str) -> Preprocessing:
    """Return the ImageNet statistics, without a size; `source` says why they apply."""
    return Preprocessing(IMAGENET_MEAN, IMAGENET_STD, source=source)


def numbers(argument: str, value: str | float | Sequence[float]) -> tuple[float, ...]:
    """Read a mean or standard deviation: one number, or one a channel.

    Parameters
    ----------
    argument : str
        ``"mean"`` or ``"std"``.
    value : str, float or sequence of float
        ``"0.485,0.456,0.406"``, or the numbers themselves.

    Raises
    ------
    UsageError
        They are no numbers, or none for pixels in [0, 1].
    """
    typed = shown(str(value)[:200])
    try:
        parts = (
            value.split(",") if isinstance(value, str) else [value] if isinstance(value, int | float) else list(value)
        )
        read = tuple(float(part) for part in parts)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(
            f"{argument} {typed}: expected numbers with commas between, as in 0.5,0.5,0.5", argument
        ) from None
    if not read or not all(math.isfinite(number) for number in read):
        raise UsageError(f"{argument} {typed}: expected finite numbers, as in 0.5,0.5,0.5", argument)
    if max(map(abs, read)) > 2:
        scaled = ",".join(f"{number / 255:.4g}" for number in read)
        raise UsageError(
            f"{argument} {typed}: these are for pixels from 0 to 255; for pixels in [0, 1] pass {scaled}", argument
        )
    if argument == "std" and min(read) <= 0:
        raise UsageError(f"std {typed}: every number must be above 0", "std")
    return read


def beside(path: Path) -> tuple[Preprocessing | None, dict[str, Any]]:
    """Read the `model.json` beside a checkpoint.

    ``STEM.json`` (for ``STEM.pt``) precedes ``model.json``. All its keys are optional: ``architecture``,
    ``mean``, ``std``, ``size``, ``resize``, ``interpolation``, ``channels``, ``class_names``.

    Parameters
    ----------
    path : Path
        The checkpoint.

    Returns
    -------
    preprocessing : Preprocessing or None
        None where there is no such file, or it has neither mean nor std nor size.
    content : dict
        Everything in it.

    Raises
    ------
    ModelError
        It cannot be read, or contradicts itself.
    """
    found = None
    for candidate in (path.with_name("model.json"), path.with_suffix(".json")):
        with contextlib.suppress(OSError):  # the ending may make the name too long
            found = candidate if candidate.is_file() else found
    if found is None or found == path:
        return None, {}
    name = shown(found.name)
    try:
        if found.stat().st_size > 2**22:
            raise ValueError("it is larger than 4 MiB")
        content = parse_json(found.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{name} beside the model is no JSON ({one_line(error)}): repair it or move it away"
        ) from error
    if not isinstance(content, dict):
        raise ModelError(f'{name} beside the model must hold an object such as {{"mean": [0.5], "std": [0.5]}}')
    if not {"mean", "std", "size"} & content.keys():
        if found.name != "model.json" and "architecture" not in content and "class_names" not in content:
            return None, {}  # some other file that happens to share the stem
        return None, content
    try:
        mean, std = numbers("mean", content.get("mean", 0.0)), numbers("std", content.get("std", 1.0))
        size, resize = (_side(content, key) for key in ("size", "resize"))
        interpolation = content.get("interpolation", "bilinear")
        if interpolation not in INTERPOLATIONS:
            raise ValueError(f"interpolation is one of {', '.join(INTERPOLATIONS)}")
    except (UsageError, ValueError) as error:
        raise ModelError(f"{name} beside the model: {one_line(error)}") from error
    return Preprocessing(mean, std, size, resize, interpolation, source=name), content


def _side(content: dict[str, Any], key: str) -> int | None:
    """Read a side in pixels; a stranger's file may not ask for the gigabytes that one of 4096 takes."""
    side = content.get(key)
    if side is not None and not (isinstance(side, int) and 1 <= side <= 1024):
        raise ValueError(f"{key} is {shown(str(side), 40)}, expected a whole number from 1 to 1024")
    return side


def overridden(
    known: Preprocessing,
    mean: str | float | Sequence[float] | None,
    std: str | float | Sequence[float] | None,
    size: int | None,
) -> Preprocessing:
    """Replace what is known by what the caller passes.

    Parameters
    ----------
    known : Preprocessing
        From the model.
    mean, std : str, float, sequence of float or None
        None: as known.
    size : int or None
        Side in pixels, to which the shorter side is then resized too; None: as known.

    Raises
    ------
    UsageError
        A number makes no sense.
    """
    changed = known
    if mean is not None:
        changed = replace(changed, mean=numbers("mean", mean), source="as passed")
    if std is not None:
        changed = replace(changed, std=numbers("std", std), source="as passed")
    if size is not None:
        if not 1 <= size <= 4096:
            raise UsageError(f"size {size}: expected the side of the images in pixels, from 1 to 4096", "size")
        # Keep the proportion of crop to image that the model was made for.
        resize = round(size * known.resize / known.size) if known.resize and known.size else None
        changed = replace(changed, size=size, resize=resize)
    return changed


def for_channels(known: Preprocessing, channels: int) -> Preprocessing:
    """Repeat a mean and std of one number for every channel.

    Parameters
    ----------
    known : Preprocessing
    channels : int
        Of the images.

    Returns
    -------
    Preprocessing
        With `channels` numbers in mean and std.

    Raises
    ------
    UsageError
        Another count of numbers.
    """
    repeated: dict[str, Any] = {}
    for argument, value in (("mean", known.mean), ("std", known.std)):
        if len(value) not in (1, channels):
            raise UsageError(
                f"{argument} has {len(value)} numbers ({known.source}) and the model takes {channels} "
                f"channel{'s' if channels != 1 else ''}: pass one number, or one a channel",
                argument,
            )
        repeated[argument] = value * channels if len(value) == 1 else value
    return replace(known, **repeated)
