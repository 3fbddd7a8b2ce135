"""Parts of a result: some items of its largest array, and everything else of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapter_host import describe_place, encode_json

Path = Sequence[str | int]
"""The keys and indices of a value in a result, from its root."""

_MOST_TRIED: Final = 8
"""Arrays that are tried, the largest first."""


@dataclass(frozen=True, slots=True)
class Part:
    """A result with `shown` of the `total` items of one array, from `start`.

    None is shown if the item at `start` is larger than the budget; the next part then starts after it.
    """

    data: Any
    path: Path
    total: int
    start: int
    shown: int

    @property
    def place(self) -> str:
        """The array as a JSONPath."""
        return describe_place(("$", *self.path))

    @property
    def next_start(self) -> int | None:
        """The first item of the next part; None for the last part."""
        end = self.start + max(self.shown, 1)
        return end if end < self.total else None


def first_part(data: Any, limit: int, is_valid: Callable[[Any], bool]) -> Part | None:
    """Return the most items of the largest array so that the result has at most `limit` bytes as JSON.

    Try the next smaller array if not one item fits, or if the part is not valid. Return None if no array helps.
    """
    for path, _ in largest_arrays(data)[:_MOST_TRIED]:
        part = part_from(data, path, 0, limit)
        if part.shown and is_valid(part.data):
            return part
    return None


def part_from(data: Any, path: Path, start: int, limit: int) -> Part:
    """Return the part whose items begin at `start`; raise `LookupError` if there is no array with that item."""
    items = _value_at(data, path)
    if not isinstance(items, list) or not 0 <= start < len(items):
        raise LookupError
    room = limit - len(encode_json(with_items(data, path, []))) + 1
    shown = 0
    for item in items[start:]:
        room -= len(encode_json(item)) + 1
        if room < 0:
            break
        shown += 1
    return Part(with_items(data, path, items[start : start + shown]), path, len(items), start, shown)


def largest_arrays(data: Any) -> list[tuple[Path, int]]:
    """Return the paths and sizes of arrays in no other one, the largest first, equal ones in the document's order.

    An array in another is smaller than that; one in an array of one item is returned too, as the outer one may have
    nothing to leave out.
    """
    found: list[tuple[Path, int]] = []
    pending: list[tuple[tuple[str | int, ...], Any]] = [((), data)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, dict):
            pending += [
                ((*path, key), child) for key, child in reversed(value.items()) if isinstance(child, dict | list)
            ]
        elif isinstance(value, list) and value:
            found.append((path, len(encode_json(value))))
            if len(value) == 1:
                pending.append(((*path, 0), value[0]))
    return sorted(found, key=lambda array: -array[1])


def with_items(data: Any, path: Path, items: list[Any]) -> Any:
    """Return data with other items in the array at a path; only the containers on the path are copied."""
    if not path:
        return items
    changed = container = data.copy()
    for key in path[:-1]:
        container[key] = container[key].copy()
        container = container[key]
    container[path[-1]] = items
    return changed


def _value_at(data: Any, path: Path) -> Any:
    for key in path:
        data = data[key]
    return data
