"""Resources: operations and files by URI."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from adapter_host import (
    Arguments,
    BuildContext,
    Input,
    Location,
    Model,
    Operation,
    Operations,
    OperationSpec,
    Result,
    UnavailableError,
    guess_media_type,
)
from adapter_host_mcp.config import McpFileSpec, McpResourceSpec
from adapter_host_mcp.uri_templates import UriTemplate, file_uri, parse_uri, path_in_folder

from .tool_results import decode

log = logging.getLogger("adapter_host.mcp")

_PATH = Input("path", "string", description="The path of a file below the folder")


@dataclass(frozen=True, slots=True, eq=False)
class Resource(ABC):
    """One entry of `resources`; its operation returns the content."""

    name: str
    title: str | None
    description: str | None
    mime_type: str | None
    uri: UriTemplate
    operation: Operation
    binary: bool
    spec: Model

    @property
    def definition(self) -> dict[str, Any]:
        """Return the members that resources and templates have in common, without the URI."""
        members = {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "mimeType": self.mime_type,
        }
        return {key: value for key, value in members.items() if value is not None}

    def media_type(self, result: Result) -> str:
        """Return the media type that clients get for a result."""
        return self.mime_type or result.media_type.partition(";")[0].strip()

    @abstractmethod
    def match(self, uri: str) -> Arguments | None:
        """Return the arguments in `uri`, or None when it does not match; raise `ArgumentError` for invalid values."""

    @abstractmethod
    async def entries(self) -> list[dict[str, Any]]:
        """Return the entries for `resources/list`; none for a template."""


class OperationResource(Resource):
    """A resource whose content comes from a declared operation."""

    def match(self, uri: str) -> Arguments | None:
        values = self.uri.match(uri)
        if not values:
            return values
        inputs = {item.name: item for item in self.operation.inputs}
        return {name: inputs[name].parse(text) for name, text in values.items()}

    async def entries(self) -> list[dict[str, Any]]:
        return [] if self.uri.variables else [{"uri": self.uri.text, **self.definition}]


@dataclass(frozen=True, slots=True, eq=False)
class FileResource(Resource):
    """A file or a folder; which of the two is checked on every access."""

    location: Location

    def media_type(self, result: Result) -> str:
        return result.media_type

    def match(self, uri: str) -> Arguments | None:
        if uri == self.uri.text:
            return {}
        path = path_in_folder(self.uri.text, uri)
        return None if path is None else {"path": path}

    async def entries(self) -> list[dict[str, Any]]:
        return [self._entry(item.path, item.size) for item in await self.location.in_thread(self.location.files)]

    def _entry(self, path: str, size: int) -> dict[str, Any]:
        if not path:
            return {"uri": self.uri.text, **self.definition, "size": size}
        members = {"uri": file_uri(self.uri.text, path), "name": f"{self.name}/{path}", "size": size}
        media_type = guess_media_type(path) or self.mime_type
        title = {"title": f"{self.title}: {path}"} if self.title else {}
        return {**self.definition, **members, **title, **({"mimeType": media_type} if media_type else {})}


def prepare_resources(
    specs: Sequence[McpResourceSpec | McpFileSpec], operations: Operations, context: BuildContext
) -> tuple[Resource, ...]:
    """Build the resources in the document's order, and report invalid ones."""
    _warn_shadowed(specs, context)
    return tuple(_build_resources(specs, operations, context))


def _build_resources(
    specs: Sequence[McpResourceSpec | McpFileSpec], operations: Operations, context: BuildContext
) -> Iterator[Resource]:
    for spec in specs:
        with context.section() as section:
            resource = _build_resource(spec, operations, context)
        if resource is not None and not section.skipped:
            yield resource


def _build_resource(
    spec: McpResourceSpec | McpFileSpec, operations: Operations, context: BuildContext
) -> Resource | None:
    if isinstance(spec, McpFileSpec):
        location = _find_location(spec, context)
        return None if location is None else _file_resource(spec, location)
    if spec not in operations or not _check_readable(spec, operations[spec], context):
        return None
    operation = operations[spec]
    media_type = spec.mime_type or operation.media_type
    return OperationResource(
        _resource_name(spec),
        spec.label,
        spec.description,
        media_type,
        parse_uri(spec.uri),
        operation,
        spec.binary,
        spec,
    )


def _warn_shadowed(specs: Sequence[McpResourceSpec | McpFileSpec], context: BuildContext) -> None:
    uris = set()
    for spec in specs:
        uri = parse_uri(spec.uri).text
        if uri in uris:
            message = f"duplicate uri '{uri}'; only the first resource with it can be read"
            context.warn(message, spec, "uri", code="shadowed-resource")
        uris.add(uri)


def _resource_name(spec: McpResourceSpec | McpFileSpec) -> str:
    return spec.name or spec.label or spec.uri


def _check_readable(spec: McpResourceSpec, operation: Operation, context: BuildContext) -> bool:
    if spec.binary and not operation.binary:
        message = "'binary: true' requires a consumed operation with 'outputRawFormat: binary'"
        context.problem(message, spec, "binary", code="not-binary")
    variables = parse_uri(spec.uri).variables
    missing = [item.name for item in operation.inputs if item.required and item.name not in variables]
    for name in missing:
        message = f"required input '{name}' is not set; set it in 'with' or add {{{name}}} to 'uri'"
        context.problem(message, spec, "uri", code="missing-variable")
    return not missing


def _find_location(spec: McpFileSpec, context: BuildContext) -> Location | None:
    if spec.location is None:
        context.problem("the resource has no content; set 'call', 'steps' or 'location'", spec, code="modes")
        return None
    if modes := [mode for mode in ("call", "ref", "steps") if mode in (spec.model_extra or {})]:
        message = f"'location' and {' and '.join(map(repr, modes))} are mutually exclusive"
        context.problem(message, spec, "location", code="modes")
        return None
    if variables := parse_uri(spec.uri).variables:
        message = f"'uri' with 'location' cannot have variables (given {{{variables[0]}}}); files get URIs below it"
        context.problem(message, spec, "uri", code="invalid")
        return None
    return context.location(spec.location, spec, "location")


def _file_resource(spec: McpFileSpec, location: Location) -> FileResource:
    async def call(arguments: Arguments) -> Result:
        path = arguments.get("path", "")
        body = await location.in_thread(location.read, path)
        declared, guessed = spec.mime_type, guess_media_type(path or str(spec.location))
        media_type = guessed or declared if path else declared or guessed
        return Result(body=body, media_type=_actual_media_type(media_type or "", body))

    name = _resource_name(spec)
    operation = Operation(name, spec.description, (_PATH,), call, OperationSpec(name=name))
    media_type = spec.mime_type or guess_media_type(str(spec.location))
    uri = parse_uri(spec.uri)
    return FileResource(name, spec.label, spec.description, media_type, uri, operation, spec.binary, spec, location)


def _actual_media_type(media_type: str, body: bytes) -> str:
    try:
        body.decode()
    except UnicodeDecodeError:
        # A text type only by its file name: the content is served as bytes.
        return media_type if decode(body, media_type) is None else "application/octet-stream"
    return media_type


async def warn_missing_locations(locations: Sequence[tuple[str, Location]]) -> None:
    """Log a warning for each location that does not exist (yet)."""
    for name, location in locations:
        try:
            if not await location.in_thread(location.exists):
                log.warning("%s: its location does not exist", name)
        except UnavailableError:
            log.warning("%s: its location does not respond", name)
