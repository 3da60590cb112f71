"""Sentences count by `cohorts.counting.tally`, so that none says "1 people"."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from cohorts.counting import agree, tally
from reports.page.formats import MISSING, show_size, show_tally

ROOT = Path(__file__).parents[2]
NOUNS = re.compile(r" (people|visits|rows|volumes|scans|sites|sessions)\b")
LIMIT = re.compile(r"_?[A-Z][A-Z_]+")
WORDS = {
    *("what", "word", "self.name", "path.name", "group.role", "purpose", "people", "span"),
    "needed",
    *("show_size(whole['expected_n'])", "show_count(best['n_treatment'])", "first['n_treatment']"),
}
"""What is no number, the last of several, or never one."""


def test_one_is_told_in_the_singular() -> None:
    assert tally(1, "people have") == "1 person has"
    assert tally(1, "values are no numbers") == "1 value is no number"
    assert agree(1.0, "people a month") == "person a month"
    assert show_tally(0.6, "people have", show_size) == "1 person has"
    assert show_tally(np.nan, "people") == f"{MISSING} people"
    assert [tally(n, "visits") for n in (0, 1, 2)] == ["0 visits", "1 visit", "2 visits"]


def list_bare(tree: ast.AST) -> list[str]:
    """The numbers in f-strings that a plural follows, but for limits that are more than one."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.JoinedStr):
            continue
        for number, text in zip(node.values, node.values[1:], strict=False):
            if not isinstance(number, ast.FormattedValue) or not isinstance(text, ast.Constant):
                continue
            words = ast.unparse(number.value)
            if words.startswith("tally("):
                continue
            if NOUNS.match(str(text.value)) and not LIMIT.search(words) and words not in WORDS:
                found.append(words + str(text.value)[:20])
    return found


@pytest.mark.parametrize("package", ["brlp_models", "cohorts", "reports", "trialsim"])
def test_no_sentence_puts_a_plural_behind_a_bare_number(package: str) -> None:
    found = {
        str(path): list_bare(ast.parse(path.read_text(encoding="utf-8")))
        for path in (ROOT / package).rglob("*.py")
    }
    assert {path: bare for path, bare in found.items() if bare} == {}
