"""Runs whose grids a pilot lays, runs to a precision, runs that fit into minutes: end to end on few images."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cnncomm_bench import Run, bundled, evaluate
from cnncomm_bench._utils.errors import DataError, UsageError
from cnncomm_bench.cli import tables
from cnncomm_bench.evaluation import execute, forecast, planning, prepare
from cnncomm_bench.evaluation.forecast import Cost, fit
from cnncomm_bench.report import leaderboard
from cnncomm_bench.results import Plan, RunConfig, Store, score, suites
from cnncomm_bench.results.statistics.worst import add_worst


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def images():
    pictures, labels, _ = bundled.images()
    return pictures[::8], labels[::8]


def request(folder, **settings):
    defaults = {"models": ["bundled:standard"], "attacks": ["gaussian", "cauchy", "fgm"], "device": "cpu"}
    return prepare(RunConfig.of(**(defaults | settings), out=folder))


def test_auto_finds_every_threshold_and_resumes_without_a_pilot(tmp_path, monkeypatch):
    attacks = ["gaussian", "cauchy", "enlarged-square", "fgm"]
    asked = {"models": ["bundled:standard", "bundled:adversarial"], "samples": 150, "attacks": attacks}
    run = execute(request(tmp_path / "run", **asked), quiet=True, outputs=False)
    assert np.isfinite(run.thresholds[["threshold_db", "jamming_gain_db"]].to_numpy(float)).all()
    for attack, grid in {(grid.attack, grid.snr_db) for grid in run.info.plan.grids}:
        assert {0, 10, 20, 30, 40, 50} <= set(grid)
        for _, own in run.curves[run.curves.attack == attack].groupby("model"):
            assert tuple(own.snr_db) == grid  # models share it
    judged_together = {run.info.grid(attack, "realised") for attack in ("gaussian", "cauchy", "enlarged-square")}
    assert len(judged_together) == 1
    assert set(run.info.common_snr_db) >= {0, 10, 20, 30, 40, 50}

    (tmp_path / "run" / "predictions.parquet").unlink()
    info = run.info.model_copy(update={"finished": False})
    (tmp_path / "run" / "run.json").write_text(info.model_dump_json())
    monkeypatch.setattr(planning, "_pilot", None)
    resumed = execute(request(tmp_path / "run", **asked), quiet=True, outputs=False)
    assert resumed.predictions.equals(run.predictions)
    assert resumed.info.plan == run.info.plan


def test_the_pages_of_an_auto_run_are_written(tmp_path):
    execute(request(tmp_path / "run", samples=40), quiet=True)
    assert {"curves.png", "report.html", "curves.csv"} <= {path.name for path in (tmp_path / "run").iterdir()}


@pytest.mark.parametrize("labelled", [True, False])
def test_a_precision_is_reached_and_a_broken_run_ends_the_same(tmp_path, labelled, monkeypatch):
    monkeypatch.setattr(planning, "_cell_images", lambda *rest: {})  # rows are stored by cells, which time sizes
    if not labelled:
        from PIL import Image

        (tmp_path / "photos").mkdir()
        for index, image in enumerate(bundled.images()[0][:300]):
            Image.fromarray(image[0]).save(tmp_path / "photos" / f"{index:03d}.png")
    asked = {"attacks": ["gaussian", "fgm", "fmn:steps=5"], "precision": 1.5, "seeds": [0, 1]}
    asked |= {"samples": 400} if labelled else {"data": str(tmp_path / "photos")}
    whole = execute(request(tmp_path / "whole", **asked), quiet=True, outputs=False)
    thresholds = whole.thresholds[whole.thresholds.attack != "worst"]
    sides = np.maximum(thresholds.high - thresholds.threshold_db, thresholds.threshold_db - thresholds.low)
    imprecise = [line for line in whole.warnings if "there are no more images" in line]
    late = {attack for attack in thresholds.attack if any(f": {attack}:" in line for line in imprecise)}
    assert (sides[~thresholds.attack.isin(late)] <= 1.5 + 1e-3).all()
    assert len(late) < 3

    written = Store.write_cell
    count = iter(range(5))

    def breaking(self, *rest):
        if next(count, None) is None:
            raise Killed
        written(self, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "write_cell", breaking)
        with pytest.raises(Killed):
            execute(request(tmp_path / "broken", **asked), quiet=True, outputs=False)
    resumed = execute(request(tmp_path / "broken", **asked), quiet=True, outputs=False)
    assert resumed.predictions.equals(whole.predictions)
    assert resumed.info.plan.blocks == whole.info.plan.blocks


def test_a_precision_takes_fewer_predictions_than_a_grid_of_as_many_images(images):
    run = evaluate(bundled.load("standard"), *images, attacks=["gaussian"], precision=1)
    own = run.predictions[run.predictions.attack == "gaussian"]
    assert len(own) < 7 * own.image.nunique()


def test_precision_that_images_do_not_suffice_for_is_said(images):
    run = evaluate(bundled.load("standard"), images[0][:100], images[1][:100], attacks=["gaussian"], precision=0.1)
    assert [line for line in run.warnings if "not to +-0.1: there are no more images" in line]


def test_a_grid_that_misses_earns_one_line_that_names_another(images):
    run = evaluate(bundled.load("standard"), images[0][:60], images[1][:60], attacks=["gaussian", "fgm"], snr_db="0,10")
    lines = [line for line in run.warnings if "off the grid" in line]
    assert len(lines) == 1
    assert "gaussian on model, fgm on model" in lines[0]
    assert "rerun with snr auto, or 0:60:5" in lines[0]


def test_images_of_noises_and_adversaries_are_limited_unless_asked_for(capsys):
    limited = {entry.spec: entry.samples for entry in request(None).info.suite.attacks}
    assert limited == {"gaussian": 1000, "cauchy": 1000, "fgm": 200}
    assert "1,000 images under gaussian, cauchy; 200 images under fgm" in tables.before(request(None))
    asked = request(None, samples=600, suite="quick", attacks=[])
    assert {entry.samples for entry in asked.info.suite.attacks} == {None}
    assert "sample  600 images" in tables.before(asked)
    assert {entry.samples for entry in suites.load("leaderboard").attacks} == {None, 500}


class _Costs:
    """An image of a noise takes 10 ms, of an adversary a second; the pilot has one round."""

    miniature = SimpleNamespace(plan=Plan, rounds=lambda cell: [cell])

    def of(self, cell):
        return Cost(0, 0, len(cell.images) * (1.0 if cell.attack.needs_model else 0.01))


@pytest.mark.parametrize("minutes", [1, 10, 60])
def test_minutes_are_shared_and_none_gets_fewer_than_64(minutes):
    asked = request(None, minutes=minutes)
    counts = fit(asked, _Costs(), minutes * 60)
    seconds = counts["fgm"] + 0.01 * (counts["gaussian"] + counts["cauchy"])
    assert min(counts.values()) >= 64
    if counts["fgm"] > 64:
        pilot = 64 * 1.02
        assert seconds + pilot + 20 <= minutes * 60
        assert seconds + pilot + 20 > minutes * 60 * 0.85 or counts["fgm"] == 2000
    assert counts["gaussian"] >= counts["fgm"]


def test_a_run_of_minutes_stores_its_images(tmp_path, monkeypatch):
    monkeypatch.setattr(forecast, "fit", lambda *rest: None)
    monkeypatch.setattr(planning, "fit", lambda *rest: {"gaussian": 70})
    run = execute(request(tmp_path / "run", minutes=1, attacks=["gaussian"], snr="10,20"), quiet=True, outputs=False)
    assert run.curves.images.tolist()[1:] == [70, 70]
    monkeypatch.setattr(planning, "fit", lambda *rest: {"gaussian": 90})
    again = execute(request(tmp_path / "run", minutes=1, attacks=["gaussian"], snr="10,20"), quiet=True, outputs=False)
    assert again.predictions.equals(run.predictions)


def test_settings_out_of_range_are_refused():
    for settings in ({"precision": 0}, {"precision": "half"}, {"minutes": -1}, {"snr": "automatic"}):
        with pytest.raises(UsageError) as refused:
            RunConfig.of(**settings)
        assert refused.value.arguments == tuple(settings)


def _rows(attack, snr_db, image, prediction):
    return {
        "model": "m", "attack": attack, "ruler": "realised", "seed": 0, "snr_db": snr_db, "image": image, "label": 0,
        "prediction": prediction, "realised_snr_db": snr_db, "reached": True,
    }  # fmt: skip


def test_worst_of_adversaries_on_different_grids_carries_smaller_budgets():
    predictions = pd.DataFrame(
        [
            *(_rows("clean", math.inf, image, 0) for image in (0, 1)),
            *(_rows("a", db, 0, int(db <= 40)) for db in (30, 40, 50)),
            *(_rows("a", db, 1, 0) for db in (30, 40, 50)),
            *(_rows("b", db, image, int(db <= 10)) for db in (10, 20) for image in (0, 1)),
        ]
    )
    worst = add_worst(predictions, ["a", "b"]).set_index(["image", "snr_db"]).prediction
    assert worst[0].to_dict() == {10: 1, 20: 1, 30: 1, 40: 1, 50: 0}
    assert worst[1].to_dict() == {10: 1, 20: 0, 30: 0, 40: 0, 50: 0}


def test_images_that_did_not_run_everywhere_are_scored_where_they_did():
    """Two thirds of the images run at three SNRs alone: the threshold is that of all."""
    rng = np.random.default_rng(0)
    tolerance, rows = rng.normal(20, 4, 600), []
    for image, at in enumerate(tolerance):
        points = range(0, 55, 5) if image < 200 else (15, 20, 25)
        rows.append(_rows("clean", math.inf, image, 0))
        rows += [_rows("gaussian", float(db), image, int(db < at)) for db in points]
    found = score(pd.DataFrame(rows), classes=10)
    assert found.curves.images.tolist() == [600, 200, 200, 200, 600, 600, 600, *[200] * 5]
    row = found.thresholds.iloc[0]
    assert row.low <= 20 + 4 * 0.14 <= row.high  # the level is 0.55
    whole = score(pd.DataFrame(rows)[lambda frame: frame.image < 200], classes=10).thresholds.iloc[0]
    assert row.high - row.low < 0.85 * (whole.high - whole.low)


def test_old_and_new_metadata_have_their_grids():
    info = Run.open("tests/historic/run-v2").info
    assert info.snr_db == info.common_snr_db == info.grid("gaussian", "realised") == info.suite.snr_db


def test_blocks_are_stored_in_cells_of_the_planned_size(tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "_cell_images", lambda *rest: {"gaussian": 40})
    asked = request(tmp_path / "run", attacks=["gaussian"], precision=2, samples=200)
    run = execute(asked, quiet=True, outputs=False)
    cells = [cell for cell in asked.planned(run.info.plan, in_blocks=True) if not cell.clean]
    assert max(len(cell.images) for cell in cells) == 40
    ran = run.predictions[run.predictions.attack == "gaussian"]
    assert len(ran) == sum(cell.num_forwards for cell in cells)


def test_a_leaderboard_refuses_grids_of_a_pilot(tmp_path):
    execute(request(tmp_path / "run", attacks=["gaussian"], samples=30), quiet=True, outputs=False)
    with pytest.raises(DataError, match="rerun with the suite leaderboard"):
        leaderboard.add(tmp_path / "run", tmp_path / "board")
