"""Complete consumed operations by the API's own OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from adapter_host.document.imports import is_fragment
from adapter_host.document.messages import describe_type
from adapter_host.document.nodes import Loc, MappingNode, Node, SequenceNode, node_at
from adapter_host.document.source import Source
from adapter_host.errors import Problem, ProblemsError
from adapter_host.schemas.resolve import SCHEMAS

from .openapi_inputs import REFERENCE, InputMerger, Operation

KEY: Final = "x-openapi"
OVERLAYS: Final = "x-openapi-overlays"

_VARIABLE: Final = re.compile(r"\{+[^{}]*\}+")


def complete_from_openapi(
    source: Source, documents: Mapping[str, str], overlays: Mapping[str, Sequence[str]]
) -> tuple[list[Problem], list[str]]:
    """Complete consumed operations by their OpenAPI documents; return the problems, and the files that were read.

    `documents` are files or URLs by consumer namespace; they take precedence over `x-openapi` and its overlays.
    `overlays` are files by consumer namespace, which are applied last.
    """
    section = source.data if is_fragment(source.data) else source.data.get("capability")
    entries = section.get("consumes") if isinstance(section, dict) else None
    base: Loc = ("consumes",) if section is source.data else ("capability", "consumes")
    problems: list[Problem] = []
    read: dict[_Origin, _Document] = {}
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if not isinstance(entry, dict):
            continue
        loc = (*base, index)
        try:
            namespace = str(entry.get("namespace"))
            origin = _origin(source, loc, documents.get(namespace), overlays.get(namespace, ()))
            if origin is not None:
                if origin not in read:
                    read[origin] = _Document.read(origin)
                    problems += read[origin].warnings
                problems += _Completion(source, loc, read[origin]).run()
        except ProblemsError as error:
            problems += error.problems
    return problems, [name for document in read.values() for name in document.files]


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where an OpenAPI document is read: a file or a URL, and the files of its overlays."""

    name: str
    overlays: tuple[str, ...]


def _origin(source: Source, loc: Loc, name: str | None, overlays: Sequence[str]) -> _Origin | None:
    """Return the document of a consumer: `name`, or the one that it declares; raise `ProblemsError`."""
    if name is not None:
        return _Origin(name, tuple(overlays))
    declared = _child_of(source, (*loc, OVERLAYS))
    count = len(declared.items) if isinstance(declared, SequenceNode) else 0
    if _child_of(source, (*loc, KEY)) is None:
        if declared is not None or overlays:
            message = f"overlays need an OpenAPI document; add '{KEY}', or pass one with --openapi"
            raise ProblemsError([source.problem(loc, message, code=KEY)])
        return None
    own = [_declared_file(source, (*loc, OVERLAYS, index)) for index in range(count)]
    return _Origin(_declared_file(source, (*loc, KEY)), (*own, *overlays))


def _child_of(source: Source, loc: Loc) -> Node | None:
    try:
        return source.nodes_to(loc)[-1]
    except LookupError:
        return None


def _declared_file(source: Source, loc: Loc) -> str:
    """Return the file that a document names, in the folder of that document or below; raise `ProblemsError`."""
    node = source.nodes_to(loc)[-1]
    key = next(str(part) for part in reversed(loc) if isinstance(part, str))
    folder = Path(node.file).parent
    reason = None
    if not isinstance(node.value, str) or not node.value:
        reason = f"must be the path of a file, not {describe_type(node.value)}"
    elif not Path(node.file).is_file():
        reason = "needs a document that is a file"
    elif not (folder / node.value).resolve().is_relative_to(folder.resolve()):
        reason = "must be in the folder of the document, or below"
    if reason is not None:
        raise ProblemsError([source.problem(loc, f"'{key}' {reason}", code=KEY)])
    return str(folder / node.value)


@dataclass(frozen=True, slots=True)
class _Found:
    """An operation of the OpenAPI document: as the importer writes it, and the segments of its path."""

    data: Mapping[str, Any]
    path: tuple[str, ...]
    full_path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Document:
    """An OpenAPI document: its operations by method, its shared schemas, and the files that were read."""

    name: str
    operations: Mapping[str, Sequence[_Found]]
    schemas: Mapping[str, Any]
    files: tuple[str, ...]
    warnings: Sequence[Problem]

    @classmethod
    def read(cls, origin: _Origin) -> _Document:
        """Read a file or a URL, and apply the overlays; raise `ProblemsError`."""
        # Imported late: few documents name one of OpenAPI.
        from adapter_host.openapi import Documents, Fetcher, WarningCollector, capability, read_api

        warnings = WarningCollector()
        documents = Documents(warnings, Fetcher(), overlays=origin.overlays)
        api = capability(read_api(documents.open(origin.name)))
        found: dict[str, list[_Found]] = {}
        for consumer in api["capability"]["consumes"]:
            server = _segments(urlsplit(consumer["baseUri"]).path)
            for resource in consumer["resources"]:
                path = _segments(resource["path"])
                for operation in resource["operations"]:
                    found.setdefault(operation["method"], []).append(_Found(operation, path, server + path))
        return cls(origin.name, found, api.get(SCHEMAS, {}), documents.files, warnings.problems)


class _Completion:
    """Completes one consumer."""

    def __init__(self, source: Source, loc: Loc, document: _Document) -> None:
        self._source = source
        self._loc = loc
        self._document = document
        self._problems: list[Problem] = []
        self._namespace = source.nodes_to(loc)[-1].value.get("namespace", "api")

    def run(self) -> list[Problem]:
        self._complete_operations()
        self._add_schemas()
        return self._problems

    def _complete_operations(self) -> None:
        consumer = self._source.nodes_to(self._loc)[-1]
        base = _base_path(consumer.value.get("baseUri"))
        for loc, path in list(_operations(consumer)):
            node = self._source.nodes_to((*self._loc, *loc))[-1]
            method = str(node.value.get("method", "GET")).upper()
            match = _best_match(self._document.operations.get(method, ()), path, base + path)
            if match is None:
                message = f"{method} /{'/'.join(path)} is not in {self._document.name}; nothing is taken from there"
                self._warn((*self._loc, *loc), message)
                continue
            completed = self._complete(node, match, (*self._loc, *loc))
            self._source.replace((*self._loc, *loc), completed)

    def _complete(self, node: Node, match: _Found, loc: Loc) -> Node:
        assert isinstance(node, MappingNode)
        operation = Operation(node, match.data, loc, self._document.schemas)
        merger = InputMerger(operation, self._rename, lambda where, message: self._warn(where, message))
        node = merger.merge()
        for key in ("description", "body", "x-accept", "x-example"):
            if key in match.data and key not in node.value:
                node = node.with_entry(key, node_at(self._rename(match.data[key]), node))
        return self._complete_outputs(node, match.data, loc)

    def _complete_outputs(self, node: MappingNode, data: Mapping[str, Any], loc: Loc) -> MappingNode:
        """Add the schema of the response, if the capability passes it on whole and has no other format."""
        declared = data.get("outputParameters")
        if not declared or node.value.get("outputRawFormat", "json") != data["outputRawFormat"]:
            return node
        (output,) = declared
        own = node.child("outputParameters")
        if own is None:
            return node.with_entry("outputParameters", node_at(self._rename(declared), node))
        whole = own.items[0] if isinstance(own, SequenceNode) and len(own.items) == 1 else None
        if not isinstance(whole, MappingNode) or not _is_whole(whole.value) or "x-schema" in whole.value:
            return node
        own_type, its_type = whole.value.get("type"), output.get("type")
        if own_type and its_type and own_type != its_type:
            message = (
                f"the output is {own_type}, but {its_type} in {self._document.name}; its schema is not taken from there"
            )
            self._warn((*loc, "outputParameters", 0), message)
            return node
        completed = whole.with_entry("x-schema", node_at(self._rename(output["x-schema"]), whole))
        return node.with_child("outputParameters", own.with_child(0, completed))

    def _rename(self, value: Any) -> Any:
        """Return data whose references name the schemas of this consumer."""
        if isinstance(value, Mapping):
            return {
                key: f"#/{SCHEMAS}/{self._namespace}.{item.removeprefix(REFERENCE)}"
                if key == "$ref" and isinstance(item, str) and item.startswith(REFERENCE)
                else self._rename(item)
                for key, item in value.items()
            }
        return [self._rename(item) for item in value] if isinstance(value, list | tuple) else value

    def _add_schemas(self) -> None:
        root = self._source.root
        if not self._document.schemas or not isinstance(root, MappingNode):
            return
        own = root.child(SCHEMAS)
        added = {f"{self._namespace}.{name}": self._rename(schema) for name, schema in self._document.schemas.items()}
        if isinstance(own, MappingNode):
            for name, schema in added.items():
                own = own if name in own.value else own.with_entry(name, node_at(schema, own))
            self._source.root = root.with_child(SCHEMAS, own)
        elif own is None:
            self._source.root = root.with_entry(SCHEMAS, node_at(added, root))

    def _warn(self, loc: Loc, message: str) -> None:
        self._problems.append(self._source.problem(loc, message, code=KEY, warning=True))


def _is_whole(output: Mapping[str, Any]) -> bool:
    path = output.get("mapping", output.get("value"))
    return path in ("$", "$.") and not output.get("properties") and not output.get("items")


def _operations(consumer: Node) -> Iterator[tuple[Loc, tuple[str, ...]]]:
    """Yield the place below the consumer and the path of each operation."""
    resources = consumer.child("resources")
    for index, resource in enumerate(resources.items if isinstance(resources, SequenceNode) else ()):
        operations = resource.child("operations")
        for number, operation in enumerate(operations.items if isinstance(operations, SequenceNode) else ()):
            if isinstance(operation, MappingNode):
                path = f"{resource.value.get('path') or ''}/{operation.value.get('path') or ''}"
                yield ("resources", index, "operations", number), _segments(path)


def _segments(path: str) -> tuple[str, ...]:
    return tuple(_VARIABLE.sub("{}", segment) for segment in path.partition("?")[0].split("/") if segment)


def _base_path(base: Any) -> tuple[str, ...]:
    try:
        return _segments(urlsplit(base).path) if isinstance(base, str) else ()
    except ValueError:
        return ()


def _best_match(found: Sequence[_Found], path: tuple[str, ...], full_path: tuple[str, ...]) -> _Found | None:
    """Return the operation at a path; the base paths of the capability and of the document may differ."""
    for own, attribute in ((full_path, "full_path"), (path, "path"), (full_path, "path"), (path, "full_path")):
        for candidate in found:
            if getattr(candidate, attribute) == own:
                return candidate
    return None
