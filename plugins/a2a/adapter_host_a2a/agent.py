"""The methods of the protocol."""

from __future__ import annotations

import asyncio
import logging
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import nullcontext
from typing import Any

from adapter_host import KeyedCalls, OperationError, current_call

from .config import A2aConfig
from .errors import (
    InvalidParamsError,
    PushNotificationNotSupportedError,
    TaskNotCancelableError,
    UnsupportedOperationError,
)
from .messages import (
    ListTasksRequest,
    SendMessageRequest,
    SkillCall,
    TaskRequest,
    read_call,
    read_params,
)
from .skills import JSON, Skill, describe_error, find_skill, read_parts, usage_text
from .tasks import ENDED, INPUT_REQUIRED, Task, TaskStore

log = logging.getLogger("adapter_host.a2a")


class Agent:
    """Runs skills as tasks of their callers; `owner` is the identity of a caller, empty if it is unknown.

    The events of one result may have `result_limit` bytes.
    """

    def __init__(self, skills: Mapping[str, Skill], store: TaskStore, config: A2aConfig, result_limit: int) -> None:
        self._skills = skills
        self._store = store
        self._config = config
        self._result_limit = result_limit
        self._runners: set[asyncio.Task[None]] = set()

    async def send_message(self, params: Any, owner: str) -> dict[str, Any]:
        """Start a task, or continue one; return it when it ends or needs input, or at once if the client wants that."""
        request = read_params(SendMessageRequest, params)
        task = self._start(request, params["message"], owner)
        if task.runner is not None and not request.configuration.return_immediately:
            try:
                await asyncio.wait({task.runner})
            except asyncio.CancelledError:
                # The client has disconnected, and does not know the id of the task.
                task.runner.cancel()
                raise
        return {"task": task.as_data(request.configuration.history_length)}

    def stream_message(self, params: Any, owner: str) -> AsyncIterator[dict[str, Any]]:
        """Start a task, or continue one; return its events. The task goes on if the client disconnects."""
        request = read_params(SendMessageRequest, params)
        task = self._start(request, params["message"], owner)
        return self._events(task, request.configuration.history_length)

    async def get_task(self, params: Any, owner: str) -> dict[str, Any]:
        """Return a task."""
        request = read_params(TaskRequest, params)
        return self._store.find(request.id, owner).as_data(request.history_length)

    async def list_tasks(self, params: Any, owner: str) -> dict[str, Any]:
        """Return a page of the tasks of a caller, the last changed first.

        An unknown caller must name a context, as it would see the tasks of others.
        """
        request = read_params(ListTasksRequest, params)
        before = _read_token(request.page_token)
        after = request.status_timestamp_after
        if after is not None and after.tzinfo is None:
            raise InvalidParamsError.of("statusTimestampAfter", "must have a time zone")
        found = [
            task
            for task in self._store.owned(owner)
            if request.context_id in (None, task.context_id)
            and request.status in (None, task.state)
            and (after is None or task.changed >= after)
            and (owner or request.context_id)
        ]
        left = [task for task in found if before is None or task.order < before]
        page = left[: request.page_size]
        token = _write_token(page[-1].order) if len(left) > len(page) else ""
        tasks = [task.as_data(request.history_length, artifacts=request.include_artifacts) for task in page]
        return {"tasks": tasks, "totalSize": len(found), "pageSize": len(page), "nextPageToken": token}

    async def cancel_task(self, params: Any, owner: str) -> dict[str, Any]:
        """Cancel a task and return it."""
        task = self._store.find(read_params(TaskRequest, params).id, owner)
        if task.state in ENDED:
            raise TaskNotCancelableError(f"the task has ended: {task.state}", taskId=task.id)
        if task.runner is not None:
            task.runner.cancel()
            await asyncio.wait({task.runner})
        if task.state == INPUT_REQUIRED:
            task.set_state("TASK_STATE_CANCELED")
            self._note_change(task)
        return task.as_data()

    def subscribe(self, params: Any, owner: str) -> AsyncIterator[dict[str, Any]]:
        """Return the events of a task in progress, beginning with the task."""
        task = self._store.find(read_params(TaskRequest, params).id, owner)
        if task.state in ENDED:
            raise UnsupportedOperationError(f"the task has ended: {task.state}", taskId=task.id)
        return self._events(task, None)

    async def stop(self) -> None:
        """Cancel the tasks in progress."""
        for runner in self._runners:
            runner.cancel()
        if self._runners:
            await asyncio.wait(set(self._runners))

    def _start(self, request: SendMessageRequest, sent: dict[str, Any], owner: str) -> Task:
        if request.configuration.task_push_notification_config is not None:
            raise PushNotificationNotSupportedError("push notifications are not supported")
        call = read_call(request)
        skill = None if call is None else find_skill(self._skills, call)
        message = request.message
        if message.task_id is None:
            config = self._config
            task = self._store.create(owner, message.context_id, config.max_tasks, config.max_stored_bytes)
        else:
            task = self._store.find(message.task_id, owner)
            _check_continued(task, message.context_id)
        task.add_message({**sent, "taskId": task.id, "contextId": task.context_id})
        if skill is None or call is None:
            task.set_state(INPUT_REQUIRED, {"text": usage_text(self._skills)})
            self._note_change(task)
            return task
        task.set_state("TASK_STATE_WORKING")
        self._note_change(task)
        task.runner = asyncio.create_task(self._run(task, skill, call))
        self._runners.add(task.runner)
        task.runner.add_done_callback(lambda runner: self._end(task, runner))
        return task

    def _end(self, task: Task, runner: asyncio.Task[None]) -> None:
        self._runners.discard(runner)
        task.runner = None
        # A call that is cancelled before it begins sets no state.
        if task.state not in ENDED:
            task.set_state("TASK_STATE_CANCELED")
        self._note_change(task)

    async def _run(self, task: Task, skill: Skill, call: SkillCall) -> None:
        """Call the operation of a task, and set its result or its error."""
        try:
            with nullcontext() if call.key is None else KeyedCalls(call.key):
                result = await skill.operation.call(call.arguments)
            async for part, is_last in read_parts(result, self._result_limit, binary=skill.operation.binary):
                task.add_part(part, last=is_last)
            task.set_state("TASK_STATE_COMPLETED")
        except OperationError as error:
            state, parts = describe_error(error, skill.id)
            task.set_state(state, *parts)
        except Exception:  # a failure of an operation's plugins must not affect other tasks
            request_id = current_call().request_id
            log.exception("request %s: %s: unexpected error", request_id, skill.id)
            details = {"error": {"type": "InternalError", "requestId": request_id}}
            task.set_state("TASK_STATE_FAILED", {"text": "unexpected error"}, {"data": details, "mediaType": JSON})

    def _note_change(self, task: Task) -> None:
        self._store.note_change(task, self._config.task_seconds, self._config.max_stored_bytes)

    async def _events(self, task: Task, history_length: int | None) -> AsyncIterator[dict[str, Any]]:
        queue, end = task.listen()
        try:
            yield {"task": task.as_data(history_length)}
            while not (task.is_interrupted and queue.empty()):
                yield await queue.get()
        finally:
            end()


def _check_continued(task: Task, context_id: str | None) -> None:
    """Raise an error unless a task of a context waits for input."""
    if context_id not in (None, task.context_id):
        raise InvalidParamsError.of("message.contextId", "is not the context of the task")
    if task.state != INPUT_REQUIRED:
        raise UnsupportedOperationError(f"the task accepts no more messages: {task.state}", taskId=task.id)


def _write_token(order: int) -> str:
    return urlsafe_b64encode(str(order).encode()).decode()


def _read_token(token: str) -> int | None:
    try:
        return int(urlsafe_b64decode(token.encode())) if token else None
    except ValueError:
        raise InvalidParamsError.of("pageToken", "is not a token of this agent") from None
