"""Tests capsules, and their reconstructions as check bits (Section 5.4; Sabour, Frosst and Hinton 2017).

Capsule networks and CNNs of one stem are trained from several seeds to the same clean accuracy, and compared by their
thresholds in dB under noise and pgd. Then the error of the image that each draws of its own decision is the check,
beside that of two streams. Controls: routing of one iteration, a CNN with a decoder, and the drawing of another class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import pandas as pd
from torch import Tensor, nn

from ...evaluation import evaluate
from ...results import gradient_warnings
from ...results.statistics import Counts, with_signs
from ..training import cross_entropy
from . import capsules_figures
from .association import clean_accuracy, threshold_table
from .capsnet import CapsNet, ClassVectors, ConvNet
from .capsules_claims import (
    ADVERSARY,
    ALIKE,
    BLACK_BOX,
    CAPSULES,
    CNN,
    DRAWING,
    NOISES,
    ONCE,
    OTHER,
    OWN,
    STREAMS,
    judge,
    sentences,
)
from .experiment_result import ExperimentResult
from .reception import measure
from .reconstruction import Reconstruction
from .setting import Setting
from .trial import LOW, Trial, detection_table, gains_table, signed_gains, undetected_table
from .twostream import LowResolution, TwoStreams

GRID_DB = tuple(float(db) for db in range(-5, 40, 5))

ADAM = 0.02
"""Adam's learning rate, in units of that of the other trainings: stochastic descent alone hardly moves the decoder."""

Networks = dict[str, list[ClassVectors]]


@dataclass(frozen=True)
class Size:
    """How large the experiment is made.

    Attributes
    ----------
    networks : int
        Trained alike of each kind, from different seeds.
    tests : int
        Test images that are attacked.
    checked : int
        Images on which the checks are tried, and as many others that set the level of the alarm.
    epochs, cnn_epochs : int
        Of the capsule networks, which learn more slowly, and of the CNNs: about the same clean accuracy.
    """

    networks: int
    tests: int
    checked: int
    epochs: int
    cnn_epochs: int


LAPTOP = Size(networks=3, tests=200, checked=80, epochs=8, cnn_epochs=5)
FULL = Size(networks=5, tests=2000, checked=1000, epochs=40, cnn_epochs=25)


def run(setting: Setting, size: Size | None = None) -> ExperimentResult:
    """Train capsule networks and CNNs, measure their thresholds and checks, and judge what the capsules are worth.

    Parameters
    ----------
    setting : Setting
        Its factory is not used: both networks are made for its images, of any size and number of channels.
    size : Size, optional
        By default `FULL` where the setting is, else `LAPTOP`.

    Returns
    -------
    ExperimentResult
        Tables `capsules` (a row for each network and attack), `detection`, `undetected` and `gains`.

    Raises
    ------
    BenchError
        Too few images, a training that diverges.
    """
    size = size or (FULL if setting.full else LAPTOP)
    setting.need("capsules", train=20 * setting.classes, test=20 * setting.classes)
    networks = train_networks(setting, size)
    predictions, warnings = _predictions(setting, size, networks)
    counts = Counts(predictions, classes=setting.classes, seed=setting.seed)
    models = {f"{kind} #{seed}": model for kind, members in networks.items() for seed, model in enumerate(members)}
    accuracy = clean_accuracy(models, *setting.tests(), setting.device, resamples=counts.resamples, seed=setting.seed)
    trials = _trials(setting, size, networks)
    table, undetected = threshold_table(counts, accuracy), _stacked(trials, undetected_table)
    table.insert(0, "kind", table.network.str.partition(" #")[0])
    claims = judge(counts, accuracy, trials, warnings)
    return ExperimentResult(
        name="capsules",
        tables={
            "capsules": with_signs(table, GRID_DB[0], GRID_DB[-1]),
            "detection": _stacked(trials, detection_table),
            "undetected": undetected,
            "gains": _stacked(trials, lambda trial: signed_gains(trial, gains_table(trial))),
        },
        claims=claims,
        figures={
            "capsules": capsules_figures.thresholds(table),
            "undetected": capsules_figures.undetected(undetected),
            "drawings": capsules_figures.drawings(networks[CAPSULES][0], *setting.tests(200)),
        },
        text=sentences(table, claims, warnings),
    )


def train_networks(setting: Setting, size: Size) -> Networks:
    """Networks of each kind, as many again of the CNN for the control."""
    classes, shape, networks = setting.classes, _shape(setting), range(size.networks)
    kinds: dict[str, tuple[Callable[[], ClassVectors], int, range]] = {
        CAPSULES: (lambda: CapsNet(classes, shape), size.epochs, networks),
        ONCE: (lambda: CapsNet(classes, shape, iterations=1), size.epochs, networks),
        CNN: (lambda: ConvNet(classes, shape, decoder=False), size.cnn_epochs, networks),
        DRAWING: (lambda: ConvNet(classes, shape), size.cnn_epochs, networks),
        ALIKE: (
            lambda: ConvNet(classes, shape, decoder=False),
            size.cnn_epochs,
            range(len(networks), 2 * len(networks)),
        ),
    }
    return {
        kind: [cast("ClassVectors", _trained(setting, kind, make, epochs, seed)) for seed in seeds]
        for kind, (make, epochs, seeds) in kinds.items()
    }


def _shape(setting: Setting) -> tuple[int, int, int]:
    _, channels, height, width = setting.test_images.shape
    return channels, height, width


def _trained(setting: Setting, kind: str, make: Callable[[], nn.Module], epochs: int, seed: int) -> nn.Module:
    mine = replace(setting, factory=make, learning_rate=ADAM * setting.learning_rate)
    return mine.trained(
        f"capsules {kind} #{seed}", mine.train_images, mine.train_labels, objective=_objective, optimiser="adam",
        epochs=epochs, seed=seed,
    )  # fmt: skip


def _objective(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    return model.loss(images, labels) if isinstance(model, ClassVectors) else cross_entropy(model, images, labels)


def _predictions(setting: Setting, size: Size, networks: Networks) -> tuple[pd.DataFrame, list[str]]:
    """Predictions under all attacks, and where a gradient attack is weaker than one that needs no gradient."""
    images, labels = setting.tests(size.tests)
    predictions, warnings = [], []
    for kind, members in networks.items():
        for seed, model in enumerate(members):
            attacks = (ADVERSARY, *NOISES) if kind in (CAPSULES, CNN) else (ADVERSARY,)
            if kind in (CAPSULES, CNN) and seed == 0:
                attacks = (*attacks, BLACK_BOX)
            run = evaluate(
                model, images, labels, attacks=attacks, snr_db=GRID_DB, seed=setting.seed, device=setting.device,
                name=f"{kind} #{seed}",
            )  # fmt: skip
            predictions.append(run.predictions)
            warnings += gradient_warnings(run.predictions, run.info.suite.attacks)
    return pd.concat(predictions, ignore_index=True), warnings


def _trials(setting: Setting, size: Size, networks: Networks) -> dict[str, list[Trial]]:
    """Each network under its checks: what it draws, and for the plain CNN a second stream of low resolution."""

    def low_resolution() -> nn.Module:
        return nn.Sequential(LowResolution(), ConvNet(setting.classes, _shape(setting), decoder=False))

    trials: dict[str, list[Trial]] = {CAPSULES: [], DRAWING: [], STREAMS: []}
    for seed in range(size.networks):
        capsules, drawing, plain = (networks[kind][seed] for kind in (CAPSULES, DRAWING, CNN))
        second = _trained(setting, "low resolution", low_resolution, size.cnn_epochs, size.networks + seed)
        for kind, checks in (
            (CAPSULES, {OWN: Reconstruction(capsules), OTHER: Reconstruction(capsules, other=True)}),
            (DRAWING, {OWN: Reconstruction(drawing)}),
            (STREAMS, {LOW: TwoStreams(plain, second).eval()}),
        ):
            trials[kind].append(measure(setting, checks, size.checked, NOISES))
    return trials


def _stacked(trials: dict[str, list[Trial]], tabulate: Callable[[Trial], pd.DataFrame]) -> pd.DataFrame:
    """One table of all trials, the network in front."""
    frames = [
        tabulate(trial).assign(kind=kind, network=f"{kind} #{seed}")
        for kind, members in trials.items()
        for seed, trial in enumerate(members)
    ]
    stacked = pd.concat(frames, ignore_index=True)
    return stacked[["kind", "network", *stacked.columns.drop(["kind", "network"])]]
