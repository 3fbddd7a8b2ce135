"""The texts of tools that the index has, by field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from adapter_host import ConsumedOperation
from adapter_host_mcp.features.tools import Tool

from .index import FieldTexts

_LONGEST_TEXT: Final = 4000
"""Characters of each field that are indexed."""

_MOST_PROPERTIES: Final = 100
_DEEPEST: Final = 4

_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s|\n")
_VARIABLE: Final = re.compile(r"\{[^}]*\}")
_VERBS: Final = {
    "GET": "get", "HEAD": "check", "DELETE": "delete", "POST": "create", "PUT": "update replace", "PATCH": "update",
}  # fmt: skip


def tool_texts(tool: Tool, groups: Iterable[str]) -> FieldTexts:
    """Return the texts of a tool; those of its input schema down to a depth, so that the time is bounded."""
    operation = tool.operation
    upstream = operation.upstream
    summaries, descriptions = _split_texts([operation.description, *(each.description for each in upstream)])
    properties = dict.fromkeys(_schema_words(tool.operation.input_schema, _DEEPEST))
    texts = {
        "name": f"{tool.name} {tool.title or ''}",
        "path": " ".join(_path_words(each) for each in upstream),
        "method": " ".join(_verb(each) for each in upstream),
        "summary": summaries,
        "groups": " ".join(groups),
        "description": descriptions,
        "inputs": " ".join(item.name for item in operation.inputs),
        "details": " ".join(list(properties)[:_MOST_PROPERTIES]),
    }
    return {name: text[:_LONGEST_TEXT] for name, text in texts.items()}


def _split_texts(texts: Iterable[str | None]) -> tuple[str, str]:
    """Return the first sentences of distinct texts, and the others."""
    parts = [_SENTENCE_END.split(text, maxsplit=1) for text in dict.fromkeys(texts) if text]
    return " ".join(first for first, *_ in parts), " ".join(other for _, *others in parts for other in others)


def _path_words(operation: ConsumedOperation) -> str:
    return f"{operation.name} {_VARIABLE.sub(' ', operation.path or operation.resource or '')}"


def _verb(operation: ConsumedOperation) -> str:
    """Return the words for what the method does; a GET of a path that ends in no variable lists a collection."""
    method, path = (operation.method or "").upper(), operation.path
    if method == "GET" and path is not None:
        return "get" if path.endswith("}") else "list get"
    return _VERBS.get(method, "")


def _schema_words(schema: Any, depth: int) -> Iterator[str]:
    """Yield the descriptions and the names of a schema's properties, outer before inner."""
    if not isinstance(schema, Mapping) or depth == 0:
        return
    properties = schema.get("properties")
    children = properties if isinstance(properties, Mapping) else {}
    for name, child in children.items():
        yield str(name)
        if isinstance(child, Mapping) and isinstance(description := child.get("description"), str):
            yield description
    for child in (*children.values(), schema.get("items")):
        yield from _schema_words(child, depth - 1)
