"""Runs and entries that earlier versions wrote: they open, score to the numbers stored beside them, and render."""

import json
from pathlib import Path

import pandas as pd
import pytest

from cnncomm_bench.report import write_outputs
from cnncomm_bench.report.leaderboard import entry as leaderboard_entry
from cnncomm_bench.report.leaderboard.faults import faults
from cnncomm_bench.report.leaderboard.ranking import boards
from cnncomm_bench.report.leaderboard.tables import html, markdown
from cnncomm_bench.results import Run

HISTORIC = Path(__file__).parent / "historic"
RUN = HISTORIC / "run-v2"
ENTRIES = sorted(HISTORIC.glob("leaderboard-*.json"))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """What follows from the old run, written by this version."""
    folder = tmp_path_factory.mktemp("run-v2")
    write_outputs(Run.open(RUN), folder)
    return folder


def test_an_old_run_has_its_metadata():
    run = Run.open(RUN)
    assert run.info.schema_version == 2
    assert [model.name for model in run.info.models] == ["bundled:standard", "bundled:adversarial"]
    assert not hasattr(run.info.models[0], "source")


@pytest.mark.parametrize("name", ["curves.csv", "thresholds.csv", "gains.csv"])
def test_an_old_run_scores_the_same(written, name):
    now, then = (pd.read_csv(folder / name) for folder in (written, RUN))
    pd.testing.assert_frame_equal(now, then, check_exact=False, rtol=0, atol=1e-9)


def test_an_old_run_has_the_same_claims(written):
    now, then = (json.loads((folder / "claims.json").read_text())["claims"] for folder in (written, RUN))
    for key in ("id", "model", "ruler", "verdict", "effect", "low", "high"):
        assert [claim[key] for claim in now] == [claim[key] for claim in then]


def test_an_old_run_renders(written):
    page = (written / "report.html").read_text(encoding="utf-8")
    for threshold in Run.open(RUN).thresholds["attack"].unique():
        assert threshold in page
    assert (written / "curves.svg").exists()


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: path.stem)
def test_an_old_entry_opens_and_renders(path):
    entry = leaderboard_entry.read(path)
    assert (entry.schema_version, faults(entry)) == (1, [])
    for page in (markdown, html):
        text = page(boards([entry]), {entry.identity: "a.json"})
        assert f"{entry.scores[0].score:.3f}" in text
