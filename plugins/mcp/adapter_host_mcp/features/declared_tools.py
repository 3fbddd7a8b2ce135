"""The tools that a document declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from adapter_host import BuildContext, Operation, Operations, Semantics
from adapter_host_mcp.config import McpConfig, McpHints
from adapter_host_mcp.task_config import McpTaskSpec
from adapter_host_mcp.tool_names import rename_message, unique_names

from .tools import LONGEST_DESCRIPTION, Tool

_HINTS: Final = {
    "read_only": "readOnlyHint",
    "destructive": "destructiveHint",
    "idempotent": "idempotentHint",
    "open_world": "openWorldHint",
}


def prepare_tools(config: McpConfig, operations: Operations, context: BuildContext) -> dict[str, Tool]:
    """Build the tools by name, in the document's order, and warn about renamed ones."""
    tools = {}
    for spec, name in unique_names(config.tools, config.is_portable):
        if spec.name is not None and name != spec.name:
            message = rename_message(spec.name, name, config.is_portable)
            context.warn(message, spec, "name", code="renamed-tool", replacement=name)
        if spec in operations:
            annotations = _annotations(spec.label, spec.hints, operations[spec].semantics)
            tool = operation_tool(name, operations[spec], annotations, context, config)
            if spec.x_task is not None:
                tool = _add_task(tool, spec.x_task, operations, context)
            tools[name] = tool
            if tool.description != tool.operation.description:
                message = (
                    f"the description of tool '{name}' has more than {LONGEST_DESCRIPTION} characters, and clients see "
                    "only so many, because OpenAI's API allows no more; shorten it"
                )
                context.warn(message, spec, "description", code="long-description")
    return tools


def operation_tool(
    name: str, operation: Operation, annotations: Mapping[str, Any], context: BuildContext, config: McpConfig
) -> Tool:
    """Return an operation as a tool; inputs that are headers come from the headers of requests."""
    header_names = {item.name for item in operation.spec.input_parameters if item.in_ == "header"}
    return Tool(
        name=name,
        title=operation.spec.label,
        operation=operation,
        annotations=annotations,
        blob_uri=f"tool://{quote(context.namespace, safe='')}/{name}",
        headers=tuple(item for item in operation.inputs if item.name in header_names),
        results=config.x_results,
        is_portable=config.is_portable,
        converts_texts=config.converts_texts,
        event_limit=context.settings.response_limit,
    )


def _add_task(tool: Tool, spec: McpTaskSpec, operations: Operations, context: BuildContext) -> Tool:
    # Imported late, as few documents have tasks.
    from adapter_host_mcp.tasks.declared_task import compile_task

    task = compile_task(spec, tool.operation, operations, context)
    # The declared schema is that of the first response, which is not the result of the task.
    operation = replace(tool.operation, output_schema=None, result_schema=None)
    return replace(tool, task=task, operation=operation)


def _annotations(label: str | None, hints: McpHints | None, semantics: Semantics | None) -> dict[str, Any]:
    annotations: dict[str, Any] = {"title": label} if label else {}
    semantic_hints = _semantic_hints(semantics)
    for field, key in _HINTS.items():
        declared = getattr(hints, field, None)
        hint = semantic_hints.get(field) if declared is None else declared
        if hint is not None:
            annotations[key] = hint
    return annotations


def _semantic_hints(semantics: Semantics | None) -> dict[str, bool | None]:
    if semantics is None:
        return {}
    hints: dict[str, bool | None] = {"read_only": semantics.safe, "idempotent": semantics.idempotent}
    return {**hints, "destructive": False} if semantics.safe else hints
