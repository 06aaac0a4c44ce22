from dataclasses import dataclass
from importlib.metadata import EntryPoint

import pytest
import torch

from cnncomm_bench import attacks
from cnncomm_bench._utils.errors import UsageError
from cnncomm_bench.attacks import names
from cnncomm_bench.attacks.stable import StableNoise


@pytest.mark.parametrize("name", attacks.available())
def test_every_name_is_an_attack_that_its_spec_names_again(name):
    attack = attacks.parse(name)
    assert attacks.parse(attack.spec) == attack


@pytest.mark.parametrize(
    ("long", "short"),
    [
        ("stable:alpha=2", "gaussian"),
        ("stable:alpha=1.0", "cauchy"),
        ("stable:alpha=0.9,channels=shared", "salt-pepper:channels=shared"),
        ("stable:beta=1,alpha=0.5", "levy"),
        ("stable", "stable:alpha=1.5"),
        ("impulse", "impulse-point"),
        ("impulse:shape=square,size=4", "impulse-square:size=4"),
        ("pgd:steps=20", "pgd"),
        (" gaussian ", "gaussian"),
    ],
)
def test_shortest_form(long, short):
    assert attacks.parse(long).spec == short


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("pdg", "did you mean 'pgd'"),
        ("torchattacks", "is a library: expected one of its classes, as in 'torchattacks.PGDL2'"),
        ("worst", "the worst case of each image over all adversaries of a run"),
        ("torchatacks.PGD", "did you mean 'torchattacks.PGD'"),
        ("", "there are: .*gaussian"),
        ("stable:alhpa=1", "did you mean 'alpha'"),
        ("gaussian:alpha=1", "fixes alpha=2"),
        ("stable:alpha", "expected NAME:key=value"),
        ("stable:alpha=1,alpha=2", "gives alpha twice"),
        ("pgd:steps=1.5", "not a whole number"),
        ("pgd:steps=0", "above 0"),
        ("stable:channels=mono", "independent, shared"),
    ],
)
def test_errors_say_what_exists(spec, message):
    with pytest.raises(UsageError, match=message):
        attacks.parse(spec)


@dataclass(frozen=True)
class Halved(StableNoise):
    """Someone else's attack."""


def test_entry_points_are_found(monkeypatch):
    point = EntryPoint("halved", f"{__name__}:Halved", names.GROUP)
    monkeypatch.setattr(names, "plugins", lambda: {"halved": point})
    monkeypatch.setattr(EntryPoint, "load", lambda self: Halved)
    assert "halved" in attacks.available()
    attack = attacks.parse("halved:alpha=1.2")
    assert isinstance(attack, Halved)
    assert attack.spec == "halved:alpha=1.2"


def test_an_entry_point_that_is_no_attack_is_refused(monkeypatch):
    point = EntryPoint("odd", "os:path", names.GROUP)
    monkeypatch.setattr(names, "plugins", lambda: {"odd": point})
    with pytest.raises(UsageError, match="is no cnncomm_bench.attacks.Attack"):
        attacks.parse("odd")


def test_attacks_cannot_be_imported_under_another_name(monkeypatch):
    import importlib.util

    specification = importlib.util.spec_from_file_location("attacks", attacks.__file__)
    with pytest.raises(ImportError, match="is cnncomm_bench.attacks"):
        specification.loader.exec_module(importlib.util.module_from_spec(specification))


@pytest.mark.parametrize("name", ["gaussian", "impulse-square", "fgsm", "pgd:steps=2"])
def test_a_call_gives_images_at_one_snr(name, pictures, linear):
    labels = linear(pictures).argmax(1)
    disturbed = attacks.parse(name)(pictures, labels, snr_db=20.0, model=linear)
    assert disturbed.shape == pictures.shape
    assert not torch.equal(disturbed, pictures)
