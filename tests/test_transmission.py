"""Images over the link: bits of pixels, powers and error rates by their formulas, streams, the folder, the claim."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import norm

from cnncomm_bench import cli
from cnncomm_bench._utils.errors import RunFolderError, UsageError
from cnncomm_bench.attacks import ImageBatch, StableNoise
from cnncomm_bench.experiments.link.channel_noise import Stable
from cnncomm_bench.experiments.link.counting import exact
from cnncomm_bench.experiments.transmission.alpha_agreement import agreements, pairwise_tau
from cnncomm_bench.experiments.transmission.pixel_bits import BITS, LABELLINGS, from_bits, to_bits
from cnncomm_bench.experiments.transmission.sending import Inputs, open_inputs, send_images
from cnncomm_bench.experiments.transmission.systems import Analog, Digital
from cnncomm_bench.experiments.transmission.transmission_settings import TransmissionSettings
from cnncomm_bench.experiments.transmission.transmission_table import COLUMNS, image_snr_db
from cnncomm_bench.snr import measure

CONFIDENCE = 1 - 1e-4  # of each statistical test: it fails by chance once in 10,000 seeds


def uniform(count: int = 16, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 1, 28, 28), generator=generator, dtype=torch.uint8)


def digital(labelling="natural", **choices) -> Digital:
    (system, _) = TransmissionSettings.of(labelling, **{"alphas": [2], "codes": ["none"], **choices}).systems()
    return system


@pytest.mark.parametrize("labelling", LABELLINGS)
def test_bits_go_there_and_back(labelling):
    values = torch.arange(256, dtype=torch.uint8).reshape(4, 1, 8, 8)
    bits = to_bits(values, labelling)
    assert bits.shape == (4, 64 * BITS)
    assert torch.equal(from_bits(bits, (1, 8, 8), labelling), values)
    assert len({tuple(word) for word in bits.reshape(256, BITS).tolist()}) == 256


def test_neighbours_differ_in_one_bit_of_gray_and_in_up_to_eight_of_natural_labelling():
    values = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    differing = {name: (to_bits(values, name).reshape(256, BITS).int().diff(dim=0).abs().sum(1)) for name in LABELLINGS}
    assert (differing["gray"] == 1).all()
    assert differing["natural"].max() == 8


@pytest.mark.parametrize("flipped", [{0: 1}, {7: 1}, {0: 3, 3: 5}])
def test_flipped_bits_give_the_image_snr_of_the_formula(flipped):
    """A wrong bit of weight 2^j changes a value by 2^j of 255: one bit a value, so that the squares add up."""
    images, bits = uniform(1), to_bits(uniform(1), "natural").reshape(-1, BITS)
    value = 0
    for place, count in flipped.items():
        bits[value : value + count, BITS - 1 - place] ^= 1
        value += count
    arrived = from_bits(bits.reshape(1, -1), (1, 28, 28), "natural")
    signal, noise = float(images.double().square().sum()), sum(n * 4**j for j, n in flipped.items())
    assert float(measure(images / 255, arrived / 255)) == pytest.approx(10 * math.log10(signal / noise), abs=1e-4)
    assert image_snr_db(signal, noise) == pytest.approx(10 * math.log10(signal / noise))
    assert image_snr_db(signal, 0.0) == math.inf


def test_wrong_bits_of_uniform_values_have_the_mean_square_of_the_formula():
    """Of a bit error rate p: p (4^8 - 1) / 3 of 255^2, for the signs of different bits are independent."""
    images = uniform(64)
    arrived = digital().send(images, 5.0, seed=0)
    rate = norm.sf(math.sqrt(10**0.5))
    squares = (arrived.images.double() * 255 - images).square().flatten()
    error = float(squares.std()) / math.sqrt(len(squares))
    assert abs(float(squares.mean()) - rate * (4**8 - 1) / 3) < norm.isf((1 - CONFIDENCE) / 2) * error


@pytest.mark.parametrize("modulation", ["bpsk", "qpsk", "16qam"])
@pytest.mark.parametrize("code", ["none", "conv"])
def test_the_power_of_a_transmission_is_one_a_sample(modulation, code):
    system = digital(modulations=[modulation], codes=[code])
    flat = torch.full((16, 1, 28, 28), 3, dtype=torch.uint8)
    flat += torch.arange(16, dtype=torch.uint8).reshape(-1, 1, 1, 1)
    sent = system.chain.signal(system.frames(flat, seed=0))
    squares = sent.double().square().flatten()
    if modulation == "16qam":  # squares of 0.2 and 1.8, equally often: their deviation is 0.8
        assert abs(float(squares.mean()) - 1) < norm.isf((1 - CONFIDENCE) / 2) * 0.8 / math.sqrt(len(squares))
    else:
        assert torch.allclose(squares, torch.ones_like(squares))


def test_samples_a_pixel_value():
    shape = (1, 32, 64)  # 16,384 bits, which fill frames of 512
    assert digital().samples_per_value(shape) == 8
    assert digital(modulations=["16qam"]).samples_per_value(shape) == 4
    assert digital(codes=["conv"]).samples_per_value(shape) == 8 * 1036 / 512
    assert digital(frames=[4096]).samples_per_value((1, 28, 28)) == 8192 / 784  # the last frame is filled up


@pytest.mark.parametrize("snr_db", [0.0, 5.0])
def test_uncoded_bpsk_has_the_error_rate_of_its_closed_form(snr_db):
    arrived = digital().send(uniform(), snr_db, seed=0)
    bits = arrived.bits * 16
    assert bits == 16 * 784 * 8
    _, low, high = exact(int(arrived.errors.sum()), bits, confidence=CONFIDENCE)
    ratio = 10 ** (snr_db / 10)
    assert low < norm.sf(math.sqrt(ratio)) < high
    assert not low < norm.sf(math.sqrt(2 * ratio)) < high  # Es/N0 in place of the SNR would be seen


@pytest.mark.parametrize("alpha", [2.0, 1.0, 0.5])
@pytest.mark.parametrize("ruler", ["dispersion", "geometric"])
def test_amplitudes_are_the_images_noise(pictures, alpha, ruler):
    """The link's channel on amplitudes, and the attack on pixels, are one noise: to the bit of its draws."""
    pixels = (pictures * 255).round().to(torch.uint8)
    grid = torch.tensor([12.0], dtype=torch.float64)
    (attacked,) = StableNoise(alpha=alpha).sweep(ImageBatch(pictures, seed=3), grid, ruler=ruler)
    arrived = Analog(Stable(alpha), ruler).send(pixels, 12.0, seed=3)
    assert torch.allclose(arrived.images, attacked.images, atol=2e-5)
    assert not torch.allclose(arrived.images, pictures, atol=0.01)


def test_without_clipping_amplitudes_have_the_snr_of_the_channel(pictures):
    received = Analog(Stable(2.0), "realised").received(pictures, 7.0, seed=0)
    assert (measure(pictures, received) - 7.0).abs().max() < 1e-3
    assert (received > 1).any() or (received < 0).any()
    gaussian = Analog(Stable(2.0), "dispersion").received(pictures, 7.0, seed=0)
    values = pictures[0].numel()  # each image's SNR deviates by 10 / ln 10 sqrt(2 / values) dB
    assert (measure(pictures, gaussian) - 7.0).abs().max() < norm.isf((1 - CONFIDENCE) / 24) * 4.35 * (
        2 / values
    ) ** 0.5


@pytest.mark.parametrize("system", [digital(), digital(codes=["conv"]), Analog(Stable(1.0), "dispersion")])
def test_what_arrives_depends_on_seed_and_content_alone(system):
    images = uniform(12)
    whole = system.send(images, 3.0, seed=1)
    order = [7, 2, 11]
    some = system.send(images[order], 3.0, seed=1)
    assert torch.equal(some.images, whole.images[order])
    assert np.array_equal(some.errors, whole.errors[order])
    assert not torch.equal(system.send(images[order], 3.0, seed=2).images, some.images)


def test_a_good_channel_delivers_the_images_as_they_are():
    images = uniform(3)
    for labelling in LABELLINGS:
        arrived = digital(labelling, codes=["conv"]).send(images, 30.0, seed=0)
        assert torch.equal(arrived.images, images / 255)
        assert not arrived.errors.any()


@pytest.fixture
def inputs(linear, labelled) -> Inputs:
    images, labels = (torch.from_numpy(values) for values in labelled)
    about = {"name": "linear", "sha256": "0"}
    return Inputs(linear, images[:40], labels[:40], 4, about, {"name": "noise", "sha256": "1"})


def settings(**choices) -> TransmissionSettings:
    return TransmissionSettings.of(**{"alphas": [2, 1], "codes": ["none"], "snr_db": [0, 10, 20], **choices})


def test_the_folder_and_its_columns(inputs, tmp_path):
    table = send_images(inputs, settings(), tmp_path, quiet=True)
    first = ["alpha", "modulation", "code", "snr_db", "bits", "errors", "ber", "accuracy", "accuracy_low",
             "accuracy_high", "image_snr_db"]  # fmt: skip
    assert list(table.columns) == COLUMNS and COLUMNS[:11] == first
    assert {path.name for path in tmp_path.iterdir()} == {
        "transmission.csv", "transmission.json", "transmission.png", "transmission.svg", "transmissions.parquet",
        "claims.json",
    }  # fmt: skip
    sent = table[table.modulation == "bpsk"]
    assert (sent.bits == 40 * 960 * 8).all() and (sent.ber == sent.errors / sent.bits).all()
    assert ((sent.ber_low <= sent.ber) & (sent.ber <= sent.ber_high)).all()
    gaussian = sent[sent.alpha == 2].set_index("snr_db")
    assert gaussian.ber.is_monotonic_decreasing and gaussian.image_snr_db.is_monotonic_increasing
    assert gaussian.loc[20, "errors"] == 0 and gaussian.loc[20, "image_snr_db"] == math.inf
    assert gaussian.loc[20, "drop"] == 0
    assert gaussian.loc[20, "ber_high"] < 2e-5  # bits fail independently: 3.7 of 307,200
    analog = table[table.modulation == "analog"]
    assert len(analog) == 6 and analog.ber.isna().all() and (analog.samples_per_value == 1).all()
    (claim,) = json.loads((tmp_path / "claims.json").read_text())["claims"]
    assert claim["id"] == "transmission-order" and claim["ruler"] == "dispersion"


def test_a_cut_off_transmission_is_resumed_by_point(inputs, tmp_path, monkeypatch):
    whole = send_images(inputs, settings(), tmp_path / "whole", quiet=True)
    calls = []
    send = Digital.send

    def counted(self, images, snr_db, seed):
        calls.append(snr_db)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return send(self, images, snr_db, seed)

    monkeypatch.setattr(Digital, "send", counted)
    with pytest.raises(KeyboardInterrupt):
        send_images(inputs, settings(), tmp_path / "cut", quiet=True)
    assert not json.loads((tmp_path / "cut" / "transmission.json").read_text())["finished"]
    resumed = send_images(inputs, settings(), tmp_path / "cut", quiet=True)
    assert calls == [0, 10, 20, 0, 0, 10, 20]  # the point that was cut off again, the three before it not
    pd.testing.assert_frame_equal(resumed, whole)
    for changed in (settings(seed=1), settings(labelling="gray")):
        with pytest.raises(RunFolderError, match="other settings"):
            send_images(inputs, changed, tmp_path / "cut", quiet=True)
    (tmp_path / "cut" / "transmissions.parquet").write_bytes(b"torn")
    with pytest.raises(RunFolderError, match="damaged"):
        send_images(inputs, settings(), tmp_path / "cut", quiet=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(RunFolderError, match="holds no transmission"):
        send_images(inputs, settings(), tmp_path / "other", quiet=True)


def test_curves_of_bits_end_at_the_first_snr_without_an_error(inputs, tmp_path):
    table = send_images(inputs, settings(alphas=[2], snr_db=[0, 20, 30, 40]), tmp_path, quiet=True)
    assert table[table.modulation == "bpsk"].snr_db.tolist() == [0, 20]
    assert table[table.modulation == "analog"].snr_db.tolist() == [0, 20, 30, 40]


def sent_rows(sign: int, images: int = 200) -> pd.DataFrame:
    """Two alphas at three SNRs: more bit errors at the smaller alpha, and there more (+1) or fewer images lost."""
    generator = np.random.default_rng(0)
    frames = []
    for alpha in (2.0, 1.0):
        for snr_db, rate in ((0.0, 0.6), (10.0, 0.4), (20.0, 0.2)):
            lost = generator.random(images) < rate + (0.1 if alpha == 1 else -0.1) * sign
            frames.append(pd.DataFrame({
                "alpha": alpha, "noise": f"stable:alpha={alpha:g}", "ruler": "dispersion", "modulation": "bpsk",
                "code": "none", "receiver": "cauchy", "interleaver": "none", "labelling": "natural", "frame": 512,
                "snr_db": snr_db, "image": np.arange(images), "label": 0, "clean": 0, "prediction": lost.astype(int),
                "bits": 1000, "errors": generator.poisson(1000 * rate / (2 if alpha == 2 else 1), images),
            }))  # fmt: skip
    return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize(("sign", "verdict"), [(1, "supported"), (-1, "contradicted")])
def test_the_claim_follows_the_orders(sign, verdict):
    (claim,) = agreements(sent_rows(sign), (0.0, 10.0, 20.0), "model", classes=10, seed=0)
    assert claim.verdict == verdict
    assert claim.effect == sign
    assert "3 SNRs" in claim.evidence


def test_where_accuracy_does_not_depend_on_alpha_the_claim_is_undecided():
    """Alphas share their images lost: Kendall's tau is 0 in every bootstrap sample."""
    rows = sent_rows(1)
    for snr_db in (0.0, 10.0, 20.0):
        at = rows.snr_db == snr_db
        rows.loc[at & (rows.alpha == 1), "prediction"] = rows.loc[at & (rows.alpha == 2), "prediction"].to_numpy()
    (claim,) = agreements(rows, (0.0, 10.0, 20.0), "model", classes=10, seed=0)
    assert (claim.verdict, claim.effect, claim.low, claim.high) == ("undecided", 0, 0, 0)
    (claim,) = agreements(rows[rows.alpha == 2], (0.0, 10.0, 20.0), "model", classes=10, seed=0)
    assert claim.verdict == "undecided" and "one alpha alone" in claim.evidence


def test_claims_of_several_systems_are_one_family():
    rows = sent_rows(1, images=30)
    (alone,) = agreements(rows, (0.0, 10.0, 20.0), "model", classes=10, seed=0)
    both = agreements(pd.concat([rows, rows.assign(code="conv")]), (0.0, 10.0, 20.0), "model", classes=10, seed=0)
    assert 0 < alone.p < 1
    assert [(claim.p, claim.p_adjusted) for claim in both] == [(alone.p, min(1.0, 2 * alone.p))] * 2


def test_tau_counts_pairs():
    first, second = np.arange(4.0), np.array([0.0, 1.0, 3.0, 2.0])
    assert pairwise_tau(first, second) == pytest.approx(4 / 6)
    assert pairwise_tau(first, -first) == -1
    assert pairwise_tau(first, np.zeros(4)) == 0


def call(capsys, *arguments) -> tuple[int, str, str]:
    code = 0
    try:
        cli.main(["transmission", *map(str, arguments)])
    except SystemExit as stop:
        code = stop.code
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_the_command_line(capsys, tmp_path):
    small = ("--samples", 10, "--snr", "0,20", "--alpha", "2,1", "--code", "none", "--labelling", "gray")
    code, out, _ = call(capsys, *small, "--out", tmp_path / "a")
    assert code == 0
    assert "gray labelling" in out and "analog amplitudes" in out and "transmission.csv" in out
    assert pd.read_csv(tmp_path / "a" / "transmission.csv").images.eq(10).all()
    code, _, err = call(capsys, *small, "--seed", 1, "--out", tmp_path / "a")
    assert code == 1 and "other settings" in err and "(--out)" in err


@pytest.mark.parametrize(
    ("wrong", "option"),
    [(("--labelling", "grey"), "--labelling"), (("--code", "turbo"), "--code"), (("--alpha", "3"), "--alpha"),
     (("--snr", "x"), "--snr"), (("--receiver", "best"), "--receiver")],
)  # fmt: skip
def test_a_mistake_is_one_line(capsys, tmp_path, wrong, option):
    code, _, err = call(capsys, *wrong, "--out", tmp_path / "a")
    assert code == 2
    assert option in err and len(err.strip().splitlines()) == 1
    assert not (tmp_path / "a").exists()


def test_images_without_labels_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", x=uniform(4).numpy())
    with pytest.raises(UsageError, match="needs labels"):
        open_inputs("bundled:standard", data=str(tmp_path / "x.npz"))
