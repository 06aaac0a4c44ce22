"""Import torchvision, with or without its compiled operators.

Some torchvision wheels match no installed PyTorch build, so their compiled operators cannot be loaded, and
then ``import torchvision`` fails on registering shape rules for two of them. Classifiers need neither:
declaring the operators, without an implementation, lets the import succeed.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from .errors import ModelError
from .files import one_line

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
# Kept alive for ever: a torch.library.Library takes its declarations with it when it is collected.
_declared: list[Any] = []


def import_torchvision() -> ModuleType:
    """Import torchvision, declaring the detection operators it misses where its import needs that.

    Call it before any library that imports torchvision itself (timm, torchattacks).

    Returns
    -------
    module
        `torchvision`.

    Raises
    ------
    ModelError
        torchvision is not installed, or cannot be imported for another reason.
    """
    try:
        return importlib.import_module("torchvision")
    except ImportError as error:
        raise ModelError(f"torchvision cannot be imported ({one_line(error)}): pip install torchvision") from error
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise ModelError(
                f"torchvision cannot be imported ({one_line(error)}): install the version for your PyTorch"
            ) from error
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]  # half imported
    _declare_operators()
    return importlib.import_module("torchvision")


def _declare_operators() -> None:
    import torch

    if not _declared:
        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        for name in ("nms", "qnms"):
            library.define(f"{name}{_SCHEMA}")  # type: ignore[no-untyped-call]
        _declared.append(library)
