"""Runs the arguments of the paper's Section 5 as experiments.

They are `features`, `samples`, `tradeoff`, `checkbits` and `capsules`; `decoding` and `contrast` are pairs of
Fig. 2 that need a network as well. Each module has `run(setting) -> ExperimentResult`, a claim with a verdict, and a
negative control that must come out null.
"""

from typing import TYPE_CHECKING

import lazy_loader

from .names import EXPERIMENTS

if TYPE_CHECKING:
    from .opening import open_setting
    from .runner import execute, summary

__all__ = ["EXPERIMENTS", "execute", "open_setting", "summary"]

# `cnncomm-bench --help` lists the experiments and must not wait for torch.
__getattr__, _, _ = lazy_loader.attach(
    __name__, submod_attrs={"opening": ["open_setting"], "runner": ["execute", "summary"]}
)
