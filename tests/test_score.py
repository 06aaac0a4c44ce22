"""Predictions to scores: simulated models of known tolerance, exact small cases, bad input."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import binom

from cnncomm_bench.results import leaderboard_score, score
from cnncomm_bench.results.statistics import (
    CurveRow,
    GainRow,
    ThresholdRow,
    as_numbers,
    format_db,
    format_gain,
    in_column,
    read_table,
)
from cnncomm_bench.results.statistics.worst import add_worst

GRID = np.arange(0.0, 51.0, 5.0)
CLASSES = 10


def rows(right, *, attack, snr_db, labels, model="m", seed=0, ruler="realised", images=None, reached=True):
    """Predictions of one cell: right or off by one class."""
    right = np.asarray(right)
    return pd.DataFrame(
        {
            "model": model,
            "attack": attack,
            "ruler": ruler,
            "seed": seed,
            "snr_db": float(snr_db),
            "image": np.arange(len(right)) if images is None else images,
            "label": labels,
            "prediction": np.where(right, labels, (labels + 1) % CLASSES),
            "realised_snr_db": float(snr_db),
            "reached": reached,
        }
    )


def simulate(rng, tolerances, *, model="m", clean=0.9, guess=None, count=400, seeds=1, grid=GRID):
    """A model whose images tolerate noise up to their own SNR each, below which they are guessed."""
    labels = np.arange(count) % CLASSES
    able = rng.random(count) < clean
    frames = [rows(able, attack="clean", snr_db=math.inf, labels=labels, model=model)]
    for attack, tolerance in tolerances.items():
        share = (guess or {}).get(attack, 0.1)
        for seed in range(seeds):
            lucky = rng.random(count) < share
            for db in grid:
                right = np.where(db > np.broadcast_to(tolerance, count), able, lucky)
                frames.append(rows(right, attack=attack, snr_db=db, labels=labels, model=model, seed=seed))
    return pd.concat(frames, ignore_index=True)


def test_intervals_cover_and_thresholds_are_unbiased():
    """Noise with its floor at chance, an adversary with its floor at zero; bounds fail once in 10,000 test runs."""
    rng = np.random.default_rng(0)
    draws, spread, errors, covered = 80, 4.0, [], []
    for _ in range(draws):
        white, shift = rng.uniform(14, 24), rng.uniform(2, 10)
        tolerance = rng.normal(0, spread, 400)
        predictions = simulate(
            rng, {"gaussian": white + tolerance, "pgd": white + shift + tolerance}, guess={"pgd": 0.0}
        )
        scores = score(predictions, classes=CLASSES, resamples=200)
        by_attack = scores.thresholds.set_index("attack")
        truths = {"gaussian": white, "pgd": white + shift + spread * ndtri(0.5 / 0.9)}
        noise, adversary = by_attack.loc["gaussian"], by_attack.loc["pgd"]
        gain = truths["pgd"] - truths["gaussian"]
        errors.append(
            (
                noise.threshold_db - truths["gaussian"],
                adversary.threshold_db - truths["pgd"],
                adversary.jamming_gain_db - gain,
            )
        )
        curve = scores.curves[scores.curves["attack"] == "gaussian"]
        true_drop = 0.8 * (1 - ndtr((curve["snr_db"] - white) / spread))
        middle = (curve["snr_db"] - white).abs().argmin()
        inside = (curve["drop_low"] <= true_drop + 1e-9) & (true_drop <= curve["drop_high"] + 1e-9)
        accuracy = 0.9 - true_drop
        inside_accuracy = (curve["accuracy_low"] <= accuracy) & (accuracy <= curve["accuracy_high"])
        covered.append(
            (
                noise.low <= truths["gaussian"] <= noise.high,
                adversary.low <= truths["pgd"] <= adversary.high,
                adversary.gain_low <= gain <= adversary.gain_high,
                inside.iloc[middle],
                inside_accuracy.iloc[middle],
            )
        )
    bias, deviation = np.mean(errors, axis=0), np.std(errors, axis=0) / math.sqrt(draws)
    assert (np.abs(bias) < 0.2).all(), bias
    assert (deviation < 0.07).all()
    # Percentile intervals of 200 samples are nominally at 95 %, in truth at about 94 %.
    assert (np.mean(covered, axis=0) >= binom.ppf(1e-4, draws, 0.94) / draws).all(), np.mean(covered, axis=0)


@pytest.fixture
def small():
    labels = np.arange(4)
    return pd.concat(
        [
            rows([1, 1, 1, 0], attack="clean", snr_db=math.inf, labels=labels),
            rows([1, 0, 0, 0], attack="gaussian", snr_db=10, labels=labels, reached=[True, True, False, True]),
            rows([1, 1, 1, 0], attack="gaussian", snr_db=0, labels=labels),
        ]
    )


def test_small_case_by_hand(small):
    curves = score(small, classes=CLASSES, resamples=50).curves
    assert tuple(curves.columns) == CurveRow._fields
    assert curves["attack"].tolist() == ["clean", "gaussian", "gaussian"]
    assert curves["snr_db"].tolist() == [math.inf, 0, 10]
    assert curves["accuracy"].tolist() == [0.75, 0.75, 0.25]
    assert curves["drop"].tolist() == [0, 0, 0.5]
    assert curves["unreached"].tolist() == [0, 0, 1]
    assert curves["images"].tolist() == [4, 4, 4]
    assert curves["snr_max"].tolist() == [math.inf, 0, 10]


def test_order_of_rows_and_categories_do_not_matter(small):
    shuffled = small.sample(frac=1, random_state=0).astype(dict.fromkeys(["model", "attack", "ruler"], "category"))
    ours, theirs = (score(frame, classes=CLASSES, resamples=50).curves for frame in (small, shuffled))
    pd.testing.assert_frame_equal(ours, theirs)


def test_seeds_of_an_image_are_no_further_images():
    rng = np.random.default_rng(1)
    tolerance = rng.normal(20, 4, 200)
    predictions = simulate(rng, {"gaussian": tolerance}, count=200, seeds=4)
    one = predictions[(predictions["seed"] == 0)]
    many, single = (score(frame, classes=CLASSES).curves.query("snr_db == 20").iloc[0] for frame in (predictions, one))
    assert many.images == single.images == 200
    # Here tolerances decide, not the seed: three further seeds narrow the interval hardly at all.
    assert many.accuracy_high - many.accuracy_low == pytest.approx(single.accuracy_high - single.accuracy_low, rel=0.15)


def test_adversary_on_a_subset_is_held_against_the_same_images():
    """White noise is harmless to the first images, on which alone the adversary ran."""
    rng = np.random.default_rng(2)
    tolerance = np.where(np.arange(400) < 100, 10, 30) + rng.normal(0, 3, 400)
    predictions = simulate(rng, {"gaussian": tolerance, "pgd": tolerance + 12})
    predictions = predictions[(predictions["attack"] != "pgd") | (predictions["image"] < 100)]
    scores = score(predictions, classes=CLASSES)
    pgd = scores.thresholds.set_index("attack").loc["pgd"]
    assert pgd.jamming_gain_db == pytest.approx(12, abs=0.5)
    assert pgd.gain_low <= 12 <= pgd.gain_high
    assert scores.curves.query("attack == 'pgd'")["images"].unique().tolist() == [100]
    assert scores.thresholds.set_index("attack").loc["gaussian"].jamming_gain_db == 0


def test_files_have_numbers_and_say_which_are_bounds(tmp_path):
    rng = np.random.default_rng(3)
    tolerance = rng.normal(20, 5, 400)
    predictions = simulate(rng, {"gaussian": tolerance, "pgd": np.full(400, 99.0), "tone": np.full(400, -9.0)})
    scores = score(predictions, classes=CLASSES, resamples=100)
    as_numbers(scores.thresholds, scores.curves).to_csv(tmp_path / "thresholds.csv", index=False)
    stored = pd.read_csv(tmp_path / "thresholds.csv", keep_default_na=False, na_values=[""]).set_index("attack")
    numbers = ["threshold_db", "low", "high", "jamming_gain_db", "gain_low", "gain_high"]
    assert all(stored[name].dtype.kind == "f" for name in numbers)
    assert stored["censored"].fillna("").to_dict() == {"gaussian": "", "pgd": ">", "tone": "<"}
    assert stored["gain_censored"].fillna("").to_dict() == {"gaussian": "", "pgd": ">", "tone": "<"}
    assert stored.loc["pgd", ["threshold_db", "low"]].tolist() == [50, 50]
    assert stored.loc["tone", ["threshold_db", "high"]].tolist() == [0, 0]
    assert stored.loc[["pgd"], ["high", "gain_high"]].isna().all(axis=None)
    assert 28 < stored.loc["pgd", "jamming_gain_db"] == stored.loc["pgd", "gain_low"] < 31
    read = read_table(tmp_path / "thresholds.csv")
    wanted = scores.thresholds.assign(low=scores.thresholds["low"].replace(math.inf, 50))
    wanted["high"] = wanted["high"].replace(-math.inf, 0)
    pd.testing.assert_frame_equal(read, wanted, check_dtype=False, atol=1e-4)


def test_gains_off_the_grid_are_bounds_in_files(tmp_path):
    rng = np.random.default_rng(3)
    tolerance = rng.normal(20, 3, 400)
    better = simulate(rng, {"gaussian": tolerance, "pgd": tolerance}, model="b")
    models = [simulate(rng, {"gaussian": tolerance + 5, "pgd": np.full(400, 99.0)}, model="a"), better]
    scores = score(pd.concat(models), classes=CLASSES, resamples=100)
    as_numbers(scores.gains, scores.curves).to_csv(tmp_path / "gains.csv", index=False)
    stored = pd.read_csv(tmp_path / "gains.csv").set_index("attack")
    assert stored["censored"].fillna("").to_dict() == {"clean": "", "gaussian": "", "pgd": ">"}
    assert 28 < stored.loc["pgd", "gain_db"] < 31
    pd.testing.assert_frame_equal(read_table(tmp_path / "gains.csv"), scores.gains, check_dtype=False, atol=1e-4)


@pytest.mark.parametrize("name", ["thresholds", "gains"])
def test_old_files_with_bounds_as_text_are_read(name: str):
    frame = read_table(Path(__file__).parent / "historic" / "run-v2" / f"{name}.csv")
    estimates = frame["threshold_db" if name == "thresholds" else "gain_db"]
    assert estimates.dtype == float
    assert np.isfinite(estimates).sum() > 5
    if name == "thresholds":
        assert np.isposinf(estimates).sum() == 2


def test_text_of_decibels():
    assert format_db(math.nan, (0, 50)) == ""
    assert format_gain(math.inf, -math.inf, math.inf) == ""
    assert format_gain(-math.inf, -math.inf, 3.21) == "< 3.2 dB"
    assert in_column(format_db(math.inf, (0, 50))) == "> 50 dB (bound)"
    assert in_column("") == ""


def test_gains_between_models():
    rng = np.random.default_rng(4)
    tolerance = rng.normal(0, 4, 600)
    frames = [
        simulate(rng, {"gaussian": 20 + tolerance, "pgd": 30 + tolerance}, model="standard", count=600, clean=0.9),
        simulate(rng, {"gaussian": 20 + tolerance, "pgd": 22 + tolerance}, model="robust", count=600, clean=0.9),
        simulate(rng, {"gaussian": 20 + tolerance, "pgd": 30 + tolerance}, model="weak", count=600, clean=0.5),
    ]
    scores = score(pd.concat(frames), classes=CLASSES)
    gains = scores.gains
    assert tuple(gains.columns) == GainRow._fields
    assert len(gains) == 3 * 3  # pairs, and two attacks beside clean
    row = gains.query("attack == 'pgd' and model == 'robust' and reference == 'standard'").iloc[0]
    assert row.gain_db == pytest.approx(8, abs=0.7)
    assert row.low < 8 < row.high
    assert row.p < 1e-6
    assert row.difference_low > 0
    tie = gains.query("attack == 'gaussian' and model == 'robust' and reference == 'standard'").iloc[0]
    assert tie.low < 0 < tie.high
    assert tie.p > 0.05
    lowest = scores.curves.query("attack == 'clean'")["accuracy"].min()
    np.testing.assert_allclose(gains.query("attack != 'clean'")["level"], (lowest + 0.1) / 2, atol=1e-6)
    clean = gains.query("attack == 'clean' and model == 'weak' and reference == 'standard'").iloc[0]
    assert clean.difference == pytest.approx(-0.4, abs=0.08)
    assert math.isnan(clean.gain_db)


def test_thresholds_have_the_files_columns_and_one_model_has_no_gains(small):
    scores = score(small, classes=CLASSES, resamples=20)
    assert tuple(scores.thresholds.columns) == ThresholdRow._fields
    assert tuple(scores.gains.columns) == GainRow._fields
    assert scores.gains.empty


def test_a_model_at_chance_has_no_threshold():
    rng = np.random.default_rng(5)
    predictions = simulate(rng, {"gaussian": 20.0}, clean=0.05)
    row = score(predictions, classes=CLASSES, resamples=50).thresholds.iloc[0]
    assert math.isnan(row.threshold_db)


def test_information_falls_with_noise_and_ends_at_its_ceiling():
    rng = np.random.default_rng(6)
    predictions = simulate(rng, {"gaussian": rng.normal(20, 4, 2000)}, count=2000, clean=1.0, seeds=2)
    information = score(predictions, classes=CLASSES, resamples=20).information.set_index(["attack", "snr_db"])
    assert information.loc[("clean", math.inf), "bits"] == pytest.approx(math.log2(10), abs=0.01)
    bits = information.loc["gaussian", "bits"]
    assert bits.iloc[-1] == pytest.approx(math.log2(10), abs=0.01)
    assert (information["low"] <= information["bits"]).all()
    assert (information["bits"] <= information["high"]).all()


def test_constant_classifier_scores_chance_and_families_count_once():
    labels = np.arange(100) % CLASSES
    frames = []
    for model in ("constant", "good"):
        right = (labels == 0) if model == "constant" else np.ones(100, bool)
        frames.append(rows(right, attack="clean", snr_db=math.inf, labels=labels, model=model))
        for attack in ("gaussian", "cauchy", "impulse-point", "pgd"):
            hurt = right & (attack == "impulse-point") if model == "good" else right
            frames += [rows(hurt, attack=attack, snr_db=db, labels=labels, model=model) for db in (0, 10)]
    scores = score(pd.concat(frames), classes=CLASSES, resamples=50)
    family = {"gaussian": "stable", "cauchy": "stable"}
    kind = {"gaussian": "noise", "cauchy": "noise", "impulse-point": "noise", "pgd": "adversary"}
    for frame in (scores.means, scores.curves):
        board = leaderboard_score(frame, family=family, kind=kind).set_index(["model", "kind"])["score"]
        assert board["constant", "noise"] == pytest.approx(0.1)
        assert board["constant", "adversary"] == pytest.approx(0.1)
        assert board["good", "noise"] == pytest.approx(0.5)  # stable 0, impulses 1: not two thirds of the former


def test_worst_is_right_only_where_all_adversaries_fail():
    labels = np.arange(4)
    predictions = pd.concat(
        [
            rows([1, 1, 1, 1], attack="clean", snr_db=math.inf, labels=labels),
            rows([1, 0, 1, 1], attack="fgm", snr_db=20, labels=labels),
            rows([0, 1, 1], attack="pgd", snr_db=20, labels=labels[:3]),
        ]
    ).astype({"attack": "category"})
    worst = add_worst(predictions, ["fgm", "pgd"])
    assert worst["attack"].unique().tolist() == ["worst"]
    assert worst["image"].tolist() == [0, 1, 2]  # the fourth ran under one of them
    assert (worst["prediction"] == worst["label"]).tolist() == [False, False, True]
    assert worst["prediction"].tolist() == [1, 2, 2]
    assert list(worst.columns) == list(predictions.columns)
    scores = score(pd.concat([predictions, worst]), classes=CLASSES, resamples=20)
    assert scores.curves.query("attack == 'worst'")["accuracy"].item() == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match=r"under apgd-ce; there are: clean, fgm, pgd"):
        add_worst(predictions, ["apgd-ce"])
    with pytest.raises(ValueError, match="under any adversary"):
        add_worst(predictions, [])


def test_bad_input(small):
    with pytest.raises(ValueError, match="lack the column reached"):
        score(small.drop(columns="reached"), classes=CLASSES)
    with pytest.raises(ValueError, match="no predictions"):
        score(small.iloc[:0], classes=CLASSES)
    with pytest.raises(ValueError, match="no clean predictions of m"):
        score(small[small["attack"] != "clean"], classes=CLASSES)
    with pytest.raises(ValueError, match="labels go from 0 to 3, but there are 3 classes"):
        score(small, classes=3)
    with pytest.raises(ValueError, match="at least two classes"):
        score(small, classes=1)
    with pytest.raises(ValueError, match="duplicate predictions"):
        score(pd.concat([small, small.iloc[-1:]]), classes=CLASSES)
    with pytest.raises(ValueError, match="NaN"):
        score(small.assign(snr_db=math.nan), classes=CLASSES)
    other = small.assign(model="n", image=small["image"] + 10)
    with pytest.raises(ValueError, match="n and m share no image"):
        score(pd.concat([small, other]), classes=CLASSES)
