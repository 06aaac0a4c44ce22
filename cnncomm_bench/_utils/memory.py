"""Out of memory: told from other errors, and what was held let go, so that a smaller batch can be tried."""

from __future__ import annotations

import gc

import torch

# What allocators say that raise no error of their own class: torch's on processors and on Apple's GPUs, ONNX Runtime's,
# and the CUDA libraries' beneath torch.
_PHRASES = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "MPS backend out of memory",
    "Failed to allocate memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDA out of memory",
    "CUDA error: out of memory",
)


def ran_out(error: BaseException) -> bool:
    """Tell whether an error says that memory did not suffice.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    bool
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, Exception) and any(phrase in str(error) for phrase in _PHRASES)


def release() -> None:
    """Give back what nobody holds any more, to the system and to the GPU."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
