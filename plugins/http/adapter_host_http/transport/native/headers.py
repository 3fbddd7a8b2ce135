"""Header fields of a response."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any, Final

from multidict import CIMultiDict, MultiMapping

Pair = tuple[bytes, bytes]

_UTF8: Final = "utf-8"
_BYTES: Final = "surrogateescape"


class ResponseHeaders(MultiMapping[str]):
    """Header fields as received, decoded on first access; names are case-insensitive."""

    __slots__ = ("_decoded", "_pairs")

    def __init__(self, pairs: list[Pair]) -> None:
        self._pairs = pairs
        self._decoded: CIMultiDict[str] | None = None

    @property
    def _by_name(self) -> CIMultiDict[str]:
        if self._decoded is None:
            self._decoded = CIMultiDict(
                [
                    # Two constants, as `*` is slower than decoding.
                    (name.decode(_UTF8, _BYTES), value.decode(_UTF8, _BYTES).strip(" \t"))
                    for name, value in self._pairs
                ]
            )
        return self._decoded

    def __getitem__(self, name: str) -> str:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._pairs)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(self)}>"

    # Unlike a plain mapping, a multidict repeats a name for each of its values.
    def keys(self) -> KeysView[str]:
        """Return all names in order, repeated ones too."""
        return self._by_name.keys()

    def values(self) -> ValuesView[str]:
        """Return all values in order."""
        return self._by_name.values()

    def items(self) -> ItemsView[str, str]:
        """Return names and values in order."""
        return self._by_name.items()

    def getall(self, key: str, *default: Any) -> Any:
        """Return all values of a name in order."""
        return self._by_name.getall(key, *default)

    def getone(self, key: str, *default: Any) -> Any:
        """Return the first value of a name."""
        return self._by_name.getone(key, *default)
