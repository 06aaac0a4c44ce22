"""The same numbers however a run is split, ordered and batched, and on whatever device."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cnncomm_bench import bundled, evaluate
from cnncomm_bench.attacks import parse
from cnncomm_bench.data.dataset import Dataset
from cnncomm_bench.evaluation.cells import Cell
from cnncomm_bench.evaluation.worker import Job, Worker
from cnncomm_bench.snr.streams import digests

COUNT = 24
GRID = (5.0, 25.0)
TIE = 1e-4  # two top logits nearer than this may change places with another order of summation
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(5)
    return (torch.rand(COUNT, 3, 12, 12, generator=generator) * 255).round() / 255


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(2)
    layers = [torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(800, 5)]
    return torch.nn.Sequential(*layers).eval().requires_grad_(False)


def sweep(images, network, batch_size):
    pixels = (images * 255).round().to(torch.uint8).numpy()
    labels = np.arange(COUNT) % 5
    return Worker([network], ["m"], Dataset(pixels, labels, np.arange(COUNT)), batch_size=batch_size)


def predicted(images, network, blocks, batch_size, spec):
    """Prediction and realised SNR of every image, by SNR, from cells of these blocks in this order."""
    attack = parse(spec)
    cells = [Cell(0, attack, "realised", 0, np.array(block), GRID) for block in blocks]
    labels = np.arange(COUNT) % 5
    jobs = [Job(index, cell, labels[cell.images]) for index, cell in enumerate(cells)]
    found = np.empty((2, len(GRID), COUNT))
    for result in sweep(images, network, batch_size).compute(jobs, lambda cell, count: None):
        block = result.columns["image"].reshape(len(GRID), -1)[0]
        for place, name in enumerate(("prediction", "realised_snr_db")):
            found[place][:, block] = result.columns[name].reshape(len(GRID), -1)
    return found


@st.composite
def splits(draw):
    """Any split of all images into blocks, each in rising order, and the blocks in any order."""
    of_image = draw(st.lists(st.integers(0, 4), min_size=COUNT, max_size=COUNT))
    blocks = [[i for i, block in enumerate(of_image) if block == number] for number in range(5)]
    return draw(st.permutations([block for block in blocks if block]))


@pytest.mark.parametrize("spec", ["stable:alpha=1.3", "impulse-square", "pgd:steps=2"])
def test_any_split_and_order_gives_the_same(images, network, spec):
    # One image at a time, whatever the block: the shape that reaches the model is the same, so every bit is.
    expected = predicted(images, network, [list(range(COUNT))], 1, spec)

    @quick
    @given(blocks=splits())
    def check(blocks):
        assert np.array_equal(predicted(images, network, blocks, 1, spec), expected)

    check()


@pytest.mark.parametrize("spec", ["stable:alpha=0.6", "levy", "impulse-rhombus", "pgd:restarts=2"])
def test_any_batch_size_draws_the_same_bits(images, spec):
    attack, shape = parse(spec), tuple(images.shape[1:])
    whole = attack.draw(digests(images), shape, seed=3)

    @quick
    @given(size=st.integers(1, COUNT), start=st.integers(0, COUNT - 1))
    def check(size, start):
        some = images[start : start + size]
        drawn = attack.draw(digests(some), shape, seed=3)
        parts = zip(*(part if isinstance(part, tuple) else (part,) for part in (drawn, whole)), strict=True)
        for part, of_all in parts:
            assert torch.equal(part, of_all[start : start + size])

    check()


def test_another_batch_size_changes_only_ties(images, network):
    attack = parse("gaussian")
    disturbed = torch.stack([attack(images, snr_db=snr_db) for snr_db in GRID])
    top = torch.stack([network(batch) for batch in disturbed]).topk(2).values
    clear = (top[..., 0] - top[..., 1] > TIE).numpy()
    expected = predicted(images, network, [list(range(COUNT))], COUNT, "gaussian")[0]

    @quick
    @given(size=st.integers(1, COUNT), blocks=splits())
    def check(size, blocks):
        found = predicted(images, network, blocks, size, "gaussian")[0]
        assert (found == expected)[clear].all()

    check()
    assert clear.mean() > 0.9


DEVICES_AGREE = 0.01  # in accuracy at every SNR: the bound that the documentation states
NOISE_AND_ADVERSARIES = ["gaussian", "cauchy", "impulse-square", "fgm", "pgd:steps=10"]


class Tf32(torch.autograd.Function):
    """Rounds to the 10 bits of mantissa with which a GPU multiplies by default."""

    @staticmethod
    def forward(_, values):
        return ((values.contiguous().view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)

    @staticmethod
    def backward(_, gradient):
        return Tf32.apply(gradient)


def accuracies(model, device="cpu"):
    pixels, labels, _ = bundled.images()
    run = evaluate(model, pixels[::10], labels[::10], attacks=NOISE_AND_ADVERSARIES, snr_db="0:50:10", device=device)
    return run.curves.set_index(["attack", "snr_db"]).accuracy


@pytest.mark.parametrize("name", ["standard", "adversarial"])
def test_the_arithmetic_of_a_gpu_gives_the_same_accuracies(name):
    coarse = bundled.load(name)
    for part in coarse.modules():
        if isinstance(part, torch.nn.Conv2d | torch.nn.Linear):
            part.weight.data = Tf32.apply(part.weight.data)
            part.register_forward_pre_hook(lambda _, given: (Tf32.apply(given[0]),))
    exact = bundled.load(name)
    images = torch.from_numpy(bundled.images()[0][:8]).float() / 255
    assert not torch.equal(coarse(images), exact(images))
    assert (accuracies(coarse) - accuracies(exact)).abs().max() <= DEVICES_AGREE


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
@pytest.mark.parametrize("name", ["standard", "adversarial"])
def test_a_gpu_gives_the_same_accuracies(name):
    there = accuracies(bundled.load(name), "cuda")
    assert (there - accuracies(bundled.load(name))).abs().max() <= DEVICES_AGREE
