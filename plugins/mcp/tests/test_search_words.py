"""The words and stems that the search compares, and its index."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_host_mcp.search.index import MAX_TERMS, Index
from adapter_host_mcp.search.stemming import stem
from adapter_host_mcp.search.words import query_terms, synonyms, words_of


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("caresses", "caress"),
        ("policies", "polici"),
        ("policy", "polici"),
        ("agreed", "agre"),
        ("feed", "feed"),
        ("created", "creat"),
        ("creating", "creat"),
        ("hopping", "hop"),
        ("filing", "file"),
        ("falling", "fall"),
        ("sing", "sing"),
        ("relational", "relat"),
        ("organization", "organ"),
        ("electricity", "electr"),
        ("hopeful", "hope"),
        ("replacement", "replac"),
        ("adoption", "adopt"),
        ("controlling", "control"),
        ("rate", "rate"),
        ("sky", "sky"),
        ("is", "is"),
        ("oauth2", "oauth2"),
        ("größe", "größe"),
    ],
)
def test_stems(word: str, expected: str) -> None:
    assert stem(word) == expected


@given(st.text(max_size=60))
def test_stems_never_grow_by_more_than_a_letter(word: str) -> None:
    assert len(stem(word)) <= len(word) + 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("getUserIDs", ["get", "user", "id"]),
        ("listHTTPRoutes", ["list", "http", "routes"]),
        ("web_hook-event.v2", ["web", "hook", "event", "v2"]),
        ("the IDs", ["the", "id"]),
        ("Größe prüfen", ["grösse", "prüfen"]),
        ("", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert list(words_of(text)) == words


def test_terms_of_a_query() -> None:
    assert query_terms("How do I set up a web hook?", MAX_TERMS) == ["creat", "web", "hook", "createweb", "webhook"]
    # A query of such words only keeps them.
    assert query_terms("who may", MAX_TERMS) == ["who", "mai", "whomai"]
    assert len(query_terms(" ".join(f"word{number}" for number in range(500)), MAX_TERMS)) == MAX_TERMS
    assert "remov" in synonyms("delet")
    assert list(synonyms("zeppelin")) == []


def test_rare_words_and_names_count_more() -> None:
    index = Index(
        [
            {"name": "get-report", "description": "A yearly report of the balance"},
            {"name": "get-balance", "description": "A report"},
            {"name": "get-owner", "description": "A report"},
        ]
    )
    assert index.search("report of the balance", 5)[:2] == [1, 0]
    assert index.search("balance", 1) == [1]
    assert index.search("balance", 5, {0, 2}) == [0]
    assert index.search("balances", 5) == index.search("balance", 5)


def test_equal_documents_keep_their_order() -> None:
    index = Index([{"name": "same"}] * 10)
    assert index.search("same", 4) == [0, 1, 2, 3]


def test_the_start_of_a_word_finds_it_if_nothing_else_does() -> None:
    index = Index([{"name": "telemetry"}, {"name": "telephone"}])
    assert index.search("telem", 5) == [0]
    assert index.search("tel", 5) == []


@given(st.text(max_size=200))
def test_any_query_is_searched(query: str) -> None:
    index = Index([{"name": "list-orders", "description": "Orders"}, {"name": "größe"}])
    assert set(index.search(query, 5)) <= {0, 1}
    assert Index([]).search(query, 5) == []
