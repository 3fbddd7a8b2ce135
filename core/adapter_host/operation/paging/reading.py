"""Read the pages of one list, within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

from adapter_host.capability.pagination_spec import PaginationSpec
from adapter_host.document.messages import count_noun
from adapter_host.errors import (
    OperationError,
    UpstreamError,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamTimeoutError,
)
from adapter_host.expressions.jsonpath import compile_path
from adapter_host.expressions.template import text_of
from adapter_host.operation.operation import Arguments
from adapter_host.operation.result import Result, success
from adapter_host.operation.streams import read_at_most

from .forms import FORMS, Page, PageForm, PageRequest
from .position import PAGE_POSITION, PagePosition
from .shape import ListShape

_HINT: Final = "ask for fewer items"


class PageCall(Protocol):
    """The call that requests one page."""

    async def __call__(self, arguments: Arguments) -> Result: ...


class Pages:
    """The pages of one consumed operation; `limit` bounds the bytes of a list that is not streamed."""

    def __init__(self, spec: PaginationSpec, call: PageCall, name: str, limit: int) -> None:
        self.spec = spec
        self.call = call
        self.name = name
        self.limit = limit
        self.form: PageForm = FORMS[spec.form](spec)
        self.shape = ListShape(spec)
        self.until = None if spec.until is None else compile_path(spec.until)

    async def read(self, arguments: Arguments, limit: int | None, until: Any, *, stream: bool) -> Result:
        """Return a list of at most `limit` items, or of those before the one whose value at `until` is this.

        With `stream`, a list of several pages is JSON that is written as these arrive. Raise `UpstreamError`.
        """
        reading = _Reading(self, arguments, limit, until)
        items = await reading.next_items()
        first = reading.last
        if stream and not reading.is_finished:
            hold = partial(self._hold, reading, items)
            return Result(status=first.result.status, stream=self._stream(reading, items), hold=hold)
        size = len(first.result.body)
        items = list(items)
        while not reading.is_finished:
            items += await reading.next_items()
            size += len(reading.last.result.body)
            if size > self.limit:
                raise reading.too_large(self.limit)
        return Result(status=first.result.status, data=self._merge(first, items, reading))

    def _merge(self, first: Page, items: list[Any], reading: _Reading) -> Any:
        return self.shape.merge(first.data, items, reading.last, is_complete=reading.is_complete)

    async def _hold(self, reading: _Reading, items: list[Any], limit: int) -> bytes:
        body = await read_at_most(limit, self._stream(reading, items))
        if body is None:
            raise reading.too_large(limit)
        return body

    async def _stream(self, reading: _Reading, items: list[Any]) -> AsyncIterator[bytes]:
        first, shape = reading.last, self.shape
        is_empty = not items
        yield shape.head(items)
        while not reading.is_finished:
            items = await reading.next_items()
            if items:
                yield (b"" if is_empty else b",") + shape.elements(items)
                is_empty = False
        yield shape.tail(self._merge(first, [], reading))


@dataclass(slots=True)
class _Bounds:
    """How many items are still wanted, and whether the caller chose that number."""

    wanted: int
    is_chosen: bool


class _Reading:
    """The state of one list that is read."""

    def __init__(self, pages: Pages, arguments: Arguments, limit: int | None, until: Any) -> None:
        spec = pages.spec
        self.last: Page
        self.is_complete = True
        self._pages = pages
        self._until = until
        self._bounds = _Bounds(spec.max_items if limit is None else min(limit, spec.max_items), limit is not None)
        self._number = 0
        self._count = 0
        self._position = PagePosition() if spec.form == "link" else None
        self._request: PageRequest | None = pages.form.first(arguments, self._bounds.wanted)
        self._tokens = {self._request.token}
        self._deadline = asyncio.get_running_loop().time() + spec.max_time

    @property
    def is_finished(self) -> bool:
        """Whether there is no page to read."""
        return self._request is None

    async def next_items(self) -> list[Any]:
        """Read the next page and return those of its items that are wanted."""
        request = self._request
        if request is None:
            return []
        self._number += 1
        result = await self._send(request)
        data = result.data
        items = self._pages.shape.items(data)
        if items is None and self._number > 1:
            items = []
        if not isinstance(items, list):
            raise self.error(f"the response has no array at {self._pages.spec.items}")
        self.last = Page(request, result, data, len(items), self._count)
        kept = self._select(items)
        self._count += len(kept)
        self._bounds.wanted -= len(kept)
        self._request = self._next(self.last, is_cut=len(kept) < len(items))
        return kept

    def _select(self, items: list[Any]) -> list[Any]:
        value_of, wanted = self._pages.until, self._bounds.wanted
        kept = items[:wanted]
        if self._until is None or value_of is None:
            return kept
        until = text_of(self._until)
        for index, item in enumerate(kept):
            if (value := value_of(item)) is not None and text_of(value) == until:
                return kept[:index]
        return kept

    def _next(self, page: Page, *, is_cut: bool) -> PageRequest | None:
        self.is_complete = not is_cut
        bounds, spec = self._bounds, self._pages.spec
        if is_cut and (bounds.wanted or bounds.is_chosen):
            return None
        try:
            following = None if bounds.is_chosen and not bounds.wanted else self._pages.form.next(page, bounds.wanted)
        except UpstreamInvalidError as error:
            raise self.error(error.message) from error
        if not bounds.wanted and (is_cut or following is not None):
            if bounds.is_chosen:
                return None
            raise self.error(f"no item has the value of '{spec.until_input}' among the first {spec.max_items}")
        if following is None:
            return None
        if self._number == spec.max_pages:
            raise self.error(f"there are more than {count_noun(spec.max_pages, 'page')}; {_HINT}")
        if following.token in self._tokens:
            what = "URL" if spec.form == "link" else "cursor"
            raise self.error(f"the upstream repeats a {what} of an earlier page as that of the next page")
        self._tokens.add(following.token)
        if self._position is not None:
            self._position.advance(str(following.token))
        return following

    async def _send(self, request: PageRequest) -> Result:
        token = PAGE_POSITION.set(self._position)
        try:
            async with asyncio.timeout_at(self._deadline) as timeout:
                return success(await self._pages.call(request.arguments))
        except TimeoutError:
            if not timeout.expired():
                raise
            raise UpstreamTimeoutError(
                self._text(f"not all pages arrived within {self._pages.spec.max_time:g} s; {_HINT}"), sent=True
            ) from None
        except UpstreamStatusError as error:
            if self._number == 1:
                raise
            # The response of the API to one page is no response to the request of the caller.
            raise UpstreamError(self._text(error.message), sent=True) from error
        except OperationError as error:
            if self._number == 1:
                raise
            raise self._with_page(error) from error
        finally:
            PAGE_POSITION.reset(token)

    def too_large(self, limit: int) -> UpstreamInvalidError:
        """Return the error for pages of more than `limit` bytes."""
        return self.error(f"the pages are larger than {limit} bytes; {_HINT}")

    def error(self, message: str) -> UpstreamInvalidError:
        """Return an error that names the page, and how much was read before."""
        return UpstreamInvalidError(self._text(message))

    def _with_page(self, error: OperationError) -> OperationError:
        changed = type(error).__new__(type(error))
        changed.__dict__.update(error.__dict__)
        changed.message = self._text(error.message)
        changed.args = (changed.message,)
        return changed

    def _text(self, message: str) -> str:
        read = f"{count_noun(self._count, 'item')} of the pages before" if self._number > 1 else "no item"
        return f"page {self._number} of '{self._pages.name}': {message} ({read} read, none returned)"
