"""The adapters and the native attack give the same pixels: attack x library x dtype x range x batch size x device."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from cnncomm_bench import snr
from cnncomm_bench.attacks.impulse import ImpulseNoise
from cnncomm_bench.attacks.stable import StableNoise

torchattacks = pytest.importorskip("torchattacks")
foolbox = pytest.importorskip("foolbox")

from art.estimators.classification import BlackBoxClassifier, PyTorchClassifier  # noqa: E402

from cnncomm_bench.attacks import for_art, for_foolbox, for_torchattacks  # noqa: E402

SNR_DB, SEED = 17.0, 5
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
RANGES = {"unit": (0.0, 1.0), "bytes": (0.0, 255.0), "signed": (-1.0, 1.0)}
MEAN, STD = [0.49, 0.48, 0.45], [0.25, 0.24, 0.26]

STABLE = {
    "gaussian": {"alpha": 2.0},
    "skewed": {"alpha": 1.2, "beta": 0.5},
    "heavy": {"alpha": 0.3},
    "dispersion": {"alpha": 1.5, "ruler": "dispersion"},
}
IMPULSES = {"point": {"shape": "point"}, "rhombus": {"shape": "rhombus", "size": 4}}
CASES = {**STABLE, **IMPULSES}


def native(case: str, images: Tensor) -> Tensor:
    parameters = dict(CASES[case])
    ruler = parameters.pop("ruler", "realised")
    noise = StableNoise(**parameters) if case in STABLE else ImpulseNoise(**parameters)
    return noise(images, snr_db=SNR_DB, seed=SEED, ruler=ruler)


def by_torchattacks(case: str, images: Tensor, bounds: tuple[float, float], model: torch.nn.Module) -> Tensor:
    cls = for_torchattacks.AlphaStableNoise if case in STABLE else for_torchattacks.ShapedImpulseNoise
    attack = cls(model, snr_db=SNR_DB, seed=SEED, **CASES[case])
    if bounds == RANGES["unit"]:
        return attack(images)
    # torchattacks knows other ranges as normalised images alone.
    low, high = bounds
    attack.set_normalization_used([-low / (high - low)] * 3, [1 / (high - low)] * 3)
    return (attack(images * (high - low) + low) - low) / (high - low)


def by_art(case: str, images: Tensor, bounds: tuple[float, float], model: torch.nn.Module) -> Tensor:
    cls = for_art.AlphaStableNoise if case in STABLE else for_art.ShapedImpulseNoise
    classifier = PyTorchClassifier(model, torch.nn.CrossEntropyLoss(), images.shape[1:], 4, clip_values=bounds)
    low, high = bounds
    x = (images.double() * (high - low) + low).to(images.dtype).cpu().numpy()
    found = cls(classifier, snr_db=SNR_DB, seed=SEED, **CASES[case]).generate(x)
    assert found.dtype == np.float32
    return torch.from_numpy((found.astype(np.float64) - low) / (high - low))


def by_foolbox(case: str, images: Tensor, bounds: tuple[float, float], model: torch.nn.Module) -> Tensor:
    cls = for_foolbox.AlphaStableNoise if case in STABLE else for_foolbox.ShapedImpulseNoise
    low, high = bounds
    target = foolbox.PyTorchModel(model.to(images.dtype), bounds=bounds, device=images.device)
    x = (images * (high - low) + low).clamp(low, high)
    labels = torch.zeros(len(x), dtype=torch.long, device=images.device)
    raw, clipped, _ = cls(seed=SEED, **CASES[case])(target, x, labels, epsilons=10 ** (-SNR_DB / 20))
    assert (raw - clipped).abs().max() <= 1e-5 * (high - low)
    return (clipped - low) / (high - low)


LIBRARIES = {"torchattacks": by_torchattacks, "art": by_art, "foolbox": by_foolbox}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("size", [1, 5, 12])
@pytest.mark.parametrize("bounds", RANGES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("case", CASES)
def test_same_pixels(
    case: str,
    library: str,
    dtype: torch.dtype,
    bounds: str,
    size: int,
    device: str,
    pictures: Tensor,
    linear: torch.nn.Module,
) -> None:
    images = pictures.to(device, dtype)
    wanted = native(case, pictures).to(device, torch.float64)
    run: Callable[..., Tensor] = LIBRARIES[library]
    found = torch.cat(
        [run(case, part, RANGES[bounds], linear.to(device)).to(device).double() for part in images.split(size)]
    )
    assert (found - wanted).abs().max() < 5e-6
    if case != "dispersion":
        assert (snr.measure(pictures.to(device), found) - SNR_DB).abs().max() < 1e-3


@pytest.mark.parametrize("library", LIBRARIES)
def test_same_pixels_in_a_subset_and_another_order(library: str, pictures: Tensor, linear: torch.nn.Module) -> None:
    rows = torch.tensor([7, 2, 11])
    whole = LIBRARIES[library]("gaussian", pictures, RANGES["unit"], linear)
    part = LIBRARIES[library]("gaussian", pictures[rows], RANGES["unit"], linear)
    assert torch.equal(whole[rows], part)


@pytest.mark.parametrize("case", CASES)
def test_channels_last_and_no_model_at_all(case: str, pictures: Tensor) -> None:
    x = pictures.permute(0, 2, 3, 1).numpy()
    classifier = BlackBoxClassifier(lambda x: np.eye(4)[[0] * len(x)], x.shape[1:], 4, clip_values=(0.0, 1.0))
    cls = for_art.AlphaStableNoise if case in STABLE else for_art.ShapedImpulseNoise
    found = cls(classifier, snr_db=SNR_DB, seed=SEED, **CASES[case]).generate(x)
    assert np.abs(found - native(case, pictures).permute(0, 2, 3, 1).numpy()).max() < 5e-6


@pytest.mark.parametrize("case", CASES)
def test_normalised_images_of_torchattacks(case: str, pictures: Tensor, linear: torch.nn.Module) -> None:
    cls = for_torchattacks.AlphaStableNoise if case in STABLE else for_torchattacks.ShapedImpulseNoise
    attack = cls(linear, snr_db=SNR_DB, seed=SEED, **CASES[case])
    attack.set_normalization_used(MEAN, STD)
    mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (MEAN, STD))
    pictures[:, :, :3] = 0  # becomes -3e-8 or so on its way there and back
    found = attack((pictures - mean) / std) * std + mean
    assert (found - native(case, pictures)).abs().max() < 5e-6


def test_without_clip_values_nothing_is_clipped(pictures: Tensor, linear: torch.nn.Module) -> None:
    classifier = PyTorchClassifier(linear, torch.nn.CrossEntropyLoss(), pictures.shape[1:], 4)
    found = for_art.AlphaStableNoise(classifier, alpha=2.0, snr_db=0.0).generate(pictures.numpy())
    assert found.min() < -0.5
    assert found.max() > 1.5
    assert (snr.measure(pictures, torch.from_numpy(found))).abs().max() < 1e-3
