"""`select`: the argument by which callers choose the fields of a result."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from adapter_host import (
    ArgumentError,
    Arguments,
    BuildContext,
    Input,
    Model,
    Operation,
    Result,
    Schema,
    UpstreamInvalidError,
    bare_media_type,
    did_you_mean,
    encode_json,
    is_json,
    sample_of,
)
from adapter_host_mcp.budget_config import BYTES_PER_TOKEN
from adapter_host_mcp.config import McpToolSpec
from adapter_host_mcp.features.tools import Tool

from .fields import (
    LONGEST_PATH,
    Chosen,
    FieldIndex,
    Fields,
    PathList,
    choose,
    format_path,
    only_chosen,
    parse_path,
)
from .relaxed import relax_schema

SELECT: Final = "select"

MOST_ENUMERATED: Final = 64
"""The fields that the schema of the argument enumerates; of more it names some in its description."""

MOST_CHOSEN: Final = 256
"""The paths in one call."""

_SHOWN: Final = 24
_LONGEST_SHOWN: Final = 100
_MOST_REPORTED: Final = 5
"""Unknown fields in one error; to find a similar name takes a while."""

_ACCEPTED: Final = 202
_PATH_OF_NAMES: Final = re.compile(r"\$(\.[^\W\d][\w-]*)*")

_DESCRIPTION: Final = "Return only these fields of the result; without it, all"


@dataclass(frozen=True, eq=False)
class Selection:
    """The fields of a tool's results, and the argument that chooses some of them; `example` returns a result."""

    fields: Fields
    converts_texts: bool
    example: Callable[[], Any]

    @cached_property
    def listed(self) -> PathList:
        """The paths of the first fields."""
        listed = PathList(MOST_ENUMERATED)
        listed.add(self.fields)
        return listed

    @cached_property
    def _texts(self) -> list[str]:
        return list(map(format_path, self.listed.paths))

    @cached_property
    def input(self) -> Input:
        """The argument."""
        path: dict[str, Any] = {"type": "string", "enum": self._texts}
        description = _DESCRIPTION
        if not self.listed.complete:
            path = {"type": "string", "maxLength": LONGEST_PATH}
            shown = ", ".join([*self._texts[:_SHOWN], "..."] if len(self._texts) > _SHOWN else self._texts)
            description += f". Their paths: {shown}" if shown else ""
        schema = {"type": "array", "items": path, "maxItems": MOST_CHOSEN}
        return Input(SELECT, "array", False, description, json_schema=Schema(schema, schema))

    def read(self, arguments: Arguments) -> Chosen | None:
        """Return the fields that a call chooses; None for all of them. Raise `ArgumentError` for unknown ones."""
        value = arguments.get(SELECT)
        if self.converts_texts:
            value = self.input.converted(value)
        if value is None or value == []:
            return None
        if not isinstance(value, list):
            raise self.input.type_error(value)
        if len(value) > MOST_CHOSEN:
            raise ArgumentError(SELECT, f"'{SELECT}' must have at most {MOST_CHOSEN} fields (given {len(value)})")
        paths: list[tuple[str, ...]] = []
        errors: list[ArgumentError] = []
        for number, text in enumerate(value):
            path = parse_path(text) if isinstance(text, str) else None
            mistake = self._unknown(text) if path is None else self._find_unknown(path)
            if path is not None and mistake is None:
                paths.append(path)
            elif mistake is not None:
                errors.append(ArgumentError(SELECT, mistake, pointer=f"/{SELECT}/{number}"))
            if len(errors) == _MOST_REPORTED:
                break
        if errors:
            raise ArgumentError.combine(errors)
        return choose(paths)

    def _find_unknown(self, path: Sequence[str]) -> str | None:
        """Return the message for a path that leads to no field, else None."""
        fields = self.fields
        for number, name in enumerate(path):
            below = fields.child(name)
            if below is None:
                known = [format_path((*path[:number], each)) for each in fields.named]
                return self._unknown(format_path(path), known)
            fields = below
        return None

    def _unknown(self, path: Any, near: Sequence[str] = ()) -> str:
        """Return the message for an unknown field, with the known ones; `near` are those beside it."""
        text = path if isinstance(path, str) else encode_json(path).decode()
        shown = text[:_LONGEST_SHOWN]
        known = near or [format_path((name,)) for name in self.fields.named]
        # The same name elsewhere is a better suggestion than another one beside it.
        elsewhere = next((each for each in self._texts if each.endswith(f".{shown.rpartition('.')[2]}")), None)
        hint = f"; did you mean '{elsewhere}'?" if elsewhere else did_you_mean(shown, [*known, *self._texts])
        listed = ", ".join([*known[:_SHOWN], "..."] if len(known) > _SHOWN else known)
        return f"unknown field '{shown}' in '{SELECT}'{hint or f' (known: {listed})'}"

    def apply(self, result: Result, chosen: Chosen) -> Result:
        """Return a result with the chosen fields; one that is not JSON is as it is."""
        if result.stream is not None or not (result.holds_data or is_json(result.media_type)):
            return result
        try:
            data = result.data
        except UpstreamInvalidError:
            return result
        # The charset is that of the original body.
        return result.replace(data=only_chosen(data, chosen), media_type=bare_media_type(result.media_type))

    def of_task(self, arguments: Arguments) -> Arguments:
        """Return the argument of a call, for the result of its task."""
        return {SELECT: arguments[SELECT]} if SELECT in arguments else {}

    def apply_to_task(self, result: Result, arguments: Arguments) -> Result:
        """Return the result of a task, with the fields that its call has chosen."""
        try:
            chosen = self.read(arguments)
        except ArgumentError:
            # A reload has changed the schema since the call.
            return result
        return result if chosen is None else self.apply(result, chosen)

    def wrap(self, operation: Operation, *, begins_tasks: bool) -> Operation:
        """Return an operation with the argument, whose results have the chosen fields only.

        With `begins_tasks`, a response with the status 202 is not the result.
        """
        call, preview = operation.call, operation.preview

        async def call_selected(arguments: Arguments) -> Result:
            if SELECT not in arguments:
                return await call(arguments)
            chosen = self.read(arguments)
            result = await call(_without_select(arguments))
            if chosen is None or (begins_tasks and result.status == _ACCEPTED):
                return result
            return self.apply(result, chosen)

        schema, checked = operation.output_schema, operation.result_schema
        if checked is not None:
            checked = Schema(relax_schema(checked.data), relax_schema(checked.checked))
        return replace(
            operation,
            inputs=(*operation.inputs, self.input),
            call=call_selected,
            preview=lambda arguments: preview(_without_select(arguments)),
            output_schema=None if schema is None else relax_schema(schema),
            result_schema=checked,
        )

    def describe(self) -> Mapping[str, Any]:
        """Return the tokens of an example of a complete result, and of each of its fields alone."""
        example = self.example()
        tokens = {format_path(path): _tokens(only_chosen(example, choose([path]))) for path in self.listed.paths}
        return {"exampleTokens": _tokens(example), "fields": tokens}


def _without_select(arguments: Arguments) -> Arguments:
    return {name: value for name, value in arguments.items() if name != SELECT}


def _tokens(data: Any) -> int:
    return -(-len(encode_json(data)) // BYTES_PER_TOKEN)


def add_selection(tool: Tool, context: BuildContext, spec: Model, *, is_own: bool) -> Tool:
    """Return a tool with the argument `select`, and report why it cannot have one.

    `spec` has the `x-budget`: the tool, which `is_own`, or the exposer, whose tools without fields are as they are.
    """
    selection = _selection(tool)
    if selection is None:
        if is_own:
            place = "'poll' of its 'x-task'" if tool.task is not None else "its result"
            message = f"'select' needs a schema of {place} that has fields; declare 'outputParameters' or 'x-schema'"
            context.problem(message, spec, "x-budget", SELECT, code="select-without-schema")
        return tool
    if any(item.name == SELECT for item in _inputs(tool)):
        message = f"tool '{tool.name}' has an input '{SELECT}' itself; rename it, or set 'select: false'"
        context.problem(message, spec, "x-budget", SELECT, code="reserved-name")
        return tool
    operation = selection.wrap(tool.operation, begins_tasks=tool.task is not None)
    return replace(tool, operation=operation, selection=selection)


def describes_fields(tool: Tool) -> bool:
    """Return whether a schema describes fields of a tool's results."""
    return _selection(tool) is not None


def _selection(tool: Tool) -> Selection | None:
    """Return the selection of a tool; None if no schema describes fields of its results."""
    operation = tool.operation if tool.task is None else tool.task.poll
    schema = operation.output_schema
    if schema is None or operation.binary:
        return None
    read = _unchanged if tool.task is None else tool.task.read_result or _unchanged
    fields: Fields | None = FieldIndex(schema).root
    for name in _path_of_result(tool):
        fields = None if fields is None else fields.child(name)
    if fields is None or not fields.has_any:
        return None
    return Selection(fields, tool.converts_texts, lambda: read(sample_of(schema)))


def _path_of_result(tool: Tool) -> Sequence[str]:
    """Return the names that lead to the result of a task in the response of `poll`; `[""]` if it is not by names."""
    spec = tool.operation.spec
    path = spec.x_task.result if isinstance(spec, McpToolSpec) and spec.x_task is not None else None
    if path is None:
        return ()
    return path.split(".")[1:] if _PATH_OF_NAMES.fullmatch(path) else [""]


def _unchanged(value: Any) -> Any:
    return value


def _inputs(tool: Tool) -> Iterable[Input]:
    yield from tool.operation.inputs
    if tool.task is not None:
        yield from tool.task.poll.inputs
        yield from () if tool.task.cancel is None else tool.task.cancel.inputs
