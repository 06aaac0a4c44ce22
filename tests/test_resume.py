"""A run broken anywhere is resumed and ends as if nothing had happened."""

import contextlib
import itertools
import json
import os
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from cnncomm_bench import Run, cli
from cnncomm_bench._utils.errors import BenchError, RunFolderError
from cnncomm_bench.evaluation import cells as cells_module
from cnncomm_bench.evaluation import execute as run_request
from cnncomm_bench.evaluation import preparation
from cnncomm_bench.evaluation import worker as worker_module
from cnncomm_bench.report import plots
from cnncomm_bench.results import RunConfig
from cnncomm_bench.results import writer as store
from cnncomm_bench.results.reader import PREDICTIONS

from .requested import requested

pytestmark = pytest.mark.usefixtures("small")

ATTACKS = ("gaussian", "impulse-square", "fgsm")


class Killed(BaseException):
    """Stands for the end of the process: no error handling of the program's sees it."""


@pytest.fixture
def small(monkeypatch):
    """Cells of six images, and a clock that does not advance, so that no times are in the files."""
    monkeypatch.setattr(cells_module, "BLOCK", 6)
    monkeypatch.setattr(worker_module.time, "perf_counter", lambda: 0.0)


@pytest.fixture
def plain(monkeypatch):
    """Pages and pictures that are quick to make; the writing of them is as ever."""
    from matplotlib.figure import Figure

    monkeypatch.setattr(plots, "plot_curves", lambda *rest, **named: Figure(figsize=(1, 1)))
    monkeypatch.setattr("plotly.offline.get_plotlyjs", lambda: "// the library")


def execute(model, labelled, folder, *, attacks=ATTACKS, snr=(0, 20, 40), outputs=True, **settings):
    """A run of twelve images."""
    request = requested(
        model, labelled[0][:12], labelled[1][:12], folder, attacks=attacks, snr=snr, batch_size=4, **settings
    )
    return run_request(request, quiet=True, outputs=outputs)


def slowed(linear):
    """The same model, and time enough to be killed."""

    def wait(*_):
        torch.nn.functional.conv2d(torch.zeros(1, 1, 300, 300), torch.ones(1, 1, 9, 9))

    linear.register_forward_pre_hook(wait)
    return linear


def files(folder):
    """Everything that a run leaves behind."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def parts(folder):
    return {path.name for path in (folder / "parts").glob("[0-9]*.parquet")} if (folder / "parts").is_dir() else set()


class Breaking:
    """Lets the program write, rename and sync until the `point`-th time; then it breaks, in one of three ways.

    The process ends before the operation, or after it; or the disk is full, after half of what was to be written.
    """

    def __init__(self, monkeypatch, point):
        self.calls, self.point = 0, point
        self._patch = monkeypatch
        for owner, name in (
            (os, "fsync"),
            (os, "replace"),
            (Path, "write_text"),
            (Path, "mkdir"),
            (store.shutil, "rmtree"),
            (pq.ParquetWriter, "write_table"),
            (pq.ParquetWriter, "close"),
        ):
            monkeypatch.setattr(owner, name, self._guarded(name, getattr(owner, name)))
        from matplotlib.figure import Figure

        monkeypatch.setattr(Figure, "savefig", self._guarded("savefig", Figure.savefig))

    def _guarded(self, name, operation):
        def guarded(*rest, **named):
            self.calls += 1
            if self.calls != self.point:
                return operation(*rest, **named)
            if self.point % 3 == 0:
                raise Killed
            if self.point % 3 == 1 or name == "rmtree":
                operation(*rest, **named)
                raise Killed
            if name == "write_text":
                operation(rest[0], rest[1][: len(rest[1]) // 2], **named)
            raise OSError(28, "No space left on device")

        return guarded


def forked(task, kill_when, patience=60.0):
    """Run a task in a process of its own and kill it once `kill_when` says so; whether it was killed."""
    pid = os.fork()
    if pid == 0:
        try:
            task()
        finally:
            os._exit(0)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        ended, _ = os.waitpid(pid, os.WNOHANG)
        if ended:
            return False
        if kill_when():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return True
        time.sleep(0.0005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError("it took too long")


def refusal(folder):
    """What opening a folder is refused with; nothing where it opens."""
    try:
        Run.open(folder)
    except BenchError as error:
        return str(error)
    return ""


@pytest.fixture
def whole(linear, labelled, tmp_path):
    """The files of a run that nothing disturbed."""
    execute(linear, labelled, tmp_path / "whole")
    return files(tmp_path / "whole")


@pytest.fixture
def written(monkeypatch):
    """The cells that were stored, in order."""
    stored, write = [], store.Store.write_cell

    def counting(self, index, *rest):
        stored.append(index)
        write(self, index, *rest)

    monkeypatch.setattr(store.Store, "write_cell", counting)
    return stored


def test_the_same_run_leaves_the_same_bytes(linear, labelled, tmp_path, whole):
    execute(linear, labelled, tmp_path / "again")
    assert files(tmp_path / "again") == whole
    assert {"run.json", "predictions.parquet", "curves.png", "curves.svg", "report.html", "gallery.json"} <= set(whole)


@pytest.mark.usefixtures("plain")
def test_broken_at_every_write_rename_and_sync(linear, labelled, tmp_path, whole, written):
    for point in itertools.count(1):
        folder = tmp_path / str(point)
        with pytest.MonkeyPatch.context() as patch:
            breaking = Breaking(patch, point)
            with contextlib.suppress(Killed, RunFolderError):
                execute(linear, labelled, folder)
        if said := refusal(folder):  # never half a run
            assert "not finished" in said or "holds no run" in said
        stored = parts(folder)
        written.clear()
        execute(linear, labelled, folder)
        assert not stored & {f"{index:06d}.parquet" for index in written}, point
        assert files(folder) == whole, point
        shutil.rmtree(folder)
        if breaking.calls < point:
            break
    assert point > 100


def test_five_kills(linear, labelled, tmp_path, whole):
    folder, slow = tmp_path / "run", slowed(linear)
    moments = [
        lambda: len(parts(folder)) >= 1,
        lambda: len(parts(folder)) >= 3,
        lambda: len(parts(folder)) >= 6,
        lambda: (folder / "predictions.parquet").exists(),
        lambda: (folder / "curves.csv").exists(),
    ]
    before = set()
    for moment in moments:
        assert forked(lambda: execute(slow, labelled, folder), moment)
        if not (folder / "predictions.parquet").exists():
            assert before <= parts(folder)
            before = parts(folder)
    execute(slow, labelled, folder)
    assert files(folder) == whole


def test_a_second_process_is_refused_while_the_first_runs(linear, labelled, tmp_path):
    folder, refused = tmp_path / "run", []

    def second():
        if parts(folder):
            with pytest.raises(RunFolderError, match="being written by another process"):
                execute(linear, labelled, folder)
            refused.append(True)
        return bool(refused)

    assert forked(lambda: execute(slowed(linear), labelled, folder), second)


@pytest.fixture
def disk(tmp_path):
    """A disk of one megabyte, where this user may mount one."""
    (tmp_path / "disk").mkdir()
    mount = shutil.which("mount")
    mounted = mount and os.getuid() == 0 and not subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path / "disk"], capture_output=True
    ).returncode  # fmt: skip
    if not mounted:
        pytest.skip("no file system may be mounted here; the limit on file sizes is tested instead")
    yield tmp_path / "disk"
    subprocess.run(["umount", tmp_path / "disk"], check=True)


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("free", [0, 8, 20, 40, 60])
def test_a_full_disk(linear, labelled, disk, whole, written, free):
    """Kibibytes that are left; a small file system has blocks of four."""
    with (disk / "ballast").open("wb") as ballast:
        ballast.truncate(0)
        ballast.write(bytes(2**20 - 1024 * free - 4096))
    with pytest.raises(RunFolderError, match="No space left on device"):
        execute(linear, labelled, disk / "run")
    stored = parts(disk / "run")
    written.clear()
    assert not [path for path in (disk / "run").rglob("*") if ".partial" in path.name]
    (disk / "ballast").unlink()
    execute(linear, labelled, disk / "run")
    assert files(disk / "run") == whole
    assert not stored & {f"{index:06d}.parquet" for index in written}


@pytest.mark.usefixtures("plain")
def test_files_that_may_not_grow(linear, labelled, tmp_path, whole):
    """What a quota does: writes beyond it fail."""

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4200, 4200))
        try:
            execute(linear, labelled, tmp_path / "run")
        except RunFolderError as error:
            (tmp_path / "said").write_text(str(error))

    assert not forked(limited, lambda: False)
    assert "File too large" in (tmp_path / "said").read_text()
    execute(linear, labelled, tmp_path / "run")
    assert files(tmp_path / "run") == whole


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99, "flipped"])
def test_a_damaged_cell_is_recomputed(linear, labelled, tmp_path, whole, written, monkeypatch, keep):
    with monkeypatch.context() as patch:
        patch.setattr(store.Store, "merge", lambda self, failures: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            execute(linear, labelled, tmp_path / "run")
    victim = tmp_path / "run" / "parts" / "000005.parquet"
    content = victim.read_bytes()
    if keep == "flipped":  # within the data, where only a checksum tells
        column = pq.read_metadata(victim).row_group(0).column(PREDICTIONS.get_field_index("prediction"))
        place = column.dictionary_page_offset + column.total_compressed_size - 1
        content = content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :]
    victim.write_bytes(content if keep == "flipped" else content[: int(keep * len(content))])
    written.clear()
    execute(linear, labelled, tmp_path / "run")
    assert written == [5]
    assert files(tmp_path / "run") == whole


def test_ctrl_c_says_what_is_stored(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    calls, perturb = itertools.count(), worker_module.Worker._perturb

    def interrupted(self, *rest):
        if next(calls) == 3:
            raise KeyboardInterrupt
        perturb(self, *rest)

    command = [
        "--model",
        "bundled:standard",
        "--samples",
        "40",
        "--snr",
        "20",
        "--attack",
        "gaussian",
        "--attack",
        "cauchy",
    ]
    monkeypatch.setattr("sys.argv", ["cnncomm-bench", *command, "--out", "my run"])
    with monkeypatch.context() as patch:
        patch.setattr(worker_module.Worker, "_perturb", interrupted)
        with pytest.raises(SystemExit) as stopped:
            cli.main()
    assert stopped.value.code == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert "of 21 cells are stored in my run; resume with: cnncomm-bench --model bundled:standard" in said
    assert said.endswith("--out 'my run'")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sha256": "another"}, "models.0.sha256"),
        ({"attacks": ["gaussian", "cauchy", "fgsm"]}, "attacks.1.spec"),
        ({"attacks": ["gaussian"]}, "differs in attacks"),
        ({"snr": [0, 10]}, "differs in snr_db"),
        ({"seeds": [1]}, "differs in seeds"),
        ({"bits": 8}, "differs in bits"),
    ],
)
def test_what_differs_is_named(linear, labelled, tmp_path, change, said):
    execute(linear, labelled, tmp_path / "run", outputs=False)
    with pytest.raises(RunFolderError, match=said):
        execute(linear, labelled, tmp_path / "run", outputs=False, **change)


def as_schema(version, folder):
    """Write a folder's run.json as an earlier version did."""
    content = json.loads((folder / "run.json").read_text())
    for name in ["config", *(["failures", "notes"] if version == 1 else [])]:
        del content[name]
    for model in content["models"]:
        del model["weights_sha256"]
        model["source"] = ""
    content["schema_version"] = version
    (folder / "run.json").write_text(json.dumps(content))


@pytest.mark.parametrize("version", [1, 2])
def test_runs_of_earlier_schemas_are_read(linear, labelled, tmp_path, version):
    execute(linear, labelled, tmp_path / "run", outputs=False)
    as_schema(version, tmp_path / "run")
    info = Run.open(tmp_path / "run").info
    assert (info.failures, info.config, info.schema_version) == ([], None, version)


def test_a_run_of_schema_2_is_resumed(linear, labelled, tmp_path, whole, written, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(store.Store, "merge", lambda self, failures: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            execute(linear, labelled, tmp_path / "run", sha256="of a file")
    as_schema(2, tmp_path / "run")
    written.clear()
    execute(linear, labelled, tmp_path / "run", sha256="of a file")
    assert written == []
    assert files(tmp_path / "run")["predictions.parquet"] == whole["predictions.parquet"]
    assert Run.open(tmp_path / "run").info.schema_version == 4


def test_the_folder_of_an_earlier_version_is_resumed(tmp_path):
    """As `tests/historic` keeps it: the same command finds nothing to compute."""
    folder = tmp_path / "run"
    shutil.copytree(Path(__file__).parent / "historic" / "run-v2", folder)
    earlier = Run.open(folder)
    settings = {"samples": 60, "snr": "0:40:10", "seeds": [0, 1], "rulers": ["realised", "dispersion"], "out": folder}
    specs = [entry.spec for entry in earlier.info.suite.attacks]
    request = preparation.prepare(RunConfig.of(attacks=specs, **settings))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_module.Worker, "_perturb", None)
        resumed = run_request(request, quiet=True, outputs=False)
    assert resumed.predictions.equals(earlier.predictions)
    assert (earlier.info.schema_version, resumed.info.schema_version) == (2, 4)
    assert earlier.info.identity() == resumed.info.identity()


def test_cells_of_another_plan_are_refused(linear, labelled, tmp_path, monkeypatch):
    """What an earlier version stored, which ran fewer seeds, must not be merged as what is planned now."""
    plan = preparation.plan
    with monkeypatch.context() as patch:
        patch.setattr(preparation, "plan", lambda *rest, **how: [cell for cell in plan(*rest, **how) if cell.seed == 0])
        patch.setattr(store.Store, "merge", lambda self, failures: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            execute(linear, labelled, tmp_path / "run", seeds=[0, 1])
    with pytest.raises(RunFolderError, match="holds cells of another plan") as refused:
        execute(linear, labelled, tmp_path / "run", seeds=[0, 1])
    assert refused.value.arguments == ("out",)


class TestTruncated:
    """A file of a run's folder that lost its end is named, or does no harm."""

    @pytest.fixture(params=["run.json", "predictions.parquet"])
    def damaged(self, request, linear, labelled, tmp_path, whole):
        path = tmp_path / "whole" / request.param
        content = path.read_bytes()
        return path, [content[: len(content) * step // 20] for step in range(20)] + [content[:-1], content[:-3]]

    @pytest.mark.usefixtures("plain")
    def test_it_is_named(self, damaged, linear, labelled, tmp_path):
        path, contents = damaged
        for content in contents:
            path.write_bytes(content)
            for attempt in (lambda: Run.open(path.parent), lambda: execute(linear, labelled, path.parent)):
                if path.name == "run.json" and content.endswith(b"}"):  # only the last newline is gone
                    attempt()
                    continue
                with pytest.raises(RunFolderError, match=rf"{path.name} is corrupt"):
                    attempt()

    @pytest.mark.usefixtures("plain")
    def test_what_is_derived_is_derived_again(self, linear, labelled, tmp_path, whole):
        folder = tmp_path / "whole"
        for name, content in whole.items():
            if name not in ("run.json", "predictions.parquet"):
                (folder / name).write_bytes(content[: len(content) // 2])
        execute(linear, labelled, folder)
        assert files(folder) == whole

    def test_predictions_that_were_removed_are_recomputed(self, linear, labelled, tmp_path, whole):
        (tmp_path / "whole" / "predictions.parquet").unlink()
        execute(linear, labelled, tmp_path / "whole")
        assert files(tmp_path / "whole") == whole

    @pytest.mark.usefixtures("plain")
    def test_no_traceback_whatever_a_report_reads(self, capsys, tmp_path, whole):
        folder = tmp_path / "whole"
        for name, content in whole.items():
            for keep in (0, len(content) // 3, len(content) - 1):
                (folder / name).write_bytes(content[:keep])
                with contextlib.suppress(SystemExit):
                    cli.main(["report", str(folder)])
                err = capsys.readouterr().err
                assert (f"{name} is corrupt" in err and len(err.splitlines()) == 1) or not err
                (folder / name).write_bytes(content)


def test_all_errors_of_a_damaged_folder_are_one_line(linear, labelled, tmp_path, whole):
    """Bytes changed at random in the predictions: the checksums tell."""
    path = tmp_path / "whole" / "predictions.parquet"
    content = path.read_bytes()
    for place in range(4, len(content), 97):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        if said := refusal(path.parent):
            assert "predictions.parquet is corrupt" in said
            assert "\n" not in said
        else:
            assert len(Run.open(path.parent).predictions) == 12 + 3 * 3 * 12
