"""docs/reference/api.md is generated from the docstrings; `ADAPTER_HOST_REWRITE=1` rewrites it."""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Iterator
from itertools import pairwise
from types import ModuleType
from typing import Any

import adapter_host
import adapter_host.testing
from tests.support.paths import ROOT

PAGE = ROOT / "docs/reference/api.md"
# Read at import, because a fixture clears the environment of tests.
REWRITE = bool(os.environ.get("ADAPTER_HOST_REWRITE"))
HEAD = """# The public API

You can import these names from `adapter_host` and `adapter_host.testing`; all other names are private. The page is
generated from the docstrings. [Writing a plugin](../writing-a-plugin.md) and [Embedding](../embedding.md) show you how
to use them together.
"""


def value_docs() -> dict[str, str]:
    """Return the docstrings below module-level values, by the values' names."""
    found: dict[str, str] = {}
    for path in (ROOT / "core/adapter_host").rglob("*.py"):
        for statement, after in pairwise(ast.parse(path.read_text()).body):
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                targets = statement.targets if isinstance(statement, ast.Assign) else []
                targets = [statement.target] if isinstance(statement, ast.AnnAssign) else targets
                found |= {target.id: str(after.value.value) for target in targets if isinstance(target, ast.Name)}
    return found


def entry(name: str, member: Any, docs: dict[str, str]) -> Iterator[str]:
    """Yield the part of the page about one name."""
    yield f"### {name}"
    yield ""
    if not inspect.isclass(member) and not inspect.isroutine(member):
        yield inspect.cleandoc(docs[name])
        return
    if inspect.isroutine(member):
        yield f"`{name}(...)`"
        yield ""
    yield inspect.getdoc(member) or ""
    if inspect.isclass(member) and (own := list(members(member))):
        yield ""
        yield from own


def members(owner: type) -> Iterator[str]:
    """Yield a line for each public method and property that a class itself defines."""
    for name, member in list(vars(owner).items()):
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if name.startswith("_") or not inspect.isfunction(function) or function.__module__ != owner.__module__:
            continue
        first = (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")
        yield f"* `{name}{'' if isinstance(member, property) else '()'}`: {first}"


def section(module: ModuleType, docs: dict[str, str]) -> Iterator[str]:
    yield f"## `{module.__name__}`"
    for name in module.__all__:
        yield ""
        yield from entry(name, getattr(module, name), docs)


def page() -> str:
    docs = value_docs()
    parts = [HEAD, *section(adapter_host, docs), "", *section(adapter_host.testing, docs)]
    return "\n".join(line.rstrip() for line in "\n".join(parts).splitlines()) + "\n"


def test_page_matches_the_docstrings() -> None:
    if REWRITE:
        PAGE.write_text(page())
    assert PAGE.read_text() == page()


def test_page_lists_every_public_name() -> None:
    text = PAGE.read_text()
    for name in (*adapter_host.__all__, *adapter_host.testing.__all__):
        assert f"\n### {name}\n" in text
