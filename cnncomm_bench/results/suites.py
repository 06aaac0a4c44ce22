"""Suites: named sets of attacks and an SNR grid, read from TOML."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from .. import attacks as _attacks
from .._utils.errors import UsageError, suggest
from ..attacks import LIBRARIES, Attack, Norm, is_own, other_name, parse
from ..snr import RULERS
from .grids import AUTO as AUTO
from .grids import as_grid

FOLDER = Path(_attacks.__file__).parent / "suites"
MOST_IMAGES = {False: 1000, True: 200}
"""Images of an attack that says nothing else, by whether it is an adversary."""


def _count(value: Any) -> Any:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError(f"samples = {value!r}, expected a whole number, at least 1")
    return value


_Samples = Annotated[int | None, BeforeValidator(_count)]


class Entry(BaseModel):
    """An attack of a suite, and what it declares of itself, kept for runs that are read where it is not installed.

    Attributes
    ----------
    spec : str
        Shortest spec string.
    samples : int, optional
        How many images it is run on, balanced over the classes; all by default.
    adversary : bool
        Whether it attacks a model.
    family : str
        Attacks of one family are variations of one noise.
    note : str
        What its numbers should be read with, such as "rescaled".
    norm : {"l2", "linf"}, optional
    stochastic, iterative, uses_gradient, at_radius : bool
        See `Attack`.
    given : Attack, optional
        An attack object of the caller's own, which no spec string names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    spec: str
    samples: _Samples = None
    adversary: bool = False
    family: str = ""
    note: str = ""
    norm: Norm | None = None
    stochastic: bool = True
    iterative: bool = False
    uses_gradient: bool = False
    at_radius: bool = False
    given: Attack | None = Field(default=None, exclude=True, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _from_attack(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, Attack):
            return {"spec": value.spec, "given": value}
        if isinstance(value, str):
            return {"spec": value}
        if isinstance(value, dict) and _from_scratch(info) and (strange := sorted(set(value) - _WRITTEN)):
            raise ValueError(
                f"{strange[0]!r} is no key of an attack; {suggest(strange[0], _WRITTEN - {'given'})}; parameters stand "
                "in the spec, such as 'pgd:steps=50'"
            )
        if isinstance(value, dict) and not _from_scratch(info) and "spec" in value and "stochastic" not in value:
            return {**_before_declarations(value["spec"], adversary=bool(value.get("adversary"))), **value}
        return value

    @model_validator(mode="after")
    def _found(self, info: ValidationInfo) -> Entry:
        if not _from_scratch(info):
            return self
        attack = self.attack
        return self.model_copy(update={"spec": attack.spec, **declared(attack)})

    @property
    def attack(self) -> Attack:
        """The attack that was given, or that `spec` names."""
        return self.given or parse(self.spec)


def _from_scratch(info: ValidationInfo) -> bool:
    """Whether the attack is asked what it declares; what is read back from a run's folder says it."""
    return bool((info.context or {}).get("find_attacks"))


def declared(attack: Attack) -> dict[str, Any]:
    """What an entry keeps of an attack's declarations."""
    same = ("family", "note", "norm", "stochastic", "iterative", "uses_gradient", "at_radius")
    return {"adversary": attack.needs_model, **{name: getattr(attack, name) for name in same}}


def _before_declarations(spec: str, *, adversary: bool) -> dict[str, Any]:
    """Declarations of an entry written before attacks had any, for an attack of this package as they are now.

    Of others nothing is imported or assumed: they take part in no comparison of gradients. `stochastic` is as the
    seeds were run then: once a seed at a radius, and only once of other libraries.
    """
    name, at, _ = str(spec).partition("@")
    library = name.partition(".")[0] in LIBRARIES
    now = declared(parse(spec)) if is_own(name) else {"at_radius": bool(at), "uses_gradient": adversary}
    return {**now, "stochastic": bool(at) or (not library and bool(now.get("stochastic", True)))}


_WRITTEN = {"spec", "samples", "given"}
"""What a suite says of an attack; all else the attack declares."""


class Suite(BaseModel):
    """What is run on every model.

    Attributes
    ----------
    title : str
    snr_db : tuple of float, or "auto"
        The grid, rising; or laid by a pilot for each attack.
    rulers : tuple of str
    attacks : tuple of Entry
    samples : int, optional
        How many images, for the attacks that do not say.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = ""
    snr_db: tuple[float, ...] | Literal["auto"] = AUTO
    rulers: tuple[str, ...] = ("realised",)
    attacks: tuple[Entry, ...]
    samples: _Samples = None

    @field_validator("snr_db", mode="before")
    @classmethod
    def _grid(cls, value: object) -> object:
        return as_grid(value)

    @field_validator("rulers")
    @classmethod
    def _known(cls, rulers: tuple[str, ...]) -> tuple[str, ...]:
        for ruler in rulers:
            if ruler not in RULERS:
                raise UsageError(f"no ruler is called {ruler!r}; " + suggest(ruler, RULERS))
        if not rulers:
            raise UsageError('a suite needs a ruler, for example rulers = ["realised"]')
        return tuple(dict.fromkeys(rulers))

    @field_validator("attacks")
    @classmethod
    def _distinct(cls, attacks: tuple[Entry, ...]) -> tuple[Entry, ...]:
        if not attacks:
            raise UsageError("a suite needs an attack, for example gaussian", "attacks")
        specs = [entry.spec for entry in attacks]
        twice = {spec for spec in specs if specs.count(spec) > 1}
        if twice:
            raise UsageError(f"attack {', '.join(sorted(twice))} is given twice")
        return attacks


def load(name: str) -> Suite:
    """A suite by its name, or from a TOML file.

    Parameters
    ----------
    name : str
        A file name, or one of `names()`.

    Raises
    ------
    UsageError
        No such suite, or a file that is none: what is wrong in it is named.
    """
    path = FOLDER / f"{name}.toml" if name in names() else Path(name)
    try:
        if not path.is_file():  # a device would be read for ever
            raise FileNotFoundError(path)
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        if path.suffix == ".toml" and path.exists():
            raise UsageError(f"suite {name}: not readable as TOML: {error}") from error
        hint = other_name(name) or suggest(name, names())
        raise UsageError(f"no suite is called {name!r}, and no file; {hint}") from error
    return build(f"suite {name}", **content)


def with_samples(suite: Suite) -> Suite:
    """A suite in which attacks that say nothing else run on `MOST_IMAGES`."""
    entries = tuple(
        entry.model_copy(update={"samples": entry.samples or suite.samples or MOST_IMAGES[entry.adversary]})
        for entry in suite.attacks
    )
    return suite.model_copy(update={"attacks": entries})


def build(what: str, /, **content: object) -> Suite:
    """A suite from its parts, with an error that names the part at fault.

    Parameters
    ----------
    what : str
        Names the suite in the error.
    **content
        The fields of `Suite`.

    Raises
    ------
    UsageError
    """
    try:
        return Suite.model_validate(content, context={"find_attacks": True})
    except ValidationError as error:
        found = error.errors()
        first = next(
            (one for one in found if one["type"] == "extra_forbidden"), found[0]
        )  # a misspelt key, not its lack
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise UsageError(f"{what}: no key is called {where!r}; {suggest(where, Suite.model_fields)}") from error
        reason = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"{what}: {where}: {reason}", str(first["loc"][0])) from error


def names() -> list[str]:
    """Names of the suites that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))
