"""Accuracy-drop curves: every disturbance of an image on one axis, the SNR in dB."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from . import attacks, bundled, data, snr, transforms
    from .evaluation import evaluate
    from .report import Run
    from .results import score

__all__ = ["Run", "attacks", "bundled", "data", "evaluate", "score", "snr", "transforms"]

# Imported when asked for: `cnncomm-bench --help` must not wait for torch.
__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    ["attacks", "bundled", "data", "snr", "transforms"],
    {"evaluation": ["evaluate"], "report": ["Run"], "results": ["score"]},
)
