"""The operations of a document, each as an endpoint with a unique name."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from .model import Body, Endpoint, Parameter, Response
from .names import UniqueNames, kebab_case
from .pagination import declared_pages
from .requests.inputs import BODY, MAX_INPUTS, input_name, join_sentences
from .routes import Routes, path_error, request_path, variables_of
from .schema.json_schema import SchemaConverter
from .source.documents import Cursor

METHODS: Final = ("get", "post", "put", "patch", "delete", "head", "options")

_OTHER_METHODS: Final = ("trace",)
_UNSUPPORTED: Final = {
    "callbacks": "requests sent by the API are not supported; skipped",
    "webhooks": "requests sent by the API are not supported; skipped",
}


class OpenApiVersion(Protocol):
    """Reader of the parts that differ between versions of OpenAPI."""

    @property
    def converter(self) -> SchemaConverter:
        """The converter of the document's schemas."""

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods beside those of all versions."""

    def base(self, item: Cursor, operation: Cursor) -> str:
        """Return the base URL of an operation in a path item."""

    def schemes(self) -> Mapping[str, Cursor]:
        """Return the security schemes by name."""

    def parameters(self, cursor: Cursor) -> list[Parameter]:
        """Return the parameters that a parameter stands for; none if it is unsupported, or part of the body."""

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


def find_operations(root: Cursor, other_methods: Sequence[str]) -> Iterator[FoundOperation]:
    """Yield the operations of all paths; warn about those with methods that are not supported."""
    for path, item in root.named("paths"):
        if path.startswith("x-") or not isinstance(item.value, dict):
            continue
        for method in METHODS:
            cursor = item.mapping(method)
            if cursor is not None:
                yield FoundOperation(path, method, item, cursor)
        additional = item.mapping("additionalOperations")
        for method in (*_OTHER_METHODS, *other_methods, *(additional.value if additional else ())):
            if method in item.value or (additional and method in additional.value):
                item.warn(f"{method.upper()[:40]} is not supported; skipped")


def warn_unsupported(cursor: Cursor, *keys: str) -> None:
    """Warn about parts of a document that a capability cannot have."""
    for key in keys:
        if isinstance(cursor.value, dict) and cursor.value.get(key) and (child := cursor.get(key)):
            child.warn(_UNSUPPORTED[key])


def _name_of_id(operation: FoundOperation) -> str:
    """Return the name made from an operationId; Gemini allows no tool name that begins with a digit."""
    name = kebab_case(operation.id or "")
    return kebab_case(f"{operation.method} {operation.id}") if name[:1].isdigit() else name


@dataclass(slots=True)
class EndpointReader:
    """Reads the operations of one document, each with a unique name, and with a route if REST can have one."""

    version_reader: OpenApiVersion
    names: UniqueNames = field(default_factory=UniqueNames)
    routes: Routes = field(default_factory=Routes)

    def endpoints(self, operations: Sequence[FoundOperation]) -> Iterator[tuple[FoundOperation, Endpoint]]:
        """Yield the operations that a request can be made for."""
        for operation in operations:
            if (reason := path_error(operation.path)) is not None:
                operation.cursor.warn(f"path not supported: {reason}; skipped")
                continue
            endpoint = self._endpoint(operation)
            yield operation, endpoint
            operation.cursor.count_text(endpoint.text_size)

    def _endpoint(self, operation: FoundOperation) -> Endpoint:
        cursor, method = operation.cursor, operation.method.upper()
        path = request_path(operation.path)
        if (reason := self.routes.add(method, path)) is not None:
            cursor.warn(f"it has no route over REST, but is a tool: {reason}")
        declared = _merged_parameters(operation)
        parameters = self._parameters(operation, declared)
        summary, description = cursor.text("summary"), cursor.text("description")
        text = join_sentences(
            "Deprecated." if cursor.flag("deprecated") else None, description or summary or f"{method} {operation.path}"
        )
        warn_unsupported(cursor, "callbacks")
        body = self.version_reader.body(cursor, declared, parameters)
        if body is not None and body.whole is None and not body.fields:
            cursor.warn("the form declares no fields; requests have no body")
            body = None
        response = self.version_reader.response(cursor)
        return Endpoint(
            name=self.names.add(_name_of_id(operation), kebab_case(f"{operation.method} {operation.path}")),
            method=method,
            path=path,
            route=path if reason is None else None,
            label=summary if description and summary != description else None,
            description=text or "",
            parameters=parameters,
            body=body,
            # There is no body in the response to HEAD.
            response=replace(response, schema=None, example=None) if method == "HEAD" else response,
            place=cursor.place,
            pages=declared_pages(cursor),
        )

    def _parameters(self, operation: FoundOperation, declared: Sequence[Cursor]) -> tuple[Parameter, ...]:
        variables = variables_of(operation.path)
        parameters: dict[tuple[str, str], Parameter] = {}
        for cursor in declared:
            for parameter in self.version_reader.parameters(cursor):
                if parameter.in_ == "path" and parameter.name not in variables:
                    cursor.warn(f"the path has no variable '{parameter.name}'; skipped")
                else:
                    parameters.setdefault((parameter.name, parameter.in_), parameter)
        ordered = sorted(parameters.values(), key=lambda item: item.in_ != "path")
        has_body = "requestBody" in operation.cursor.value or any(
            cursor.value.get("in") in ("body", "formData") for cursor in declared
        )
        return _with_unique_names(ordered, {*variables, *((BODY,) if has_body else ())})


def _with_unique_names(parameters: Sequence[Parameter], reserved: set[str]) -> tuple[Parameter, ...]:
    """Return the parameters as inputs with names of their own; `x-name` has the name in the request."""
    used = set(reserved)
    named: list[Parameter] = []
    for parameter in parameters:
        if parameter.in_ == "path":
            named.append(parameter)
            continue
        base = input_name(parameter.name)
        other = f"{base}-{parameter.in_}"
        candidates = itertools.chain((base, other), (f"{other}-{number}" for number in itertools.count(2)))
        name = next(candidate for candidate in candidates if candidate not in used)
        used.add(name)
        wire = parameter.wire if name == parameter.name else {"x-name": parameter.name, **parameter.wire}
        named.append(replace(parameter, name=name, wire=wire))
    return tuple(named)


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
