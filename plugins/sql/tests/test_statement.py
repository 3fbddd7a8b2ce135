"""The parameters of a statement are found where SQL has none of its own."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_host_sql.statement import Statement


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SELECT :a, :b_2, :a", ("a", "b_2")),
        ("SELECT ':a', 'it''s :b', :c", ("c",)),
        ('SELECT ":a" FROM "b:c" WHERE d = :e', ("e",)),
        ("SELECT 1 -- :a\n, :b /* :c */", ("b",)),
        ("SELECT :a::text, '1'::int", ("a",)),
        ("SELECT $$ :a $$, $x$ :b $$ $x$, :c", ("c",)),
        (r"SELECT E'\' :a', :b", ("b",)),
        ("SELECT a[1:2], b:c", ()),
        ("SELECT `:a`, :b", ("b",)),
        ("SELECT 'unclosed :a", ("a",)),
        ("SELECT 1;", ()),
    ],
)
def test_parameters(text: str, names: tuple[str, ...]) -> None:
    assert Statement.parse("read", text).parameters == names


def test_placeholders() -> None:
    statement = Statement.parse("read", "SELECT :a, ':a', :b::text, :a;")
    assert statement.with_placeholders("${}") == "SELECT $1, ':a', $2::text, $1"


@given(st.text(), st.text())
def test_texts_and_names_are_left_alone(text: str, name: str) -> None:
    quoted = "'" + text.replace("'", "''").replace("\0", "") + "'"
    statement = Statement.parse("read", f"SELECT {quoted} AS a, :value AS b")
    assert statement.parameters == ("value",)
    assert statement.with_placeholders("?") == f"SELECT {quoted} AS a, ? AS b"
    if not any("\ud800" <= character <= "\udfff" for character in text + name):
        row = sqlite3.connect(":memory:").execute(statement.text, {"value": name}).fetchone()
        assert row == (text.replace("\0", ""), name)
