"""Warnings from a run's predictions: an adversary failed for another reason than robustness.

The signs are those of Athalye, Carlini and Wagner 2018 (section 3.1) and in the checklist of Carlini et al. 2019.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from .suites import Entry

ATHALYE = "Athalye, Carlini and Wagner 2018, arXiv:1802.00420"
CARLINI = "Carlini et al. 2019, arXiv:1902.06705"
_MISSED = 0.02, 5  # share and number of images that a black box must fool beyond the gradient attacks
_SIGMAS = 3.0  # of chance that a difference in accuracy must exceed


def gradient_warnings(predictions: pd.DataFrame, attacks: Sequence[Entry]) -> list[str]:
    """What a run's predictions say about the attacks of that run.

    Parameters
    ----------
    predictions : DataFrame
        Columns `model`, `attack`, `ruler`, `seed`, `snr_db`, `image`, `label`, `prediction`.
    attacks : sequence of Entry
        The attacks of the run, with what each declared; those at a radius are left out.

    Returns
    -------
    list of str
        One line for each finding, beginning with the model.
    """
    found = []
    over_grid = {entry.spec: entry for entry in attacks if not entry.at_radius}
    adversaries = [spec for spec, entry in over_grid.items() if entry.adversary]
    rows = predictions[predictions["attack"].isin(over_grid) & (predictions["ruler"] == "realised")]
    for model, own in rows.groupby("model", sort=False):
        # Seeds repeat what an image shows: the first is enough, and pairs with attacks that have only that.
        own = own[own["seed"] == own.groupby("attack")["seed"].transform("min")]
        # Every finding compares with an adversary, which often ran on few of the images.
        own = own[own["image"].isin(own.loc[own["attack"].isin(adversaries), "image"].unique())]
        if own.empty:
            continue
        fooled = (own["prediction"] != own["label"]).groupby([own["attack"], own["snr_db"], own["image"]]).first()
        table = fooled.unstack("attack")
        ran = [over_grid[spec] for spec in table if spec in over_grid]
        # Only an attack that searches a ball says whether the gradient is of use there.
        searching = [entry for entry in ran if entry.uses_gradient and entry.norm]
        single = [entry for entry in searching if not entry.iterative]
        iterated = [entry for entry in searching if entry.iterative]
        specs = [entry.spec for entry in iterated]
        lines = [
            *_overtaken(table, single, iterated),
            *_missed(table, [entry.spec for entry in ran if not entry.uses_gradient], specs),
            *_floor(table, specs, own["label"].nunique()),
        ]
        found += [f"{model}: {line}" for line in lines]
    return found


def _overtaken(table: pd.DataFrame, single: list[Entry], iterated: list[Entry]) -> Iterator[str]:
    for first in single:
        # One step in L2 may well beat many in L-infinity, at the same power.
        for second in (entry for entry in iterated if entry.norm in (first.norm, "l2")):
            one, many = first.spec, second.spec
            pairs = table[[one, many]].dropna().astype(bool)
            snr_db, ahead = _by_snr(pairs[one] & ~pairs[many])
            _, behind = _by_snr(pairs[many] & ~pairs[one])
            excess = np.where(ahead > behind, ahead - behind - _SIGMAS * np.sqrt(ahead + behind), -np.inf)
            if len(excess) and excess.max() >= 0:
                most = int(excess.argmax())
                yield (
                    f"{one} is stronger than {many}: at {snr_db[most]:g} dB it fools {ahead[most]} images that {many} "
                    f"misses, and misses {behind[most]} that {many} fools; the gradient misleads after one step "
                    f"({ATHALYE}, section 3.1)"
                )


def _missed(table: pd.DataFrame, blind: list[str], iterated: list[str]) -> Iterator[str]:
    share, number = _MISSED
    for name in blind if iterated else ():
        pairs = table[[name, *iterated]].dropna().astype(bool)
        snr_db, missed = _by_snr(pairs[name] & ~pairs[iterated].any(axis=1))
        _, images = _by_snr(pd.Series(True, index=pairs.index))
        odd = np.where((missed >= number) & (missed >= share * images), missed, -1)
        if len(odd) and odd.max() >= 0:
            most = int(odd.argmax())
            yield (
                f"{name}, which uses no gradient, fools {missed[most]} of {images[most]} images at {snr_db[most]:g} dB "
                f"that {', '.join(iterated)} do not: the gradient is masked, read `worst` instead "
                f"({ATHALYE}, section 3.1; {CARLINI})"
            )


def _floor(table: pd.DataFrame, iterated: list[str], classes: int) -> Iterator[str]:
    pairs = table[iterated].dropna().astype(bool)
    snr_db = pairs.index.get_level_values("snr_db").to_numpy(dtype=float)
    lowest = snr_db.min() if iterated and len(pairs) else math.inf
    if lowest > 0:
        return
    right = ~pairs.to_numpy()[snr_db == lowest].any(axis=1)
    chance = 1 / classes
    if right.mean() > chance + _SIGMAS * math.sqrt(chance * (1 - chance) / len(right)):
        yield (
            f"accuracy does not fall: at {lowest:g} dB the budget suffices to turn every image black, yet "
            f"{right.mean():.0%} of {len(right)} stay right under {', '.join(iterated)}; the attack fails, "
            f"the model need not be robust ({CARLINI}, on unbounded attacks)"
        )


def _by_snr(chosen: pd.Series[bool]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """SNRs in rising order, and how many images are chosen at each."""
    snr_db, of_row = np.unique(chosen.index.get_level_values("snr_db").to_numpy(dtype=float), return_inverse=True)
    return snr_db, np.bincount(of_row[chosen.to_numpy()], minlength=len(snr_db))


def _name(spec: str) -> str:
    return spec.partition(":")[0]
