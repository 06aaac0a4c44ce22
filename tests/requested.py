"""A run of a model and images that are in memory, with every setting of a configuration."""

from cnncomm_bench.data import Images
from cnncomm_bench.evaluation import Request, choose_suite
from cnncomm_bench.models import Model, Preprocessing
from cnncomm_bench.results import RunConfig


def requested(model, images, labels, folder, *, sha256="", **settings) -> Request:
    config = RunConfig.of(models=["m"], device="cpu", out=folder, **settings)
    entry = Model("m", model, 4, 3, None, True, sha256, Preprocessing())
    return Request.of(config, [entry], Images("images", images, labels, (), "0"), choose_suite(config))
