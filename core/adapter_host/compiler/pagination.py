"""Compile `x-pagination`: inputs for callers, and calls that read as many pages as they ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from adapter_host.capability.model import Model
from adapter_host.capability.pagination_spec import PAGINATION, PaginationSpec
from adapter_host.document.messages import did_you_mean, join_words
from adapter_host.errors import ArgumentError
from adapter_host.operation.event_streams import event_format
from adapter_host.operation.inputs import Input
from adapter_host.operation.operation import Arguments, ConsumedOperation
from adapter_host.operation.paging.reading import Pages
from adapter_host.operation.result import Result
from adapter_host.plugin.context import BuildContext
from adapter_host.schemas.schema import Schema

from .references import normalize_name
from .wrappers import WrappedConsumed

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "QUERY"})
"""The methods of requests that may be repeated for each page without a declaration."""


def compile_pagination(operation: ConsumedOperation, context: BuildContext) -> ConsumedOperation:
    """Return an operation that reads pages if its document declares them, otherwise the same operation."""
    spec = operation.spec
    if spec is None or PAGINATION not in (spec.model_extra or {}):
        return operation
    pagination = context.read_extension(PAGINATION, spec, PaginationSpec)
    if pagination is None:
        return operation
    problems = list(_problems(operation, spec, pagination, context))
    for message, key in problems:
        context.problem(message, spec, PAGINATION, *key, code="pagination")
    return operation if problems else PagedOperation(operation, pagination, context.settings.response_limit)


class PagedOperation(WrappedConsumed):
    """A consumed operation that reads several pages if its arguments ask for that, otherwise one."""

    def __init__(self, operation: ConsumedOperation, pagination: PaginationSpec, limit: int) -> None:
        super().__init__(operation, operation.call)
        self.inputs = (*operation.inputs, *_caller_inputs(pagination))
        self._limit = pagination.limit_input
        self._until = pagination.until_input if pagination.until is not None else None
        self._own = frozenset({self._limit, self._until})
        self._pages = Pages(pagination, operation.call, f"{operation.namespace}.{operation.name}", limit)

    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        limit = self._checked_limit(arguments)
        until = None if self._until is None else arguments.get(self._until)
        if not self._own.isdisjoint(arguments):
            arguments = {name: value for name, value in arguments.items() if name not in self._own}
        if limit is None and until is None:
            return await self._call(arguments, stream=stream)
        return await self._pages.read(arguments, limit, until, stream=stream)

    def _checked_limit(self, arguments: Arguments) -> int | None:
        """Return the limit, which a document may also set in place of a caller."""
        limit = arguments.get(self._limit)
        if limit is None:
            return None
        most = self._pages.spec.max_items
        try:
            number = int(limit)
        except (TypeError, ValueError):
            number = 0
        if not 1 <= number <= most:
            raise ArgumentError(self._limit, f"'{self._limit}' must be an integer from 1 to {most}")
        return number

    def describe(self) -> Mapping[str, Any]:
        """Return the description of the operation, and how it is read."""
        declared = self._pages.spec.model_dump(by_alias=True, exclude_none=True)
        return {**self._operation.describe(), "pagination": declared}

    def preview(self, arguments: Arguments) -> Mapping[str, Any]:
        """Return the preview of the request for one page."""
        return self._operation.preview({name: value for name, value in arguments.items() if name not in self._own})


def _caller_inputs(pagination: PaginationSpec) -> Iterator[Input]:
    bounds = {"type": "integer", "minimum": 1, "maximum": pagination.max_items}
    yield Input(
        pagination.limit_input,
        "integer",
        description="The most items to return, from as many pages as they need; without it, one page is returned",
        in_="query",
        json_schema=Schema(bounds, bounds),
        offered=True,
    )
    if pagination.until is not None:
        yield Input(
            pagination.until_input,
            "string",
            description=f"Return the items before the one whose {_field(pagination.until)} is this value",
            in_="query",
            offered=True,
        )


def _field(path: str) -> str:
    return path.strip().removeprefix("$").removeprefix(".") or "value"


def _problems(
    operation: ConsumedOperation, spec: Model, pagination: PaginationSpec, context: BuildContext
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield messages about a declaration, each with its key below `x-pagination`."""
    method = operation.method
    if not pagination.read_only and method not in SAFE_METHODS:
        sends = f"the operation sends {method}, which may change something"
        message = sends if method else "it is not known whether the operation only reads"
        yield f"{message}; set 'readOnly: true' if it only reads, as it is called for each page", ()
    if method == "HEAD":
        yield "a response to HEAD has no items; use GET", ()
    if operation.binary or event_format(operation.media_type or "") is not None:
        yield "responses of binary data or events have no pages; remove the key", ()
    if pagination.form == "link" and not operation.follows_links:
        yield "the form 'link' is for APIs over HTTP; use another form", ("form",)
    names = [item.name for item in operation.inputs]
    size = pagination.page_size
    for name, key in ((pagination.input, ("input",)), (size.input if size else None, ("pageSize", "input"))):
        if name is not None and name not in names:
            hint = did_you_mean(name, names) or f" (inputs: {join_words(names, 'and') or 'none'})"
            yield f"the operation has no input '{name}'{hint}", key
    own = [("limitInput", pagination.limit_input)]
    own += [("untilInput", pagination.until_input)] if pagination.until is not None else []
    for key_name, name in own:
        yield from _clashes(key_name, name, operation.inputs, spec, context)
    if len({normalize_name(name) for _, name in own}) < len(own):
        yield "'limitInput' and 'untilInput' are the same name; change one", ("untilInput",)


def _clashes(
    key: str, name: str, inputs: Iterable[Input], spec: Model, context: BuildContext
) -> Iterator[tuple[str, tuple[str, ...]]]:
    taken = next((item.name for item in inputs if normalize_name(item.name) == normalize_name(name)), None)
    if taken is None:
        return
    declared = next((item for item in getattr(spec, "input_parameters", ()) if item.name == taken), None)
    place = ""
    if declared is not None:
        file, line, column = context.loaded.source.position_of(context.loaded.loc(declared))
        place = f" at {file}:{line}:{column}" if line else ""
        message = f"'x-pagination' of the operation offers callers an input '{name}', too; set its '{key}'"
        context.problem(message, declared, "name", code="pagination")
    declares = key in (spec.model_extra or {}).get(PAGINATION, {})
    message = f"the operation has an input '{taken}' already{place}; set '{key}' to another name, such as 'max-items'"
    yield message, (key,) if declares else ()
