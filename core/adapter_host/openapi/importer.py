"""From an OpenAPI document to an API."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from adapter_host.errors import Problem, ProblemsError

from .documents import Cursor
from .inputs import join_sentences
from .model import Api, Body, Endpoint, Parameter, Response
from .names import UniqueNames, kebab_case
from .security import read_credentials
from .version2 import Version2
from .version3 import Version3

METHODS: Final = ("get", "post", "put", "patch", "delete")

_OTHER_METHODS: Final = ("head", "options", "trace")
_UNSUPPORTED: Final = {
    "callbacks": "requests that the API makes itself are left out",
    "webhooks": "requests that the API makes itself are left out",
    "servers": "an operation has no server of its own: it is called where the others are",
}
_LONGEST_NAMESPACE: Final = 40


class OpenApiVersion(Protocol):
    """What a version of OpenAPI says in its own way."""

    def base(self) -> str | None:
        """Where the API is."""

    def schemes(self) -> Mapping[str, Cursor]:
        """The security schemes by name."""

    def parameter(self, cursor: Cursor) -> Parameter | None:
        """A parameter; None when it cannot be said, or is none of its own."""

    def body(self, operation: Cursor, declared: Sequence[Cursor], parameters: Sequence[Parameter]) -> Body | None:
        """The request's body; its inputs have other names than those taken."""

    def response(self, operation: Cursor) -> Response:
        """What a request is answered when it succeeds."""


@dataclass(frozen=True, slots=True)
class FoundOperation:
    """An operation in the document, under its path and method."""

    path: str
    method: str
    item: Cursor
    cursor: Cursor

    @property
    def tags(self) -> set[str]:
        """Its tags."""
        tags = self.cursor.value.get("tags")
        return {tag for tag in tags if isinstance(tag, str)} if isinstance(tags, list) else set()

    @property
    def id(self) -> str | None:
        """Its operationId."""
        return self.cursor.text("operationId")

    def is_selected(self, names: Collection[str]) -> bool:
        """Whether it, or a tag of it, is named; without names every one is."""
        return not names or self.id in names or not self.tags.isdisjoint(names)


def read_api(root: Cursor, *, only: Collection[str] = (), namespace: str | None = None) -> Api:
    """The API that a document describes, or what `only` (tags and operationIds) names of it; raises `ProblemsError`."""
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
        raise ProblemsError([Problem("it has no operation that can be called", root.document.name, code="openapi")])
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
            root.warn(f"version {version} is read as if it were 3.1")
        return Version3(root), f"OpenAPI {version}"
    detail = f"given {version}" if version else "there is no 'openapi: 3.x' and no 'swagger: \"2.0\"'"
    raise ProblemsError([Problem(f"it is no OpenAPI document of version 2.0 or 3.x ({detail})", root.document.name)])


def _api_version(info: Cursor) -> str | None:
    version = info.value.get("version")
    return str(version) if isinstance(version, str | int | float) else None


def _check_only(root: Cursor, only: Collection[str], operations: Sequence[FoundOperation]) -> None:
    selectable = {item.id for item in operations}.union(*(item.tags for item in operations))
    if unknown := [name for name in only if name not in selectable]:
        names = ", ".join(sorted(name for name in selectable if name)[:20]) or "none"
        message = f"no tag or operationId is '{unknown[0]}' (there are: {names})"
        raise ProblemsError([Problem(message, root.document.name, code="only")])


def _base(version_reader: OpenApiVersion, root: Cursor) -> str:
    base = version_reader.base()
    if base is None:
        root.warn("no server says where the API is: baseUri is http://localhost (--base-uri calls it elsewhere)")
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
                item.warn(f"{method.upper()} is left out")


def _warn_unsupported(cursor: Cursor, *keys: str) -> None:
    for key in keys:
        if isinstance(cursor.value, dict) and cursor.value.get(key) and (child := cursor.get(key)):
            child.warn(_UNSUPPORTED[key])


def _path_error(path: str) -> str | None:
    """Why a path cannot be a capability's."""
    variables = re.findall(r"\{([^{}]*)\}", path)
    rest = re.sub(r"\{[^{}]*\}", "{}", path)
    if not path.startswith("/"):
        return "it does not begin with '/'"
    if "?" in rest or "#" in rest:
        return "it has a query or a fragment"
    if rest.count("{") != len(variables) or rest.count("}") != len(variables) or not all(map(str.strip, variables)):
        return "its braces hold no names"
    if "{}{}" in rest:
        return "nothing stands between two of its variables"
    return "a variable stands in it twice" if len(set(variables)) < len(variables) else None


@dataclass(slots=True)
class _EndpointReader:
    """Reads the operations of one document; each is offered once, under a name of its own."""

    version_reader: OpenApiVersion
    names: UniqueNames = field(default_factory=UniqueNames)
    routes: dict[tuple[str, str], str] = field(default_factory=dict)

    def endpoints(self, operations: Sequence[FoundOperation]) -> Iterator[Endpoint]:
        for operation in operations:
            if (reason := _path_error(operation.path) or self._duplicate_error(operation)) is None:
                yield self._endpoint(operation)
            else:
                operation.cursor.warn(f"its path cannot be called: {reason}, so it is left out")

    def _duplicate_error(self, operation: FoundOperation) -> str | None:
        shape = re.sub(r"\{[^{}]*\}", "{}", operation.path)
        first = self.routes.setdefault((operation.method, shape), operation.path)
        return None if first == operation.path else f"it cannot be told from {first}"

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
        variables = re.findall(r"\{\s*([^{}]*?)\s*\}", operation.path)
        parameters: dict[tuple[str, str], Parameter] = {}
        for cursor in declared:
            parameter = self.version_reader.parameter(cursor)
            if parameter is None:
                continue
            if parameter.in_ == "path" and parameter.name not in variables:
                cursor.warn(f"the path has no variable '{parameter.name}', so it is left out")
                continue
            if any(parameter.name == name for name, _ in parameters):
                cursor.warn(f"'{parameter.name}' stands in two places of the request; one value fills both")
            parameters[parameter.name, parameter.in_] = parameter
        return tuple(sorted(parameters.values(), key=lambda item: item.in_ != "path"))


def _merged_parameters(operation: FoundOperation) -> list[Cursor]:
    """The parameters of an operation: its own, then those of its path that it does not replace."""
    merged: dict[tuple[object, object], Cursor] = {}
    for holder in (operation.cursor, operation.item):
        for cursor in holder.elements("parameters"):
            if isinstance(cursor.value, dict):
                merged.setdefault((str(cursor.value.get("name")), str(cursor.value.get("in"))), cursor)
    return list(merged.values())
