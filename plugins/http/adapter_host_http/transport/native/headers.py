"""The header fields of an answer."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any

from multidict import CIMultiDict, MultiMapping

Pair = tuple[bytes, bytes]


class ResponseHeaders(MultiMapping[str]):
    """Header fields as they came, read when somebody asks for one; names in any case."""

    __slots__ = ("_decoded_pairs", "_index", "_pairs")

    def __init__(self, pairs: list[Pair]) -> None:
        self._pairs = pairs
        self._decoded_pairs: list[tuple[str, str]] | None = None
        self._index: CIMultiDict[str] | None = None

    @property
    def decoded_pairs(self) -> list[tuple[str, str]]:
        """Every name with its value, in order."""
        if self._decoded_pairs is None:
            self._decoded_pairs = [(_text(name), _text(value).strip(" \t")) for name, value in self._pairs]
        return self._decoded_pairs

    @property
    def _by_name(self) -> CIMultiDict[str]:
        if self._index is None:
            self._index = CIMultiDict(self.decoded_pairs)
        return self._index

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

    # A name may come twice, and then each time with its own value.
    def keys(self) -> KeysView[str]:
        """Every name, in order."""
        return self._by_name.keys()

    def values(self) -> ValuesView[str]:
        """Every value, in order."""
        return self._by_name.values()

    def items(self) -> ItemsView[str, str]:
        """Every name with its value, in order."""
        return _Items(self)

    def getall(self, key: str, *default: Any) -> Any:
        """Every value of a name, in order."""
        return self._by_name.getall(key, *default)

    def getone(self, key: str, *default: Any) -> Any:
        """Return the first value of a name."""
        return self._by_name.getone(key, *default)


class _Items(ItemsView[str, str]):
    def __init__(self, headers: ResponseHeaders) -> None:
        super().__init__(headers)
        self._by_name = headers

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._by_name.decoded_pairs)

    def __contains__(self, item: object) -> bool:
        return item in self._by_name.decoded_pairs


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
