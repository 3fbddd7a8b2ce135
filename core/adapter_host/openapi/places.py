"""A place in an OpenAPI document: what is there, whatever people have put there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adapter_host.document.nodes import Loc
from adapter_host.document.words import kind_of

if TYPE_CHECKING:
    from .documents import Document, Documents


@dataclass(frozen=True, slots=True, eq=False)
class At:
    """A value and where it stands; going down from it follows references."""

    documents: Documents
    document: Document
    loc: Loc
    value: Any

    @property
    def identity(self) -> tuple[str, Loc]:
        """What tells it from every other place."""
        return self.document.name, self.loc

    def warn(self, message: str) -> None:
        """Note something that is left out, or not as it was."""
        self.documents.notes.note(self.document.where(self.loc), self.loc, message)

    def get(self, key: str) -> At | None:
        """What is under a key, references followed; None when there is nothing, or nothing to be had."""
        return self._child(key, self.value[key]) if isinstance(self.value, dict) and key in self.value else None

    def _child(self, part: str | int, value: Any) -> At | None:
        return self.documents.follow(At(self.documents, self.document, (*self.loc, part), value))

    def mapping(self, key: str) -> At | None:
        """The mapping under a key; anything else there is noted."""
        return self._of_kind(key, dict, "a mapping")

    def named(self, key: str) -> Iterator[tuple[str, At]]:
        """The names and values of the mapping under a key."""
        found = self.mapping(key)
        if found is not None:
            yield from found.children()

    def children(self) -> Iterator[tuple[str, At]]:
        """The names and values of a mapping."""
        for name, value in self.value.items():
            child = self._child(name, value)
            if child is not None:
                yield name, child

    def elements(self, key: str) -> Iterator[At]:
        """What is in the list under a key."""
        found = self._of_kind(key, list, "a list")
        for index, value in enumerate(found.value if found else ()):
            child = found._child(index, value) if found else None
            if child is not None:
                yield child

    def text(self, key: str) -> str | None:
        """The text under a key, trimmed; None when it is empty."""
        found = self._of_kind(key, str, "text")
        return (found.value.strip() or None) if found else None

    def flag(self, key: str) -> bool:
        """Whether `true` is under a key."""
        return isinstance(self.value, dict) and self.value.get(key) is True

    def _of_kind(self, key: str, kind: type, wanted: str) -> At | None:
        found = self.get(key)
        if found is None or found.value is None:
            return None
        if not isinstance(found.value, kind):
            found.warn(f"{wanted} is expected here, not {kind_of(found.value)}, so it is left out")
            return None
        return found
