"""Accuracy-drop curves: every disturbance of an image on one axis, the SNR in dB."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from .evaluation import evaluate
    from .results import Run

__all__ = ["Run", "evaluate"]

# Imported when asked for: `cnncomm-bench --help` must not wait for torch.
__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs={"evaluation": ["evaluate"], "results": ["Run"]})
