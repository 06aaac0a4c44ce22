"""Tests whether robust learning needs more data (Section 5.2; Schmidt et al. 2018).

Standard and robust training on a geometric ladder of training sets, all with the same number of steps, so that only
the data differ. In the paper's analogy data are transmit power: the exchange rate is how many dB of threshold a
doubling of the data buys, 3.01 dB where data were power. The control is a ladder of copies of the smallest training
set. What the paper says of noise at the carrier's frequency has a module of its own, `carrier_noise`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import nn

from ...attacks import parse
from ...data import balanced_subset
from ...evaluation import evaluate
from ...results.claims import Claim, decide
from ...results.statistics import (
    CONFIDENCE,
    Counts,
    Curve,
    Floats,
    common_level,
    effect_of,
    estimate,
    threshold,
    wilson,
    with_signs,
)
from ..training import BATCH_SIZE, at_snr
from . import carrier_noise
from . import curve_figures as figures
from .carriers import IMAGES
from .experiment_result import ExperimentResult
from .rates import exchange_rate, ladder, needed, permuted_rates
from .setting import Setting

KINDS = ("standard", "robust")
CONTROLLED = "robust"
"""The training whose ladder has a control: that of the claim."""
RUNGS, FULL_RUNGS = 6, 8
REPEATS, FULL_REPEATS = 1, 3
STEPS, FULL_STEPS = 200, 4000
TESTS, FULL_TESTS = 400, 1000
TRAINING_DB = 20.0
TRAINING_ATTACK = "fgm"
ATTACK = "pgd:steps=10"
GRID_DB = tuple(float(snr_db) for snr_db in range(0, 55, 5))
RESAMPLES = 1000

DOUBLING_DB = float(10 * np.log10(2))
"""Twice the transmit power, dB: what the analogy predicts for twice the data."""


class Training(NamedTuple):
    """A network of the ladder.

    Attributes
    ----------
    kind : {"standard", "robust"}
        Robust: trained on single-step adversarial images at 20 dB.
    images : int
        Size of the training set, balanced over the classes.
    distinct : int
        How many of them are no copies.
    repeat : int
        Another choice of images, and another network.
    """

    kind: str
    images: int
    distinct: int
    repeat: int = 0

    @property
    def name(self) -> str:
        """Of the training, and of its checkpoint."""
        size = f"{self.images}" if self.distinct == self.images else f"{self.distinct} copied to {self.images}"
        return f"{self.kind} {size} #{self.repeat}"


def run(setting: Setting) -> ExperimentResult:
    """Train on ever more images, with and without an adversary, and see what each doubling buys.

    Returns
    -------
    ExperimentResult
        Tables `samples` (a row for each training), `exchange` (dB a doubling) and `carrier-noise`.

    Raises
    ------
    BenchError
        Data too small for the ladder, a factory that does not fit, a training that diverges.
    """
    rungs, repeats = (FULL_RUNGS, FULL_REPEATS) if setting.full else (RUNGS, REPEATS)
    setting.need("samples", train=2 * setting.classes * 2 ** (rungs - 1), test=10 * setting.classes)
    sizes = ladder(len(setting.train_images), rungs)
    trainings = list(dict.fromkeys(
        Training(kind, size, distinct, repeat)
        for repeat in range(repeats) for size in sizes for kind in KINDS
        for distinct in ((size, sizes[0]) if kind == CONTROLLED else (size,))
    ))  # fmt: skip
    tests, truth = (part.cpu() for part in setting.tests(FULL_TESTS if setting.full else TESTS))
    predictions = [
        evaluate(trained(setting, training), tests, truth, attacks=[ATTACK], snr_db=GRID_DB, seed=setting.seed,
                 device=setting.device, name=training.name).predictions
        for training in trainings
    ]  # fmt: skip
    counts = Counts(pd.concat(predictions), classes=setting.classes, seed=setting.seed, resamples=RESAMPLES)
    table = pd.DataFrame([_row(counts, training) for training in trainings])
    exchange, claims = [], []
    for kind in KINDS:
        row, judged = _judge(counts, [training for training in trainings if training.kind == kind], sizes)
        exchange.append(row)
        claims += judged
    claims.insert(0, _gap(counts, trainings, sizes))
    rates = pd.DataFrame(exchange)
    networks = {kind: network(setting, kind, sizes[-1]) for kind in KINDS}
    harm = carrier_noise.compare(networks, *setting.tests(IMAGES), device=setting.device, seed=setting.seed)
    return ExperimentResult(
        "samples",
        tables={
            "samples": with_signs(table, GRID_DB[0], GRID_DB[-1]),
            "exchange": rates,
            "carrier-noise": carrier_noise.table(harm),
        },
        claims=[*claims, *carrier_noise.judge(harm)],
        figures={"samples": figures.samples(table, rates), "carrier-noise": figures.carrier_noise(harm)},
        text="\n".join([_text(table, rates, claims[0]), carrier_noise.summary(harm)]),
    )


def network(setting: Setting, kind: str, size: int) -> nn.Module:
    """The first network of the ladder of a kind and a size."""
    return trained(setting, Training(kind, size, size))


def trained(setting: Setting, training: Training) -> nn.Module:
    """A network of the ladder; one that is finished is loaded."""
    rows = balanced_subset(setting.train_labels.numpy(), training.distinct, 1000 * setting.seed + training.repeat)
    chosen = torch.from_numpy(np.resize(rows, training.images))
    steps = FULL_STEPS if setting.full else STEPS
    robust = at_snr(parse(TRAINING_ATTACK), TRAINING_DB, setting.seed) if training.kind == "robust" else None
    return setting.trained(
        f"samples {training.name}",
        setting.train_images[chosen],
        setting.train_labels[chosen],
        disturb=robust,
        epochs=max(1, round(steps / -(-training.images // BATCH_SIZE))),
        seed=training.repeat,
    )


def _judge(counts: Counts, trainings: list[Training], sizes: list[int]) -> tuple[dict[str, Any], list[Claim]]:
    """The exchange rate of a kind of training, and that of its control."""
    kind = trainings[0].kind
    growing = [training for training in trainings if training.distinct == training.images]
    what = f"threshold of {ATTACK} against the logarithm of {sizes[0]} to {sizes[-1]} training images"
    row, claim = _rate(counts, "samples", growing, what)
    values, doublings, reason = _thresholds(counts, growing)
    beyond = exchange_rate(values, doublings, seed=counts.seed, predicted=DOUBLING_DB)
    inside = row["low"] <= DOUBLING_DB <= row["high"]
    predicted = decide(
        "samples-rate", f"{kind} training", "realised", beyond,
        f"dB a doubling less the predicted {DOUBLING_DB:.2f}, which is {'within' if inside else 'outside'} the "
        f"interval of what is measured, {row['db_per_doubling']:.2f} ({row['low']:.2f} to {row['high']:.2f}); {what}",
        reason=reason, statement=_STATEMENTS["samples-rate"],
    )  # fmt: skip
    exchange: dict[str, Any] = {"training": kind, "predicted": DOUBLING_DB, **row}
    claims = [claim, predicted]
    if kind == CONTROLLED:
        copies = [training for training in trainings if training.distinct == sizes[0]]
        control, claim = _rate(counts, "samples-control", copies, f"{what}, copies of {sizes[0]}")
        exchange |= {f"copies_{name}": value for name, value in control.items()}
        claims.append(claim)
    return exchange, claims


def _thresholds(counts: Counts, trainings: list[Training]) -> tuple[Floats, Floats, str]:
    """Thresholds in the sample and its bootstrap, logarithms of the sizes, and why they cannot be judged, if so."""
    everyone = np.ones(len(counts.images), dtype=np.bool_)
    level = common_level(counts, everyone)
    raw = np.stack([threshold(counts, _curve(counts, each), everyone, level).at for each in trainings], axis=1)
    off = int((~np.isfinite(raw[0])).sum())
    reason = f"{off} of {len(raw[0])} thresholds are off the grid" if off else ""
    values = np.nan_to_num(raw, nan=GRID_DB[-1]).clip(GRID_DB[0], GRID_DB[-1])
    return values, np.log2([training.images for training in trainings]), reason


def _rate(counts: Counts, name: str, trainings: list[Training], what: str) -> tuple[dict[str, float], Claim]:
    values, doublings, reason = _thresholds(counts, trainings)
    rate = exchange_rate(values, doublings, seed=counts.seed)
    permuted, p = permuted_rates(values[0], doublings, seed=counts.seed)
    if not reason and p >= 1 - CONFIDENCE:
        reason = "sizes in random order give as large a rate too often"
    evidence = (
        f"dB a doubling, {what}; p {p:.2g} of {len(trainings)} sizes in random order, both it and the interval decide"
    )
    claim = decide(name, f"{trainings[0].kind} training", "realised", rate, evidence, reason=reason,
                   statement=_STATEMENTS.get(name, ""))  # fmt: skip
    names = ("db_per_doubling", "low", "high", "permuted_low", "permuted_high", "p")
    return dict(zip(names, (*rate.interval, *permuted[1:], p))), claim


def _gap(counts: Counts, trainings: list[Training], sizes: list[int]) -> Claim:
    """How many doublings more data robust learning needs: Schmidt's sample complexity gap."""
    accuracies = counts.accuracies(np.ones(len(counts.images), dtype=np.bool_))
    mean = {}
    for kind in KINDS:
        cells = [
            [_cell(_curve(counts, each), kind) for each in trainings if each[:3] == (kind, size, size)]
            for size in sizes
        ]
        mean[kind] = accuracies[:, cells].mean(2)
    doublings = np.log2(sizes)
    behind = doublings[-1] - needed(mean["standard"], doublings, mean["robust"][:, -1])
    effect = effect_of(behind, len(counts.images))
    whole = float(doublings[-1] - doublings[0])
    bounded = effect.at >= whole
    evidence = (
        f"doublings of the data from standard training's accuracy on clean images to the same accuracy of robust "
        f"training under {ATTACK} at {TRAINING_DB:g} dB, which is {mean['robust'][0, -1]:.3f} with {sizes[-1]} images, "
        f"interval over {len(counts.images)} test images alone"
        + (f"; standard training has it with {sizes[0]} images already, so this is a lower bound" if bounded else "")
    )
    if bounded:
        effect = effect._replace(high=np.inf)
    return decide("samples-gap", "robust against standard training", "realised", effect, evidence)


def _row(counts: Counts, training: Training) -> dict[str, Any]:
    everyone = np.ones(len(counts.images), dtype=np.bool_)
    accuracies, curve = counts.accuracies(everyone)[0], _curve(counts, training)
    row: dict[str, Any] = {"training": training.kind, "images": training.images, "distinct": training.distinct,
                           "repeat": training.repeat}  # fmt: skip
    for name, cell in (("accuracy", curve.clean), ("robust_accuracy", _cell(curve, "robust"))):
        low, high = wilson(accuracies[cell], np.array(everyone.sum()))
        row |= {name: float(accuracies[cell]), f"{name}_low": float(low), f"{name}_high": float(high)}
    level = common_level(counts, everyone)
    at, low_db, high_db = estimate(threshold(counts, curve, everyone, level))
    return row | {"level": float(level[0]), "threshold_db": at, "low": low_db, "high": high_db}


def _cell(curve: Curve, kind: str) -> int:
    """Where the accuracy that a kind of training strives for is counted: on clean images, or under attack."""
    return curve.clean if kind == "standard" else int(curve.cells[curve.snr_db == TRAINING_DB][0])


def _curve(counts: Counts, training: Training) -> Curve:
    return next(curve for curve in counts.curves if curve.model == training.name)


_STATEMENTS = {
    "samples-rate": (
        "Data are transmit power (Ge et al., Section 5.2, in our words): a doubling of the training images buys at "
        "least what twice the power does, 3.01 dB."
    ),
    "samples-control": (
        "Control, to come out undecided: training sets that grow by copies of the same images buy nothing."
    ),
}


def _text(table: pd.DataFrame, rates: pd.DataFrame, gap: Claim) -> str:
    lines = []
    for kind, rate in zip(KINDS, rates.itertuples()):
        rows = table[(table.training == kind) & (table.repeat == 0) & (table.distinct == table.images)]
        first, last = rows.iloc[0], rows.iloc[-1]
        lines.append(
            f"{kind.capitalize()} training, from {first.images} to {last.images} images: accuracy "
            f"{first.accuracy:.3f} to {last.accuracy:.3f}, accuracy at {TRAINING_DB:g} dB {first.robust_accuracy:.3f} "
            f"to {last.robust_accuracy:.3f}; a doubling buys {rate.db_per_doubling:.2f} dB of threshold "
            f"(95 % interval {rate.low:.2f} to {rate.high:.2f}; predicted {DOUBLING_DB:.2f}; p {rate.p:.2g} of sizes "
            "in random order)."
        )
    lines.append(
        f"{CONTROLLED.capitalize()} training on copies of the smallest set: "
        f"{rate.copies_db_per_doubling:.2f} dB a doubling ({rate.copies_low:.2f} to {rate.copies_high:.2f}; "
        f"p {rate.copies_p:.2g})."
    )
    bound = "" if gap.high is not None else "at least "
    return "\n".join([*lines, f"Robust learning needs {bound}{gap.effect:.1f} doublings more data: {gap.evidence}."])
