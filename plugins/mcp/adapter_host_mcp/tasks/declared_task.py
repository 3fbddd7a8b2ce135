"""A declared task: how to find it in a response, and how to read its state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

from adapter_host import (
    Arguments,
    BuildContext,
    Input,
    Operation,
    Operations,
    Result,
    UpstreamInvalidError,
    compile_path,
    did_you_mean,
)
from adapter_host_mcp.task_config import McpTaskSpec

Status = Literal["working", "completed", "failed", "cancelled"]
"""The state of the API's work; `failed` is a result that is an error."""

Capture = Callable[[Result], Any]
"""Returns the value of an input from the first response; None if it is not there."""

ACCEPTED: Final = 202


@dataclass(frozen=True, slots=True, eq=False)
class DeclaredTask:
    """The `x-task` of a tool, compiled."""

    poll: Operation
    cancel: Operation | None
    captures: Mapping[str, Capture]
    read_status: Callable[[Any], Any] | None
    states: Mapping[str, Status]
    read_result: Callable[[Any], Any] | None
    interval: float
    expires: float
    required: bool

    def begin(self, arguments: Arguments, result: Result) -> Arguments | None:
        """Return the arguments of `poll` and `cancel`; None if the response begins no task."""
        if result.status != ACCEPTED:
            return None
        try:
            found = {name: capture(result) for name, capture in self.captures.items()}
        except UpstreamInvalidError:
            return None
        if any(value is None or isinstance(value, dict | list) for value in found.values()):
            return None
        operations = [self.poll] if self.cancel is None else [self.poll, self.cancel]
        names = {item.name for operation in operations for item in operation.inputs}
        return {**{name: value for name, value in arguments.items() if name in names}, **found}

    async def read(self, arguments: Arguments) -> tuple[Status, Result]:
        """Return the state and the response of `poll`; raise `OperationError`."""
        result = await self.poll.call(_of(self.poll, arguments))
        if self.read_status is None:
            return ("working" if result.status == ACCEPTED else "completed"), result
        value = self.read_status(result.data)
        return self.states.get(_text(value), "working"), result

    def final_result(self, result: Result) -> Result:
        """Return the part of the response of `poll` that is the result of the task."""
        if self.read_result is None:
            return result
        value = self.read_result(result.data)
        if isinstance(value, str):
            return Result(body=value.encode(), media_type="text/plain; charset=utf-8")
        return Result(data=value)

    async def stop(self, arguments: Arguments) -> None:
        """Call `cancel`, if it is declared; raise `OperationError`."""
        if self.cancel is not None:
            await self.cancel.call(_of(self.cancel, arguments))


def _of(operation: Operation, arguments: Arguments) -> Arguments:
    """Return the arguments that an operation has."""
    return {item.name: _convert(arguments[item.name], item) for item in operation.inputs if item.name in arguments}


def _convert(value: Any, item: Input) -> Any:
    # Headers have text for any type, and many APIs send numbers as ids, which they declare as text.
    if item.type == "string":
        return value if isinstance(value, str) else _text(value)
    return item.parse(value) if isinstance(value, str) else value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def compile_task(
    spec: McpTaskSpec, tool: Operation, operations: Operations, context: BuildContext
) -> DeclaredTask | None:
    """Compile the `x-task` of a tool, and report what is invalid; return None then."""
    if spec.poll not in operations or (spec.cancel is not None and spec.cancel not in operations):
        return None
    poll = operations[spec.poll]
    cancel = None if spec.cancel is None else operations[spec.cancel]
    if not tool.identity:
        message = "'x-task' needs the response of the API; set 'call' without 'outputParameters', 'steps' or 'ref'"
        context.problem(message, spec, code="task-of-no-response")
    _check_inputs(spec, tool, [poll] if cancel is None else [poll, cancel], context)
    if spec.status is not None and not spec.done:
        context.problem("'done' is missing; set the values of 'status' of a finished task", spec, code="missing-key")
    if spec.status is None and (spec.done or spec.failed or spec.cancelled):
        context.problem("'status' is missing; set the JSONPath of these values", spec, code="missing-key")
    states: dict[str, Status] = {}
    kinds: tuple[tuple[Status, Iterable[str]], ...] = (
        ("completed", spec.done),
        ("failed", spec.failed),
        ("cancelled", spec.cancelled),
    )
    for status, values in kinds:
        for value in values:
            if value in states:
                context.problem(f"the value {value!r} has two states; remove one of them", spec, code="duplicate")
            states[value] = status
    return DeclaredTask(
        poll,
        cancel,
        {name: _capture(place, spec, name, context) for name, place in spec.with_.items()},
        None if spec.status is None else _path(spec.status, spec, ("status",), context),
        states,
        None if spec.result is None else _path(spec.result, spec, ("result",), context),
        spec.interval,
        spec.expires,
        spec.required,
    )


def _check_inputs(spec: McpTaskSpec, tool: Operation, operations: Iterable[Operation], context: BuildContext) -> None:
    inputs = [item for operation in operations for item in operation.inputs]
    names = {item.name for item in inputs}
    for name in spec.with_:
        if name not in names:
            hint = did_you_mean(name, names) or f" (known: {', '.join(sorted(names)) or 'none'})"
            context.problem(f"unknown input '{name}'{hint}", spec, "with", name, code="unknown-input")
    known = {*spec.with_, *(item.name for item in tool.inputs)}
    for name in dict.fromkeys(item.name for item in inputs if item.required and item.name not in known):
        message = f"required input '{name}' is not set; set its place in the response in 'with'"
        context.problem(message, spec, "with", code="missing-variable")


def _capture(place: str, spec: McpTaskSpec, name: str, context: BuildContext) -> Capture:
    if place.startswith("$"):
        read = _path(place, spec, ("with", name), context)
        return lambda result: read(result.data)
    header = place.lower()

    def read_header(result: Result) -> str | None:
        value = next((value for key, value in result.headers.items() if key.lower() == header), "")
        return unquote(urlsplit(value).path.rstrip("/").rpartition("/")[2]) or None

    return read_header


def _path(path: str, spec: McpTaskSpec, keys: tuple[str, ...], context: BuildContext) -> Callable[[Any], Any]:
    try:
        return compile_path(path)
    except ValueError as error:
        context.problem(str(error), spec, *keys, code="invalid-path")
        return lambda _: None
