"""torchattacks' contract for our classes, and FixedSNR around its attacks."""

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cnncomm_bench import bundled, snr
from cnncomm_bench._utils.errors import UsageError
from cnncomm_bench.attacks import parse
from tests import attack_contract as contract

torchattacks = pytest.importorskip("torchattacks")

from cnncomm_bench.attacks import for_torchattacks  # noqa: E402
from cnncomm_bench.attacks.adapters import torchattacks_attacks as budget_torchattacks  # noqa: E402
from cnncomm_bench.attacks.for_torchattacks import AlphaStableNoise, FixedSNR, ShapedImpulseNoise  # noqa: E402

OURS = {
    "AlphaStableNoise": lambda model: AlphaStableNoise(model, snr_db=5.0),
    "ShapedImpulseNoise": lambda model: ShapedImpulseNoise(model, snr_db=5.0),
    "FixedSNR": lambda model: FixedSNR(torchattacks.PGDL2(model, steps=3), snr_db=20.0),
}


@pytest.fixture(scope="module")
def model() -> nn.Module:
    return bundled.load("standard")


@pytest.fixture(scope="module")
def photos() -> tuple[Tensor, Tensor]:
    images, labels, _ = bundled.images()
    return torch.from_numpy(images[::160]).float() / 255, torch.from_numpy(labels[::160])


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        return (model(images).argmax(1) == labels).float().mean().item()


@pytest.mark.parametrize("name", OURS)
def test_as_every_attack_of_torchattacks(name: str, model: nn.Module, photos: tuple[Tensor, Tensor]) -> None:
    images, labels = photos
    before = images.clone()
    attack = OURS[name](model)
    found = attack(images, labels)
    assert torch.equal(images, before)
    assert found.shape == images.shape
    assert found.dtype == images.dtype
    assert not found.requires_grad
    assert found.min() >= 0
    assert found.max() <= 1
    assert accuracy(model, found, labels) < accuracy(model, images, labels)
    assert name in repr(attack)
    assert len(attack(images[:1], labels[:1])) == 1
    attack.set_device("cpu")
    attack.set_mode_default()
    assert attack.get_mode() == "default"


@pytest.mark.parametrize("name", ["AlphaStableNoise", "ShapedImpulseNoise"])
def test_defaults_and_targets(name: str, model: nn.Module) -> None:
    attack = getattr(for_torchattacks, name)(model)
    for refused in (attack.set_mode_targeted_by_label, attack.set_mode_targeted_random):
        with pytest.raises(ValueError, match="not supported"):
            refused(quiet=True)


def test_targets_go_to_the_attack_inside(model: nn.Module, photos: tuple[Tensor, Tensor]) -> None:
    images, labels = photos
    attack = FixedSNR(torchattacks.PGDL2(model, steps=10), snr_db=10.0)
    attack.set_mode_targeted_by_label(quiet=True)
    targets = (labels + 1) % 10
    assert accuracy(model, attack(images, targets), targets) > 0.8


@pytest.mark.parametrize("name", OURS)
def test_training_mode_is_restored(name: str, model: nn.Module, photos: tuple[Tensor, Tensor]) -> None:
    attack = OURS[name](model)
    attack.set_model_training_mode(model_training=True, batchnorm_training=False, dropout_training=False)
    model.train()
    try:
        attack(*photos)
        assert model.training
    finally:
        model.eval()


def test_set_normalization_keeps_the_snr(model: nn.Module, photos: tuple[Tensor, Tensor]) -> None:
    images, labels = photos
    inner = nn.Sequential()  # takes normalised images and undoes that
    inner.forward = lambda x: model(x * 0.3 + 0.4)  # type: ignore[method-assign]
    for attack in (AlphaStableNoise(inner, snr_db=12.0), FixedSNR(torchattacks.PGDL2(inner, steps=2), snr_db=12.0)):
        attack.set_device("cpu")
        attack.set_normalization_used([0.4], [0.3])
        found = attack((images - 0.4) / 0.3, labels) * 0.3 + 0.4
        measured = snr.measure(images, found)
        assert (measured > 12 - 1e-3).all()
        assert isinstance(attack, FixedSNR) or (measured < 12 + 1e-3).all()


def test_normalisation_set_before_wrapping(model: nn.Module, photos: tuple[Tensor, Tensor]) -> None:
    inner = torchattacks.PGDL2(model, steps=1)
    inner.set_normalization_used([0.4], [0.3])
    assert FixedSNR(inner).normalization_used["mean"].item() == pytest.approx(0.4)


def test_save_and_load(model: nn.Module, photos: tuple[Tensor, Tensor], tmp_path: Path) -> None:
    images, labels = photos
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), batch_size=4)
    attack = AlphaStableNoise(model, snr_db=5.0)
    attack.save(loader, save_path=str(tmp_path / "noisy.pt"), verbose=False)
    loaded = torch.load(tmp_path / "noisy.pt")
    assert torch.equal(loaded["adv_inputs"], attack(images, labels))
    accuracy_percent, l2, _ = attack.save(loader, verbose=False, return_verbose=True)
    assert accuracy_percent == pytest.approx(100 * accuracy(model, attack(images), labels), abs=1e-3)
    assert l2 > 0


def test_a_chain_gives_each_image_its_own_noise(model: nn.Module, photos: tuple[Tensor, Tensor]) -> None:
    images, labels = photos
    links = [AlphaStableNoise(model, snr_db=db) for db in (15.0, 10.0, 5.0, 0.0, -3.0)]
    found = torchattacks.MultiAttack(links)(images, labels)
    whole = [link(images) for link in links]
    for row, image in enumerate(found):
        assert any(torch.equal(image, candidate[row]) for candidate in [*whole, images])


def test_half_precision(model: nn.Module, photos: tuple[Tensor, Tensor]) -> None:
    images = photos[0].half()
    for name in ("AlphaStableNoise", "ShapedImpulseNoise"):
        found = getattr(for_torchattacks, name)(model, snr_db=15.0)(images)
        assert found.dtype == torch.float16
        assert (snr.measure(images, found) - 15).abs().max() < 0.02


def test_fresh_noise_and_the_same(model: nn.Module, photos: tuple[Tensor, Tensor]) -> None:
    fresh, same = AlphaStableNoise(model, fresh=True), AlphaStableNoise(model)
    assert not torch.equal(fresh(photos[0]), fresh(photos[0]))
    assert torch.equal(same(photos[0]), same(photos[0]))


@pytest.mark.parametrize("db", [float("inf"), 300.0])
@pytest.mark.parametrize("name", OURS)
def test_no_noise_changes_nothing(name: str, db: float, model: nn.Module, photos: tuple[Tensor, Tensor]) -> None:
    attack = OURS[name](model)
    attack.snr_db = db
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # at 300 dB float32 leaves nothing of an adversary's noise
        found = attack(*photos)
    assert accuracy(model, found, photos[1]) == accuracy(model, *photos)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"alpha": 3.0}, "alpha=3"),
        ({"beta": 2.0}, "beta=2"),
        ({"ruler": "metric"}, "realised, dispersion, geometric"),
        ({"snr_db": float("nan")}, "snr_db=nan"),
        ({"seed": -1}, "seed=-1"),
        ({"fresh": 1}, "fresh=1"),
    ],
)
def test_wrong_parameters(wrong: dict, says: str, model: nn.Module) -> None:
    with pytest.raises(UsageError, match=says):
        AlphaStableNoise(model, **wrong)


def test_wrong_shapes_and_attacks(model: nn.Module) -> None:
    with pytest.raises(UsageError, match="point, square"):
        ShapedImpulseNoise(model, shape="disc")
    with pytest.raises(UsageError, match="wraps an attack"):
        FixedSNR(model)


def test_black_image_is_named_and_saturated_ones_counted(model: nn.Module, photos: tuple[Tensor, Tensor]) -> None:
    images = photos[0].clone()
    images[2] = 0
    with pytest.raises(ValueError, match="image 2 has zero power"):
        AlphaStableNoise(model)(images)
    with pytest.warns(UserWarning, match="saturate before -30 dB"):
        AlphaStableNoise(model, snr_db=-30.0)(photos[0])


def test_register(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OURS:
        monkeypatch.delattr(torchattacks, name, raising=False)
    for_torchattacks.register()
    for_torchattacks.register()
    assert torchattacks.AlphaStableNoise is AlphaStableNoise
    assert "AlphaStableNoise" not in budget_torchattacks.attack_classes()
    monkeypatch.setattr(torchattacks, "FixedSNR", int)
    with pytest.raises(UsageError, match="another FixedSNR"):
        for_torchattacks.register()
    for name in OURS:
        monkeypatch.delattr(torchattacks, name, raising=False)


def test_each_image_gets_its_own_radius(model: nn.Module, photos: tuple[Tensor, Tensor]) -> None:
    images, labels = photos
    found = FixedSNR(torchattacks.PGDL2(model, eps=2.0, alpha=0.6, steps=5, random_start=False), snr_db=25.0)(*photos)
    for image, label, ours, radius in zip(images, labels, found, snr.radius(images, 25.0).tolist(), strict=True):
        alone = torchattacks.PGDL2(model, eps=radius, alpha=0.3 * radius, steps=5, random_start=False)
        assert (alone(image[None], label[None]) - ours).abs().max() < 1e-4


@pytest.mark.parametrize("name", ["PGDL2", "PGDRSL2"])
def test_sizes_are_given_back_and_large_batches_split(
    name: str, model: nn.Module, photos: tuple[Tensor, Tensor]
) -> None:
    attack = getattr(torchattacks, name)(model, **({"batch_max": 20} if name == "PGDRSL2" else {}))
    measured = snr.measure(photos[0], FixedSNR(attack, snr_db=25.0)(*photos))
    assert (measured > 25 - 1e-3).all()
    assert attack.eps == 1.0  # as it was
    assert attack.alpha == 0.2


def test_a_minimum_counts_where_the_budget_reaches_it(model: nn.Module, photos: tuple[Tensor, Tensor]) -> None:
    images, labels = photos
    inner = torchattacks.CW(model, c=10, steps=30, lr=0.02)
    smallest = inner(images, labels)
    norm = snr.measure(images, smallest)
    attack = FixedSNR(inner, snr_db=float(norm.median()) - 1e-3)
    with pytest.warns(UserWarning, match="no perturbation from CW"):
        found = attack(images, labels)
    reached = (norm >= attack.snr_db) & norm.isfinite()
    assert attack.kind == "minimum"
    assert torch.allclose(found[reached], smallest[reached], atol=1e-5)
    assert torch.equal(found[~reached], images[~reached])
    assert attack.unperturbed.tolist() == (~reached).tolist()


def test_what_knows_no_l2_size_is_rescaled(model: nn.Module, photos: tuple[Tensor, Tensor]) -> None:
    attack = FixedSNR(torchattacks.FGSM(model), snr_db=20.0)
    measured = snr.measure(photos[0], attack(*photos))
    assert attack.kind == "rescaled"
    assert (measured > 20 - 1e-4).all()
    assert ((measured - 20).abs() < 1e-4).float().mean() > 0.5


HARNESS = {
    "PGDL2:random_start=false,steps=5": "budget",
    "PGDRSL2:noise_sd=0.05,steps=3": "budget",
    "APGD:steps=4": "budget",
    "Square:n_queries=10": "budget",
    "FGSM": "rescaled",
    "PGD:steps=4": "rescaled",
    "APGD:norm=Linf,steps=4": "rescaled",
    "MIFGSM:steps=4": "rescaled",
    "Jitter:steps=3": "rescaled",
    "Pixle:max_iterations=2,restarts=2": "rescaled",
    "CW:c=10,lr=0.02,steps=20": "minimum",
    "DeepFool:steps=3": "minimum",
    "FAB:steps=3": "minimum",
}


@pytest.mark.parametrize("spec", HARNESS)
def test_in_the_harness(spec: str, model: nn.Module, photos: tuple[Tensor, Tensor]) -> None:
    contract.check_library(f"torchattacks.{spec}", HARNESS[spec], photos[0][:6], photos[1][:6], model)


@pytest.mark.parametrize(
    "spec", ["PGDL2:steps=5", "FGSM", "PGD:steps=4", "EOTPGD:steps=3", "CW:steps=5", "PGDRSL2:steps=3", "GN"]
)
def test_passes(spec: str, model: nn.Module, photos: tuple[Tensor, Tensor]) -> None:
    contract.check_passes(parse(f"torchattacks.{spec}"), photos[0], model(photos[0]).argmax(1), model)


def test_the_harness_repeats_itself(model: nn.Module, photos: tuple[Tensor, Tensor]) -> None:
    attack = parse("torchattacks.PGDL2:steps=2")
    one, two = (attack(*photos, snr_db=30.0, model=model) for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, attack(*photos, snr_db=30.0, model=model, seed=1))


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("torchattacks.PDGL2", "did you mean 'PGDL2'"),
        ("torchattacks.PGDL2:step=3", "did you mean 'steps'"),
        ("torchattacks.PGDL2:steps=many", "not a whole number"),
        ("torchattacks.PGDL2:eps=1", "gets eps from the SNR"),
        ("torchattacks.PGDL2:random_start=maybe", "neither true nor false"),
    ],
)
def test_wrong_specs(spec: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse(spec)


def test_spec_shows_only_what_is_not_default() -> None:
    assert parse("torchattacks.APGD:norm=L2,steps=10").spec == "torchattacks.APGD"
    assert parse("torchattacks.PGDL2:alpha=0.5,steps=20").spec == "torchattacks.PGDL2:alpha=0.5,steps=20"


@pytest.mark.parametrize("attack", [AlphaStableNoise, ShapedImpulseNoise, for_torchattacks.EnlargedStableNoise, None])
@pytest.mark.parametrize("pixels", ["uint8", "0 to 255", "standardised"])
def test_images_out_of_range_are_refused(
    attack: type | None, pixels: str, model: nn.Module, photos: tuple[Tensor, Tensor]
) -> None:
    images, labels = photos
    wrong = {"uint8": (images * 255).byte(), "0 to 255": images * 255, "standardised": (images - 0.5) / 0.5}[pixels]
    inner = FixedSNR(torchattacks.FGSM(model)) if attack is None else attack(model)
    with pytest.raises(ValueError, match=r"outside \[0, 1\]|divide pixels of 0 to 255"):
        inner(wrong, labels)


@pytest.mark.parametrize(
    ("sizes", "kind"),
    [
        (lambda model: [torchattacks.PGDL2(model, steps=2), torchattacks.PGDL2(model, steps=4)], "budget"),
        (lambda model: [torchattacks.PGD(model, steps=2), torchattacks.FGSM(model)], "rescaled"),
        (lambda model: [torchattacks.PGD(model, steps=2), torchattacks.PGDL2(model, steps=2)], "rescaled"),
    ],
)
def test_the_budget_reaches_the_parts(
    sizes: Callable, kind: str, model: nn.Module, photos: tuple[Tensor, Tensor]
) -> None:
    parts = sizes(model)
    before, seen = [part.eps for part in parts], []
    for part in parts:
        part.forward = lambda images, labels, part=part: seen.append(part.eps) or images
    attack = FixedSNR(torchattacks.MultiAttack(parts), snr_db=20)
    assert attack.kind == kind
    attack(*photos)
    assert [part.eps for part in parts] == before
    one_norm = len({type(part).__name__ == "PGDL2" for part in parts}) == 1
    assert (before[0] not in seen) == one_norm  # parts of several norms have no size in common


def test_the_budget_reaches_the_attack_that_lgv_makes(model: nn.Module, photos: tuple[Tensor, Tensor]) -> None:
    options = {"attack_class": torchattacks.PGDL2, "eps": 1e-3, "alpha": 2e-4, "steps": 3}
    inner = torchattacks.LGV(model, [photos], epochs=1, nb_models_epoch=1, verbose=False, **options)
    found = FixedSNR(inner, snr_db=20)(*photos)
    assert snr.measure(photos[0], found).max() < 40  # its own size is some 80 dB
    assert inner.kwargs_att == {key: options[key] for key in ("eps", "alpha", "steps")}


def test_a_size_that_would_do_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="gets eps from the SNR"):
        parse("torchattacks.FAB:eps=3")
