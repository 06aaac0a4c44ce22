"""Simulates a communication link under alpha-stable noise (Fig. 1 of Ge et al.)."""

from . import simulation
from .ber_table import SYSTEM, system_name
from .chain import Chain
from .channel import Channel, Received
from .channel_noise import Stable
from .counting import Counts, Rule, exact
from .link_settings import Curve, Settings
from .link_summary import after, reaches
from .modulation import MODULATIONS
from .ordering import alpha_order, complete
from .simulation import open_link, simulate

__all__ = [
    "MODULATIONS",
    "SYSTEM",
    "Chain",
    "Channel",
    "Counts",
    "Curve",
    "Received",
    "Rule",
    "Settings",
    "Stable",
    "after",
    "alpha_order",
    "complete",
    "exact",
    "open_link",
    "reaches",
    "simulate",
    "simulation",
    "system_name",
]
