"""Calls of tools: the function that calls each one, chosen when the document is loaded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from adapter_host import ApprovalRequiredError, Arguments, OperationError, RefusedError, Result, current_call
from adapter_host_mcp.protocol import LINK_VERSIONS

from .events import OnEvent, collect_events
from .tool_results import error_members, result_members, success_members
from .tools import ResultForm, Tool

log = logging.getLogger("adapter_host.mcp")

BeginTask = Callable[[Tool, Arguments, Result], bytes | None]
"""Returns the members of the result if a call has begun a task, else None."""

Members = tuple[bytes, str | None]
"""The serialized members of a result, and a message for a violation of its schema."""


class CallRequest(Protocol):
    """A request that calls a tool: `version` is the revision of its client, if it is known."""

    @property
    def version(self) -> str | None:
        """The protocol version."""


@dataclass(frozen=True, slots=True)
class KnownVersion:
    """A request whose revision is known."""

    version: str | None


class ToolCall(Protocol):
    """Calls one tool.

    `result_meta` are the members that every result has, which begin with a comma. With `asks`, raise
    `ApprovalRequiredError`, as the client may ask a person; otherwise it is an error of the tool.
    `on_failure` receives the id of a failed call, which is also in the log if the host or the API is the cause.
    `on_event` is awaited with the number and the text of each event, if the API sends a stream of events.
    `begin_task` is that of a client with tasks; its members are the result if the call has begun one, without those of
    `result_meta`.
    """

    async def __call__(
        self,
        arguments: Arguments,
        headers: Mapping[str, str],
        request: CallRequest | None = None,
        *,
        allow_any_json: bool,
        result_meta: bytes = b"",
        on_failure: Callable[[str], None] | None = None,
        on_event: OnEvent | None = None,
        begin_task: BeginTask | None = None,
        asks: bool = False,
    ) -> Members:
        """Return the members of the result."""


def compile_call(tool: Tool) -> ToolCall:
    """Return the function that calls a tool; only that of a tool with a task or a router considers them."""
    return partial(call_tool if tool.task is None and tool.router is None else call_tool_with_task, tool)


async def call_tool(
    tool: Tool,
    arguments: Arguments,
    headers: Mapping[str, str],
    request: CallRequest | None = None,
    *,
    allow_any_json: bool,
    result_meta: bytes = b"",
    on_failure: Callable[[str], None] | None = None,
    on_event: OnEvent | None = None,
    begin_task: BeginTask | None = None,
    asks: bool = False,
) -> Members:
    """Call a tool that has no task and no router."""
    try:
        result = await tool.operation.call(tool.arguments(arguments, headers))
        if result.stream is not None:
            result = await collect_events(result, tool.event_limit, on_event)
        if len(result.body) > tool.most_bytes:
            return await result_members(result, tool, _form(request, allow_any_json, result_meta))
        members, violation = success_members(result, tool, allow_any_json=allow_any_json)
        return members + result_meta, violation
    except OperationError as error:
        return _failed(tool, error, on_failure, result_meta, asks=asks), None


async def call_tool_with_task(
    tool: Tool,
    arguments: Arguments,
    headers: Mapping[str, str],
    request: CallRequest | None = None,
    *,
    allow_any_json: bool,
    result_meta: bytes = b"",
    on_failure: Callable[[str], None] | None = None,
    on_event: OnEvent | None = None,
    begin_task: BeginTask | None = None,
    asks: bool = False,
) -> Members:
    """Call a tool that may begin a task, or that is called in place of others."""
    try:
        if tool.router is not None:
            tool, arguments = tool.router.redirect(arguments)
        if tool.task is not None and tool.task.required and begin_task is None:
            raise RefusedError("the tool needs a client with the Tasks extension of MCP")
        called = tool.arguments(arguments, headers)
        result = await tool.operation.call(called)
        if tool.task is not None and begin_task is not None and (members := begin_task(tool, called, result)):
            return members, None
        if result.stream is not None:
            result = await collect_events(result, tool.event_limit, on_event)
        return await result_members(result, tool, _form(request, allow_any_json, result_meta))
    except OperationError as error:
        return _failed(tool, error, on_failure, result_meta, asks=asks), None


def _form(request: CallRequest | None, allow_any_json: bool, result_meta: bytes) -> ResultForm:
    allow_links = request is not None and request.version in LINK_VERSIONS
    return ResultForm(allow_any_json, allow_links, result_meta)


def _failed(
    tool: Tool, error: OperationError, on_failure: Callable[[str], None] | None, result_meta: bytes, *, asks: bool
) -> bytes:
    """Log a failed call, and return the members of its result; raise the error if a person is to be asked."""
    if asks and isinstance(error, ApprovalRequiredError):
        raise error
    request_id = current_call().request_id
    if error.status >= 500:
        log.warning("request %s: %s: %s", request_id, tool.name, error.message)
    if on_failure is not None:
        on_failure(request_id)
    return error_members(error, result_meta)
