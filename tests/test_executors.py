"""A cluster gives the same bytes as this process, whatever happens to its nodes."""

import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from cnncomm_bench._utils.devices import single_threaded
from cnncomm_bench._utils.errors import UsageError
from cnncomm_bench.evaluation import cells as cells_module
from cnncomm_bench.evaluation import execute as run_request
from cnncomm_bench.evaluation import executors
from cnncomm_bench.evaluation.executors import on_ray
from cnncomm_bench.evaluation.worker import Failed, Job
from cnncomm_bench.results.writer import Store

from .requested import requested

ATTACKS = ["gaussian", "cauchy", "pgd:steps=3"]


def execute(model, labelled, folder, executor="serial", labels=True, attacks=ATTACKS):
    images, target = labelled if labels else (labelled[0], None)
    request = requested(
        model, images, target, folder, attacks=attacks, snr=[0, 20, 40], batch_size=4, executor=executor
    )
    return run_request(request, quiet=True, outputs=False)


@pytest.fixture
def blocks(monkeypatch):
    """Cells of seven images: nine to each attack."""
    monkeypatch.setattr(cells_module, "BLOCK", 7)


@pytest.fixture(scope="module")
def ray():
    return pytest.importorskip("ray", reason="Ray is not installed: pip install 'cnncomm-bench[ray]'")


@pytest.fixture(scope="module")
def cluster(ray):
    """Three nodes of one CPU each, the driver on the first; Ray's own in-process cluster."""
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    started = Cluster(initialize_head=True, head_node_args=small)
    yield started
    started.shutdown()


@pytest.fixture
def connected(ray, cluster):
    for _ in range(3 - len(cluster.list_all_nodes())):
        cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20)
    cluster.wait_for_nodes()
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()


class Slow(torch.nn.Module):
    """A model that takes its time, so that a node can be killed while it computes."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        time.sleep(0.01)
        return self.model(images)


def by_value(ray):
    """The classes of this file, which no worker can import."""
    ray.cloudpickle.register_pickle_by_value(__import__("sys").modules[__name__])


def test_a_node_is_killed_in_the_middle(ray, connected, linear, labelled, tmp_path, blocks, monkeypatch):
    by_value(ray)
    execute(Slow(linear), labelled, tmp_path / "serial")
    stored, lost, clusters = [], [], set()
    write, lose, start = Store.write_cell, on_ray._Cluster._lost, on_ray._Cluster._start

    def starting(self, task):
        clusters.add(self)
        start(self, task)

    def killing(self, index, *rest):
        write(self, index, *rest)
        stored.append(index)
        if len(stored) == 1:  # now wait until all three are at work
            (one,) = clusters
            ray.get([worker.ready.remote() for worker in [*one._idle, *(worker for worker, _ in one._busy.values())]])
        if len(stored) == 6:
            connected.remove_node(connected.list_all_nodes()[-1], allow_graceful=False)

    def counting(self, task, error, again):
        lost.append(task)
        return lose(self, task, error, again)

    monkeypatch.setattr(Store, "write_cell", killing)
    monkeypatch.setattr(on_ray._Cluster, "_lost", counting)
    monkeypatch.setattr(on_ray._Cluster, "_start", starting)
    assert len(connected.list_all_nodes()) == 3
    execute(Slow(linear), labelled, tmp_path / "ray", "ray")
    assert [task for task in lost if task is not None]  # the node was in the middle of a cell
    assert sorted(stored) == list(range(4 * 9))  # none lost, none twice
    assert (tmp_path / "ray" / "predictions.parquet").read_bytes() == (
        tmp_path / "serial" / "predictions.parquet"
    ).read_bytes()


def test_images_without_labels(connected, linear, labelled, tmp_path, blocks):
    for name in ("serial", "ray"):
        execute(linear, labelled, tmp_path / name, name, labels=False, attacks=["gaussian", "fgsm"])
    one, other = ((tmp_path / name / "predictions.parquet").read_bytes() for name in ("serial", "ray"))
    assert one == other


def test_a_model_that_cannot_travel(connected, linear, labelled, tmp_path):
    lock = threading.Lock()

    def locked(images):
        with lock:
            return linear(images)

    with pytest.raises(UsageError, match=r"m cannot be sent to Ray's workers .*the executor serial"):
        execute(locked, labelled, tmp_path / "run", "ray")


def test_a_cell_that_takes_its_workers_down_is_given_up():
    cluster = object.__new__(on_ray._Cluster)
    task, again = on_ray._Task(Job(7, None, None)), deque()
    assert [cluster._lost(task, RuntimeError("gone"), again) for _ in range(2)] == [None, None]
    assert list(again) == [task, task]
    assert cluster._lost(task, RuntimeError("gone"), again) == Failed(7, "3 workers were lost at it: gone")


def test_unknown_executors():
    with pytest.raises(UsageError, match="did you mean 'serial'"):
        executors.check("seriel")


def test_how_many_work_at_once(connected):
    assert executors.workers("serial", "cpu") == 1
    assert executors.workers("ray", "cpu") == len(connected.list_all_nodes())


def test_images_of_a_cell_keep_their_indices():
    images = np.arange(24, dtype=np.uint8).reshape(6, 1, 2, 2)
    block = on_ray._Block(images[[1, 3, 4]], np.array([1, 3, 4]))
    assert (block[np.array([4, 1])] == images[[4, 1]]).all()


def test_a_cluster_that_is_not_there(ray, linear, labelled, tmp_path, monkeypatch):
    def refuse(address, **options):
        raise ConnectionError("ray client connection timeout")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(UsageError, match=r"ray://127.0.0.1:9: there is no cluster.*ray://HOST:PORT"):
        execute(linear, labelled, tmp_path / "run", "ray://127.0.0.1:9")


def test_a_noise_thread_has_one_thread_of_torch_and_leaves_the_others_theirs():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with ThreadPoolExecutor(1, initializer=single_threaded) as pool:
            assert pool.submit(torch.get_num_threads).result() == 1
            assert torch.get_num_threads() == 3
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(before)
