"""The two streams and their check: detection, undetected errors, the adaptive adversary, and the null."""

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu
from torch import nn

from cnncomm_bench._utils.errors import DataError
from cnncomm_bench.attacks import parse
from cnncomm_bench.experiments.section5 import checkbits
from cnncomm_bench.experiments.section5.detection import Received, alarm_level, auc, roc
from cnncomm_bench.experiments.section5.reception import NOISES, measure
from cnncomm_bench.experiments.section5.trial import ADAPTIVE, ITSELF, LOW, TWIN, UNAWARE, gains_table
from cnncomm_bench.experiments.section5.twostream import Guessing, LowResolution, TwoStreams
from cnncomm_bench.experiments.training import at_snr
from tests.section5_setting import check_result, small_setting


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    where = small_setting(tmp_path_factory.mktemp("kept"), test=160)
    return measure(where, checkbits.train_streams(where), 60)


@pytest.fixture
def two_streams(linear):
    torch.manual_seed(2)
    return TwoStreams(linear, nn.Sequential(LowResolution(), nn.Flatten(), nn.Linear(3 * 16 * 20, 4)).eval())


def test_auc_is_the_rank_statistic_and_half_at_ties():
    generator = np.random.default_rng(0)
    attacked, clean = generator.integers(0, 9, (2, 80)).astype(float)
    expected = mannwhitneyu(attacked, clean).statistic / 80**2
    counts = generator.integers(0, 3, 80)
    repeated = mannwhitneyu(np.repeat(attacked, counts), np.repeat(clean, counts)).statistic / counts.sum() ** 2
    found = auc(attacked, clean, np.stack([np.ones(80), counts]).astype(float))
    np.testing.assert_allclose(found, [expected, repeated], rtol=1e-12)
    assert (auc(np.zeros(80), np.zeros(80), np.stack([np.ones(80), counts]).astype(float)) == 0.5).all()


def test_the_area_under_the_corners_is_the_auc():
    attacked, clean = np.random.default_rng(1).integers(0, 9, (2, 50)).astype(float)
    false_alarm, detection = roc(attacked, clean)
    assert (false_alarm[0], detection[0], false_alarm[-1], detection[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(detection, false_alarm) == pytest.approx(auc(attacked, clean, np.ones((1, 50)))[0])


@pytest.mark.parametrize("count", [7, 40, 99])
def test_the_alarm_keeps_to_its_rate_and_no_lower_level_does(count):
    score = np.random.default_rng(2).permutation(count).astype(float)
    level = alarm_level(score, 0.05)
    assert (score > level).mean() <= 0.05
    assert (score >= level).mean() > 0.05


def test_an_adversary_keeps_what_it_has_with_less_power():
    right = np.array([[True, False], [False, False], [True, True]])
    score = np.array([[0.0, 0.9], [0.0, 0.9], [0.0, 0.0]])
    budget = Received(np.array([0.0, 10, 20]), right, score, adversary=True)
    assert budget.delivered(0.5).tolist() == [[False, True], [False, True], [True, True]]
    assert budget.delivered(np.inf).tolist() == [[False, False], [False, False], [True, True]]
    noise = Received(budget.snr_db, right, score, adversary=False)
    assert noise.delivered(np.inf).tolist() == right.tolist()


def test_low_resolution_keeps_coarse_images_and_loses_fine_ones():
    low = LowResolution()
    flat = torch.full((1, 3, 9, 11), 0.3)
    torch.testing.assert_close(low(flat), flat)
    fine = (torch.arange(8)[:, None] + torch.arange(8)) % 2 * torch.ones(1, 1, 8, 8)
    torch.testing.assert_close(low(fine), torch.full_like(fine, 0.5))


def test_disagreement_is_half_the_l1_distance(two_streams, pictures):
    first, second = (stream(pictures).softmax(1) for stream in (two_streams.decides, two_streams.checks))
    expected = (first - second).abs().sum(1) / 2
    torch.testing.assert_close(two_streams.disagreement(pictures), expected, rtol=0, atol=1e-6)


def test_what_adversaries_attack_are_probabilities(two_streams, pictures):
    for target in (two_streams, Guessing(two_streams)):
        total = target(pictures).logsumexp(1)
        torch.testing.assert_close(total, torch.zeros_like(total), rtol=0, atol=1e-5)
    first, second = (stream(pictures).softmax(1) for stream in (two_streams.decides, two_streams.checks))
    guessed = torch.minimum(first, second) + two_streams.disagreement(pictures)[:, None] / 4
    torch.testing.assert_close(Guessing(two_streams)(pictures).exp(), guessed, rtol=0, atol=1e-6)


def test_a_stream_that_checks_itself_changes_nothing(linear, pictures):
    alone = TwoStreams(linear, linear)
    assert (alone.disagreement(pictures) == 0).all()
    labels = linear(pictures).argmax(1)
    disturb = at_snr(parse("pgd:steps=5"), 25.0)
    expected = disturb(linear, pictures, labels, 0)
    for target in (alone, Guessing(alone)):
        torch.testing.assert_close(target(pictures), linear(pictures).log_softmax(1))
        torch.testing.assert_close(disturb(target, pictures, labels, 0), expected, rtol=0, atol=1e-4)


def test_two_identical_streams_give_an_auc_of_one_half(trial):
    for attack in (*NOISES, "fgm", UNAWARE):
        assert (trial.areas(ITSELF, attack) == 0.5).all()
    gains = gains_table(trial)
    assert (gains[gains.check == ITSELF].gain_db.dropna() == 0).all()
    claims = checkbits.judge(trial)
    (control,) = (claim for claim in claims if claim.id == "checkbits-control")
    assert (control.verdict, control.effect) == ("undecided", 0.0)


def test_white_noise_of_no_consequence_is_not_detected(trial):
    """At 30 dB noise changes nothing that the check could see: its AUC is one half within its interval's reach."""
    area = trial.areas(LOW, "gaussian")[-1]
    assert np.quantile(area[1:], 0.001) < 0.5 < np.quantile(area[1:], 0.999) or abs(area[0] - 0.5) < 0.02


def test_who_knows_of_the_check_gets_more_errors_through(trial):
    alarm = trial.alarm[LOW]
    unaware, knowing = (1 - trial.received[LOW, attack].delivered(alarm).mean(1) for attack in (UNAWARE, ADAPTIVE))
    assert (knowing >= unaware).all()
    assert knowing.sum() > unaware.sum()


def test_tables_and_claims(tmp_path):
    outcome = checkbits.run(small_setting(tmp_path, test=160), tests=50)
    check_result(outcome)
    detection = outcome.tables["detection"]
    assert (detection.low <= detection.auc).all() and (detection.auc <= detection.high).all()
    undetected = outcome.tables["checkbits"]
    assert (undetected.undetected_error <= undetected.error_without_check).all()
    assert set(undetected.check) == {LOW, TWIN, ITSELF}
    assert [claim.id for claim in outcome.claims].count("checkbits") == 6
    assert {"checkbits-control", "checkbits-gain", "checkbits-resolution"} < {claim.id for claim in outcome.claims}
    assert set(outcome.figures) == {"checkbits", "roc"}
    assert len(list(tmp_path.glob("*.pt"))) == 3


def test_too_few_images_are_refused(tmp_path):
    with pytest.raises(DataError, match="section5 checkbits needs at least 80 test images, the data have 40"):
        checkbits.run(small_setting(tmp_path, test=40))
