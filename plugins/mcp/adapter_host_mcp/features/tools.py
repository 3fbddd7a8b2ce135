"""Tools: operations with the definitions that clients see."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

from adapter_host import (
    ArgumentError,
    Arguments,
    Input,
    Operation,
    Result,
    describe_place,
)
from adapter_host_mcp.config import Results
from adapter_host_mcp.tool_names import MAX_LENGTH

from .output_schema import Conform, FindViolation, compile_conformer, compile_schema

if TYPE_CHECKING:
    from adapter_host import NameMap
    from adapter_host_mcp.tasks.declared_task import DeclaredTask

LONGEST_DESCRIPTION: Final = 1024
"""Characters that OpenAI's API allows in the description of a tool."""

_OBJECT_TYPES: Final = ("object", ["object", "null"])


class ToolRouter(Protocol):
    """Finds the tool that a call of another tool names."""

    def redirect(self, arguments: Arguments) -> tuple[Tool, Arguments]:
        """Return the tool that the arguments name, and its arguments; raise `OperationError`."""

    def near_names(self, name: str) -> str:
        """Return the names of tools similar to an unknown one, for the end of an error."""


@dataclass(frozen=True, slots=True)
class ResultForm:
    """The form of a result, which depends on the revision of the client.

    With `allow_any_json` structured content may be any JSON, not only an object. With `allow_links` content may have
    links to resources. `result_meta` are the members that every result has.
    """

    allow_any_json: bool
    allow_links: bool
    result_meta: bytes = b""


class ResultBudget(Protocol):
    """Serializes the results of a tool that are larger than its budget."""

    @property
    def label(self) -> str | None:
        """The declared budget; None for the default."""

    async def members(self, result: Result, tool: Tool, form: ResultForm) -> tuple[bytes, str | None]:
        """Return the members of a result, and a message for a violation of the output schema."""


class ResultSelection(Protocol):
    """Chooses fields of the results of a tool, by an argument."""

    def describe(self) -> Mapping[str, Any]:
        """Return the fields with their tokens, for people."""

    def of_task(self, arguments: Arguments) -> Arguments:
        """Return the arguments of a call that its task needs to choose fields of its result."""

    def apply_to_task(self, result: Result, arguments: Arguments) -> Result:
        """Return the result of a task, with the fields that its call has chosen."""


@dataclass(frozen=True, eq=False)
class Tool:
    """An operation as a tool.

    `blob_uri` is the prefix of the URIs of embedded resources; `headers` are the inputs that come from headers of the
    HTTP request instead of the arguments. A result holds events up to `event_limit` bytes. `results` is whether
    they are text, structured content or both. Model providers' APIs accept the schemas of tools that are portable.
    A tool with a `router` is called in place of others. Its `budget` serializes results of more than `most_bytes`. The
    result of one with a `task` is that of the task, if the API begins one. With a `selection` callers choose fields.
    """

    name: str
    title: str | None
    operation: Operation
    annotations: Mapping[str, Any]
    blob_uri: str
    headers: tuple[Input, ...] = ()
    results: Results = "both"
    event_limit: int = 10 * 2**20
    is_portable: bool = True
    converts_texts: bool = True
    router: ToolRouter | None = None
    task: DeclaredTask | None = None
    budget: ResultBudget | None = None
    most_bytes: int = sys.maxsize
    selection: ResultSelection | None = None

    def arguments(self, arguments: Arguments, headers: Mapping[str, str]) -> Arguments:
        """Merge arguments, with their declared names, and header inputs.

        Raise `ArgumentError` when an argument has the name of a header input.
        """
        if self.names is not None:
            arguments = self.names.restore(arguments, reads_texts=self.converts_texts)
        if not self.headers:
            return arguments
        values = {}
        for header in self.headers:
            if header.name in arguments:
                message = f"'{header.name}' is not an argument; send it as an HTTP header"
                raise ArgumentError(header.name, message)
            if (text := headers.get(header.name)) is not None:
                values[header.name] = header.parse(text)
        return {**arguments, **values}

    def violation(self, output: Any) -> str | None:
        """Return a message for the first violation of the output schema, or None."""
        path = self.find_violation(output) if self.find_violation is not None else None
        return None if path is None else f"the result violates the output schema at ${path}"

    @cached_property
    def find_violation(self) -> FindViolation | None:
        """The check of results against the declared schema; None without one."""
        return _find_violation(self.operation)

    @cached_property
    def conform(self) -> Conform | None:
        """The function that makes results meet the output schema; None without one."""
        return None if self.output_schema is None else compile_conformer(self.output_schema)

    @property
    def returns_object(self) -> bool:
        """True if the output schema is that of an object, or of null in its place."""
        schema = self.output_schema
        return schema is not None and schema.get("type") in _OBJECT_TYPES

    def wraps_output(self, *, allow_any_json: bool) -> bool:
        """Return whether the output is wrapped in `result`.

        The handshake revisions allow only objects. SDKs omit null, or take it for absent structured content.
        """
        schema = self.output_schema
        if schema is None or self.returns_object:
            return False
        alternatives = [schema, *schema.get("anyOf", ())]
        return not allow_any_json or any("null" in each.get("type", ()) for each in alternatives)

    def definition(self, *, allow_any_json: bool) -> dict[str, Any]:
        """Return the entry for `tools/list`; with `allow_any_json` its output may be any JSON."""
        members = {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": self.input_schema,
            "outputSchema": self._listed_output_schema(allow_any_json),
            "annotations": self.annotations or None,
        }
        return {key: value for key, value in members.items() if value is not None}

    @cached_property
    def description(self) -> str | None:
        """The description that clients see."""
        text = self.operation.description
        if text is None or not self.is_portable or len(text) <= LONGEST_DESCRIPTION:
            return text
        start, _, _ = text[: LONGEST_DESCRIPTION - 1].rpartition(" ")
        return f"{start or text[: LONGEST_DESCRIPTION - 1]}…"

    @cached_property
    def input_schema(self) -> Mapping[str, Any]:
        """The schema of the arguments that clients see."""
        return _portable(self._full_input_schema) if self.is_portable else self._full_input_schema

    @cached_property
    def output_schema(self) -> Mapping[str, Any] | None:
        """The schema of results that clients see, not wrapped; None without one."""
        schema = self.operation.output_schema
        return _portable(schema, is_output=True) if schema is not None and self.is_portable else schema

    @cached_property
    def names(self) -> NameMap | None:
        """The declared names of renamed properties of the arguments; None if no name is changed."""
        if not self.is_portable:
            return None
        from adapter_host import NameMap

        return NameMap.of(self._full_input_schema)

    @cached_property
    def _full_input_schema(self) -> Mapping[str, Any]:
        header_names = {header.name for header in self.headers}
        if not header_names:
            return self.operation.input_schema
        visible = tuple(item for item in self.operation.inputs if item.name not in header_names)
        return replace(self.operation, inputs=visible).input_schema

    def _listed_output_schema(self, allow_any_json: bool) -> Mapping[str, Any] | None:
        schema = self.output_schema
        if schema is None or self.results == "text":
            return None
        if self.returns_object:
            return {**schema, "type": "object"}
        if not self.wraps_output(allow_any_json=allow_any_json):
            return schema
        result = {key: value for key, value in schema.items() if key != "$defs"}
        defs = {"$defs": schema["$defs"]} if "$defs" in schema else {}
        return {"type": "object", "properties": {"result": result}, "required": ["result"], **defs}


def unknown_tool(tools: Mapping[str, Tool], name: str) -> str:
    """Return the message for a name of no tool; with search, it has similar names."""
    router = next((tool.router for tool in tools.values() if tool.router is not None), None)
    return f"Unknown tool: {name[:MAX_LENGTH]}{'' if router is None else router.near_names(name)}"


def _find_violation(operation: Operation) -> FindViolation | None:
    if operation.result_schema is not None:
        validate = operation.result_schema.validate
        return lambda data: next((f".{describe_place(found.path)}" for found in validate(data)), None)
    return None if operation.output_schema is None else compile_schema(operation.output_schema)


def _portable(schema: Mapping[str, Any], *, is_output: bool = False) -> Mapping[str, Any]:
    # Imported late: `validate` shows no schemas.
    from adapter_host import portable_schema

    return portable_schema(schema, is_output=is_output)
