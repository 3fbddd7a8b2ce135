"""Resolve the references of the schemas in a document: into its `x-schemas`, into the schema itself, into files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from adapter_host.document.messages import describe_type, did_you_mean, join_words
from adapter_host.document.nodes import Loc, MappingNode, Node, SequenceNode
from adapter_host.document.source import Source
from adapter_host.errors import Problem, ProblemsError
from adapter_host.expressions.pattern import PatternError, compile_pattern

from .keywords import BY_NAME, DROPPED, LISTS, SINGLE
from .references import DEFS, reference_to
from .schema import Schema
from .visibility import Hidden, without_hidden

SCHEMAS: Final = "x-schemas"
"""The key of a document with schemas by name."""

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


@dataclass(frozen=True, slots=True)
class _Scope:
    """The schema that `#` means with its name, and the document that `#/x-schemas` means."""

    base: Node
    source: Source
    name: str = "schema"


@dataclass(slots=True)
class _Target:
    """A schema that a reference leads to; `name` is the last key of the reference, or its name in `$defs`."""

    node: Node
    scope: _Scope
    name: str


def resolve_schema(data: Any, *, hidden: Hidden = "readOnly") -> Schema:
    """Return the schema in plain data, of a document of its own; raise `ProblemsError`."""
    problems: list[Problem] = []
    source = Source.from_data({"x-schema": data})
    schema = SchemaResolver(source, {}, problems.append).resolve(("x-schema",), hidden)
    if schema is None:
        raise ProblemsError(problems)
    return schema


class SchemaResolver:
    """Resolves the schemas of one document, and names those that they refer to.

    `files` are the imported documents by path. `report` receives the problems, `note_file` each file that is read.
    """

    def __init__(
        self,
        source: Source,
        files: Mapping[str, Source],
        report: Callable[[Problem], object],
        note_file: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._source = source
        self._sources = {**files, source.file: source}
        self.report = report
        self._note_file = note_file
        self._targets: dict[int, _Target] = {}
        self._names: set[str] = set()

    def resolve(self, loc: Loc, hidden: Hidden) -> Schema | None:
        """Return the schema at `loc`, without the hidden properties; None when a problem is reported."""
        node = self._source.nodes_to(loc)[-1]
        scope = _Scope(node, self._sources.get(node.file, self._source))
        try:
            data = self._bundle(node, scope)
        except ProblemsError as error:
            for problem in error.problems:
                self.report(problem)
            return None
        return Schema(without_hidden(data, hidden, drop=True), without_hidden(data, hidden, drop=False))

    def _bundle(self, node: Node, scope: _Scope) -> dict[str, Any]:
        """Return a schema with all schemas that it refers to, directly or not, in `$defs`."""
        node, scope = self._follow(node, scope)
        bundling = _Bundling(self)
        root = bundling.rewrite(node, scope)
        defs: dict[str, Any] = {}
        while bundling.pending:
            target = bundling.pending.pop()
            if target.name not in defs:
                defs[target.name] = bundling.rewrite(target.node, target.scope)
        data = {"not": {}} if root is False else {} if root is True else root
        if defs:
            data = {**data, DEFS: {name: defs[name] for name in sorted(defs)}}
        problems = bundling.problems or list(self._find_mistakes(data, node))
        if problems:
            raise ProblemsError(problems)
        return data

    def _find_mistakes(self, data: dict[str, Any], root: Node) -> Iterator[Problem]:
        """Yield a problem for each place that is not JSON Schema."""
        # Imported late: documents without schemas need no validator.
        from .validator import schema_mistakes

        nodes = {target.name: target.node for target in self._targets.values()}
        for keys, message in schema_mistakes(data):
            node, rest = (nodes[str(keys[1])], keys[2:]) if keys[:1] == (DEFS,) else (root, keys)
            for key in rest:
                node = node.child(key) or node
            yield _problem(message, node).problems[0]

    def _follow(self, node: Node, scope: _Scope) -> tuple[Node, _Scope]:
        """Return what a schema that is only a reference refers to."""
        seen = set()
        while isinstance(node, MappingNode) and set(node.entries) <= {"$ref", *DROPPED} and "$ref" in node.entries:
            if id(node) in seen:
                raise _problem("the reference leads back to itself; refer to a schema", node.entries["$ref"])
            seen.add(id(node))
            target = self._find(node.entries["$ref"], scope)
            node, scope = target.node, target.scope
        return node, scope

    def target(self, reference: Node, scope: _Scope) -> _Target:
        """Return the entry of `$defs` that a reference names; a schema has one name in the document."""
        found = self._find(reference, scope)
        target = self._targets.get(id(found.node))
        if target is None:
            target = self._targets[id(found.node)] = replace(found, name=self._unique(found.name))
        return target

    def _unique(self, text: str) -> str:
        name = stem = _UNSAFE.sub("_", text)[:50] or "schema"
        number = 2
        while name in self._names:
            name, number = f"{stem}_{number}", number + 1
        self._names.add(name)
        return name

    def _find(self, reference: Node, scope: _Scope) -> _Target:
        """Return the schema that a reference names; raise `ProblemsError`."""
        if not isinstance(reference.value, str):
            raise _problem(f"'$ref' must be text, not {describe_type(reference.value)}", reference)
        file, _, fragment = reference.value.partition("#")
        if file:
            source = self._read(file, reference)
            scope = _Scope(source.root, source, Path(file).stem)
        keys = self._keys(fragment, reference, scope)
        if keys[:1] == [SCHEMAS] and (file or SCHEMAS not in _keys_of(scope.base)):
            return self._named_schema(keys, reference, scope.source)
        return _Target(_child(scope.base, keys, reference), scope, keys[-1] if keys else scope.name)

    def _named_schema(self, keys: list[str], reference: Node, source: Source) -> _Target:
        schemas = source.root.child(SCHEMAS)
        if schemas is None:
            message = f"'{reference.value}' refers to '{SCHEMAS}', which '{source.file}' does not have; add it"
            raise _problem(message, reference)
        base = _child(source.root, keys[:2], reference)
        return _Target(_child(base, keys[2:], reference), _Scope(base, source, keys[-1]), keys[-1])

    @staticmethod
    def _keys(fragment: str, reference: Node, scope: _Scope) -> list[str]:
        text = unquote(fragment)
        if not text:
            return []
        if text.startswith("/"):
            return [key.replace("~1", "/").replace("~0", "~") for key in text[1:].split("/")]
        for keys, node in _walk(scope.base):
            if isinstance(node, MappingNode) and node.value.get("$anchor") == text:
                return [str(key) for key in keys]
        raise _problem(f"'{reference.value}' refers to an '$anchor' that the schema does not have", reference)

    def _read(self, file: str, reference: Node) -> Source:
        if _ABSOLUTE.match(file):
            message = f"'{file}' is not read: a reference names a schema of the document, or a file beside it"
            raise _problem(message, reference)
        folder = Path(self._source.file).parent.resolve()
        path = Path(reference.file).parent / file
        if not path.resolve().is_relative_to(folder):
            message = f"'{file}' is outside of the document's folder; move it there"
            raise _problem(message, reference)
        name = str(path)
        if name not in self._sources:
            try:
                self._sources[name] = Source.read(path)
            except ProblemsError as error:
                if any(problem.line for problem in error.problems):
                    raise
                reasons = "; ".join(problem.message for problem in error.problems)
                raise _problem(f"cannot read '{file}': {reasons}", reference) from error
            self._note_file(name)
        return self._sources[name]


class _Bundling:
    """Rewrites the schemas of one bundle; `pending` are those that they refer to."""

    def __init__(self, resolver: SchemaResolver) -> None:
        self.pending: list[_Target] = []
        self.problems: list[Problem] = []
        self._resolver = resolver

    def rewrite(self, node: Node, scope: _Scope) -> Any:
        """Return the plain data of a schema with its references to `$defs`."""
        if isinstance(node.value, bool):
            return node.value
        if not isinstance(node, MappingNode):
            message = f"a schema must be a mapping, true or false, not {describe_type(node.value)}"
            self.problems.append(_problem(message, node).problems[0])
            return {}
        data: dict[str, Any] = {}
        for key, entry in node.entries.items():
            if key == "$ref":
                data |= self._reference(entry, scope)
            elif key in ("$dynamicRef", "$recursiveRef"):
                self.problems += _problem(f"'{key}' is not supported; use '$ref'", entry).problems
            elif key not in DROPPED:
                self._check_patterns(key, entry)
                data[key] = self._rewrite_entry(key, entry, scope)
        return data

    def _check_patterns(self, key: str, entry: Node) -> None:
        patterns = [entry.value] if key == "pattern" else _keys_of(entry) if key == "patternProperties" else ()
        for pattern in patterns:
            try:
                compile_pattern(str(pattern))
            except PatternError as error:
                position = entry.key_position(pattern) or entry.position
                message = f"{error}; values are not checked against it"
                self._resolver.report(Problem(message, *position, code="schema-pattern", warning=True))

    def _rewrite_entry(self, key: str, entry: Node, scope: _Scope) -> Any:
        if key in SINGLE:
            return self.rewrite(entry, scope)
        if key in BY_NAME and isinstance(entry, MappingNode):
            return {name: self.rewrite(part, scope) for name, part in entry.entries.items()}
        if key in LISTS and isinstance(entry, SequenceNode):
            return [self.rewrite(part, scope) for part in entry.items]
        return entry.value

    def _reference(self, reference: Node, scope: _Scope) -> dict[str, Any]:
        try:
            target = self._resolver.target(reference, scope)
        except ProblemsError as error:
            self.problems += error.problems
            return {}
        self.pending.append(target)
        return reference_to(target.name)


def _problem(message: str, node: Node) -> ProblemsError:
    return ProblemsError([Problem(message, *node.position, code="schema")])


def _keys_of(node: Node) -> Mapping[str, Node]:
    return node.entries if isinstance(node, MappingNode) else {}


def _child(node: Node, keys: list[str], reference: Node) -> Node:
    for key in keys:
        child = node.child(int(key) if isinstance(node, SequenceNode) and key.isdecimal() else key)
        if child is None:
            known = list(_keys_of(node))
            hint = did_you_mean(key, known) or f" (it has: {join_words(known[:20], 'and') or 'nothing'})"
            raise _problem(f"'{reference.value}' refers to '{key}', which does not exist{hint}", reference)
        node = child
    return node


def _walk(node: Node, keys: Loc = ()) -> Iterator[tuple[Loc, Node]]:
    yield keys, node
    if isinstance(node, MappingNode):
        for key, child in node.entries.items():
            yield from _walk(child, (*keys, key))
    elif isinstance(node, SequenceNode):
        for index, child in enumerate(node.items):
            yield from _walk(child, (*keys, index))
