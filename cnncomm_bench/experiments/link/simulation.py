"""The communication link: bit error rates against SNR, under the noise that also disturbs the images.

The way of the data, each step one small module:

    data -> frames.build       source coding: a header, a payload and a checksum
         -> coding.encode      channel coding (none, convolutional, LDPC), and an interleaver
         -> modulation         BPSK, QPSK, 16-QAM: amplitudes on the arms of a carrier
         -> channel.send       alpha-stable noise, a jammer's tone or a burst, at an SNR by a ruler
         -> receiver           demodulation: how much each sample speaks for a zero or a one
         -> coding.decode      the most likely data
         -> frames.accepted    the checksum: which errors were noticed

`chain` puts them in a row, `link_settings` lists the rows, `counting` decides when a point is done and gives its
interval, `ber_table` stores the results. Follows Ge et al., Fig. 1.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from ..._utils.errors import RunFolderError
from ...report import plots
from ...results.statistics import capacity
from .ber_table import LinkFolder, read
from .chain import Chain
from .link_settings import Curve, Settings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FULL", "Settings", "open_link", "simulate"]

FULL: dict[str, Any] = {
    "snr_db": "-10:50:2.5",
    "codes": ("none", "conv", "ldpc"),
    "coded_bits": 500_000,
}
"""What `--full` simulates instead of the defaults."""


def simulate(
    settings: Settings, folder: str | Path | None = None, *, command: str = "", quiet: bool = False
) -> pd.DataFrame:
    """Simulate the curves of a link.

    A curve ends at the first SNR without an error among all its bits: above it there are fewer.

    Parameters
    ----------
    settings : Settings
        From `Settings.of`.
    folder : str or Path, optional
        Where `link.json`, `ber.csv` and the figure go; one that holds a part of the same is resumed.
    command : str
        What was typed, for `link.json`.
    quiet : bool
        Show no progress.

    Returns
    -------
    DataFrame
        A row for each curve and SNR, as in `ber.csv`: what was sent, bits, errors and rates with their 95 %
        intervals, the system's rate and Shannon's capacity in bits a real sample.

    Raises
    ------
    BenchError
        The folder holds something else, or a code needs a package that is not installed.

    Examples
    --------
    >>> table = simulate(Settings.of(alphas=[2], codes=["none"], rulers=["dispersion"], snr_db=[0]), quiet=True)
    >>> bool(table.ber_low[0] < 0.1587 < table.ber_high[0])
    True
    """
    kept = LinkFolder(settings, None if folder is None else Path(folder), command)
    curves = settings.curves()
    with tqdm(total=len(curves) * len(settings.snr_db), unit="point", disable=quiet, mininterval=0.5) as progress:
        for curve in curves:
            progress.set_description(f"{curve.noise.spec}, {curve.modulation}, {curve.code}, {curve.ruler}")
            left = len(settings.snr_db)
            if not kept.holds(curve):
                begun, rows = time.monotonic(), []
                for row in _points(curve, settings):
                    rows.append(row)
                    progress.update()
                    left -= 1
                kept.add(rows, time.monotonic() - begun)
            progress.update(left)
    kept.write(finished=True)
    if kept.folder is not None:
        from . import ber_figure as figure

        plots.save(figure.plot(kept.table, "Bit error rate against SNR"), kept.folder, "ber")
    return kept.table


def open_link(folder: str | Path) -> pd.DataFrame:
    """The numbers of a finished simulation.

    Returns
    -------
    DataFrame
        See `simulate`.

    Raises
    ------
    RunFolderError
        No link, one that is not finished, or a damaged one.
    """
    info, table = read(Path(folder))
    if not info.finished:
        raise RunFolderError(f"{folder} is not finished; this command resumes it: {info.command}")
    return table


def _points(curve: Curve, settings: Settings) -> Iterator[dict[str, Any]]:
    chain = Chain(curve)
    for snr_db in settings.snr_db:
        counted = chain.measure(snr_db, settings.rule(curve), settings.seed).row()
        known = {"snr_db": snr_db, "rate": chain.rate, "capacity": float(capacity(snr_db))}
        yield {**curve.columns, **known, **counted}
        if counted["errors"] == 0:
            return
