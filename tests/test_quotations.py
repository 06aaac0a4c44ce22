"""What is quoted from the paper is the paper's: it stands in `paper_sentences.txt`, word by word."""

import ast
import functools
import re
from pathlib import Path

import pytest

from cnncomm_bench.experiments.correspondence.paper_pairs import pairs

ROOT = Path(__file__).parents[1]
LINES = (ROOT / "tests" / "paper_sentences.txt").read_text("utf-8").splitlines()
PAPER = " ".join(line for line in LINES if not line.startswith("#"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MODULES = [*sorted((ROOT / "cnncomm_bench").rglob("*.py")), *sorted((ROOT / "attacks").rglob("*.py"))]

SHORT = 5
"""Fewer words than this in quotation marks may be a word's name, or a verdict."""


def plain(text):
    """Text of a page or a module without its marks: one line."""
    return " ".join(text.replace("\\[", "[").replace("\\]", "]").split())


def quoted(page):
    """Block quotes, and what stands in quotation marks in running text."""
    text = page.read_text("utf-8")
    for block in re.findall(r"(?:^>.*\n)+", text, flags=re.M):
        yield plain(re.sub(r"^>", "", block, flags=re.M))
    text = re.sub(r"^```.*?^```|^(?: {4}|[>|]).*?$|`[^`\n]*`", "", text, flags=re.M | re.S)
    for sentence in re.findall(r'"([^"]+)"', text):
        if len(sentence.split()) >= SHORT:
            yield plain(sentence)


@functools.cache
def strings(module):
    """Docstrings of a module, and its other strings."""
    nodes = list(ast.walk(ast.parse(module.read_text("utf-8"))))
    scopes = ast.Module | ast.ClassDef | ast.FunctionDef
    docs = [doc for node in nodes if isinstance(node, scopes) and (doc := ast.get_docstring(node, clean=False))]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return docs, [text for text in texts if text not in docs]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_quote_verbatim(page):
    assert not [sentence for sentence in quoted(page) if sentence not in PAPER]


def test_what_pages_quote_is_found():
    found = [sentence for page in PAGES for sentence in quoted(page)]
    assert len(found) > 20
    assert all(pair.quote in PAPER for pair in pairs())


def test_statements_are_in_our_words():
    cited = [text for module in MODULES for text in strings(module)[1] if re.search(r"Ge et al\., (Fig|Sec)", text)]
    assert len(cited) > 20
    assert not [text for text in cited if "in our words" not in text]


def test_modules_quote_verbatim():
    quotes = [
        plain(sentence)
        for module in MODULES for texts in strings(module) for text in texts
        for sentence in re.findall(r'[Tt]he paper\b[^."]*"([^"]+)"', text)
    ]  # fmt: skip
    assert len(quotes) > 1
    assert not [sentence for sentence in quotes if sentence not in PAPER]
