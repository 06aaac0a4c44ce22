"""The paper's "special" CNN, which sends labels as images over the channel (Section 3 of Ge et al.)."""

from . import comparison, image_comparison
from .autoencoder import SIDE

__all__ = ["SIDE", "comparison", "image_comparison"]
