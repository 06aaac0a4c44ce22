"""Tests whether robustness costs accuracy (Section 5.3; Tsipras et al. 2018).

A ladder of trainings: without noise, then on fast-gradient adversaries of ever lower SNR. Each network's clean accuracy
is set against its threshold in dB, under pgd and under each noise; so are the features it uses: its map of
carriers, what it leans on (`local_global`), its input gradients (`gradients`). `dropped_carriers` is the link's half.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from torch import nn

from ...evaluation import evaluate
from ...results.claims import Claim, decide
from ...results.statistics import CLEAN, Counts, Floats, with_signs
from . import dropped_carriers, gradients, local_global, tradeoff_figures
from .association import Ladder, association, clean_accuracy, threshold_table
from .carriers import IMAGES, carrier_map
from .experiment_result import ExperimentResult
from .ladder import AGAIN, FULL, LAPTOP, STANDARD, Network, Size, by_training, train_calibration, train_networks
from .patches import grids
from .setting import Setting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ADVERSARY = "pgd:steps=10"
NOISES = ("gaussian", "cauchy", "impulse-square")
CARRIER_DB = 10.0
PICTURES = 10
_ADVERSARY_GRID = tuple(float(db) for db in range(5, 50, 5))
_NOISE_GRID = tuple(float(db) for db in range(-15, 45, 5))


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
        Tables `tradeoff` (a row for each network and attack), `association`, `views`, `leaning`, `gradients`, `link`
        and `carriers`.

    Raises
    ------
    BenchError
        Too few images, a factory that does not fit the data, a training that diverges.
    """
    size = size or (FULL if setting.full else LAPTOP)
    setting.need("tradeoff", train=20 * setting.classes, test=10 * setting.classes)
    scales = grids(*setting.test_images.shape[2:])
    networks = train_networks(setting, size)
    counts = Counts(_predictions(setting, size, networks), classes=setting.classes, seed=setting.seed)
    accuracy = clean_accuracy({network.name: network.model for network in networks}, *setting.tests(), setting.device,
                              resamples=counts.resamples, seed=setting.seed)  # fmt: skip
    table = _table(networks, counts, accuracy)
    associated, claims = _judge(networks, counts, accuracy, size, setting.seed)
    trained = by_training(networks)
    robust = list(trained)[-1]
    calibrating = train_calibration(setting, size, scales[(len(scales) - 1) // 2])
    kept = local_global.measure({**trained, **calibrating}, *setting.tests(), seed=setting.seed)
    aligned = gradients.measure(trained, setting.tests(IMAGES)[0], seed=setting.seed)
    link, link_claims = dropped_carriers.run(setting.seed)
    some = setting.tests(size.tests)
    firsts = [network for network in networks if network.name.endswith("#0")]
    carriers = _stack(firsts, lambda model: carrier_map(model, *some, CARRIER_DB, setting.device, seed=setting.seed))
    views, leaning = local_global.views_table(kept), local_global.leaning_table(kept)
    return ExperimentResult(
        name="tradeoff",
        tables={
            "tradeoff": _numbers(table), "association": associated, "views": views, "leaning": leaning,
            "gradients": gradients.table(aligned), "link": link, "carriers": carriers,
        },
        claims=[
            *claims, *local_global.judge(kept, STANDARD, AGAIN, robust),
            *gradients.judge(aligned, STANDARD, AGAIN, robust), *link_claims,
        ],
        figures={
            "tradeoff": tradeoff_figures.plane(table),
            "views": tradeoff_figures.views(views, chance=1 / setting.classes),
            "gradients": _pictures(setting, {name: trained[name][0] for name in (STANDARD, robust)}),
            "link": tradeoff_figures.link(link, _curves(counts, networks, robust)),
            "carriers": tradeoff_figures.carriers(carriers),
        },
        text=_text(table, claims, leaning, link),
    )  # fmt: skip


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
    """The thresholds, with the training of each network, and whether it is of the ladder or of the control."""
    table, known = threshold_table(counts, accuracy), {network.name: network for network in networks}
    table.insert(1, "training", [known[name].training for name in table.network])
    table.insert(2, "part", ["control" if known[name].control else "ladder" for name in table.network])
    return table


def _numbers(table: pd.DataFrame) -> pd.DataFrame:
    """The table for its file; thresholds off the grid are bounds."""
    grids = [_ADVERSARY_GRID if attack == ADVERSARY else _NOISE_GRID for attack in table.attack]
    return with_signs(table, [grid[0] for grid in grids], [grid[-1] for grid in grids])


def _stack(networks: list[Network], measure: Callable[[nn.Module], pd.DataFrame]) -> pd.DataFrame:
    """One table of what was measured on each network, its training in front."""
    frames = [measure(network.model).assign(training=network.training) for network in networks]
    stacked = pd.concat(frames, ignore_index=True)
    return stacked[["training", *stacked.columns.drop("training")]]


def _curves(counts: Counts, networks: Iterable[Network], robust: str) -> pd.DataFrame:
    """Accuracy of the standard and the robust training under white noise and under pgd, means over their networks."""
    accuracy = counts.accuracies(np.ones(len(counts.images), dtype=np.bool_))[0]
    training = {network.name: network.training for network in networks if not network.control}
    rows = [
        (training[curve.model], curve.attack, snr_db, accuracy[cell])
        for attack in (NOISES[0], ADVERSARY) for curve in counts.curves
        if curve.attack == attack and training.get(curve.model) in (STANDARD, robust)
        for snr_db, cell in zip(curve.snr_db, curve.cells, strict=True)
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["training", "noise", "snr_db", "accuracy"])
    return table.groupby(["training", "noise", "snr_db"], sort=False, as_index=False).mean()


def _pictures(setting: Setting, models: dict[str, nn.Module]) -> Figure:
    """Input gradients for the first test image of each class."""
    images, labels = setting.tests()
    places = (int((labels == label).nonzero()[0, 0]) for label in sorted(set(labels.tolist())))
    chosen = images[list(places)[:PICTURES]]
    found = {name: gradients.input_gradients(model, chosen) for name, model in models.items()}
    return tradeoff_figures.gradients(chosen, gradients.edges(chosen), found)


def _text(table: pd.DataFrame, claims: list[Claim], leaning: pd.DataFrame, link: pd.DataFrame) -> str:
    """What came out, in a few sentences."""
    mine = table[(table.attack == ADVERSARY) & (table.part == "ladder")]
    means = mine.groupby("training", sort=False)[["clean", "threshold_db"]].mean()
    ladder = "; ".join(f"{row.Index}: {row.clean:.3f}, {row.threshold_db:.1f} dB" for row in means.itertuples())
    judged = leaning[leaning.training.isin([means.index[0], means.index[-1]])]
    leant = "; ".join(
        f"{row.training} at equal {row.equal} {row.on_local:.3f} and {row.on_global:.3f}" for row in judged.itertuples()
    )
    at = link[link.snr_db == dropped_carriers.JUDGED_DB].set_index(["noise", "receiver"]).rate
    rates = "; ".join(
        f"{noise} {at[noise, dropped_carriers.ALL]:.3f} and {at[noise, dropped_carriers.DROP]:.3f}"
        for noise in (dropped_carriers.WHITE, dropped_carriers.JAMMER)
    )
    return "\n\n".join([
        f"Clean accuracy and threshold under {ADVERSARY}, by the SNR trained at: {ladder}.",
        "Clean accuracy lost per 10 dB of threshold gained: " + "; ".join(map(_sentence, claims)) + ".",
        f"Accuracy where local features alone are left, and where global ones are: {leant}.",
        f"Rate of the link's receiver with all carriers, and of that which drops {dropped_carriers.JAMMED} of "
        f"{dropped_carriers.CARRIERS}, at {dropped_carriers.JUDGED_DB:g} dB: {rates}.",
    ])  # fmt: skip


def _sentence(claim: Claim) -> str:
    if claim.effect is None:
        return f"{claim.model} unknown"
    low, high = ("unbounded" if end is None else f"{end:+.3f}" for end in (claim.low, claim.high))
    return f"{claim.model} {claim.effect:+.3f} ({low} to {high})"
