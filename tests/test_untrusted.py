"""Runs and leaderboard entries of others are data: opening one executes nothing, and a damaged one is named."""

import pickle
import sys

import pytest

from cnncomm_bench import Run, evaluate
from cnncomm_bench._utils.errors import RunFolderError
from cnncomm_bench.report import leaderboard
from cnncomm_bench.report.leaderboard.entry import read
from cnncomm_bench.report.outputs import write_outputs

_DANGEROUS = (
    "pickle.find_class",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "socket.connect",
)
_watched: list[str] = []
_watching = [False]


def _audit(event, arguments):
    if _watching[0] and event in _DANGEROUS:
        _watched.append(event)


@pytest.fixture
def executed():
    """What the interpreter reports of unpickled classes, new processes and connections while this is used."""
    if not hasattr(sys, "_cnncomm_audited"):
        sys.addaudithook(_audit)  # it cannot be removed
        sys._cnncomm_audited = True
    _watched.clear()
    _watching[0] = True
    yield _watched
    _watching[0] = False


@pytest.fixture
def run(linear, labelled, tmp_path):
    evaluate(linear, *labelled, attacks=["gaussian", "fgsm"], snr_db=[0, 20], out=tmp_path / "run")
    text = (tmp_path / "run" / "run.json").read_text().replace('"sha256": ""', f'"sha256": "{"0" * 64}"')
    (tmp_path / "run" / "run.json").write_text(text)
    return tmp_path / "run"


def test_the_watch_works(executed):
    pickle.loads(pickle.dumps(RunFolderError))
    assert executed == ["pickle.find_class"]


def test_opening_executes_nothing(run, tmp_path, executed):
    stored = Run.open(run)
    assert len(stored.claims) >= 0
    assert stored.warnings is not None
    (path,) = leaderboard.add(run, tmp_path / "boards")
    leaderboard.render(tmp_path / "boards")
    assert leaderboard.check(tmp_path / "boards") == []
    assert leaderboard.faults(read(path)) == []
    write_outputs(stored, run)
    assert executed == []


@pytest.mark.parametrize("name", ["run.json", "predictions.parquet", "gallery.json"])
def test_a_pickle_in_its_place_is_not_read(run, executed, name):
    class Payload:
        def __reduce__(self):
            return (_watched.append, ("executed",))

    content = pickle.dumps(Payload())
    executed.clear()
    (run / name).write_bytes(content)
    if name == "gallery.json":
        write_outputs(Run.open(run), run)
        assert "not shown" not in (run / "report.md").read_text()
    else:
        with pytest.raises(RunFolderError, match=f"{name} is corrupt"):
            Run.open(run)
    assert executed == []


def test_entries_that_lost_their_end_say_so(run, tmp_path):
    (path,) = leaderboard.add(run, tmp_path / "boards")
    content = path.read_bytes()
    for step in range(20):
        path.write_bytes(content[: len(content) * step // 20])
        with pytest.raises(RunFolderError, match=rf"{path.name} is corrupt"):
            leaderboard.check(tmp_path / "boards")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"classes": 4', '"classes": 1', "classes"),
        ('"classes": 4', '"classes": 2', "predictions.parquet is corrupt in the column label: from 0 to 2"),
        ('"shape": [\n   3,\n   16,\n   20\n  ]', '"shape": []', "shape"),
        ('"finished": true', '"finished": "maybe"', "run.json is corrupt at finished"),
        ('"name": "model"', '"name": 7', "run.json is corrupt at models.0.name"),
        ('"images": 60', '"images": -1', "images"),
    ],
)
def test_contents_that_contradict_themselves(run, old, new, said):
    text = (run / "run.json").read_text()
    assert old in text
    (run / "run.json").write_text(text.replace(old, new))
    with pytest.raises(RunFolderError, match=said):
        write_outputs(Run.open(run), run)
