"""Claims on constructed truths: right where the data tell, undecided where they cannot."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from cnncomm_bench.results import score
from cnncomm_bench.results.claims.judging import Claim, judge, table, write
from cnncomm_bench.results.statistics.worst import add_worst

GRID = np.arange(0.0, 51.0, 5.0)
CLASSES = 10
LAWS = {"gaussian": 2.0, "stable:alpha=1.5": 1.5, "cauchy": 1.0, "stable:alpha=0.5": 0.5}
PLENTY = {(f"impulse-{shape}", db): 100.0 for shape in ("square", "triangle", "rhombus") for db in GRID}


def simulate(tolerances, *, model="m", count=500, clean=0.9, seed=0, ruler="realised"):
    """Predictions of a model whose images tolerate each attack up to an SNR around the one given."""
    rng = np.random.default_rng([seed, count])
    labels = np.arange(count) % CLASSES
    able, spread, lucky = rng.random(count) < clean, rng.normal(0, 5, count), rng.random(count) < 0.1
    frames = []

    def add(attack, db, right, of_ruler):
        frames.append(
            pd.DataFrame(
                {
                    "model": model,
                    "attack": attack,
                    "ruler": of_ruler,
                    "seed": 0,
                    "snr_db": db,
                    "image": np.arange(count),
                    "label": labels,
                    "prediction": np.where(right, labels, (labels + 1) % CLASSES),
                    "realised_snr_db": db,
                    "reached": True,
                }
            )
        )

    add("clean", math.inf, able, "realised")
    for attack, centre in tolerances.items():
        for db in GRID:
            hurt = db <= centre + spread + rng.normal(0, 1, count)
            add(attack, db, np.where(hurt, lucky, able), ruler)
    return pd.concat(frames, ignore_index=True)


def verdicts(predictions, **facts) -> dict[str, Claim]:
    claims = judge(score(predictions, classes=CLASSES, resamples=300), **facts)
    named = {claim.id: claim for claim in claims}
    assert len(named) == len(claims)
    return named


@pytest.mark.parametrize(("direction", "verdict"), [(4.0, "supported"), (-4.0, "contradicted"), (0.0, "undecided")])
def test_alpha_order(direction: float, verdict: str):
    centres = {attack: 22 - direction * alpha for attack, alpha in LAWS.items()}
    claim = verdicts(simulate(centres))["alpha-order"]
    assert claim.verdict == verdict
    assert claim.effect * direction >= 0
    if verdict == "undecided":
        assert claim.evidence.startswith("undecided: the interval holds zero")
    assert "Ge et al." in claim.statement
    assert "in our words" in claim.statement


def test_alpha_order_is_judged_on_each_ruler_and_counts_only_symmetric_independent_laws():
    milder = {attack: 20 + 4 * alpha for attack, alpha in LAWS.items()}
    harsher = {attack: 20 - 4 * alpha for attack, alpha in LAWS.items()}
    others = {"levy": 45.0, "stable:alpha=0.7,channels=shared": 45.0}
    dispersion = simulate(harsher, ruler="dispersion")
    predictions = pd.concat([simulate(milder | others), dispersion[dispersion["attack"] != "clean"]])
    claims = judge(score(predictions, classes=CLASSES, resamples=300))
    orders = {claim.ruler: claim for claim in claims if claim.id == "alpha-order"}
    assert orders["realised"].verdict == "contradicted"
    assert orders["dispersion"].verdict == "supported"
    assert orders["realised"].evidence.startswith("4 laws, alpha 0.5 to 2, 500 images")


def test_alpha_order_at_low_snr():
    rng = np.random.default_rng(1)
    predictions = simulate(dict.fromkeys(LAWS, 20.0), count=2000)
    alpha = predictions["attack"].map(LAWS)
    # Further images fall to small alphas, and only below 20 dB.
    chance = ((2 - alpha) * (20 - predictions["snr_db"]) / 40).clip(0).fillna(0)
    falls = (rng.random(len(predictions)) < chance) & (predictions["attack"] != "clean")
    predictions.loc[falls, "prediction"] = (predictions["label"] + 1) % CLASSES
    named = verdicts(predictions)
    assert named["alpha-order"].verdict == "supported"
    assert named["alpha-order-at-low-snr"].verdict == "supported"
    assert "lower half" in named["alpha-order-at-low-snr"].evidence


def test_low_snr_is_undecided_where_smaller_alpha_does_no_more_damage():
    milder = {attack: 20 + 4 * alpha for attack, alpha in LAWS.items()}
    claim = verdicts(simulate(milder))["alpha-order-at-low-snr"]
    assert claim.verdict != "supported"


@pytest.mark.parametrize("level", [-60.0, 110.0], ids=["ceiling", "floor"])
def test_floors_and_ceilings_are_undecided(level: float):
    attacks = [*LAWS, "salt-pepper", "enlarged-square", "impulse-square", "impulse-point"]
    named = verdicts(simulate(dict.fromkeys(attacks, level)), whole_impulses=PLENTY)
    for name in ("alpha-order", "alpha-order-at-low-snr", "shape-square", "concentration-square"):
        assert named[name].verdict == "undecided"
        assert "off floor and ceiling" in named[name].evidence
        assert named[name].effect is None


def test_too_few_images_are_undecided():
    centres = {attack: 22 - 6 * alpha for attack, alpha in LAWS.items()}
    shaped = {"salt-pepper": 10.0, "enlarged-square": 30.0, "impulse-point": 10.0, "impulse-square": 30.0}
    everything = centres | shaped | {"pgd": 45.0}
    few = [simulate(everything, count=20), simulate(everything | {"pgd": 20.0}, count=20, model="n")]
    claims = judge(score(pd.concat(few), classes=CLASSES, resamples=300), whole_impulses=PLENTY)
    assert {claim.verdict for claim in claims} == {"undecided"}
    assert all("20 images, at least 50 are needed" in claim.evidence for claim in claims)
    assert {claim.id for claim in claims} == {
        "alpha-order", "alpha-order-at-low-snr", "shape-square", "concentration-square", "adversarial-over-white",
        "robust-costs-accuracy", "robust-gains-db",
    }  # fmt: skip


def test_shapes_of_the_paper_are_judged_against_salt_and_pepper():
    centres = {"salt-pepper": 15.0, "enlarged-square": 20.0, "enlarged-triangle": 12.0, "enlarged-rhombus:size=5": 15.0}
    named = verdicts(simulate(centres))  # no impulses: nobody says how many fitted
    square = named["shape-square"]
    assert (square.verdict, square.caveat, square.summary) == ("supported", None, "supported")
    assert "enlarged to a square" in square.statement
    assert square.evidence.startswith("enlarged-square against salt-pepper +")
    assert named["shape-triangle"].verdict == "contradicted"
    assert named["shape-rhombus"].verdict == "undecided"
    assert "enlarged-rhombus:size=5 against salt-pepper" in named["shape-rhombus"].evidence
    assert not any(name.startswith("concentration") for name in named)
    other_law = {"salt-pepper": 15.0, "enlarged-square:alpha=1.5": 20.0, "enlarged-triangle:beta=1": 20.0}
    assert not any(name.startswith("shape") for name in verdicts(simulate(other_law)))
    alone = verdicts(simulate({"enlarged-square": 20.0, "impulse-point": 10.0}))["shape-square"]
    assert alone.verdict == "undecided"
    assert alone.evidence.startswith("undecided: salt-pepper was not run; enlarged-square against impulse-point +")


def test_concentration_is_judged_against_points():
    centres = {"impulse-point": 15.0, "impulse-square": 20.0, "impulse-triangle": 12.0, "impulse-rhombus:size=5": 15.0}
    named = verdicts(simulate(centres), whole_impulses=PLENTY)
    assert named["concentration-square"].verdict == "supported"
    assert named["concentration-triangle"].verdict == "contradicted"
    assert named["concentration-rhombus"].verdict == "undecided"  # nobody says how many impulses of that size fitted
    assert not any(name.startswith("shape") for name in named)


def test_concentration_needs_ten_whole_impulses():
    centres = {"impulse-point": 15.0, "impulse-square": 20.0}
    few = {("impulse-square", db): 9.0 if db >= 20 else 10.0 for db in GRID}
    some = verdicts(simulate(centres), whole_impulses=few)["concentration-square"]
    assert some.verdict == "supported"
    assert "20" not in some.evidence.split("lost at")[1].split("dB")[0]
    none = verdicts(simulate(centres), whole_impulses=dict.fromkeys(few, 9.0))["concentration-square"]
    assert none.verdict == "undecided"
    assert "at least 10 whole impulses" in none.evidence
    alone = verdicts(simulate({"impulse-square": 20.0}), whole_impulses=PLENTY)["concentration-square"]
    assert alone.evidence == "undecided: impulse-point was not run"


BOTH = {"salt-pepper": 15.0, "enlarged-square": 20.0, "impulse-point": 12.0, "impulse-square": 20.0}


@pytest.mark.parametrize(
    ("changed", "caveat"),
    [
        ({}, None),
        ({"impulse-point": 25.0}, "depends on the baseline"),  # one process, between the baselines
        ({"impulse-point": 8.0, "impulse-square": 12.0}, "depends on the baseline"),
        ({"impulse-point": 15.0, "impulse-square": 10.0}, "depends on the baseline"),
        ({"impulse-point": None, "impulse-square": 10.0}, "depends on the process"),
        ({"impulse-point": 20.0, "impulse-square": 20.0}, None),  # not decided against points, nothing against it
    ],
)
def test_a_conflict_of_baselines_or_processes_is_shown_beside_the_verdict(changed, caveat):
    centres = {attack: centre for attack, centre in (BOTH | changed).items() if centre is not None}
    claims = judge(score(simulate(centres), classes=CLASSES, resamples=300), whole_impulses=PLENTY)
    named = {claim.id: claim for claim in claims}
    assert {claim.id for claim in claims} >= {"shape-square", "concentration-square"}
    assert named["shape-square"].verdict == "supported"
    for row, claim in zip(table(claims), claims, strict=True):
        mine = claim.id in ("shape-square", "concentration-square")
        assert claim.caveat == (caveat if mine else None)
        assert row["verdict"] == claim.summary
        assert (f"({caveat})" in row["verdict"]) == (mine and caveat is not None)
        if claim.caveat:  # the evidence has both processes
            assert caveat in claim.evidence
            assert "impulse-square against" in claim.evidence and "enlarged-square against" in claim.evidence


def test_adversarial_over_white():
    predictions = simulate({"gaussian": 15.0, "fgm": 25.0, "pgd": 35.0})
    claim = verdicts(predictions, pixel_values=784)["adversarial-over-white"]
    assert claim.verdict == "supported"
    assert claim.effect == pytest.approx(20, abs=1)
    assert "10 log10(D) = 28.9 dB" in claim.evidence
    assert "fgm 9.7 dB" in claim.evidence
    with_worst = pd.concat([predictions, add_worst(predictions, ["fgm", "pgd"])])
    assert verdicts(with_worst)["adversarial-over-white"].effect >= claim.effect
    beyond = verdicts(simulate({"gaussian": 15.0, "pgd": 90.0}))["adversarial-over-white"]
    assert (beyond.verdict, beyond.effect, beyond.high) == ("supported", None, None)
    assert beyond.low == pytest.approx(34, abs=2)
    unknown = verdicts(simulate({"pgd": 35.0}))["adversarial-over-white"]
    assert unknown.verdict == "undecided"
    assert "gaussian was not run" in unknown.evidence


def test_robust_models():
    standard = simulate({"gaussian": 15.0, "pgd": 35.0, "impulse-point": 15.0}, model="standard")
    robust = simulate({"gaussian": 15.0, "pgd": 25.0, "impulse-point": 19.0}, model="robust", clean=0.8)
    pair = judge(score(pd.concat([standard, robust]), classes=CLASSES, resamples=300))
    named = {claim.id: claim for claim in pair if "against" in claim.model}
    assert named["robust-gains-db"].verdict == "supported"
    assert named["robust-gains-db"].effect == pytest.approx(10, abs=1)
    assert named["robust-gains-db"].model == "robust against standard"
    assert "impulse-point -" in named["robust-gains-db"].evidence
    assert named["robust-costs-accuracy"].verdict == "supported"
    scores = score(pd.concat([standard, robust]), classes=CLASSES, resamples=300)
    turned = {c.id: c for c in judge(scores, reference="robust") if c.id.startswith("robust")}
    assert turned["robust-gains-db"].verdict == "contradicted"
    assert "not shown to be the more robust" in turned["robust-costs-accuracy"].evidence
    with pytest.raises(ValueError, match="no model is called 'x'; there are: standard, robust"):
        judge(scores, reference="x")


def test_unknown_attacks_are_passed_over_and_named_adversaries_believed():
    predictions = simulate({"gaussian": 15.0, "elsewhere.Attack": 30.0})
    assert "adversarial-over-white" not in verdicts(predictions)
    named = verdicts(predictions, adversaries={"elsewhere.Attack"})
    assert named["adversarial-over-white"].verdict == "supported"


def test_files_and_tables(tmp_path):
    claims = judge(score(simulate({"gaussian": 15.0, "pgd": 90.0, "cauchy": 12.0}), classes=CLASSES, resamples=300))
    write(claims, tmp_path / "claims.json")
    stored = json.loads((tmp_path / "claims.json").read_text())
    assert list(stored) == ["claims"]
    assert [Claim.model_validate(entry) for entry in stored["claims"]] == claims
    assert list(stored["claims"][0]) == [
        "id", "statement", "model", "ruler", "verdict", "effect", "low", "high", "evidence", "p", "p_adjusted",
        "verdict_alone", "caveat",
    ]  # fmt: skip
    added_later = ("p", "verdict_", "caveat")
    old = {name: value for name, value in stored["claims"][0].items() if not name.startswith(added_later)}
    assert Claim.model_validate(old).p is None  # as files had them before claims were adjusted
    rows = {row["claim"]: row for row in table(claims)}
    assert rows["adversarial-over-white"]["95 % interval"].startswith("> +")
    assert rows["adversarial-over-white"]["unit"] == "dB"
    assert rows["alpha-order"]["effect"].startswith("-")
    assert " to " in rows["alpha-order"]["95 % interval"]
