"""The forms of pages: the requests for the first page and for the next one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapter_host.capability.pagination_spec import PaginationSpec
from adapter_host.errors import UpstreamInvalidError
from adapter_host.expressions.jsonpath import PathGetter, compile_path
from adapter_host.operation.operation import Arguments
from adapter_host.operation.result import Result

from .links import next_link


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The request for a page; `token` is the cursor or URL that the API sent for it, None for the first page."""

    arguments: Arguments
    token: str | int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was read; `before` is the number of items of the pages before it."""

    request: PageRequest
    result: Result
    data: Any
    count: int
    before: int


class PageForm(ABC):
    """Makes the requests for pages; `wanted` is how many items are still needed."""

    def __init__(self, spec: PaginationSpec) -> None:
        self._input = spec.input or ""
        self._size = spec.page_size
        self._more = _getter(spec.more)

    def first(self, arguments: Arguments, wanted: int) -> PageRequest:
        """Return the request for the first page, of a call with `arguments`."""
        return PageRequest(self._sized(arguments, wanted))

    def next(self, page: Page, wanted: int) -> PageRequest | None:
        """Return the request for the page after `page`; None if it is the last. Raise `UpstreamInvalidError`."""
        if self._more is not None and not self._more(page.data):
            return None
        return self._next(page, wanted)

    @abstractmethod
    def _next(self, page: Page, wanted: int) -> PageRequest | None: ...

    def _sized(self, arguments: Arguments, wanted: int) -> Arguments:
        """Return arguments with the page size, unless the caller sets it."""
        size = self._size
        if size is None or size.input in arguments:
            return arguments
        return {**arguments, size.input: min(size.value, wanted)}

    def _resized(self, arguments: Arguments, wanted: int) -> Arguments:
        """Return the arguments of a page with the size for the next one, unless the caller has set it.

        Not for page numbers: what they skip depends on the size.
        """
        size = self._size
        if size is None or arguments.get(size.input) != size.value:
            return arguments
        return {**arguments, size.input: min(size.value, wanted)}

    def _is_short(self, page: Page) -> bool:
        """Return whether a page has fewer items than requested, or none."""
        size = None if self._size is None else page.request.arguments.get(self._size.input)
        return page.count == 0 or (isinstance(size, int) and page.count < size)


class LinkForm(PageForm):
    """The URL of the next page is in the Link header, or in the body."""

    def __init__(self, spec: PaginationSpec) -> None:
        super().__init__(spec)
        self._url = _getter(spec.next)

    def _next(self, page: Page, wanted: int) -> PageRequest | None:
        url = next_link(page.result.headers) if self._url is None else self._url(page.data)
        if url is None or url == "":
            return None
        if not isinstance(url, str):
            raise UpstreamInvalidError("the URL of the next page is not text")
        return PageRequest(page.request.arguments, url)


class CursorForm(PageForm):
    """The cursor of the next page is in the body."""

    def __init__(self, spec: PaginationSpec) -> None:
        super().__init__(spec)
        self._cursor = compile_path(spec.next or "")

    def first(self, arguments: Arguments, wanted: int) -> PageRequest:
        """Return the request for the first page, or for that of the caller's cursor."""
        return PageRequest(self._sized(arguments, wanted), arguments.get(self._input))

    def _next(self, page: Page, wanted: int) -> PageRequest | None:
        cursor = self._cursor(page.data)
        if cursor is None or cursor == "" or cursor is False:
            return None
        if isinstance(cursor, bool) or not isinstance(cursor, str | int):
            raise UpstreamInvalidError("the cursor of the next page is neither text nor an integer")
        return PageRequest({**self._resized(page.request.arguments, wanted), self._input: cursor}, cursor)


class _CountedForm(PageForm):
    """Pages by numbers: the last one is short or empty, or reaches the total."""

    def __init__(self, spec: PaginationSpec) -> None:
        super().__init__(spec)
        self._start = spec.start
        self._total = _getter(spec.total)
        self._is_open_ended = spec.more is not None

    def _number(self, arguments: Mapping[str, Any], default: int) -> int:
        value = arguments.get(self._input, default if self._start is None else self._start)
        try:
            return int(value)
        except (TypeError, ValueError):
            raise UpstreamInvalidError(
                f"the input '{self._input}' is not an integer, so there is no next page"
            ) from None

    def _is_last(self, page: Page, end: int) -> bool:
        """Return whether no item follows; `end` is the position after the page in the whole list."""
        if page.count == 0:
            return True
        total = None if self._total is None else self._total(page.data)
        if isinstance(total, int) and not isinstance(total, bool):
            return end >= total
        return not self._is_open_ended and self._is_short(page)


class NumberForm(_CountedForm):
    """An input has the number of the page."""

    def first(self, arguments: Arguments, wanted: int) -> PageRequest:
        """Return the request for the first page, or for that of the caller."""
        return PageRequest({self._input: self._number(arguments, 1), **self._sized(arguments, wanted)})

    def _next(self, page: Page, wanted: int) -> PageRequest | None:
        arguments = page.request.arguments
        number, first = self._number(arguments, 1), 1 if self._start is None else self._start
        size = None if self._size is None else arguments.get(self._size.input)
        skipped = (number - first) * size if isinstance(size, int) else page.before
        if self._is_last(page, max(skipped, page.before) + page.count):
            return None
        return PageRequest({**arguments, self._input: number + 1}, number + 1)


class OffsetForm(_CountedForm):
    """An input has the number of items to skip."""

    def first(self, arguments: Arguments, wanted: int) -> PageRequest:
        """Return the request for the first page, from the offset of the caller on."""
        return PageRequest({self._input: self._number(arguments, 0), **self._sized(arguments, wanted)})

    def _next(self, page: Page, wanted: int) -> PageRequest | None:
        arguments = page.request.arguments
        end = self._number(arguments, 0) + page.count
        if self._is_last(page, end):
            return None
        return PageRequest({**self._resized(arguments, wanted), self._input: end}, end)


FORMS: Final[Mapping[str, type[PageForm]]] = {
    "link": LinkForm,
    "cursor": CursorForm,
    "page": NumberForm,
    "offset": OffsetForm,
}
"""The classes of the forms by their names in documents."""


def _getter(path: str | None) -> PathGetter | None:
    return None if path is None else compile_path(path)
