"""The differences between two texts, line by line, as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from io import StringIO
from itertools import islice
from typing import Any, Final

CONTEXT: Final = 3
"""Lines that are the same, before and after a change."""

MAX_COMPARED: Final = 1000
"""Lines of a text between its first and its last change that are compared; more are one change as a whole."""

MAX_SHOWN: Final = 2000
"""Lines that are shown."""

Block = tuple[int, int, int, int]
"""A change: the lines from and to, in the old text and in the new one."""


def differences(old: str, new: str) -> dict[str, Any]:
    """Return the changes from one text to another, with the lines around them; texts have line feeds."""
    # Not `splitlines`, whose further line ends are none for an editor.
    before, after = StringIO(old).readlines(), StringIO(new).readlines()
    blocks = list(_blocks(before, after))
    rows = _rows(before, after, blocks)
    return {
        "added": sum(to - start for _, _, start, to in blocks),
        "removed": sum(to - start for start, to, _, _ in blocks),
        "rows": list(islice(rows, MAX_SHOWN)),
        "left_out": sum(1 for _ in rows),
    }


def _blocks(before: Sequence[str], after: Sequence[str]) -> Iterator[Block]:
    start = _same_at_start(before, after)
    end = _same_at_start(before[start:][::-1], after[start:][::-1])
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    if max(len(old), len(new)) > MAX_COMPARED:
        yield start, start + len(old), start, start + len(new)
        return
    for kind, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new).get_opcodes():
        if kind != "equal":
            yield start + old_from, start + old_to, start + new_from, start + new_to


def _same_at_start(before: Sequence[str], after: Sequence[str]) -> int:
    pairs = zip(before, after, strict=False)
    return next((index for index, (old, new) in enumerate(pairs) if old != new), min(len(before), len(after)))


def _rows(before: Sequence[str], after: Sequence[str], blocks: Sequence[Block]) -> Iterator[dict[str, Any]]:
    shown = 0
    for index, (old_from, old_to, new_from, new_to) in enumerate(blocks):
        first = max(shown, old_from - CONTEXT)
        if first > shown or (index == 0 and first > 0):
            yield {"kind": "gap", "lines": first - shown}
        yield from (_same(before, number, new_from - old_from) for number in range(first, old_from))
        yield from (_row("removed", before[number], old=number + 1) for number in range(old_from, old_to))
        yield from (_row("added", after[number], new=number + 1) for number in range(new_from, new_to))
        following = blocks[index + 1][0] if index + 1 < len(blocks) else len(before)
        shown = min(old_to + CONTEXT, following)
        yield from (_same(before, number, new_to - old_to) for number in range(old_to, shown))
    if blocks and shown < len(before):
        yield {"kind": "gap", "lines": len(before) - shown}


def _same(before: Sequence[str], number: int, shift: int) -> dict[str, Any]:
    return _row("same", before[number], old=number + 1, new=number + 1 + shift)


def _row(kind: str, line: str, *, old: int | None = None, new: int | None = None) -> dict[str, Any]:
    # Only the last line of a text can have no end.
    return {"kind": kind, "old": old, "new": new, "text": line.rstrip("\n"), "ended": line.endswith("\n")}
