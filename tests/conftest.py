"""What tests share: small images, a model that is quick to ask, and the data that may be absent."""

from pathlib import Path

import numpy as np
import pytest
import torch

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def pictures() -> torch.Tensor:
    """Twelve images, shape-(12, 3, 16, 20), smooth as photographs are, multiples of 1/255."""
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(12, 3, 5, 6, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (16, 20), mode="bilinear", align_corners=True)
    return (smooth * 255).round() / 255


@pytest.fixture
def linear() -> torch.nn.Module:
    """A linear classifier of 4 classes for the pictures."""
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 20, 4)).eval()


@pytest.fixture
def shared_data() -> Path:
    """Real images and weights, which a clean clone does not have."""
    if not SHARED.is_dir():
        pytest.skip("the real images and weights are not on this machine")
    return SHARED


@pytest.fixture
def labelled(linear: torch.nn.Module) -> tuple[np.ndarray, np.ndarray]:
    """Sixty uint8 images and the labels that the linear model gives most of them."""
    images = np.random.default_rng(0).integers(0, 256, (60, 3, 16, 20), dtype=np.uint8)
    labels = linear(torch.from_numpy(images) / 255).argmax(1).numpy()
    labels[:6] = (labels[:6] + 1) % 4
    return images, labels
