import math

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from cnncomm_bench import snr
from cnncomm_bench.attacks import NoiseBatch, parse
from cnncomm_bench.attacks.stable import geometric_power
from cnncomm_bench.snr import projection

GRID = torch.arange(0, 55, 5.0)


def heavy(shape: tuple[int, ...], alpha: float, seed: int = 0) -> torch.Tensor:
    """Directions with power-law tails of index alpha, up to 1e30."""
    generator = torch.Generator().manual_seed(seed)
    size = torch.rand(shape, generator=generator).clamp(min=1e-8) ** (-1 / alpha)
    return torch.randn(shape, generator=generator).sign() * size.clamp(max=1e30)


def test_measure_is_formula_1():
    clean, disturbed = torch.rand(3, 2, 4, 5, dtype=torch.float64), torch.rand(3, 2, 4, 5, dtype=torch.float64)
    expected = [10 * np.log10((x**2).sum() / ((x - y) ** 2).sum()) for x, y in zip(clean.numpy(), disturbed.numpy())]
    assert snr.measure(clean, disturbed).numpy() == pytest.approx(expected, abs=1e-12)


def test_measure_of_the_same_image_is_infinite(pictures):
    assert snr.measure(pictures, pictures).isposinf().all()


@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0, 2.0])
def test_project_meets_every_snr_under_any_tail(pictures, alpha):
    disturbed, reached = snr.project(pictures, heavy(pictures.shape, alpha), GRID)
    assert disturbed.shape == (len(GRID), *pictures.shape)
    assert reached.shape == (len(GRID), len(pictures))
    assert disturbed.min() >= 0
    assert disturbed.max() <= 1
    for target, images, met in zip(GRID, disturbed, reached):
        error = (snr.measure(pictures, images) - target).abs()
        assert error[met].tolist() == pytest.approx([0] * int(met.sum()), abs=1e-4)
    assert reached[1:].all()


@given(
    seed=st.integers(0, 2**31),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(2, 9), st.integers(2, 9)),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    target=st.floats(3, 60),
    alpha=st.floats(0.1, 2),
)
@settings(max_examples=150, deadline=None)
def test_project_is_exact_or_says_saturated(seed, shape, dtype, target, alpha):
    generator = torch.Generator().manual_seed(seed)
    clean = torch.rand(shape, generator=generator, dtype=dtype).clamp(0.05, 1)
    direction = heavy(shape, alpha, seed).to(dtype)
    disturbed, reached = snr.project(clean, direction, target)
    error = (snr.measure(clean, disturbed) - target).abs()
    # A float32 pixel is rounded to 6e-8; one pixel may carry all the noise of a small image at 60 dB.
    assert (error[reached] < (2e-3 if dtype == torch.float32 else 1e-6)).all()
    room = torch.where(direction > 0, 1 - clean, clean).square().flatten(1).sum(1)
    most = 10 * torch.log10(clean.square().flatten(1).sum(1) / room)
    assert torch.equal(reached, most <= target) or (most - target).abs().min() < 1e-6
    saturated = torch.where(direction > 0, 1.0, 0.0).to(dtype)
    # s |n| is rounded once more than the pixel it saturates.
    assert torch.allclose(disturbed[~reached], saturated[~reached], atol=torch.finfo(dtype).eps)


def test_targets_per_image(pictures):
    direction = heavy(pictures.shape, 2.0)
    each = torch.linspace(5, 40, len(pictures))
    disturbed, reached = snr.project(pictures, direction, torch.stack([each, each + 5]))
    assert reached.all()
    assert snr.measure(pictures, disturbed[0]).tolist() == pytest.approx(each.tolist(), abs=1e-4)
    assert snr.measure(pictures, disturbed[1]).tolist() == pytest.approx((each + 5).tolist(), abs=1e-4)
    one, _ = snr.project(pictures, direction, each[None])
    assert torch.equal(one[0], disturbed[0])


def test_batch_and_chunks_do_not_matter(pictures, monkeypatch):
    direction = heavy(pictures.shape, 1.0)
    whole, _ = snr.scales(pictures, direction, GRID)
    monkeypatch.setattr(projection, "_CHUNK", 1)
    one_by_one, _ = snr.scales(pictures, direction, GRID)
    assert torch.equal(whole, one_by_one)


def test_without_bounds_nothing_is_clipped(pictures):
    unlimited = (-math.inf, math.inf)
    disturbed, reached = snr.project(pictures, heavy(pictures.shape, 1.0), -20.0, unlimited)
    assert reached.all()
    assert snr.measure(pictures, disturbed).tolist() == pytest.approx([-20] * len(pictures), abs=1e-4)


def test_no_noise_at_infinite_snr(pictures):
    disturbed, reached = snr.project(pictures, heavy(pictures.shape, 1.0), math.inf)
    assert torch.equal(disturbed, pictures)
    assert reached.all()


def test_images_that_saturate_are_told_one_by_one():
    clean = torch.stack([torch.full((1, 4, 4), 0.9), torch.full((1, 4, 4), 0.5)])
    disturbed, reached = snr.project(clean, torch.ones_like(clean), 6.0)
    assert reached.tolist() == [False, True]
    assert torch.equal(disturbed[0], torch.ones(1, 4, 4))


@pytest.mark.parametrize(
    ("clean", "direction", "target", "message"),
    [
        (torch.zeros(2, 1, 2, 2), torch.ones(2, 1, 2, 2), 20.0, "image 0, 1 has zero power"),
        (torch.full((1, 1, 2, 2), math.nan), torch.ones(1, 1, 2, 2), 20.0, "image 0 holds NaN"),
        (torch.ones(1, 1, 2, 2), torch.full((1, 1, 2, 2), math.nan), 20.0, "image 0 has a direction with NaN"),
        (torch.full((1, 1, 2, 2), 1.5), torch.ones(1, 1, 2, 2), 20.0, r"image 0 holds pixels outside \[0, 1\]"),
        (torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 3), 20.0, "direction"),
        (torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2), math.nan, "an SNR is NaN"),
        (torch.ones(3, 1, 2, 2), torch.ones(3, 1, 2, 2), torch.ones(1, 2), "for 3 images"),
    ],
)
def test_bad_input_is_named(clean, direction, target, message):
    with pytest.raises(ValueError, match=message):
        snr.project(clean, direction, target)


def test_tiny_excursions_are_no_error():
    clean = torch.tensor([[[[-3e-8, 0.5], [1 + 3e-8, 0.2]]]])
    disturbed, _ = snr.project(clean, torch.ones_like(clean), 20.0)
    assert snr.measure(clean, disturbed).item() == pytest.approx(20, abs=1e-4)


@pytest.mark.parametrize("ruler", ["dispersion", "geometric"])
@pytest.mark.parametrize("alpha", [2.0, 1.5, 1.0, 0.5])
def test_rulers_fix_the_law(ruler, alpha):
    """The scale of the noise is what the ruler's formula says, read off unclipped noise."""
    clean = torch.full((1, 1, 300, 300), 0.5)
    batch = NoiseBatch(clean, ruler=ruler, bounds=(-math.inf, math.inf))
    (disturbed,) = parse(f"stable:alpha={alpha}").over(batch, torch.tensor([20.0]))
    noise = (disturbed.images - clean).flatten().double()
    # The quartiles of a symmetric stable law at scale 1, from scipy.stats.levy_stable.ppf(0.75, alpha, 0).
    quartile = {2.0: 0.95387, 1.5: 0.96889, 1.0: 1.0, 0.5: 1.28349}[alpha]
    found = noise.abs().quantile(0.5).item() / quartile
    expected = math.sqrt(0.25 / 100 / 2)
    if ruler == "geometric":
        expected = math.sqrt(0.25 / 100 / (2 * math.exp(0.5772156649))) / geometric_power(alpha)
    # 90,000 values: the standard error of the median is below 0.9 % at every alpha; 5 of them, 6e-7 to fail.
    assert found == pytest.approx(expected, rel=0.045)
    assert disturbed.reached.all()


def test_rulers_agree_for_gaussian_noise(pictures):
    grid = torch.tensor([30.0])
    same = [
        next(iter(parse("gaussian").over(NoiseBatch(pictures, ruler=ruler), grid))).images
        for ruler in ("dispersion", "geometric")
    ]
    assert torch.allclose(*same, atol=1e-6)


def test_quantise_rounds_as_a_file_does(pictures):
    noisy = (pictures + 0.001).clamp(0, 1)
    rounded = snr.quantise(noisy, 8)
    assert torch.equal((rounded * 255).round(), (noisy * 255).round())
    assert (rounded * 255 - (rounded * 255).round()).abs().max() < 1e-4
    assert snr.quantise(noisy, None) is noisy
    assert set(snr.quantise(noisy, 1).unique().tolist()) <= {0.0, 1.0}


def test_radius_is_the_norm_of_the_noise(pictures):
    disturbed, _ = snr.project(pictures, heavy(pictures.shape, 2.0), 17.0)
    norm = (disturbed - pictures).flatten(1).norm(dim=1)
    assert norm.tolist() == pytest.approx(snr.radius(pictures, 17.0).tolist(), rel=1e-4)


@given(st.integers(0, 2**31 - 1), st.sampled_from([0.001, 0.01, 0.3]), st.integers(1, 10))
def test_rounding_towards_the_clean_image_never_adds_noise(seed: int, size: float, bits: int):
    generator = torch.Generator().manual_seed(seed)
    levels = 2**bits - 1
    clean = torch.randint(0, levels + 1, (4, 3, 5, 6), generator=generator) / levels
    noisy = (clean + size * torch.randn(clean.shape, generator=generator)).clamp(0, 1)
    rounded = snr.quantise(noisy, bits, within=clean)
    assert torch.equal((rounded * levels).round() / levels, rounded)
    assert (snr.power(rounded.double() - clean.double()) <= snr.power(noisy.double() - clean.double())).all()
    nearest = snr.quantise(noisy, bits)
    fits = snr.power(nearest.double() - clean.double()) <= snr.power(noisy.double() - clean.double())
    assert torch.equal(rounded[fits], nearest[fits])  # no weaker than it must be
    assert snr.quantise(noisy, None, within=clean) is noisy
