"""The paper's first claim on real images and a real checkpoint, where they are at hand."""

import pytest

from cnncomm_bench import Run, cli

# Accuracy drop at 20 dB of ResNet-20 on 1,000 images of CIFAR-10, measured independently before this was written.
DROPS = {
    "realised": (0.387, 0.288, 0.204, 0.143),
    "dispersion": (0.386, 0.565, 0.668, 0.702),
    "geometric": (0.390, 0.526, 0.664, 0.683),
}
ALPHAS = ("gaussian", "stable:alpha=1.5", "cauchy", "stable:alpha=0.5")


def test_the_ruler_decides_the_order_of_the_alphas(shared_data, tmp_path, pytestconfig):
    arch = pytestconfig.rootpath / "examples" / "resnet20.py"
    model, data, out = shared_data / "cifar10_resnet20.th", shared_data / "cifar10_sample.npz", tmp_path / "run"
    what = ["--model", str(model), "--arch", f"{arch}:resnet20", "--data", str(data), "--samples", "1000"]
    cli.main([*what, "--suite", "figure3", "--snr", "20", "--out", str(out)])
    drops = Run.open(out).curves.set_index(["ruler", "attack"])["drop"]
    for ruler, expected in DROPS.items():
        assert [drops[ruler, alpha] for alpha in ALPHAS] == pytest.approx(expected, abs=0.05)
