"""Signs, in a run's predictions, that an adversary failed for another reason than robustness.

What is looked for is in Athalye, Carlini and Wagner 2018 (section 3.1) and in the checklist of Carlini et al. 2019.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .suites import Entry

if TYPE_CHECKING:
    import pandas as pd


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
        One line for each finding, beginning with the model; empty where nothing is odd.
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
            ahead = (pairs[one] & ~pairs[many]).groupby("snr_db").sum()
            behind = (pairs[many] & ~pairs[one]).groupby("snr_db").sum()
            excess = (ahead - behind - _SIGMAS * (ahead + behind) ** 0.5)[ahead > behind]
            if len(excess) and excess.max() >= 0:
                snr_db = excess.idxmax()
                yield (
                    f"{one} is stronger than {many}: at {snr_db:g} dB it fools {ahead[snr_db]} images that {many} "
                    f"misses, and misses {behind[snr_db]} that {many} fools; the gradient leads astray after one "
                    f"step ({ATHALYE}, section 3.1)"
                )


def _missed(table: pd.DataFrame, blind: list[str], iterated: list[str]) -> Iterator[str]:
    share, number = _MISSED
    for name in blind if iterated else ():
        pairs = table[[name, *iterated]].dropna().astype(bool)
        missed = (pairs[name] & ~pairs[iterated].any(axis=1)).groupby("snr_db").agg(["sum", "count"])
        odd = missed[(missed["sum"] >= number) & (missed["sum"] >= share * missed["count"])]
        if len(odd):
            snr_db = odd["sum"].idxmax()
            yield (
                f"{name}, which sees no gradient, fools {odd['sum'][snr_db]} of {odd['count'][snr_db]} images at "
                f"{snr_db:g} dB that {', '.join(iterated)} do not: the gradient is masked, read `worst` instead "
                f"({ATHALYE}, section 3.1; {CARLINI})"
            )


def _floor(table: pd.DataFrame, iterated: list[str], classes: int) -> Iterator[str]:
    pairs = table[iterated].dropna().astype(bool)
    lowest = pairs.index.get_level_values("snr_db").min() if iterated and len(pairs) else math.inf
    if lowest > 0:
        return
    right = ~pairs.xs(lowest, level="snr_db").any(axis=1)
    chance = 1 / classes
    if right.mean() > chance + _SIGMAS * math.sqrt(chance * (1 - chance) / len(right)):
        yield (
            f"accuracy does not fall: at {lowest:g} dB the budget suffices to turn every image black, yet "
            f"{right.mean():.0%} of {len(right)} stay right under {', '.join(iterated)}; the attack fails, "
            f"the model need not be robust ({CARLINI}, on unbounded attacks)"
        )
