"""Settings of transmitted images: the link's, and the labelling of pixel values."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from ..._utils.errors import UsageError, suggest
from ..link import Settings, Stable
from .pixel_bits import LABELLINGS
from .systems import Analog, Digital, System

DEFAULTS: dict[str, Any] = {"snr_db": "-5:40:2.5", "rulers": ("dispersion",), "receivers": ("cauchy",)}
"""Where a transmission's defaults are not the link's."""


class TransmissionSettings(BaseModel):
    """All that decides a transmission, beside model and images.

    Attributes
    ----------
    link : Settings
        Of alpha-stable noise alone.
    labelling : {"natural", "gray"}
        Bits of a pixel value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    link: Settings
    labelling: Literal["natural", "gray"]

    @classmethod
    def of(cls, labelling: str = "natural", **choices: object) -> TransmissionSettings:
        """Checked settings; `choices` are those of the link, None takes the default.

        Raises
        ------
        UsageError
            A choice does not exist.
        """
        if labelling not in LABELLINGS:
            raise UsageError(f"no labelling is called {labelling!r}; " + suggest(labelling, LABELLINGS), "labelling")
        given = {name: value for name, value in choices.items() if value is not None}
        return cls.model_validate({"link": Settings.of(**{**DEFAULTS, **given}), "labelling": labelling})

    def systems(self) -> list[System]:
        """Each system of the link in each noise, then amplitudes in each noise."""
        digital = [Digital(curve, self.labelling) for curve in self.link.curves()]
        return [*digital, *(Analog(Stable(alpha), ruler) for ruler in self.link.rulers for alpha in self.link.alphas)]
