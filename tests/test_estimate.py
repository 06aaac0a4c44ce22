"""What a dry run foretells, beside what the run then takes."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cnncomm_bench.attacks import parse
from cnncomm_bench.cli import tables as summary
from cnncomm_bench.data import Dataset
from cnncomm_bench.evaluation import execute, executors, miniature, prepare
from cnncomm_bench.evaluation.cells import Cell
from cnncomm_bench.evaluation.forecast import Costs, estimate
from cnncomm_bench.evaluation.miniature import Miniature
from cnncomm_bench.evaluation.worker import Job, Worker
from cnncomm_bench.results import Entry, RunConfig

ARGUMENTS = {
    "attacks": ["gaussian", "impulse-square", "fgm", "pgd:steps=4", "fmn:steps=6", "square-attack:queries=10"],
    "snr": "0:50:10",
    "samples": 60,
    "eps_l2": ["0.5"],
}


def test_passes_are_forecast_within_a_factor_of_two(tmp_path):
    prepared = prepare(RunConfig.of(out=tmp_path / "run", **ARGUMENTS))
    told = estimate(prepared)
    run = execute(prepared)
    noise = run.predictions.attack.isin(["clean", "gaussian", "impulse-square"]).sum()
    attacks = [facts for by_attack in run.info.facts.values() for facts in by_attack.values()]
    forward, backward = (
        60 * sum(sum(facts.get(f"{way}_passes", {}).values()) for facts in attacks) for way in ("forward", "backward")
    )
    assert (forward + noise) / 2 < told.forward_passes < 2 * (forward + noise)
    assert backward / 2 < told.backward_passes < 2 * backward
    assert told.seconds > 0
    size = sum(path.stat().st_size for path in (tmp_path / "run").iterdir())
    assert size / 2 < told.disk_bytes < 2 * size


@pytest.mark.parametrize("model", ["bundled:standard", "bundled:adversarial"])
def test_passes_of_auto_pgd_are_forecast_within_a_fifth(model, tmp_path, monkeypatch):
    monkeypatch.setattr(miniature, "_SECONDS", 1e6)  # the short attack runs on as many images as it may
    prepared = prepare(
        RunConfig.of(models=[model], attacks=["apgd-dlr:steps=20"], snr="0:50:10", samples=60, out=tmp_path / "run")
    )
    told = estimate(prepared)
    run = execute(prepared)
    (facts,) = (by_attack["apgd-dlr:steps=20"] for by_attack in run.info.facts.values())
    clean = 60
    forward, backward = (60 * sum(facts[f"{way}_passes"].values()) for way in ("forward", "backward"))
    assert told.forward_passes == pytest.approx(clean + forward, rel=0.2)
    assert told.backward_passes == pytest.approx(backward, rel=0.2)


def test_adversaries_far_above_the_first_grid_are_forecast():
    """A plane at 65 dB, with a spread of 4: the passes of 64 images are forecast from 16, on a grid that has it."""
    rng = np.random.default_rng(0)
    wave = rng.choice([-1.0, 1.0], (1, 8, 8)) / 8
    images, sides = rng.uniform(0.3, 0.7, (64, 1, 8, 8)), np.where(np.arange(64) % 2, 1.0, -1.0)
    norms = np.sqrt(np.square(images).sum((1, 2, 3)))
    away = sides * norms * 10 ** (-rng.normal(65, 4, 64) / 20) - ((images - 0.5) * wave).sum((1, 2, 3))
    images = (images + away[:, None, None, None] * wave).astype(np.float32)
    plane = torch.from_numpy(wave).float()

    def model(batch: torch.Tensor) -> torch.Tensor:
        along = 100 * ((batch - 0.5) * plane).sum((1, 2, 3))
        return torch.stack([-along, along], 1)

    labels = (sides > 0).astype(np.int64)
    worker = Worker([model], ["plane"], Dataset.of(images, labels), batch_size=64)
    attack = parse("pgd:steps=5")
    entry = Entry(spec=attack.spec, adversary=True, family="pgd")
    suite = SimpleNamespace(attacks=[entry], rulers=("realised",), snr_db="auto")
    info = SimpleNamespace(suite=suite, data=SimpleNamespace(classes=2), seeds=[0])
    costs = Costs(Miniature(worker, info, piloted=True), 2)
    (grid,) = costs.miniature.plan().grids
    assert {0, 10, 50} < set(grid.snr_db) and 70 <= grid.snr_db[-1] <= 90
    assert len([db for db in grid.snr_db if 60 <= db <= 70]) >= 5
    cell = Cell(0, attack, "realised", 0, np.arange(64), grid.snr_db)
    (done,) = worker.compute([Job(0, cell, labels)], lambda cell, count: None)
    forecast = costs.of(cell)
    # 16 images err by 4 dB / 4 in the mean, that is less than half a step of some eight attempts.
    assert forecast.backward == pytest.approx(64 * sum(done.facts["backward_passes"].values()), rel=0.25)
    assert forecast.forward == pytest.approx(64 * sum(done.facts["forward_passes"].values()), rel=0.25)


def test_several_workers_share_the_time(monkeypatch):
    prepared = prepare(RunConfig.of(models=["bundled:standard"], attacks=["gaussian"], snr="20", samples=30))
    alone = estimate(prepared)
    monkeypatch.setattr(executors, "workers", lambda name, device: 10)
    together = estimate(prepared)
    assert together.workers == 10
    assert together.seconds < alone.seconds
    assert "on 10 workers" in summary.estimated(prepared)


@pytest.mark.parametrize(
    ("spec", "forward", "backward"),
    [
        ("cauchy", 1, 0),
        ("fgsm", 2, 1),
        ("apgd-dlr:steps=10,targets=3", 12, 10),
        ("apgd-dlr:steps=10,targeted=true,targets=3", 35, 30),
        ("apgd-dlr:steps=10,targeted=true", 101, 90),
        ("square-attack:queries=100", 101, 0),
        ("pgd:steps=7@l2=0.5", 9, 7),
        ("torchattacks.PGDL2:steps=12", 13, 12),
        ("torchattacks.FGSM", 4, 1),
    ],
)
def test_passes_by_the_attacks_own_parameters(spec, forward, backward):
    assert parse(spec).passes(classes=10) == (forward, backward)


def test_images_without_labels(tmp_path, monkeypatch):
    from PIL import Image

    from cnncomm_bench import bundled

    for index, image in enumerate(bundled.images()[0][:30]):
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.fromarray(image[0]).save(tmp_path / "photos" / f"{index}.png")
    config = RunConfig.of(models=["bundled:standard"], data=str(tmp_path / "photos"), attacks=["fgsm"], snr="20")
    prepared = prepare(config)
    assert estimate(prepared).backward_passes > 0
