"""The goals of the search over tools: the right tool is found, in few tokens of listed definitions."""

from __future__ import annotations

import pytest

from adapter_host_mcp.exposer import McpExposer
from tests.support.paths import SHARED

from .tool_questions import FILES, OPENAPI, merged_document, questions, routes
from .tool_search import exposer_of, generated_document, hit_rate, listed_tokens, search_of

GOAL = 1500
"""Tokens of listed definitions."""

published = pytest.mark.skipif(not (FILES.is_dir() and OPENAPI.is_file()), reason=f"no published files at {SHARED}")


@pytest.fixture(scope="module")
def merged() -> McpExposer:
    return exposer_of(merged_document(**{"x-discovery": "search"}))


@published
def test_the_right_tool_is_among_the_first_five(merged: McpExposer) -> None:
    search, asked = search_of(merged), questions(routes(merged.tools))
    found = [[tool.name for tool in search.find(question.text)] for question in asked]
    assert len(asked) >= 300
    assert hit_rate(asked, found) >= 0.95
    assert hit_rate(asked, found, 1) >= 0.85


@published
def test_questions_are_not_the_indexed_descriptions(merged: McpExposer) -> None:
    descriptions = {(tool.operation.description or "").lower().rstrip(".") for tool in merged.tools.values()}
    assert not any(question.text.lower().rstrip("?") in descriptions for question in questions(routes(merged.tools)))


@published
def test_a_large_capability_lists_few_tokens(merged: McpExposer) -> None:
    assert listed_tokens(merged) <= GOAL


def test_a_generated_capability_lists_few_tokens() -> None:
    # The benchmark has 1,158 tools, whose host takes seconds to build.
    exposer = exposer_of(generated_document(150, **{"x-discovery": "search"}))
    assert listed_tokens(exposer) <= GOAL
    (first, *_) = search_of(exposer).find("remove the records of ledger 17")
    assert first.name == "delete-17"
