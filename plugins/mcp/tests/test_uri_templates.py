"""URI templates: matching, parsing and errors."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from adapter_host_mcp.uri_templates import file_uri, parse_uri, path_in_folder


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
def test_uri_template_match(template: str, uri: str, values: dict[str, str] | None) -> None:
    assert parse_uri(template).match(uri) == values


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
def test_uri_template_round_trip(value: str) -> None:
    assert parse_uri("shop://{a}/x").match(f"shop://{quote(value, safe='')}/x") == {"a": value}


@pytest.mark.parametrize(
    "text", ["items", "shop://{+path}", "shop://{}", "shop://{a}/{a}", "shop://{a}{b}", "shop://{a"]
)
def test_invalid_uri_templates(text: str, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(ValueError, match=r"^'uri' ") as caught:
        parse_uri(text)
    assert str(caught.value) == snapshot


@pytest.mark.parametrize("uri", ["docs://served/%ff", "docs://served//a.txt", "docs://served", "docs://other/a.txt"])
def test_path_in_folder_of_other_uris(uri: str) -> None:
    assert path_in_folder("docs://served", uri) is None


@given(
    segments=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), min_size=1, max_size=20),
        min_size=1,
        max_size=5,
    )
)
def test_file_uri_round_trip(segments: list[str]) -> None:
    path = "/".join(segments)
    assert path_in_folder("docs://served", file_uri("docs://served", path)) == path
