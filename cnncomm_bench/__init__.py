"""Accuracy-drop curves: every disturbance of an image on one axis, the SNR in dB."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .harness import evaluate
    from .run import Run

__all__ = ["Run", "evaluate"]


def __getattr__(name: str) -> Any:
    # Imported when asked for: `cnncomm-bench --help` must not wait for torch.
    if name in __all__:
        return getattr(import_module(".harness" if name == "evaluate" else ".run", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
