"""Parse YAML to nodes in one pass over the parser's events, without recursion."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from sys import intern
from typing import Any

import yaml

from adapter_host.errors import Problem, ProblemsError

from .messages import describe_type, format_value
from .nodes import MAX_DEPTH, MappingNode, Node, SequenceNode
from .yaml_errors import syntax_problem
from .yaml_scalars import SCALAR_TAGS, TAG_PREFIX, Scalar, parse_plain, parse_tagged

MAX_NODES = 1_000_000
MAX_PROBLEMS = 200

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_MERGE = "<<"
_TYPE_TAG = re.compile(r"!?([A-Za-z][A-Za-z0-9_-]*)")
_COLLECTION_TAGS = {"mapping": TAG_PREFIX + "map", "sequence": TAG_PREFIX + "seq"}


def read_nodes(text: str, file: str, loader: Any = LOADER) -> Node:
    """Return the root mapping of a YAML document; raise ProblemsError with all errors found."""
    return _Reader(file).read(text, loader)


@dataclass(slots=True, eq=False)
class _Anchor:
    """The target of an alias; `node` is None while the anchored collection is still open."""

    node: Node | None = None
    size: int = 1
    height: int = 0


@dataclass(slots=True, eq=False)
class _OpenCollection:
    """A collection whose end event has not come yet; `size` and `height` count aliases expanded."""

    node: MappingNode | SequenceNode
    anchor: _Anchor | None = None
    size: int = 1
    height: int = 1
    key: str | None = None
    key_position: tuple[int, int] = (0, 0)
    merged: Node | None = None
    type_tag: Node | None = None


class _Reader:
    def __init__(self, file: str) -> None:
        self._file = file
        self._problems: list[Problem] = []
        self._roots: list[Node] = []
        self._stack = [_OpenCollection(SequenceNode([], file, 0, 0, self._roots))]
        self._anchors: dict[str, _Anchor] = {}
        self._size = 0
        self._documents = 0
        self._handlers: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._mapping,
            yaml.SequenceStartEvent: self._sequence,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }

    def read(self, text: str, loader: Any) -> Node:
        try:
            self._handle_events(text, loader)
        except yaml.YAMLError as error:
            self._problems.append(syntax_problem(error, text, self._file))
        except (OverflowError, ValueError):
            # Without libyaml, PyYAML's `chr` fails on an escape beyond Unicode.
            self._problems.append(Problem("an escape is not a Unicode character", self._file, code="syntax"))
        if not self._problems:
            self._check_root()
        if self._problems:
            raise ProblemsError(self._problems)
        return self._roots[0]

    def _handle_events(self, text: str, loader: Any) -> None:
        handlers = self._handlers
        for event in yaml.parse(text, Loader=loader):
            handler = handlers.get(type(event))
            if handler is not None:
                handler(event)

    def _check_root(self) -> None:
        if not self._roots or self._roots[0].value is None:
            self._problems.append(Problem("the document is empty", self._file, code="empty"))
        elif self._roots[0].kind != "mapping":
            root_type = describe_type(self._roots[0].value)
            message = f"a document must be a mapping, not {root_type}"
            self._problems.append(Problem(message, *self._roots[0].position, code="not-a-mapping"))

    def _report(self, event: Any, message: str, code: str) -> None:
        self._report_at(_line_column(event), message, code)

    def _report_at(self, position: tuple[int, int], message: str, code: str) -> None:
        self._problems.append(Problem(message, self._file, *position, code))
        if len(self._problems) == MAX_PROBLEMS:
            raise ProblemsError(self._problems)

    def _abort(self, event: Any, message: str, code: str) -> None:
        self._report(event, message, code)
        raise ProblemsError(self._problems)

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            self._abort(event, "a second document starts here; only one is allowed", "many-documents")

    def _count(self, event: Any, size: int, height: int = 0) -> None:
        self._size += size
        if self._size > MAX_NODES:
            self._abort(event, f"more than {MAX_NODES:,} values with aliases expanded", "too-many-values")
        if len(self._stack) - 1 + height > MAX_DEPTH:
            self._abort(event, f"nested more than {MAX_DEPTH} levels deep", "too-deep")

    def _scalar(self, event: Any) -> None:
        self._count(event, 1)
        node = Node(self._value(event), self._file, *_line_column(event))
        if event.anchor:
            self._anchors[event.anchor] = _Anchor(node)
        self._add(node, (node.line, node.column), 1, 0)

    def _value(self, event: Any) -> Scalar:
        tag: str | None = event.tag
        text: str = event.value
        try:
            if tag is None or tag == "!":
                return parse_plain(text) if event.implicit[0] else text
            if tag in SCALAR_TAGS:
                return parse_tagged(text, tag)
            self._unknown_tag(event)
        except ValueError as error:
            self._report(event, f"this value {error}", "invalid-scalar")
        return text

    def _unknown_tag(self, event: Any) -> None:
        core = event.tag.startswith(TAG_PREFIX)
        name = f" {format_value('!!' + event.tag.removeprefix(TAG_PREFIX))}" if core else ""
        self._report(event, f"unsupported tag{name}; quote a value that begins with '!'", "tag")

    def _mapping(self, event: Any) -> None:
        self._start(event, MappingNode({}, self._file, *_line_column(event), {}, {}))

    def _sequence(self, event: Any) -> None:
        self._start(event, SequenceNode([], self._file, *_line_column(event), []))

    def _start(self, event: Any, node: MappingNode | SequenceNode) -> None:
        self._count(event, 1, 1)
        type_tag = None
        if event.tag not in (None, "!", _COLLECTION_TAGS[node.kind]):
            # Writers of polymorphic data name the type of a mapping in a tag: `!<bearer>`.
            match = _TYPE_TAG.fullmatch(event.tag) if isinstance(node, MappingNode) else None
            if match is None:
                self._unknown_tag(event)
            else:
                type_tag = Node(match[1], self._file, node.line, node.column)
        anchor = _Anchor() if event.anchor else None
        if anchor is not None:
            self._anchors[event.anchor] = anchor
        self._stack.append(_OpenCollection(node, anchor, type_tag=type_tag))

    def _end(self, _: Any) -> None:
        closed = self._stack.pop()
        node = closed.node
        if closed.merged is not None and isinstance(node, MappingNode):
            self._merge(node, closed.merged)
        if closed.type_tag is not None and isinstance(node, MappingNode):
            self._set_type(node, closed.type_tag)
        if closed.anchor is not None:
            anchor = closed.anchor
            anchor.node, anchor.size, anchor.height = node, closed.size, closed.height
        self._add(node, (node.line, node.column), closed.size, closed.height)

    def _alias(self, event: Any) -> None:
        anchor = self._anchors.get(event.anchor)
        if anchor is not None and anchor.node is not None:
            self._count(event, anchor.size, anchor.height)
            self._add(anchor.node, _line_column(event), anchor.size, anchor.height)
            return
        if anchor is None:
            message = "unknown alias; quote a value that begins with '*'"
            self._report(event, message, "unknown-alias")
        else:
            self._report(event, f"'*{event.anchor}' is inside its own anchor", "recursive-alias")
        self._add(Node("", self._file, *_line_column(event)), _line_column(event), 1, 0)

    def _add(self, node: Node, position: tuple[int, int], size: int, height: int) -> None:
        frame = self._stack[-1]
        frame.size += size
        frame.height = max(frame.height, height + 1)
        parent = frame.node
        if isinstance(parent, SequenceNode):
            parent.items.append(node)
            parent.value.append(node.value)
        elif frame.key is None:
            frame.key, frame.key_position = self._key(node, position), position
        else:
            self._entry(frame, parent, frame.key, node)
            frame.key = None

    def _key(self, node: Node, position: tuple[int, int]) -> str:
        if isinstance(node.value, str):
            # Documents repeat the same few keys.
            return intern(node.value)
        if type(node.value) is int and node.value >= 0:
            # An integer key is usually a status (`200:`), and JSON schemas only know text keys.
            return str(node.value)
        type_ = describe_type(node.value)
        advice = "quote it" if node.kind == "scalar" else "quote a value that begins with '{{' or '['"
        message = f"a key must be text, not {type_}; {advice}"
        self._report_at(position, message, "key-not-text")
        return format_value(node.value) if node.kind == "scalar" else f"{type_} at {position}"

    def _entry(self, frame: _OpenCollection, parent: MappingNode, key: str, node: Node) -> None:
        if key in parent.keys:
            first, _ = parent.keys[key]
            message = f"duplicate key {format_value(key)} (first at line {first})"
            self._report_at(frame.key_position, message, "duplicate-key")
            return
        parent.keys[key] = frame.key_position
        if key == _MERGE:
            frame.merged = node
        else:
            parent.entries[key] = node
            parent.value[key] = node.value

    def _merge(self, node: MappingNode, merged: Node) -> None:
        position = node.keys.pop(_MERGE)
        for source in merged.items if isinstance(merged, SequenceNode) else [merged]:
            if not isinstance(source, MappingNode):
                message = f"'<<' merges mappings, not {describe_type(source.value)}"
                self._report_at(position, message, "invalid-merge")
                continue
            for key in source.entries:
                if key not in node.entries:
                    node.entries[key] = source.entries[key]
                    node.value[key] = source.value[key]
                    node.keys[key] = source.keys[key]

    def _set_type(self, node: MappingNode, tag: Node) -> None:
        """Set the `type` of a mapping to the name in its tag."""
        position = (tag.line, tag.column)
        declared = node.value.setdefault("type", tag.value)
        if declared != tag.value:
            message = f"the tag '{tag.value}' is not the type {format_value(declared)}; remove one of them"
            self._report_at(position, message, "tag")
        node.entries.setdefault("type", tag)
        node.keys.setdefault("type", position)


def _line_column(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1
