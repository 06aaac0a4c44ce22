"""The correspondence: likeness of families of curves, the table of modules, the special CNN, the ladder."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import ndtr

from cnncomm_bench import Run, bundled, cli, evaluate
from cnncomm_bench._utils.errors import UsageError
from cnncomm_bench.experiments import bandwidth
from cnncomm_bench.experiments.correspondence import correspond, families
from cnncomm_bench.experiments.correspondence.families import pairs
from cnncomm_bench.experiments.correspondence.likeness import Spacings, order, overlay, random_spacings
from cnncomm_bench.experiments.link.channel_noise import Stable
from cnncomm_bench.experiments.link.counting import Rule
from cnncomm_bench.experiments.link.simulation import Settings, simulate
from cnncomm_bench.experiments.special import image_comparison, image_networks
from cnncomm_bench.experiments.special.autoencoder import SpecialCnn
from cnncomm_bench.experiments.special.comparison import compare

NOISES = ["gaussian", "stable:alpha=1.5", "cauchy", "stable:alpha=0.5"]
DB = np.arange(0, 55, 5.0)


def family(middles, width=4.0, db=DB):
    return np.array([1 / (1 + np.exp((db - middle) / width)) for middle in middles])


@pytest.mark.parametrize(("shift", "stretch"), [(0.0, 1.0), (12.0, 1.0), (-6.0, 1.5)])
def test_the_overlay_finds_shift_and_stretch(shift, stretch):
    middles = np.array([12.0, 16.0, 21.0, 30.0])
    fine = np.arange(-60, 90, 1.0)
    link = family((middles - shift) / stretch, 4 / stretch, fine)
    found = overlay(family(middles), DB, link, fine)
    assert found.shift_db == pytest.approx(shift, abs=1.0)
    assert found.stretch == pytest.approx(stretch, rel=0.05)
    assert found.residual < 0.01
    assert (found.rank, found.pairings) == (1, 24)
    assert found.permuted_best > 3 * found.residual


def test_reversed_members_are_found():
    """Each member alone would fit with a map of its own: with one map for all, the reversed pairing fits better."""
    middles = [12.0, 16.0, 21.0, 30.0]
    found = overlay(family(middles), DB, family(middles[::-1]), DB)
    assert found.rank > 12
    assert found.permuted_best < found.residual


def test_families_of_equal_members_have_no_order():
    same = family([20.0] * 4)
    found = overlay(same, DB, same, DB)
    assert found.rank == found.pairings  # no pairing is better than another
    values = np.column_stack([same[:, 3], same[:, 3] - 0.01, same[:, 3] + 0.01])
    found = order(values, values)
    assert np.isnan(found.tau)
    assert (found.concordant, found.discordant, found.undecided) == (0, 0, 6)


FINE = np.arange(-10, 60, 2.5)


def noisy(values, spread, generator, samples=40):
    """A family as it was measured, and bootstrap samples of it, shape-(1 + samples, A, K)."""
    errors = spread * generator.standard_normal((1 + samples, *values.shape))
    errors[1:] += errors[0]
    return (values + errors).clip(0, 1)


def compared(first, second, seed, spread=0.02) -> Spacings:
    generator = np.random.default_rng(seed)
    measured = (noisy(family(middles, db=FINE), spread, generator) for middles in (first, second))
    return random_spacings(next(measured), FINE, next(measured), FINE, draws=99, seed=seed)


def test_families_in_the_same_order_with_unrelated_spacings_are_not_alike():
    """Of 100 pairs with unrelated spacings p is at most 0.05 in five on average; in over 13 once in 1,000 times.

    By the ranks of permuted members all of them were first of 24.
    """
    generator, p, alike = np.random.default_rng(0), [], 0
    for seed in range(100):
        first, second = np.sort(generator.uniform(5, 35, (2, 4)), axis=1)
        # The ends are laid on each other by shift and stretch: what is compared are the members between.
        found = compared(first, second, seed)
        p.append(found.p)
        alike += found.alike
    assert (np.array(p) <= 0.05).sum() <= 13
    assert alike <= (np.array(p) <= 0.05).sum()
    same = family([5.0, 12.0, 15.0, 35.0], db=FINE), family([5.0, 25.0, 28.0, 35.0], db=FINE)
    assert overlay(same[0], FINE, same[1], FINE).rank == 1


def test_families_with_the_same_spacings_are_alike():
    generator, alike = np.random.default_rng(1), 0
    for seed in range(20):
        first = np.array([5.0, 9.0, 15.0, 30.0]) + generator.uniform(-1, 1, 4)
        alike += compared(first, first, seed, spread=0.005).alike
    assert alike >= 18


def test_spacings_are_not_alike_where_the_residual_is_uncertain():
    """The same spacings, measured with errors as large as the differences."""
    sure = compared([5.0, 9.0, 15.0, 30.0], [5.0, 9.0, 15.0, 30.0], 0, spread=0.005)
    unsure = compared([5.0, 9.0, 15.0, 30.0], [5.0, 9.0, 15.0, 30.0], 0, spread=0.2)
    assert sure.alike and not unsure.alike
    assert unsure.residual_high > unsure.random_low
    assert unsure.residual_high - unsure.residual_low > sure.residual_high - sure.residual_low


def test_the_order_of_places_may_fall_as_well_as_rise():
    """On the realised ruler the smaller alpha needs the lower SNR."""
    generator = np.random.default_rng(0)
    middles = [30.0, 15.0, 9.0, 5.0]
    falling = compared(middles, middles, 0, spread=0.005)
    assert falling.alike
    assert not compared(middles, generator.uniform(5, 30, 4), 0).alike


def test_equal_members_have_no_spacings():
    same = family([20.0] * 4, db=FINE)[None]
    found = random_spacings(same, FINE, same, FINE, draws=20)
    assert (found.p, found.alike) == (1.0, False)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("correspondence")
    images, labels, _ = bundled.images()
    model = bundled.load("standard")
    run = evaluate(model, images[:100], labels[:100], attacks=NOISES, snr_db=[0, 10, 20, 30], ruler="dispersion",
                   out=folder / "run")  # fmt: skip
    settings = Settings.of(codes=["none"], snr_db="-10:50:10", max_bits=30_000, frames=[64])
    simulate(settings, folder / "link", quiet=True)
    assert run.info.finished
    return folder


def test_a_run_and_a_link_are_set_side_by_side(folders, tmp_path, capsys):
    found = correspond(folders / "run", [folders / "link"], tmp_path)
    (one,) = found.likenesses  # the run has one ruler
    assert (one.ruler, one.alphas, one.pairings) == ("dispersion", [2.0, 1.5, 1.0, 0.5], 24)
    assert [at.snr_db for at in one.orders] == [0.0, 10.0, 20.0, 30.0]
    assert one.concordant > one.discordant
    assert one.tau_mean > 0.5
    assert 0 < one.p <= 1 and one.residual_low <= one.residual_high
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {f"correspondence.{kind}" for kind in ("json", "md", "csv", "png", "svg")}
    assert json.loads((tmp_path / "correspondence.json").read_text())["schema_version"] == 3
    assert pd.read_csv(tmp_path / "correspondence.csv").pair_verdict.nunique() > 1

    cli_out = tmp_path / "again"
    cli.main(["correspond", str(folders / "run"), str(folders / "link"), "--out", str(cli_out)])
    assert (cli_out / "correspondence.md").read_text() == (tmp_path / "correspondence.md").read_text()
    assert "bpsk, uncoded, 64 bits" in (cli_out / "correspondence.md").read_text()
    assert "likeness: " in capsys.readouterr().out


def test_more_alphas_than_can_be_paired_are_refused(folders, monkeypatch):
    monkeypatch.setattr(families, "MOST_ALPHAS", 3)
    with pytest.raises(UsageError, match="more than 3 alphas"):
        pairs(Run.open(folders / "run"), pd.read_csv(folders / "link" / "ber.csv"))


def test_too_little_in_common_is_refused(folders, tmp_path, capsys):
    table = pd.read_csv(folders / "link" / "ber.csv")
    with pytest.raises(UsageError, match="three alphas and an SNR in common"):
        pairs(Run.open(folders / "run"), table[table.ruler == "realised"])
    for run, link in ((tmp_path, folders / "link"), (folders / "run", tmp_path)):
        with pytest.raises(SystemExit) as stop:
            cli.main(["correspond", str(run), str(link), "--out", str(tmp_path / "out")])
        assert stop.value.code == 1
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_special_cnn_learns_and_noise_undoes_it():
    """A little training makes it far better than guessing 1 of 256, and it is worse at less SNR."""
    network = SpecialCnn(Stable(2.0), "dispersion", steps=100, batch=128, quiet=True)
    far, near = (network.measure(db, Rule(200, 40_000), 0, batch=1024).row() for db in (-5.0, 15.0))
    assert near["fer_high"] < 0.9
    assert near["fer_high"] < far["fer_low"]


def test_the_special_cnn_repeats():
    found = [
        SpecialCnn(Stable(1.0), "dispersion", steps=3, batch=16, seed=seed, quiet=True).measure(
            5.0, Rule(50, 800), 0, 64
        )
        for seed in (0, 0, 1)
    ]
    assert found[0].bit_errors == found[1].bit_errors != found[2].bit_errors


def test_the_special_cnn_beside_the_link(tmp_path):
    table = compare([2.0], [5.0], out=tmp_path, steps=5, max_bits=10_000, quiet=True)
    assert set(table.system) == {
        "special CNN, 8 bits in 4 x 4 samples", "bpsk, uncoded, 512 bits", "bpsk, conv, gaussian receiver, 512 bits",
        "bpsk, conv, cauchy receiver, 512 bits",
    }  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == {"special.csv", "special.png", "special.svg"}
    with pytest.raises(UsageError, match="pass dispersion or geometric"):
        compare([2.0], [5.0], ["realised"], out=tmp_path)
    with pytest.raises(UsageError, match="2 rulers for signals of 4 x 4: expected one"):
        compare([2.0], [5.0], ["dispersion", "geometric"], out=tmp_path)
    with pytest.raises(UsageError, match="at least 1"):
        compare([2.0], [5.0], out=tmp_path, steps=0)


def test_a_simplex_of_two_is_antipodal_and_ten_words_are_bounded_by_their_pairs():
    assert image_comparison.simplex_error(0.0, 2, 2) == pytest.approx(float(ndtr(-(2**0.5))), rel=1e-4)
    for snr_db in (-20.0, -17.0):
        energy = 784 * 10 ** (snr_db / 10)
        pair = float(ndtr(-((energy * 10 / 9 / 2) ** 0.5)))  # half the distance of two words
        assert pair < image_comparison.simplex_error(snr_db, 784, 10) < 9 * pair


def test_the_decoder_sends_power_one_and_the_encoder_pools_what_arrives():
    design = image_networks.design(12)
    images = design.transmitter()(torch.arange(10))
    assert images.shape == (10, 144)
    assert images.square().mean(1).detach().numpy() == pytest.approx(np.ones(10), rel=1e-5)
    receiver = design.receiver()
    impulse = images.clone()
    impulse[:, 7] = 1e30
    logits, other = receiver(images), receiver(1000 * images)
    assert logits.shape == (10, 10) and torch.allclose(logits, other, atol=1e-4)  # the gain control
    assert receiver(impulse).isfinite().all()
    for side in (4, 30, 68):
        with pytest.raises(UsageError, match="expected a multiple of 4 from 8 to 64; pass 28"):
            image_networks.design(side)


def test_the_special_cnn_on_images_learns_and_noise_undoes_it(tmp_path):
    table, order = image_comparison.compare(
        [2.0, 1.0], [-30, 0], ["dispersion"], size=8, out=tmp_path, steps=200, max_labels=500, quiet=True
    )
    rates = table[table.alpha == 2].set_index(["system", "snr_db"])
    cnn = rates.loc["CNN trained in gaussian noise"]
    assert cnn.low[-30] > cnn.high[0] and cnn.high[0] < 0.5  # guessing errs at 0.9
    # The likelihood of the noise is the best receiver: no CNN errs less on the same labels, but for 5 sigma of 500.
    ideal = rates.loc["its images, gaussian likelihood"]
    assert ideal.rate[0] < cnn.rate[0] + 5 * 0.5 / 500**0.5
    assert set(order.system) == set(table.system) - {image_comparison.SIMPLEX}
    names = ("special-images.csv", "special-images-order.csv", "special-images.png", "special-images.svg")
    assert {path.name for path in tmp_path.iterdir()} == set(names)


def test_the_command_special_takes_a_size(tmp_path, capsys):
    small = ["--size", "8", "--steps", "1", "--max-bits", "250", "--alpha", "2", "--ruler", "dispersion", "--snr", "0"]
    cli.main(["special", *small, "--out", str(tmp_path / "out")])
    assert "special-images.csv" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        cli.main(["special", "--size", "30", "--out", str(tmp_path / "out")])
    error = capsys.readouterr().err
    assert stop.value.code == 2 and "30 x 30" in error and "(--size)" in error and len(error.splitlines()) == 1


def test_a_ladder_of_resolutions(tmp_path):
    table = bandwidth.ladder("bundled:standard", [28, 7], out=tmp_path, samples=50, snr="0:40:10")
    assert table.side.tolist() == [28, 7]
    assert table["values"].tolist() == [784, 49]
    assert table.clean_accuracy[0] > table.clean_accuracy[1] + 0.1
    assert "28 x 28" in (tmp_path / "bandwidth_curves.csv").read_text()
    assert "784" in bandwidth.as_text(table)
    assert pd.read_csv(tmp_path / "bandwidth.csv", keep_default_na=False).censored.tolist() == ["", ""]
    for sides in ([], [29], [1]):
        with pytest.raises(UsageError, match="expected 2 to 28"):
            bandwidth.ladder("bundled:standard", sides, out=tmp_path, samples=50)
    with pytest.raises(UsageError, match="expected pixels"):
        bandwidth.parse_sides(["a"])
