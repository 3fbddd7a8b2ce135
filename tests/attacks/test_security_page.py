"""The page about security names tests for every promise, and names every file of attacks."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT

PAGE = ROOT / "docs/explanation/security.md"
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
REFERENCE = re.compile(r"`([^`]+)`")
ROWS = {int(number): REFERENCE.findall(tests) for number, _, tests in ROW.findall(PAGE.read_text())}


def test_promises_are_numbered() -> None:
    assert list(ROWS) == list(range(1, len(ROWS) + 1))
    assert len(ROWS) > 30
    numbered = [line for line in PAGE.read_text().splitlines() if re.match(r"\| \d", line)]
    assert len(numbered) == len(ROWS)


@pytest.mark.parametrize("number", ROWS)
def test_tests_of_a_promise_exist(number: int) -> None:
    assert ROWS[number]
    for reference in ROWS[number]:
        file, _, name = reference.partition("::")
        path = ROOT / file
        assert path.is_file(), f"no file {file}; correct row {number} of {PAGE.relative_to(ROOT)}"
        assert not name or name in names_of_tests(path), f"no test {reference}; correct row {number}"


def test_every_file_of_attacks_shows_a_promise() -> None:
    named = {reference.partition("::")[0] for references in ROWS.values() for reference in references}
    files = {str(path.relative_to(ROOT)) for path in Path(__file__).parent.glob("test_*.py")}
    missing = sorted(files - named - {str(Path(__file__).relative_to(ROOT))})
    assert missing == [], f"name them in a row of {PAGE.relative_to(ROOT)}"


def names_of_tests(path: Path) -> set[str]:
    """Return the names of the tests in a file."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return {
        node.name
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }
