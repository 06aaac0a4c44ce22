"""What the adapters for torchattacks, ART and Foolbox share: our noise in their range, their attacks on our ruler.

An attack of another library comes here as a `LibraryAttack`: a function of images in [0, 1], labels and a size. How it
gets an SNR as budget depends on what it knows of sizes:

- `budget`: it takes the radius of an L2 ball, and is given each image's own;
- `minimum`: it looks for the smallest noise, and counts wherever the budget reaches that;
- `rescaled`: it has neither. Its noise is moved along its direction to the SNR, from a size of its own that has
  about the budget's L2 norm, where it takes one.
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ... import snr
from ..._utils.errors import UsageError
from ..base import Noise
from ..batch import NoiseBatch

Kind = Literal["budget", "minimum", "rescaled"]

NEARLY_EQUAL_DB = 0.5
"""Rescaled attacks start from one size for images whose radii differ by less than this."""


class PerImage:
    """One number an image that multiplies and divides batches of any number of dimensions, from the left.

    It is passed where a library expects one epsilon for all images. Nothing else works with it, so that code which
    would mix images up fails instead.

    Parameters
    ----------
    values : Tensor, shape-(N,)
        Of torch, or of eagerpy where the batches are.

    Examples
    --------
    >>> PerImage(torch.tensor([1.0, 2.0])) * torch.ones(2, 2)
    tensor([[1., 1.],
            [2., 2.]])
    """

    def __init__(self, values: Any) -> None:
        self.values = values

    def _along(self, other: Any) -> Any:
        return self.values.reshape((-1, *[1] * (other.ndim - 1)))

    def __mul__(self, other: Any) -> Any:
        # The other on the left: it may be a tensor of eagerpy, which knows how to take a tensor of torch.
        return PerImage(self.values * other) if isinstance(other, int | float) else other * self._along(other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return PerImage(self.values / other) if isinstance(other, int | float) else self._along(other) / other


Size = float | PerImage


@dataclass(frozen=True)
class LibraryAttack:
    """Another library's attack, as our ruler sees it.

    Attributes
    ----------
    run : callable
        Images in [0, 1], labels and a size, or None for the attack's own, to disturbed images.
    kind : {"budget", "minimum", "rescaled"}
    order : float, optional
        The p of the Lp norm its size is measured in; None where it takes no size.
    each : bool
        It takes a `PerImage`; otherwise images of one radius go together.
    most : int, optional
        Images it takes at once before it splits them itself, which no `PerImage` would survive.
    """

    run: Callable[[Tensor, Tensor | None, Size | None], Tensor]
    kind: Kind
    order: float | None = None
    each: bool = False
    most: int | None = None


def at_budget(
    attack: LibraryAttack,
    clean: Tensor,
    labels: Tensor | None,
    budget_db: Tensor,
    *,
    found: Tensor | None = None,
    fooled: Callable[[Tensor], Tensor] | None = None,
    bounds: snr.Bounds = (0.0, 1.0),
) -> Tensor:
    """Disturb images by another library's attack, with the SNR as budget.

    Parameters
    ----------
    attack : LibraryAttack
    clean : Tensor, shape-(N, C, H, W)
        In [0, 1].
    labels : Tensor, shape-(N,), optional
    budget_db : Tensor, shape-(N,)
        SNR of the largest noise allowed, dB.
    found : Tensor, shape-(N, C, H, W), optional
        What the attack gave for these images, where it needs no size and was run already.
    fooled : callable, optional
        Perturbed images to shape-(N,), bool. A rescaled attack's image that fools as it was found, within the
        budget, is left as it is.
    bounds : (float, float)

    Returns
    -------
    Tensor, shape-(N, C, H, W)
        The clean image where the attack found nothing, or nothing within the budget.
    """
    snr.check_pixels(clean, bounds)
    radius = snr.radius(clean, budget_db)
    if found is None:
        found = clean.clone()
        some = (radius > 0).nonzero().flatten()  # at an SNR of inf there is nothing to run
        if len(some):
            found[some] = _sized(attack, clean[some], None if labels is None else labels[some], radius[some])
    # An attack that ran into NaN found nothing: the image counts as unperturbed, and is reported.
    found = torch.where(found.flatten(1).isfinite().all(1)[:, None, None, None], found, clean).clamp(*bounds)
    noise = found.double() - clean.double()
    norm = noise.flatten(1).norm(dim=1)
    within = (norm <= radius * (1 + 1e-6))[:, None, None, None]
    if attack.kind == "minimum":
        return torch.where(within, found, clean)
    if attack.kind == "budget":
        shrunk = clean + noise * (radius / norm.clamp(min=1e-30)).clamp(max=1)[:, None, None, None]
        return torch.where(within, found, shrunk.to(clean.dtype))
    moved = snr.project(clean, noise.to(clean.dtype), budget_db[None], bounds)[0][0]
    if fooled is None:
        return moved
    kept = within.flatten() & fooled(found) & ~fooled(moved)
    return torch.where(kept[:, None, None, None], found, moved)


def _sized(attack: LibraryAttack, clean: Tensor, labels: Tensor | None, radius: Tensor) -> Tensor:
    """Run an attack with a size that fits each image's radius."""
    if attack.order is None:
        return attack.run(clean, labels, None)
    if attack.kind == "minimum":
        return attack.run(clean, labels, float(clean[0].numel()) ** (1 / attack.order))
    # Noise of one magnitude at every pixel, and of this Lp norm, has the L2 norm asked for.
    size = (radius * clean[0].numel() ** (1 / attack.order - 0.5)).to(clean.dtype)
    if attack.each:
        most = attack.most or len(clean)
        parts = (slice(start, start + most) for start in range(0, len(clean), most))
        picked = ((clean[rows], None if labels is None else labels[rows], PerImage(size[rows])) for rows in parts)
        return torch.cat([attack.run(*part) for part in picked])
    level = size if attack.kind == "budget" else (20 / NEARLY_EQUAL_DB * size.log10()).round()
    found = clean.clone()
    for one in level.unique():
        rows = (level == one).nonzero().flatten()
        found[rows] = attack.run(clean[rows], None if labels is None else labels[rows], float(size[rows].mean()))
    return found


def noisy(
    noise: Noise,
    images: Tensor,
    snr_db: float,
    *,
    ruler: str = "realised",
    seed: int = 0,
    call: int = 0,
    bounds: snr.Bounds = (0.0, 1.0),
    mask: Tensor | None = None,
) -> Tensor:
    """Noise at one SNR, with a warning where an image saturates before.

    Parameters
    ----------
    noise : Noise
    images : Tensor, shape-(N, C, H, W)
        In [0, 1] but for rounding; half precision is computed in single.
    snr_db, ruler, seed, call, bounds, mask
        See `NoiseBatch`.

    Returns
    -------
    Tensor, shape-(N, C, H, W)

    Raises
    ------
    ValueError
        An image is of zero power, holds NaN or pixels out of range; its index is named.
    """
    snr.check_pixels(images, bounds)
    precise = images if images.dtype in (torch.float32, torch.float64) else images.float()
    batch = NoiseBatch(precise, ruler=ruler, seed=seed, call=call, bounds=bounds, mask=mask)
    (perturbed,) = noise.over(batch, torch.tensor([snr_db], dtype=torch.float64))
    short = int((~perturbed.reached).sum())
    if short:
        warnings.warn(f"{short} of {len(images)} images saturate before {snr_db:g} dB", stacklevel=4)
    return perturbed.images.to(images.dtype)


def unperturbed(clean: Tensor, disturbed: Tensor, snr_db: float, name: str) -> Tensor:
    """Images that an attack left as they were, with a warning where there are any.

    Parameters
    ----------
    clean, disturbed : Tensor, shape-(N, ...)
    snr_db : float
        The budget.
    name : str
        Of the attack.

    Returns
    -------
    Tensor, shape-(N,), bool
    """
    same = (clean == disturbed).flatten(1).all(1)
    if same.any() and math.isfinite(snr_db):
        warnings.warn(
            f"{int(same.sum())} of {len(same)} images got no perturbation from {name} within {snr_db:g} dB",
            stacklevel=4,
        )
    return same


def check_parameters(snr_db: Any, ruler: str, seed: Any, fresh: Any, rulers: tuple[str, ...]) -> None:
    """Refuse what no noise of ours takes.

    Raises
    ------
    UsageError
        Also a ValueError, as the libraries raise.
    """
    if isinstance(snr_db, bool) or not isinstance(snr_db, int | float) or math.isnan(snr_db):
        raise UsageError(f"snr_db={snr_db!r}: expected a number, in dB")
    if ruler not in rulers:
        raise UsageError(f"ruler={ruler!r}: expected one of {', '.join(rulers)}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise UsageError(f"seed={seed!r}: expected a whole number, not negative")
    if not isinstance(fresh, bool):
        raise UsageError(f"fresh={fresh!r}: expected True or False")


def signature(cls: type) -> dict[str, Any]:
    """Parameters of an attack's class but its model, with their defaults.

    Returns
    -------
    dict
        `inspect.Parameter.empty` where there is no default.
    """
    parameters = inspect.signature(cls).parameters.values()
    models = ("self", "model", "estimator", "classifier")
    wanted = (p for p in parameters if p.name not in models and p.kind is not p.VAR_KEYWORD)
    return {p.name: p.default for p in wanted}


def place(module: Any, classes: tuple[type, ...]) -> None:
    """Put classes where a library's users look for its own; doing it again changes nothing.

    Parameters
    ----------
    module : module
        Of the library.
    classes : tuple of type

    Raises
    ------
    UsageError
        Something else has that name there already.
    """
    for cls in classes:
        if getattr(module, cls.__name__, cls) is not cls:
            raise UsageError(f"{module.__name__} has another {cls.__name__} already: it is left as it is")
    for cls in classes:
        setattr(module, cls.__name__, cls)
