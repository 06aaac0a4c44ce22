"""Other libraries' attacks in the harness: `torchattacks.PGDL2:steps=20` and its like.

An attack is built anew for every batch, on a classifier of its library around the model under test. Which of the
three classes here it becomes says how it gets the SNR as its budget, see `adapting`.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import random
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ..._utils.errors import BenchError, UsageError, suggest
from ...snr import digests
from ..base import Adversary, Attack, Batch, Perturbed
from ..minimum_norm import MinimumNorm
from ..query import Logits, predict
from .budget import Kind, LibraryAttack, at_budget

Parameters = tuple[tuple[str, Any], ...]

_INSTALL = {"foolbox": "pip install 'cnncomm-bench[foolbox]'"}
_SIZES = ("eps", "epsilon", "max_epsilon")
"""What attacks call their size: with a budget it is the SNR's to set."""


@dataclass(frozen=True)
class FromLibrary(Adversary):
    """An attack of another library that takes the radius of an L2 ball: each image its own.

    Parameters
    ----------
    library : {"torchattacks", "art", "foolbox"}
    name : str
        Of its class there.
    parameters : tuple of (str, Any)
        What is not as `defaults` has it.
    """

    family: ClassVar[str] = "foreign"

    library: str
    name: str
    parameters: Parameters = ()

    @property
    def spec(self) -> str:
        """Spec string: the parameters that are not at their default, in alphabetical order."""
        return _spec(self.library, self.name, self.parameters)

    def perturb(self, batch: Batch, budget_db: Tensor, start: Any) -> Tensor:
        """Disturb images within the budget, see `Adversary.perturb`."""
        return at_budget(self._run(batch), batch.images, batch.labels, budget_db, bounds=batch.bounds)

    def _run(self, batch: Batch) -> LibraryAttack:
        return _library_attack(self.library, self.name, self.parameters, batch)


@dataclass(frozen=True)
class RescaledFromLibrary(FromLibrary):
    """An attack of another library that takes no L2 radius: its noise is rescaled along its direction."""

    note: ClassVar[str] = "rescaled"

    def walk(self, batch: Batch, budgets_db: Tensor, start: Any) -> Iterator[Perturbed]:
        """Answer every budget, from one run where the attack takes no size; see `Adversary.walk`."""
        foreign = self._run(batch)
        if foreign.order is None:
            start = foreign.run(batch.images, batch.labels, None)
        yield from super().walk(batch, budgets_db, start)

    def perturb(self, batch: Batch, budget_db: Tensor, start: Any) -> Tensor:
        """Disturb images at the SNR, or with less noise where that fools already; see `Adversary.perturb`."""
        model, labels = batch.model, batch.labels
        assert model is not None
        assert labels is not None
        return at_budget(
            self._run(batch),
            batch.images,
            labels,
            budget_db,
            found=start,
            fooled=lambda images: predict(model, images).ne(labels),
            bounds=batch.bounds,
        )


@dataclass(frozen=True)
class MinimumFromLibrary(MinimumNorm):
    """An attack of another library that looks for the smallest noise: run once for all SNRs.

    Parameters
    ----------
    library, name, parameters
        See `FromLibrary`.
    """

    family: ClassVar[str] = "foreign"

    library: str
    name: str
    parameters: Parameters = ()

    @property
    def spec(self) -> str:
        """Spec string, see `FromLibrary.spec`."""
        return _spec(self.library, self.name, self.parameters)

    def minimise(self, batch: Batch, start: Any) -> Tensor:
        """Smallest noise that the attack finds, see `MinimumNorm.minimise`."""
        foreign = _library_attack(self.library, self.name, self.parameters, batch)
        everything = torch.full((len(batch.images),), -torch.inf, dtype=torch.float64, device=batch.images.device)
        found = at_budget(foreign, batch.images, batch.labels, everything, bounds=batch.bounds)
        assert batch.model is not None
        assert batch.labels is not None
        # Some return where they gave up: that is no adversarial image, however small its noise.
        fooled = predict(batch.model, found).ne(batch.labels)
        return torch.where(fooled[:, None, None, None], found, batch.images)


_CLASSES: dict[Kind, type[FromLibrary | MinimumFromLibrary]] = {
    "budget": FromLibrary,
    "minimum": MinimumFromLibrary,
    "rescaled": RescaledFromLibrary,
}


def from_spec(library: str, name: str, given: Mapping[str, str]) -> Attack:
    """Attack of another library.

    Parameters
    ----------
    library : {"torchattacks", "art", "foolbox"}
    name : str
        Of its class there.
    given : mapping of str to str
        Its parameters as typed. Those left out are the library's defaults, but where it has a choice of norm it is
        L2, and it is untargeted.

    Returns
    -------
    Attack

    Raises
    ------
    UsageError
        The library is not installed; it has no such attack, with the nearest; an unknown parameter, or a value of
        the wrong kind.
    """
    module = _adapter(library)
    classes: dict[str, type] = module.attack_classes()
    if name not in classes:
        raise UsageError(f"{library} has no attack {name!r}; " + suggest(name, classes))
    defaults = module.defaults(classes[name])
    for key in given:
        if key not in defaults:
            raise UsageError(f"attack '{library}.{name}' has no parameter {key!r}; " + suggest(key, defaults))
    values = {key: _value(f"{library}.{name}", key, text, defaults[key]) for key, text in given.items()}
    kind, order = module.treatment(classes[name], {**defaults, **values})
    for key in _SIZES:
        if key in values and kind != "minimum" and order is not None:
            raise UsageError(f"'{library}.{name}' gets {key} from the SNR: leave it out")
    return _CLASSES[kind](library, name, tuple(sorted((k, v) for k, v in values.items() if v != defaults[k])))


class AsModule(nn.Module):
    """Any model as a module, as the libraries want one.

    Parameters
    ----------
    model : callable
        Images in [0, 1] to logits.
    device : torch.device
    """

    def __init__(self, model: Logits, device: torch.device) -> None:
        super().__init__()
        self.call = model
        # Libraries ask the first parameter for the device.
        self.place = nn.Parameter(torch.zeros(0, device=device), requires_grad=False)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Logits of shape-(N, K)."""
        return self.call(images.float())  # numpy makes doubles of what a library computes


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Run code that draws from the global generators with a seed, and leave those as they were.

    Parameters
    ----------
    seed : int
        Below 2^32.
    device : torch.device
    """
    standard, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002 - the libraries draw from it
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(standard)
            np.random.set_state(numpys)  # noqa: NPY002


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what libraries say about images they could not disturb: the fact `unperturbed` reports those."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _library_attack(library: str, name: str, parameters: Parameters, batch: Batch) -> LibraryAttack:
    """Put the attack around a batch's model, seeded by the images' content, its errors made ours."""
    module = _adapter(library)
    model, images = batch.model, batch.images
    assert model is not None
    cls = module.attack_classes()[name]
    arguments = {key: value for key, value in module.defaults(cls).items() if value is not inspect.Parameter.empty}
    with torch.no_grad():
        classes = model(images[:1]).shape[1]
    try:
        found: LibraryAttack = module.build(
            cls, {**arguments, **dict(parameters)}, AsModule(model, images.device), tuple(images.shape), classes
        )
    except (TypeError, ValueError) as error:
        raise UsageError(f"{_spec(library, name, parameters)}: {error}") from error
    keys = digests(images) if batch.keys is None else batch.keys
    digest = hashlib.blake2b(keys.tobytes() + batch.seed.to_bytes(8, "little"), digest_size=4).digest()

    def run(images: Tensor, labels: Tensor | None, size: Any) -> Tensor:
        try:
            with seeded(int.from_bytes(digest, "little"), images.device), _quiet():
                return found.run(images, labels, size)
        except (BenchError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            raise BenchError(f"{_spec(library, name, parameters)} failed: {type(error).__name__}: {error}") from error

    return replace(found, run=run)


def _adapter(library: str) -> ModuleType:
    try:
        return import_module(f".{library}_attacks", __package__)
    except ImportError as error:
        how = _INSTALL.get(library, "pip install cnncomm-bench")
        raise UsageError(f"{library} cannot be imported ({error}): {how}") from error


def _spec(library: str, name: str, parameters: Parameters) -> str:
    return f"{library}.{name}" + ":" * bool(parameters) + ",".join(f"{key}={_text(v)}" for key, v in parameters)


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(name: str, key: str, text: str, default: Any) -> Any:
    """Read a value as the kind of its default."""
    if isinstance(default, bool):
        if text.lower() not in ("true", "false"):
            raise UsageError(f"{name}: {key}={text!r} is neither true nor false")
        return text.lower() == "true"
    kinds: tuple[type, ...] = (type(default),)
    if default is None or default is inspect.Parameter.empty:
        kinds = (int, float, str)
    elif not isinstance(default, int | float | str):
        raise UsageError(f"{name}: {key} is a {type(default).__name__}, which no spec string can give")
    for kind in kinds:
        try:
            return kind(text)
        except ValueError:
            continue
    what = "a whole number" if kinds == (int,) else "a number"
    raise UsageError(f"{name}: {key}={text!r} is not {what}")
