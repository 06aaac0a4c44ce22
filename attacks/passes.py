"""How many images a model was asked about, and for how many it gave a gradient."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


class Counted:
    """A model that counts its passes.

    Parameters
    ----------
    model : callable
        Images to logits.

    Attributes
    ----------
    forward : int
        Images that went through the model.
    backward : int
        Images that a gradient came back for.
    """

    def __init__(self, model: Callable[[Tensor], Tensor]) -> None:
        self.model = model
        self.forward = self.backward = 0

    def __call__(self, images: Tensor) -> Tensor:
        """What the model answers, shape-(N, K)."""
        self.forward += len(images)
        logits = self.model(images)
        # On the answer, not in the attacks: other libraries' attacks are counted as well.
        if isinstance(logits, Tensor) and logits.requires_grad:
            logits.register_hook(self._count)  # type: ignore[no-untyped-call]
        return logits

    def _count(self, gradient: Tensor) -> None:
        self.backward += len(gradient)
