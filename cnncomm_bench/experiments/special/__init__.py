"""The paper's "special" CNN, which sends labels as images over the channel (Section 3 of Ge et al.)."""

from . import comparison

__all__ = ["comparison"]
