import pytest
import torch

from cnncomm_bench import snr
from cnncomm_bench._utils.errors import UsageError
from cnncomm_bench.attacks import NoiseBatch, parse
from cnncomm_bench.attacks.footprint import SHAPES, default_size, footprint

GRID = torch.arange(0, 45, 5.0)


def over(spec: str, images: torch.Tensor, grid: torch.Tensor = GRID) -> list:
    return sorted(parse(spec).over(NoiseBatch(images), grid), key=lambda disturbed: disturbed.step)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [None, 1, 2, 5, 30])
def test_snr_is_met(pictures, shape, size):
    if shape == "point" and size is not None:
        pytest.skip("a point has no size")
    spec = f"impulse-{shape}" + (f":size={size}" if size else "")
    for target, disturbed in zip(GRID, over(spec, pictures), strict=True):
        error = (snr.measure(pictures, disturbed.images) - target).abs()
        assert (error[disturbed.reached] < 1e-4).all()
        assert target == 0 or disturbed.reached.all()


@pytest.mark.parametrize("shape", SHAPES)
def test_images_of_all_snrs_are_nested(pictures, shape):
    louder, *rest = over(f"impulse-{shape}", pictures)
    for quieter in rest:
        hit = (quieter.images != pictures).any(1)
        assert ((louder.images != pictures).any(1) | ~hit).all()
        assert ((louder.images - pictures).abs() >= (quieter.images - pictures).abs() - 1e-6).all()
        louder = quieter


def test_whole_impulses_saturate_and_only_the_last_is_scaled(pictures):
    (disturbed,) = over("impulse-square:size=3", pictures, torch.tensor([8.0]))
    for clean, image, whole in zip(pictures, disturbed.images, disturbed.facts["impulses"]):
        hit = (image != clean).any(0)
        extreme = ((image == 0) | (image == 1)).all(0)
        assert (hit & ~extreme).sum() <= 9
        assert whole >= 1


def test_footprints_are_shapes():
    assert [sum(last - first + 1 for _, first, last in footprint(shape, 5)) for shape in SHAPES] == [1, 25, 25, 25]
    assert footprint("square", 3) == [(-1, -1, 1), (0, -1, 1), (1, -1, 1)]
    assert footprint("rhombus", 3) == [(-1, 0, 0), (0, -1, 1), (1, 0, 0)] or len(footprint("rhombus", 3)) == 5
    assert [default_size(side, 300) for side in (8, 32, 96, 224)] == [3, 3, 4, 9]


@pytest.mark.parametrize("shape", ["square", "triangle", "rhombus"])
def test_first_impulse_has_its_footprint(shape):
    """On grey images far from saturation the loudest single impulse is the footprint itself, clipped by the border."""
    clean = torch.full((20, 1, 31, 31), 0.5)
    (disturbed,) = over(
        f"impulse-{shape}:size=4", clean, torch.tensor([10 * torch.log10(torch.tensor(961 / 4.0)).item()])
    )
    size = sum(last - first + 1 for _, first, last in footprint(shape, 4))
    for image in disturbed.images:
        assert 1 <= int((image != 0.5).sum()) <= 2 * size


def test_salt_and_pepper_are_both_there(pictures):
    (disturbed,) = over("impulse-point", pictures, torch.tensor([5.0]))
    changed = (disturbed.images != pictures).all(1)
    salt = ((disturbed.images == 1).all(1) & changed).float().mean()
    pepper = ((disturbed.images == 0).all(1) & changed).float().mean()
    assert salt > 0.05
    assert pepper > 0.05


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("impulse:shape=circle", "point, rhombus, square, triangle"),
        ("impulse-square:size=0", "at least 1"),
        ("impulse-point:size=3", "leave size out"),
        ("impulse-square:size=x", "not a whole number"),
    ],
)
def test_bad_parameters(spec, message):
    with pytest.raises(UsageError, match=message):
        parse(spec)
