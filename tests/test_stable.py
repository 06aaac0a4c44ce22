import math

import numpy as np
import pytest
import torch
from scipy import stats

from cnncomm_bench._utils.errors import UsageError
from cnncomm_bench.attacks import ImageBatch, parse
from cnncomm_bench.attacks.stable import AlphaStable, geometric_power, transform
from cnncomm_bench.snr.streams import digests

COUNT = 200_000


def uniforms(count: int = COUNT) -> tuple[torch.Tensor, torch.Tensor]:
    generator = np.random.default_rng(11)
    return torch.from_numpy(generator.random(count) - 0.5), torch.from_numpy(generator.standard_exponential(count))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    ("alpha", "beta", "form"),
    [(2, 0, "S1"), (1.5, 0, "S1"), (1, 0, "S1"), (0.5, 0, "S1"), (0.3, 0, "S1"), (0.9, 0.5, "S1"), (0.9, 0.5, "S0"),
     (1.1, -0.7, "S0"), (1.7, 1, "S1"), (0.5, 1, "S1"), (0.5, 1, "S0"), (1, 0.5, "S1"), (1.001, 0.5, "S0")],
)  # fmt: skip
def test_quantiles_and_tails_are_scipys(alpha, beta, form, dtype, monkeypatch):
    """At each of nine quantiles the share of values below is binomial.

    5 standard errors: 6e-7 a quantile, below 2e-4 for all of this test's cases together.
    """
    monkeypatch.setattr(stats.levy_stable, "parameterization", form)
    turn, exponential = (part.to(dtype) for part in uniforms())
    values = transform(turn, exponential.clamp(min=1e-7), alpha, beta, form).double().numpy()
    for level in (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99):
        point = stats.levy_stable.ppf(level, alpha, beta)
        below = (values <= point).mean()
        assert below == pytest.approx(level, abs=5 * math.sqrt(level * (1 - level) / COUNT)), level


@pytest.mark.parametrize(("alpha", "factor"), [(0.5, 1e6), (1.0, 1e3), (1.5, 1e2)])
def test_tails_follow_the_power_law(alpha, factor):
    """P(|X| > x) tends to Gamma(alpha) sin(pi alpha / 2) 2 / pi x^-alpha (Nolan 2020, theorem 1.2)."""
    turn, exponential = (part.float() for part in uniforms(2_000_000))
    beyond = (transform(turn, exponential.clamp(min=1e-7), alpha).abs() > factor).double().mean().item()
    expected = 2 / math.pi * math.gamma(alpha) * math.sin(math.pi * alpha / 2) * factor**-alpha
    # About 1,300 values are beyond: 5 standard errors and 1 % of the expansion's next term.
    assert beyond == pytest.approx(expected, abs=5 * math.sqrt(expected / 2_000_000) + 0.01 * expected)


def test_closed_forms():
    turn, exponential = uniforms(1000)
    assert torch.allclose(transform(turn, exponential, 1.0), torch.tan(math.pi * turn))
    levy = transform(turn, exponential, 0.5, 1.0)
    assert levy.min() > 0
    general = transform(turn, exponential, 0.5 + 1e-9, 1.0)
    assert torch.allclose(levy, general, rtol=1e-4)
    assert torch.allclose(transform(turn, exponential, 0.5, -1.0).sort().values[:10] < 0, torch.tensor(True))


@pytest.mark.parametrize("alpha", [0.1, 0.05])
def test_smallest_alphas_stay_finite(alpha, pictures):
    values = parse(f"stable:alpha={alpha}").draw(digests(pictures), (3, 16, 20), seed=0)
    assert values.isfinite().all()
    assert 1e20 < values.abs().max() <= 1.0001e30


@pytest.mark.parametrize("alpha", [0.4, 0.9, 1.0, 1.5, 2.0])
def test_geometric_power(alpha):
    turn, exponential = uniforms()
    logs = transform(turn, exponential, alpha).abs().log().numpy()
    error = 5 * logs.std() / math.sqrt(COUNT)  # 6e-7
    assert logs.mean() == pytest.approx(math.log(geometric_power(alpha)), abs=error)


@pytest.mark.parametrize("beta", [0.5, 1.0, -0.8])
@pytest.mark.parametrize("alpha", [0.3, 0.5, 0.7, 0.99, 1.0, 1.01, 1.5])
def test_geometric_power_of_a_skewed_law_is_that_of_the_draw(alpha, beta):
    """The attack draws S0. By the constant of S1, a strictly stable law, alpha = 0.99 would be 36 dB off."""
    turn, exponential = uniforms()
    logs = transform(turn, exponential, alpha, beta, "S0").abs().log().numpy()
    error = 5 * logs.std() / math.sqrt(COUNT)  # 6e-7 a case
    assert logs.mean() == pytest.approx(math.log(geometric_power(alpha, beta)), abs=error)


def test_geometric_power_is_continuous():
    for beta in (0.3, 1.0):
        at_one = geometric_power(1.0, beta)
        for alpha in (1 - 1e-6, 1 + 1e-6):
            assert geometric_power(alpha, beta) == pytest.approx(at_one, rel=1e-5)
        assert geometric_power(2 - 1e-9, beta) == pytest.approx(geometric_power(2.0, beta), rel=1e-6)
        assert geometric_power(0.7, beta) == pytest.approx(geometric_power(0.7, -beta), rel=1e-9)
    assert geometric_power(0.7, 1e-9) == pytest.approx(geometric_power(0.7), rel=1e-6)


@pytest.mark.parametrize("spec", ["stable:alpha=1,beta=1", "levy", "stable:alpha=0.95,beta=0.7"])
def test_skewed_noise_meets_the_geometric_ruler(spec):
    """G^2 = P 10^(-SNR/10) / (2 Cg), whatever the skewness; unclipped."""
    attack, clean = parse(spec), torch.full((8, 3, 100, 100), 0.5)
    clean += torch.rand(clean.shape, generator=torch.Generator().manual_seed(0)) / 10
    batch = ImageBatch(clean, bounds=(-math.inf, math.inf))
    (perturbed,) = attack.sweep(batch, torch.tensor([20.0], dtype=torch.float64), ruler="geometric")
    logs = (perturbed.images.double() - clean.double()).abs().clamp(min=1e-12).log()
    power = float(clean.double().square().mean())
    expected = 0.5 * (math.log(power * 10**-2 / 2) - np.euler_gamma)
    assert float(logs.mean()) == pytest.approx(expected, abs=5 * float(logs.std()) / math.sqrt(logs.numel()) + 2e-3)


class TestDistribution:
    def test_moments_where_they_exist(self):
        law = AlphaStable(torch.tensor([2.0, 1.5, 1.0, 0.5]), 0.0, 3.0, 2.0)
        assert law.mean.tolist() == pytest.approx([3, 3, math.nan, math.nan], nan_ok=True)
        assert law.variance.tolist() == pytest.approx([8, math.inf, math.nan, math.nan], nan_ok=True)

    def test_gaussian(self):
        values = AlphaStable(2.0, 0.0, 1.0, 3.0).sample((COUNT,), generator=torch.Generator().manual_seed(0))
        assert stats.kstest(values.numpy(), stats.norm(1, 3 * math.sqrt(2)).cdf).pvalue > 1e-6

    def test_location_and_scale_of_a_skewed_law_at_one(self):
        law = stats.levy_stable(1.0, 0.5, loc=2.0, scale=3.0)
        values = AlphaStable(1.0, 0.5, 2.0, 3.0).sample((20_000,), generator=torch.Generator().manual_seed(0))
        # By its cdf: scipy's ppf leaves out the shift that scaling causes at alpha = 1.
        assert law.cdf(values.median().item()) == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(20_000))

    def test_batches(self):
        law = AlphaStable(torch.tensor([[2.0], [0.5]]), torch.tensor([0.0, 1.0, -1.0]))
        assert law.batch_shape == (2, 3)
        values = law.sample((7,), generator=torch.Generator().manual_seed(0))
        assert values.shape == (7, 2, 3)
        assert (values[:, 1, 1] > 0).all()
        assert (values[:, 1, 2] < 0).all()
        assert law.expand((5, 2, 3)).sample().shape == (5, 2, 3)

    @pytest.mark.parametrize("bad", [{"alpha": 0.0}, {"alpha": 2.1}, {"beta": 1.5}, {"scale": 0.0}])
    def test_arguments_are_checked(self, bad):
        with pytest.raises(ValueError, match=next(iter(bad))):
            AlphaStable(**{"alpha": 1.0, "beta": 0.0, "scale": 1.0, **bad}, validate_args=True)


def test_shared_channels_are_grey(pictures):
    disturbed = parse("gaussian:channels=shared")(pictures, snr_db=25.0)
    inside = (disturbed > 0).all(1, keepdim=True) & (disturbed < 1).all(1, keepdim=True)
    noise = disturbed - pictures
    assert torch.allclose((noise - noise[:, :1]) * inside, torch.zeros(()), atol=1e-6)


@pytest.mark.parametrize("alpha", [0, -1, 2.5, math.nan])
def test_alpha_out_of_range(alpha):
    with pytest.raises(UsageError, match=r"alpha is in \(0, 2\]"):
        parse(f"stable:alpha={alpha}")


def test_beta_out_of_range():
    with pytest.raises(UsageError, match=r"beta is in \[-1, 1\]"):
        parse("stable:alpha=1.5,beta=2")
