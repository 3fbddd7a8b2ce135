"""Merge the changes of a document into an edited capability, in three ways, and find the conflicts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from adapter_host.document.nodes import Loc
from adapter_host.document.text.edits import TextEdits
from adapter_host.openapi.model import Place
from adapter_host.openapi.schema.json_schema import SHARED

from .matching import is_matched, is_plain, match, same
from .names import mappings

_MISSING: Final[Any] = object()
_OPAQUE: Final = frozenset({"x-example", "example", "examples", "default", "const"})
"""Keys of data that belongs together."""


class Reason(Enum):
    """Why a place of the file keeps what it has."""

    CHANGED = "changed here, and in the document"
    REMOVED_THERE = "changed here, and no longer in the document"
    REMOVED_HERE = "removed here, and changed in the document"
    STILL_USED = "no longer in the document, but referred to here"
    NOT_REMOVED = "no longer in the document, but not to be removed without a loss"
    NOT_WRITTEN = "changed in the document, but not to be written without a loss"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A place of the file that keeps what it has; `theirs` is the value in the document, `detail` is for people."""

    loc: Loc
    reason: Reason
    place: Place
    theirs: Any = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is merged against the rule, as otherwise a reference would lead nowhere.

    `operations` are consumed operations and `schemas` shared schemas that are not removed, `restored` are shared
    schemas that were removed from the file, `unused` are those that are not added.
    """

    operations: Collection[str] = ()
    schemas: Collection[str] = ()
    restored: Collection[str] = ()
    unused: Collection[str] = ()


@dataclass(slots=True)
class Merge:
    """Merges a file with two versions of the capability that is imported from a document.

    `edits` get the changes of its text; `places` are those in the document, by the identity of the data.
    """

    edits: TextEdits
    root: Any
    places: Mapping[int, Place]
    kept: Kept
    conflicts: list[Conflict] = field(default_factory=list)
    changes: int = 0
    _place: Place = field(default_factory=Place)
    _is_silent: bool = False

    def merge(self, base: Any, theirs: Any) -> Any:
        """Return the merged data."""
        return self._value((), base, self.root, theirs)

    def _value(self, loc: Loc, base: Any, mine: Any, theirs: Any) -> Any:
        """Return the merged value at a place that all versions have, or that both sides have added."""
        if (base is not _MISSING and same(base, theirs)) or same(mine, theirs):
            return mine
        with self._at(theirs):
            if not self._is_silent and isinstance(mine, dict | list):
                if (detail := self.edits.reason_shared(loc)) is not None:
                    return self._keep(loc, mine, Reason.NOT_WRITTEN, theirs, detail)
                if self.edits.is_flow(loc):
                    return self._flow(loc, base, mine, theirs)
            return self._merged(loc, base, mine, theirs)

    def _merged(self, loc: Loc, base: Any, mine: Any, theirs: Any) -> Any:
        key = loc[-1] if loc else None
        if key not in _OPAQUE:
            if isinstance(mine, dict) and isinstance(theirs, dict) and (base is _MISSING or isinstance(base, dict)):
                return self._mapping(loc, {} if base is _MISSING else base, mine, theirs)
            listed = [] if base is _MISSING else base
            if isinstance(key, str) and is_matched(key, listed, mine, theirs):
                return self._list(loc, key, listed, mine, theirs)
            if all(map(is_plain, (listed, mine, theirs))):
                return self._plain(loc, listed, mine, theirs)
        if base is not _MISSING and same(base, mine):
            return self._replaced(loc, mine, theirs)
        return self._keep(loc, mine, Reason.CHANGED, theirs)

    @contextmanager
    def _at(self, data: Any) -> Iterator[None]:
        """Set the place in the document, if it is that of the data."""
        outer = self._place
        self._place = self.places.get(id(data), outer) if isinstance(data, dict) else outer
        try:
            yield
        finally:
            self._place = outer

    def _keep(self, loc: Loc, mine: Any, reason: Reason, theirs: Any = None, detail: str = "") -> Any:
        self.conflicts.append(Conflict(loc, reason, self._place, theirs, detail))
        return mine

    def _flow(self, loc: Loc, base: Any, mine: Any, theirs: Any) -> Any:
        """Merge a collection in braces or brackets, which is written again as a whole."""
        changes, self._is_silent = self.changes, True
        merged = self._merged(loc, base, mine, theirs)
        # It is one change.
        self.changes, self._is_silent = changes, False
        return mine if same(merged, mine) else self._replaced(loc, mine, merged)

    def _replaced(self, loc: Loc, mine: Any, new: Any) -> Any:
        if not self._is_silent:
            if (detail := self.edits.reason_not_replaced(loc)) is not None:
                return self._keep(loc, mine, Reason.NOT_WRITTEN, new, detail)
            self.edits.replace(loc, new)
        self.changes += 1
        return new

    def _is_removed(self, loc: Loc, base: Any, mine: Any) -> bool:
        """Return True if a part that left the document is removed from the file."""
        with self._at(base):
            if not same(base, mine):
                self._keep(loc, mine, Reason.REMOVED_THERE)
            elif self._is_needed(loc, mine):
                self._keep(loc, mine, Reason.STILL_USED)
            elif not self._is_silent and (detail := self.edits.reason_not_deleted(loc)) is not None:
                self._keep(loc, mine, Reason.NOT_REMOVED, None, detail)
            else:
                return True
        return False

    def _is_needed(self, loc: Loc, mine: Any) -> bool:
        if loc[:1] == (SHARED,):
            return len(loc) == 2 and loc[1] in self.kept.schemas
        if loc[:2] != ("capability", "consumes") or len(loc) % 2 == 0:
            return False
        namespace = self.root["capability"]["consumes"][loc[2]].get("namespace")
        return any(f"{namespace}.{name}" in self.kept.operations for name in _names(mine))

    def _mapping(self, loc: Loc, base: Mapping[str, Any], mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> Any:
        result: dict[str, Any] = {}
        for key, item in mine.items():
            below = (*loc, key)
            if key in theirs:
                result[key] = self._value(below, base.get(key, _MISSING), item, theirs[key])
            elif key not in base or not self._is_removed(below, base[key], item):
                result[key] = item
        added = {key: item for key, item in theirs.items() if key not in mine and self._is_added(loc, key, base, item)}
        if not added and len(result) == len(mine):
            return result
        if not self._is_silent:
            if not result:
                return self._replaced(loc, mine, added)
            for key in mine.keys() - result.keys():
                self.edits.delete((*loc, key))
            order = list(theirs)
            for key, item in added.items():
                before = [other for other in order[: order.index(key)] if other in result]
                self.edits.insert(loc, (before or list(result))[-1], item, key)
        self.changes += len(added) + len(mine) - len(result)
        return {**result, **added}

    def _is_added(self, loc: Loc, key: str, base: Mapping[str, Any], theirs: Any) -> bool:
        """Return True if a new part of the document is added to the file."""
        if loc == (SHARED,) and key in self.kept.restored:
            return True
        if key in base:
            self._note_removal((*loc, key), base[key], theirs)
            return False
        return not (loc == (SHARED,) and key in self.kept.unused)

    def _note_removal(self, loc: Loc, base: Any, theirs: Any) -> None:
        if not same(base, theirs):
            with self._at(theirs):
                self._keep(loc, None, Reason.REMOVED_HERE, theirs)

    def _list(self, loc: Loc, key: str, base: Sequence[Any], mine: Sequence[Any], theirs: Sequence[Any]) -> Any:
        """Merge lists whose items have an identity."""
        old, new = match(key, mine, base), match(key, base, theirs)
        own = [index for index in range(len(mine)) if index not in old]
        added = [index for index in range(len(theirs)) if index not in new.values()]
        both = match(key, [mine[index] for index in own], [theirs[index] for index in added])
        pairs = {own[one]: added[other] for one, other in both.items()}
        pairs |= {index: new[there] for index, there in old.items() if there in new}
        kept: dict[int, Any] = {}
        for index, item in enumerate(mine):
            below, there = (*loc, index), old.get(index)
            if index in pairs:
                before = _MISSING if there is None else base[there]
                kept[index] = self._value(below, before, item, theirs[pairs[index]])
            elif there is None or not self._is_removed(below, base[there], item):
                kept[index] = item
        for there, number in new.items():
            if there not in old.values():
                self._note_removal((*loc, len(mine)), base[there], theirs[number])
        fresh = [number for number in added if number not in pairs.values()]
        return self._written(loc, mine, kept, {number: theirs[number] for number in fresh}, pairs)

    def _plain(self, loc: Loc, base: Sequence[Any], mine: Sequence[Any], theirs: Sequence[Any]) -> Any:
        """Merge lists of different scalars."""
        kept = {
            index: item
            for index, item in enumerate(mine)
            if _has(theirs, item) or not _has(base, item) or not self._is_removed((*loc, index), item, item)
        }
        fresh = {number: item for number, item in enumerate(theirs) if not _has(base, item) and not _has(mine, item)}
        pairs = {
            index: number for index, item in enumerate(mine) for number, other in enumerate(theirs) if same(item, other)
        }
        return self._written(loc, mine, kept, fresh, pairs)

    def _written(
        self, loc: Loc, mine: Sequence[Any], kept: Mapping[int, Any], fresh: Mapping[int, Any], pairs: Mapping[int, int]
    ) -> Any:
        """Return the list of the items in `kept`, by index, and those in `fresh`, by index in the document's list.

        `pairs` are the indexes of the same items in both lists.
        """
        if not fresh and len(kept) == len(mine):
            return list(kept.values())
        if not kept and not self._is_silent:
            return self._replaced(loc, mine, list(fresh.values()))
        indexes = {number: index for index, number in pairs.items() if index in kept}
        following: dict[int, list[Any]] = {}
        for number, item in fresh.items():
            before = [indexes[other] for other in range(number) if other in indexes]
            after = before[-1] if before else max(kept, default=-1)
            following.setdefault(after, []).append(item)
            if not self._is_silent:
                self.edits.insert(loc, after, item)
        if not self._is_silent:
            for index in set(range(len(mine))) - kept.keys():
                self.edits.delete((*loc, index))
        self.changes += len(fresh) + len(mine) - len(kept)
        merged = list(following.get(-1, ()))
        for index, item in kept.items():
            merged += [item, *following.get(index, ())]
        return merged


def _has(items: Sequence[Any], item: Any) -> bool:
    return any(same(item, other) for other in items)


def _names(part: Any) -> Iterator[str]:
    """Yield the names of the operations in a consumed API, a resource or an operation."""
    below = [*mappings(part, "resources"), *mappings(part, "operations")]
    if not below and isinstance(part, dict) and isinstance(part.get("name"), str):
        yield part["name"]
    for item in below:
        yield from _names(item)
