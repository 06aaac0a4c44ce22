"""Settings of a simulation of the link: each choice checked, and the curves that follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from ..._utils.errors import UsageError, suggest
from ...results import check_grid, parse_grid
from ...snr import RULERS
from . import coding, frames, modulation, receiver
from .channel_noise import Burst, Noise, Stable, jammer
from .counting import Rule

INTERLEAVERS = ("none", "block")
_LOOK_UP: dict[str, Callable[[Any], object]] = {
    "alphas": Stable,
    "modulations": modulation.find,
    "codes": coding.find,
    "frames": frames.check_length,
    "receivers": receiver.find,
    "jammers": jammer,
    "bursts": Burst,
}
# A frame that a decoder gets wrong has many wrong bits, and decoding costs a hundred times as much.
_ERRORS = {True: 1000, False: 100}
_UNCODED_BITS = 10_000_000


@dataclass(frozen=True)
class Curve:
    """One system in one noise, at every SNR.

    Attributes
    ----------
    noise : Noise
    modulation, code, ruler : str
    frame : int
        Information bits of a frame, its header and checksum among them.
    receiver, interleaver : str
    """

    noise: Noise
    modulation: str
    code: str
    ruler: str
    frame: int
    receiver: str
    interleaver: str

    @property
    def independent(self) -> bool:
        """Whether its bits fail independently of each other."""
        one_each = modulation.find(self.modulation).bits == 1 and self.code == "none"
        return one_each and self.noise.memoryless and self.ruler != "realised"

    @property
    def columns(self) -> dict[str, Any]:
        """What names the curve in `ber.csv`."""
        alpha = self.noise.alpha if isinstance(self.noise, Stable) else None
        names = ("modulation", "code", "ruler", "frame", "receiver", "interleaver")
        return {"alpha": alpha, "noise": self.noise.spec, **{name: getattr(self, name) for name in names}}


class Settings(BaseModel):
    """Everything that decides the numbers of a simulation.

    Attributes
    ----------
    alphas : tuple of float
        Of alpha-stable noise.
    jammers : tuple of str
        See `channel_noise.jammer`.
    bursts : tuple of int
        Lengths of windows, see `channel_noise.Burst`.
    snr_db : tuple of float
        Rising; or as on the command line, `"0:30:5"`.
    modulations, codes, rulers, receivers, interleavers : tuple of str
    frames : tuple of int
        Information bits of a frame.
    min_errors, max_bits : int, optional
        When a point ends: by default at 1,000 errors or 10^7 bits without a code, at 100 or `coded_bits` with one.
    coded_bits : int
        Information bits at which a point with a code ends where `max_bits` says nothing.
    seed : int
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    alphas: tuple[float, ...] = (2.0, 1.5, 1.0, 0.5)
    jammers: tuple[str, ...] = ()
    bursts: tuple[int, ...] = ()
    snr_db: tuple[float, ...] = parse_grid("-10:50:5")
    modulations: tuple[str, ...] = ("bpsk",)
    codes: tuple[str, ...] = ("none", "conv")
    rulers: tuple[str, ...] = ("dispersion", "geometric", "realised")
    frames: tuple[int, ...] = (512,)
    receivers: tuple[str, ...] = ("gaussian", "cauchy")
    interleavers: tuple[Literal["none", "block"], ...] = ("none",)
    min_errors: int | None = None
    max_bits: int | None = None
    coded_bits: int = 200_000
    seed: int = 0

    @classmethod
    def of(cls, **choices: object) -> Settings:
        """Checked settings; what is left out or None takes its default.

        Raises
        ------
        UsageError
            A choice does not exist, or they do not go together.
        """
        try:
            settings = cls.model_validate({name: value for name, value in choices.items() if value is not None})
        except ValidationError as error:
            first = error.errors()[0]
            field = str(first["loc"][0]) if first["loc"] else "link"
            raise UsageError(f"{field}: {first['msg'].removeprefix('Value error, ')}", field) from error
        if not settings.curves():
            raise UsageError(
                "nothing to simulate: tones and bursts have the realised ruler only; pass realised", "rulers"
            )
        return settings

    @field_validator("snr_db", mode="before")
    @classmethod
    def _grid(cls, value: object) -> tuple[float, ...]:
        return parse_grid(value) if isinstance(value, str) else check_grid(value)

    @field_validator("alphas", "jammers", "bursts", "modulations", "codes", "frames", "receivers")
    @classmethod
    def _known(cls, values: tuple[Any, ...], info: Any) -> tuple[Any, ...]:
        for value in values:
            _LOOK_UP[info.field_name](value)
        return tuple(dict.fromkeys(values))

    @field_validator("rulers", "interleavers", mode="before")
    @classmethod
    def _named(cls, values: Any, info: Any) -> Any:
        known = RULERS if info.field_name == "rulers" else INTERLEAVERS
        for value in values:
            if value not in known:
                raise UsageError(f"{value!r} does not exist; " + suggest(str(value), known))
        return tuple(dict.fromkeys(values))

    @field_validator("modulations", "codes", "rulers", "frames", "receivers", "interleavers")
    @classmethod
    def _some(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if not values:
            raise UsageError("expected at least one")
        return values

    @field_validator("min_errors", "max_bits", "coded_bits")
    @classmethod
    def _positive(cls, value: int | None, info: Any) -> int | None:
        if value is not None and value < 1:
            raise UsageError(f"{value} is no limit: expected at least 1")
        return value

    def curves(self) -> list[Curve]:
        """The curves, each choice with each other where they go together."""
        noises: list[Noise] = [Stable(alpha) for alpha in self.alphas]
        noises += [*map(jammer, self.jammers), *map(Burst, self.bursts)]
        systems = product(self.modulations, self.codes, self.rulers, self.frames, self.receivers, self.interleavers)
        grid = (Curve(noise, *system) for system in systems for noise in noises)
        return list(dict.fromkeys(self._plain(curve) for curve in grid if curve.ruler in curve.noise.rulers))

    def _plain(self, curve: Curve) -> Curve:
        if curve.code != "none":
            return curve
        # Hard decisions are the nearest amplitudes, whoever takes them, in whatever order.
        return replace(curve, receiver=self.receivers[0], interleaver="none")

    def rule(self, curve: Curve) -> Rule:
        """When a point of a curve ends."""
        uncoded = curve.code == "none"
        return Rule(
            self.min_errors or _ERRORS[uncoded], self.max_bits or (_UNCODED_BITS if uncoded else self.coded_bits)
        )
