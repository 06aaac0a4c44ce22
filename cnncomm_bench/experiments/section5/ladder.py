"""Trains the networks of Section 5.3: a ladder from no noise to strong adversaries, and those that calibrate it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from ...attacks import parse
from ..training import Disturbance, at_snr
from .local_global import LEARNED_GLOBAL, LEARNED_LOCAL
from .patches import cutoff, low_pass, shuffle_patches
from .setting import Setting

STANDARD, AGAIN = "no noise", "no noise, again"
_TRAINING = "fgm"


@dataclass(frozen=True)
class Size:
    """How large the experiment is made.

    Attributes
    ----------
    ladder_db : tuple of float
        SNRs of the adversarial trainings, below the one without noise.
    networks : int
        Trained alike on each rung, from different seeds.
    tests : int
        Test images that are attacked.
    epochs : int, optional
        Of each training; the setting's by default.
    """

    ladder_db: tuple[float, ...]
    networks: int
    tests: int
    epochs: int | None = None


LAPTOP = Size(ladder_db=(35.0, 25.0, 15.0), networks=2, tests=200, epochs=4)
FULL = Size(ladder_db=(40.0, 35.0, 30.0, 25.0, 20.0, 15.0), networks=3, tests=2000)


@dataclass(frozen=True)
class Network:
    """A trained network and its rung of the ladder."""

    name: str
    training: str
    model: nn.Module
    control: bool = False


def train_networks(setting: Setting, size: Size) -> list[Network]:
    """Networks of the ladder, from no noise to the strongest, and more without noise for the control."""
    trained = []
    for training in (None, *size.ladder_db):
        name = STANDARD if training is None else f"{training:g} dB"
        # As many again without noise: the control sets them against the first ones, as if they were a rung.
        for seed in range(size.networks if training is not None else 2 * size.networks):
            disturb = None if training is None else at_snr(parse(_TRAINING), training, seed)
            title = f"tradeoff {name} #{seed}"
            model = setting.trained(
                title, setting.train_images, setting.train_labels, disturb=disturb, epochs=size.epochs, seed=seed
            )
            trained.append(Network(f"{name} #{seed}", name, model, control=seed >= size.networks))
    return trained


def train_calibration(setting: Setting, size: Size, grid: int) -> dict[str, list[nn.Module]]:
    """Networks that learn local features alone and global ones alone, at one scale.

    Parameters
    ----------
    setting : Setting
    size : Size
    grid : int
        Patches along a side.

    Returns
    -------
    dict of str to list of nn.Module
        Networks of `LEARNED_LOCAL` and `LEARNED_GLOBAL`.
    """
    highest = cutoff(grid, *setting.test_images.shape[2:])
    lessons: dict[str, Disturbance] = {
        LEARNED_LOCAL: lambda model, images, labels, step: shuffle_patches(images, grid, seed=step),
        LEARNED_GLOBAL: lambda model, images, labels, step: low_pass(images, highest),
    }
    return {
        name: [
            setting.trained(
                f"tradeoff {name} {grid} #{seed}", setting.train_images, setting.train_labels, disturb=disturb,
                epochs=size.epochs, seed=seed,
            )
            for seed in range(size.networks)
        ]
        for name, disturb in lessons.items()
    }  # fmt: skip


def by_training(networks: Iterable[Network]) -> dict[str, list[nn.Module]]:
    """Networks of each rung from no noise to the strongest; the control's are `AGAIN`."""
    found: dict[str, list[nn.Module]] = {}
    for network in networks:
        found.setdefault(AGAIN if network.control else network.training, []).append(network.model)
    return found
