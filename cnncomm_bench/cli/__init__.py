"""The command line: one module a command, and the tables that the screen shows."""

from .main import main

__all__ = ["main"]
