"""The correspondence between a CNN and a link (Fig. 2 of Ge et al.), with its evidence."""

from .correspondence_page import as_text
from .pairing import correspond

__all__ = ["as_text", "correspond"]
