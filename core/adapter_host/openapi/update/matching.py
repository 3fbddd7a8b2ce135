"""Find the same items in two versions of a list, and merge lists of plain values."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Final

Key = Callable[[Mapping[str, Any]], Hashable]


def same(one: Any, other: Any) -> bool:
    """Return True for equal data of equal types; the order of keys does not matter."""
    return one is other or canonical(one) == canonical(other)


def canonical(value: Any) -> str:
    """Return data as a text that is the same for equal data only."""
    return json.dumps(value, sort_keys=True)


def is_plain(value: Any) -> bool:
    """Return True for a list of different scalars."""
    if not isinstance(value, list) or any(isinstance(item, dict | list) for item in value):
        return False
    return len(set(map(canonical, value))) == len(value)


def _keys(*names: str) -> Key:
    def key(item: Mapping[str, Any]) -> Hashable:
        values = tuple(item.get(name) for name in names)
        return None if None in values else canonical(values)

    return key


def _sent_name(item: Mapping[str, Any]) -> Hashable:
    """Return the name of an input in requests and its location."""
    return canonical((item.get("x-name", item.get("name")), item.get("in")))


def _contents(item: Mapping[str, Any]) -> Hashable:
    """Return the names of the operations of a resource, whose path may have changed."""
    operations = item.get("operations")
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        return None
    return canonical([operation.get("call", operation.get("name")) for operation in operations])


_BY_KEY: Final[Mapping[str, tuple[Key, ...]]] = {
    "binds": (_keys("namespace"),),
    "consumes": (_keys("namespace"), _keys("baseUri")),
    "exposes": (_keys("namespace"), _keys("type")),
    "resources": (_keys("path"), _keys("name"), _contents),
    "operations": (_keys("call"), _keys("name"), _keys("method")),
    "tools": (_keys("call"), _keys("name")),
    "inputParameters": (_keys("name", "in"), _sent_name, _keys("name")),
    "outputParameters": (_keys("name"),),
    "data": (_keys("name"),),
}
"""The keys that identify the items of a list, by the key of the list; later ones are for items without a match."""


def is_matched(key: str, *lists: Any) -> bool:
    """Return True for lists of mappings whose items have an identity."""
    identities = _BY_KEY.get(key, ())
    return bool(identities) and all(
        isinstance(items, list)
        and all(isinstance(item, dict) and any(identity(item) is not None for identity in identities) for item in items)
        for items in lists
    )


def match(key: str, ours: Sequence[Any], others: Sequence[Any]) -> dict[int, int]:
    """Return the index of the same item in `others` for items in `ours`."""
    found: dict[int, int] = {}
    for identity in (*_BY_KEY[key], canonical):
        left = _unique({index: identity(item) for index, item in enumerate(ours) if index not in found})
        right = _unique({index: identity(item) for index, item in enumerate(others) if index not in found.values()})
        found |= {left[value]: right[value] for value in left.keys() & right.keys()}
    return found


def _unique(values: Mapping[int, Hashable]) -> dict[Hashable, int]:
    counts = Counter(values.values())
    return {value: index for index, value in values.items() if value is not None and counts[value] == 1}
