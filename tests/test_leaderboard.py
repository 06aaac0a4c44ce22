"""Leaderboards: entries that can be checked, rankings that cannot be gamed by accident, pages that hold no surprise."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

from cnncomm_bench import cli, evaluate
from cnncomm_bench._utils.errors import DataError, RunFolderError, UsageError
from cnncomm_bench.cli.main import cli as commands
from cnncomm_bench.evaluation import rerun
from cnncomm_bench.evaluation.rerun import verify
from cnncomm_bench.report import leaderboard
from cnncomm_bench.report.leaderboard import entry as leaderboard_entry
from cnncomm_bench.report.leaderboard.correctness import pack_hits, pack_indices, unpack_hits, unpack_indices
from cnncomm_bench.report.leaderboard.derived import derive
from cnncomm_bench.report.leaderboard.faults import faults
from cnncomm_bench.report.leaderboard.folder import entries
from cnncomm_bench.report.leaderboard.from_run import entries_of, portable
from cnncomm_bench.report.leaderboard.ranking import boards, difference, rank
from cnncomm_bench.report.leaderboard.tables import html, markdown
from cnncomm_bench.results.statistics import CLEAN

HISTORIC = Path(__file__).parent / "historic"
LEADERBOARDS = Path(__file__).parents[1] / "leaderboards"
ATTACKS = ["gaussian", "cauchy", "stable:alpha=0.5", "impulse-point", "fgm"]
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)> |`a`| [b](javascript:c) **d** \\| \u202e\"'\n# e www.f.org"
)


def entry_of(model, labelled, *, name="net", snr_db=(0, 20, 40), attacks=ATTACKS):
    run = evaluate(model, *labelled, attacks=attacks, snr_db=snr_db, name=name)
    run.info.models[0].sha256 = hashlib.sha256(name.encode()).hexdigest()
    return entries_of(run)[0]


class Constant(torch.nn.Module):
    """Says class 1 to everything; its answer has a gradient, of zero."""

    def forward(self, images):
        return images.sum((1, 2, 3))[:, None] * 0 + torch.tensor([0.0, 1.0, 0.0, 0.0])


@pytest.fixture
def entry(linear, labelled):
    return entry_of(linear, labelled)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Leaderboards of two bundled models."""
    place = tmp_path_factory.mktemp("boards")
    arguments = ["--samples", "60", "--snr", "0,20,40", "--out", str(place / "run")]
    for attack in ("gaussian", "impulse-point", "pgd:steps=3"):
        arguments += ["--attack", attack]
    commands.main(arguments, standalone_mode=False)
    leaderboard.add(place / "run", place / "boards")
    leaderboard.render(place / "boards")
    return place / "boards"


def call(capsys, *arguments):
    code = 0
    try:
        cli.main(["leaderboard", *map(str, arguments)])
    except SystemExit as stop:
        code = stop.code
    told = capsys.readouterr()
    return code, told.out, told.err


# Scores and ranks


def test_a_family_counts_once(entry):
    means = {curve.attack: np.mean(curve.accuracy) for curve in entry.curves}
    stable = np.mean([means[name] for name in ("gaussian", "cauchy", "stable:alpha=0.5")])
    scores = {score.kind: score.score for score in entry.scores}
    assert scores["noise"] == pytest.approx(np.mean([stable, means["impulse-point"]]), abs=1e-5)
    assert scores["adversary"] == pytest.approx(means["fgm"], abs=1e-5)


def test_an_interval_holds_its_score(entry):
    for score in entry.scores:
        assert score.low < score.score < score.high
        assert np.mean(score.replicates) == pytest.approx(score.score, abs=0.01)
        assert score.low == np.quantile(score.replicates, 0.025, method="lower")


@pytest.mark.parametrize("snr_db", [(0, 20, 40), (-20, -10, 0)])
def test_a_constant_classifier_comes_last(linear, labelled, snr_db):
    net, constant = (
        entry_of(model, labelled, name=name, snr_db=snr_db)
        for model, name in ((linear, "net"), (Constant(), "constant"))
    )
    share = float(np.mean(labelled[1] == 1))
    assert all(score.score == pytest.approx(share, abs=1e-5) for score in constant.scores)
    for kind in ("noise", "adversary"):
        standings = rank([constant, net], kind, "realised")
        assert [(at.entry.model.name, at.place) for at in standings] == [("net", "1"), ("constant", "2")]


def test_on_a_hard_grid_the_score_alone_would_not_do(linear, labelled):
    """Why a classifier no better than chance is put last whatever its score."""
    net, constant = (entry_of(m, labelled, snr_db=(-10, 0)).scores[1].score for m in (linear, Constant()))
    assert net < constant


def test_ties_are_shown_as_ties(linear, labelled):
    twins = [entry_of(linear, labelled, name=name) for name in ("a", "b")]
    last = entry_of(Constant(), labelled, name="c")
    assert [at.place for at in rank([*twins, last], "noise", "realised")] == ["1–2", "1–2", "3"]


def test_entries_of_separate_runs_are_paired(linear, labelled):
    noisy = torch.nn.Sequential(linear, torch.nn.Identity())
    one, other = entry_of(linear, labelled, name="a"), entry_of(noisy, labelled, name="b")
    assert difference(one.scores[0], other.scores[0]) == (0, 0)
    generator = np.random.default_rng(0)
    shuffled = other.scores[0].model_copy(
        update={"replicates": generator.permutation(other.scores[0].replicates).tolist()}
    )
    low, high = difference(one.scores[0], shuffled)
    assert low < -0.01 < 0.01 < high


def test_only_comparable_entries_share_a_board(linear, labelled):
    images, labels = labelled
    entries = [
        entry_of(linear, labelled),
        entry_of(linear, labelled, name="other"),
        entry_of(linear, labelled, snr_db=(0, 20)),
        entry_of(linear, (images[:50], labels[:50])),
    ]
    assert sorted(len(board.entries) for board in boards(entries)) == [1, 1, 2]


def test_a_changed_default_makes_another_board(entry):
    attacks = [
        attack.model_copy(update={"parameters": {**attack.parameters, "beta": 0.5}}) for attack in entry.suite.attacks
    ]
    changed = entry.model_copy(update={"suite": entry.suite.model_copy(update={"attacks": attacks})})
    assert changed.board != entry.board


# Entries as files


def test_an_entry_survives_its_file(entry, tmp_path):
    path = tmp_path / "entry.json"
    path.write_text(leaderboard_entry.text(entry), encoding="utf-8")
    assert leaderboard_entry.read(path) == entry
    assert faults(entry) == []


def test_old_versions_load_for_ever():
    entry = leaderboard_entry.read(HISTORIC / "leaderboard-v1.json")
    assert entry.schema_version == 1
    assert entry.model.name == "bundled:standard"
    assert entry.scores[0].kind == "noise"
    assert entry.curves[0].accuracy[-1] > 0.8
    assert entry.thresholds[0].side == "on"
    assert markdown(boards([entry]), {entry.identity: "a.json"})
    assert html(boards([entry]), {entry.identity: "a.json"})


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda d: d.update(schema_version=3), "schema version 3"),
        (lambda d: d.pop("data"), "corrupt at data"),
        (lambda d: d["scores"][0].update(score="0.9"), "corrupt at scores.0.score"),
        (lambda d: d["scores"][0].update(score=1.1), "corrupt at scores.0.score"),
        (lambda d: d["scores"][0].update(score=float("nan")), "NaN is no finite number"),
        (lambda d: d["curves"][1]["accuracy"].__setitem__(0, None), "corrupt at curves.1.accuracy.0"),
        (lambda d: d["model"].update(sha256="../../x"), "corrupt at model.sha256"),
        (lambda d: d.update({"\x1b[2J": 1}), "corrupt at \\x1b[2J"),
    ],
)
def test_a_corrupt_entry_says_where(entry, tmp_path, change, where):
    content = json.loads(leaderboard_entry.text(entry))
    change(content)
    path = tmp_path / "entry.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(RunFolderError, match=re.escape(where)) as told:
        leaderboard_entry.read(path)
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[" * 100_000, b"{}", b"null", b'{"schema_version": 1'])
def test_what_is_no_entry_is_refused(tmp_path, content):
    path = tmp_path / "entry.json"
    path.write_bytes(content)
    with pytest.raises(RunFolderError, match=r"entry\.json"):
        leaderboard_entry.read(path)


def test_an_entry_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "entry.json"
    with path.open("wb") as file:
        file.truncate(9 << 20)
    with pytest.raises(RunFolderError, match="expected at most"):
        leaderboard_entry.read(path)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda d: d["curves"][0]["accuracy"].__setitem__(0, 0.99), "curve under gaussian"),
        (lambda d: d["curves"][0]["high"].__setitem__(0, 0.99), "curve under gaussian"),
        (lambda d: d["curves"][0]["images"].__setitem__(0, 61), "curve under gaussian"),
        (lambda d: d["scores"][1].update(score=0.99), "score under adversary"),
        (lambda d: d["scores"][0].update(replicates=[0.99] * 200), "score under noise"),
        (lambda d: d["scores"][0].update(low=0.01), "score under noise"),
        (lambda d: d["scores"][0]["replicates"].reverse(), "score under noise"),
        (lambda d: [t.update(threshold_db=-40.0) for t in d["thresholds"]], "threshold under cauchy"),
        (lambda d: d["thresholds"][0].update(low=1.0), "threshold under gaussian"),
        (lambda d: d["thresholds"].pop(), "thresholds are not those"),
        (lambda d: d["clean"].update(accuracy=1.0), "clean accuracy 1 "),
        (lambda d: d["clean"].update(low=0.99), "clean accuracy"),
        (lambda d: d["clean"].update(images=61), "clean accuracy"),
        (lambda d: d["curves"].pop(), "no curve under fgm"),
        (lambda d: d["cells"].pop(), "curves are not those"),
        (lambda d: d["cells"][1].update(correct=[0, 0, 0]), "counts of a cell under gaussian"),
        (lambda d: d["cells"][1].update(right=""), "contradict each other"),
        (lambda d: d["cells"][1].update(right=d["cells"][0]["right"]), "3 x 60 bits"),
        (lambda d: d["cells"][1].update(which="0-60"), "contradict each other"),
        (lambda d: d["cells"].append(d["cells"][1]), "duplicate predictions"),
        (lambda d: d["scores"].pop(), "no score against the kind adversary"),
    ],
)
def test_an_entry_that_contradicts_itself_is_reported(entry, change, fault):
    content = json.loads(leaderboard_entry.text(entry))
    change(content)
    changed = leaderboard_entry.Entry.model_validate_json(json.dumps(content))
    assert any(fault in found for found in faults(changed)), faults(changed)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda d: d["curves"][0]["accuracy"].__setitem__(0, 0.99), "accuracies under gaussian"),
        (lambda d: d["scores"][2].update(score=0.99), "score 0.99 against adversary"),
        (lambda d: d["scores"][0].update(replicates=[0.99] * 200), "interval of the score against noise"),
        (lambda d: d["clean"].update(accuracy=1.0), "accuracies under clean"),
        (lambda d: d["cells"].pop(1), "accuracies under"),
    ],
)
def test_an_old_entry_that_contradicts_itself_is_reported(change, fault):
    content = json.loads((HISTORIC / "leaderboard-v1-standard.json").read_text())
    change(content)
    changed = leaderboard_entry.Entry.model_validate_json(json.dumps(content))
    assert any(fault in found for found in faults(changed)), faults(changed)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda d: d["data"].update(commonest=0.4), "commonest label"),
        (lambda d: d["data"].update(classes=11), "another number of classes"),
        (lambda d: d["data"].update(images=61), "another data"),
        (lambda d: d["data"].update(shape=[1, 28, 29]), "another shape"),
        (lambda d: d["suite"]["attacks"][0].update(family="own"), "another kind of attack or family"),
        (lambda d: d["model"].update(interpolation="nearest"), "another interpolation"),
        (lambda d: d["cells"][1].update(which="1-60"), "not of the images"),
    ],
)
def test_verify_refuses_what_the_cells_do_not_show(folder, change, fault):
    content = json.loads((folder / "fashion-mnist" / "standard.json").read_text())
    change(content)
    changed = leaderboard_entry.Entry.model_validate_json(json.dumps(content))
    # Whoever forges an entry recomputes its numbers.
    numbers = derive(changed.suite, changed.data.classes, changed.cells)
    forged = changed.model_copy(update=numbers._asdict())
    assert faults(forged) == []
    found = verify(forged, quiet=True, share=1.0).faults
    assert any(fault in line for line in found), found


def test_verify_refuses_other_images_of_the_same_count(folder):
    """Counts alone would not show it."""
    entry = leaderboard_entry.read(folder / "fashion-mnist" / "standard.json")
    forged = []
    for cell in entry.cells:
        hits = unpack_hits(cell.right, len(cell.correct), cell.images)
        forged.append(cell.model_copy(update={"right": pack_hits(np.roll(hits, 7, axis=1))}))
    numbers = derive(entry.suite, entry.data.classes, forged)
    changed = entry.model_copy(update={"cells": forged, **numbers._asdict()})
    assert faults(changed) == []
    assert any("images differ" in line for line in verify(changed, quiet=True).faults)


def test_verify_refuses_small_cells_whose_differences_cancel(folder):
    """In a cell of two images every difference is within its tolerance, and over all of them the sum may be none."""
    entry = leaderboard_entry.read(folder / "fashion-mnist" / "standard.json")
    forged = []
    for cell in entry.cells:
        hits = unpack_hits(cell.right, len(cell.correct), cell.images)
        images = unpack_indices(cell.which)
        for start in range(0, cell.images, 2):
            pair = hits[:, start : start + 2]
            if cell.attack != CLEAN and start % 4 == 0:
                pair = pair[:, ::-1]  # as many are right as before
            counts = {"images": pair.shape[1], "correct": pair.sum(1).tolist()}
            which = pack_indices(images[start : start + 2])
            forged.append(cell.model_copy(update={**counts, "which": which, "right": pack_hits(pair)}))
    numbers = derive(entry.suite, entry.data.classes, forged)
    changed = entry.model_copy(update={"cells": forged, **numbers._asdict()})
    assert faults(changed) == []
    found = verify(changed, quiet=True, share=1.0).faults
    assert found
    assert all("rerun of the kind" in line for line in found), found


def test_an_entry_too_large_to_recompute_is_refused_at_once(entry):
    """Zeros are packed well: 200 kB may claim 25 million predictions."""
    cells = [entry.cells[-1].model_copy(update={"images": 10**6, "correct": [0] * len(entry.suite.snr_db)})] * 100
    data = entry.data.model_copy(update={"images": 10**6})
    assert any("at most" in line for line in faults(entry.model_copy(update={"cells": cells, "data": data})))


def test_what_would_be_refused_is_not_written(linear, labelled, monkeypatch):
    """A run of one prediction more than can be recomputed has no entry; one of as many has an entry without faults."""
    run = evaluate(linear, *labelled, attacks=["gaussian"], snr_db=[0, 20])
    run.info.models[0].sha256 = "0" * 64
    (whole,) = entries_of(run)
    predictions = sum(cell.images * len(cell.correct) for cell in whole.cells)
    monkeypatch.setitem(faults.__globals__, "_MOST_PREDICTIONS", predictions - 1)
    with pytest.raises(DataError, match="at most .* are recomputed; rerun with fewer samples"):
        entries_of(run)
    assert any("at most" in line for line in faults(whole))
    monkeypatch.setitem(faults.__globals__, "_MOST_PREDICTIONS", predictions)
    assert faults(entries_of(run)[0]) == []


def test_old_entries_are_marked_in_the_tables():
    old = leaderboard_entry.read(HISTORIC / "leaderboard-v1.json")
    for page in (markdown, html):
        assert "numbers not recomputed by verify" in page(boards([old]), {old.identity: "a.json"})


def test_new_entries_are_not_marked(entry):
    for page in (markdown, html):
        assert "numbers not recomputed by verify" not in page(boards([entry]), {entry.identity: "a.json"})


def test_runs_that_cannot_stand_in_a_leaderboard(linear, labelled):
    images, labels = labelled
    with pytest.raises(DataError, match="30 at least"):
        entry_of(linear, (images[:20], labels[:20]))
    run = evaluate(linear, *labelled, attacks=["gaussian"], snr_db=[0, 20])
    with pytest.raises(DataError, match="SHA-256"):
        entries_of(run)
    run.info.data.labelled = False
    with pytest.raises(DataError, match="labels"):
        entries_of(run)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (
            "cnncomm-bench --model bundled:standard --out=x --suite quick",
            "cnncomm-bench --model bundled:standard --suite quick",
        ),
        (r"cnncomm-bench --model 'C:\Users\ada\net.pt'", "cnncomm-bench --model net.pt"),
        ("cnncomm-bench --data torchvision:SVHN:/home/ada/d", "cnncomm-bench --data torchvision:SVHN:d"),
        ("cnncomm-bench --data ~/flowers/val/ --snr 0:50:5", "cnncomm-bench --data val --snr 0:50:5"),
        (
            "cnncomm-bench --arch=/home/ada/nets.py:net --model a/b.pt",
            "cnncomm-bench --arch=nets.py:net --model a/b.pt",
        ),
    ],
)
def test_commands_do_not_tell_where_somebody_keeps_things(typed, kept):
    assert portable(typed) == kept


# Pages


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.links = [], set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name in ("href", "src")]


@pytest.fixture
def hostile(entry):
    update = {"model": entry.model.model_copy(update={"name": HOSTILE}), "command": HOSTILE, "device": HOSTILE,
              "data": entry.data.model_copy(update={"name": HOSTILE}), "versions": {HOSTILE: HOSTILE},
              "suite": entry.suite.model_copy(update={"title": HOSTILE})}  # fmt: skip
    return entry.model_copy(update=update)


def test_html_escapes_what_comes_from_an_entry(hostile):
    page = html(boards([hostile]), {hostile.identity: 'a/"><script>.json'})
    tags = Tags()
    tags.feed(page)
    assert tags.tags.count("script") == 1
    assert "img" not in tags.tags
    assert not {name for name in tags.attributes if name.startswith("on")}
    assert all(link.startswith("#entry-") or link == "a/%22%3E%3Cscript%3E.json" for link in tags.links)
    assert "\u202e" not in page
    assert "http" not in re.sub(r"http-equiv", "", page)


def test_html_runs_its_own_script_and_no_other(entry):
    page = html(boards([entry]), {entry.identity: "a.json"})
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)[1]
    assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in page
    assert "default-src 'none'" in page


def test_markdown_escapes_what_comes_from_an_entry(hostile):
    page = markdown(boards([hostile]), {hostile.identity: "a b|.json"})
    rows = [line for line in page.splitlines() if line.startswith("| 1")]
    assert len(rows) == 2
    for row in rows:
        assert row.count("|") == 6
        assert not set("<`*\\#") & set(re.sub(r"&#\d+;", "", row))
        assert row.count("](") == 1
    assert "<script" not in page
    assert "a%20b%7C.json" in page


# The commands


def test_check_tells_when_a_table_does_not_match(capsys, folder, tmp_path):
    assert call(capsys, "check", "--folder", folder)[0] == 0
    copy = tmp_path / "boards"
    for path in folder.rglob("*"):
        if path.is_file():
            (copy / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            (copy / path.relative_to(folder)).write_bytes(path.read_bytes())
    readme = copy / "README.md"
    readme.write_text(readme.read_text(encoding="utf-8").replace("standard", "best"), encoding="utf-8")
    code, out, _ = call(capsys, "check", "--folder", copy)
    assert code == 1
    assert "README.md does not match" in out
    assert "index.html" not in out
    assert call(capsys, "render", "--folder", copy)[0] == 0
    assert call(capsys, "check", "--folder", copy)[0] == 0


def test_adding_again_replaces_and_another_model_is_kept_beside(folder, tmp_path):
    run = folder.parent / "run"
    for _ in range(2):
        written = leaderboard.add(run, tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in written] == [
        "fashion-mnist/standard.json",
        "fashion-mnist/adversarial.json",
    ]
    other = leaderboard_entry.read(written[0])
    other = other.model_copy(update={"model": other.model.model_copy(update={"sha256": "0" * 64})})
    written[0].write_text(leaderboard_entry.text(other), encoding="utf-8")
    beside = leaderboard.add(run, tmp_path)[0]
    assert re.fullmatch(r"standard-[0-9a-f]{8}\.json", beside.name)
    assert leaderboard_entry.read(written[0]) == other


def test_verify_accepts_an_honest_entry(capsys, folder):
    code, out, _ = call(capsys, "verify", folder / "fashion-mnist" / "standard.json", "--share", "1")
    assert code == 0, out
    assert "4 of 4 cells rerun, 0 of" in out


def test_nobody_knows_beforehand_which_cells_are_rerun(folder, monkeypatch):
    """With a known seed a forger leaves the cells that are drawn as they are."""
    entry = leaderboard_entry.read(folder / "fashion-mnist" / "standard.json")
    drawn = []
    monkeypatch.setattr(rerun, "_draw", lambda entry, pairs, share, seed: drawn.append(seed) or pairs[:1])
    for _ in range(3):
        verify(entry, quiet=True)
    assert len(set(drawn)) == 3


def test_verify_refuses_another_models_numbers(capsys, folder, tmp_path):
    standard, robust = (
        leaderboard_entry.read(folder / "fashion-mnist" / f"{n}.json") for n in ("standard", "adversarial")
    )
    path = tmp_path / "entry.json"
    path.write_text(leaderboard_entry.text(robust.model_copy(update={"model": standard.model})), encoding="utf-8")
    code, out, _ = call(capsys, "verify", path)
    assert code == 1
    assert "pgd:steps=3 at 20 dB" in out


def test_verify_refuses_another_file(folder):
    entry = leaderboard_entry.read(folder / "fashion-mnist" / "standard.json")
    assert "another model" in verify(entry, model="bundled:gaussian", quiet=True).faults[0]
    changed = entry.model_copy(update={"data": entry.data.model_copy(update={"sha256": "0" * 64})})
    assert "another data" in verify(changed, quiet=True).faults[0]


def test_verify_opens_nothing_that_only_an_entry_names(folder):
    entry = leaderboard_entry.read(folder / "fashion-mnist" / "standard.json")
    named = entry.model_copy(update={"model": entry.model.model_copy(update={"name": "torchvision:resnet18"})})
    with pytest.raises(UsageError, match="pass its place"):
        verify(named, quiet=True)


def test_verify_tells_a_changed_default(folder):
    entry = leaderboard_entry.read(folder / "fashion-mnist" / "standard.json")
    attacks = [a.model_copy(update={"parameters": {**a.parameters, "size": 7}}) for a in entry.suite.attacks]
    changed = entry.model_copy(update={"suite": entry.suite.model_copy(update={"attacks": attacks})})
    assert "in the entry" in verify(changed, quiet=True).faults[0]


def test_mistakes_are_told_in_one_line(capsys, tmp_path):
    for arguments, code in (
        (["add", tmp_path], 1),
        (["render", "--folder", tmp_path], 1),
        (["check", "--folder", tmp_path], 1),
        (["verify", tmp_path / "none.json"], 1),
        (["verify", HISTORIC / "leaderboard-v1.json", "--share", "0"], 2),
    ):
        got, _, err = call(capsys, *arguments)
        assert (got, len(err.splitlines())) == (code, 1), err


@pytest.mark.skipif(not LEADERBOARDS.is_dir(), reason="only the repository holds leaderboards")
def test_the_projects_own_leaderboards_match():
    assert leaderboard.check(LEADERBOARDS) == []
    for entry in entries(LEADERBOARDS).values():
        assert not re.search(r"(^|[\s=])[/~]", entry.command)
