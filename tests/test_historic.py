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
from cnncomm_bench.results.statistics import read_table

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


def test_an_old_run_has_the_same_curves(written):
    now, then = (pd.read_csv(folder / "curves.csv") for folder in (written, RUN))
    pd.testing.assert_frame_equal(now, then, check_exact=False, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "estimates"), [("thresholds.csv", ["threshold_db", "jamming_gain_db"]), ("gains.csv", ["gain_db"])]
)
def test_an_old_run_has_the_same_thresholds(written, name, estimates):
    """Intervals of steep curves are wider than they were, and none is narrower."""
    now, then = (read_table(folder / name) for folder in (written, RUN))
    pd.testing.assert_frame_equal(now[estimates], then[estimates], check_exact=False, rtol=0, atol=0.006)
    assert (now["low"].dropna() <= then["low"].dropna() + 0.006).all()
    assert (now["high"].dropna() >= then["high"].dropna() - 0.006).all()


def test_an_old_run_has_the_same_claims(written):
    """By themselves: the verdicts are adjusted for their number now. Impulses were judged under the name of Fig. 4."""
    now, then = (json.loads((folder / "claims.json").read_text())["claims"] for folder in (written, RUN))
    assert [claim["id"] for claim in now] == [claim["id"].replace("shape", "concentration") for claim in then]
    for key in ("model", "ruler", "effect"):
        assert [claim[key] for claim in now] == [claim[key] for claim in then]
    assert [claim["verdict_alone"] or claim["verdict"] for claim in now] == [claim["verdict"] for claim in then]


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
