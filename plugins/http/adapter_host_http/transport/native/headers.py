"""The header fields of an answer."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any

from multidict import CIMultiDict, MultiMapping

Pair = tuple[bytes, bytes]


class Fields(MultiMapping[str]):
    """Header fields as they came, read when somebody asks for one; names in any case."""

    __slots__ = ("_looked_up", "_pairs", "_read")

    def __init__(self, pairs: list[Pair]) -> None:
        self._pairs = pairs
        self._read: list[tuple[str, str]] | None = None
        self._looked_up: CIMultiDict[str] | None = None

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Every name with its value, in order."""
        if self._read is None:
            self._read = [(_text(name), _text(value).strip(" \t")) for name, value in self._pairs]
        return self._read

    @property
    def _fields(self) -> CIMultiDict[str]:
        if self._looked_up is None:
            self._looked_up = CIMultiDict(self.texts)
        return self._looked_up

    def __getitem__(self, name: str) -> str:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._pairs)

    def __contains__(self, name: object) -> bool:
        return name in self._fields

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(self)}>"

    # A name may come twice, and then each time with its own value.
    def keys(self) -> KeysView[str]:
        """Every name, in order."""
        return self._fields.keys()

    def values(self) -> ValuesView[str]:
        """Every value, in order."""
        return self._fields.values()

    def items(self) -> ItemsView[str, str]:
        """Every name with its value, in order."""
        return _Items(self)

    def getall(self, key: str, *default: Any) -> Any:
        """Every value of a name, in order."""
        return self._fields.getall(key, *default)

    def getone(self, key: str, *default: Any) -> Any:
        """Return the first value of a name."""
        return self._fields.getone(key, *default)


class _Items(ItemsView[str, str]):
    def __init__(self, fields: Fields) -> None:
        super().__init__(fields)
        self._fields = fields

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._fields.texts)

    def __contains__(self, item: object) -> bool:
        return item in self._fields.texts


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
