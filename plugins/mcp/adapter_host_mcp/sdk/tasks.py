"""Handlers of the Tasks extension (SEP-2663): `tasks/get`, `tasks/update` and `tasks/cancel`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import mcp_types as types
import orjson
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from adapter_host import (
    ArgumentError,
    Arguments,
    BuildContext,
    InternalError,
    OperationError,
    Result,
    StateStore,
    StoreUnavailableError,
    UpstreamInvalidError,
    UpstreamStatusError,
)
from adapter_host_mcp.features.tool_results import error_members, result_members
from adapter_host_mcp.features.tools import ResultForm, Tool
from adapter_host_mcp.protocol import NAME_HEADER
from adapter_host_mcp.tasks.declared_task import DeclaredTask, Status
from adapter_host_mcp.tasks.extension import EXTENSION
from adapter_host_mcp.tasks.task_ids import Task, TaskIds

Context = ServerRequestContext[None]

_MISSING: Final[dict[str, Any]] = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
_CANCELLED: Final = b"cancelled"
_TRANSIENT: Final = frozenset({408, 425, 429})
_GONE: Final = frozenset({404, 409, 410})
"""Statuses of an API whose work has ended already."""


class TaskParams(types.RequestParams):
    """Parameters of all requests of the extension."""

    task_id: str


class TaskCall:
    """The `begin_task` of one call; `begun` is True if its result is that of a new task."""

    def __init__(self, tasks: Tasks, principal: str) -> None:
        self.begun = False
        self._tasks = tasks
        self._principal = principal

    def __call__(self, tool: Tool, arguments: Arguments, result: Result) -> bytes | None:
        members = self._tasks.begin(tool, arguments, result, self._principal)
        self.begun = members is not None
        return members


class Tasks:
    """The tasks of one exposer. Nothing is kept of them but the ids of cancelled ones, until these expire."""

    def __init__(self, tools: Mapping[str, Tool], ids: TaskIds, store: StateStore) -> None:
        self._tools = tools
        self._ids = ids
        self._store = store

    def add_to(self, server: Server[None]) -> None:
        """Add the handlers."""
        server.add_request_handler("tasks/get", TaskParams, self._get)
        server.add_request_handler("tasks/update", TaskParams, self._update)
        server.add_request_handler("tasks/cancel", TaskParams, self._cancel)

    def start_call(self, tool: Tool | None, capabilities: Any, principal: str, *, stateless: bool) -> TaskCall | None:
        """Return the `begin_task` of a call, None for a client without tasks; raise `MCPError` if the tool needs them.

        `capabilities` are those of the client.
        """
        if stateless and declares_tasks(capabilities):
            return TaskCall(self, principal)
        if tool is not None and tool.task is not None and tool.task.required:
            raise missing_capability()
        return None

    def begin(self, tool: Tool, arguments: Arguments, result: Result, principal: str) -> bytes | None:
        """Return the members of the result of a call that has begun a task; None for any other."""
        declared = tool.task
        found = None if declared is None else declared.begin(arguments, result)
        if declared is None or found is None:
            return None
        if tool.selection is not None:
            found = {**found, **tool.selection.of_task(arguments)}
        task = self._ids.create(tool.name, found, declared.expires, principal)
        if task is None:
            return None
        return orjson.dumps({"resultType": "task", **_members(task, declared, "working")})[1:-1]

    async def _get(self, context: Context, params: TaskParams) -> dict[str, Any]:
        task, tool, declared = self._find(context, params)
        if await self._is_cancelled(task):
            return _members(task, declared, "cancelled")
        status, members = await self._read(task, tool, declared)
        return {**_members(task, declared, status), **members}

    async def _update(self, context: Context, params: TaskParams) -> dict[str, Any]:
        # No task has requests to the client, and the responses to others are ignored.
        self._find(context, params)
        return {}

    async def _cancel(self, context: Context, params: TaskParams) -> dict[str, Any]:
        task, tool, declared = self._find(context, params)
        if await self._is_cancelled(task):
            return {}
        status, _ = await self._read(task, tool, declared)
        if status != "working":
            return {}
        try:
            await declared.stop(task.arguments)
        except UpstreamStatusError as error:
            if error.upstream_status not in _GONE:
                raise MCPError(types.INTERNAL_ERROR, f"the task is not cancelled: {error.message}") from None
        except OperationError as error:
            raise MCPError(types.INTERNAL_ERROR, f"the task is not cancelled: {error.message}") from None
        try:
            await self._store.set(_key(task), _CANCELLED, task.seconds_left)
        except StoreUnavailableError as error:
            raise MCPError(types.INTERNAL_ERROR, error.message) from None
        return {}

    def _find(self, context: Context, params: TaskParams) -> tuple[Task, Tool, DeclaredTask]:
        if context.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            raise MCPError(types.METHOD_NOT_FOUND, "the Tasks extension needs MCP 2026-07-28")
        if not declares_tasks(context.session.client_capabilities):
            raise missing_capability()
        request = context.request
        sent = None if request is None else request.headers.get(NAME_HEADER)
        if sent is not None and sent != params.task_id:
            raise MCPError(types.HEADER_MISMATCH, f"the header {NAME_HEADER} is not the id of the task")
        task = self._ids.open(params.task_id, request.principal if request is not None else "")
        tool = None if task is None else self._tools.get(task.tool)
        if task is None or tool is None or tool.task is None:
            raise MCPError(types.INVALID_PARAMS, "the task does not exist, or has expired")
        return task, tool, tool.task

    async def _is_cancelled(self, task: Task) -> bool:
        try:
            return await self._store.get(_key(task)) == _CANCELLED
        except StoreUnavailableError as error:
            raise MCPError(types.INTERNAL_ERROR, error.message) from None

    async def _read(self, task: Task, tool: Tool, declared: DeclaredTask) -> tuple[str, dict[str, Any]]:
        """Return the status of a task, and its members for `tasks/get`."""
        try:
            status, response = await declared.read(task.arguments)
            if status in ("working", "cancelled"):
                return status, {}
            result = declared.final_result(response)
            if tool.selection is not None:
                result = tool.selection.apply_to_task(result, task.arguments)
            members, _ = await result_members(result, tool, ResultForm(True, True))
        except OperationError as error:
            return _describe_error(error)
        content = orjson.loads(b"{%b}" % members)
        return "completed", {"result": {**content, "isError": status == "failed", "resultType": "complete"}}


def _describe_error(error: OperationError) -> tuple[str, dict[str, Any]]:
    if isinstance(error, ArgumentError | InternalError | UpstreamInvalidError):
        data = {"code": types.INTERNAL_ERROR, "message": error.message}
        return "failed", {"statusMessage": error.message, "error": data}
    if isinstance(error, UpstreamStatusError) and _is_final(error.upstream_status):
        result = orjson.loads(b"{%b}" % error_members(error))
        return "completed", {"result": {**result, "resultType": "complete"}}
    return "working", {"statusMessage": f"the state is not known now: {error.message}"}


def _is_final(status: int) -> bool:
    return status < 500 and status not in _TRANSIENT


def _members(task: Task, declared: DeclaredTask, status: Status | str) -> dict[str, Any]:
    return {
        "taskId": task.id,
        "status": status,
        "createdAt": _timestamp(task.created),
        "lastUpdatedAt": _timestamp(time.time()),
        "ttlMs": round((task.expires - task.created) * 1000),
        "pollIntervalMs": round(declared.interval * 1000),
    }


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _key(task: Task) -> str:
    return f"task:{task.digest}"


def add_tasks(server: Server[None], tools: Mapping[str, Tool], key: bytes, context: BuildContext) -> Tasks:
    """Add the handlers of the extension; `key` seals the ids of tasks."""
    tasks = Tasks(tools, TaskIds(key, context.namespace), context.state.namespaced("mcp"))
    tasks.add_to(server)
    return tasks


def declares_tasks(capabilities: Any) -> bool:
    """Return whether a client has declared the extension."""
    is_mapping = isinstance(capabilities, Mapping)
    extensions = capabilities.get("extensions") if is_mapping else getattr(capabilities, "extensions", None)
    return isinstance(extensions, Mapping) and EXTENSION in extensions


def missing_capability() -> MCPError:
    """Return the error for clients that have not declared the extension."""
    return MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, "the client lacks the Tasks extension", _MISSING)
