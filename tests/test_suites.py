import sys
from pathlib import Path

import pytest

from cnncomm_bench import Run
from cnncomm_bench._utils.errors import UsageError
from cnncomm_bench.attacks import parse
from cnncomm_bench.results import parse_grid, suites

HISTORIC = Path(__file__).parent / "historic"


@pytest.mark.parametrize("name", suites.names())
def test_suites_that_come_along_load(name):
    suite = suites.load(name)
    assert suite.title
    assert suite.attacks


def test_those_of_the_paper_are_there():
    assert {"default", "quick", "figure3", "figure4"} <= set(suites.names())
    assert suites.load("default").snr_db == suites.AUTO
    for name in ("leaderboard", "adversarial"):  # entries of a leaderboard share one grid
        assert suites.load(name).snr_db == tuple(range(0, 85, 5))


@pytest.mark.parametrize(
    ("text", "grid"),
    [
        ("0:20:5", (0, 5, 10, 15, 20)),
        ("10,20,30", (10, 20, 30)),
        ("0:1:0.1", tuple(i / 10 for i in range(11))),
        ("7", (7,)),
    ],
)
def test_grids(text, grid):
    assert parse_grid(text) == pytest.approx(grid)


@pytest.mark.parametrize(
    "text", ["", "50:0:5", "0:50:-5", "0:50:0", "30,20,10", "10,10", "a:b:c", "0:nan:1", "inf", "0:1e9:1"]
)
def test_bad_grids_say_what_a_grid_is(text):
    with pytest.raises(UsageError, match="expected"):
        parse_grid(text)


def test_own_suite_from_a_file(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('snr_db = "10:30:10"\nrulers = ["dispersion"]\n[[attacks]]\nspec = "stable:alpha=1"\nsamples = 5\n')
    suite = suites.load(str(file))
    assert suite.attacks[0].spec == "cauchy"
    assert suite.attacks[0].samples == 5
    assert suite.rulers == ("dispersion",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("snr_db = ", "not readable as TOML"),
        ('[[attacks]]\nspec = "pdg"\n', "attacks.0: .*did you mean 'pgd'"),
        (
            '[[attacks]]\nspec = "pgd"\nsample = 3\n',
            "attacks.0: 'sample' is no key of an attack; did you mean 'samples'",
        ),
        ('[[attacks]]\nspec = "pgd"\nsteps = 50\n', "'steps' is no key .*stand in the spec, such as 'pgd:steps=50'"),
        ('[[attacks]]\nspec = "pgd"\nnorm = "linf"\n', "'norm' is no key"),  # it would be taken and overwritten
        ('attacks = ["pgd", 3]\n', "attacks.1: "),
        ('attacks = ["pgd:step_size=3"]\n', "attacks.0: .*no parameter 'step_size'; did you mean 'step"),
        ('snr = "0:50:5"\nattacks = ["pgd"]\n', "no key is called 'snr'; did you mean 'snr_db'"),
        ('what = 1\nattacks = ["pgd"]\n', "no key is called 'what'"),
        ('attack = ["pgd"]\n', "no key is called 'attack'; did you mean 'attacks'"),
        ('samples = true\nattacks = ["pgd"]\n', "samples = True, expected a whole number"),
        ('samples = 0\nattacks = ["pgd"]\n', "at least 1"),
        ('samples = 1.5\nattacks = ["pgd"]\n', "samples = 1.5, expected"),
        ('[[attacks]]\nspec = "pgd"\nsamples = 0\n', "at least 1"),
        ('[[attacks]]\nspec = "pgd"\n[[attacks]]\nspec = "pgd:steps=20"\n', "given twice"),
        ("attacks = []\n", "needs an attack"),
        ('snr_db = []\n[[attacks]]\nspec = "pgd"\n', "rising order"),
        ('rulers = ["loudness"]\n[[attacks]]\nspec = "pgd"\n', "no ruler is called 'loudness'"),
        ('rulers = []\n[[attacks]]\nspec = "pgd"\n', "needs a ruler"),
    ],
)
def test_errors_say_where(tmp_path, content, message):
    file = tmp_path / "mine.toml"
    file.write_text(content)
    with pytest.raises(UsageError, match=message):
        suites.load(str(file))


def test_the_suite_of_the_documentation(tmp_path):
    page = (Path(__file__).parents[1] / "docs" / "suites.md").read_text("utf-8")
    file = tmp_path / "mine.toml"
    file.write_text(page.split("```toml\n")[1].split("```")[0])
    suite = suites.load(str(file))
    assert [(entry.spec, entry.samples) for entry in suite.attacks] == [
        ("gaussian", None),
        ("stable:alpha=0.7", None),
        ("pgd:steps=50", 200),
    ]
    assert suite.snr_db == tuple(range(0, 55, 5))
    assert suite.samples == 1000


def test_strings_and_tables_are_the_same_suite(tmp_path):
    texts = ('attacks = ["gaussian", {spec = "pgd", samples = 200}]', '[[attacks]]\nspec = "gaussian"\n[[attacks]]\n'
             'spec = "pgd"\nsamples = 200')  # fmt: skip
    found = []
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.toml").write_text(text)
        found.append(suites.load(str(tmp_path / f"{number}.toml")))
    assert found[0] == found[1]


def test_an_unknown_suite_names_the_others():
    with pytest.raises(UsageError, match="did you mean 'default'"):
        suites.load("defualt")


def test_a_run_keeps_what_its_attacks_declare():
    specs = ["gaussian", "fgsm", "pgd", "square-attack", "fgm@l2=0.5"]
    suite = suites.build("test", attacks=[{"spec": spec} for spec in specs])
    stored = suites.Suite.model_validate_json(suite.model_dump_json())
    for entry in stored.attacks:
        attack = parse(entry.spec)
        assert suites.declared(attack) == {name: getattr(entry, name) for name in suites.declared(attack)}
    assert [entry.norm for entry in stored.attacks] == [None, "linf", "l2", "l2", "l2"]
    assert [entry.uses_gradient for entry in stored.attacks] == [False, True, True, False, True]


def test_entries_of_older_runs_are_filled_in(monkeypatch):
    run = Run.open(HISTORIC / "run-v2")
    at_radius = [entry.spec for entry in run.info.suite.attacks if entry.at_radius]
    assert at_radius == ["pgd:steps=3@l2=1.5"]
    for entry in run.info.suite.attacks:
        declared = suites.declared(parse(entry.spec))
        assert {name: getattr(entry, name) for name in declared} == declared
    assert run.sign_attacks == set()
    assert "worst" in set(run.curves.attack)
    assert run.warnings is not None
    # Nothing of another library is imported, and nothing assumed.
    monkeypatch.setitem(sys.modules, "torchattacks", None)
    old = {"spec": "torchattacks.PGDL2@l2=0.5", "adversary": True, "family": "foreign", "note": ""}
    entry = suites.Entry.model_validate(old)
    assert (entry.at_radius, entry.uses_gradient, entry.iterative, entry.norm) == (True, True, False, None)
    library, plugin = (suites.Entry.model_validate({**old, "spec": spec}) for spec in ("art.DeepFool", "theirs:x=1"))
    assert (library.at_radius, library.stochastic, plugin.stochastic) == (False, False, True)


@pytest.mark.parametrize(("spec", "seeds", "same"), [
    ("gaussian", [0, 1], True), ("fgm@l2=0.5", [0], True), ("fgm@l2=0.5", [0, 1], False),
    ("torchattacks.PGDL2", [0], True), ("torchattacks.PGDL2", [0, 1], False),
])  # fmt: skip
def test_an_older_run_is_resumed_where_its_cells_are_the_same(spec, seeds, same):
    """A seed more or less is another plan of cells."""
    if spec.startswith("torchattacks"):
        pytest.importorskip("torchattacks")
    info = Run.open(HISTORIC / "run-v2").info
    entry = suites.build("test", attacks=[{"spec": spec}]).attacks[0]
    old = entry.model_dump(include={"spec", "samples", "adversary", "family", "note"})
    now, before = (
        info.model_copy(update={"suite": info.suite.model_copy(update={"attacks": (each,)}), "seeds": seeds})
        for each in (entry, suites.Entry.model_validate(old))
    )
    assert (now.identity() == before.identity()) == same
