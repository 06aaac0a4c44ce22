import math

import pytest
import torch

from cnncomm_bench import snr
from cnncomm_bench._utils.errors import UsageError
from cnncomm_bench.attacks import parse
from cnncomm_bench.attacks.tone import BandNoise, ToneNoise, radial_frequencies
from cnncomm_bench.snr.streams import digests

SPECS = ["tone:u=0.25,v=0", "tone:u=0.1,v=-0.3", "tone:u=0.5,v=0.5", "band:low=0,high=0.1", "band:low=0.2,high=0.35"]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("snr_db", [5.0, 20.0, 45.0])
def test_meets_its_snr_after_clipping(pictures, spec, snr_db):
    disturbed = parse(spec)(pictures, snr_db=snr_db)
    assert disturbed.min() >= 0 and disturbed.max() <= 1
    assert snr.measure(pictures, disturbed).numpy() == pytest.approx(snr_db, abs=1e-4)


@pytest.mark.parametrize("spec", SPECS)
def test_noise_is_the_same_whatever_the_batch(pictures, spec):
    attack = parse(spec)
    together = attack(pictures, snr_db=15.0, seed=4)
    alone = torch.cat([attack(picture[None], snr_db=15.0, seed=4) for picture in pictures.flip(0)]).flip(0)
    assert torch.equal(together, alone)
    assert not torch.equal(together, attack(pictures, snr_db=15.0, seed=5))


@pytest.mark.parametrize("spec", SPECS)
def test_spec_round_trip(spec):
    assert parse(parse(spec).spec) == parse(spec)
    assert parse(spec).spec == spec


def test_band_holds_all_its_power(pictures):
    """Before clipping; float32 rounding leaves about 1e-14 outside."""
    attack = BandNoise(0.15, 0.3)
    direction = attack.draw(digests(pictures), (3, 16, 20), seed=0)
    power = torch.fft.fft2(direction.double()).abs().square()
    radius = radial_frequencies(16, 20)
    outside = (radius < 0.15) | (radius >= 0.3)
    assert 0 < outside.sum() < outside.numel()
    assert (power * outside).sum() / power.sum() < 1e-6


def test_tone_lies_at_its_frequency(pictures):
    """A wave of 3 cycles in 20 pixels and 2 in 16 is one coefficient of the transform."""
    direction = ToneNoise(u=3 / 20, v=2 / 16).draw(digests(pictures), (3, 16, 20), seed=0)
    power = torch.fft.rfft2(direction.double()).abs().square()
    assert (power[:, 0, 2, 3] / power.sum((1, 2, 3))).numpy() == pytest.approx(1, abs=1e-6)
    phases = torch.fft.rfft2(direction.double())[:, 0, 2, 3].angle()
    assert len(phases.round(decimals=6).unique()) == len(pictures)


def test_bands_share_one_draw_and_add_up_to_white_noise(pictures):
    keys = digests(pictures)
    parts = [BandNoise(low, high).draw(keys, (3, 16, 20), seed=0) for low, high in [(0, 0.2), (0.2, 0.4), (0.4, 1)]]
    whole = BandNoise(0, 1).draw(keys, (3, 16, 20), seed=0)
    assert torch.allclose(sum(parts), whole, atol=1e-5)
    # 11,520 standard normal values: 5 standard errors, 6e-7.
    assert whole.square().mean().item() == pytest.approx(1, abs=5 * math.sqrt(2 / whole.numel()))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("tone:u=0.6", "cycles per pixel, from -0.5 to 0.5"),
        ("tone:u=nan", "cycles per pixel, from -0.5 to 0.5"),
        ("band:low=0.3,high=0.2", "is no band"),
        ("band:low=-0.1", "is no band"),
    ],
)
def test_bad_parameters_are_one_line(spec, message):
    with pytest.raises(UsageError, match=message):
        parse(spec)


def test_band_between_the_frequencies_of_an_image_is_refused(pictures):
    with pytest.raises(UsageError, match="no spatial frequency"):
        parse("band:low=0.01,high=0.02")(pictures, snr_db=10.0)
