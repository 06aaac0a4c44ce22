"""Other libraries' attacks in the harness: `torchattacks.PGDL2:steps=20` and its like.

An attack is built anew for every batch, on a classifier of its library around the model under test. Which of the
three classes here it becomes says how it gets the SNR as its budget, see `budget`.
"""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..._utils.errors import BenchError, UsageError, suggest
from ..._utils.files import one_line
from ...snr import digests
from ..attack import Norm, Passes
from ..base import Adversary
from ..batch import AdversaryBatch, Perturbed
from ..conversion import convert, kind_of
from ..minimum_norm import MinimumNorm
from ..query import predict
from ..spec import joined
from .budget import Kind, LibraryAttack, at_budget
from .isolation import AsModule, quiet, seeded

Parameters = tuple[tuple[str, Any], ...]

_INSTALL = {"foolbox": "pip install 'cnncomm-bench[foolbox]'"}
SIZES = ("eps", "epsilon", "max_epsilon")
"""What attacks call their size: with a budget it is the SNR's to set."""


@dataclass(frozen=True)
class FromLibrary(Adversary):
    """An attack of another library.

    Any may draw from the global generators, which are seeded: so all count as stochastic.

    Parameters
    ----------
    library : {"torchattacks", "art", "foolbox"}
    name : str
        Of its class there.
    parameters : tuple of (str, Any)
        What is not as `defaults` has it.
    """

    family: ClassVar[str] = "library"
    stochastic: ClassVar[bool] = True

    library: str
    name: str
    parameters: Parameters = ()

    @property
    def spec(self) -> str:
        """Spec string: the parameters that are not at their default, in alphabetical order."""
        return joined(f"{self.library}.{self.name}", dict(self.parameters))

    @property
    def norm(self) -> Norm | None:
        """L2 where its ball is that of the budget, see `Attack.norm`."""
        kind, order = self._adapter.treatment(self._class, self.arguments)
        return "l2" if kind != "rescaled" and order == 2 else None

    @property
    def iterative(self) -> bool:
        """Unless its adapter lists it among those of one step, see `Attack.iterative`."""
        return self.name not in self._adapter.SINGLE_STEP

    @property
    def uses_gradient(self) -> bool:
        """Unless its adapter lists it among the black boxes, see `Attack.uses_gradient`."""
        return self.name not in self._adapter.BLACK_BOXES

    def passes(self, classes: int) -> Passes:
        """What its parameters say of steps, one pass each, and the answer; see `Attack.passes`."""
        adapter, arguments = self._adapter, self.arguments
        steps = next((int(arguments[name]) for name in adapter.STEPS if arguments.get(name)), 1)
        steps *= math.prod(max(1, int(arguments[name])) for name in adapter.REPEATS if name in arguments)
        if not self.uses_gradient:
            return Passes(steps * self.iterative + 1, 0)  # noise of one step does not ask the model
        return Passes(steps + 1, steps * (classes if self.name in adapter.PER_CLASS else 1))

    @property
    def _adapter(self) -> ModuleType:
        return adapter_of(self.library)

    @property
    def _class(self) -> type:
        cls: type = self._adapter.attack_classes()[self.name]
        return cls

    @property
    def arguments(self) -> dict[str, Any]:
        """All that it is called with, but for what has no default and was not given."""
        known = {**self._adapter.defaults(self._class), **dict(self.parameters)}
        return {key: value for key, value in known.items() if value is not inspect.Parameter.empty}

    def attack_on(self, batch: AdversaryBatch) -> LibraryAttack:
        """Put the attack around a batch's model, seeded by the images' content, its errors made ours."""
        model, images = batch.model, batch.images
        with torch.no_grad():
            classes = model(images[:1]).shape[1]
        keys = digests(images) if batch.keys is None else batch.keys
        digest = hashlib.blake2b(keys.tobytes() + batch.seed.to_bytes(8, "little"), digest_size=4).digest()
        seed = int.from_bytes(digest, "little")
        try:
            with seeded(seed, images.device):
                found: LibraryAttack = self._adapter.build(
                    self._class, self.arguments, AsModule(model, images.device), tuple(images.shape), classes
                )
        except ImportError as error:
            raise _missing(self.spec, error) from error
        except Exception as error:  # a constructor may refuse its parameters in any way
            raise UsageError(f"{self.spec}: {one_line(error)}") from error

        def run(images: Tensor, labels: Tensor | None, size: Any) -> Tensor:
            try:
                with seeded(seed, images.device), quiet():
                    return found.run(images, labels, size)
            except (BenchError, torch.OutOfMemoryError):
                raise
            except ImportError as error:
                raise _missing(self.spec, error) from error
            except Exception as error:
                raise BenchError(f"{self.spec} failed: {type(error).__name__}: {error}") from error

        return replace(found, run=run)


@dataclass(frozen=True)
class BudgetFromLibrary(FromLibrary):
    """An attack of another library that takes the radius of an L2 ball: each image its own."""

    def perturb(self, batch: AdversaryBatch, budget_db: Tensor, start: Tensor) -> Tensor:
        """Disturb images within the budget, see `Adversary.perturb`."""
        return at_budget(self.attack_on(batch), batch.images, batch.labels, budget_db, bounds=batch.bounds)


@dataclass(frozen=True)
class RescaledFromLibrary(FromLibrary):
    """An attack of another library that takes no L2 radius: its noise is rescaled along its direction."""

    note: ClassVar[str] = "rescaled"

    def passes(self, classes: int) -> Passes:
        """And two answers, to the noise before and after it is rescaled; see `Attack.passes`."""
        forward, backward = super().passes(classes)
        return Passes(forward + 2, backward)

    def walk(self, batch: AdversaryBatch, budgets_db: Tensor, start: Tensor) -> Iterator[Perturbed]:
        """Answer every budget, from one run where the attack takes no size; see `Adversary.walk`."""
        attack = self.attack_on(batch)
        if attack.order is None:
            start = attack.run(batch.images, batch.labels, None)
        yield from super().walk(batch, budgets_db, start)

    def perturb(self, batch: AdversaryBatch, budget_db: Tensor, start: Tensor) -> Tensor:
        """Disturb images at the SNR, or with less noise where that fools already; see `Adversary.perturb`."""
        attack = self.attack_on(batch)
        return at_budget(
            attack,
            batch.images,
            batch.labels,
            budget_db,
            found=start if attack.order is None else None,
            fooled=lambda images: predict(batch.model, images).ne(batch.labels),
            bounds=batch.bounds,
        )


@dataclass(frozen=True)
class MinimumFromLibrary(FromLibrary, MinimumNorm):
    """An attack of another library that looks for the smallest noise: run once for all SNRs."""

    def passes(self, classes: int) -> Passes:
        """And the answer to what was found; see `Attack.passes`."""
        forward, backward = super().passes(classes)
        return Passes(forward + 1, backward)

    def minimise(self, batch: AdversaryBatch, start: Tensor) -> Tensor:
        """Smallest noise that the attack finds, see `MinimumNorm.minimise`."""
        everything = torch.full((len(batch.images),), -torch.inf, dtype=torch.float64, device=batch.images.device)
        found = at_budget(self.attack_on(batch), batch.images, batch.labels, everything, bounds=batch.bounds)
        # Some return where they gave up: that is no adversarial image, however small its noise.
        fooled = predict(batch.model, found).ne(batch.labels)
        return torch.where(fooled[:, None, None, None], found, batch.images)


_CLASSES: dict[Kind, type[FromLibrary]] = {
    "budget": BudgetFromLibrary,
    "minimum": MinimumFromLibrary,
    "rescaled": RescaledFromLibrary,
}


def from_spec(library: str, name: str, given: Mapping[str, str]) -> FromLibrary:
    """Attack of another library.

    Parameters
    ----------
    library : {"torchattacks", "art", "foolbox"}
    name : str
        Of its class there.
    given : mapping of str to str
        Its parameters as typed. Those left out are the library's defaults, but where it has a choice of norm it is
        L2, and it is untargeted.

    Raises
    ------
    UsageError
        The library is not installed; it has no such attack, with the nearest; an unknown parameter, or a value of
        the wrong kind.
    """
    module = adapter_of(library)
    classes: dict[str, type] = module.attack_classes()
    if name not in classes:
        raise UsageError(f"{library} has no attack {name!r}; " + suggest(name, classes))
    defaults = module.defaults(classes[name])
    for key in given:
        if key not in defaults:
            raise UsageError(f"attack '{library}.{name}' has no parameter {key!r}; " + suggest(key, defaults))
    spec = f"{library}.{name}"
    values = {key: convert(spec, key, text, kind_of(spec, key, defaults[key])) for key, text in given.items()}
    kind, order = module.treatment(classes[name], {**defaults, **values})
    for key in SIZES:
        if key in values and order is not None:
            raise UsageError(f"'{library}.{name}' gets {key} from the SNR: leave it out")
    return assembled(library, name, kind, {key: value for key, value in values.items() if value != defaults[key]})


def _missing(spec: str, error: ImportError) -> UsageError:
    """What to install for an attack that imports another package only when it runs."""
    return UsageError(f"{spec} needs another package ({error}): pip install {error.name or 'it'}")


def assembled(library: str, name: str, kind: Kind, parameters: Mapping[str, Any]) -> FromLibrary:
    """Attack of another library, by what is not as `defaults` of its adapter has it."""
    return _CLASSES[kind](library, name, tuple(sorted(parameters.items())))


def adapter_of(library: str) -> ModuleType:
    """What this package knows of a library's attacks.

    Raises
    ------
    UsageError
        The library is not installed.
    """
    try:
        return import_module(f".{library}_attacks", __package__)
    except ImportError as error:
        how = _INSTALL.get(library, "pip install cnncomm-bench")
        raise UsageError(f"{library} cannot be imported ({error}): {how}") from error
