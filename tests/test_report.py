import base64
import io
import json
import math
import re
import time
from dataclasses import replace
from html.parser import HTMLParser

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from cnncomm_bench import snr
from cnncomm_bench.attacks import parse
from cnncomm_bench.cli import tables
from cnncomm_bench.data.images import Images
from cnncomm_bench.evaluation import Request, execute
from cnncomm_bench.models.model import Model
from cnncomm_bench.models.preprocessing import Preprocessing
from cnncomm_bench.report import captions, chart, gallery, plots, sections
from cnncomm_bench.report import document as report
from cnncomm_bench.report.classwise import by_class
from cnncomm_bench.report.outputs import write_outputs
from cnncomm_bench.results import RunConfig, suites
from cnncomm_bench.results.claims.shape_tests import Comparison, shape_claims
from cnncomm_bench.results.run import Run
from cnncomm_bench.results.statistics import InformationRow
from cnncomm_bench.results.statistics.counts import Counts

HOSTILE = '</script><script>alert("x")</script>|`'


class Outline(HTMLParser):
    """What a screen reader and a browser's network stack would find in a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.headings, self.ids, self.links, self.loaded, self.scripts = [], [], [], [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append((tag, found))
        self.scripts += tag == "script" and found.get("type") != "application/json"
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a":
            self.links.append(found["href"])
        elif "src" in found or "href" in found:
            self.loaded.append(found.get("src") or found.get("href"))

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)


def linear(seed):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 20, 4)).eval()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run whose every name is an attack on the page, with its models and images."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (80, 3, 16, 20), dtype=np.uint8)
    pixels[7] = 0
    first = linear(1)
    labels = first(torch.from_numpy(pixels) / 255).argmax(1).numpy()
    labels[:6] = (labels[:6] + 1) % 4
    names = (HOSTILE, "{{ 7 * 7 }}", "<img src=http://example.org/x onerror=alert(1)>", "d")
    data = Images(HOSTILE, pixels, labels, names, "a" * 64, (HOSTILE,))
    models = [Model(f"{HOSTILE}{seed}", linear(seed), 4, 3, None, True, "b" * 64, Preprocessing()) for seed in (1, 2)]
    specs = ["gaussian", "cauchy", "impulse-square", "pgd:steps=3"]
    suite = suites.build("test", title=HOSTILE, attacks=[parse(s) for s in specs], snr_db=[-5, 0, 10, 20, 30],
                         rulers=["realised", "dispersion"])  # fmt: skip
    folder = tmp_path_factory.mktemp("run")
    request = Request.of(RunConfig.of(out=folder), models, data, suite)
    run = execute(request, command=f"cnncomm-bench --data {HOSTILE}", quiet=True)
    return run, folder, data, models


@pytest.fixture(scope="module")
def page(made):
    return (made[1] / "report.html").read_text(encoding="utf-8")


def test_names_from_outside_stay_text(made, page):
    outline = Outline(page)
    assert outline.scripts == 2  # the library and the page's own
    assert not [tag for tag, attrs in outline.tags if any(name.startswith("on") for name in attrs)]
    assert not [attrs for tag, attrs in outline.tags if tag == "img" and not attrs["src"].startswith("data:image/")]
    assert "&lt;script&gt;alert(" in page
    assert "{{ 7 * 7 }}" in page
    text = (made[1] / "report.md").read_text(encoding="utf-8")
    assert "<script" not in re.sub("^    .*", "", text, flags=re.M)  # but in the command, a block of code
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len({line.replace("\\|", "").count("|") for line in rows if "dispersion" in line and "dB" in line}) <= 3


def test_the_payload_is_json_and_holds_every_curve(made, page):
    found = re.search(r'<script type="application/json" id="payload">(.*?)</script>', page, re.S)[1]
    payload = json.loads(found)
    run = made[0]
    assert len(payload["curves"]) == len(run.thresholds)
    assert payload["models"][0]["name"] == run.info.models[0].name
    row = run.curves[(run.curves.attack == "cauchy") & (run.curves.ruler == "dispersion")].iloc[0]
    curve = next(
        c for c in payload["curves"]
        if payload["attacks"][c["attack"]]["name"] == "cauchy" and payload["rulers"][c["ruler"]]["name"] == "dispersion"
    )  # fmt: skip
    assert curve["snr"][0] == row.snr_db
    assert curve["drop"][0][0] == pytest.approx(row["drop"], abs=1e-4)
    assert curve["drop"][1][0] == pytest.approx(row.drop_low, abs=1e-4)


def test_nothing_is_loaded_from_elsewhere(page):
    outline = Outline(page)
    assert all(source.startswith("data:") for source in outline.loaded)
    assert all(link.startswith("#") for link in outline.links)
    (policy,) = (attrs["content"] for _, attrs in outline.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "script-src 'sha256-" in policy
    assert not re.search(r"script-src[^;]*unsafe", policy)
    assert len(page.encode()) < 8e6


def test_the_page_can_be_heard_and_walked(page):
    outline = Outline(page)
    assert outline.headings[0] == 1 and outline.headings.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(outline.headings, outline.headings[1:], strict=False))
    assert len(set(outline.ids)) == len(outline.ids)
    assert {link[1:] for link in outline.links} <= set(outline.ids)
    tags = [tag for tag, _ in outline.tags]
    assert tags.count("caption") == tags.count("table")
    assert all(attrs.get("scope") for tag, attrs in outline.tags if tag == "th")
    assert all(attrs.get("alt") for tag, attrs in outline.tags if tag == "img")
    assert all("tabindex" in attrs and attrs.get("aria-label") for _, attrs in outline.tags
               if attrs.get("role") == "region")  # fmt: skip
    assert next(attrs for tag, attrs in outline.tags if tag == "html")["lang"] == "en"


def test_what_was_run_is_told(made, page):
    run = made[0]
    for told in ("a" * 64, "b" * 64, run.info.versions["torch"], "zero power", "index 7", "dispersion", "Fawzi"):
        assert told in page
    for entry in run.info.suite.attacks:
        assert entry.spec in page
    assert all(claim.verdict in page for claim in run.claims)
    assert json.loads((made[1] / "claims.json").read_text())["claims"] == [c.model_dump() for c in run.claims]


def test_the_reader_sees_what_verdicts_and_thresholds_mean(made, page):
    text = (made[1] / "report.md").read_text(encoding="utf-8")
    for where in (page, text):
        assert "lower is better" in where
        assert "Holm" in where
        assert "share one draw" in where
        judged = next(claim for claim in made[0].claims if claim.p is not None)
        assert f"{judged.p_adjusted:.4f}" in where or "&lt; 0.0001" in where
    plain = Run(made[0].info, made[0].predictions[made[0].predictions.attack != "cauchy"])
    suite = plain.info.suite
    fewer = suite.model_copy(update={"attacks": tuple(e for e in suite.attacks if e.spec != "cauchy")})
    alone = Run(plain.info.model_copy(update={"suite": fewer}), plain.predictions)
    assert "share one draw" not in report.environment().get_template("report.md").render(report._context(alone, None))


def test_shapes_stand_against_both_baselines_and_no_summary_leaves_the_caveat_out(made, tmp_path):
    run = made[0]
    model, other = run.scores.counts.models
    blank = Comparison(model, "square", "enlarged", "enlarged-square", "salt-pepper")
    wide, shown = {"snr_db": (5.0, 10.0), "images": 80}, (0.1, 0.05, 0.15)
    comparisons = [
        replace(blank, effect=shown, **wide),
        replace(blank, baseline="impulse-point", reason="impulse-point was not run"),
        replace(blank, process="impulse", attack="impulse-square", effect=(-0.2, -0.25, -0.15), **wide),
        replace(
            blank,
            process="impulse",
            attack="impulse-square",
            baseline="impulse-point",
            effect=(-0.1, -0.2, 0.1),
            **wide,
        ),
        replace(blank, model=other, effect=shown, **wide),
        replace(blank, model=other, baseline="impulse-point", effect=shown, **wide),
    ]
    by_model = {name: [each for each in comparisons if each.model == name] for name in (model, other)}
    claims = [claim for name, own in by_model.items() for claim in shape_claims(name, own)]
    found = Run(run.info, run.predictions)
    found.__dict__.update(scores=run.scores, shape_comparisons=comparisons, claims=claims)
    report.write(found, tmp_path)
    assert claims[0].summary == "supported (depends on the process)"
    page, text = ((tmp_path / name).read_text(encoding="utf-8") for name in ("report.html", "report.md"))
    for where in (page, text):
        assert "against salt-pepper" in where and "against impulse-point" in where
        assert "+0.100" in where and "+0.050 to +0.150" in where and "impulse-point was not run" in where
    assert re.findall(r'class="verdict (\w+)">.*?</span> (.*?)</span>', page) == [
        ("undecided", "supported (depends on the process)"),
        ("supported", "supported"),
        ("undecided", "undecided (depends on the process)"),
    ]
    rows = [line for line in text.splitlines() if line.startswith("| enlarged-square")]
    assert [row.endswith("| depends on the process |") for row in rows] == [True, False]
    assert "| supported (depends on the process) |" in text
    assert "supported (depends on the process)" in tables.claims_table(found)


def test_bits_that_are_withheld_are_shown_as_bounds():
    withheld = InformationRow("m", "gaussian", "realised", 20.0, math.nan, 0.5, 2.25)
    assert sections._bits(withheld) == "0.50 to 2.25 (bounds)"
    assert sections._bits(withheld._replace(bits=1.0)) == "1.00"


@pytest.mark.parametrize(
    ("gain", "told"),
    [
        ((35.0, 33.0, 37.0), "is above the yardstick of 28.9 dB"),
        ((20.0, 18.0, 22.0), "is below the yardstick of 28.9 dB"),
        ((29.0, 27.0, 31.0), "is undecided"),
        ((np.inf, 30.0, np.inf), "> 30.0 dB (bound) and is above"),
        ((np.inf, 12.0, np.inf), "is undecided"),
        ((np.nan, np.nan, np.nan), "an unknown jamming gain"),
    ],
)
def test_the_yardstick_is_told_by_the_interval(made, gain, told):
    run = made[0]
    thresholds = run.thresholds.copy()
    hostile = thresholds.attack.str.startswith("pgd")
    thresholds.loc[hostile, "threshold_db"] = 25.0
    thresholds.loc[hostile, ["jamming_gain_db", "gain_low", "gain_high"]] = gain
    data = run.info.data.model_copy(update={"shape": [1, 28, 28]})
    other = Run(run.info.model_copy(update={"data": data}), run.predictions)
    other.__dict__["scores"] = replace(run.scores, thresholds=thresholds)
    assert told in sections.models(other)[0]["yardstick"]


def test_the_gallery_shows_what_was_scored(made):
    run, folder, data, models = made
    kept = gallery.load(run, folder)
    assert kept is not None and len(kept.originals) == 3
    original = kept.originals[0]
    tile = next(t for t in kept.tiles if (t.attack, t.ruler, t.snr_db) == ("cauchy", "realised", 10.0))
    clean = torch.from_numpy(data.images[[tile.image]]) / 255
    expected = parse("cauchy")(clean, snr_db=10.0)
    content = base64.b64decode(tile.picture.partition(",")[2])
    shown = np.asarray(Image.open(io.BytesIO(content))).transpose(2, 0, 1)
    np.testing.assert_array_equal(shown, (expected[0] * 255).round().numpy())
    assert tile.image == original.image
    hostile = {t.model for t in kept.tiles if t.attack.startswith("pgd")}
    assert hostile == {model.name for model in models}
    rows = captions.rows_by_image(run, kept)[0]["rows"]
    asked = run.predictions.query("attack == 'gaussian' and ruler == 'realised' and snr_db == 0")
    asked = asked[asked.image == original.image]
    told = next(r for r in rows if (r["attack"], r["ruler"]) == ("gaussian", "realised"))["cells"][0.0]["answers"]
    assert [answer["right"] for answer in told] == (asked.prediction == asked.label).tolist()


def test_scoring_again_keeps_the_gallery_and_the_page(made, page):
    folder = made[1]
    write_outputs(Run.open(folder), folder)
    assert (folder / "report.html").read_text(encoding="utf-8") == page


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"schema_version": 9}', '{"data_sha256": "c", "stride": 1, "originals": [], "tiles": []}', None],
)
def test_a_gallery_that_is_unsound_or_of_other_images_is_left_out(made, tmp_path, content):
    if content is not None:
        (tmp_path / gallery.FILE).write_text(content)
    assert gallery.load(made[0], tmp_path) is None
    report.write(made[0], tmp_path)
    assert 'id="gallery"' not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_gallery_cannot_bring_markup_along(made, tmp_path):
    stored = json.loads((made[1] / gallery.FILE).read_text())
    stored["tiles"][0]["picture"] = 'data:image/png;base64,"><script>alert(1)</script>'
    (tmp_path / gallery.FILE).write_text(json.dumps(stored))
    assert gallery.load(made[0], tmp_path) is None


def test_large_images_are_thinned_out_and_fit(made):
    run = made[0]
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (80, 3, 300, 260), dtype=np.uint8)
    drawn = gallery.render(run, replace(made[2], images=pixels))
    assert len(drawn.originals) == 1 and drawn.stride == 3
    content = base64.b64decode(drawn.tiles[0].picture.partition(",")[2])
    assert Image.open(io.BytesIO(content)).size == (87, 100)
    assert sum(len(tile.picture) + len(tile.noise) for tile in drawn.tiles) < gallery.BUDGET
    assert any("without the models" in note for note in drawn.notes)


def test_a_single_model_without_class_names_or_command(made, tmp_path):
    run = made[0]
    name = run.info.models[0].name
    data = run.info.data.model_copy(update={"class_names": [], "labelled": False, "left_out": {}})
    info = run.info.model_copy(update={"models": run.info.models[:1], "data": data, "command": ""})
    report.write(Run(info, run.predictions[run.predictions.model == name]), tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "agreement with the clean predictions" in text
    assert "class 0" in text
    assert 'id="comparison"' not in text and "<h3>Rerun" not in text


def test_classes_by_hand():
    rows = []
    cells = ("clean", np.inf, [0, 0, 1, 1]), ("gaussian", 0.0, [1, 1, 1, 1]), ("gaussian", 10.0, [0, 1, 1, 1])
    for attack, db, answers in cells:
        for image, answer in enumerate(answers):
            rows.append(("m", attack, "realised", 0, db, image, image // 2, answer, db, True))
    names = ["model", "attack", "ruler", "seed", "snr_db", "image", "label", "prediction", "realised_snr_db", "reached"]
    predictions = pd.DataFrame(rows, columns=names)
    found = by_class(predictions, Counts(predictions, classes=2), set())
    assert found.classes[["clean", "noise"]].to_numpy().tolist() == [[1.0, 0.25], [1.0, 1.0]]
    assert found.classes.adversary.isna().all()
    attack = found.attacks.iloc[0]
    assert (attack.worst, attack.worst_accuracy, attack.best) == (0, 0.25, 1)
    assert (attack.favourite, attack.favourite_share) == (1, 1.0)


def test_seventy_attacks_look_different():
    looks = {(look["colour"], look["symbol"]) for look in chart.looks([str(i) for i in range(70)])}
    assert len(looks) == 70


def test_rounding_to_8_bits():
    assert snr.rounding_db(np.sqrt(784 / 3), 784) == pytest.approx(10 * np.log10(4 * 255**2))


def test_a_million_predictions_take_no_time(made, tmp_path):
    # A tenth of what issue 6 asks for, in a tenth of its time.
    grid, attacks = np.arange(0.0, 50, 5), [f"gaussian#{i}" for i in range(10)]
    count, rng = 10_000, np.random.default_rng(0)
    labels = rng.integers(0, 10, count)
    cells = [("clean", np.inf)] + [(attack, db) for attack in attacks for db in grid]
    frame = pd.DataFrame(
        {
            "model": "m", "attack": np.repeat([a for a, _ in cells], count), "ruler": "realised", "seed": 0,
            "snr_db": np.repeat([db for _, db in cells], count), "image": np.tile(np.arange(count), len(cells)),
            "label": np.tile(labels, len(cells)), "reached": True,
        }
    )  # fmt: skip
    frame["realised_snr_db"] = frame["snr_db"]
    frame["prediction"] = np.where(rng.random(len(frame)) < 0.6, frame["label"], rng.integers(0, 10, len(frame)))
    entries = tuple(suites.Entry(spec=attack) for attack in attacks)
    suite = suites.Suite(snr_db=tuple(grid), attacks=entries)
    data = made[0].info.data.model_copy(update={"classes": 10})
    run = Run(made[0].info.model_copy(update={"suite": suite, "data": data}), frame)
    assert run.scores is not None and run.claims is not None
    started = time.process_time()
    report.write(run, tmp_path)
    assert time.process_time() - started < 2
    assert (tmp_path / "report.html").stat().st_size < 8e6


# Pictures


@pytest.mark.parametrize("name", ["$", "a$b$", "$\\frac{1}{$", "\\alpha_", "$x_{$ ^"])
def test_names_are_no_formulas(made, tmp_path, name):
    run = made[0]
    renamed = {old: f"{name}{place}" for place, old in enumerate(m.name for m in run.info.models)}
    models = [model.model_copy(update={"name": renamed[model.name]}) for model in run.info.models]
    predictions = run.predictions.assign(model=run.predictions["model"].map(renamed))
    data = run.info.data.model_copy(update={"name": name})
    changed = Run(run.info.model_copy(update={"models": models, "facts": {}, "data": data}), predictions)
    write_outputs(changed, tmp_path)
    assert changed.output_failures == []
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_a_users_matplotlibrc_changes_no_picture(made, tmp_path):
    for name, style in (("plain", {}), ("styled", {"axes.facecolor": "red", "text.usetex": True, "font.size": 40})):
        (tmp_path / name).mkdir()
        with matplotlib.rc_context(style):
            write_outputs(made[0], tmp_path / name)
    plain, styled = ((tmp_path / name / "curves.svg").read_bytes() for name in ("plain", "styled"))
    assert plain == styled


def test_pictures_that_fail_lose_neither_tables_nor_report(made, tmp_path, monkeypatch):
    run = Run(made[0].info, made[0].predictions)
    monkeypatch.setattr(plots, "plot_curves", lambda *_, **__: 1 / 0)
    write_outputs(run, tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == ["curves.csv", "gains.csv", "thresholds.csv"]
    assert any(line.startswith("curves.png and curves.svg could not be drawn: ZeroDivision") for line in run.warnings)
    assert "could not be drawn: ZeroDivisionError" in (tmp_path / "report.html").read_text(encoding="utf-8")
