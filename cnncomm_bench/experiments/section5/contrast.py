"""Tests whether the images' own contrast is transmit power (Fig. 2): how much noise a network bears as it falls.

Pixels are scaled by one factor, so that the power of formula (1) falls by as many dB as the factor says. A link bears
as many dB less of noise. A network may not: images of low contrast are strange to it beside being weak. The range that
noise is clipped to is scaled as well, so that clipping takes the same share of it at each contrast.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from torch import Tensor, nn

from ...attacks import Logits
from ...evaluation import evaluate
from ...results.claims import UNKNOWN, Claim, Interval, decide
from ...results.statistics import Counts, Effect, Floats, common_level, estimate, threshold, with_signs
from .experiment_result import ExperimentResult
from .rates import exchange_rate
from .setting import Setting

POWERS_DB = (-12.0, -9.0, -6.0, -3.0, 0.0)
"""Of the images, against their own."""

GRID_DB = tuple(float(snr_db) for snr_db in range(-5, 45, 5))
ATTACK = "gaussian"
TESTS, FULL_TESTS = 500, 2000
LINK = 1.0
"""What a link bears for each dB of signal."""


def run(setting: Setting) -> ExperimentResult:
    """Measure the threshold of one network at several contrasts, and of copies at full contrast for the control.

    Parameters
    ----------
    setting : Setting
        Its `source`, or a network trained on its images.

    Returns
    -------
    ExperimentResult
        Table `contrast`, a row a contrast and one a copy.

    Raises
    ------
    BenchError
        Too few images, a training that diverges.
    """
    setting.need("contrast", train=10 * setting.classes, test=10 * setting.classes)
    source = setting.source or setting.trained("source", setting.train_images, setting.train_labels)
    images, labels = setting.tests(FULL_TESTS if setting.full else TESTS)
    trials = {f"{power_db:g} dB": (power_db, 0) for power_db in POWERS_DB}
    trials |= {f"copy {copy}": (0.0, copy) for copy in range(1, len(POWERS_DB))}
    predictions = [
        evaluate(
            _scaled(source, power_db), images, labels, attacks=[ATTACK], snr_db=GRID_DB, seed=setting.seed + copy,
            device=setting.device, name=name,
        ).predictions.assign(seed=setting.seed)
        for name, (power_db, copy) in trials.items()
    ]  # fmt: skip
    counts = Counts(pd.concat(predictions, ignore_index=True), classes=setting.classes, seed=setting.seed)
    everyone = np.ones(len(counts.images), dtype=np.bool_)
    level = common_level(counts, everyone)
    crossed = {curve.model: threshold(counts, curve, everyone, level) for curve in counts.curves}
    snr_db = {name: found.at for name, found in crossed.items()}
    contrasts, copies = list(trials)[: len(POWERS_DB)], list(trials)[len(POWERS_DB) - 1 :]
    claims = [
        _judge("contrast", _borne(snr_db, contrasts, setting.seed), len(counts.images)),
        _judge("contrast-control", _borne(snr_db, copies, setting.seed, LINK), len(counts.images)),
    ]
    table = pd.DataFrame(
        [(name, trials[name][0], *estimate(found)) for name, found in crossed.items()],
        columns=["trial", "power_db", "threshold_db", "low", "high"],
    )
    table = with_signs(table, GRID_DB[0], GRID_DB[-1])
    return ExperimentResult("contrast", tables={"contrast": table}, claims=claims, text=_text(claims[0]))


def _scaled(network: nn.Module, power_db: float) -> Logits:
    """The network behind an attenuation: noise on images scaled first is noise on them of another power, scaled."""
    factor = 10 ** (power_db / 20)

    def predict(images: Tensor) -> Tensor:
        logits: Tensor = network(factor * images)
        return logits

    return predict


def _borne(snr_db: dict[str, Floats], names: list[str], seed: int, less: float = 0.0) -> Effect | Interval:
    """DB of noise that are borne for each dB of `POWERS_DB`, less a rate, with the interval of `exchange_rate`.

    The noise borne is the power of the images less their threshold SNR.
    """
    powers_db = np.array(POWERS_DB)
    thresholds = np.stack([snr_db[name] for name in names], axis=1)
    if not np.isfinite(thresholds[0]).all():
        return UNKNOWN
    bounded = np.nan_to_num(thresholds, nan=GRID_DB[-1]).clip(GRID_DB[0], GRID_DB[-1])
    return exchange_rate(bounded - (1 - less) * powers_db, powers_db, seed=seed)


def _judge(name: str, effect: Effect | Interval, images: int) -> Claim:
    reason = "" if np.isfinite(effect[0]) else "a threshold is off the grid"
    inside = "inside" if effect[1] <= LINK <= effect[2] else "outside"
    range_db = f"{POWERS_DB[0]:g} to {POWERS_DB[-1]:g} dB"
    evidence = f"dB of white noise borne for each dB of signal, {range_db}, {images} images"
    if name == "contrast" and not reason:
        evidence += f"; a link's {LINK:g} is {inside} the interval"
    about = f"one network (a link: {LINK:g})" if name == "contrast" else "one network"
    return decide(name, about, "realised", effect, evidence, reason=reason, statement=_STATEMENTS[name])


_STATEMENTS = {
    "contrast": (
        "The images' contrast is transmit power (Ge et al., Section 3, in our words): a network bears the more noise "
        "the more of it they have."
    ),
    "contrast-control": (
        "Control, to come out undecided: full contrast five times, under other noise, makes no difference, whatever "
        "power it is called."
    ),
}


def _text(claim: Claim) -> str:
    if claim.effect is None or claim.low is None or claim.high is None:
        return f"The noise borne for each dB of contrast is unknown: {claim.evidence}."
    return (
        f"For each dB of contrast the network bears {claim.effect:.2f} dB more of white noise (95 % interval "
        f"{claim.low:.2f} to {claim.high:.2f}); a link bears {LINK:g}."
    )
