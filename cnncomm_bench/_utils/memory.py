"""Out of memory: recognised among other errors, and freed, so that a smaller batch can be tried."""

from __future__ import annotations

import gc

import torch

# Messages of allocators without an error class of their own: torch's on processors and on Apple's GPUs, ONNX Runtime's,
# and those of the CUDA libraries that torch calls.
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
    """Whether an error says that memory did not suffice."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, Exception) and any(phrase in str(error) for phrase in _PHRASES)


def release() -> None:
    """Free unreferenced memory, on the host and on the GPU."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
