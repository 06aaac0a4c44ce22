"""The house: what a wheel holds, how clones import it, which way imports point."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def build(source: Path, out: Path) -> zipfile.ZipFile:
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "-w", out, source]
    subprocess.run(command, check=True, capture_output=True)
    return zipfile.ZipFile(next(out.glob("*.whl")))


@pytest.fixture
def copy(tmp_path):
    """The files that git would give a clone, at least the ones that are installed."""
    for name in ("attacks", "cnncomm_bench", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        path = ROOT / name
        if path.is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, tmp_path / "clone" / name, symlinks=True, ignore=ignore)
        else:
            (tmp_path / "clone").mkdir(exist_ok=True)
            shutil.copy(path, tmp_path / "clone" / name)
    return tmp_path / "clone"


@pytest.mark.parametrize("link", ["link", "text file"])
def test_the_wheel_is_whole_and_imports_from_elsewhere(copy, tmp_path, link):
    if link == "text file":  # as git makes of it where it cannot make links
        (copy / "cnncomm_bench" / "attacks").unlink()
        (copy / "cnncomm_bench" / "attacks").write_text("../attacks")
    wheel = build(copy, tmp_path / "wheels")
    names = set(wheel.namelist())
    kept = (".py", ".toml", ".html", ".css", ".js", ".md", ".typed", ".npz", ".safetensors")
    for folder, place in ((ROOT / "cnncomm_bench", "cnncomm_bench"), (ROOT / "attacks", "cnncomm_bench/attacks")):
        held = [path for path in folder.rglob("*") if path.suffix in kept and path.is_file()]
        told = {f"{place}/{path.relative_to(folder).as_posix()}" for path in held}
        assert told <= names
    assert {"cnncomm_bench/bundled/fashion_mnist.npz", "cnncomm_bench/bundled/LICENSE.fashion-mnist"} <= names
    assert not [name for name in names if name.startswith(("attacks/", "tests/", "examples/"))]

    wheel.extractall(tmp_path / "site")
    code = "from cnncomm_bench import attacks as a; from cnncomm_bench.results import suites as s; print(a.parse('cauchy').spec, s.names(), a.__file__)"
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
    )
    assert told.stdout.startswith("cauchy"), told.stderr
    assert str(tmp_path / "site") in told.stdout
    assert "figure3" in told.stdout


def test_the_link_is_one():
    link = ROOT / "cnncomm_bench" / "attacks"
    assert link.is_symlink()
    assert link.readlink() == Path("../attacks")


def test_imports_point_one_way():
    told = subprocess.run([Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import cnncomm_bench", ["torch", "numpy", "pandas"]),
        ("from cnncomm_bench import cli; cli.main(['--help'])", ["torch", "numpy", "pandas", "matplotlib"]),
        ("from cnncomm_bench import cli; cli.main(['run', '--help'])", ["torch", "numpy", "pandas", "matplotlib"]),
        ("from cnncomm_bench import evaluate", ["art", "torchattacks", "foolbox", "timm", "torchvision", "matplotlib"]),
        ("import cnncomm_bench.attacks", ["art", "torchattacks", "foolbox", "pandas", "scipy", "torchvision"]),
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(statement, absent):
    at_exit = f"lambda: print('LOADED', *[name for name in {absent} if name in sys.modules])"
    code = f"import sys, atexit; atexit.register({at_exit}); {statement}"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert told.stdout.rstrip().endswith("LOADED"), told.stdout[-300:] + told.stderr[-300:]
