"""What README and docs say to type works: Python blocks run, commands parse, and sweeps open what they name.

In CI a sweep on bundled data stops where `--dry-run` does, and experiments that take minutes are parsed alone;
`make test-all` (DOCS=all) runs every command on bundled data to its end, page by page, in a folder of the page's own. A
block that cannot be run anywhere has `<!-- not run: why -->` on the line above it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest
import torch

from cnncomm_bench import bundled, cli
from cnncomm_bench.cli import tables
from cnncomm_bench.cli.main import cli as group

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NOT_RUN = re.compile(r"<!-- not run: \S.* -->")
BUNDLED = ("attacks", "link", "section5", "special", "bandwidth", "transmission")
"""Commands that need no data but the bundled, unless they name some."""
READ_RUNS = ("report", "compare", "correspond")
"""Commands that read what earlier ones of the page have written."""


class Block(NamedTuple):
    """A piece of a page: "python", "toml" or a "command"."""

    page: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Fenced Python and TOML, and commands in indented or fenced blocks, but for those that are marked as not run.

    A line `M="..."` of the page says what `$M` is in its commands.
    """
    lines = page.read_text("utf-8").splitlines()
    name, number = page.relative_to(ROOT).as_posix(), 0
    skipped, variables = False, dict[str, str]()
    while number < len(lines):
        line, start = lines[number], number + 1
        number += 1
        if line.startswith("```") and line.strip("`") in ("python", "toml"):
            end = lines.index("```", number)
            if not skipped:
                yield Block(name, start, line.strip("`"), "\n".join(lines[number:end]))
            number = end + 1
        elif assigned := re.fullmatch(r' {4}([A-Z]+)="(.*)"', line):
            variables[assigned[1]] = assigned[2]
        elif re.match(r"( {4}|\$ )?cnncomm-bench ", line):
            while lines[number - 1].endswith("\\"):
                number += 1
            if not skipped:
                command = " ".join(part.strip().removesuffix("\\") for part in lines[start - 1 : number])
                command = re.sub(r"\$([A-Z]+)\b", lambda use: variables[use[1]], command.removeprefix("$ "))
                yield Block(name, start, "command", command)
        skipped = bool(NOT_RUN.fullmatch(line)) or (skipped and line.startswith("    "))


EVERY = [block for page in PAGES for block in blocks(page)]
COMMANDS = [block for block in EVERY if block.kind == "command"]


def arguments(block: Block) -> list[str]:
    return shlex.split(block.text, comments=True)[1:]


def on_bundled_data(block: Block) -> bool:
    """Whether nothing but the installed package is needed."""
    words = arguments(block)
    given = [words[at + 1] for at, word in enumerate(words) if word in ("--model", "--data", "--test", "--factory")]
    sweep = words[0].startswith("-") or words[0] == "run"
    known = all(name.startswith("bundled:") for name in given)
    return known and (words[0] in BUNDLED or sweep) and "--executor" not in words


@pytest.fixture
def parsed_alone(monkeypatch):
    """Every command parses its line and does nothing."""
    waiting: list[click.Command] = list(group.commands.values())
    for command in waiting:
        waiting += command.commands.values() if isinstance(command, click.Group) else ()
        monkeypatch.setattr(command, "callback", None)
    return group


def test_every_command_parses(parsed_alone):
    inline = [
        (f"{page.name}: {text}", shlex.split(text)[1:])
        for page in [*PAGES, *ROOT.glob("*/README.md"), ROOT / "CONTRIBUTING.md"]
        for text in re.findall(r"`(cnncomm-bench [^`]+)`", page.read_text("utf-8"))
    ]
    assert len(inline) > 20
    for where, words in [*inline, *((str(block), arguments(block)) for block in COMMANDS)]:
        try:
            parsed_alone.main(args=[word for word in words if word != "..."], standalone_mode=False)
        except click.MissingParameter as error:
            if len(words) > 2:  # a text that names a command alone may leave its arguments out
                raise AssertionError(where) from error
        except click.UsageError as error:
            raise AssertionError(where) from error


def test_every_sweep_on_bundled_data_opens_what_it_names(tmp_path, monkeypatch, capsys):
    """Models, images, suite, attacks and grid; what the forecast measures has tests of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tables, "estimated", lambda request: f"estimated {request.folder}")
    write_suites()
    sweeps = [block for block in COMMANDS if on_bundled_data(block) and arguments(block)[0].startswith("-")]
    assert len(sweeps) >= 4
    for block in sweeps:
        cli.main([*arguments(block), "--dry-run"])
        assert "estimated" in capsys.readouterr().out, block


def write_suites() -> None:
    """The suite files that commands name."""
    for block in EVERY:
        if block.kind == "toml" and block.page == "docs/suites.md":
            Path("mine.toml").write_text(block.text)


@pytest.mark.parametrize("page", [page for page in PAGES if any(b.kind == "python" for b in blocks(page))], ids=str)
def test_python_blocks_run(page, tmp_path, monkeypatch, capsys):
    """One after another, as in a notebook; `model`, `images` and `labels` are at hand, as in most of them."""
    monkeypatch.chdir(tmp_path)
    pixels, labels, _ = bundled.images()
    images = torch.from_numpy(pixels[:8]).float() / 255
    names = {"model": bundled.load("standard"), "images": images, "labels": torch.from_numpy(labels[:8])}
    for block in blocks(page):
        if block.kind == "python":
            exec(compile(block.text, str(block), "exec"), names)


def test_blocks_are_found(tmp_path, monkeypatch):
    """The reader of pages, on a page that has every form."""
    page = tmp_path / "page.md"
    page.write_text(
        "    cnncomm-bench a \\\n        --b 1    # why\n\n```python\nx = 1\n```\n<!-- not run: a cluster -->\n"
        "    cnncomm-bench c\n    cnncomm-bench d\n\n    cnncomm-bench e\n<!-- not run: no such data -->\n"
        "```python\ny\n```\n"
    )
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    found = [(block.kind, block.text) for block in blocks(page)]
    assert [kind for kind, _ in found] == ["command", "python", "command"]
    assert arguments(Block("", 0, "command", found[0][1])) == ["a", "--b", "1"]
    assert found[2][1].split() == ["cnncomm-bench", "e"]


@pytest.mark.skipif(os.environ.get("DOCS") != "all", reason="minutes to hours: make test-all")
@pytest.mark.parametrize("page", sorted({block.page for block in COMMANDS}))
def test_every_command_on_bundled_data_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_suites()
    for block in COMMANDS:
        words = arguments(block)
        reads = words[0] in READ_RUNS and all(Path(w).exists() for w in words[1:] if w.startswith("runs/"))
        if block.page == page and (on_bundled_data(block) or reads):
            ran = subprocess.run([sys.executable, "-m", "cnncomm_bench.cli", *words], capture_output=True, text=True)
            assert ran.returncode == 0, f"{block}: {ran.stderr[-500:]}"
