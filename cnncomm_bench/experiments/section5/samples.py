"""Tests whether robust learning needs more data (Section 5.2; Schmidt et al. 2018).

Standard and robust training on a geometric ladder of training sets, all with the same number of steps, so that only
the data differ. In the paper's analogy data are transmit power: the exchange rate is how many dB of threshold a
doubling of the data buys.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from ...attacks import parse
from ...data import balanced_subset
from ...evaluation import evaluate
from ...results.claims import Claim, decide
from ...results.statistics import (
    Counts,
    Curve,
    common_level,
    effect_of,
    estimate,
    threshold,
    wilson,
    with_signs,
)
from ..training import BATCH_SIZE, at_snr
from . import curve_figures as figures
from .experiment_result import ExperimentResult
from .rates import exchange_rate, ladder, needed, permuted_rate
from .setting import Setting

KINDS = ("standard", "robust")
RUNGS, FULL_RUNGS = 6, 8
REPEATS, FULL_REPEATS = 1, 3
STEPS, FULL_STEPS = 200, 4000
TESTS, FULL_TESTS = 400, 1000
TRAINING_DB = 20.0
TRAINING_ATTACK = "fgm"
ATTACK = "pgd:steps=10"
GRID_DB = tuple(float(snr_db) for snr_db in range(0, 55, 5))
RESAMPLES = 1000


def run(setting: Setting) -> ExperimentResult:
    """Train on ever more images, with and without an adversary, and see what each doubling buys.

    Returns
    -------
    ExperimentResult
        Tables `samples` (a row for each training) and `exchange` (dB a doubling).

    Raises
    ------
    BenchError
        Data too small for the ladder, a factory that does not fit, a training that diverges.
    """
    rungs, repeats = (FULL_RUNGS, FULL_REPEATS) if setting.full else (RUNGS, REPEATS)
    setting.need("samples", train=2 * setting.classes * 2 ** (rungs - 1), test=10 * setting.classes)
    sizes = ladder(len(setting.train_images), rungs)
    trainings = [(kind, size, repeat) for repeat in range(repeats) for size in sizes for kind in KINDS]
    tests, truth = (part.cpu() for part in setting.tests(FULL_TESTS if setting.full else TESTS))
    predictions = []
    for training in trainings:
        model = network(setting, *training)
        found = evaluate(
            model, tests, truth, attacks=[ATTACK], snr_db=GRID_DB, seed=setting.seed, device=setting.device,
            name=_name(*training),
        )  # fmt: skip
        predictions.append(found.predictions)
    counts = Counts(pd.concat(predictions), classes=setting.classes, seed=setting.seed, resamples=RESAMPLES)
    table = pd.DataFrame([_row(counts, curve, *training) for curve, training in zip(counts.curves, trainings)])
    exchange, claims = [], []
    for kind in KINDS:
        row, judged = _judge(counts, kind, [t for t in trainings if t[0] == kind], setting.seed)
        exchange.append(row)
        claims += judged
    claims.insert(0, _gap(counts, trainings, sizes))
    rates = pd.DataFrame(exchange)
    return ExperimentResult(
        "samples",
        tables={"samples": with_signs(table, GRID_DB[0], GRID_DB[-1]), "exchange": rates},
        claims=claims,
        figures={"samples": figures.samples(table, rates)},
        text=_text(table, rates, claims[0]),
    )


def network(setting: Setting, kind: str, size: int, repeat: int = 0) -> nn.Module:
    """A network of the ladder.

    Parameters
    ----------
    setting : Setting
    kind : {"standard", "robust"}
        Robust: trained on single-step adversarial images at 20 dB.
    size : int
        How many training images, balanced over the classes.
    repeat : int
        Another choice of images, and another network.
    """
    rows = balanced_subset(setting.train_labels.numpy(), size, 1000 * setting.seed + repeat)
    chosen = torch.from_numpy(rows)
    steps = FULL_STEPS if setting.full else STEPS
    return setting.trained(
        f"samples {_name(kind, size, repeat)}",
        setting.train_images[chosen],
        setting.train_labels[chosen],
        disturb=at_snr(parse(TRAINING_ATTACK), TRAINING_DB, setting.seed) if kind == "robust" else None,
        epochs=max(1, round(steps / -(-size // BATCH_SIZE))),
        seed=repeat,
    )


def _judge(
    counts: Counts, kind: str, trainings: list[tuple[str, int, int]], seed: int
) -> tuple[dict[str, Any], list[Claim]]:
    everyone = np.ones(len(counts.images), dtype=np.bool_)
    level = common_level(counts, everyone)
    found = [threshold(counts, _curve(counts, *training), everyone, level).at for training in trainings]
    raw = np.stack(found, axis=1)
    values = np.nan_to_num(raw, nan=GRID_DB[-1]).clip(GRID_DB[0], GRID_DB[-1])
    doublings = np.log2([size for _, size, _ in trainings])
    rate, control = exchange_rate(values, doublings, seed=seed), permuted_rate(values[0], doublings, seed=seed)
    off = int((~np.isfinite(raw[0])).sum())
    where = f"threshold of {ATTACK} against the logarithm of {trainings[0][1]} to {trainings[-1][1]} training images"
    claims = [
        decide("samples", f"{kind} training", "realised", rate, f"dB a doubling, {where}",
               reason=f"{off} of {len(raw[0])} thresholds are off the grid" if off else ""),
        decide("samples-control", f"{kind} training", "realised", control, f"dB a doubling, {where}"),
    ]  # fmt: skip
    names = ("db_per_doubling", "low", "high", "permuted", "permuted_low", "permuted_high")
    return {"training": kind, **dict(zip(names, (*rate.interval, *control)))}, claims


def _gap(counts: Counts, trainings: list[tuple[str, int, int]], sizes: list[int]) -> Claim:
    """How many doublings more data robust learning needs: Schmidt's sample complexity gap."""
    accuracies = counts.accuracies(np.ones(len(counts.images), dtype=np.bool_))
    mean = {}
    for kind in KINDS:
        cells = [[_cell(_curve(counts, *t), kind) for t in trainings if t[:2] == (kind, size)] for size in sizes]
        mean[kind] = accuracies[:, cells].mean(2)
    doublings = np.log2(sizes)
    behind = doublings[-1] - needed(mean["standard"], doublings, mean["robust"][:, -1])
    effect = effect_of(behind, len(counts.images))
    whole = float(doublings[-1] - doublings[0])
    bounded = effect.at >= whole
    evidence = (
        f"doublings of the data from standard training's accuracy on clean images to the same accuracy of robust "
        f"training under {ATTACK} at {TRAINING_DB:g} dB, which is {mean['robust'][0, -1]:.3f} with {sizes[-1]} images"
        + (f"; standard training has it with {sizes[0]} images already, so this is a lower bound" if bounded else "")
    )
    if bounded:
        effect = effect._replace(high=np.inf)
    return decide("samples-gap", "robust against standard training", "realised", effect, evidence)


def _row(counts: Counts, curve: Curve, kind: str, size: int, repeat: int) -> dict[str, Any]:
    everyone = np.ones(len(counts.images), dtype=np.bool_)
    accuracies = counts.accuracies(everyone)[0]
    row: dict[str, Any] = {"training": kind, "images": size, "repeat": repeat}
    for name, cell in (("accuracy", curve.clean), ("robust_accuracy", _cell(curve, "robust"))):
        low, high = wilson(accuracies[cell], np.array(everyone.sum()))
        row |= {name: float(accuracies[cell]), f"{name}_low": float(low), f"{name}_high": float(high)}
    level = common_level(counts, everyone)
    at, low_db, high_db = estimate(threshold(counts, curve, everyone, level))
    return row | {"level": float(level[0]), "threshold_db": at, "low": low_db, "high": high_db}


def _cell(curve: Curve, kind: str) -> int:
    """Where the accuracy that a kind of training strives for is counted: on clean images, or under attack."""
    return curve.clean if kind == "standard" else int(curve.cells[curve.snr_db == TRAINING_DB][0])


def _curve(counts: Counts, kind: str, size: int, repeat: int) -> Curve:
    return next(curve for curve in counts.curves if curve.model == _name(kind, size, repeat))


def _name(kind: str, size: int, repeat: int) -> str:
    return f"{kind} {size} #{repeat}"


def _text(table: pd.DataFrame, rates: pd.DataFrame, gap: Claim) -> str:
    lines = []
    for kind, rate in zip(KINDS, rates.itertuples()):
        rows = table[(table.training == kind) & (table.repeat == 0)]
        first, last = rows.iloc[0], rows.iloc[-1]
        lines.append(
            f"{kind.capitalize()} training, from {first.images} to {last.images} images: accuracy "
            f"{first.accuracy:.3f} to {last.accuracy:.3f}, accuracy at {TRAINING_DB:g} dB {first.robust_accuracy:.3f} "
            f"to {last.robust_accuracy:.3f}; a doubling buys {rate.db_per_doubling:.2f} dB of threshold "
            f"(95 % interval {rate.low:.2f} to {rate.high:.2f}; permuted sizes {rate.permuted_low:.2f} to "
            f"{rate.permuted_high:.2f})."
        )
    bound = "" if gap.high is not None else "at least "
    return "\n".join([*lines, f"Robust learning needs {bound}{gap.effect:.1f} doublings more data: {gap.evidence}."])
