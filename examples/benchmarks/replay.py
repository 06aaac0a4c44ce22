"""How many passes three designs take to a precision, replayed over the stored predictions of a run.

    cnncomm-bench --model MODEL --snr 0:50:2.5 --samples 2000 --out RUN
    python examples/benchmarks/replay.py RUN [--precision 0.5]

Of each attack: a fixed grid of 5 dB steps and the auto grid, with as few images as bring the threshold's 95 % interval
within +-precision, and the sequential design of `--precision`. A noise takes a pass at each SNR; an adversary counts
one where it attacks an image, which it does from the smallest budget on until the image is fooled. Every image takes
one more, unharmed. The run's SNRs are all that can be replayed; "more" says that its images do not suffice.
"""

import argparse
import itertools
import math
from collections.abc import Sequence

import numpy as np
from tabulate import tabulate

from cnncomm_bench import Run
from cnncomm_bench.results.statistics import (
    PILOT_IMAGES,
    Answers,
    block_ends,
    estimate,
    lay_grid,
    next_points,
    pilot_points,
)

Points = tuple[float, ...]
Cells = list[tuple[slice, Points]]


class Stored:
    """What one model answered under one attack, its images in a seeded order."""

    def __init__(self, run: Run, model: str, attack: str, *, adversary: bool) -> None:
        frame = run.predictions[run.predictions.model == model]
        right = frame.assign(right=frame.prediction == frame.label)
        hits = right[right.attack == attack].pivot_table(index="snr_db", columns="image", values="right")
        order = np.random.default_rng(0).permutation(hits.shape[1])
        self.snr_db: list[float] = hits.index.tolist()
        self.hits = hits.to_numpy(float)[:, order]
        clean = right[right.attack == "clean"].set_index("image").right.loc[hits.columns].to_numpy(float)
        self.clean, self.chance, self.adversary = clean[order], 1 / run.info.data.classes, adversary

    def answers(self, cells: Cells) -> Answers:
        """Blocks of images, each at its own SNRs."""
        points = sorted({db for _, each in cells for db in each})
        count = max(rows.stop for rows, _ in cells)
        hits, ran = np.zeros((len(points), count)), np.zeros((len(points), count), dtype=bool)
        for rows, each in cells:
            for db in each:
                hits[points.index(db), rows] = self.hits[self.snr_db.index(db), rows]
                ran[points.index(db), rows] = True
        return Answers(np.array(points), hits, ran, self.clean[:count], self.chance)

    def passes(self, cells: Cells) -> int:
        """Passes, or attacked images, that the cells take; and one an image unharmed."""
        total = max(rows.stop for rows, _ in cells)
        for rows, each in cells:
            left = self.clean[rows] if self.adversary else np.ones(rows.stop - rows.start)
            for db in sorted(each, reverse=True):
                total += int(left.sum())
                if self.adversary:
                    left = self.hits[self.snr_db.index(db), rows]
        return total

    def known(self, points: Sequence[float]) -> Points:
        """Those of the SNRs that were run."""
        return tuple(db for db in points if db in self.snr_db)

    def pilot(self) -> tuple[Answers, Points]:
        """The pilot, as far as the run has its SNRs."""
        points: Points = ()
        seen: list[Answers] = []
        while more := set(self.known(pilot_points(seen, adversary=self.adversary))) - set(points):
            points = tuple(sorted({*points, *more}))
            seen = [self.answers([(slice(0, PILOT_IMAGES), points)])]
        return seen[0], points


def on_grid(stored: Stored, grid: Points, precision: float) -> Cells | None:
    """As few images on one grid as suffice."""
    for images in block_ends(len(stored.clean)):
        cells = [(slice(0, images), grid)]
        if _reached(stored.answers(cells), precision):
            return cells
    return None


def sequential(stored: Stored, precision: float) -> Cells | None:
    """The pilot, and blocks at the SNRs around the threshold."""
    seen, points = stored.pilot()
    ends = block_ends(len(stored.clean))
    cells = [(slice(0, ends[0]), points)]
    for first, last in itertools.pairwise(ends):
        points = stored.known(next_points(seen, precision))
        if not points:
            return cells
        cells.append((slice(first, last), points))
        seen = stored.answers(cells)
    return cells if _reached(seen, precision) else None


def _reached(seen: Answers, precision: float) -> bool:
    at, low, high = estimate(seen.threshold())
    return seen.hits.shape[1] > PILOT_IMAGES and math.isfinite(at) and max(high - at, at - low) <= precision


def _row(name: str, attack: str, stored: Stored, precision: float) -> list[object]:
    seen, pilot = stored.pilot()
    fixed = on_grid(stored, stored.known(range(0, 105, 5)), precision)
    auto = on_grid(stored, stored.known(lay_grid([seen])), precision)
    local = sequential(stored, precision)
    counts = [None if cells is None else stored.passes(cells) for cells in (fixed, auto, local)]
    if counts[1] is not None:
        counts[1] += stored.passes([(slice(0, PILOT_IMAGES), pilot)])
    ratio = f"{counts[0] / counts[2]:.1f}" if counts[0] and counts[2] else ""
    images = "more" if local is None else str(local[-1][0].stop)
    return [name, attack, *("more" if count is None else f"{count:,}" for count in counts), images, ratio]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--precision", type=float, default=0.5, metavar="DB")
    given = parser.parse_args()
    run = Run.open(given.run)
    rows = [
        _row(model.name, entry.spec, Stored(run, model.name, entry.spec, adversary=entry.adversary), given.precision)
        for model in run.info.models
        for entry in run.info.suite.attacks
        if not entry.at_radius
    ]
    headers = ["model", "attack", "fixed grid", "auto grid", "sequential", "its images", "fixed / sequential"]
    print(f"passes to +-{given.precision:g} dB\n\n{tabulate(rows, headers=headers, disable_numparse=True)}")


if __name__ == "__main__":
    main()
