"""Tools: what a client is told of each operation, and under which name."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote

from adapter_host import ArgumentError, Arguments, BuildContext, Input, Operation, Operations, Semantics
from adapter_host_mcp.config import McpHints, McpToolSpec
from adapter_host_mcp.tool_names import named, renamed

from .output_schema import Find, compile_schema

log = logging.getLogger("adapter_host.mcp")

_HINTS: Final = {
    "read_only": "readOnlyHint",
    "destructive": "destructiveHint",
    "idempotent": "idempotentHint",
    "open_world": "openWorldHint",
}


@dataclass(frozen=True, slots=True, eq=False)
class Tool:
    """An operation as a tool; `uri` begins those of what it gives when that is neither text, image nor sound.

    `headers` are the inputs that the document takes from the caller's HTTP request and not from the arguments.
    """

    name: str
    title: str | None
    operation: Operation
    annotations: Mapping[str, Any]
    uri: str
    headers: tuple[Input, ...] = ()
    find_flaw: Find | None = None

    def arguments(self, given: Arguments, headers: Mapping[str, str]) -> Arguments:
        """Return the caller's arguments, those in headers included; raise `ArgumentError`."""
        if not self.headers:
            return given
        taken = {}
        for each in self.headers:
            if each.name in given:
                message = f"'{each.name}' is taken from the HTTP request's header, not from the arguments"
                raise ArgumentError(each.name, message)
            if (text := headers.get(each.name)) is not None:
                taken[each.name] = each.parse(text)
        return {**given, **taken}

    def flaw(self, output: Any) -> str | None:
        """Where what it gives is not as its own schema says."""
        place = self.find_flaw(output) if self.find_flaw is not None else None
        return None if place is None else f"its result is not as its output schema says at ${place}"

    def note_flaw(self, output: Any) -> None:
        """Warn when what it gives is not as its own schema says: the client gets it nevertheless."""
        if (flaw := self.flaw(output)) is not None:
            log.warning("tool '%s': %s", self.name, flaw)

    @property
    def wraps(self) -> bool:
        """Whether the handshake revisions, which know objects alone, get its output in a `result`."""
        schema = self.operation.output_schema
        return schema is not None and schema.get("type") != "object"

    def definition(self, *, any_output: bool) -> dict[str, Any]:
        """Its entry in a list of tools; with `any_output` its output need not be an object."""
        members = {
            "name": self.name,
            "title": self.title,
            "description": self.operation.description,
            "inputSchema": self._input_schema(),
            "outputSchema": self._output_schema(any_output),
            "annotations": self.annotations or None,
        }
        return {key: value for key, value in members.items() if value is not None}

    def _input_schema(self) -> Mapping[str, Any]:
        hidden = {each.name for each in self.headers}
        if not hidden:
            return self.operation.input_schema
        shown = tuple(each for each in self.operation.inputs if each.name not in hidden)
        return replace(self.operation, inputs=shown).input_schema

    def _output_schema(self, any_output: bool) -> Mapping[str, Any] | None:
        schema = self.operation.output_schema
        if schema is None or any_output or not self.wraps:
            return schema
        return {"type": "object", "properties": {"result": schema}, "required": ["result"]}


def prepare_tools(specs: Sequence[McpToolSpec], operations: Operations, context: BuildContext) -> dict[str, Tool]:
    """Return the tools by name, in the document's order; says which had to be renamed."""
    tools = {}
    for spec, name in named(specs):
        if spec.name is not None and name != spec.name:
            context.warn(renamed(spec.name, name), spec, "name", code="renamed-tool")
        if spec in operations:
            tools[name] = _tool(name, spec, operations[spec], context.namespace)
    return tools


def _tool(name: str, spec: McpToolSpec, operation: Operation, namespace: str) -> Tool:
    declared = {given.name for given in spec.input_parameters if given.in_ == "header"}
    return Tool(
        name=name,
        title=spec.label,
        operation=operation,
        annotations=_annotations(spec.label, spec.hints, operation.semantics),
        uri=f"tool://{quote(namespace, safe='')}/{name}",
        headers=tuple(each for each in operation.inputs if each.name in declared),
        find_flaw=None if operation.output_schema is None else compile_schema(operation.output_schema),
    )


def _annotations(label: str | None, hints: McpHints | None, semantics: Semantics | None) -> dict[str, Any]:
    annotations: dict[str, Any] = {"title": label} if label else {}
    meant = _meant(semantics)
    for field, key in _HINTS.items():
        own = getattr(hints, field, None)
        hint = meant.get(field) if own is None else own
        if hint is not None:
            annotations[key] = hint
    return annotations


def _meant(semantics: Semantics | None) -> dict[str, bool | None]:
    """Return the hints that a function's semantics amount to."""
    if semantics is None:
        return {}
    hints: dict[str, bool | None] = {"read_only": semantics.safe, "idempotent": semantics.idempotent}
    return {**hints, "destructive": False} if semantics.safe else hints
