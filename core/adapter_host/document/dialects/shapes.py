"""The rewrite of each part of a document to the shape of 1.0.0-alpha2, plus keys added in later versions."""

from __future__ import annotations

from typing import Final

from adapter_host.document.nodes import MappingNode, Node, SequenceNode

from .consumed import rewrite_authentication, with_headers
from .rewriting import (
    KeyRule,
    Rewrite,
    RewriteContext,
    for_items,
    mapping_like,
    named_list,
    named_mapping,
    outdated_key,
    renamed_key,
    rewrite_mapping,
    same_keys,
)
from .versions import BINDS_VERSION, CANONICAL_VERSION, FLOWS_VERSION

# Keys

LABEL: Final = {**renamed_key("label", "display"), **outdated_key("label", "label", "display", FLOWS_VERSION)}
VALUE: Final = outdated_key("const", "value", "value", CANONICAL_VERSION)
MAPPING: Final = {
    **renamed_key("targetName", "target"),
    **outdated_key("targetName", "targetName", "target", FLOWS_VERSION),
}

# Outputs


def rewrite_output(node: Node, context: RewriteContext) -> Node:
    """Rewrite an output; in the oldest versions `mapping` may contain `properties` or `items`."""
    if isinstance(node, MappingNode) and isinstance(nested := node.entries.get("mapping"), MappingNode):
        entries = {name: child for name, child in node.entries.items() if name != "mapping"}
        keys = {name: at for name, at in node.keys.items() if name != "mapping"}
        node = mapping_like(node, {**nested.entries, **entries}, {**nested.keys, **keys})
    return _OUTPUT(node, context)


def rewrite_array_items(node: Node, context: RewriteContext) -> Node:
    """Rewrite an array's items: one output, or outputs by name."""
    if isinstance(node, SequenceNode) or _is_by_name(node):
        return OUTPUTS(node, context)
    return rewrite_output(node, context)


def _is_by_name(node: Node) -> bool:
    """Return True for a mapping from names to outputs, False for one output."""
    if not isinstance(node, MappingNode) or not node.entries:
        return False
    return all(
        isinstance(child, MappingNode) and isinstance(child.value.get("type"), str) for child in node.entries.values()
    )


_OUTPUT: Final = rewrite_mapping(
    {
        **renamed_key("value", "const"),
        **same_keys({"properties": named_mapping(rewrite_output), "items": rewrite_array_items}),
    }
)
OUTPUTS: Final = named_list(rewrite_output)

# Operations

INPUTS: Final = named_list(rewrite_mapping(VALUE))
UNIT: Final = {
    **LABEL,
    **same_keys(
        {
            "inputParameters": INPUTS,
            "outputParameters": OUTPUTS,
            "steps": named_list(),
            "mappings": for_items(rewrite_mapping(MAPPING)),
        }
    ),
}
OPERATIONS: Final = named_list(rewrite_mapping(UNIT))
RESOURCES: Final = named_list(rewrite_mapping({**UNIT, **same_keys({"operations": OPERATIONS})}))
PROMPTS: Final = named_list(rewrite_mapping({**LABEL, **same_keys({"arguments": named_list(rewrite_mapping(LABEL))})}))
SKILLS: Final = named_list(rewrite_mapping(same_keys({"tools": named_list()})))

# Sections

IMPORT: Final = rewrite_mapping(
    {**renamed_key("location", "from"), **outdated_key("location", "location", "from", FLOWS_VERSION)}
)
ADAPTER: Final = same_keys(
    {
        "authentication": rewrite_authentication,
        "inputParameters": INPUTS,
        "resources": RESOURCES,
        "operations": OPERATIONS,
        "tools": OPERATIONS,
        "prompts": PROMPTS,
        "skills": SKILLS,
    }
)
BUILTIN_ADAPTER: Final = {**ADAPTER, **renamed_key("authentication", "auth", value=rewrite_authentication)}
AGGREGATE: Final = rewrite_mapping(
    {
        **LABEL,
        **renamed_key("functions", "flows", value=OPERATIONS),
        **outdated_key("functions", "functions", "flows", FLOWS_VERSION, OPERATIONS),
    }
)
_BUILTIN_TYPES: Final = frozenset({"http", "rest", "mcp", "skill", "control"})


def rewrite_consumer(node: Node, context: RewriteContext) -> Node:
    """Rewrite an entry of `consumes`."""
    type_name = node.value.get("type") if isinstance(node, MappingNode) else None
    return _HTTP(node, context) if type_name == "http" else rewrite_adapter(node, context)


def rewrite_adapter(node: Node, context: RewriteContext) -> Node:
    """Rewrite an entry of `consumes` or `exposes`."""
    type_name = node.value.get("type") if isinstance(node, MappingNode) else None
    if type_name == "api":
        node, type_name = _API(node, context), "rest"
    known = isinstance(type_name, str) and type_name in _BUILTIN_TYPES
    return _ADAPTER(node, context) if known else _OTHER_ADAPTER(node, context)


def _rest_type(node: Node, context: RewriteContext) -> Node:
    context.report_outdated(node, None, "'type: api'", "'type: rest'", BINDS_VERSION)
    return Node("rest", *node.position)


_API: Final = rewrite_mapping(same_keys({"type": _rest_type}))
_ADAPTER: Final = rewrite_mapping(BUILTIN_ADAPTER)
_CONSUMED: Final = named_list(with_headers(rewrite_mapping(UNIT)))
_CONSUMED_RESOURCE: Final = with_headers(rewrite_mapping({**UNIT, **same_keys({"operations": _CONSUMED})}))
_HTTP: Final = with_headers(
    rewrite_mapping({**BUILTIN_ADAPTER, **same_keys({"resources": named_list(_CONSUMED_RESOURCE)})})
)
# The keys of a plugin's own type are unknown, but its operations are in lists.
_OTHER_ADAPTER: Final = rewrite_mapping(ADAPTER, rest=for_items(rewrite_mapping(UNIT)))


def _rewrite_external_ref(node: Node, context: RewriteContext) -> Node:
    """Rewrite an entry of `externalRefs`, whose source is a path, to a bind."""
    node = _EXTERNAL_REF(node, context)
    if not isinstance(node, MappingNode):
        return node
    removed = {"type", "resolution"}
    entries = {name: child for name, child in node.entries.items() if name not in removed}
    return mapping_like(node, entries, {name: node.keys[name] for name in entries})


def _file_url(node: Node, context: RewriteContext) -> Node:
    path = node.value
    if not isinstance(path, str) or "://" in path:
        return node
    return Node(f"file://{path}" if path.startswith("/") else f"file://./{path}", *node.position)


_EXTERNAL_REF: Final = rewrite_mapping(
    {
        **renamed_key("namespace", "name"),
        **renamed_key("location"),
        "uri": KeyRule("location", _file_url),
    }
)


def _importable(entry: Rewrite) -> Rewrite:
    """Return a rewrite of an entry or of an import."""

    def rewrite(node: Node, context: RewriteContext) -> Node:
        imported = isinstance(node, MappingNode) and is_import(node.value)
        return (IMPORT if imported else entry)(node, context)

    return rewrite


def is_import(entry: object) -> bool:
    """Return True for an entry that imports another file's entry."""
    if not isinstance(entry, dict) or "import" not in entry or entry.keys() & {"baseUri", "keys"}:
        return False
    return "type" not in entry or not entry.keys().isdisjoint(("from", "location"))


SECTIONS: Final = {
    **same_keys(
        {
            "consumes": for_items(_importable(rewrite_consumer)),
            "exposes": for_items(_importable(rewrite_adapter)),
            "aggregates": named_list(_importable(AGGREGATE), "namespace"),
        }
    ),
    **renamed_key("binds", value=for_items(_importable(lambda node, _: node))),
    **outdated_key("externalRefs", "binds", "binds", BINDS_VERSION, for_items(_rewrite_external_ref)),
}
rewrite_document: Final = rewrite_mapping(
    {**SECTIONS, **same_keys({"info": rewrite_mapping(LABEL), "capability": rewrite_mapping(SECTIONS)})}
)
