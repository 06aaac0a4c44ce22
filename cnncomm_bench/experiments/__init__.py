"""Experiments of the paper (Ge et al.): its link, its correspondence, its Section 5."""

import lazy_loader

__all__ = ["bandwidth"]

# `cnncomm-bench --help` imports the names of the experiments and must not wait for torch.
__getattr__, _, _ = lazy_loader.attach(__name__, submodules=["bandwidth"])
