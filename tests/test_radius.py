"""Adversaries at the radii of the literature."""

import pytest
import torch

from cnncomm_bench import Run, evaluate, snr
from cnncomm_bench._utils.errors import UsageError
from cnncomm_bench.attacks import AdversaryBatch, parse
from cnncomm_bench.evaluation import choose_suite
from cnncomm_bench.results import RunConfig

GRID = torch.tensor([20.0])


@pytest.mark.parametrize(
    "spec", [f"{name}@l2=0.5" for name in ("pgd:steps=5", "fgm", "apgd-ce:steps=5", "square-attack")]
)
def test_every_image_has_the_l2_radius(spec, pictures, linear):
    labels = linear(pictures).argmax(1)
    (disturbed,) = parse(spec).over(AdversaryBatch(pictures, labels, linear), GRID)
    norms = (disturbed.images - pictures).flatten(1).norm(dim=1)
    assert (norms <= 0.5 * (1 + 1e-5)).all()
    assert norms.max() > 0.49


@pytest.mark.parametrize("spec", ["fgsm@linf=8/255", "pgd-linf:steps=5@linf=8/255"])
def test_every_image_has_the_linf_radius(spec, pictures, linear):
    labels = linear(pictures).argmax(1)
    (disturbed,) = parse(spec).over(AdversaryBatch(pictures, labels, linear), GRID)
    reach = (disturbed.images - pictures).flatten(1).abs().amax(1)
    assert reach.tolist() == pytest.approx([8 / 255] * len(pictures), abs=1e-6)
    assert disturbed.images.min() >= 0
    assert disturbed.images.max() <= 1


def test_the_same_radius_as_at_an_snr(pictures, linear):
    """At the SNR that a radius means for an image, the attack finds the same."""
    image, label = pictures[:1], linear(pictures[:1]).argmax(1)
    db = 20 * torch.log10(snr.power(image).sqrt() / 0.7)
    at_snr = parse("pgd:steps=5")(image, label, snr_db=db.item(), model=linear)
    at_radius = parse("pgd:steps=5@l2=0.7")(image, label, snr_db=0.0, model=linear)
    torch.testing.assert_close(at_snr, at_radius, atol=1e-6, rtol=0)


def test_a_run_reports_accuracy_and_snrs(linear, labelled, tmp_path):
    run = evaluate(linear, *labelled, attacks=["gaussian", "fgm", "fgm@l2=0.5"], snr_db=[20, 40], out=tmp_path / "run")
    (row,) = run.curves[run.curves.attack == "fgm@l2=0.5"].itertuples()
    part = run.predictions[run.predictions.attack == "fgm@l2=0.5"]
    assert row.accuracy == pytest.approx((part.prediction == part.label).mean())
    assert row.snr_db == pytest.approx(part.realised_snr_db[part.realised_snr_db < 1e3].median(), abs=0.5)
    assert "worst" not in set(Run.open(tmp_path / "run").curves.attack)


def test_worst_is_at_least_as_strong_as_each(linear, labelled):
    curves = evaluate(linear, *labelled, attacks=["fgsm", "fgm", "pgd:steps=2"], snr_db=[20, 40]).curves
    accuracy = curves.pivot(index="snr_db", columns="attack", values="accuracy").dropna(axis=0, subset=["worst"])
    assert (accuracy["worst"] <= accuracy[["fgsm", "fgm", "pgd:steps=2"]].min(axis=1)).all()


def test_the_command_line_adds_radii_to_those_who_have_them():
    suite = choose_suite(RunConfig.of(attacks=["gaussian", "pgd", "pgd-linf"], eps_l2=[0.5], eps_linf=["8/255"]))
    assert [entry.spec for entry in suite.attacks] == [
        "gaussian", "pgd", "pgd-linf", "pgd@l2=0.5", "pgd-linf@linf=0.0313725",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="add the attack pgd-linf"):
        choose_suite(RunConfig.of(attacks=["pgd"], eps_linf=["8/255"]))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("gaussian@l2=0.5", "is noise: give it an SNR"),
        ("pgd@linf=8/255", "fgsm and pgd-linf have"),
        ("fgsm@l2=1", "all adversaries but fgsm"),
        ("pgd@l3=1", "l2, linf"),
        ("pgd@l2=much", "such as 0.5 or 8/255"),
        ("pgd@l2=1/0", "such as 0.5 or 8/255"),
        ("pgd@l2=-1", "above 0"),
        ("pgd@l2=nan", "above 0"),
    ],
)
def test_bad_radii(spec, message):
    with pytest.raises(UsageError, match=message):
        parse(spec)
