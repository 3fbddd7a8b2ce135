"""The operations of an MCP server: its tools, resources, resource templates and prompts."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from mcp.client import Client
from mcp.shared.uri_template import InvalidUriTemplate, UriTemplate
from mcp_types import ReadResourceResult, TextResourceContents

from adapter_host import (
    ArgumentError,
    Arguments,
    ConsumedOperation,
    Input,
    ProblemsError,
    Result,
    UpstreamUnreachableError,
    is_json,
    resolve_response_schema,
    sample_of,
    schema_inputs,
    text_of,
)

from .connection import Connection
from .results import prompt_result, resource_result, tool_result


class McpOperation(ConsumedOperation):
    """An operation of a server; `kind` is the list that it is in, and part of its longest name."""

    kind = ""

    def __init__(self, name: str, definition: Mapping[str, Any], namespace: str) -> None:
        self.namespace = namespace
        self.name = name
        self.resource = self.kind
        self.description = definition.get("description") or definition.get("title")
        self.connection: Connection | None = None
        self.mocks = False

    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        known = {item.name: arguments[item.name] for item in self.inputs if item.name in arguments}
        if self.mocks:
            return self.sample()
        if self.connection is None:
            raise UpstreamUnreachableError("the connection to the MCP server is not open")
        return await self.connection.call(lambda client: self.send(client, known))

    @abstractmethod
    async def send(self, client: Client, arguments: dict[str, Any]) -> Result:
        """Send the request of a call."""

    def sample(self) -> Result:
        """Return the result of a mock server."""
        return Result(data=self.name)

    def describe(self) -> Mapping[str, Any]:
        return {"method": self.request_name, "url": self.name}

    def preview(self, arguments: Arguments) -> Mapping[str, Any]:
        return {**self.describe(), "arguments": dict(arguments)}

    @property
    @abstractmethod
    def request_name(self) -> str:
        """The method of the request in the protocol."""


class ToolOperation(McpOperation):
    """A tool."""

    kind = "tools"
    request_name = "tools/call"

    def __init__(self, name: str, definition: Mapping[str, Any], namespace: str) -> None:
        super().__init__(name, definition, namespace)
        qualified = f"{namespace}.{name}"
        try:
            self.inputs = schema_inputs(definition.get("inputSchema", {}), qualified)
            output = definition.get("outputSchema")
            self.output_schema = resolve_response_schema(output, f"{qualified}.result") if output else None
        except ProblemsError as error:
            self.refusal = f"its schema is invalid: {error.problems[0].message}"

    async def send(self, client: Client, arguments: dict[str, Any]) -> Result:
        return tool_result(await client.call_tool(self.name, arguments))

    def sample(self) -> Result:
        return super().sample() if self.output_schema is None else Result(data=sample_of(self.output_schema.data))


class ResourceOperation(McpOperation):
    """A resource with a fixed URI."""

    kind = "resources"
    request_name = "resources/read"

    def __init__(self, name: str, uri: str, definition: Mapping[str, Any], namespace: str) -> None:
        super().__init__(name, definition, namespace)
        self.uri = uri
        media_type = definition.get("mimeType")
        self.media_type = media_type
        self.binary = media_type is not None and not is_json(media_type) and not media_type.startswith("text/")

    async def send(self, client: Client, arguments: dict[str, Any]) -> Result:
        return resource_result(await client.read_resource(self.uri))

    def sample(self) -> Result:
        contents = TextResourceContents(uri=self.uri, mime_type=self.media_type, text=json.dumps(self.name))
        return resource_result(ReadResourceResult(contents=[contents]))

    def describe(self) -> Mapping[str, Any]:
        return {"method": self.request_name, "url": self.uri}


class TemplateOperation(ResourceOperation):
    """Resources by a URI template (RFC 6570): its variables are the inputs."""

    def __init__(self, name: str, uri: str, definition: Mapping[str, Any], namespace: str) -> None:
        super().__init__(name, uri, definition, namespace)
        try:
            self._template = UriTemplate.parse(uri)
        except InvalidUriTemplate as error:
            self.refusal = f"its URI template is invalid: {error}"
            return
        optional = self._template.query_variable_names
        self.inputs = tuple(
            Input(variable.name, "array" if variable.explode else "string", required=variable.name not in optional)
            for variable in self._template.variables
        )

    async def send(self, client: Client, arguments: dict[str, Any]) -> Result:
        return resource_result(await client.read_resource(self._expand(arguments)))

    def preview(self, arguments: Arguments) -> Mapping[str, Any]:
        return {"method": self.request_name, "url": self._expand(arguments)}

    def _expand(self, arguments: Arguments) -> str:
        values = {
            name: list(map(text_of, value)) if isinstance(value, list) else text_of(value)
            for name, value in arguments.items()
        }
        try:
            return self._template.expand(values)
        except (TypeError, ValueError) as error:
            raise ArgumentError(
                next(iter(values), "uri"), f"the URI cannot be made from the arguments: {error}"
            ) from error


class PromptOperation(McpOperation):
    """A prompt; its arguments are texts."""

    kind = "prompts"
    request_name = "prompts/get"

    def __init__(self, name: str, definition: Mapping[str, Any], namespace: str) -> None:
        super().__init__(name, definition, namespace)
        self.inputs = tuple(
            Input(
                argument["name"],
                "string",
                required=bool(argument.get("required")),
                description=argument.get("description"),
            )
            for argument in definition.get("arguments", ())
        )

    async def send(self, client: Client, arguments: dict[str, Any]) -> Result:
        return prompt_result(await client.get_prompt(self.name, arguments))

    def sample(self) -> Result:
        return Result(data={"messages": [{"role": "user", "content": {"type": "text", "text": self.name}}]})


def build_operations(definitions: Mapping[str, Any], namespace: str) -> Iterator[McpOperation]:
    """Yield an operation for each definition."""
    for name, definition in definitions.get("tools", {}).items():
        yield ToolOperation(name, definition, namespace)
    names: set[str] = set()
    for uri, definition in definitions.get("resources", {}).items():
        yield ResourceOperation(_unique(definition["name"], names), uri, definition, namespace)
    for uri, definition in definitions.get("resourceTemplates", {}).items():
        yield TemplateOperation(_unique(definition["name"], names), uri, definition, namespace)
    for name, definition in definitions.get("prompts", {}).items():
        yield PromptOperation(name, definition, namespace)


def _unique(name: str, names: set[str]) -> str:
    """Return the name of a resource, which others may have too, with a number for all but the first."""
    unique, number = name, 2
    while unique in names:
        unique, number = f"{name}-{number}", number + 1
    names.add(unique)
    return unique
