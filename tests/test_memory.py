"""Memory that does not suffice, cells that fail, images that need not fit: the run continues, and reports it."""

import mmap
import weakref

import numpy as np
import pytest
import torch
from PIL import Image

from cnncomm_bench import Run, bundled, cli, evaluate
from cnncomm_bench._utils import memory
from cnncomm_bench._utils.errors import DataError, ModelError
from cnncomm_bench.attacks import Noise, Perturbed
from cnncomm_bench.attacks.gradient import FastGradient
from cnncomm_bench.data import buffer
from cnncomm_bench.data.images import open_images
from cnncomm_bench.report.leaderboard.folder import add
from cnncomm_bench.results import writer as store

ATTACKS = ["gaussian", "fgsm"]


class Greedy(torch.nn.Module):
    """A model that fits only a few images at a time, by the error that `too_many` raises."""

    def __init__(self, model, fits, too_many):
        super().__init__()
        self.model, self.fits, self.too_many = model, fits, too_many
        self.asked = []

    def forward(self, images):
        self.asked.append(len(images))
        if len(images) > self.fits:
            self.too_many()
        return self.model(images)


def cuda():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def python():
    raise MemoryError


def processor():
    torch.empty(2**60, dtype=torch.uint8)  # the allocator's own words


@pytest.mark.parametrize("too_many", [cuda, python, processor])
def test_a_batch_that_does_not_fit_is_halved(linear, labelled, too_many):
    images, labels = labelled
    model = Greedy(linear, 3, too_many)
    run = evaluate(model, images, labels, attacks=ATTACKS, snr_db=[0, 20], batch_size=16)
    few = evaluate(linear, images, labels, attacks=ATTACKS, snr_db=[0, 20], batch_size=2)
    assert run.info.notes == ["memory did not suffice for batches of 16 images: they were halved, down to 2"]
    assert run.info.notes[0] in run.warnings
    assert run.info.failures == []
    assert run.predictions.drop(columns="realised_snr_db").equals(few.predictions.drop(columns="realised_snr_db"))
    assert run.info.facts["model"]["fgsm"] == few.info.facts["model"]["fgsm"]
    # The other fours are those of the first look, and of the pass that is timed.
    assert (model.asked.count(16), model.asked.count(8), model.asked.count(4)) == (1, 1, 3)


def test_other_errors_do_not_halve():
    assert not memory.ran_out(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not memory.ran_out(KeyboardInterrupt())


class Hungry(Noise):
    """A noise that no memory suffices for, until it is put on a diet; it forgives nothing else."""

    family = spec = "hungry"
    diet = False

    def over(self, batch, snr_db):
        for step in range(len(snr_db)):
            if not self.diet:
                cuda()
            yield Perturbed(step, batch.images.flip(3), torch.ones(len(batch.images), dtype=torch.bool))


class Broken(Noise):
    """A noise with a mistake in it."""

    family = spec = "broken"

    def over(self, batch, snr_db):
        raise KeyError("amplitude")


def test_a_cell_that_fails_does_not_keep_the_others(linear, labelled, tmp_path, monkeypatch):
    images, labels = labelled
    arguments = {"attacks": [Hungry(), Broken(), "gaussian"], "snr_db": [20], "batch_size": 16, "out": tmp_path / "run"}
    with pytest.warns(RuntimeWarning, match="hungry failed on 60 images.*CUDA out of memory"):
        run = evaluate(linear, images, labels, **arguments)
    assert set(run.curves.attack) == {"clean", "gaussian"}
    failures = {failure.attack: failure for failure in Run.open(tmp_path / "run").info.failures}
    assert set(failures) == {"hungry", "broken"}
    assert (failures["broken"].images, failures["broken"].first_image) == (60, 0)
    assert failures["broken"].reason.startswith("KeyError: 'amplitude' (test_memory.py, line ")
    assert any("broken failed and is scored without (60 images)" in line for line in run.warnings)
    assert "broken failed and is scored without" in (tmp_path / "run" / "report.md").read_text()
    assert run.info.notes == []  # the others kept their batch
    with pytest.raises(DataError, match="2 cells of the run failed"):
        add(tmp_path / "run", tmp_path / "boards")

    stored, write = [], store.Store.write_cell
    monkeypatch.setattr(store.Store, "write_cell", lambda self, *cell: (stored.append(cell[0]), write(self, *cell)))
    monkeypatch.setattr(Hungry, "diet", True)
    with pytest.warns(RuntimeWarning, match="broken failed"):
        again = evaluate(linear, images, labels, **arguments)
    assert stored == [1]
    assert set(again.curves.attack) == {"clean", "gaussian", "hungry"}


def test_an_adversary_of_several_that_fails(linear, labelled, monkeypatch):
    def fail(*rest):
        raise ZeroDivisionError

    monkeypatch.setattr(FastGradient, "perturb", fail)
    with pytest.warns(RuntimeWarning, match="fgm failed"):
        run = evaluate(linear, *labelled, attacks=["fgm", "fgsm", "pgd:steps=2"], snr_db=[0, 20])
    assert set(run.curves.attack) == {"clean", "fgsm", "pgd:steps=2", "worst"}


def test_a_model_that_fails_altogether(linear, labelled):
    def model(images):
        if len(images) > 1:  # so that the first look at it goes well
            raise RuntimeError("no kernel image is available")
        return linear(images)

    with pytest.raises(ModelError, match="model, clean: RuntimeError: no kernel image is available"):
        evaluate(model, *labelled, attacks=["gaussian"], snr_db=[20])


def test_the_exit_code_says_so(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["--samples", "30", "--snr", "20", "--attack", "gaussian", "--attack", "fgm", "--out", "run"]
    with monkeypatch.context() as patch:
        patch.setattr(FastGradient, "perturb", lambda *rest: (_ for _ in ()).throw(OverflowError("too far")))
        with pytest.raises(SystemExit) as stopped:
            cli.main(command)
    out, err = capsys.readouterr()
    assert stopped.value.code == 1
    assert "bundled:standard: fgm failed and is scored without (30 images): OverflowError: too far" in out
    assert "gaussian" in out
    assert "2 cells failed; run the same command to retry them: cnncomm-bench" in err.splitlines()[-1]
    cli.main(command)
    assert "failed" not in capsys.readouterr().out


class Endless:
    """A data set that is made when asked for, and counts how much of it is alive."""

    def __init__(self, count, most_bytes):
        self.shape, self.dtype = (count, 1, 16, 16), np.dtype(np.uint8)
        self.most_bytes, self.alive, self.peak = most_bytes, 0, 0

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, indices):
        wanted = np.arange(len(self))[indices]
        pixels = (wanted[:, None] * 2654435761 + np.arange(256) * 40503) % 251
        images = pixels.astype(np.uint8).reshape(-1, *self.shape[1:])
        self.alive += images.nbytes
        self.peak = max(self.peak, self.alive)
        if self.alive > self.most_bytes:
            raise MemoryError("the data set does not fit")
        weakref.finalize(images, self._gone, images.nbytes)
        return images

    def _gone(self, size):
        self.alive -= size


def test_a_data_set_larger_than_memory():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(256, 4)).eval()
    images = Endless(20_000, most_bytes=200_000)
    total = images.shape[0] * 256
    run = evaluate(model, images, np.arange(20_000) % 4, attacks=["gaussian"], snr_db=[20])
    assert len(run.predictions) == 40_000
    assert total > 25 * images.most_bytes
    assert images.peak <= images.most_bytes


def is_mapped(array):
    return isinstance(array, mmap.mmap) or (hasattr(array, "base") and is_mapped(array.base))


class TestRoom:
    """Files of images are read into a mapped file, where memory would be too small."""

    @pytest.fixture(autouse=True)
    def _cache(self, tmp_path, monkeypatch):
        monkeypatch.setenv("CNNCOMM_BENCH_CACHE", str(tmp_path / "cache"))

    def save(self, folder):
        images, labels, _ = bundled.images()
        folder.mkdir()
        np.savez(folder / "plain.npz", x=images[:40], y=labels[:40])
        np.savez_compressed(folder / "last.npz", x=images[:40].transpose(0, 2, 3, 1).repeat(3, 3), y=labels[:40])
        np.savez(folder / "floats.npz", x=np.asfortranarray(images[:40, 0] / 255), y=labels[:40])
        for index, label in enumerate(labels[:40]):
            (folder / "photos" / str(label)).mkdir(parents=True, exist_ok=True)
            Image.fromarray(images[index, 0]).save(folder / "photos" / str(label) / f"{index}.png")
        return [folder / name for name in ("plain.npz", "last.npz", "floats.npz", "photos")]

    @pytest.mark.parametrize("options", [{}, {"size": 16}, {"samples": 20}])
    def test_the_same_images_either_way(self, tmp_path, monkeypatch, options):
        for path in self.save(tmp_path / "data"):
            held = open_images(path, **options)
            with monkeypatch.context() as patch:
                patch.setattr(buffer, "IN_MEMORY", 1000)
                mapped = open_images(path, **options)
            assert is_mapped(mapped.images)
            assert not is_mapped(held.images)
            assert mapped.sha256 == held.sha256
            assert (np.asarray(mapped.images) == held.images).all()

    def test_a_full_disk_is_one_line(self, tmp_path, monkeypatch):
        (path, *_) = self.save(tmp_path / "data")
        monkeypatch.setattr(buffer, "IN_MEMORY", 1000)

        def full(*rest):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(buffer.os, "posix_fallocate", full)
        with pytest.raises(DataError, match=r"cannot hold \(No space left on device\).*fewer images"):
            open_images(path)
