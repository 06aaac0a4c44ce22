"""The example scripts run, and a package adds an attack by its entry point."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from cnncomm_bench import Run

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.py")), ids=lambda path: path.name)
def test_every_name_that_an_example_imports_exists(path: Path) -> None:
    """Benchmarks run for minutes and belong in no test; a name that has moved is found here."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cnncomm_bench"):
            module = importlib.import_module(node.module)
            for alias in node.names:
                assert hasattr(module, alias.name) or importlib.util.find_spec(f"{node.module}.{alias.name}")


def test_torchattacks_pipeline() -> None:
    pytest.importorskip("torchattacks")
    accuracies = load("torchattacks_pipeline").main(count=20)
    assert accuracies["FixedSNR(PGDL2)"] < accuracies["AlphaStableNoise"]


def test_art_pipeline() -> None:
    accuracies = load("art_pipeline").main(count=20)
    assert accuracies["PGD at 20 dB"] < accuracies["Cauchy noise"]


def test_foolbox_pipeline() -> None:
    pytest.importorskip("foolbox")
    accuracies = load("foolbox_pipeline").main(count=20)
    assert accuracies["L2PGD"][1] < accuracies["Cauchy noise"][1]
    assert accuracies["Cauchy noise"][0] > accuracies["Cauchy noise"][2]


def test_adversarial_training_learns_the_noise() -> None:
    accuracies = load("art_adversarial_training").main(count=200)
    assert accuracies["after, noise"] > accuracies["before, noise"]


def test_a_package_adds_an_attack(tmp_path: Path) -> None:
    copy = tmp_path / "plugin"
    copy.mkdir()
    for file in (EXAMPLES / "plugin").iterdir():
        if file.is_file():
            (copy / file.name).write_bytes(file.read_bytes())
    site = tmp_path / "site"
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(site)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(copy)], check=True)
    program = (
        "import torch; from cnncomm_bench import snr; from cnncomm_bench.attacks import available, parse\n"
        "attack = parse('uniform:channels=shared'); x = torch.full((3, 2, 8, 8), 0.5)\n"
        "found = attack(x, snr_db=15)\n"
        "assert (snr.measure(x, found) - 15).abs().max() < 1e-4\n"
        "assert torch.equal(found[:1], attack(x[:1], snr_db=15))\n"
        "print(attack.spec, 'uniform' in available())"
    )
    path = f"{site}:{EXAMPLES.parent}"
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["uniform:channels=shared", "True"]


def test_paper_figures() -> None:
    """A panel for each run, model and ruler, with a curve for each attack."""
    run = Run.open(Path(__file__).parent / "historic" / "run-v2")
    curves = run.curves[run.curves.attack != "clean"].groupby(["model", "ruler"], sort=False).attack.nunique()
    figure = load("paper_figures").draw([run, run])
    assert [len(axes.lines) for axes in figure.axes] == [*curves, *curves]
