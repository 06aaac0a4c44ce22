"""Imports functions of the user's own code, from a file or a package."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from .._utils.errors import ModelError, UsageError, suggest
from .._utils.files import one_line, shown
from .._utils.torchvision_operators import import_torchvision

_FROM_FILE = "_cnncomm_arch_"


def modules_from_files() -> list[ModuleType]:
    """Return the modules imported from a file of the user's, which no other process can import by their names."""
    return [module for name, module in sys.modules.items() if name.startswith(_FROM_FILE)]


def own_function(spec: str, argument: str, expected: str) -> Callable[..., Any]:
    """Import a function of the user's own code.

    Parameters
    ----------
    spec : str
        ``FILE.py:function`` or ``package.module:function``.
    argument : str
        Parameter that it was passed as, for messages.
    expected : str
        What it takes, for messages.

    Raises
    ------
    UsageError
        There is no such file, module or function.
    ModelError
        It cannot be imported.
    """
    place, _, name = spec.rpartition(":")
    with contextlib.suppress(ModelError):  # what imports torchvision, as transformers does, may need its operators
        import_torchvision()
    load = _import_file if place.endswith(".py") else _import_module
    module = load(spec, place, argument, expected)
    function: Callable[..., Any] | None = getattr(module, name, None)
    if not callable(function):
        public = [
            n
            for n, v in vars(module).items()
            if callable(v) and not n.startswith("_") and v.__module__ == module.__name__
        ]
        raise UsageError(f"{shown(spec)}: {shown(place)} defines no {shown(name)}; {suggest(name, public)}", argument)
    return function


def _import_file(spec: str, place: str, argument: str, expected: str) -> Any:
    path = Path(place)
    if not path.is_file():
        raise UsageError(f"{shown(spec)}: there is no file {shown(path)}; expected {expected}", argument)
    name = f"{_FROM_FILE}{re.sub(r'[^A-Za-z0-9]', '_', str(path.resolve()))}"
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise UsageError(f"{shown(spec)}: {shown(path)} is no Python file", argument)
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module  # dataclasses and pickles look their module up
    with _on_path(path.resolve().parent):
        try:
            found.loader.exec_module(module)
        except Exception as error:  # the user's own code may raise anything
            del sys.modules[name]
            raise ModelError(
                f"{shown(spec)}: {shown(path)} cannot be imported ({one_line(error)})", argument
            ) from error
    return module


@contextlib.contextmanager
def _on_path(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))  # so that the file may import its neighbours
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _import_module(spec: str, place: str, argument: str, expected: str) -> Any:
    with _on_path(Path.cwd()):
        try:
            return importlib.import_module(place)
        except ModuleNotFoundError as error:
            raise UsageError(f"{shown(spec)}: {one_line(error)}; expected {expected}", argument) from error
        except Exception as error:  # imported code may raise anything
            raise ModelError(
                f"{shown(spec)}: {shown(place)} cannot be imported ({one_line(error)})", argument
            ) from error
