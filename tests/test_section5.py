"""Adversarial examples as features, carriers, the ladder of sizes, and the command line of Section 5."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from cnncomm_bench import bundled
from cnncomm_bench._utils.errors import BenchError, DataError, ModelError
from cnncomm_bench.attacks import predict
from cnncomm_bench.cli.main import main
from cnncomm_bench.experiments.link import Settings, simulate
from cnncomm_bench.experiments.section5 import (
    carrier_noise,
    carriers,
    decoding,
    features,
    rates,
    results_page,
    runner,
    samples,
)
from cnncomm_bench.experiments.section5.results_schema import Part, Results
from cnncomm_bench.experiments.section5.setting import Setting
from cnncomm_bench.experiments.section5.spectrum import agreement, density, means
from cnncomm_bench.experiments.training import train
from cnncomm_bench.results.claims import decide
from cnncomm_bench.results.statistics import Effect, with_signs
from tests.section5_setting import check_result, setting_of

CLASSES, SIDE = 5, 8


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * SIDE * SIDE, CLASSES))


def blobs(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of five classes: a faint pattern of the class under as much noise, uint8, and labels in turn."""
    patterns = torch.randn(CLASSES, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(9))
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    noise = torch.randn(count, 1, SIDE, SIDE, generator=generator)
    return (128 + 20 * (patterns[labels] + 1.5 * noise)).clamp(0, 255).to(torch.uint8), labels


@pytest.fixture
def setting(tmp_path) -> Setting:
    given = {"classes": CLASSES, "factory": network, "epochs": 6}
    return setting_of(tmp_path / "trainings", blobs(400, 0), blobs(300, 1), **given)


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([part.detach().flatten() for part in model.state_dict().values()])


class Cut(Exception):
    """The power fails."""


def test_a_training_that_was_cut_off_ends_at_the_same_weights(tmp_path):
    images, labels = blobs(300, 0)

    def once(checkpoint=None, cut_at=None):
        def disturb(model, batch, target, step):
            if step == cut_at:
                raise Cut
            return batch

        torch.manual_seed(0)
        return train(network(), images, labels, disturb=disturb, epochs=4, learning_rate=0.05, seed=3, quiet=True,
                     checkpoint=checkpoint)  # fmt: skip

    whole, path = once(), tmp_path / "training.pt"
    with pytest.raises(Cut):
        once(path, cut_at=8)  # of 12 steps, in the third epoch
    assert torch.equal(weights(once(path)), weights(whole))
    assert torch.equal(weights(once(path, cut_at=0)), weights(whole))  # finished: loaded, no step is made


def test_a_checkpoint_of_something_else_is_one_line(tmp_path):
    images, labels = blobs(100, 0)
    path = tmp_path / "training.pt"
    for content in (b"", b"no checkpoint", b"PK\x03\x04 torn"):
        path.write_bytes(content)
        with pytest.raises(BenchError, match="is no checkpoint of this training.*delete it"):
            train(network(), images, labels, epochs=1, checkpoint=path, quiet=True)


def test_a_training_that_diverges_keeps_what_was_finished(setting):
    done = setting.trained("sound", setting.train_images, setting.train_labels, epochs=1)
    wild = replace(setting, learning_rate=1e20)
    with pytest.raises(BenchError, match="wild: the loss is .* lower the learning rate"):
        wild.trained("wild", setting.train_images, setting.train_labels)
    again = setting.trained("sound", setting.train_images, setting.train_labels, epochs=1)
    assert torch.equal(weights(done), weights(again))
    assert len(list(setting.folder.glob("sound-*.pt"))) == 1


def test_trainings_are_distinct_by_seed_data_and_title(setting):
    images, labels = setting.train_images, setting.train_labels
    first = setting.trained("one", images, labels, epochs=1)
    assert not torch.equal(weights(first), weights(setting.trained("one", images, labels, epochs=1, seed=1)))
    assert not torch.equal(weights(first), weights(setting.trained("one", images[:99], labels[:99], epochs=1)))
    setting.trained("two", images, labels, epochs=1)
    assert len(list(setting.folder.iterdir())) == 4


def test_what_does_not_fit_is_one_line(setting):
    small = replace(setting, train_images=setting.train_images[:30])
    for run, experiment in ((features.run, "features"), (samples.run, "samples")):
        with pytest.raises(
            DataError, match=f"section5 {experiment} needs at least .* training images, the data have 30"
        ):
            run(small)
    of_seven = replace(setting, factory=lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 7)))
    with pytest.raises(ModelError, match="makes networks of 7 classes, the data have 5"):
        features.run(of_seven)
    with pytest.raises(ModelError, match="the factory returned a str"):
        replace(setting, factory=lambda: "network").fresh()


def test_features_teach_and_the_controls_do_not(setting, monkeypatch):
    """Random labels give each class its right name with probability 1/5; the controls' intervals hold zero
    in 95 of 100 draws, and this one is fixed by its seed."""
    monkeypatch.setattr(features, "SNRS_DB", (16.0,))
    monkeypatch.setattr(samples, "STEPS", 20)
    monkeypatch.setattr(carriers, "IMAGES", 60)
    outcome = features.run(setting)
    check_result(outcome)
    table = outcome.tables["features"].set_index("trained_on")
    assert table.source_agrees[features.ADVERSARIAL] > 0.8
    claims = {claim.model: claim for claim in outcome.claims if claim.id.startswith("features")}
    assert claims[features.ADVERSARIAL].verdict == "supported"
    assert claims[features.WHITE].verdict == claims[features.SHUFFLED].verdict == "undecided"
    assert claims[features.GIVEN].id == "features" and claims[features.GIVEN_WHITE].verdict != "supported"
    controls = table.drop(index=list(features.EXAMPLES))
    assert table.accuracy[features.ADVERSARIAL] > max(controls.accuracy) + 0.2
    assert {"features", "carriers"} == set(outcome.figures)


def test_towards_is_the_targets_log_odds(linear, pictures):
    targets = torch.arange(12) % 4
    two = features.towards(linear, targets)(pictures)
    p = linear(pictures).softmax(1).gather(1, targets[:, None]).flatten()
    assert torch.allclose(two[:, 1] - two[:, 0], torch.log(p / (1 - p)), atol=1e-4)


def test_against_chance_needs_the_names_of_the_classes():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 8, (4000,), generator=generator)
    at, low, high = features.against_chance(labels, labels, 8, seed=0).interval
    assert at == pytest.approx(7 / 8) and low > 0
    # One name of eight right: 1 / 8, what chance gives, though the classes are told apart perfectly.
    renamed = torch.tensor([0, 2, 3, 4, 5, 6, 7, 1])[labels]
    at, low, high = features.against_chance(labels, renamed, 8, seed=0).interval
    assert abs(at) < 0.02 and low < 0 < high
    # Guesses lie within the range of their own renamings with probability 0.95: more than two of ten miss with 0.012.
    misses = 0
    for seed in range(10):
        guesses = torch.randint(0, 8, (4000,), generator=torch.Generator().manual_seed(seed))
        _, low, high = features.against_chance(labels, guesses, 8, seed=seed).interval
        misses += not low < 0 < high
    assert misses <= 2


class Listener(nn.Module):
    """Two classes told apart by the sign of one wave, to the right at 0.25 cycles per pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.wave = torch.cos(2 * torch.pi * 0.25 * torch.arange(16.0)).expand(1, 16, 16)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        heard = ((images - 0.5) * self.wave).flatten(1).sum(1)
        return torch.stack([-heard, heard], 1)


def test_the_map_finds_the_carrier_and_so_does_the_adversary():
    listener, labels = Listener(), torch.arange(200) % 2
    grain = 0.05 * torch.randn(200, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    images = (0.5 + (labels * 2.0 - 1).reshape(-1, 1, 1, 1) * 0.03 * listener.wave + grain).clamp(0, 1)
    found = carriers.carrier_map(listener, images, labels, 15.0)
    tones = found[found.kind == "tone"].set_index("carrier")["drop"]
    assert tones.idxmax() == "tone:u=0.25,v=0" and tones.max() > 0.3
    assert tones.drop(tones.idxmax()).max() < 0.1
    bands = found[found.kind == "band"]
    assert bands.loc[bands["drop"].idxmax(), ["low", "high"]].tolist() == [0.25, 0.3]

    study = carriers.study("listener", listener, images, labels, device="cpu", classes=2)
    assert study.snr_db == 10
    assert study.spectrum.density.idxmax() == study.spectrum["drop"].idxmax()
    assert study.plane.argmax().item() in (4, 12)  # 0.25 and -0.25 cycles per pixel of 16
    control = study.claims[-1]
    assert control.id == "carriers-control" and control.verdict == "undecided" and control.low < 0 < control.high


def test_agreement_is_one_where_damage_follows_power_and_minus_one_against_it():
    rng = np.random.default_rng(0)
    clean, power = np.ones(400, dtype=bool), np.tile(np.arange(1.0, 9)[:, None], 400)
    noisy = rng.random((8, 400)) > np.linspace(0.1, 0.8, 8)[:, None]
    (at, low, *_), permuted = agreement(clean, noisy, power, seed=0)
    assert at == pytest.approx(1) and low > 0.9
    (at, _, high, *_), _ = agreement(clean, noisy, power[::-1], seed=0)
    assert at == pytest.approx(-1) and high < -0.9
    assert permuted[1] < 0 < permuted[2] and abs(permuted[0]) < 0.1


def test_white_noise_has_density_one_in_every_band():
    noise = torch.randn(400, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    rings = carriers.bands(16, 16)
    share = means(density(noise), rings, 0.1).mean(1)
    # The smallest band has one coefficient of 3 channels: 400 draws of mean 1, variance 1/3; 6 standard errors.
    assert share == pytest.approx(np.ones(len(rings)), abs=6 * (3 * 400) ** -0.5)
    assert not density(torch.zeros(1, 1, 4, 4)).any()


def test_the_interval_of_an_exchange_rate_covers():
    """Of 400 lines of five points without a slope 20 miss zero: fewer than 8 or more than 35 once in 500 tests."""
    generator, doublings = np.random.default_rng(0), np.arange(5.0)
    missed = 0
    for seed in range(400):
        found = rates.exchange_rate(np.tile(generator.normal(size=5), (1001, 1)), doublings, seed=seed)
        missed += not found.low <= 0 <= found.high
    assert 8 <= missed <= 35


def test_exchange_rate_and_its_control():
    doublings = np.log2([100, 200, 400, 800, 1600, 3200])
    jitter = np.array([0.1, -0.1, 0.05, -0.05, 0.1, -0.1])
    falling = np.tile(40 - 1.5 * doublings + jitter, (501, 1))
    at, low, high = rates.exchange_rate(falling, doublings, seed=0).interval
    assert at == pytest.approx(1.5, abs=0.05) and 1.3 < low < at < high < 1.7
    flat = np.tile(30 + 3 * jitter, (501, 1))
    _, low, high = rates.exchange_rate(flat, doublings, seed=0).interval
    assert low < 0 < high
    (median, low, high), p = rates.permuted_rates(falling[0], doublings, seed=0)
    assert abs(median) < 0.1 and low < 0 < high and high < at + 1e-9
    # Of 720 orders the true one and its reverse are as steep: 2/720, counted in 10,000 draws, 4 standard errors.
    assert p == pytest.approx(2 / 720, abs=4 * (2 / 720 / 10_000) ** 0.5 + 1e-4)
    assert rates.permuted_rates(flat[0], doublings, seed=0)[1] > 0.05


def test_needed_reads_the_learning_curve():
    curve = np.array([[0.5, 0.6, 0.8], [0.5, 0.4, 0.8]])
    assert rates.needed(curve, np.array([1.0, 2, 3]), np.array([0.7, 0.45])).tolist() == pytest.approx([2.5, 1.0])
    assert rates.ladder(6000, 6) == [188, 375, 750, 1500, 3000, 6000]


def test_samples_run_on_a_small_ladder(setting, monkeypatch):
    for name, value in (("STEPS", 24), ("TESTS", 100), ("ATTACK", "fgm"), ("RESAMPLES", 200)):
        monkeypatch.setattr(samples, name, value)
    outcome = samples.run(setting)
    check_result(outcome)
    table, copies_of = (part for _, part in outcome.tables["samples"].groupby(
        outcome.tables["samples"].eval("images != distinct")))  # fmt: skip
    assert table.groupby("training").images.apply(list).to_dict() == {
        kind: [12, 25, 50, 100, 200, 400] for kind in samples.KINDS
    }
    copies = copies_of[["images", "distinct"]].to_numpy().tolist()
    assert copies == [[size, 12] for size in (25, 50, 100, 200, 400)]
    ends = table[table.training == "standard"].accuracy
    assert ends.iloc[-1] > ends.iloc[0]
    assert [claim.id for claim in outcome.claims][:6] == [
        "samples-gap", "samples", "samples-rate", "samples", "samples-rate", "samples-control",
    ]  # fmt: skip
    exchange = outcome.tables["exchange"].set_index("training")
    for claim in outcome.claims:
        if claim.id == "samples-rate":
            assert claim.effect == pytest.approx(exchange.db_per_doubling[claim.model.split()[0]] - 3.0103, abs=1e-3)
    assert set(outcome.figures) == {"samples", "carrier-noise"}


def falls(monkeypatch, setting, threshold_db):
    """Run `samples` where nothing is trained: each network is wrong below the threshold of its training, in dB."""

    class Judged(nn.Module):
        def __init__(self, training):
            super().__init__()
            self.training_of = training

    def evaluated(model, images, labels, *, snr_db, **_):
        at = threshold_db(model.training_of)
        truth = labels.numpy()
        frames = [
            pd.DataFrame({"model": model.training_of.name, "attack": attack, "ruler": "realised", "seed": 0,
                          "snr_db": db, "image": np.arange(len(truth)), "label": truth,
                          "prediction": (truth + (np.arange(len(truth)) / len(truth) > (db - at) / 10 + 0.5)) % CLASSES,
                          "realised_snr_db": db, "reached": True})
            for attack, grid in (("clean", [np.inf]), (samples.ATTACK, snr_db)) for db in grid
        ]  # fmt: skip
        return SimpleNamespace(predictions=pd.concat(frames))

    compare = carrier_noise.compare  # the link alone
    monkeypatch.setattr(samples, "RESAMPLES", 200)
    monkeypatch.setattr(samples, "trained", lambda setting, training: Judged(training))
    monkeypatch.setattr(samples, "evaluate", evaluated)
    monkeypatch.setattr(samples, "network", lambda *_: None)
    monkeypatch.setattr(samples.carrier_noise, "compare", lambda _, *given, **named: compare({}, *given, **named))
    return {
        (claim.id, claim.model.split()[0]): claim
        for claim in samples.run(setting).claims if claim.id != "carrier-noise"
    }  # fmt: skip


def test_copies_that_buy_dB_fail_the_control(monkeypatch, setting):
    jitter = {12: 0.1, 25: -0.1, 50: 0.05, 100: -0.05, 200: 0.1, 400: -0.1}

    def by_distinct(training):
        return 30 - 3.0103 * np.log2(training.distinct / 12) / 2 + jitter[training.images]

    found = falls(monkeypatch, setting, by_distinct)
    assert found["samples", "robust"].verdict == found["samples", "standard"].verdict == "supported"
    assert found["samples-control", "robust"].verdict == "undecided"
    assert found["samples-rate", "robust"].verdict == "contradicted"  # half of what power buys
    assert "outside the interval" in found["samples-rate", "robust"].evidence

    def by_images(training):
        return 30 - 3.0103 * np.log2(training.images / 12) + jitter[training.images]

    found = falls(monkeypatch, setting, by_images)
    assert found["samples-control", "robust"].verdict == "supported"  # steps or batches, not data, buy the dB
    assert found["samples-rate", "robust"].verdict == "undecided"
    assert "within the interval" in found["samples-rate", "robust"].evidence


def test_a_trend_that_permuted_sizes_have_too_is_undecided(monkeypatch, setting):
    """The bootstrap's interval excludes zero, but of 720 orders more than 5 % are as steep."""
    zigzag = dict(zip((12, 25, 50, 100, 200, 400), (30, 28, 31, 28.5, 29.5, 27)))
    found = falls(monkeypatch, setting, lambda training: zigzag[training.images])
    claim = found["samples", "robust"]
    assert claim.verdict == "undecided" and "random order" in claim.evidence


def test_noise_on_the_links_carrier_is_that_of_the_simulation():
    """Closed forms within the exact intervals of the simulated link: 8 intervals of 95 %, widened to 5 sigma."""
    table = simulate(
        Settings.of(alphas=(), jammers=("white", "tone"), codes=("none",), rulers=("realised",), snr_db="-10:5:5",
                    max_bits=400_000), quiet=True,
    )  # fmt: skip
    for jammer, law in (("stable:alpha=2", carrier_noise.white_error), ("tone", carrier_noise.tone_error)):
        part = table[table.noise == jammer]
        spread = (part.ber_high - part.ber_low) / (2 * 1.96)
        # Noise scaled to each frame's power has lighter tails than Gaussian noise, by 1 / 512 of the power.
        assert (abs(part.ber - law(part.snr_db.to_numpy())) < 5 * spread + 1e-3).all()
    assert carrier_noise.tone_error(np.array([3.02])) == 0 < carrier_noise.tone_error(np.array([3.0]))


def test_noise_at_the_listeners_wave_does_more_harm_than_white_noise():
    labels = torch.arange(200) % 2
    grain = 0.05 * torch.randn(200, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    listener = Listener()
    images = (0.5 + (labels * 2.0 - 1).reshape(-1, 1, 1, 1) * 0.03 * listener.wave + grain).clamp(0, 1)
    claims = carrier_noise.judge(carrier_noise.compare({"listener": listener}, images, labels, device="cpu"))
    verdicts = {(claim.id, *claim.model.rsplit(", ", 1)): claim.verdict for claim in claims}
    for noise in (carrier_noise.SPECTRUM, carrier_noise.STRONGEST):
        assert verdicts["carrier-noise", f"listener CNN, {noise}", "15 dB"] == "supported"
        assert verdicts["carrier-noise-control", f"listener CNN, {noise}", "15 dB"] != "supported"
    link = [verdicts["carrier-noise", f"{carrier_noise.LINK}, {carrier_noise.TONE}", f"{db} dB"]
            for db in (-10, -5, 0, 5, 10)]  # fmt: skip
    assert link == ["supported"] * 3 + ["contradicted"] * 2


def test_examples_with_the_classifiers_labels_never_have_the_true_one(setting):
    source = setting.trained("source", setting.train_images, setting.train_labels)
    sets = features.training_sets(setting, source, 16.0)
    images, given = sets[features.GIVEN]
    noisy, same = sets[features.GIVEN_WHITE]
    assert 50 < len(images) < 400 and torch.equal(given, same) and len(noisy) == len(images)
    assert torch.equal(predict(source, images.float() / 255), given)
    # Which training image each is: the nearest, since noise of 16 dB is weaker than the images differ.
    nearest = torch.cdist(images.flatten(1).float(), setting.train_images.flatten(1).float()).argmin(1)
    assert (given != setting.train_labels[nearest]).all()


def test_a_classifier_that_is_hardly_fooled_leaves_its_labels_undecided(setting, monkeypatch):
    images, labels = setting.train_images, setting.train_labels
    sets = {features.WHITE: (images, labels), features.GIVEN: (images[:49], labels[:49])}
    monkeypatch.setattr(features, "training_sets", lambda *_: sets)
    monkeypatch.setattr(samples, "STEPS", 6)
    monkeypatch.setattr(carriers, "IMAGES", 20)
    outcome = features.run(replace(setting, epochs=1))
    claim = next(claim for claim in outcome.claims if claim.model == features.GIVEN)
    assert claim.verdict == "undecided" and "49 of 400 images fooled the classifier: too few" in claim.evidence
    assert outcome.tables["features"].trained_on.tolist() == [features.WHITE]


def test_the_last_layer_alone_learns_and_the_features_stay(setting):
    source = setting.trained("source", setting.train_images, setting.train_labels)
    with_norm = nn.Sequential(nn.BatchNorm2d(1), source)
    layer = decoding.LastLayer(with_norm)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    train(layer, setting.train_images, setting.train_labels, epochs=1, learning_rate=0.05, quiet=True)
    moved = {name for name, value in layer.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"network.1.3.weight", "network.1.3.bias"}
    assert torch.equal(weights(source), weights(with_norm[1]))  # a copy is trained
    with pytest.raises(ModelError, match="no linear layer"):
        decoding.LastLayer(nn.Flatten())


def test_decoding_has_a_claim_and_a_control_for_each_noise(setting, monkeypatch):
    monkeypatch.setattr(decoding, "TESTS", 60)
    outcome = decoding.run(setting)
    check_result(outcome)
    assert [claim.id for claim in outcome.claims] == ["decoding", "decoding-control"] * 2
    controls = [claim.verdict for claim in outcome.claims if claim.id == "decoding-control"]
    assert controls == ["undecided", "undecided"]
    assert len(outcome.tables["decoding"]) == 2 * 4 * decoding.NETWORKS


def test_bundled_training_images_are_balanced_and_no_test_images():
    images, labels, classes = bundled.training_images()
    assert images.shape == (6000, 1, 28, 28) and images.dtype == np.uint8
    assert np.bincount(labels).tolist() == [600] * 10 and classes == bundled.images()[2]
    assert not {image.tobytes() for image in images} & {image.tobytes() for image in bundled.images()[0]}


def stored(tmp_path, p_of: dict[str, list[tuple[str, float]]]) -> Results:
    """A folder's results: claims by experiment, each supported alone, with these p values."""
    parts = {}
    for name, claims in p_of.items():
        made = [decide(claim, "m", "realised", Effect(1.0, 0.1, 1.9, p / 2, 1.0), "by this") for claim, p in claims]
        parts[name] = Part(seconds=1, device="cpu", text="", claims=made, tables=[], figures=[])
    about = {"name": "x", "sha256": "0" * 64, "images": 10}
    return Results(
        identity={"training images": about, "test images": about}, versions={}, command="section5", parts=parts
    )


def test_the_claims_of_a_folder_are_one_family_without_its_controls(tmp_path):
    alone = {"features": [("features", 0.03), ("features-control", 0.04)]}
    assert runner.all_claims(stored(tmp_path, alone))[0].verdict == "supported"
    results = stored(tmp_path, {**alone, "samples": [("samples", 0.001), ("samples-gap", 0.02)]})
    found = runner.all_claims(results)
    assert [claim.p_adjusted for claim in found] == [0.04, None, pytest.approx(0.003), 0.04]
    assert found[1].verdict == found[1].verdict_alone == "supported"  # a control that raises the alarm is heard
    more = stored(tmp_path, {**alone, "samples": [("samples", 0.001), ("samples-gap", 0.03)]})
    assert [claim.verdict for claim in runner.all_claims(more)] == ["undecided", "supported", "supported", "undecided"]
    assert more.parts["features"].claims[0].verdict == "supported"  # stored as it is alone: the family may grow
    results_page.write(more, runner.adjusted_claims(more), tmp_path)
    html, text = ((tmp_path / f"section5.{kind}").read_text() for kind in ("html", "md"))
    for page in (html, text):
        assert "all 3 claims" in page and page.count("undecided (alone supported)") == 2
    assert "p 0.0300, adjusted 0.0600" in html and "| 0.0300 | 0.0600 |" in text
    assert "undecided (alone supported)" in runner.summary(more, tmp_path)


def test_bounds_stand_on_the_page_with_their_sign_and_a_word(tmp_path):
    table = pd.DataFrame(
        {"attack": ["pgd", "fgm"], "threshold_db": [np.inf, 31.25], "low": [44.0, 30], "high": [np.inf, 33]}
    )
    with_signs(table, 0, 50).to_csv(tmp_path / "ladder.csv", index=False)
    shown = results_page._table(tmp_path / "ladder.csv")
    assert shown["heads"] == ["attack", "threshold db", "low", "high"]
    assert [row[1] for row in shown["rows"]] == [("> 50 (bound)", False), ("31.25", True)]


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, count, seed in (("train", 200, 0), ("test", 100, 1)):
        images, labels = blobs(count, seed)
        np.savez(f"{name}.npz", x=images.numpy(), y=labels.numpy())
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "def network():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 5))\n"
        "def seven():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 7))\n"
    )
    monkeypatch.setattr(samples, "STEPS", 6)
    monkeypatch.setattr(carriers, "IMAGES", 40)
    return tmp_path


def call(capsys, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["section5", *arguments])
    shown = capsys.readouterr()
    return int(stopped.value.code or 0), shown.out, shown.err


OWN = ("--data", "train.npz", "--test", "test.npz", "--factory", "net.py:network")


def test_cli_leaves_a_folder_and_resumes_it(files, capsys):
    code, out, _ = call(capsys, "features", *OWN, "--learning-rate", "0.05", "--out", "run")
    assert code == 0 and "features: done" in out and "run/section5.html" in out
    names = {path.name for path in (files / "run").iterdir()}
    assert {"section5.json", "claims.json", "section5.html", "section5.md", "features.csv", "features-carriers.csv",
            "features.png", "features.svg", "features-carriers.png"} <= names  # fmt: skip
    stored = json.loads((files / "run" / "section5.json").read_text())
    assert len(stored["identity"]["training images"]["sha256"]) == 64
    claims = json.loads((files / "run" / "claims.json").read_text())["claims"]
    assert {claim["id"] for claim in claims} == {"features", "features-control", "carriers", "carriers-control"}
    page = (files / "run" / "section5.html").read_text()
    assert "data:image/svg+xml" in page and "prefers-color-scheme" in page and "http://" not in page

    code, out, _ = call(capsys, "features", *OWN, "--learning-rate", "0.05", "--out", "run")
    assert code == 0 and "features: already done, kept" in out
    code, _, err = call(capsys, "features", *OWN, "--learning-rate", "0.05", "--seed", "1", "--out", "run")
    assert code == 1 and "differ in seed" in err and "(--out)" in err


def test_cli_keeps_what_works_when_a_part_fails(files, capsys):
    """200 training images are enough for the features, too few for the ladder."""
    assert call(capsys, "features", *OWN, "--out", "run")[0] == 0
    code, out, _ = call(capsys, "samples", *OWN, "--out", "run")
    assert code == 1
    assert "samples: failed: section5 samples needs at least 320 training images, the data have 200" in out
    stored = json.loads((files / "run" / "section5.json").read_text())
    assert set(stored["parts"]) == {"features"} and set(stored["failures"]) == {"samples"}
    assert "Not done" in (files / "run" / "section5.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--data", "train.npz"), 2, "pass both or neither (--data, --test)"),
        (("--data", "train.npz", "--test", "nowhere.npz"), 2, "there is no such file"),
        ((*OWN[:5], "net.py:seven"), 1, "makes networks of 7 classes, the data have 5"),
        ((*OWN[:5], "net.py:gone"), 2, "defines no gone"),
        (("--data", "train.npz", "--test", "bundled:fashion-mnist"), 1, "need the same classes"),
        ((*OWN, "--learning-rate", "0"), 2, "learning-rate"),
    ],
)
def test_cli_bad_input_is_one_line(files, capsys, arguments, code, message):
    found, _, err = call(capsys, "features", *arguments, "--out", "run")
    assert found == code
    assert message in err and len(err.strip().splitlines()) == 1


def test_the_page_escapes_what_comes_from_outside(files, capsys):
    (files / "<b>train.npz").write_bytes((files / "train.npz").read_bytes())
    call(capsys, "features", "--data", "<b>train.npz", *OWN[2:], "--out", "run")
    page = (files / "run" / "section5.html").read_text()
    assert "<b>" not in page and "&lt;b&gt;train" in page
