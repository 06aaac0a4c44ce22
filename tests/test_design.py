"""The auto grid and the sequential design on simulated images whose thresholds are known."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import binom, gumbel_r, logistic, norm, skewnorm

from cnncomm_bench.results.statistics import design
from cnncomm_bench.results.statistics.design import Answers
from cnncomm_bench.results.statistics.thresholds import estimate

CHANCE, CLEAN = 0.1, 0.9
LAWS = {
    "normal": norm(),
    "logistic": logistic(scale=math.sqrt(3) / math.pi),
    "skewed right": skewnorm(4, scale=1 / 0.63),
    "skewed left": skewnorm(-4, scale=1 / 0.63),
    "gumbel": gumbel_r(scale=math.sqrt(6) / math.pi),
}
"""Of standard deviation one."""

FAILURE = 1e-4
NOMINAL = 0.95
# The percentile interval of a skewed law and some hundred images covers at 0.93, on any grid.
REPORTED = 0.93


def bound(rate: float, draws: int) -> float:
    """Share of covering intervals below which the rate is refuted: fails once in 10,000 runs of the tests."""
    return float(binom.ppf(FAILURE, draws, rate)) / draws


@dataclass(frozen=True)
class Population:
    """Images with tolerances of a law in dB, some of which are right again well below their tolerance."""

    law: str
    spread: float
    floor: float
    recovering: float = 0.0

    def accuracy(self, snr_db: float, centre: float) -> float:
        """In the limit of many images."""
        cdf, x = LAWS[self.law].cdf, (snr_db - centre) / self.spread
        up = cdf(x) + self.recovering * (cdf(x + 2) - cdf(x + 1))
        return float(self.floor + (CLEAN - self.floor) * up)

    def threshold(self, centre: float) -> float:
        level = (CLEAN + CHANCE) / 2
        return float(
            brentq(lambda x: self.accuracy(x, centre) - level, centre - 9 * self.spread, centre + 9 * self.spread)
        )

    def draw(self, rng: np.random.Generator, centre: float, images: int) -> Images:
        tolerance = centre + self.spread * LAWS[self.law].rvs(images, random_state=rng)
        right, lucky = rng.random(images) < CLEAN, rng.random(images) < self.floor
        return Images(tolerance, right, lucky, rng.random(images) < self.recovering, self.spread)


@dataclass(frozen=True)
class Images:
    tolerance: np.ndarray
    clean: np.ndarray
    lucky: np.ndarray
    recovers: np.ndarray
    spread: float

    def right(self, snr_db: float, rows: slice) -> np.ndarray:
        tolerance, reach = self.tolerance[rows], self.spread
        again = self.recovers[rows] & (snr_db >= tolerance - 2 * reach) & (snr_db < tolerance - reach)
        return np.where((snr_db >= tolerance) | again, self.clean[rows], self.lucky[rows])

    def seen(self, cells: list[tuple[slice, tuple[float, ...]]]) -> Answers:
        """What blocks of images, each at its own SNRs, answered."""
        snr_db = sorted({db for _, points in cells for db in points})
        count = max(rows.stop for rows, _ in cells)
        hits, ran = np.zeros((len(snr_db), count)), np.zeros((len(snr_db), count), dtype=bool)
        for rows, points in cells:
            for db in points:
                hits[snr_db.index(db), rows], ran[snr_db.index(db), rows] = self.right(db, rows), True
        return Answers(np.array(snr_db), hits, ran, self.clean[:count].astype(float), CHANCE)


def pilot(images: Images, *, adversary: bool) -> tuple[Answers, tuple[float, ...]]:
    rows, points, seen = slice(0, design.PILOT_IMAGES), (), []
    while more := design.pilot_points(seen, adversary=adversary):
        points = tuple(sorted({*points, *more}))
        seen = [images.seen([(rows, points)])]
    return seen[0], points


def sequential(images: Images, precision: float, *, adversary: bool) -> tuple[Answers, int]:
    """Blocks until the threshold is known; and the passes they took, clean ones included."""
    seen, points = pilot(images, adversary=adversary)
    ends = design.block_ends(len(images.clean))
    cells = [(slice(0, ends[0]), points)]
    for first, last in itertools.pairwise(ends):
        points = design.next_points(seen, precision)
        if not points:
            break
        cells.append((slice(first, last), points))
        seen = images.seen(cells)
    return seen, seen.hits.shape[1] + sum((rows.stop - rows.start) * len(points) for rows, points in cells)


def test_the_pilot_follows_an_adversary_upwards_and_a_noise_downwards():
    rng = np.random.default_rng(1)
    strong = Population("normal", 4, 0).draw(rng, 68, 64)
    _, points = pilot(strong, adversary=True)
    assert points[0] == 0
    assert 70 < points[-1] < 100
    never = Images(np.full(64, 999.0), np.ones(64, bool), np.zeros(64, bool), np.zeros(64, bool), 1)
    assert pilot(never, adversary=True)[1] == tuple(range(0, 101, 10))
    weak = Population("normal", 4, 0.1).draw(rng, -13, 64)
    assert pilot(weak, adversary=False)[1][0] == -20
    assert pilot(weak, adversary=True)[1][0] == 0


def test_the_grid_is_fine_where_any_model_rises_and_holds_the_multiples_of_10_db():
    rng = np.random.default_rng(2)
    models = [Population("normal", 3, 0.1).draw(rng, centre, 64) for centre in (12, 27)]
    points: tuple[float, ...] = ()
    seen: list[Answers] = []
    while more := design.pilot_points(seen, adversary=False):
        points = tuple(sorted({*points, *more}))
        seen = [images.seen([(slice(0, 64), points)]) for images in models]
    grid = design.lay_grid(seen)
    assert {0, 10, 20, 30, 40, 50} <= set(grid)
    for centre in (12, 27):
        inside = [db for db in grid if centre - 3.9 < db < centre + 3.9]
        assert len(inside) >= 3
        assert all(db % 1.25 == 0 for db in inside)
    assert not [db for db in grid if 40 < db < 50]


def test_a_cliff_gets_finer_steps_and_a_wide_curve_none():
    rng = np.random.default_rng(3)
    for spread, step in ((0.8, 0.625), (5, 2.5)):
        seen, _ = pilot(Population("normal", spread, 0).draw(rng, 23.1, 64), adversary=True)
        grid = np.array(design.lay_grid([seen]))
        assert step / 2 <= np.diff(grid)[np.searchsorted(grid, 23.1) - 1] <= 2 * step if spread < 1 else step


@pytest.mark.parametrize("law", LAWS)
def test_thresholds_under_the_auto_grid_cover(law: str):
    """At spreads of 0.4 to 8 dB and any place of the curve between the grid's points."""
    rng = np.random.default_rng(4)
    draws, images, covered = 60, 500, 0
    for draw in range(draws):
        floor, spread = (0.0, 0.1)[draw % 2], float(np.exp(rng.uniform(math.log(0.4), math.log(8))))
        population, centre = Population(law, spread, floor), float(rng.uniform(20, 30))
        drawn = population.draw(rng, centre, images)
        seen, _ = pilot(drawn, adversary=floor == 0)
        found = drawn.seen([(slice(0, images), design.lay_grid([seen]))]).threshold()
        at, low, high = estimate(found)
        assert math.isfinite(at)
        covered += low <= population.threshold(centre) <= high
    assert covered / draws >= bound(REPORTED, draws)


POPULATIONS = [
    Population("normal", 4, 0.1),
    Population("logistic", 1, 0.1),
    Population("skewed left", 5, 0),
    Population("gumbel", 3, 0),
    Population("normal", 4, 0.1, recovering=0.3),
]


def test_the_sequential_design_is_as_precise_as_asked():
    """Estimate +-1 dB covers at 95 % and the reported interval at 93 %, over 5 populations of 40 draws.

    In 250 draws each of the first and the third population the reported interval covered at 0.932 and 0.912 where the
    design ended at the first interval that was narrow enough, and at 0.944 and 0.928 a block later.
    """
    rng = np.random.default_rng(5)
    draws, within, covered, precision = 40, 0, 0, 1.0
    for population in POPULATIONS:
        for _ in range(draws):
            centre = float(rng.uniform(20, 30))
            drawn = population.draw(rng, centre, 2000)
            seen, _ = sequential(drawn, precision, adversary=population.floor == 0)
            at, low, high = estimate(seen.threshold())
            truth = population.threshold(centre)
            assert max(high - at, at - low) <= precision
            earlier = seen.before(design.block_ends(seen.hits.shape[1])[:-1])
            assert earlier and design.precise(earlier.threshold(), earlier, precision)  # the last block only confirms
            within += abs(at - truth) <= precision
            covered += low <= truth <= high
    total = draws * len(POPULATIONS)
    assert within / total >= bound(NOMINAL, total)
    assert covered / total >= bound(REPORTED, total)


def test_the_sequential_design_takes_a_quarter_of_the_fixed_grids_passes():
    rng, fixed, ratios = np.random.default_rng(6), tuple(range(0, 55, 5)), []
    for _ in range(8):
        drawn = Population("normal", 4, 0.1).draw(rng, float(rng.uniform(20, 30)), 4000)
        _, passes = sequential(drawn, 0.5, adversary=False)
        for images in design.block_ends(4000):
            at, low, high = estimate(drawn.seen([(slice(0, images), fixed)]).threshold())
            if max(high - at, at - low) <= 0.5:
                break
        ratios.append(images * (1 + len(fixed)) / passes)
    assert np.mean(ratios) > 3.5


def test_images_that_run_out_end_the_design():
    drawn = Population("normal", 8, 0.1).draw(np.random.default_rng(7), 22, 150)
    seen, _ = sequential(drawn, 0.1, adversary=False)
    assert seen.hits.shape[1] == 150
    assert design.next_points(seen, 0.1)  # it would like more


def test_blocks_grow_by_a_quarter():
    ends = design.block_ends(5000)
    assert ends[:3] == [64, 128, 192]
    assert ends[-1] == 5000
    assert all(b - a <= max(64, a / 4) for a, b in itertools.pairwise(ends))
    assert design.block_ends(40) == [40]
