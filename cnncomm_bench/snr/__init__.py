"""The ruler: SNR of an image, images placed at an exact SNR, and the random streams of the noise.

Torch and numpy only.
"""

from . import clipping
from .clipping import Bounds
from .measurement import measure, noise_power, power, radius
from .projection import apply, check_pixels, project, scales
from .rounding import quantise, rounding_db
from .rulers import EULER_GAMMA, RULERS, Ruler, law_scale
from .streams import Digests, digests, generators

__all__ = [
    "EULER_GAMMA",
    "RULERS",
    "Bounds",
    "Digests",
    "Ruler",
    "apply",
    "check_pixels",
    "clipping",
    "digests",
    "generators",
    "law_scale",
    "measure",
    "noise_power",
    "power",
    "project",
    "quantise",
    "radius",
    "rounding_db",
    "scales",
]
