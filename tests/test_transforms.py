"""The transform: exact on floats, rounded on bytes, fresh or the same, within torchvision's Compose."""

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cnncomm_bench import snr
from cnncomm_bench._utils.errors import UsageError
from cnncomm_bench._utils.torchvision_operators import import_torchvision
from cnncomm_bench.attacks.impulse import ImpulseNoise
from cnncomm_bench.attacks.stable import StableNoise
from cnncomm_bench.transforms import AddNoiseAtSNR


def test_the_native_noise_in_any_batch(pictures: Tensor) -> None:
    transform = AddNoiseAtSNR("cauchy", snr_db=15.0, seed=2, fresh=False)
    wanted = StableNoise(alpha=1.0)(pictures, snr_db=15.0, seed=2)
    assert torch.equal(transform(pictures), wanted)
    assert torch.equal(transform(pictures[3]), wanted[3])
    assert torch.equal(transform(pictures.reshape(3, 4, 3, 16, 20)).flatten(0, 1), wanted)
    assert (snr.measure(pictures, wanted) - 15).abs().max() < 1e-3


@pytest.mark.parametrize("attack", ["impulse-square:size=2", ImpulseNoise("square", size=2)])
def test_specs_and_objects(attack: object, pictures: Tensor) -> None:
    assert torch.equal(
        AddNoiseAtSNR(attack, snr_db=12.0, fresh=False)(pictures),
        ImpulseNoise("square", size=2)(pictures, snr_db=12.0),
    )


def test_bytes(pictures: Tensor) -> None:
    bytes_ = (pictures * 255).round().to(torch.uint8)
    before = bytes_.clone()
    found = AddNoiseAtSNR("gaussian", snr_db=15.0)(bytes_)
    assert found.dtype == torch.uint8
    assert torch.equal(bytes_, before)
    assert (snr.measure(pictures, found / 255) - 15).abs().max() < 0.1


def test_fresh_noise_and_the_same(pictures: Tensor) -> None:
    fresh, same = AddNoiseAtSNR(), AddNoiseAtSNR(fresh=False)
    assert not torch.equal(fresh(pictures), fresh(pictures))
    assert torch.equal(same(pictures), same(pictures))
    assert torch.equal(AddNoiseAtSNR()(pictures), AddNoiseAtSNR()(pictures))  # the first calls of two


def test_another_ruler(pictures: Tensor) -> None:
    found = AddNoiseAtSNR("cauchy", snr_db=15.0, ruler="dispersion", fresh=False)(pictures)
    assert torch.equal(found, StableNoise(alpha=1.0)(pictures, snr_db=15.0, ruler="dispersion"))


def test_in_compose(pictures: Tensor) -> None:
    import_torchvision()
    from torchvision import tv_tensors
    from torchvision.transforms import v2

    transform = AddNoiseAtSNR(snr_db=15.0, fresh=False)
    chain = v2.Compose([v2.ToDtype(torch.float32, scale=True), transform, v2.Normalize([0.5] * 3, [0.5] * 3)])
    image = tv_tensors.Image((pictures[0] * 255).round().to(torch.uint8))
    found, label = chain(image, 7)
    assert label == 7
    assert torch.allclose(found.as_subclass(Tensor) * 0.5 + 0.5, transform(pictures[0]), atol=1e-6)
    assert isinstance(transform(tv_tensors.Image(pictures[0])), tv_tensors.Image)
    assert "gaussian" in repr(chain)


class Photos(Dataset):
    def __init__(self, images: Tensor, transform: AddNoiseAtSNR) -> None:
        self.images, self.transform = images, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        return self.transform(self.images[index])


def test_epochs_of_a_loader_with_workers_differ_and_can_be_repeated(pictures: Tensor) -> None:
    def epochs() -> list[Tensor]:
        torch.manual_seed(0)
        loader = DataLoader(Photos(pictures[:4], AddNoiseAtSNR()), batch_size=4, num_workers=1)
        return [next(iter(loader)) for _ in range(2)]

    one, two = epochs()
    assert not torch.equal(one, two)
    assert all(torch.equal(a, b) for a, b in zip((one, two), epochs(), strict=True))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"attack": "pgd"}, "needs a model"),
        ({"attack": "gausian"}, "did you mean 'gaussian'"),
        ({"attack": "impulse-square", "ruler": "geometric"}, "knows realised"),
    ],
)
def test_wrong_parameters(options: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        AddNoiseAtSNR(**options)


@pytest.mark.parametrize("wrong", ["a picture", torch.zeros(4, 4), torch.zeros(1, 4, 4, dtype=torch.int64)])
def test_wrong_images(wrong: object) -> None:
    with pytest.raises(UsageError, match="ToImage"):
        AddNoiseAtSNR()(wrong)
