"""Tests whether robustness costs accuracy (Section 5.3; Tsipras et al. 2018).

A ladder of trainings: without noise, then on fast-gradient adversaries of ever lower SNR. Each network's clean accuracy
is set against its threshold in dB, under pgd and under each noise; so are the features it uses: its map of
carriers, and its accuracy on images with shuffled patches (local features) or without fine detail (global features).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from torch import nn

from ...attacks import parse
from ...evaluation import evaluate
from ...results.claims import Claim, bootstrapped, decide
from ...results.statistics import CLEAN, Counts, Floats, common_level, estimate, resample, threshold, with_signs
from ..training import at_snr
from . import patches, tradeoff_figures
from .association import Ladder, association
from .carriers import carrier_map, right
from .experiment_result import ExperimentResult
from .setting import Setting

STANDARD = "no noise"
ADVERSARY = "pgd:steps=10"
NOISES = ("gaussian", "cauchy", "impulse-square")
CARRIER_DB = 10.0
_TRAINING = "fgm"
_ADVERSARY_GRID = tuple(float(db) for db in range(5, 50, 5))
_NOISE_GRID = tuple(float(db) for db in range(-15, 45, 5))


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


def run(setting: Setting, size: Size | None = None) -> ExperimentResult:
    """Train the ladder, measure each network, and judge whether robustness costs accuracy.

    Parameters
    ----------
    setting : Setting
    size : Size, optional
        By default `FULL` where the setting is, else `LAPTOP`.

    Returns
    -------
    ExperimentResult
        Tables `tradeoff` (a row for each network and attack), `association`, `views` and `carriers`.

    Raises
    ------
    BenchError
        Too few images, a factory that does not fit the data, a training that diverges.
    """
    size = size or (FULL if setting.full else LAPTOP)
    setting.need("tradeoff", train=20 * setting.classes, test=10 * setting.classes)
    networks = train_networks(setting, size)
    counts = Counts(_predictions(setting, size, networks), classes=setting.classes, seed=setting.seed)
    accuracy = _clean(setting, networks, counts.resamples)
    table = _table(networks, counts, accuracy)
    associated, claims = _judge(networks, counts, accuracy, size, setting.seed)
    firsts = [network for network in networks if network.name.endswith("#0")]
    views = _stack(firsts, lambda model: patches.accuracies(model, *setting.tests(), seed=setting.seed))
    some = setting.tests(size.tests)
    carriers = _stack(firsts, lambda model: carrier_map(model, *some, CARRIER_DB, setting.device, seed=setting.seed))
    return ExperimentResult(
        name="tradeoff",
        tables={"tradeoff": _numbers(table), "association": associated, "views": views, "carriers": carriers},
        claims=claims,
        figures={
            "tradeoff": tradeoff_figures.plane(table),
            "views": tradeoff_figures.views(views, chance=1 / setting.classes),
            "carriers": tradeoff_figures.carriers(carriers),
        },
        text=_text(table, claims, views),
    )


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


def _predictions(setting: Setting, size: Size, networks: Iterable[Network]) -> pd.DataFrame:
    images, labels = setting.tests(size.tests)
    found = []
    for network in networks:
        for attacks, grid in (((ADVERSARY,), _ADVERSARY_GRID), (NOISES, _NOISE_GRID)):
            run = evaluate(
                network.model, images, labels, attacks=attacks, snr_db=grid, seed=setting.seed,
                device=setting.device, name=network.name,
            )  # fmt: skip
            again = (run.predictions.attack == CLEAN) & (attacks == NOISES)  # clean predictions count once
            found.append(run.predictions[~again].astype({"model": object, "attack": object, "ruler": object}))
    return pd.concat(found, ignore_index=True)


def _clean(setting: Setting, networks: list[Network], resamples: int) -> dict[str, Floats]:
    """Clean accuracy on all test images, in the sample and in samples of them, the same for all networks."""
    images, labels = setting.tests()
    weights = resample(len(images), resamples, setting.seed).astype(np.float32)
    return {
        network.name: weights @ right(network.model, images, labels, [None], 0.0, setting.device)[0] / len(images)
        for network in networks
    }


def _judge(
    networks: list[Network], counts: Counts, accuracy: dict[str, Floats], size: Size, seed: int
) -> tuple[pd.DataFrame, list[Claim]]:
    """Association under each attack, and of the control: networks trained alike, as if they were two rungs."""
    rungs = _rungs([network for network in networks if not network.control])
    alike = [network.name for network in networks if network.training == STANDARD]
    sham = [alike[: size.networks], alike[size.networks :]]
    claims = []
    for attack in (ADVERSARY, *NOISES):
        effect, reason = association(Ladder.of(counts, rungs, attack, accuracy), seed)
        about = f"{len(rungs)} trainings of {size.networks} networks, {len(counts.images)} attacked images"
        about += "; clean accuracy lost per 10 dB of threshold gained, interval over images and trainings"
        claims.append(decide("tradeoff", f"ladder under {attack}", "realised", effect, about, reason=reason))
    effect, reason = association(Ladder.of(counts, sham, ADVERSARY, accuracy), seed)
    about = f"2 times {size.networks} networks trained without noise from different seeds"
    statement = "Control, to come out undecided: networks that were trained alike show no trade-off."
    control = decide(
        "tradeoff-control", f"no noise, under {ADVERSARY}", "realised", effect, about, reason=reason,
        statement=statement,
    )  # fmt: skip
    claims.append(control)
    rows = [(claim.id, claim.model, claim.effect, claim.low, claim.high) for claim in claims]
    return pd.DataFrame(rows, columns=["claim", "on", "accuracy_per_10_db", "low", "high"]), claims


def _rungs(networks: list[Network]) -> list[list[str]]:
    trainings = dict.fromkeys(network.training for network in networks)
    return [[network.name for network in networks if network.training == training] for training in trainings]


def _table(networks: list[Network], counts: Counts, accuracy: dict[str, Floats]) -> pd.DataFrame:
    """A row for each network and attack: clean accuracy, and the threshold at the level common to all."""
    known = {network.name: network for network in networks}
    rows = []
    for curve in counts.curves:
        network = known[curve.model]
        level, clean = common_level(counts, curve.images), bootstrapped(accuracy[curve.model])
        crossed = estimate(threshold(counts, curve, curve.images, level))
        part = "control" if network.control else "ladder"
        rows.append((network.name, network.training, part, curve.attack, *clean, float(level[0]), *crossed))
    names = ["network", "training", "part", "attack", "clean", "clean_low", "clean_high", "level"]
    return pd.DataFrame(rows, columns=[*names, "threshold_db", "low", "high"])


def _numbers(table: pd.DataFrame) -> pd.DataFrame:
    """The table for its file; thresholds off the grid are bounds."""
    grids = [_ADVERSARY_GRID if attack == ADVERSARY else _NOISE_GRID for attack in table.attack]
    return with_signs(table, [grid[0] for grid in grids], [grid[-1] for grid in grids])


def _stack(networks: list[Network], measure: Callable[[nn.Module], pd.DataFrame]) -> pd.DataFrame:
    """One table of what was measured on each network, its training in front."""
    frames = [measure(network.model).assign(training=network.training) for network in networks]
    stacked = pd.concat(frames, ignore_index=True)
    return stacked[["training", *stacked.columns.drop("training")]]


def _text(table: pd.DataFrame, claims: list[Claim], views: pd.DataFrame) -> str:
    """What came out, in a few sentences."""
    mine = table[(table.attack == ADVERSARY) & (table.part == "ladder")]
    means = mine.groupby("training", sort=False)[["clean", "threshold_db"]].mean()
    ladder = "; ".join(f"{row.Index}: {row.clean:.3f}, {row.threshold_db:.1f} dB" for row in means.itertuples())
    kept = views.pivot(index="view", columns="training", values="accuracy")
    first, last = means.index[0], means.index[-1]
    seen = ", ".join(
        f"{view} {kept.loc[view, first]:.3f} and {kept.loc[view, last]:.3f}" for view in views["view"].unique()
    )
    return "\n\n".join([
        f"Clean accuracy and threshold under {ADVERSARY}, by the SNR trained at: {ladder}.",
        "Clean accuracy lost per 10 dB of threshold gained: " + "; ".join(map(_sentence, claims)) + ".",
        f"Accuracy of the first network trained with {first}, and of that at {last}: {seen}.",
    ])  # fmt: skip


def _sentence(claim: Claim) -> str:
    if claim.effect is None:
        return f"{claim.model} unknown"
    low, high = ("unbounded" if end is None else f"{end:+.3f}" for end in (claim.low, claim.high))
    return f"{claim.model} {claim.effect:+.3f} ({low} to {high})"
