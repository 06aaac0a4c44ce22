"""The command line, as it is typed: results, and one line for every mistake."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnncomm_bench import Run, bundled, cli, evaluate
from cnncomm_bench.data import open_images
from cnncomm_bench.evaluation import prepare
from cnncomm_bench.results import RunConfig

SMALL = ["--model", "bundled:standard", "--samples", "40", "--snr", "0,20,40"]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CNNCOMM_BENCH_CACHE", str(tmp_path / "cache"))


def call(capsys, *arguments) -> tuple[int, str, str]:
    """Exit code, standard output, and standard error without the progress bar."""
    code = 0
    try:
        cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code
    told = capsys.readouterr()
    return code, told.out, "\n".join(line for line in told.err.splitlines() if "pass/s" not in line and line.strip())


def refused(capsys, code, *arguments) -> str:
    """The one line on standard error of a command that must fail."""
    got, _, err = call(capsys, *arguments)
    assert got == code, err
    assert err.startswith("cnncomm-bench: ")
    assert len(err.splitlines()) == 1
    return err


def test_a_run_end_to_end(capsys):
    code, out, _ = call(capsys, *SMALL, "--attack", "gaussian", "--attack", "pgd:steps=2", "--out", "run")
    assert code == 0
    assert "bundled:standard: clean accuracy" in out
    assert "pgd:steps=2" in out
    assert "curves.png" in out
    assert set(Run.open("run").curves.attack) == {"clean", "gaussian", "pgd:steps=2"}


def test_run_is_what_it_does_without_a_command(capsys):
    _, named, _ = call(capsys, "run", *SMALL, "--attack", "gaussian", "--out", "run")
    _, unnamed, _ = call(capsys, *SMALL, "--attack", "gaussian", "--out", "run")
    assert named == unnamed


def test_two_models_are_compared(capsys):
    code, out, _ = call(capsys, "--samples", "40", "--snr", "0,20,40", "--attack", "gaussian", "--out", "run")
    assert code == 0
    assert "bundled:standard: clean" in out
    assert "bundled:adversarial: clean" in out
    assert "robustness gain" in out


def test_the_same_command_resumes_the_same_folder(capsys):
    for _ in range(2):
        assert call(capsys, *SMALL, "--attack", "gaussian")[0] == 0
    (folder,) = Path("runs").iterdir()
    assert folder.name.startswith("standard-fashion-mnist-")


def test_dry_run_runs_nothing(capsys, tmp_path):
    code, out, _ = call(capsys, *SMALL, "--attack", "gaussian", "--dry-run")
    assert code == 0
    assert "160 predictions" in out
    assert not (tmp_path / "runs").exists()


def test_rulers_stand_beside_each_other(capsys):
    arguments = [*SMALL, "--attack", "cauchy", "--attack", "impulse-square", "--ruler", "dispersion", "--out", "run"]
    assert call(capsys, *arguments)[0] == 0
    curves = Run.open("run").curves
    assert set(curves[curves.attack == "cauchy"].ruler) == {"dispersion"}
    assert set(curves[curves.attack == "impulse-square"].ruler) == {"realised"}


def test_seeds_are_all_run(capsys):
    assert (
        call(capsys, *SMALL, "--attack", "gaussian", "--attack", "fgsm", "--seed", 1, "--seed", 2, "--out", "run")[0]
        == 0
    )
    seeds = Run.open("run").predictions.groupby("attack", observed=True).seed.unique()
    assert set(seeds["gaussian"]) == {1, 2}
    assert set(seeds["fgsm"]) == {1}  # it draws nothing: another seed would say the same


def test_a_stored_run_is_scored_again(capsys, tmp_path):
    _, out, _ = call(capsys, *SMALL, "--attack", "gaussian", "--out", "run")
    (tmp_path / "run" / "curves.png").unlink()
    code, again, _ = call(capsys, "report", "run")
    assert code == 0
    assert again.splitlines()[-5:] == out.splitlines()[-5:]
    assert (tmp_path / "run" / "curves.png").exists()


def test_attacks_are_listed(capsys):
    code, out, _ = call(capsys, "attacks")
    assert code == 0
    for name in ("salt-pepper", "impulse-rhombus", "pgd", "figure3"):
        assert name in out
    line = next(line for line in out.splitlines() if line.startswith("pgd "))
    assert line.split("  ")[-1] == "Projected gradient ascent in each image's own L2 ball (Madry et al. 2018)."


def test_an_attack_is_described(capsys):
    for spec, expected in {
        "pgd": ["adversary", r"steps +20", r"eot +1 +Answers averaged for a gradient", "As typed: pgd:steps=20"],
        "pgd:steps=7": [r"steps +7"],
        "cauchy": ["noise", r"alpha +1 +fixed by the name", r"beta +0 +Skewness"],
        "apgd-dlr": [r"targets +9 +How many classes, at most", r"eot +1 +Answers averaged"],  # explained by its parent
        "fgm": ["It has no parameters"],
        "torchattacks.PGDL2": [r"steps +10"],
    }.items():
        code, out, _ = call(capsys, "attacks", spec)
        assert code == 0
        for pattern in expected:
            assert re.search(pattern, out), (spec, pattern, out)
    assert "did you mean 'pgd'" in refused(capsys, 2, "attacks", "pdg")


@pytest.mark.parametrize(
    ("code", "arguments", "message"),
    [
        (2, ["--attack", "pdg"], "did you mean 'pgd'"),
        (2, ["--attack", "AutoAttack"], "its parts are the suite 'adversarial'"),
        (2, ["--suite", "autoattack"], "its parts are the suite 'adversarial'"),
        (2, ["--attack", "awgn"], "take gaussian"),
        (2, ["--attack", "stable:alpha=2.5"], "alpha is in (0, 2]"),
        (2, ["--attack", "stable:alpha=0"], "alpha is in (0, 2]"),
        (2, ["--snr", ""], "SNR grid"),
        (2, ["--snr", "50:0:5"], "SNR grid"),
        (2, ["--ruler", "loudness"], "there are: dispersion, geometric, realised (--ruler)"),
        (2, ["--suite", "figure5"], "did you mean 'figure"),
        (2, ["--model", "bundled:standrad"], "did you mean 'standard'"),
        (
            2,
            ["--batch-size", "many"],
            "batch_size 'many': expected a number of images, at least 1, or auto (--batch-size)",
        ),
        (2, ["--device", "abacus"], "pass cpu, or auto (--device)"),
        (2, ["--batch-size", "0"], "at least 1"),
        (2, ["--samples", "0"], "--samples"),
        (2, ["--samples", "ten"], "samples 'ten': expected a number of images, 1 or more (--samples)"),
        (2, ["--seed", "-1"], "(--seed)"),
        (2, ["--bits", "17"], "(--bits)"),
        (2, ["--executor", "seriel"], "did you mean 'serial'"),
        (2, ["--config", "nowhere.toml"], "nowhere.toml is no file: expected a TOML file of settings (--config)"),
        (2, ["--colour", "red"], "--colour"),
        (2, ["scroe"], "scroe"),
        (2, ["--model", "nowhere.pt"], "nowhere.pt"),
        (1, ["report", "nowhere"], "holds no run"),
    ],
)
def test_mistakes_are_one_line(capsys, code, arguments, message):
    assert message in refused(capsys, code, *arguments)


def test_a_folder_that_holds_something_else(capsys, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    assert "--out" in refused(capsys, 1, *SMALL, "--attack", "gaussian", "--out", "run")
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


def test_a_checkpoint_that_is_none(capsys, tmp_path):
    (tmp_path / "resnet18.pt").write_bytes(b"not a checkpoint")
    assert "resnet18.pt" in refused(capsys, 1, "--model", "resnet18.pt")


def test_an_empty_folder_of_images(capsys, tmp_path):
    (tmp_path / "images").mkdir()
    assert "images" in refused(capsys, 1, "--model", "bundled:standard", "--data", "images")


def test_a_folder_a_class_and_a_wrong_normalisation(capsys, tmp_path):
    """The main job on one's own data; upside-down normalisation earns the warning."""
    images, labels, classes = bundled.images()
    for index in np.concatenate([np.flatnonzero(labels == k)[:8] for k in range(10)]):
        folder = tmp_path / "data" / f"{labels[index]}-{classes[labels[index]].replace('/', '-')}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[index, 0]).save(folder / f"{index}.png")
    code, out, _ = call(
        capsys, "--model", "bundled:standard", "--data", "data", "--attack", "gaussian", "--snr", "20", "--out", "run"
    )
    assert code == 0
    assert "near chance" not in out
    code, out, _ = call(capsys, "--model", "bundled:standard", "--data", "data", "--attack", "gaussian", "--snr", "20",
                        "--mean", "1", "--std", "-0.5", "--out", "wrong")  # fmt: skip
    if code == 0:
        assert "near chance" in out
    else:
        assert code == 2


def test_weights_of_an_architecture_of_ones_own(capsys, tmp_path):
    (tmp_path / "net.py").write_text(
        "from torch import nn\ndef net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))\n"
    )
    torch.manual_seed(0)
    weights = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10)).state_dict()
    torch.save({"state_dict": {f"module.{key}": value for key, value in weights.items()}}, tmp_path / "mine.pt")
    arguments = ["--model", "mine.pt", "--arch", "net.py:net", "--data", "bundled:fashion-mnist", "--samples", "40"]
    code, out, err = call(capsys, *arguments, "--attack", "fgm", "--snr", "20", "--out", "run")
    assert code == 0, err
    assert "mine: clean accuracy" in out
    assert "near chance" in out


def test_stored_runs_are_compared(capsys):
    for name in ("standard", "adversarial"):
        arguments = ["--model", f"bundled:{name}", *SMALL[2:], "--attack", "gaussian", "--attack", "fgm", "--out", name]
        assert call(capsys, *arguments)[0] == 0
    _, together, _ = call(capsys, *SMALL[2:], "--attack", "gaussian", "--attack", "fgm", "--out", "together")
    code, joint, err = call(capsys, "compare", "standard", "adversarial", "--out", "joint")
    assert code == 0, err
    assert joint.split("curves:")[0] == together[together.index("bundled:standard: clean") :].split("curves:")[0]
    assert call(capsys, "compare", "standard", "adversarial", "--out", "joint")[0] == 0


def test_runs_that_cannot_be_compared(capsys):
    call(capsys, *SMALL, "--attack", "gaussian", "--out", "one")
    call(capsys, *SMALL[:2], "--samples", "30", "--snr", "0,20,40", "--attack", "gaussian", "--out", "fewer")
    assert "other images" in refused(capsys, 2, "compare", "one", "fewer")
    assert "two runs" in refused(capsys, 2, "compare", "one")
    assert "more than one" in refused(capsys, 2, "compare", "one", "one")


def test_labels_in_another_order_are_told(capsys, tmp_path):
    images, labels, _ = bundled.images()
    np.savez(tmp_path / "permuted.npz", x=images[::10], y=(labels[::10] + 3) % 10)
    _, out, _ = call(
        capsys, "--model", "bundled:standard", "--data", "permuted.npz", "--attack", "gaussian", "--snr", "20"
    )
    assert "labels look permuted" in out
    assert "class map" in out


def test_radii_of_the_literature(capsys):
    arguments = ["--model", "bundled:standard", "--samples", "30", "--snr", "20", "--attack", "pgd:steps=3"]
    code, out, err = call(capsys, *arguments, "--attack", "pgd-linf:steps=3", "--eps-l2", "0.5", "--eps-linf", "8/255")
    assert code == 0, err
    (row,) = [line for line in out.splitlines() if line.startswith("pgd:steps=3@l2=0.5")]
    assert "inf" not in row
    assert "pgd-linf:steps=3@linf=0.0313725" in out


@pytest.mark.parametrize("command", [[*SMALL], ["link", "--code", "none", "--snr", "0"], ["special"], ["bandwidth"]])
def test_a_folder_that_cannot_be_made_is_told_before_the_work(capsys, tmp_path, command):
    (tmp_path / "file").write_text("no folder")
    assert "pass another folder (--out)" in refused(capsys, 1, *command, "--out", "file/run")


class TestConfig:
    """Settings from a TOML file, of which options of the command line take the place."""

    def write(self, text):
        Path("settings.toml").write_text(text)

    def test_the_example_of_the_readme_runs(self, capsys):
        readme = (Path(__file__).parents[1] / "README.md").read_text()
        (example,) = [part.split("```")[0] for part in readme.split("```toml\n")[1:]]
        self.write(example)
        code, _, err = call(capsys, "--config", "settings.toml", "--samples", "40", "--out", "run")
        assert code == 0, err
        config = Run.open("run").info.config
        assert (config.models, config.samples) == (("bundled:standard", "bundled:adversarial"), 40)
        assert set(Run.open("run").curves.attack) >= {"clean", "gaussian", "cauchy"}

    def test_file_and_options_give_the_same_run(self, capsys):
        self.write('models = ["bundled:standard"]\nsamples = 40\nsnr = [0, 20, 40]\nattacks = ["gaussian"]\nbits = 4\n')
        assert call(capsys, "--config", "settings.toml", "--bits", "8", "--out", "file")[0] == 0
        assert call(capsys, *SMALL, "--attack", "gaussian", "--bits", "8", "--out", "options")[0] == 0
        file, options = (Run.open(name) for name in ("file", "options"))
        assert file.info.config == options.info.config
        assert file.info.bits == 8
        assert file.predictions.equals(options.predictions)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('atacks = ["gaussian"]', "no setting is called 'atacks'; did you mean 'attacks'?"),
            ('model = "a.pt"', "did you mean 'models'?"),
            ("samples = 0", "samples 0: expected a number of images, 1 or more (--samples)"),
            ("samples = true", "samples True: expected"),
            ('models = "a.pt"', "models 'a.pt': expected a list of checkpoints or names"),
            ("snr = [30, 20]", "rising order"),
            ("seeds = [9223372036854775808]", "seeds 9223372036854775808: expected"),
            ("samples =", "settings.toml is no TOML"),
            ("a = " + "[" * 5000, "settings.toml is no TOML"),
        ],
    )
    def test_mistakes_are_one_line(self, capsys, text, message):
        self.write(text)
        assert message in refused(capsys, 2, "--config", "settings.toml")

    def test_a_folder_is_no_file(self, capsys, tmp_path):
        assert "is no file" in refused(capsys, 2, "--config", tmp_path)


def test_evaluate_and_the_command_line_agree_on_images(capsys):
    """Runs on the same images are compared, however the images were opened; models under one name are not."""
    command = ["--model", "bundled:standard", "--data", "bundled:fashion-mnist", *SMALL[2:], "--attack", "gaussian"]
    assert call(capsys, *command, "--out", "typed")[0] == 0
    data = open_images("bundled:fashion-mnist", samples=40)
    for name, folder in (("mine", "mine"), ("bundled:standard", "alike")):
        arguments = {"attacks": ["gaussian"], "snr_db": "0:40:20", "name": name, "out": folder}
        called = evaluate(bundled.load("standard"), data.images, data.labels, **arguments)
    assert called.predictions.equals(Run.open("typed").predictions)  # those of the model named alike
    code, _, err = call(capsys, "compare", "typed", "mine", "--out", "joint")
    assert code == 0, err
    joint = Run.open("joint")
    assert set(joint.curves.model) == {"bundled:standard", "mine"}
    assert joint.info.config is None
    assert "more than one" in refused(capsys, 2, "compare", "typed", "alike")


def test_the_configuration_is_stored(capsys):
    assert call(capsys, *SMALL, "--attack", "gaussian", "--mean", "0.1", "--seed", "3", "--out", "run")[0] == 0
    config = Run.open("run").info.config
    assert config == RunConfig.of(
        models=["bundled:standard"], samples=40, snr="0,20,40", attacks=["gaussian"], mean="0.1", seeds=[3]
    )
    assert prepare(config).info.identity() == Run.open("run").info.identity()
