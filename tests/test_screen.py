"""What reaches the terminal: one line for any error, its traceback on request, no control characters."""

import pytest

from cnncomm_bench import cli
from cnncomm_bench._utils.errors import UsageError
from cnncomm_bench.cli import screen, typed
from cnncomm_bench.report import comparison


def call(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        cli.main(list(arguments))
    return stopped.value.code, capsys.readouterr().err


@pytest.fixture
def broken(monkeypatch):
    def breaks(*_):
        raise ZeroDivisionError("a\x1b[2J\nb")

    monkeypatch.setattr(comparison, "compare", breaks)


@pytest.mark.usefixtures("broken")
def test_an_unexpected_error_is_one_line(capsys):
    code, err = call(capsys, "compare", "a", "b")
    assert code == 1
    assert err == (
        "cnncomm-bench: ZeroDivisionError: a\\x1b[2J "
        "(unexpected; please report it: rerun with --debug for the traceback)\n"
    )


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(
    "line", [["--debug", "compare", "a"], ["compare", "--debug", "a"], ["compare", "a", "--debug"]]
)
def test_debug_anywhere_shows_the_traceback(capsys, line):
    code, err = call(capsys, *line)
    assert code == 1
    assert "Traceback" in err and 'raise ZeroDivisionError("a' in err and "\x1b" not in err
    assert err.splitlines()[-1].startswith("cnncomm-bench: ZeroDivisionError")


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(("value", "shows"), [("1", True), ("0", False), ("", False)])
def test_debug_by_the_environment(capsys, monkeypatch, value, shows):
    monkeypatch.setenv("CNNCOMM_BENCH_DEBUG", value)
    assert ("Traceback" in call(capsys, "compare", "a", "b")[1]) == shows


def test_an_error_of_the_system_names_its_file(capsys, monkeypatch):
    def unreadable(*_):
        raise PermissionError(13, "Permission denied", "a\x1b.parquet")

    monkeypatch.setattr(comparison, "compare", unreadable)
    assert call(capsys, "compare", "a", "b") == (
        1,
        "cnncomm-bench: a\\x1b.parquet: Permission denied (--debug shows where)\n",
    )


def test_what_a_terminal_acts_on_is_escaped(capsys):
    screen.show("a\x1b[31mb\x07\u202ec\udcff\nd\u00e9")
    assert capsys.readouterr().out == "a\\x1b[31mb\\x07\\u202ec\\udcff\nd\u00e9\n"


def test_the_command_is_escaped_where_it_is_stored(monkeypatch):
    monkeypatch.setattr("sys.argv", ["cnncomm-bench", "\x1b[2J", "\udcff"])
    assert typed.typed() == "cnncomm-bench '\\x1b[2J' '\\udcff'"


def test_parameters_of_an_error_are_named_as_options(capsys, monkeypatch):
    def refuses(*_):
        raise UsageError("wrong", "out", "models", "nothing")

    monkeypatch.setattr(comparison, "compare", refuses)
    assert call(capsys, "compare", "a", "b") == (2, "cnncomm-bench: wrong (--out, --model)\n")
