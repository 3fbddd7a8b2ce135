"""What each part of a document is rewritten to: the shape of 1.0.0-alpha2, with what later versions added to it."""

from __future__ import annotations

from typing import Final

from adapter_host.document.nodes import MappingNode, Node, SequenceNode

from .rewriting import Key, Notes, Rewrite, each, keyed, mapping, mapping_of, named, outdated, plain, word
from .versions import BINDS, FLOWS, SHAPE

# Words

LABEL: Final = {**word("label", "display"), **outdated("label", "label", "display", FLOWS)}
VALUE: Final = outdated("const", "value", "value", SHAPE)
MAPPING: Final = {**word("targetName", "target"), **outdated("targetName", "targetName", "target", FLOWS)}

# Outputs


def output(node: Node, notes: Notes) -> Node:
    """Return an output; in the oldest versions its `mapping` may hold its `properties` or `items`."""
    if isinstance(node, MappingNode) and isinstance(held := node.entries.get("mapping"), MappingNode):
        entries = {name: child for name, child in node.entries.items() if name != "mapping"}
        keys = {name: at for name, at in node.keys.items() if name != "mapping"}
        node = mapping_of(node, {**held.entries, **entries}, {**held.keys, **keys})
    return _OUTPUT(node, notes)


def items(node: Node, notes: Notes) -> Node:
    """Return an array's elements: one output for each, or outputs by their names."""
    if isinstance(node, SequenceNode) or _is_by_name(node):
        return OUTPUTS(node, notes)
    return output(node, notes)


def _is_by_name(node: Node) -> bool:
    """Whether a mapping is of outputs by their names, and not one output."""
    if not isinstance(node, MappingNode) or not node.entries:
        return False
    return all(
        isinstance(child, MappingNode) and isinstance(child.value.get("type"), str) for child in node.entries.values()
    )


_OUTPUT: Final = mapping({**word("value", "const"), **plain({"properties": keyed(output), "items": items})})
OUTPUTS: Final = named(output)

# Operations

INPUTS: Final = named(mapping(VALUE))
UNIT: Final = {
    **LABEL,
    **plain(
        {
            "inputParameters": INPUTS,
            "outputParameters": OUTPUTS,
            "steps": named(),
            "mappings": each(mapping(MAPPING)),
        }
    ),
}
OPERATIONS: Final = named(mapping(UNIT))
RESOURCES: Final = named(mapping({**UNIT, **plain({"operations": OPERATIONS})}))
PROMPTS: Final = named(mapping({**LABEL, **plain({"arguments": named(mapping(LABEL))})}))
SKILLS: Final = named(mapping(plain({"tools": named()})))

# Sections

IMPORT: Final = mapping({**word("location", "from"), **outdated("location", "location", "from", FLOWS)})
ADAPTER: Final = plain(
    {
        "inputParameters": INPUTS,
        "resources": RESOURCES,
        "operations": OPERATIONS,
        "tools": OPERATIONS,
        "prompts": PROMPTS,
        "skills": SKILLS,
    }
)
AGGREGATE: Final = mapping(
    {
        **LABEL,
        **word("functions", "flows", value=OPERATIONS),
        **outdated("functions", "functions", "flows", FLOWS, OPERATIONS),
    }
)
_TYPES: Final = frozenset({"http", "rest", "mcp", "skill", "control"})


def adapter(node: Node, notes: Notes) -> Node:
    """Return an entry of `consumes` or `exposes`."""
    kind = node.value.get("type") if isinstance(node, MappingNode) else None
    if kind == "api":
        node, kind = _API(node, notes), "rest"
    known = isinstance(kind, str) and kind in _TYPES
    return _ADAPTER(node, notes) if known else _OTHER_ADAPTER(node, notes)


def _rest(node: Node, notes: Notes) -> Node:
    notes.outdated(node, None, "'type: api'", "'type: rest'", BINDS)
    return Node("rest", *node.position)


_API: Final = mapping(plain({"type": _rest}))
_ADAPTER: Final = mapping(ADAPTER)
# How a plugin's own type calls its operations is not known here, but that they stand in lists.
_OTHER_ADAPTER: Final = mapping(ADAPTER, rest=each(mapping(UNIT)))


def _reference(node: Node, notes: Notes) -> Node:
    """Rewrite an old reference to secrets, whose source was a path, to a bind."""
    node = _REFERENCE(node, notes)
    if not isinstance(node, MappingNode):
        return node
    gone = {"type", "resolution"}
    entries = {name: child for name, child in node.entries.items() if name not in gone}
    return mapping_of(node, entries, {name: node.keys[name] for name in entries})


def _file_url(node: Node, notes: Notes) -> Node:
    path = node.value
    if not isinstance(path, str) or "://" in path:
        return node
    return Node(f"file://{path}" if path.startswith("/") else f"file://./{path}", *node.position)


_REFERENCE: Final = mapping(
    {
        **word("namespace", "name"),
        **word("location"),
        "uri": Key("location", _file_url),
    }
)


def _entries(entry: Rewrite) -> Rewrite:
    """Return an entry of a section, or the import that stands for one."""

    def rewrite(node: Node, notes: Notes) -> Node:
        imported = isinstance(node, MappingNode) and is_import(node.value)
        return (IMPORT if imported else entry)(node, notes)

    return rewrite


def is_import(entry: object) -> bool:
    """Whether an entry of a section stands for one of another file."""
    if not isinstance(entry, dict) or "import" not in entry or entry.keys() & {"baseUri", "keys"}:
        return False
    return "type" not in entry or not entry.keys().isdisjoint(("from", "location"))


SECTIONS: Final = {
    **plain(
        {
            "consumes": each(_entries(adapter)),
            "exposes": each(_entries(adapter)),
            "aggregates": named(_entries(AGGREGATE), "namespace"),
        }
    ),
    **word("binds", value=each(_entries(lambda node, _: node))),
    **outdated("externalRefs", "binds", "binds", BINDS, each(_reference)),
}
DOCUMENT: Final = mapping({**SECTIONS, **plain({"info": mapping(LABEL), "capability": mapping(SECTIONS)})})
