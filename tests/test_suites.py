import pytest

from cnncomm_bench._utils.errors import UsageError
from cnncomm_bench.results import suites


@pytest.mark.parametrize("name", suites.names())
def test_suites_that_come_along_load(name):
    suite = suites.load(name)
    assert suite.title
    assert suite.attacks


def test_those_of_the_paper_are_there():
    assert {"default", "quick", "figure3", "figure4"} <= set(suites.names())
    assert suites.load("default").snr_db == suites.DEFAULT_GRID == (0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50)


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
    assert suites.parse_grid(text) == pytest.approx(grid)


@pytest.mark.parametrize(
    "text", ["", "50:0:5", "0:50:-5", "0:50:0", "30,20,10", "10,10", "a:b:c", "0:nan:1", "inf", "0:1e9:1"]
)
def test_bad_grids_say_what_a_grid_is(text):
    with pytest.raises(UsageError, match="expected"):
        suites.parse_grid(text)


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
        ('[[attacks]]\nspec = "pgd"\nsample = 3\n', "attacks.0.sample"),
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


def test_an_unknown_suite_names_the_others():
    with pytest.raises(UsageError, match="did you mean 'default'"):
        suites.load("defualt")
