"""docs/reference/api.md is generated from the source code; `ADAPTER_HOST_REWRITE=1` rewrites it."""

from __future__ import annotations

import inspect
import os

import pytest

import adapter_host
import adapter_host.testing
from tests.support.api_page import HIDDEN, PUBLIC, private_types, section, values
from tests.support.paths import ROOT

PAGE = ROOT / "docs/reference/api.md"
# Read at import, because a fixture clears the environment of tests.
REWRITE = bool(os.environ.get("ADAPTER_HOST_REWRITE"))
HEAD = """# The public API

You can import these names from `adapter_host` and `adapter_host.testing`; all other names are private. The page is
generated from the source code. [Writing a plugin](../writing-a-plugin.md) and [Embedding](../embedding.md) show you how
to use them together.
"""


def page() -> str:
    docs = values(ROOT / "core/adapter_host")
    parts = [HEAD, *section(adapter_host, docs), "", *section(adapter_host.testing, docs)]
    return "\n".join(line.rstrip() for line in "\n".join(parts).splitlines()) + "\n"


def test_page_matches_the_code() -> None:
    if REWRITE:
        PAGE.write_text(page())
    assert PAGE.read_text() == page()


def test_page_lists_every_public_name() -> None:
    text = PAGE.read_text()
    for name in PUBLIC:
        assert f"\n### {name}\n" in text


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_types_of_signatures_are_public(name: str) -> None:
    value = getattr(adapter_host, name, None) or getattr(adapter_host.testing, name, None)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert {*private_types(value, PUBLIC)} == set()


def test_hidden_members_exist() -> None:
    for name, members in HIDDEN.items():
        assert [member for member in members if not hasattr(getattr(adapter_host, name), member)] == []
