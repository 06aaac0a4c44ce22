"""Simulates a communication link under alpha-stable noise (Fig. 1 of Ge et al.)."""

from . import simulation
from .ber_table import SYSTEM, system_name
from .channel import Channel
from .channel_noise import Stable
from .counting import Counts, Rule
from .link_settings import Settings
from .link_summary import TARGET, after, reaches
from .ordering import complete
from .simulation import open_link, simulate

__all__ = [
    "SYSTEM",
    "TARGET",
    "Channel",
    "Counts",
    "Rule",
    "Settings",
    "Stable",
    "after",
    "complete",
    "open_link",
    "reaches",
    "simulate",
    "simulation",
    "system_name",
]
