"""The ladder of trainings: local and global features, the association and its null, bad input."""

import numpy as np
import pytest
import torch
from torch import nn

from cnncomm_bench._utils.errors import BenchError, DataError, ModelError, UsageError
from cnncomm_bench.attacks.query import predict
from cnncomm_bench.experiments.section5 import patches, tradeoff
from cnncomm_bench.experiments.section5.association import Ladder, association, slope
from tests.section5_setting import CLASSES, check_result, network, small_setting


@pytest.fixture(scope="module")
def ladder(tmp_path_factory):
    where = small_setting(tmp_path_factory.mktemp("kept"))
    size = tradeoff.Size(ladder_db=(15.0,), networks=2, tests=40)
    return where, size, tradeoff.run(where, size)


def test_shuffled_patches_are_the_images_own_in_another_order(pictures):
    shuffled = patches.shuffle_patches(pictures, 4)  # 4 x 5 pixels each
    for image, moved in zip(pictures, shuffled):
        own, other = (
            {x[:, i : i + 4, j : j + 5].numpy().tobytes() for i in range(0, 16, 4) for j in range(0, 20, 5)}
            for x in (image, moved)
        )
        assert own == other
    # An order of 16 patches is the identity once in 16! times.
    assert (shuffled != pictures).flatten(1).any(1).all()
    torch.testing.assert_close(patches.shuffle_patches(pictures[3:5], 4), shuffled[3:5], rtol=0, atol=0)


def test_what_no_patch_holds_stays_in_place(pictures):
    shuffled = patches.shuffle_patches(pictures, 3)  # 15 of 16 rows, 18 of 20 columns
    torch.testing.assert_close(shuffled[:, :, 15:], pictures[:, :, 15:], rtol=0, atol=0)
    torch.testing.assert_close(shuffled[..., 18:], pictures[..., 18:], rtol=0, atol=0)
    torch.testing.assert_close(patches.shuffle_patches(pictures, 1), pictures, rtol=0, atol=0)


def test_low_pass_keeps_low_tones_and_removes_high_ones():
    x = torch.arange(32.0)
    low, high = (0.5 + 0.2 * torch.cos(2 * torch.pi * f * x).expand(1, 1, 32, 32) for f in (1 / 16, 3 / 8))
    torch.testing.assert_close(patches.low_pass(low + high - 0.5, 0.2), low, rtol=0, atol=1e-5)
    torch.testing.assert_close(patches.low_pass(high, 0.71), high, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("call", "says"), [
    (lambda x: patches.shuffle_patches(x, 17), "17 x 17 patches of an image of 16 x 20 pixels: expected 1 to 16"),
    (lambda x: patches.shuffle_patches(x, 0), "expected 1 to 16"),
    (lambda x: patches.low_pass(x, 0.0), "expected more than 0"),
])  # fmt: skip
def test_views_that_are_none_are_refused(call, says, pictures):
    with pytest.raises(UsageError, match=says):
        call(pictures)


def test_a_model_of_brightness_survives_shuffling(pictures):
    bright = lambda x: torch.stack([x.mean((1, 2, 3)) - 0.5, 0.5 - x.mean((1, 2, 3))], 1)  # noqa: E731
    labels = bright(pictures).argmax(1)
    table = patches.accuracies(bright, pictures, labels).set_index("view")
    assert (table.loc[["whole", "shuffled 2 x 2", "shuffled 4 x 4"], "accuracy"] == 1).all()


def simulated(true_slope: float, range_db: float, seed: int, rungs: int = 4, networks: int = 2) -> Ladder:
    """A ladder of known slope per 10 dB, with deviations of training and of test images, and 200 resamples."""
    generator = np.random.default_rng(seed)
    dbs = 25 + range_db * np.linspace(0.5, -0.5, rungs)[:, None]
    ideal = np.stack(np.broadcast_arrays(0.8 + true_slope * (dbs - 25) / 10, dbs + np.zeros(networks)))
    size = np.array([0.01, 0.5])[:, None, None]
    trained, tested = (size * generator.normal(size=(2, rungs, networks)) for _ in range(2))
    resampled = size[:, None] * generator.normal(size=(2, 201, rungs, networks))
    resampled[:, 0] = 0
    return Ladder(*((ideal + trained + tested)[:, None] + resampled))


def test_the_slope_is_found_and_its_sign_is_the_claims():
    for true, sign in ((0.1, 1), (-0.1, -1)):
        (at, low, high, *_), reason = association(simulated(true, 20, 0))
        assert not reason
        assert sign * low > 0 and sign * high > 0
        assert abs(at - true) < 0.02  # its standard deviation is 0.005
    assert np.isnan(slope(np.ones(3), np.full(3, 7.0)))


@pytest.mark.parametrize(("true_slope", "range_db", "rungs"), [(0, 0, 2), (0, 20, 4), (0.03, 20, 4)])
def test_intervals_hold_the_truth(true_slope, range_db, rungs):
    """Networks trained alike, a flat ladder, a steep one: of 300 intervals at 95 %, over 28 miss once in 1,000."""
    missed = 0
    for seed in range(300):
        (_, low, high, *_), _ = association(simulated(true_slope, range_db, seed, rungs), seed)
        missed += not low < true_slope < high
    assert missed <= 28


def test_what_cannot_be_judged_says_why():
    one = simulated(0.1, 20, 0, networks=1)
    assert association(one)[1] == "4 rungs of 1 networks, at least 2 of 2 are needed"
    off = simulated(0.1, 20, 0)
    off.threshold_db[0, 1, 0] = -np.inf
    assert association(off)[1] == "1 of 8 networks have no threshold on the grid"
    # A threshold that leaves the grid in many resamples leaves the interval open.
    half = simulated(0.1, 20, 0)
    half.threshold_db[1:100, 0, 0] = np.inf
    (_, low, high, *_), reason = association(half)
    assert (low, high, reason) == (-np.inf, np.inf, "")


def test_the_ladder_is_measured_and_its_control_is_null(ladder):
    where, size, outcome = ladder
    check_result(outcome)
    table = outcome.tables["tradeoff"]
    assert len(table) == 6 * 4  # two rungs of two networks and two of the control, under four attacks
    assert list(table[table.part == "control"].network.unique()) == ["no noise #2", "no noise #3"]
    images, labels = where.tests()
    for trained in tradeoff.train_networks(where, size):
        accuracy = float((predict(trained.model, images) == labels).float().mean())
        assert table[table.network == trained.name].clean.to_numpy() == pytest.approx(accuracy)
    control = [claim for claim in outcome.claims if claim.id == "tradeoff-control"]
    assert [claim.verdict for claim in control] == ["undecided"]
    assert [claim.id for claim in outcome.claims].count("tradeoff") == 4
    assert set(outcome.tables["views"].training) == {"no noise", "15 dB"}
    assert set(outcome.tables) == {"tradeoff", "association", "views", "carriers"}
    assert set(outcome.figures) == {"tradeoff", "views", "carriers"}
    assert "Clean accuracy" in outcome.text


def test_unknown_network_is_named(ladder):
    predictions = tradeoff._predictions(ladder[0], ladder[1], tradeoff.train_networks(ladder[0], ladder[1])[:1])
    from cnncomm_bench.results.statistics.counts import Counts

    with pytest.raises(ValueError, match="absent did not run under gaussian"):
        Ladder.of(Counts(predictions, classes=CLASSES), [["no noise #0", "absent"]], "gaussian", {})


def test_bad_input_is_one_line_and_finished_trainings_are_kept(tmp_path):
    with pytest.raises(DataError, match="section5 tradeoff needs at least 80 training images, the data have 40"):
        tradeoff.run(small_setting(tmp_path, train=40))
    with pytest.raises(DataError, match="needs at least 40 test images, the data have 8"):
        tradeoff.run(small_setting(tmp_path, test=8))
    with pytest.raises(ModelError, match="networks of 4 classes, the data have 5"):
        tradeoff.run(small_setting(tmp_path, train=120, classes=5))
    made = []

    def diverging() -> nn.Module:
        made.append(network())
        if len(made) == 3:
            made[-1][3].weight.data.fill_(torch.nan)
        return made[-1]

    size = tradeoff.Size(ladder_db=(15.0,), networks=1, tests=40, epochs=1)
    with pytest.raises(BenchError, match="NaN"):
        tradeoff.run(small_setting(tmp_path, factory=diverging), size)
    assert len(list(tmp_path.glob("*.pt"))) == 2
