import numpy as np
import pytest
import torch

from cnncomm_bench.attacks import parse
from cnncomm_bench.snr.streams import digests, generators

RANDOM = ["stable:alpha=1.5", "levy", "gaussian:channels=shared", "impulse-point", "impulse-triangle", "pgd:restarts=2"]


def draw(spec: str, images: torch.Tensor, seed: int = 0, call: int = 0) -> torch.Tensor:
    return parse(spec).draw(digests(images), tuple(images.shape[1:]), seed=seed, call=call)


@pytest.fixture
def many(pictures):
    shifted = [((pictures * 255 + step).round() % 256) / 255 for step in range(6)]
    return torch.cat(shifted)[:64]


@pytest.mark.parametrize("spec", RANDOM)
@pytest.mark.parametrize("size", [1, 7, 64])
def test_batch_size_does_not_matter(many, spec, size):
    whole = draw(spec, many)
    pieces = torch.cat([draw(spec, part) for part in many.split(size)])
    assert torch.equal(whole, pieces)


@pytest.mark.parametrize("spec", RANDOM)
def test_order_and_subset_do_not_matter(many, spec):
    chosen = torch.tensor([40, 3, 17])
    assert torch.equal(draw(spec, many)[chosen], draw(spec, many[chosen]))


@pytest.mark.parametrize("spec", RANDOM)
def test_seed_call_and_content_matter(many, spec):
    first = draw(spec, many[:2])
    assert not torch.equal(first, draw(spec, many[:2], seed=1))
    assert not torch.equal(first, draw(spec, many[:2], call=1))
    assert not torch.equal(first[0], first[1])


def test_families_have_streams_of_their_own(many):
    keys = digests(many[:1])
    values = [next(generators(keys, seed=0, family=family)).random() for family in ("stable", "impulse")]
    assert values[0] != values[1]


def test_alphas_share_their_draw(many):
    """Monotone transforms of one draw: where one alpha is large, the other is."""
    light, heavy = draw("gaussian", many[:8]), draw("cauchy", many[:8])
    assert torch.equal(light.sign(), heavy.sign())


def test_key_is_the_content_at_eight_bits(many):
    keys = digests(many)
    assert (digests(many + 3e-8) == keys).all()
    assert (digests(many.double()) == keys).all()
    assert len(set(keys.tolist())) == len(many)
    assert (digests(many.reshape(64, 3, 20, 16)) != keys).all()


def test_digest_is_the_same_for_ever():
    """Noise of old runs must be drawn again, so the key of an image may never change."""
    image = torch.arange(48).reshape(1, 3, 4, 4) / 255
    assert digests(image).tolist() == [DIGEST]
    assert next(generators(np.array([DIGEST], np.uint64), seed=5, family="stable")).random() == FIRST


DIGEST, FIRST = 15362063355545786340, 0.4903399928333362


def test_nan_is_refused(many):
    with pytest.raises(ValueError, match="NaN"):
        digests(many * float("nan"))
