"""Compares the special CNN on images with receivers that know its images, and with the best code that exists.

A network is trained in Gaussian noise and one in Cauchy noise, and both are tested under every alpha, on every ruler.
The images of a trained transmitter are a code of ten words: beside the CNN they are received by the likelihood of the
noise that it was trained in, which is the best receiver there. The best ten words in Gaussian noise are a simplex.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.special import ndtr
from tabulate import tabulate
from torch import Tensor

from ..._utils.atomic import make_folder, write_text
from ..._utils.errors import UsageError
from ...report import plots
from ..link import Channel, Counts, Received, Rule, Settings, Stable, alpha_order
from . import image_networks
from .autoencoder import SpecialCnn
from .image_figure import draw

TRAINED_IN = {"gaussian": 2.0, "cauchy": 1.0}
RULER = "dispersion"
"""On which the SNRs of the training are."""

SNR_DB = "-30:15:2.5"
STEPS, MAX_LABELS = 600, 2000
SIMPLEX = "simplex, theory"
_ERRORS = 300
_BATCH = 250

Decide = Callable[[Received], Tensor]
"""What arrives, shape-(N, m), to labels of shape-(N,)."""


class Rate(NamedTuple):
    """Row of `special-images.csv`: a point, how many labels were sent and wrong, and the interval of their rate."""

    alpha: float
    system: str
    ruler: str
    snr_db: float
    labels: int
    errors: int
    rate: float
    low: float
    high: float


def compare(
    alphas: Sequence[float | str] = (2.0, 1.5, 1.0, 0.5),
    snr_db: str | Sequence[float] = SNR_DB,
    rulers: Sequence[str] = ("dispersion", "geometric", "realised"),
    *,
    size: int = 28,
    out: str | Path,
    steps: int = STEPS,
    max_labels: int = MAX_LABELS,
    seed: int = 0,
    quiet: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train special CNNs on images, and count wrong labels under alpha-stable noise.

    Parameters
    ----------
    alphas : sequence of float or str
        Of the noise that is tested.
    snr_db : str or sequence of float
        As for the link.
    rulers : sequence of str
    size : int
        Side of the images.
    out : str or Path
        Folder for `special-images.csv`, `special-images-order.csv` and the figure.
    steps : int
        Of each training.
    max_labels : int
        Where a point ends without enough errors.
    seed : int
    quiet : bool
        Show no progress.

    Returns
    -------
    rates, orders : DataFrame
        See `Rate`; and for each system and ruler whether errors grow as alpha shrinks, see `link.alpha_order`. A curve
        ends at its first point without an error.

    Raises
    ------
    UsageError
    """
    if steps < 1:
        raise UsageError(f"{steps} steps of training: expected at least 1", "steps")
    design = image_networks.design(size)
    settings = Settings.of(alphas=tuple(alphas), snr_db=snr_db, rulers=tuple(rulers), max_bits=max_labels, seed=seed)
    rule, folder = Rule(_ERRORS, max_labels), make_folder(Path(out))
    rows: list[Rate] = []
    books = {}
    for name, alpha in TRAINED_IN.items():
        trained = SpecialCnn(Stable(alpha), RULER, design, steps=steps, batch=128, seed=seed, quiet=quiet)
        with torch.inference_mode():
            books[name] = trained.transmitter(torch.arange(design.labels))
        for system, decide in _receivers(name, trained, books[name]).items():
            for ruler in settings.rulers:
                for tested in settings.alphas:
                    rows += _curve(books[name], decide, tested, system, ruler, settings.snr_db, rule, seed)
    rows += [
        Rate(2.0, SIMPLEX, ruler, db, 0, 0, *[simplex_error(db, size**2, design.labels)] * 3)
        for ruler in settings.rulers for db in settings.snr_db if 2.0 in settings.alphas
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    order = _order(table)
    write_text(folder / "special-images.csv", table.to_csv(index=False))
    write_text(folder / "special-images-order.csv", order.to_csv(index=False))
    plots.save(draw(table, {name: book.reshape(-1, size, size).numpy() for name, book in books.items()}), folder,
               "special-images")  # fmt: skip
    return table, order


def simplex_error(snr_db: float, samples: int, labels: int) -> float:
    """Error rate of a simplex code in Gaussian noise (Proakis and Salehi 2008, Section 4.4).

    Its words of energy E are as far apart as orthogonal ones of energy E M / (M - 1); a label is right where its own
    correlation with the noisy word is above the M - 1 others'.

    Examples
    --------
    >>> round(simplex_error(0.0, 2, 2), 4)  # antipodal: Q(sqrt(E)), E = 2 samples of power one
    0.0786
    """
    energy = samples * 10 ** (snr_db / 10) * labels / (labels - 1)
    z = np.linspace(-9, 9, 4001)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    wrong = -np.expm1((labels - 1) * np.log(ndtr(z + np.sqrt(energy))))
    return float(np.trapezoid(density * wrong, z))


def as_text(table: pd.DataFrame, order: pd.DataFrame) -> str:
    """Label error rates by system and SNR, and the verdicts on the order of the alphas."""
    wide = table.pivot(index=["ruler", "system", "alpha"], columns="snr_db", values="rate")
    written = wide.map(lambda rate: "" if np.isnan(rate) else f"{rate:.1e}").reset_index()
    rates = tabulate(written.to_dict("list"), headers="keys", disable_numparse=True)
    if order.empty:
        return f"label error rate\n\n{rates}"
    verdicts = tabulate(order.to_dict("list"), headers="keys", disable_numparse=True)
    return f"label error rate\n\n{rates}\n\nthe smaller alpha, the more errors?\n\n{verdicts}"


def _receivers(name: str, trained: SpecialCnn, book: Tensor) -> dict[str, Decide]:
    words = book.double()

    @torch.inference_mode()
    def cnn(received: Received) -> Tensor:
        found: Tensor = trained.receiver(received.samples).argmax(1)
        return found

    def gaussian(received: Received) -> Tensor:
        return (received.samples.double() @ words.T).argmax(1)

    def cauchy(received: Received) -> Tensor:
        samples, scale = received.samples.double(), received.dispersion.double()
        return torch.stack([-torch.log(scale**2 + (samples - word) ** 2).sum(1) for word in words], 1).argmax(1)

    likelihood = {"gaussian": gaussian, "cauchy": cauchy}[name]
    return {f"CNN trained in {name} noise": cnn, f"its images, {name} likelihood": likelihood}


def _curve(
    book: Tensor, decide: Decide, alpha: float, system: str, ruler: str, grid: Sequence[float], rule: Rule, seed: int
) -> list[Rate]:
    rows = []
    for snr_db in grid:
        counts = _count(book, decide, Channel(Stable(alpha), ruler, snr_db), rule, seed)
        found: dict[str, Any] = counts.row()
        rows.append(Rate(alpha, system, ruler, snr_db, *(found[name] for name in
                         ("bits", "errors", "ber", "ber_low", "ber_high"))))  # fmt: skip
        if not counts.bit_errors:
            break
    return rows


def _count(book: Tensor, decide: Decide, channel: Channel, rule: Rule, seed: int) -> Counts:
    """Wrong labels, each a frame of one; all systems get the same labels and the same draws of noise."""
    counts, generator = Counts(rule, independent=True), np.random.default_rng([seed, 1])
    while not counts.done:
        labels = generator.integers(0, len(book), _BATCH)
        guesses = decide(channel.send(book[torch.from_numpy(labels)], 1, generator)).numpy()
        counts.add((guesses != labels)[:, None], np.zeros(_BATCH, dtype=np.bool_))
    return counts


def _order(table: pd.DataFrame) -> pd.DataFrame:
    """The link's comparison of neighbouring alphas, with the rate of wrong labels for that of bits."""
    counted = table[table.system != SIMPLEX].rename(columns={"rate": "ber", "low": "ber_low", "high": "ber_high"})
    noise = [Stable(alpha).spec for alpha in counted.alpha]
    as_link = counted.assign(noise=noise, modulation=counted.system, code="", receiver="", interleaver="", frame=1)
    found = alpha_order(as_link)
    wanted = ["modulation", "ruler", "verdict", "agree", "disagree", "undecided", "agree_db", "disagree_db"]
    return found.reindex(columns=wanted).rename(columns={"modulation": "system"})
