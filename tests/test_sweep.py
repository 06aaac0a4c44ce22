"""Runs of small models: what is stored, resumed, and refused."""

import numpy as np
import pandas as pd
import pytest
import torch

from cnncomm_bench import Run, evaluate
from cnncomm_bench._utils.errors import DataError, ModelError, RunFolderError, UsageError
from cnncomm_bench.attacks import Noise, NoiseBatch, Perturbed, parse
from cnncomm_bench.evaluation import execute
from cnncomm_bench.evaluation.worker import Worker
from cnncomm_bench.results.writer import Store
from cnncomm_bench.snr import streams

from .requested import requested

ATTACKS = ["gaussian", "cauchy", "impulse-square", "fgsm", "pgd:steps=3"]
COLUMNS = ["model", "attack", "ruler", "seed", "snr_db", "image", "label", "prediction", "realised_snr_db", "reached"]


def run(linear, labelled, **rest) -> Run:
    options = {"attacks": ATTACKS, "snr_db": [0, 20, 40], **rest}
    return evaluate(linear, *labelled, **options)


def test_predictions_are_what_the_contract_says(linear, labelled):
    result = run(linear, labelled)
    predictions = result.predictions
    assert list(predictions.columns) == COLUMNS
    assert len(predictions) == 60 + 60 * 3 * len(ATTACKS)
    clean = predictions[predictions.attack == "clean"]
    assert clean.snr_db.isin([np.inf]).all()
    assert (clean.label == labelled[1]).all()
    assert (clean.label == clean.prediction).mean() == pytest.approx(0.9)
    noise = predictions[predictions.attack.isin(["gaussian", "cauchy", "impulse-square"]) & predictions.reached]
    assert (noise.realised_snr_db - noise.snr_db).abs().max() < 1e-4
    adversary = predictions[predictions.attack.isin(["fgsm", "pgd:steps=3"])]
    assert (adversary.realised_snr_db - adversary.snr_db).min() > -1e-3


def test_curves_and_thresholds_are_what_the_contract_says(linear, labelled):
    result = run(linear, labelled)
    assert list(result.curves.columns) == [
        "model", "attack", "ruler", "snr_db", "images", "accuracy", "accuracy_low", "accuracy_high",
        "drop", "drop_low", "drop_high", "snr_min", "snr_max", "unreached",
    ]  # fmt: skip
    assert list(result.thresholds.columns) == [
        "model", "attack", "ruler", "level", "threshold_db", "low", "high", "jamming_gain_db", "gain_low", "gain_high",
    ]  # fmt: skip


def test_an_adversarys_accuracy_can_only_rise_with_snr(linear, labelled):
    curves = run(linear, labelled, snr_db="0:50:5").curves
    for attack in ("fgsm", "pgd:steps=3"):
        assert curves[curves.attack == attack].accuracy.is_monotonic_increasing


def test_noise_is_the_same_whatever_the_batch_size(linear, labelled):
    runs = [run(linear, labelled, attacks=["cauchy", "impulse-point"], batch_size=size) for size in (1, 7, 64)]
    frames = [r.predictions.drop(columns="realised_snr_db") for r in runs]
    pd.testing.assert_frame_equal(frames[0], frames[1])
    pd.testing.assert_frame_equal(frames[0], frames[2])


def test_an_snr_of_300_db_leaves_predictions_as_they_were(linear, labelled):
    predictions = run(
        linear, labelled, attacks=["gaussian", "stable:alpha=0.3", "impulse-square"], snr_db=[300]
    ).predictions
    clean = predictions[predictions.attack == "clean"].prediction.to_numpy()
    for _, part in predictions[predictions.attack != "clean"].groupby("attack", observed=True):
        assert (part.prediction.to_numpy() == clean).all()


def test_floats_are_not_rounded(linear, labelled):
    images = labelled[0] / np.float32(255) * np.float32(0.999)
    seen = []

    def spy(batch: torch.Tensor) -> torch.Tensor:
        seen.append(batch)
        return linear(batch)

    evaluate(spy, images, labelled[1], attacks=["gaussian"], snr_db=[300], device="cpu")
    assert any(torch.equal(batch, torch.from_numpy(images)) for batch in seen)


def test_eight_bits_are_measured_after_rounding(linear, labelled, tmp_path):
    request = requested(linear, *labelled, tmp_path / "run", attacks=["gaussian"], snr=[20, 50], bits=8)
    rounded = execute(request, quiet=True).predictions
    loud, quiet = (rounded[rounded.snr_db == db] for db in (20, 50))
    assert (loud.realised_snr_db - 20).abs().max() < 0.1
    assert (quiet.realised_snr_db - 50).abs().min() > 0.01


def test_rounding_keeps_adversaries_within_their_budget_and_reports_the_rest(linear, labelled, tmp_path):
    def rounded(bits):
        options = {"attacks": ["gaussian", "pgd:steps=3"], "snr": [20, 45, 50, 60], "bits": bits}
        return execute(requested(linear, *labelled, tmp_path / f"run{bits}", **options), quiet=True)

    run8 = rounded(8)
    hostile = run8.predictions[run8.predictions.attack == "pgd:steps=3"]
    # Float64 sums of float32 images: the budget holds to 1e-4 dB, as without rounding.
    assert (hostile.realised_snr_db >= hostile.snr_db - 1e-4).all()
    assert (hostile.realised_snr_db[hostile.snr_db == 20] < 20.5).mean() > 0.5  # most of it is still spent
    (line,) = (warning for warning in run8.warnings if "rounding" in warning)
    assert line.startswith("rounding to 8 bits moves noise off its SNR from 45 dB on: at 60 dB 100% of the images")
    # Clean images that are not on the levels of four bits cannot be rounded towards themselves.
    lines = [warning for warning in rounded(4).warnings if "over the budget" in warning]
    assert len(lines) == 1
    assert lines[0].startswith("pgd:steps=3: rounding to 4 bits puts ")
    assert not [warning for warning in rounded(None).warnings if "rounding" in warning]


class TestFolder:
    def test_what_is_in_it(self, linear, labelled, tmp_path):
        run(linear, labelled, out=tmp_path / "run")
        names = {path.name for path in (tmp_path / "run").iterdir()}
        assert {"run.json", "predictions.parquet", "curves.csv", "thresholds.csv", "curves.png", "curves.svg"} <= names
        assert "parts" not in names
        assert not any("partial" in name for name in names)

    def test_it_opens_again(self, linear, labelled, tmp_path):
        first = run(linear, labelled, out=tmp_path / "run")
        again = Run.open(tmp_path / "run")
        pd.testing.assert_frame_equal(first.predictions, again.predictions)
        assert again.info.finished
        assert set(again.info.facts["model"]["impulse-square"]["impulses"]) == {"0", "20", "40"}

    def test_a_broken_run_is_resumed(self, linear, labelled, tmp_path, monkeypatch):
        whole = run(linear, labelled)
        computed = []
        write = Store.write_cell

        def failing(self, index, *rest):
            if len(computed) == 3:
                raise RunFolderError("no space left")
            computed.append(index)
            write(self, index, *rest)

        monkeypatch.setattr(Store, "write_cell", failing)
        with pytest.raises(RunFolderError, match="no space"):
            run(linear, labelled, out=tmp_path / "run")
        with pytest.raises(RunFolderError, match="not finished"):
            Run.open(tmp_path / "run")

        def counting(self, index, *rest):
            computed.append(index)
            write(self, index, *rest)

        monkeypatch.setattr(Store, "write_cell", counting)
        resumed = run(linear, labelled, out=tmp_path / "run")
        assert computed == list(range(1 + len(ATTACKS)))
        pd.testing.assert_frame_equal(resumed.predictions, whole.predictions)

    def test_a_finished_run_is_not_computed_again(self, linear, labelled, tmp_path, monkeypatch):
        run(linear, labelled, out=tmp_path / "run")
        monkeypatch.setattr(Worker, "_perturb", None)
        assert len(run(linear, labelled, out=tmp_path / "run").predictions)

    def test_another_run_is_refused(self, linear, labelled, tmp_path):
        run(linear, labelled, out=tmp_path / "run")
        with pytest.raises(RunFolderError, match="differs in snr_db: pass another folder"):
            run(linear, labelled, out=tmp_path / "run", snr_db=[0, 10])

    def test_other_weights_under_the_same_name_are_another_run(self, linear, labelled, tmp_path):
        run(linear, labelled, out=tmp_path / "run", attacks=["gaussian"])
        with torch.no_grad():
            linear[1].weight[0, 0] += 1e-3
        with pytest.raises(RunFolderError, match="differs in models.0.weights_sha256"):
            run(linear, labelled, out=tmp_path / "run", attacks=["gaussian"])

    def test_other_files_are_refused(self, linear, labelled, tmp_path):
        (tmp_path / "thesis.tex").write_text("years of work")
        with pytest.raises(RunFolderError, match="holds no run"):
            run(linear, labelled, out=tmp_path)
        assert [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == ["thesis.tex"]

    def test_a_second_process_is_refused(self, linear, labelled, tmp_path):
        from filelock import FileLock

        (tmp_path / "run").mkdir()
        with FileLock(tmp_path / "run" / ".lock"), pytest.raises(RunFolderError, match="another process"):
            run(linear, labelled, out=tmp_path / "run")

    def test_a_file_in_its_place_is_one_line(self, linear, labelled, tmp_path):
        (tmp_path / "run").write_text("")
        with pytest.raises(RunFolderError, match="pass another folder"):
            run(linear, labelled, out=tmp_path / "run")

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("run.json", b"{", "run.json is corrupt"),
            ("run.json", b'{"schema_version": 99}', "run.json is corrupt at"),
            ("predictions.parquet", b"PAR1", "predictions.parquet is corrupt"),
        ],
    )
    def test_corrupt_files_say_where(self, linear, labelled, tmp_path, name, content, message):
        run(linear, labelled, out=tmp_path / "run", attacks=["gaussian"])
        (tmp_path / "run" / name).write_bytes(content)
        with pytest.raises(RunFolderError, match=message):
            Run.open(tmp_path / "run")


class TestBadInput:
    def test_a_model_that_returns_nan(self, labelled):
        with pytest.raises(ModelError, match="NaN or infinite logits"):
            run(lambda images: torch.full((len(images), 4), torch.nan), labelled)

    @pytest.mark.parametrize("answer", [torch.zeros(3), torch.zeros(1, 1), torch.zeros(2, 4), "cat"])
    def test_a_model_that_returns_something_else(self, labelled, answer):
        with pytest.raises(ModelError, match="the model returned"):
            run(lambda images: answer, labelled)

    def test_a_model_without_gradient(self, labelled, linear):
        def frozen(images: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                return linear(images)

        with pytest.raises(ModelError, match="no gradient"):
            run(frozen, labelled, attacks=["fgsm"])

    def test_labels_beyond_the_classes(self, labelled, linear):
        with pytest.raises(DataError, match="labels run from 0 to 9.*4 classes"):
            run(linear, (labelled[0], np.arange(60) % 10))

    def test_black_images_are_left_out_and_counted(self, labelled, linear):
        images, labels = labelled[0].copy(), labelled[1]
        images[[3, 30]] = 0
        result = run(linear, (images, labels), attacks=["gaussian"])
        assert result.info.data.left_out == {"zero power": [3, 30]}
        assert not result.predictions.image.isin([3, 30]).any()

    def test_only_black_images(self, labelled, linear):
        with pytest.raises(DataError, match="zero power"):
            run(linear, (np.zeros_like(labelled[0]), labelled[1]))

    @pytest.mark.parametrize("images", [np.zeros((0, 3, 4, 4), np.uint8), np.zeros((4, 4)), np.full((2, 3, 4, 4), 2.0)])
    def test_images_that_are_none(self, linear, images):
        with pytest.raises(DataError, match="images"):
            run(linear, (images, np.zeros(len(images), int)))

    @pytest.mark.parametrize(
        ("argument", "value", "message"),
        [
            ("attacks", [], "there is no attack: expected one or more"),
            ("seed", -1, "seeds -1: expected"),
            ("batch_size", 0, "batch_size 0: expected a number of images"),
            ("snr_db", "50:0:5", "SNR grid '50:0:5': expected FIRST:LAST:STEP"),
            ("ruler", "loudness", "no ruler is called 'loudness'"),
        ],
    )
    def test_arguments_that_make_no_sense(self, labelled, linear, argument, value, message):
        with pytest.raises(UsageError, match=message):
            run(linear, labelled, **{argument: value})

    def test_unknown_device(self, labelled, linear):
        with pytest.raises(UsageError, match="pass cpu, or auto"):
            run(linear, labelled, device="abacus")


class Shift(Noise):
    """An attack of the user's own, in no registry."""

    family = "shift"
    spec = "shift"

    def over(self, batch, snr_db):
        for step in range(len(snr_db)):
            yield Perturbed(step, batch.images.roll(1, -1), torch.ones(len(batch.images), dtype=torch.bool))


def test_an_attack_of_the_users_own(linear, labelled):
    assert run(linear, labelled, attacks=[Shift()]).info.config.attacks == ("shift",)
    with pytest.raises(UsageError, match="shift is given twice"):  # two objects, which may differ
        run(linear, labelled, attacks=[Shift(), Shift()])
    assert set(run(linear, labelled, attacks=[Shift(), "gaussian"]).curves.attack) == {"clean", "shift", "gaussian"}


def test_images_without_labels_are_scored_by_agreement(linear, labelled, tmp_path):
    request = requested(linear, labelled[0], None, tmp_path / "run", attacks=["gaussian", "fgsm"], snr=[0, 40])
    result = execute(request, quiet=True)
    assert not result.info.data.labelled
    assert result.curves[result.curves.attack == "clean"].accuracy.item() == 1
    assert result.curves[(result.curves.attack == "fgsm") & (result.curves.snr_db == 0)].accuracy.item() < 0.5


def test_draws_made_ahead_are_the_ones_made_late(pictures):
    attack, grid = parse("impulse-square"), torch.tensor([10.0])
    keys = streams.digests(pictures)
    ahead = attack.draw(keys, tuple(pictures.shape[1:]), seed=0)
    late, early = (next(iter(attack.over(NoiseBatch(pictures, draws=draws), grid))).images for draws in (None, ahead))
    assert torch.equal(late, early)
