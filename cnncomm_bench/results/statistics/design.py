"""Which SNRs to run next: a pilot that finds a curve, the grid laid over it, local points that sharpen a threshold.

The pilot runs few images on a coarse grid, and finer where the curve turns out to be steep. From it follow a grid for
all images, `lay_grid`, or a sequential design, `next_points`: images are added block by block, each block only at the
SNRs around the threshold, until its interval is as narrow as was asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .intervals import Floats, ragged_means, resample
from .thresholds import RISE, Crossing, crossing, estimate, isotonic

PILOT_IMAGES = 64
COARSE_DB, FINE_DB, FINEST_DB = 10.0, 2.5, 0.3125
FIRST_DB, LAST_DB = (-20.0, 0.0), (50.0, 100.0)
"""The pilot's ends: those of its first round, and the furthest it may go."""

_BACK = 0.02  # accuracy below clean at which a curve counts as back at its ceiling; one image of few is let go, too
_FEWEST_IMAGES = 2 * PILOT_IMAGES  # below, a bootstrap interval is not believed
_GROWTH = 4  # a block holds a quarter of the images before it
_RESAMPLES = 400
_LIKELY = (0.25, 0.75)
_MOST_POINTS = 4


@dataclass(frozen=True, eq=False)
class Answers:
    """What one model answered under one attack so far.

    Attributes
    ----------
    snr_db : ndarray, shape-(K,)
        Rising.
    hits : ndarray, shape-(K, N)
        Whether an image was right, or its share of the seeds; 0 where it was not run.
    ran : ndarray, shape-(K, N), bool
    clean : ndarray, shape-(N,)
        Whether it was right without noise.
    chance : float
    weights : ndarray, shape-(1 + resamples, N), optional
        How often each image is drawn in a bootstrap, see `resample`; by default, samples of these images alone.
    """

    snr_db: Floats
    hits: Floats
    ran: npt.NDArray[np.bool_]
    clean: Floats
    chance: float
    weights: npt.NDArray[np.uint8] | None = None

    @property
    def accuracy(self) -> Floats:
        """Accuracy at every SNR, on the images that ran there."""
        return np.asarray(self.hits.sum(1) / self.ran.sum(1))

    def before(self, ends: Sequence[int]) -> Answers | None:
        """Answers on the images before the last of these block ends; None where there is none."""
        if not ends:
            return None
        ran = self.ran[:, : ends[-1]]
        kept, weights = ran.any(1), None if self.weights is None else self.weights[:, : ends[-1]]
        hits, clean = self.hits[kept, : ends[-1]], self.clean[: ends[-1]]
        return Answers(self.snr_db[kept], hits, ran[kept], clean, self.chance, weights)

    def share(self) -> Floats:
        """How far up the monotone curve is from its floor to clean accuracy, shape-(K,)."""
        fitted = isotonic(self.accuracy, self.ran.sum(1))
        floor = min(float(fitted[0]), self.chance)
        return np.asarray((fitted - floor) / max(float(self.clean.mean()) - floor, 1e-9))

    def threshold(self, level: float | None = None) -> Crossing:
        """Threshold in the sample and in every bootstrap sample of its images, see `crossing`.

        Parameters
        ----------
        level : float, optional
            By default halfway from chance to clean accuracy, as that is in each bootstrap sample.
        """
        weights = resample(self.hits.shape[1], _RESAMPLES, 0) if self.weights is None else self.weights
        clean = ragged_means(weights, self.clean[None], np.ones((1, len(self.clean)), dtype=np.bool_))[:, 0]
        return crossing(
            ragged_means(weights, self.hits, self.ran),
            self.snr_db,
            (clean + self.chance) / 2 if level is None else np.full(len(clean), level),
            ceiling=clean,
            chance=self.chance,
            images=self.ran.sum(1),
        )


def pilot_points(models: Sequence[Answers], *, adversary: bool) -> tuple[float, ...]:
    """SNRs that the pilot of an attack runs next; none when it has found the curves of all models.

    Parameters
    ----------
    models : sequence of Answers
        So far, on the same SNRs; empty at first.
    adversary : bool

    Returns
    -------
    tuple of float
        In the first round the multiples of 10 dB from 0 to 50. Then upwards until accuracy is back within two points
        of clean, or but for one image where they are few, or 100 dB; for noises downwards while the level is not
        reached; at last finer steps where a curve rises between two neighbours.
    """
    if not models:
        return _lattice(FIRST_DB[1], LAST_DB[0], COARSE_DB)
    first, last = float(models[0].snr_db[0]), float(models[0].snr_db[-1])
    if last < LAST_DB[1] and any(_below_clean(seen) for seen in models):
        return (last + COARSE_DB,)
    if not adversary and first > FIRST_DB[0] and any(seen.share()[0] > 0.5 for seen in models):
        return (first - COARSE_DB,)
    finer = {db for seen in models for db in _between_neighbours(seen)}
    return tuple(sorted(finer.difference(models[0].snr_db.tolist())))


def lay_grid(models: Sequence[Answers]) -> tuple[float, ...]:
    """The grid on which an attack is run: fine where any model's curve rises, multiples of 10 dB outside.

    Parameters
    ----------
    models : sequence of Answers
        The pilot.

    Returns
    -------
    tuple of float
        Rising, dB.
    """
    points = {db for seen in models for db in _lattice(seen.snr_db[0], seen.snr_db[-1], COARSE_DB)}
    for seen in models:
        low, high = rise(seen)
        step = spacing(seen)
        ends = max(low - step, float(seen.snr_db[0])), min(high + step, float(seen.snr_db[-1]))
        points.update(_lattice(math.floor(ends[0] / step) * step, ends[1] + step * (1 - 1e-9), step))
    return tuple(sorted(points))


def rise(seen: Answers) -> tuple[float, float]:
    """SNRs between which a curve rises from a tenth to nine tenths of its height; the ends of its grid at most."""
    share = seen.share()
    low, high = (float(np.interp(part, share, seen.snr_db)) for part in RISE)
    return low, high


def spacing(seen: Answers) -> float:
    """Step of a grid that shows a curve's shape: at least three in its rise."""
    low, high = rise(seen)
    step = FINE_DB
    while step > FINEST_DB and 3 * step > high - low:
        step /= 2
    return step


def next_points(seen: Answers, precision: float, levels: Sequence[float] = ()) -> tuple[float, ...]:
    """SNRs at which further images sharpen a threshold; none when it is as precise as was asked for.

    An interval that ends the design because it happens to be narrow is too narrow. So it must have been precise a block
    before as well: the last block did not decide whether it was run.

    Parameters
    ----------
    seen : Answers
        The pilot and the blocks so far.
    precision : float
        Half the width of the threshold's 95 % interval, dB.
    levels : sequence of float
        Further accuracies whose thresholds matter, such as the level common to several models.

    Returns
    -------
    tuple of float
        Two SNRs that bracket each threshold that is not known well enough; up to four where it is known badly.
    """
    step, points = spacing(seen), set[float]()
    earlier = seen.before(block_ends(seen.hits.shape[1])[:-1])
    for level in (None, *levels):
        found = seen.threshold(level)
        if precise(found, seen, precision) and earlier and precise(earlier.threshold(level), earlier, precision):
            continue
        points.update(_bracket(found, step, seen.snr_db))
    return tuple(sorted(points))


def precise(found: Crossing, seen: Answers, precision: float) -> bool:
    """Whether a threshold is known to a precision: its interval, on images that do not make it doubtful."""
    at, low, high = estimate(found)
    return seen.hits.shape[1] >= _FEWEST_IMAGES and max(high - at, at - low) <= precision


def block_ends(images: int) -> list[int]:
    """Where blocks of images end: the pilot's, then blocks of a quarter of what came before, 64 at least.

    Examples
    --------
    >>> block_ends(500)
    [64, 128, 192, 256, 320, 400, 500]
    """
    ends = [min(PILOT_IMAGES, images)]
    while ends[-1] < images:
        ends.append(min(images, ends[-1] + max(PILOT_IMAGES, ends[-1] // _GROWTH)))
    return ends


def _below_clean(seen: Answers) -> bool:
    """Whether accuracy at the last SNR is not back yet."""
    return float(seen.accuracy[-1]) < float(seen.clean.mean()) - max(_BACK, 1.5 / len(seen.clean))


def _between_neighbours(seen: Answers) -> tuple[float, ...]:
    """Finer steps between the two SNRs around the threshold, where fewer than two SNRs are in the rise."""
    share = seen.share()
    above = share >= 0.5
    if ((share > RISE[0]) & (share < RISE[1])).sum() >= 2 or above[0] or not above[-1]:
        return ()
    step = int(above.argmax())
    low, high = float(seen.snr_db[step - 1]), float(seen.snr_db[step])
    finer = (high - low) / 4
    return () if finer < FINEST_DB else _lattice(low, high, finer)


def _bracket(found: Crossing, step: float, seen: Floats) -> tuple[float, ...]:
    """Points that hold where the threshold is likely to be: of a lattice, and those run before that are closer.

    No point run on few images may be left between two run on many: it would decide where the curve crosses.
    """
    inside = found.at[np.isfinite(found.at)]
    if not len(inside):
        return ()
    middle = float(np.clip(found.at[0], inside.min(), inside.max()))
    low, high = (float(np.quantile(inside, part)) for part in _LIKELY)
    low, high = min(low, middle), max(high, middle)
    first, last = math.floor(low / step) * step, (math.floor(high / step) + 1) * step
    near = sorted({*_lattice(first, last, step), *(db for db in seen.tolist() if first < db < last)})
    start = max(place for place, db in enumerate(near) if db <= low)
    stop = min(place for place, db in enumerate(near) if db > high)
    while stop - start + 1 > _MOST_POINTS:
        if middle - near[start] > near[stop] - middle:
            start += 1
        else:
            stop -= 1
    return tuple(near[start : stop + 1])


def _lattice(first: float, last: float, step: float) -> tuple[float, ...]:
    """Multiples of a step from first to last."""
    places = range(math.ceil(first / step - 1e-9), math.floor(last / step + 1e-9) + 1)
    return tuple(step * place for place in places)
