"""The correspondence between a CNN and a link (Fig. 2 of Ge et al.), with its evidence."""

from . import pairing

__all__ = ["pairing"]
