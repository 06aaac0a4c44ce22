"""The contract of attacks, over every attack of the registry and every alias."""

import numpy as np
import pytest
import torch
from torch import nn

from cnncomm_bench.attacks import Passes, available, parse
from cnncomm_bench.evaluation import execute, prepare
from cnncomm_bench.results import RunConfig
from tests import attack_contract as contract

# Few steps, where an attack takes many by default; targeted classes are a loop of their own.
FEW = {
    "pgd": "pgd:steps=4,restarts=2,eot=2",
    "pgd-linf": "pgd-linf:steps=4,restarts=2",
    "apgd-ce": "apgd-ce:steps=6,restarts=2",
    "apgd-dlr": "apgd-dlr:steps=6",
    "square-attack": "square-attack:queries=20",
    "fmn": "fmn:steps=6",
}
SPECS = [*(FEW.get(name, name) for name in available()), "apgd-dlr:steps=4,targeted=true,targets=5"]
RADII = ["fgm@l2=0.5", "pgd:steps=4@l2=0.5", "fmn:steps=6@l2=0.5", "fgsm@linf=8/255", "pgd-linf:steps=4@linf=8/255"]


@pytest.fixture
def asked(pictures):
    """Images, labels, and a model that bends, so that a random start makes a difference."""
    torch.manual_seed(1)
    layers = [nn.Flatten(), nn.Linear(3 * 16 * 20, 32), nn.Tanh(), nn.Linear(32, 4)]
    model = nn.Sequential(*layers).eval().requires_grad_(False)
    return pictures, model(pictures).argmax(1), model


@pytest.mark.parametrize("spec", [*SPECS, *RADII])
def test_declarations_are_true(spec, asked):
    attack = parse(spec)
    contract.check_spec(attack)
    contract.check_declarations(attack, *asked)
    contract.check_seeds(attack, *asked)
    contract.check_levels(attack, asked[0])


@pytest.mark.parametrize("spec", SPECS)
def test_snr_and_batches(spec, asked):
    contract.check_snr(parse(spec), *asked)
    contract.check_batches(parse(spec), *asked)


@pytest.mark.parametrize("spec", RADII)
def test_radius(spec, asked):
    assert parse(spec).at_radius
    contract.check_radius(parse(spec), *asked, eps=0.5 if "l2" in spec else 8 / 255)


@pytest.mark.parametrize("spec", [spec for spec in SPECS if parse(spec).needs_model])
def test_passes(spec, asked):
    attack = parse(spec)
    contract.check_passes(attack, *asked)
    assert attack.iterative == (attack.passes(4).weight > Passes(2, 1).weight)


def test_an_attack_that_stops_when_it_fools_says_so(asked):
    images, labels, model = asked
    for spec in SPECS:
        attack = parse(spec)
        if not attack.needs_model or attack.minimum_norm:
            continue
        (found,) = contract.sweep(attack, images, labels, model, grid=torch.tensor([0.0])).values()
        assert (found.predictions != labels).all()
        spent = found.facts["forward_passes"][0] - 1
        assert (spent < attack.passes(4).forward) == attack.stops_when_fooled, spec


@pytest.mark.parametrize(
    ("spec", "columns"),
    [("torchattacks.PGDL2:steps=1", 2), ("pgd:steps=1", 2), ("gaussian", 2), ("fgm", 1), ("fgm@l2=0.5", 1), ("fmn", 1)],
)
def test_what_is_stochastic_runs_once_a_seed(spec, columns, tmp_path):
    if spec.startswith("torchattacks"):
        pytest.importorskip("torchattacks")
    settings = {"attacks": [spec], "snr": "25,30", "samples": 30, "seeds": [0, 1], "out": tmp_path / "run"}
    run = execute(prepare(RunConfig.of(models=["bundled:standard"], **settings)))
    rows = run.predictions[run.predictions.attack == spec]
    by_seed = [part.realised_snr_db.to_numpy() for _, part in rows.groupby("seed")]
    assert len(by_seed) == columns
    assert columns == 1 or not np.array_equal(*by_seed)
