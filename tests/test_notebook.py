"""A run in a notebook and in a paper: card, figure, files, comparison, LaTeX."""

import inspect
import re
from html.parser import HTMLParser

import matplotlib.figure
import pandas as pd
import pytest

import cnncomm_bench
from cnncomm_bench import Run, bundled, cli, evaluate, score
from cnncomm_bench._utils.errors import RunFolderError, UsageError
from cnncomm_bench.report import latex

HOSTILE = '<script>alert("x")</script> $\\frac{1}{% & _^~#|\n\\input{/etc/passwd}'


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    images, labels, _ = bundled.images()
    return [
        evaluate(bundled.load(name), images[:60], labels[:60], attacks=["gaussian", "pgd:steps=3"],
                 snr_db=[0, 10, 20, 30, 40], name=name)
        for name in ("standard", "adversarial")
    ]  # fmt: skip


@pytest.fixture(scope="module")
def joint(runs) -> Run:
    return runs[0].compare(runs[1])


def renamed(run: Run, name: str) -> Run:
    """The run under a name that a stranger chose, for the model and for the images."""
    (model,) = run.info.models
    info = run.info.model_copy(
        update={
            "models": [model.model_copy(update={"name": name})],
            "data": run.info.data.model_copy(update={"name": name}),
            "facts": {},
            "notes": [name],
            "command": name,
        }
    )
    return Run(info, run.predictions.assign(model=name))


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.add(tag)


def test_the_public_names_are_listed():
    assert dir(cnncomm_bench) == sorted(cnncomm_bench.__all__)
    for name in cnncomm_bench.__all__:
        assert getattr(cnncomm_bench, name).__doc__
    assert cnncomm_bench.data.open_images("bundled:fashion-mnist", samples=10).images.shape == (10, 1, 28, 28)
    assert inspect.signature(evaluate).return_annotation == "Run"


def test_evaluate_and_open_give_the_run_that_shows_itself(runs, tmp_path):
    assert type(runs[0]) is Run
    folder = runs[0].save(tmp_path / "run")
    stored = Run.open(folder)
    assert type(stored) is Run
    assert {path.name for path in folder.iterdir()} >= {"run.json", "predictions.parquet", "curves.csv", "report.html"}
    pd.testing.assert_frame_equal(stored.curves, runs[0].curves, check_dtype=False)
    assert stored.save(folder) == folder
    with pytest.raises(RunFolderError, match="holds another run"):
        runs[1].save(folder)


def test_score_gives_what_a_run_gives(joint):
    found = score(joint.scored, classes=10)
    for name in ("curves", "thresholds", "gains"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(joint, name))
    with pytest.raises(ValueError, match="lack the column attack"):
        score(pd.DataFrame({"model": ["m"]}), classes=10)


def test_the_card_shows_the_numbers_of_the_report(joint):
    card = joint._repr_html_()
    for model in ("standard", "adversarial"):
        clean = joint.curves[(joint.curves.model == model) & (joint.curves.attack == "clean")].accuracy.iloc[0]
        assert f"<h2>{model}</h2>" in card and f"{clean:.3f}" in card
    assert card.count('<article class="card">') == 2


def test_the_card_and_the_tables_hold_no_markup_of_a_stranger(runs):
    run = renamed(runs[0], HOSTILE)
    card = run._repr_html_()
    assert Tags(card).found <= {"div", "style", "p", "b", "article", "h2", "dl", "dt", "dd", "small"}
    assert "&lt;script&gt;" in card
    tables = latex.text(run)
    commands = set(re.findall(r"(?<!\\)(?:\\\\)*\\([A-Za-z]+)", "\n".join(tables.splitlines()[2:])))
    allowed = {"begin", "end", "centering", "caption", "toprule", "midrule", "bottomrule"}
    assert commands <= allowed | {name[1:-2] for name in latex._SPECIAL.values() if name.endswith("{}")}
    assert r"\textbackslash{}input\{/etc/passwd\}" in tables
    assert all(line.startswith("%") for line in tables.splitlines()[:2])
    assert tables.count("\\begin{") == tables.count("\n\\begin{") == tables.count("\n\\end{")


def test_plot_draws_figures_and_into_axes_of_the_callers(joint):
    own = matplotlib.figure.Figure()
    axes = own.subplots()
    assert joint.plot(axes) is own
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == [
        f"{attack}, {model}" for model in ("standard", "adversarial") for attack in ("gaussian", "pgd:steps=3")
    ]
    by_model, by_attack = joint.plot(), joint.plot(by="attack")
    titles = [axes.get_title().splitlines()[0] for axes in by_attack.axes]
    assert titles == ["gaussian", "pgd:steps=3"]
    for panel in by_attack.axes:
        assert {line.get_label() for line in panel.lines} >= {"standard", "adversarial"}
    assert by_model._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match="expected 'model' or 'attack'"):
        joint.plot(by="ruler")
    with pytest.raises(UsageError, match="axes is a ndarray: expected one Axes"):
        joint.plot(own.subplots(1, 2))


def test_panels_say_what_the_second_model_gains(joint):
    row = joint.gains[joint.gains.attack == "pgd:steps=3"].iloc[0]
    panel = joint.plot(by="attack").axes[1]
    assert panel.get_title().splitlines()[1] == f"gain {row.gain_db:.1f} dB [{row.low:.1f}, {row.high:.1f}]"


def test_names_are_no_formulas_in_axes_of_the_callers(runs):
    figure = matplotlib.figure.Figure()
    renamed(runs[0], "$\\frac{1}{$").compare(runs[1]).plot(figure.subplots())
    figure.draw_without_rendering()


def test_runs_of_one_name_are_not_compared(runs):
    with pytest.raises(UsageError, match="standard is in more than one of the runs"):
        runs[0].compare(runs[0])


def test_a_stored_run_is_compared_by_its_folder(runs, joint, tmp_path):
    assert runs[0].compare(runs[1].save(tmp_path / "other")).gains.equals(joint.gains)


def test_a_run_for_a_paper(joint, tmp_path, capsys):
    joint.save(tmp_path / "run")
    assert (tmp_path / "run" / "models.png").stat().st_size > 10_000
    cli.main(["report", str(tmp_path / "run"), "--format", "latex"])
    assert "tables.tex" in capsys.readouterr().out
    text = (tmp_path / "run" / "tables.tex").read_text("utf-8")
    assert text.count(r"\toprule") == text.count(r"\bottomrule") >= 3
    assert not re.search(r"[ &]-\d", text)  # a minus, no hyphen
    for table in re.findall(r"\\toprule\n(.*?)\\bottomrule", text, re.S):
        rows = [line for line in table.splitlines() if line.endswith(r"\\")]
        assert len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1
    for name in ("curves", "models"):
        content = (tmp_path / "run" / f"{name}.pdf").read_bytes()
        assert content.startswith(b"%PDF") and b"/Type3" not in content and b"CreationDate" not in content
