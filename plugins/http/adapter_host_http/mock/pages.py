"""Pages of the mock server: parts of the items in an example, by the form that `x-pagination` declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from adapter_host import ABSENT, PaginationSpec, path_names, replace_value

if TYPE_CHECKING:
    from adapter_host_http.operation import HttpOperation
    from adapter_host_http.request.plan import Parameter

_OFFSET: Final = "mock-offset"
"""The query parameter of the links between pages."""


@dataclass(frozen=True, slots=True)
class PageOfExample:
    """The data of a response, and its headers."""

    data: Any
    headers: Mapping[str, str]


def page_of(operation: HttpOperation, request: web.Request, body: Any, example: Any) -> PageOfExample:
    """Return the page of an example that a request asks for: all of it without pages, or without an array of items."""
    spec = operation.pagination
    items = example
    for name in () if spec is None else path_names(spec.items) or ():
        items = items.get(name) if isinstance(items, dict) else None
    if spec is None or not isinstance(items, list):
        return PageOfExample(example, {})
    reader = _RequestReader(operation, request, body)
    default = spec.page_size.value if spec.page_size else len(items)
    size = max(1, reader.number(spec.page_size.input if spec.page_size else None, default))
    offset = max(0, _offset(spec, reader, size))
    following = offset + size
    is_last = following >= len(items)
    data = replace_value(example, path_names(spec.items) or (), items[offset:following])
    if names := path_names(spec.total):
        data = replace_value(data, names, len(items))
    if names := path_names(spec.more):
        data = replace_value(data, names, not is_last)
    if spec.form == "link":
        return _linked(spec, request, data, ABSENT if is_last else following)
    if names := path_names(spec.next):
        data = replace_value(data, names, ABSENT if is_last else str(following))
    return PageOfExample(data, {})


def _offset(spec: PaginationSpec, reader: _RequestReader, size: int) -> int:
    if spec.form == "link":
        return reader.query(_OFFSET)
    if spec.form == "page":
        first = 1 if spec.start is None else spec.start
        return (reader.number(spec.input, first) - first) * size
    start = spec.start or 0
    return reader.number(spec.input, start) - start


def _linked(spec: PaginationSpec, request: web.Request, data: Any, following: Any) -> PageOfExample:
    url = ABSENT if following is ABSENT else str(request.rel_url.update_query({_OFFSET: str(following)}))
    if spec.next is None:
        return PageOfExample(data, {} if url is ABSENT else {"Link": f'<{url}>; rel="next"'})
    return PageOfExample(replace_value(data, path_names(spec.next) or (), url), {})


@dataclass(frozen=True, slots=True)
class _RequestReader:
    """Reads the numbers of a request."""

    operation: HttpOperation
    request: web.Request
    body: Any

    def number(self, name: str | None, default: int) -> int:
        """Return the value of an input, or the default if there is none."""
        parameter = next((item for item in self.operation.parameters if item.input == name), None)
        return default if parameter is None else _integer(self._value(parameter), default)

    def query(self, name: str) -> int:
        """Return the value of a query parameter, 0 if there is none."""
        return _integer(self.request.query.get(name), 0)

    def _value(self, parameter: Parameter) -> Any:
        if parameter.in_ == "query":
            return self.request.query.get(parameter.name)
        if parameter.in_ == "header":
            return self.request.headers.get(parameter.name)
        return self.body.get(parameter.name) if isinstance(self.body, dict) else None


def _integer(value: Any, default: int) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default
