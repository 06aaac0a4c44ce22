"""What an attack costs, in passes through the model."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..attacks import Attack

_FOREIGN_STEPS = 20  # of an attack of another library that does not say


class Passes(NamedTuple):
    """Forward and backward passes of one image."""

    forward: float
    backward: float

    @property
    def weight(self) -> float:
        """In forward passes, a backward one being worth about two."""
        return self.forward + 2 * self.backward


def passes(attack: Attack) -> Passes:
    """Passes that an image takes at an SNR where it is attacked, by the attack's own parameters.

    A minimum-norm attack takes them once, for all SNRs.

    Parameters
    ----------
    attack : Attack

    Returns
    -------
    Passes

    Examples
    --------
    >>> from cnncomm_bench.attacks import parse
    >>> passes(parse("gaussian"))
    Passes(forward=1, backward=0)
    >>> passes(parse("pgd:steps=20,restarts=2"))
    Passes(forward=41, backward=40)
    """
    if not attack.needs_model:
        return Passes(1, 0)
    adversary: Any = getattr(attack, "adversary", attack)  # at a fixed radius it is another's
    foreign = hasattr(adversary, "library")
    said: dict[str, Any] = dict(adversary.parameters) if foreign else {}

    def parameter(name: str, default: int) -> int:
        return int(said.get(name, getattr(adversary, name, default)))

    if queries := parameter("queries", 0):
        return Passes(queries + 1, 0)
    gradients = parameter("steps", parameter("max_iter", _FOREIGN_STEPS if foreign else 1))
    for repeated in ("restarts", "targets", "eot"):
        gradients *= parameter(repeated, 1)
    return Passes(gradients + 1, gradients)
