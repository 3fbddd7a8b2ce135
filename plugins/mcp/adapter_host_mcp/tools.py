"""Tools: what a client is told of each operation, and under which name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from adapter_host import Operation, Operations, Provision

from .config import McpHints, McpToolSpec

LONGEST: Final = 64
"""The protocol allows 128 characters, the models' own interfaces often no more than these."""

LEGAL: Final = re.compile(rf"[A-Za-z0-9_.-]{{1,{LONGEST}}}")
_ILLEGAL: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_HINTS: Final = {
    "read_only": "readOnlyHint",
    "destructive": "destructiveHint",
    "idempotent": "idempotentHint",
    "open_world": "openWorldHint",
}


@dataclass(frozen=True, slots=True, eq=False)
class Tool:
    """An operation as a tool; `uri` names what it gives when that is neither text, image nor sound."""

    name: str
    title: str | None
    operation: Operation
    annotations: Mapping[str, Any]
    uri: str

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
            "inputSchema": self.operation.input_schema,
            "outputSchema": self._output_schema(any_output),
            "annotations": self.annotations or None,
        }
        return {key: value for key, value in members.items() if value is not None}

    def _output_schema(self, any_output: bool) -> Mapping[str, Any] | None:
        schema = self.operation.output_schema
        if schema is None or any_output or not self.wraps:
            return schema
        return {"type": "object", "properties": {"result": schema}, "required": ["result"]}


def prepare_tools(specs: Sequence[McpToolSpec], operations: Operations, provision: Provision) -> dict[str, Tool]:
    """The tools by name, in the document's order; says which had to be renamed."""
    tools = {}
    for spec, name in _named(specs):
        if spec.name is not None and name != spec.name:
            provision.warn(_renamed(spec.name, name), spec, "name", code="renamed-tool")
        if spec in operations:
            tools[name] = Tool(
                name=name,
                title=spec.label,
                operation=operations[spec],
                annotations=_annotations(spec.label, spec.hints),
                uri=f"tool://{quote(provision.namespace, safe='')}/{name}",
            )
    return tools


def _named(specs: Sequence[McpToolSpec]) -> Iterator[tuple[McpToolSpec, str]]:
    # A name that stands in the document is never taken by another tool's legal or numbered form of its own.
    declared = {spec.name for spec in specs}
    taken: set[str] = set()
    for spec in specs:
        wanted = spec.name or (spec.ref or spec.call or "tool").rpartition(".")[2]
        legal = wanted if LEGAL.fullmatch(wanted) else _ILLEGAL.sub("-", wanted).strip("-")[:LONGEST] or "tool"
        name = next(
            candidate
            for candidate in _candidates(legal)
            if candidate not in taken and (candidate == spec.name or candidate not in declared)
        )
        taken.add(name)
        yield spec, name


def _candidates(legal: str) -> Iterator[str]:
    yield legal
    number = 2
    while True:
        suffix = f"-{number}"
        yield legal[: LONGEST - len(suffix)] + suffix
        number += 1


def _renamed(declared: str, name: str) -> str:
    if not LEGAL.fullmatch(declared):
        reason = f"a tool's name has letters, digits, '_', '-' and '.' alone, at most {LONGEST}"
    else:
        reason = "another tool of this exposer has that name"
    return f"tool '{declared}' is offered as '{name}': {reason}"


def _annotations(label: str | None, hints: McpHints | None) -> dict[str, Any]:
    annotations: dict[str, Any] = {"title": label} if label else {}
    for field, key in _HINTS.items():
        hint = getattr(hints, field, None)
        if hint is not None:
            annotations[key] = hint
    return annotations
