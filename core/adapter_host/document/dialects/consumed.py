"""Forms of consumed APIs that are common in published files, but not in the language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from adapter_host.document.nodes import MappingNode, Node, SequenceNode

from .rewriting import Rewrite, RewriteContext, mapping_like, renamed_key, rewrite_mapping, sequence_like

_API_KEY: Final = rewrite_mapping({**renamed_key("placement", "in"), **renamed_key("key", "name")})


def rewrite_authentication(node: Node, context: RewriteContext) -> Node:
    """Rewrite an API key, whose keys can have the names that they have in OpenAPI."""
    type_name = node.value.get("type") if isinstance(node, MappingNode) else None
    is_api_key = isinstance(type_name, str) and type_name.lower() == "apikey"
    return _API_KEY(node, context) if is_api_key else node


def with_headers(rewrite: Rewrite) -> Rewrite:
    """Return a rewrite that also turns `headers` into constant inputs."""

    def rewrite_part(node: Node, context: RewriteContext) -> Node:
        node = rewrite(node, context)
        if not isinstance(node, MappingNode) or "headers" not in node.entries:
            return node
        declared = node.entries.get("inputParameters") or SequenceNode([], *node.entries["headers"].position, [])
        if not isinstance(declared, SequenceNode):
            return node
        names = {str(item.value.get("name")).lower() for item in declared.items if _is_header(item)}
        added = list(_header_inputs(node.entries["headers"], names, context))
        inputs = sequence_like(declared, [*declared.items, *added])
        entries = {**node.entries, "inputParameters": inputs}
        keys = {"inputParameters": node.keys["headers"], **node.keys}
        del entries["headers"], keys["headers"]
        return mapping_like(node, entries, keys)

    return rewrite_part


def _is_header(node: Node) -> bool:
    return isinstance(node, MappingNode) and node.value.get("in") == "header"


def _header_inputs(headers: Node, declared: set[str], context: RewriteContext) -> Iterator[Node]:
    """Yield an input for each header; report headers without a value, and those that are declared twice."""
    for name, value in _pairs(headers, context):
        if value is None or isinstance(value, MappingNode | SequenceNode) or value.value is None:
            context.report(name, f"header '{name.value}' must have a value; declare it in 'inputParameters'", "type")
        elif str(name.value).lower() in declared:
            message = f"header '{name.value}' is declared twice; remove it from 'headers' or 'inputParameters'"
            context.report(name, message, "duplicate-header")
        else:
            declared.add(str(name.value).lower())
            entries = {"name": name, "in": Node("header", *name.position), "value": value}
            yield mapping_like(name, entries, dict.fromkeys(entries, (name.line, name.column)))


def _pairs(headers: Node, context: RewriteContext) -> Iterator[tuple[Node, Node | None]]:
    """Yield names and values of a mapping, or of a list of `name` and `value`."""
    if isinstance(headers, MappingNode):
        for name, child in headers.entries.items():
            yield Node(name, headers.file, *headers.keys[name]), child
    elif isinstance(headers, SequenceNode) and all(_has_name(item) for item in headers.items):
        for item in headers.items:
            yield item.child("name") or item, item.child("value")
    elif headers.value is not None:
        context.report(headers, "'headers' must be a mapping from names to values", "type")


def _has_name(node: Node) -> bool:
    return isinstance(node, MappingNode) and isinstance(node.value.get("name"), str)
