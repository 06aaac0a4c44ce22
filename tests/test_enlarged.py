"""Fig. 4's noise: the points of alpha-stable noise grown to shapes, and what shares its draws."""

import pytest
import torch

from cnncomm_bench import snr
from cnncomm_bench.attacks import parse
from cnncomm_bench.attacks.footprint import footprint, largest_covering


@pytest.fixture
def pictures():
    return torch.rand(6, 3, 20, 24, generator=torch.Generator().manual_seed(0)).clamp(0.1, 0.9)


@pytest.mark.parametrize("shape", ["square", "triangle", "rhombus"])
@pytest.mark.parametrize("size", [3, 4, 5])
def test_a_single_point_becomes_the_shape(shape, size):
    point = torch.zeros(1, 1, 21, 21)
    point[0, 0, 10, 10] = 1
    grown = largest_covering(point, footprint(shape, size))[0, 0]
    expected = {(10 + row, 10 + c) for row, first, last in footprint(shape, size) for c in range(first, last + 1)}
    assert {tuple(place) for place in grown.nonzero().tolist()} == expected


def test_each_pixel_takes_the_value_of_largest_magnitude_under_the_footprint(pictures):
    """By a loop over pixels, for a shape that is its own mirror image."""
    keys = snr.digests(pictures)
    shape = tuple(pictures.shape[1:])
    points = parse("stable:alpha=0.9,channels=shared").draw(keys, shape, seed=0)
    enlarged = parse("enlarged-square:size=3").draw(keys, shape, seed=0)
    for image, row, column in [(0, 0, 0), (1, 7, 23), (2, 19, 11), (5, 10, 10)]:
        near = points[image, 0, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].flatten()
        assert enlarged[image, 0, row, column] == near[near.abs().argmax()]


@pytest.mark.parametrize("channels", ["shared", "independent"])
def test_draws_are_those_of_salt_and_pepper(pictures, channels):
    keys, shape = snr.digests(pictures), tuple(pictures.shape[1:])
    points = parse(f"salt-pepper:channels={channels}").draw(keys, shape, seed=3)
    assert torch.equal(parse(f"enlarged:shape=point,channels={channels}").draw(keys, shape, seed=3), points)
    assert torch.equal(parse("enlarged:shape=point").draw(keys, shape, seed=3), points) == (channels == "shared")


@pytest.mark.parametrize("spec", ["enlarged-square", "enlarged-triangle", "enlarged-rhombus:size=4,alpha=1.5"])
def test_the_snr_is_met(pictures, spec):
    for snr_db in (5.0, 20.0):
        disturbed = parse(spec)(pictures, snr_db=snr_db)
        assert snr.measure(pictures, disturbed).tolist() == pytest.approx([snr_db] * 6, abs=1e-4)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("enlarged:size=0", "at least 1"),
        ("enlarged:shape=point,size=3", "leave size out"),
        ("enlarged:alpha=3", "(0, 2]"),
    ],
)
def test_what_makes_no_sense(spec, message):
    with pytest.raises(ValueError, match=r".") as error:
        parse(spec)
    assert message in str(error.value)
