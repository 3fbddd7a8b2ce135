"""The shape of a merged list: the first page with all items, as data or as pieces of JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapter_host.capability.pagination_spec import PaginationSpec
from adapter_host.expressions.jsonpath import compile_path
from adapter_host.expressions.replacing import path_names, replace_value, value_at
from adapter_host.expressions.template import ABSENT
from adapter_host.json_nesting import encode_json

from .forms import Page


class ListShape:
    """Where a response has its items, and the members that say whether more follow."""

    def __init__(self, spec: PaginationSpec) -> None:
        self.items = compile_path(spec.items)
        self._steps = path_names(spec.items) or ()
        self._next = path_names(spec.next)
        self._more = path_names(spec.more)

    def merge(self, first: Any, items: list[Any], last: Page, *, is_complete: bool) -> Any:
        """Return the first page with `items`, and with the place where a caller may continue.

        That is the place of the page after `last`; if the items of `last` are not `is_complete`, that of `last` itself.
        """
        merged = replace_value(first, self._steps, items)
        if self._next is not None:
            token = value_at(last.data, self._next) if is_complete else last.request.token
            merged = replace_value(merged, self._next, ABSENT if token is None and not is_complete else token)
        if self._more is not None and not is_complete:
            merged = replace_value(merged, self._more, True)
        elif self._more is not None:
            merged = replace_value(merged, self._more, value_at(last.data, self._more))
        return merged

    def head(self, items: Sequence[Any]) -> bytes:
        """Return the JSON of the shape up to the items, and these."""
        return b"".join(b"{%b:" % encode_json(name) for name in self._steps) + b"[" + self.elements(items)

    @staticmethod
    def elements(items: Sequence[Any]) -> bytes:
        """Return the JSON of items, without the brackets of their array."""
        return encode_json(list(items))[1:-1]

    def tail(self, merged: Any) -> bytes:
        """Return the JSON of a merged list after the items."""
        tail = b""
        for name in self._steps:
            others = encode_json({key: value for key, value in merged.items() if key != name})[1:]
            tail = (others if others == b"}" else b"," + others) + tail
            merged = merged[name]
        return b"]" + tail
