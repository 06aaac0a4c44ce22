"""Fig. 2's transmit power by the images' contrast: a receiver that knows no scale bears dB for dB, others do not."""

import pytest
import torch
from torch import nn

from cnncomm_bench.experiments.section5 import contrast

from .section5_setting import blocks, small_setting


class Templates(nn.Module):
    """The nearest class by the angle to its mean image, which knows no scale; from a fixed level down it sees less."""

    def __init__(self, floor: float = 0.0) -> None:
        super().__init__()
        images, labels = blocks(320, 0)
        self.floor = floor
        self.means = torch.stack([images[labels == label].float().mean(0) / 255 for label in range(4)]).flatten(1)
        self.means = self.means - self.means.mean(0)

    def forward(self, images):
        seen = (images.flatten(1) - self.floor).clamp(min=0) if self.floor else images.flatten(1)
        return 20 * seen @ self.means.T / (seen.norm(dim=1, keepdim=True) + 1e-6)


def judged(tmp_path, source):
    outcome = contrast.run(small_setting(tmp_path, test=200, source=source.eval()))
    assert [claim.id for claim in outcome.claims] == ["contrast", "contrast-control"]
    assert len(outcome.tables["contrast"]) == 2 * len(contrast.POWERS_DB) - 1
    assert f"{outcome.claims[0].effect:.2f} dB" in outcome.text
    return outcome.claims


def test_without_a_scale_it_is_dB_for_dB(tmp_path):
    claim, control = judged(tmp_path, Templates())
    assert claim.verdict == "supported"
    assert claim.effect == pytest.approx(1, abs=0.05)
    assert "inside the interval" in claim.evidence
    assert control.verdict == "undecided"


def test_a_network_with_a_level_bears_less_noise_than_the_power_that_is_lost(tmp_path):
    """What is below the level is lost: at low contrast it needs more SNR, so noise must fall more than the signal."""
    claim, _ = judged(tmp_path, Templates(floor=0.15))
    assert claim.low > 1.05
    assert "outside the interval" in claim.evidence


def test_off_the_grid_it_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(contrast, "GRID_DB", (-40.0, -35.0))
    outcome = contrast.run(small_setting(tmp_path, source=Templates()))
    assert [claim.verdict for claim in outcome.claims] == ["undecided"] * 2
    assert "off the grid" in outcome.text
