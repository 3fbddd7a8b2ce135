"""Edits of YAML text: values change, and every other character stays."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_host.document.source import Source
from adapter_host.document.text.edits import COMMENTED, SHARED, TextEdits
from adapter_host.document.text.layout import Entry, Layout, Span
from adapter_host.openapi.update.matching import same
from adapter_host.openapi.update.merge import Kept, Merge

TEXT = """\
# First
a: 1  # one
b:
  - name: x  # named
    text: |+
      kept # no comment

  # About y
  - name: "y"
    list: [1, 2]  # flow

  - - deep
    - deeper
  -
    z:
'c': {d: 1, e: [2]}
# Last
"""


def edited(text: str, *edits: tuple[str, Any]) -> str:
    """Return a text with edits; each is the name of a method and its arguments."""
    made = TextEdits(Layout(text))
    for method, arguments in edits:
        getattr(made, method)(*arguments)
    return made.apply()


@pytest.mark.parametrize(
    ("edits", "old", "new"),
    [
        ([("replace", (("a",), 2))], "a: 1  #", "a: 2  #"),
        ([("replace", (("a",), {"b": "x\ny"}))], "a: 1  #", 'a: {b: "x\\ny"}  #'),
        ([("replace", (("b", 0, "text"), "new"))], "    text: |+\n      kept # no comment\n\n", "    text: new\n"),
        ([("replace", (("b", 1, "list"), [3]))], "[1, 2]  # flow", "[3]  # flow"),
        ([("replace", (("b", 3, "z"), {"k": [1]}))], "    z:\n", "    z:\n      k:\n        - 1\n"),
        ([("replace", (("b", 2, 1), {"k": "v"}))], "    - deeper\n", "    - k: v\n"),
        ([("replace", (("c",), {"d": 2}))], "'c': {d: 1, e: [2]}\n", "'c': {d: 2}\n"),
        ([("delete", (("b", 2),))], "  - - deep\n    - deeper\n", ""),
        ([("delete", (("b", 2, 0),))], "  - - deep\n    - deeper\n", "  - - deeper\n"),
        ([("delete", (("b", 0, "text"),))], "    text: |+\n      kept # no comment\n\n", ""),
        ([("insert", (("b", 0), "name", 5, "n"))], "named\n", "named\n    n: 5\n"),
        ([("insert", (("b",), 2, {"k": [1, 2]}))], "deeper\n", "deeper\n  - k:\n      - 1\n      - 2\n"),
        ([("insert", (("b",), 0, "i"))], "comment\n\n", "comment\n\n  - i\n"),
        ([("insert", ((), "b", {"k": 1}, "n"))], "    z:\n", "    z:\n\nn:\n  k: 1\n"),
        (
            [("insert", (("b", 2), 1, "in")), ("insert", (("b",), 2, "out")), ("delete", (("b", 2, 0),))],
            "  - - deep\n    - deeper\n",
            "  - - deeper\n    - in\n  - out\n",
        ),
        (
            [("delete", (("b", 0, "text"),)), ("insert", (("b",), 0, "out")), ("insert", (("b", 0), "name", 1, "n"))],
            "named\n    text: |+\n      kept # no comment\n\n",
            "named\n    n: 1\n  - out\n",
        ),
    ],
)  # fmt: skip
def test_edits(edits: list[tuple[str, Any]], old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    assert edited(TEXT, *edits) == TEXT.replace(old, new)
    windows = TEXT.replace("\n", "\r\n")
    assert edited(windows, *edits) == TEXT.replace(old, new).replace("\n", "\r\n")


def test_a_file_without_a_line_break_at_the_end() -> None:
    assert edited("a: 1", ("insert", ((), "a", 2, "b"))) == "a: 1\n\nb: 2"
    assert edited("a: 1\nb: 2", ("delete", (("b",),))) == "a: 1\n"


@pytest.mark.parametrize(
    ("method", "loc", "reason"),
    [
        ("reason_not_replaced", ("a",), None),
        ("reason_not_deleted", ("a",), COMMENTED),
        ("reason_not_deleted", ("b", 0, "text"), None),
        ("reason_not_deleted", ("b", 1), COMMENTED),
        ("reason_not_deleted", ("b", 2), None),
        ("reason_not_replaced", ("b",), COMMENTED),
        ("reason_not_replaced", ("b", 2), None),
        ("reason_not_replaced", ("b", 0, "name"), None),
        ("reason_not_deleted", ("b", 0, "name"), COMMENTED),
    ],
)
def test_what_comments_belong_to(method: str, loc: tuple[str | int, ...], reason: str | None) -> None:
    assert getattr(TextEdits(Layout(TEXT)), method)(loc) == reason


SHARING = (
    "a: &one {k: 1}\nb: *one\nc:\n  <<: *one\n  l: 2\nd: &two\n  m: 1\ne: !<tag>\n  n: 1\nf: &three 3\ng: *three\n"
)


@pytest.mark.parametrize("key", ["a", "b", "c", "e"])
def test_what_is_written_elsewhere_cannot_be_changed(key: str) -> None:
    assert TextEdits(Layout(SHARING)).reason_shared((key,)) == SHARED


def test_an_anchor_without_an_alias_can_be_changed() -> None:
    edits = TextEdits(Layout(SHARING))
    assert edits.reason_shared(("d",)) is None
    assert edits.reason_not_replaced(("f",)) == edits.reason_not_replaced(("g",)) == SHARED
    assert edits.reason_not_replaced(("c", "k")) == SHARED


# Any document

WORDS = ["a", "b", "c", "it's", "# no", "x: y", "- z", "é\u20ac", "", " lead", "two\nlines\n", "\n\nx\n\n", "long " * 9]
KEYS = ["a", "b", "c", "d", "name", "200", "x y", "it's", "tools"]


def any_value(random: Random, depth: int = 0) -> Any:
    """Return a random value."""
    kind = random.randrange(8 if depth < 4 else 5)
    if kind < 2:
        return random.choice(WORDS)
    if kind < 5:
        return random.choice([random.randint(-9, 9), random.random(), True, False, None])
    if kind == 5:
        return random.sample(WORDS, random.randrange(4))
    if kind == 6:
        return [any_value(random, depth + 1) for _ in range(random.randrange(4))]
    return any_mapping(random, depth + 1)


def any_mapping(random: Random, depth: int = 0) -> dict[str, Any]:
    return {key: any_value(random, depth) for key in random.sample(KEYS, random.randrange(5))}


def changed(random: Random, value: Any) -> Any:
    """Return a value with random changes in it."""
    kind = random.randrange(6)
    if kind == 0:
        return any_value(random, 2)
    if kind < 3 or not isinstance(value, dict | list):
        return value
    if isinstance(value, list):
        items = [changed(random, item) for item in value if random.randrange(5)]
        return items + [any_value(random, 2) for _ in range(random.randrange(3))]
    return changed_mapping(random, value)


def changed_mapping(random: Random, value: dict[str, Any]) -> dict[str, Any]:
    kept = {key: changed(random, item) for key, item in value.items() if random.randrange(5)}
    return kept | (any_mapping(random, 2) if random.randrange(2) else {})


def written(random: Random, data: dict[str, Any]) -> tuple[str, list[str]]:
    """Return the data as YAML in one of its styles, with comments, and the comments."""
    style = random.choice([False, False, None])
    text = yaml.safe_dump(
        data, sort_keys=False, allow_unicode=True, default_flow_style=style, width=random.choice([20, 80]), indent=3
    )
    layout = Layout(text)
    comments: list[str] = []
    lines = text.split("\n")
    for start in sorted({layout.line_start(entry.start) for entry in entries(layout.root)}, reverse=True):
        if random.randrange(6) == 0:
            number = text.count("\n", 0, start)
            comments.append(f"#{len(comments)}#")
            lines.insert(number, " " * (len(lines[number]) - len(lines[number].lstrip())) + comments[-1])
    return random.choice(["\n", "\r\n"]).join(lines), comments


def entries(span: Span) -> Iterator[Entry]:
    if not span.is_flow:
        for entry in span.children:
            yield entry
            yield from entries(entry.value)


@given(st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_any_document_becomes_another_one(seed: int) -> None:
    random = Random(seed)
    data = any_mapping(random) or {"a": 1}
    text, comments = written(random, data)
    new = changed_mapping(random, data)
    merge = Merge(TextEdits(Layout(text)), data, {}, Kept())
    merged = merge.merge(data, new)
    result = merge.edits.apply()
    assert same(Source.parse(result, "a.yaml").data, merged)
    assert [comment for comment in comments if comment not in result] == []
    if not merge.conflicts:
        assert sorted_lists(merged) == sorted_lists(new)
    if same(data, new):
        assert (result, merge.conflicts) == (text, [])


def sorted_lists(value: Any) -> Any:
    """Return data in which the order of lists does not matter, as it does not in a merge."""
    if isinstance(value, dict):
        return {key: sorted_lists(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted((sorted_lists(item) for item in value), key=repr)
    return value
