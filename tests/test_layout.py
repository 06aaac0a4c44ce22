"""The layout: what a wheel holds, how clones import it, which way imports point, how CONTRIBUTING.md describes it."""

import ast
import configparser
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "cnncomm_bench"
MODULES = {
    ".".join(("cnncomm_bench", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in [*PACKAGE.rglob("*.py"), *(PACKAGE / "attacks").rglob("*.py")]
    if "__pycache__" not in path.parts
}
"""Every module by its name; attacks/ is reached through its link."""

IMPORTED_DIRECTLY = re.compile(r"cnncomm_bench\.(_utils\.\w+|attacks\.for_\w+)")


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
        expected = {f"{place}/{path.relative_to(folder).as_posix()}" for path in held}
        assert expected <= names
    assert {"cnncomm_bench/bundled/fashion_mnist.npz", "cnncomm_bench/bundled/LICENSE.fashion-mnist"} <= names
    assert not [name for name in names if name.startswith(("attacks/", "tests/", "examples/"))]

    wheel.extractall(tmp_path / "site")
    code = (
        "from cnncomm_bench import attacks as a; from cnncomm_bench.results import suites as s; "
        "print(a.parse('cauchy').spec, s.names(), a.__file__)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
    )
    assert ran.stdout.startswith("cauchy"), ran.stderr
    assert str(tmp_path / "site") in ran.stdout
    assert "figure3" in ran.stdout


def test_the_link_is_one():
    link = ROOT / "cnncomm_bench" / "attacks"
    assert link.is_symlink()
    assert link.readlink() == Path("../attacks")


def test_imports_point_one_way():
    ran = subprocess.run([Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def imports(name: str) -> Iterator[str]:
    """Modules of the package that a module imports, or imports from."""
    path = MODULES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - (node.level - 1)] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                if f"{source}.{alias.name}" in MODULES:
                    yield f"{source}.{alias.name}"
                elif source in MODULES:
                    yield source


@pytest.mark.parametrize("name", sorted(MODULES))
def test_from_outside_a_package_only_its_face_is_imported(name):
    for source in imports(name):
        parent, _, module = source.rpartition(".")
        inside = source.split(".")[:2] == name.split(".")[:2]
        face = MODULES[source].name == "__init__.py" or parent == "cnncomm_bench"
        exported = parent and f'"{module}"' in MODULES[parent].read_text("utf-8")
        assert inside or face or exported or IMPORTED_DIRECTLY.fullmatch(source), f"{name} imports {source}"


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_is_short_and_states_its_idea(name):
    text = MODULES[name].read_text("utf-8")
    assert len(text.splitlines()) <= 300
    assert re.match(r'r?"""\S', text) or not text


def test_the_top_of_the_package_is_a_dozen_names():
    names = [path.name for path in PACKAGE.iterdir() if path.name[0] not in "._" or path.name == "_utils"]
    assert len(names) <= 14, names


def test_every_folder_of_python_files_is_installed():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    installed = set(setup["options"]["packages"].split())
    assert installed == {name for name, path in MODULES.items() if path.name == "__init__.py"}
    assert {path.parent for path in MODULES.values()} == {MODULES[name].parent for name in installed}


def test_help_answers_in_under_a_second():
    def seconds() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "cnncomm_bench.cli", "--help"], cwd=ROOT, check=True, capture_output=True)
        return time.perf_counter() - began

    assert min(seconds() for _ in range(5)) < 1  # the least: other work on the machine only adds to it


class TestContributing:
    """Where things are, by CONTRIBUTING.md."""

    @pytest.fixture
    def table(self):
        text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
        return text.split("## Where things are")[1].split("\n## ")[0]

    def test_every_path_exists(self, table):
        paths = re.findall(r"`([\w./*-]+/[\w./*-]*)`", table)
        assert len(paths) > 20
        for path in paths:
            assert (ROOT / path).exists(), path

    def test_every_package_is_named(self, table):
        for name, path in MODULES.items():
            if path.name == "__init__.py" and name.count(".") == 1:
                place = "attacks" if name == "cnncomm_bench.attacks" else name.replace(".", "/")
                assert f"| `{place}/` |" in table, name

    def test_it_is_a_dozen_lines(self, table):
        assert 10 <= sum(line.startswith("| ") for line in table.splitlines()) <= 16


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
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.stdout.rstrip().endswith("LOADED"), ran.stdout[-300:] + ran.stderr[-300:]


def test_torchattacks_works_without_the_requests_it_pins():
    """So overrides.txt may install a newer one: whatever requests is, it is not imported."""
    code = (
        "import sys; sys.modules['requests'] = None; import torch; "
        "from cnncomm_bench.attacks import parse; from cnncomm_bench.attacks.for_torchattacks import AlphaStableNoise; "
        "net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3)); "
        "print(AlphaStableNoise(net)(torch.rand(2, 3, 2, 2), torch.tensor([0, 1])).shape, "
        "parse('torchattacks.PGDL2:steps=2').spec)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.stdout == "torch.Size([2, 3, 2, 2]) torchattacks.PGDL2:steps=2\n", ran.stderr[-500:]
