"""The configuration of a run: one record of everything it is made of, checked once and stored whole."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PlainSerializer,
    ValidationError,
    field_validator,
)

from .._utils.errors import UsageError, suggest
from .._utils.files import one_line, shown
from ..attacks import Attack
from .grids import as_grid

DEFAULT_MODELS = ("bundled:standard", "bundled:adversarial")

_LARGEST_SEED = 2**63 - 1  # predictions store seeds as 64-bit integers

_AttackOrSpec = Annotated[
    InstanceOf[Attack] | str, PlainSerializer(lambda attack: getattr(attack, "spec", attack), return_type=str)
]
_Radius = Annotated[str, Field(coerce_numbers_to_str=True)]


def _not_bool(value: Any) -> Any:
    if isinstance(value, bool):  # Python's int would take it
        raise ValueError
    return value


_Whole = Annotated[int, BeforeValidator(_not_bool)]
_Side = Annotated[_Whole, Field(ge=1, le=2**15)]
_Numbers = tuple[Annotated[float, Field(strict=True)], ...]
"""Numbers, not texts of numbers: those are one a model."""
_OfModels = str | tuple[str, ...] | None
"""One text for all models, or one a model."""
_Seed = Annotated[_Whole, Field(ge=0, le=_LARGEST_SEED)]


def _as_grid(value: Any) -> Any:
    return None if value is None else as_grid(value)


class RunConfig(BaseModel):
    """Everything that a run is made of; a description says what is expected, and ends the message of an error.

    The fields are the options of the command `run`, the keys of its TOML file and, for what is opened already, the
    arguments of `evaluate`: a model given as a callable is stored as its name, an attack given as an object as its
    spec string. Values are checked here for type and range; names of models, images, attacks and devices where they
    are opened, since a stored configuration must be readable where they do not exist.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: tuple[str, ...] = Field(
        DEFAULT_MODELS, min_length=1, description="a list of checkpoints or names, such as ['bundled:standard']"
    )
    arch: _OfModels = Field(None, description="an architecture, such as 'resnet18', or a list with one a model")
    data: str | None = Field(None, description="a path or name of labelled images, such as 'bundled:fashion-mnist'")
    classes: str | None = Field(None, description="a file with one class name a line")
    size: _Side | tuple[_Side | Literal["none"], ...] | None = Field(
        None, description="a number of pixels from 1 to 32,768, or a list with one a model"
    )
    mean: float | _Numbers | _OfModels = Field(
        None, description="a number a channel, such as '0.5,0.5,0.5', or a list of such texts with one a model"
    )
    std: float | _Numbers | _OfModels = Field(
        None, description="a number a channel, such as '0.5,0.5,0.5', or a list of such texts with one a model"
    )
    trust: bool = Field(False, description="true or false")
    suite: str | None = Field(None, description="a suite's name or TOML file, such as 'quick'")
    attacks: tuple[_AttackOrSpec, ...] = Field((), description="a list of spec strings, such as ['gaussian', 'pgd']")
    snr: Annotated[tuple[float, ...] | Literal["auto"] | None, BeforeValidator(_as_grid)] = Field(
        None, description="a grid in dB, such as '0:50:5', or auto"
    )
    precision: float | None = Field(None, ge=0.05, le=10, description="half an interval's width in dB, 0.05 to 10")
    minutes: float | None = Field(None, gt=0, le=1e6, description="a number of minutes above 0")
    eps_l2: tuple[_Radius, ...] = Field((), description="a list of L2 radii, such as [0.5]")
    eps_linf: tuple[_Radius, ...] = Field((), description="a list of Linf radii, such as ['8/255']")
    rulers: tuple[str, ...] = Field((), description="a list of rulers, such as ['realised']")
    bits: _Whole | None = Field(None, ge=1, le=16, description="a number of bits from 1 to 16")
    samples: _Whole | None = Field(None, ge=1, description="a number of images, 1 or more")
    seeds: tuple[_Seed, ...] = Field((0,), min_length=1, description="a list of whole numbers from 0 to 2^63 - 1")
    batch_size: Annotated[_Whole, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="a number of images, at least 1, or auto"
    )
    device: str = Field("auto", description="a device of torch, such as 'cpu' or 'cuda:1'")
    executor: str = Field("serial", description="'serial', 'ray' or 'ray://HOST:PORT'")
    out: Path | None = Field(None, exclude=True, description="a folder")
    """Not stored: the same run leaves the same bytes in any folder, and a folder can be moved."""

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(seeds))

    @classmethod
    def of(cls, **settings: Any) -> RunConfig:
        """Check the settings of a run.

        Raises
        ------
        UsageError
            An unknown setting, or a value of the wrong type or out of range.
        """
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            raise _usage_error(error) from error


def read_settings(path: Path) -> dict[str, Any]:
    """Settings of a run from a TOML file, its keys the fields of `RunConfig`; `RunConfig.of` checks them.

    Raises
    ------
    UsageError
        It is no regular file, or no TOML.
    """
    name = shown(path)
    try:
        if not path.is_file():
            raise UsageError(f"{name} is no file: expected a TOML file of settings", "config")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror or error}", "config") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{name} is no TOML: {one_line(error)}", "config") from error


def _usage_error(error: ValidationError) -> UsageError:
    """The first fault, with the name of its setting."""
    first = error.errors()[0]
    name = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        return UsageError(f"no setting is called {shown(name)!r}; {suggest(name, RunConfig.model_fields)}", "config")
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, UsageError):
        return UsageError(str(cause), name)
    value = shown(repr(first["input"]), 80)
    return UsageError(f"{name} {value}: expected {RunConfig.model_fields[name].description}", name)
