"""Formatting keeps the values, the comments and their order, and does nothing the second time."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_host.document.source import Source
from adapter_host.document.text import formatting
from adapter_host.document.text.edits import dump_block
from adapter_host.document.text.formatting import formatted
from adapter_host.errors import ProblemsError
from tests.support.paths import ROOT, SHARED

EXAMPLES = sorted((ROOT / "capabilities").rglob("*.yaml"))
# A part of the corpus: its files have few authors, each of whom repeats a style.
PUBLISHED = sorted(SHARED.glob("corpus*/**/*.y*ml"))[::6] + sorted(SHARED.glob("tutorial/**/*.y*ml"))


def comments(text: str) -> list[str]:
    return re.findall(r"(?:^|\s)#.*", text)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_examples_are_formatted(file: Path) -> None:
    text = file.read_text()
    assert formatted(text, file.name) == text


@pytest.mark.skipif(not PUBLISHED, reason="the published documents are not there")
def test_published_documents_keep_their_values_and_comments() -> None:
    changed = 0
    for file in PUBLISHED:
        text = file.read_bytes().decode()
        result = formatted(text, str(file))
        assert formatted(result, str(file)) == result, file
        assert [line.strip() for line in comments(result)] == [line.strip() for line in comments(text)], file
        assert "\n\n\n" not in result, file
        changed += result != text
    assert changed > 10


UNFORMATTED = """\
# Head

info:   # beside
     label: a\x20\x20


     tags:
     -   x
     # of the item
     -  text: |
           one
             two

        kept: >+
           three

     # last of the tags
other:
- - nested
  -   - deeper
- {a: 1,
   b: 2}   # flow
quoted: "one
    two"
"""
FORMATTED = """\
# Head

info:   # beside
  label: a

  tags:
    - x
    # of the item
    - text: |
         one
           two

      kept: >+
         three

    # last of the tags
other:
  - - nested
    - - deeper
  - {a: 1,
     b: 2}   # flow
quoted: "one
    two"
"""


def test_layout() -> None:
    assert formatted(UNFORMATTED, "") == FORMATTED
    assert formatted(FORMATTED, "") == FORMATTED


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("a: 1", "a: 1\n"),
        ("\n\na: 1\n\n\n", "a: 1\n"),
        ("\ufeffa:\n    b: 1\n", "\ufeffa:\n  b: 1\n"),
        ("a:\r\n    b: 1  \r\n\r\n\r\nc: 2\r\n", "a:\r\n  b: 1\r\n\r\nc: 2\r\n"),
        ("a: |+\n  x\n\n", "a: |+\n  x\n\n"),
        ("a: |2\n    x\n", "a: |2\n    x\n"),
        ("a:\n", "a:\n"),
        ("a:\n-\n- b\n", "a:\n  -\n  - b\n"),
        ("a: 'x\n\n\n\n  y'\n", "a: 'x\n\n\n\n  y'\n"),
        ("x: |\n  y", "x: |\n  y"),
        ("---\na:\n    b: 1\n...\n", "---\na:\n  b: 1\n...\n"),
    ],
)
def test_forms(text: str, result: str) -> None:
    assert formatted(text, "") == result


def test_other_line_breaks_are_reported() -> None:
    with pytest.raises(ProblemsError, match="line breaks other than LF and CRLF"):
        formatted('a: "x\u2028y"\n', "")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("a :#-|>'\"\\{}[],\n\t", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab-", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text("xyz", min_size=1, max_size=3), VALUES, min_size=1, max_size=3), st.integers(0, 2**32))
def test_any_document_keeps_its_values(data: dict[str, object], seed: int) -> None:
    text = dump_block(data)
    # Empty lines between entries, where they are not a part of a text.
    lines = [
        f"\n\n{line}" if seed >> index % 32 & 1 and line[:1] in "xyz" else line
        for index, line in enumerate(text.split("\n"))
    ]
    spaced = "\n".join(lines)
    try:
        before = Source.parse(spaced, "").data
    except ProblemsError:
        return
    result = formatted(spaced, "")
    assert Source.parse(result, "").data == before
    assert formatted(result, "") == result


@pytest.mark.parametrize("end", ["", "e: 1\n"])
def test_work_grows_with_the_number_of_comments(end: str) -> None:
    def lines_run(count: int) -> int:
        """Return the number of lines of Python that format a run of comments, in no column of an entry."""
        run = 0

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal run
            run += event == "line"
            return trace if frame.f_code.co_filename == formatting.__file__ else None

        text = "a:\n" + "".join(f"    k{number}: 1\n" for number in range(count)) + "  # c\n" * count + end
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            formatting._Formatter(text).run()
        finally:
            sys.settrace(before)
        return run

    assert lines_run(400) < 2.2 * lines_run(200)
