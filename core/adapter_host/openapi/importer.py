"""Convert an OpenAPI document to an API."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from adapter_host.errors import Problem, ProblemsError

from .documents import Cursor
from .inputs import MAX_INPUTS, join_sentences
from .model import Api, Body, Endpoint, Parameter, Response
from .names import UniqueNames, kebab_case
from .security import read_credentials
from .version2 import Version2
from .version3 import Version3

METHODS: Final = ("get", "post", "put", "patch", "delete")

_OTHER_METHODS: Final = ("head", "options", "trace")
_UNSUPPORTED: Final = {
    "callbacks": "requests sent by the API are not supported; skipped",
    "webhooks": "requests sent by the API are not supported; skipped",
    "servers": "servers of single operations are not supported; using the API's server",
}
_LONGEST_NAMESPACE: Final = 40


class OpenApiVersion(Protocol):
    """Reader of the parts that differ between versions of OpenAPI."""

    def base(self) -> str | None:
        """Return the base URL of the API, or None."""

    def schemes(self) -> Mapping[str, Cursor]:
        """Return the security schemes by name."""

    def parameter(self, cursor: Cursor) -> Parameter | None:
        """Return a parameter; None if it is unsupported, or part of the body."""

    def body(self, operation: Cursor, declared: Sequence[Cursor], parameters: Sequence[Parameter]) -> Body | None:
        """Return the request's body; its inputs have other names than `parameters`."""

    def response(self, operation: Cursor) -> Response:
        """Return the response to a successful request."""


@dataclass(frozen=True, slots=True)
class FoundOperation:
    """An operation in the document, with its path and method."""

    path: str
    method: str
    item: Cursor
    cursor: Cursor

    @property
    def tags(self) -> set[str]:
        """The tags of the operation."""
        tags = self.cursor.value.get("tags")
        return {tag for tag in tags if isinstance(tag, str)} if isinstance(tags, list) else set()

    @property
    def id(self) -> str | None:
        """The operationId."""
        return self.cursor.text("operationId")

    def is_selected(self, names: Collection[str]) -> bool:
        """Return True if `names` has its operationId or one of its tags, or is empty."""
        return not names or self.id in names or not self.tags.isdisjoint(names)


def read_api(root: Cursor, *, only: Collection[str] = (), namespace: str | None = None) -> Api:
    """Return a document's API, limited to the tags and operationIds in `only`; raise `ProblemsError`."""
    version_reader, spec_version = _select_version(root)
    operations = list(_operations(root))
    _check_only(root, only, operations)
    selected = [item for item in operations if item.is_selected(only)]
    info = root.mapping("info")
    title = (info.text("title") if info else None) or "API"
    name = namespace or kebab_case(title)[:_LONGEST_NAMESPACE].strip("-") or "api"
    credentials = read_credentials(root, [item.cursor for item in selected], version_reader.schemes(), name)
    _warn_unsupported(root, "webhooks")
    endpoints = tuple(_EndpointReader(version_reader).endpoints(selected))
    if not endpoints:
        raise ProblemsError([Problem("no supported operation", root.document.name, code="openapi")])
    return Api(
        namespace=name,
        title=title,
        version=_api_version(info) if info else None,
        spec_version=spec_version,
        description=info.text("description") if info else None,
        base_uri=_base(version_reader, root),
        credentials=credentials,
        endpoints=endpoints,
    )


def _select_version(root: Cursor) -> tuple[OpenApiVersion, str]:
    value = root.value if isinstance(root.value, dict) else {}
    if str(value.get("swagger")) in ("2.0", "2"):
        return Version2(root), "OpenAPI 2.0"
    version = str(value.get("openapi", ""))
    if re.match(r"3\.\d", version):
        if not version.startswith(("3.0", "3.1")):
            root.warn(f"version {version} is read as 3.1")
        return Version3(root), f"OpenAPI {version}"
    detail = f"given {version}" if version else "no 'openapi: 3.x' or 'swagger: \"2.0\"'"
    raise ProblemsError([Problem(f"not an OpenAPI document of version 2.0 or 3.x ({detail})", root.document.name)])


def _api_version(info: Cursor) -> str | None:
    version = info.value.get("version")
    return str(version) if isinstance(version, str | int | float) else None


def _check_only(root: Cursor, only: Collection[str], operations: Sequence[FoundOperation]) -> None:
    selectable = {item.id for item in operations}.union(*(item.tags for item in operations))
    if unknown := [name for name in only if name not in selectable]:
        names = ", ".join(sorted(name for name in selectable if name)[:20]) or "none"
        message = f"unknown tag or operationId '{unknown[0]}' (known: {names})"
        raise ProblemsError([Problem(message, root.document.name, code="only")])


def _base(version_reader: OpenApiVersion, root: Cursor) -> str:
    base = version_reader.base()
    if base is None:
        root.warn("no server URL; baseUri is http://localhost (override with --base-uri)")
        return "http://localhost"
    return base.rstrip("/")


def _operations(root: Cursor) -> Iterator[FoundOperation]:
    for path, item in root.named("paths"):
        if path.startswith("x-") or not isinstance(item.value, dict):
            continue
        for method in METHODS:
            cursor = item.mapping(method)
            if cursor is not None:
                yield FoundOperation(path, method, item, cursor)
        for method in _OTHER_METHODS:
            if method in item.value:
                item.warn(f"{method.upper()} is not supported; skipped")


def _warn_unsupported(cursor: Cursor, *keys: str) -> None:
    for key in keys:
        if isinstance(cursor.value, dict) and cursor.value.get(key) and (child := cursor.get(key)):
            child.warn(_UNSUPPORTED[key])


def _path_error(path: str) -> str | None:
    """Return why a path is not supported, or None."""
    variables = re.findall(r"\{([^{}]*)\}", path)
    rest = re.sub(r"\{[^{}]*\}", "{}", path)
    if not path.startswith("/"):
        return "it does not start with '/'"
    if "?" in rest or "#" in rest:
        return "it has a query or a fragment"
    if rest.count("{") != len(variables) or rest.count("}") != len(variables) or not all(map(str.strip, variables)):
        return "it has braces without a name"
    if "{}{}" in rest:
        return "two of its variables are adjacent"
    return "it has a variable twice" if len(set(variables)) < len(variables) else None


@dataclass(slots=True)
class _EndpointReader:
    """Reads the operations of one document, each with a unique route and name."""

    version_reader: OpenApiVersion
    names: UniqueNames = field(default_factory=UniqueNames)
    routes: dict[tuple[str, str], str] = field(default_factory=dict)

    def endpoints(self, operations: Sequence[FoundOperation]) -> Iterator[Endpoint]:
        for operation in operations:
            if (reason := _path_error(operation.path) or self._duplicate_error(operation)) is None:
                yield (endpoint := self._endpoint(operation))
                operation.cursor.count_text(endpoint.text_size)
            else:
                operation.cursor.warn(f"path not supported: {reason}; skipped")

    def _duplicate_error(self, operation: FoundOperation) -> str | None:
        shape = re.sub(r"\{[^{}]*\}", "{}", operation.path)
        first = self.routes.setdefault((operation.method, shape), operation.path)
        return None if first == operation.path else f"it is ambiguous with {first}"

    def _endpoint(self, operation: FoundOperation) -> Endpoint:
        cursor, method = operation.cursor, operation.method.upper()
        declared = _merged_parameters(operation)
        parameters = self._parameters(operation, declared)
        summary, description = cursor.text("summary"), cursor.text("description")
        text = join_sentences(
            "Deprecated." if cursor.flag("deprecated") else None, description or summary or f"{method} {operation.path}"
        )
        _warn_unsupported(operation.item, "servers")
        _warn_unsupported(cursor, "servers", "callbacks")
        return Endpoint(
            name=self.names.add(kebab_case(operation.id or ""), kebab_case(f"{operation.method} {operation.path}")),
            method=method,
            path=operation.path,
            label=summary if description and summary != description else None,
            description=text or "",
            parameters=parameters,
            body=self.version_reader.body(cursor, declared, parameters),
            response=self.version_reader.response(cursor),
        )

    def _parameters(self, operation: FoundOperation, declared: Sequence[Cursor]) -> tuple[Parameter, ...]:
        variables = [name.strip() for name in re.findall(r"\{([^{}]*)\}", operation.path)]
        parameters: dict[tuple[str, str], Parameter] = {}
        for cursor in declared:
            parameter = self.version_reader.parameter(cursor)
            if parameter is None:
                continue
            if parameter.in_ == "path" and parameter.name not in variables:
                cursor.warn(f"the path has no variable '{parameter.name}'; skipped")
                continue
            if any(parameter.name == name for name, _ in parameters):
                cursor.warn(f"'{parameter.name}' is in two locations of the request; both get the same value")
            parameters[parameter.name, parameter.in_] = parameter
        return tuple(sorted(parameters.values(), key=lambda item: item.in_ != "path"))


def _merged_parameters(operation: FoundOperation) -> list[Cursor]:
    """Return an operation's parameters, then those of its path that it does not override."""
    merged: dict[tuple[object, object], Cursor] = {}
    for holder in (operation.cursor, operation.item):
        for cursor in holder.elements("parameters"):
            if len(merged) == MAX_INPUTS:
                operation.cursor.warn(f"it has more than {MAX_INPUTS:,} parameters; the others are skipped")
                return list(merged.values())
            if isinstance(cursor.value, dict):
                merged.setdefault((str(cursor.value.get("name")), str(cursor.value.get("in"))), cursor)
    return list(merged.values())
