"""Fig. 2's transmit power by the images' contrast: a receiver without a scale bears dB for dB of noise."""

import pytest
import torch
from torch import nn

from cnncomm_bench.experiments.section5 import contrast

from .section5_setting import CLASSES, SIDE, setting_of


def faint(count):
    """Grey images, a faint pattern a class, no two alike: the noise of an image is drawn by its content."""
    labels = torch.arange(count) % CLASSES
    own = torch.randint(-1, 2, (count, 1, SIDE, SIDE), generator=torch.Generator().manual_seed(1))
    return (128 + 12 * patterns()[labels] + own).round().to(torch.uint8), labels


def patterns():
    """One a class, with nothing in the last column."""
    made = torch.randn(CLASSES, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    made[..., -1] = 0
    return (made / made.square().mean((2, 3), keepdim=True).sqrt()).clamp(-3, 3)


class Correlator(nn.Module):
    """The class whose pattern correlates best with the image, as a matched filter.

    Where the last column, in which there is only noise, is uneven by more than `most`, it gives up: class 0.
    """

    def __init__(self, most: float = 1.0) -> None:
        super().__init__()
        self.most = most

    def forward(self, images):
        correlation = (images - images.mean((2, 3), keepdim=True)).flatten(1) @ patterns().flatten(1).T / SIDE**2
        noisy = images[..., -1].std((1, 2)) > self.most
        return torch.where(noisy[:, None], torch.eye(CLASSES)[0], correlation)


def judged(folder, source):
    outcome = contrast.run(setting_of(folder, faint(40), faint(200), source=source.eval()))
    assert [claim.id for claim in outcome.claims] == ["contrast", "contrast-control"]
    assert len(outcome.tables["contrast"]) == 2 * len(contrast.POWERS_DB) - 1
    return outcome


def test_without_a_scale_it_is_db_for_db(tmp_path):
    outcome = judged(tmp_path, Correlator())
    claim, control = outcome.claims
    assert claim.verdict == "supported"
    assert (claim.low, claim.effect, claim.high) == pytest.approx((1, 1, 1))
    assert "inside the interval" in claim.evidence
    assert control.verdict == "undecided"
    assert f"bears {claim.effect:.2f} dB more" in outcome.text


def test_a_network_that_bears_the_same_noise_at_any_contrast(tmp_path, monkeypatch):
    monkeypatch.setattr(contrast, "GRID_DB", tuple(float(db) for db in range(10, 35)))  # it gives up within 2 dB
    claim = judged(tmp_path, Correlator(most=0.02)).claims[0]
    assert claim.effect == pytest.approx(0, abs=0.1)
    assert "outside the interval" in claim.evidence


def test_off_the_grid_it_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(contrast, "GRID_DB", (-20.0, -15.0))
    outcome = judged(tmp_path, Correlator())
    assert [claim.verdict for claim in outcome.claims] == ["undecided"] * 2
    assert "off the grid" in outcome.text
