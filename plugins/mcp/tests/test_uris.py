"""URIs with variables: what matches, and what it gives."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_host_mcp.uri_templates import below, parse_uri, within


@pytest.mark.parametrize(
    ("template", "uri", "values"),
    [
        ("shop://items/{id}", "shop://items/7", {"id": "7"}),
        ("shop://items/{{ id }}", "shop://items/7", {"id": "7"}),
        ("shop://items/{id}", "shop://items/a%20b%2Fc%C3%A9", {"id": "a b/cé"}),
        ("shop://items/{id}", "shop://items/", None),
        ("shop://items/{id}", "shop://items/a/b", None),
        ("shop://items/{id}", "shop://items/a?b", None),
        ("shop://items/{id}", "shop://items/%ff", None),
        ("shop://items/{id}", "shop://items/" + "a" * 9000, None),
        ("shop://{city}/{day-of}/x", "shop://b/1/x", {"city": "b", "day-of": "1"}),
        ("shop://{a}-{b}", "shop://1-2", {"a": "1", "b": "2"}),
        ("shop://{a}-{b}", "shop://1-2-3", {"a": "1", "b": "2-3"}),
        ("shop://all", "shop://all", {}),
        ("shop://all", "shop://all/", None),
        ("shop://a.b/{x}", "shop://aab/1", None),
    ],
)
def test_a_uri_matches_or_not(template: str, uri: str, values: dict[str, str] | None) -> None:
    assert parse_uri(template).match(uri) == values


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
def test_any_value_comes_through(value: str) -> None:
    assert parse_uri("shop://{a}/x").match(f"shop://{quote(value, safe='')}/x") == {"a": value}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("items", "'uri' must begin with a scheme, as 'docs://' does (given 'items')"),
        ("shop://{+path}", "'uri' may have variables as {name} alone (given '{+path}')"),
        ("shop://{}", "'uri' may have variables as {name} alone (given '{}')"),
        ("shop://{a}/{a}", "'uri' has the variable 'a' twice"),
        ("shop://{a}{b}", "'uri' must have something between the variables 'a' and 'b'"),
        ("shop://{a", "'uri' has a brace without its other half (given 'shop://{a')"),
    ],
)
def test_what_is_no_template_is_told(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_uri(text)


@pytest.mark.parametrize("uri", ["docs://served/%ff", "docs://served//a.txt", "docs://served", "docs://other/a.txt"])
def test_a_uri_of_nothing_has_no_path(uri: str) -> None:
    assert within("docs://served", uri) is None


@given(
    segments=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), min_size=1, max_size=20),
        min_size=1,
        max_size=5,
    )
)
def test_every_path_is_found_by_its_uri(segments: list[str]) -> None:
    path = "/".join(segments)
    assert within("docs://served", below("docs://served", path)) == path
