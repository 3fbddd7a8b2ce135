"""The JSONPath dialect of mappings."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_host.expressions.jsonpath import compile_path, is_identity

DATA = {
    "id": 7,
    "none": None,
    "first-name": "Ann",
    "a b": 4,
    "foo bar": {"z": 5},
    "tags": ["x", "y"],
    "items": [{"name": "one", "price": 1}, {"name": "two", "price": 2}],
    "deep": {"er": {"list": [[1, 2], [3]]}},
}


@pytest.mark.parametrize("path", ["$", "$.", "", " $ ", " $. "])
def test_identity_paths(path: str) -> None:
    assert is_identity(path)
    assert compile_path(path)(DATA) is DATA


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.id", 7),
        ("id", 7),
        (".id", 7),
        (" $.id ", 7),
        ("$.first-name", "Ann"),
        ("$['first-name']", "Ann"),
        ('$["first-name"]', "Ann"),
        ("$['a b']", 4),
        ("$.a b", 4),
        ("$.foo bar.z", 5),
        ("$.items[0].name", "one"),
        ('$.items[0]["name"]', "one"),
        ("items[1].name", "two"),
        ("$.items[-1].name", "two"),
        ("$.deep.er.list[0][1]", 2),
        ("$.tags[0]", "x"),
        ("$.tags.length()", 2),
        ("tags.length()", 2),
        ("$.length()", 8),
        ("$['foo bar'].length()", 1),
        ("$.id.length()", None),
        ("$.none", None),
        ("$.missing", None),
        ("$.missing.further[3]", None),
        ("$.id.further", None),
        ("$.tags.name", None),
        ("$.tags[5]", None),
        ("$.tags[-3]", None),
        ("$.id[0]", None),
        ('$["missing"]', None),
        ("$.items[*].name", ["one", "two"]),
        ("items[*].name", ["one", "two"]),
        (".items[*].name", ["one", "two"]),
        ("$.items[*].missing", []),
        ("$..name", ["one", "two"]),
        ("..name", ["one", "two"]),
        ("$.items[0:1]", [{"name": "one", "price": 1}]),
        ("$.items[?@.price > 1].name", ["two"]),
        ("$.items[?(@.price > 5)]", []),
        ("$.tags[*]", ["x", "y"]),
        ("$.missing[*]", []),
    ],
)
def test_paths(path: str, expected: Any) -> None:
    assert not is_identity(path)
    assert compile_path(path)(DATA) == expected


@pytest.mark.parametrize("document", [None, 5, "text", True, [], {}])
def test_missing_values_are_none(document: Any) -> None:
    assert compile_path("$.a.b")(document) is None
    assert compile_path("$[0]")(document) is None
    assert compile_path('$["a"]["b"]')(document) is None


@pytest.mark.parametrize("path", ["$[", "$.a[?(", "$.a..", "$..", "$.a.", "$.a,b", "$.a[]", "length()"])
def test_invalid_paths(path: str) -> None:
    with pytest.raises(ValueError, match="is not a JSONPath") as caught:
        compile_path(path)
    assert f"'{path}'" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


SCALARS = st.none() | st.integers()
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
NAMES = st.text(st.characters(exclude_characters="'\\", exclude_categories=["C"]), min_size=1)


@given(st.text(max_size=20), DOCUMENTS)
def test_any_text_compiles_or_raises(path: str, document: Any) -> None:
    getter = None
    with suppress(ValueError):
        getter = compile_path(path)
    if getter:
        getter(document)


@given(st.dictionaries(NAMES, st.integers(), min_size=1))
def test_any_name_can_be_quoted(document: dict[str, int]) -> None:
    for name, value in document.items():
        assert compile_path(f"$['{name}']")(document) == value
