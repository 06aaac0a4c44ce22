"""What the tests of Section 5 share: a small network, images of four classes, and the setting made of them."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from cnncomm_bench.experiments.section5.experiment_result import ExperimentResult
from cnncomm_bench.experiments.section5.setting import Setting
from cnncomm_bench.results.statistics import SIGNS

CLASSES, SIDE = 4, 12

LabelledImages = tuple[torch.Tensor, torch.Tensor]


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, CLASSES))


def blocks(count: int, seed: int) -> LabelledImages:
    """Grey images of one coarse pattern a class, under noise."""
    labels = torch.arange(count) % CLASSES
    patterns = torch.rand(CLASSES, 1, 3, 3, generator=torch.Generator().manual_seed(9))
    coarse = nn.functional.interpolate(patterns[labels], (SIDE, SIDE))
    noise = torch.randn(coarse.shape, generator=torch.Generator().manual_seed(seed))
    return ((0.2 + 0.6 * coarse + 0.05 * noise).clamp(0, 1) * 255).round().to(torch.uint8), labels


def setting_of(folder: Path, train: LabelledImages, test: LabelledImages, **changed) -> Setting:
    """A setting for the CPU that trains in a second; `changed` replaces its fields."""
    small = {
        "classes": CLASSES, "factory": network, "device": "cpu", "seed": 0, "full": False, "folder": folder,
        "epochs": 4, "learning_rate": 0.05, "flip": False, "quiet": True,
    }  # fmt: skip
    return Setting(*train, *test, **{**small, **changed})


def small_setting(folder: Path, train: int = 320, test: int = 80, **changed) -> Setting:
    """The setting of `blocks`."""
    return setting_of(folder, blocks(train, 0), blocks(test, 1), **changed)


def check_result(outcome: ExperimentResult) -> None:
    """Every claim can be adjusted, every control stays out, and every file holds numbers with signs beside them."""
    for claim in outcome.claims:
        assert claim.control == ("control" in claim.statement.lower())
        assert claim.control or claim.p is not None or claim.verdict == "undecided", claim
    for name, table in outcome.tables.items():
        numbers = [column for column in table if column.endswith("_db") or column in ("low", "high")]
        assert not np.isinf(table[numbers].to_numpy(dtype=float)).any(), name
        for estimate in SIGNS.keys() & set(table.columns):
            assert set(table[SIGNS[estimate]]) <= {"", "<", ">"}
    for verdict in ("supported", "contradicted", "undecided"):
        assert verdict not in outcome.text  # the runner adjusts them
