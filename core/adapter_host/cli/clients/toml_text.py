"""Edit a table of a TOML file as text, so that everything else stays as it is."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any, Final

_HEADER: Final = re.compile(r"^[ \t]*\[[^\n]*$", re.MULTILINE)
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def set_entry(text: str, section: str, name: str, entry: dict[str, Any]) -> str:
    """Return the text with the table `[section.name]`; raise `ValueError` if it cannot be written as one."""
    old = tomllib.loads(text)
    kept = _without_tables(text, (section, name)) if name in old.get(section, {}) else text
    rendered = "\n".join(_render((section, name), entry))
    separator = "" if not kept.strip() else "\n" if kept.endswith("\n") else "\n\n"
    new = f"{kept}{separator}{rendered}\n"
    expected = {**old, section: {**old.get(section, {}), name: entry}}
    try:
        is_same = tomllib.loads(new) == expected
    except tomllib.TOMLDecodeError:
        is_same = False
    if not is_same:
        raise ValueError(f"'{section}' is not written as tables such as [{section}.{name}]")
    return new


def _without_tables(text: str, path: tuple[str, ...]) -> str:
    """Return the text without the tables at and below a path."""
    starts = [match.start() for match in _HEADER.finditer(text)]
    ends = [*starts[1:], len(text)]
    kept = text[: starts[0]] if starts else text
    for start, end in zip(starts, ends, strict=True):
        if _path(text[start:end])[: len(path)] != path:
            kept += text[start:end]
    return kept.rstrip("\n") + "\n" if kept.strip() else ""


def _path(table: str) -> tuple[str, ...]:
    """Return the keys of the header of a table; empty for one that cannot be read by itself."""
    try:
        value: Any = tomllib.loads(table.partition("\n")[0])
    except tomllib.TOMLDecodeError:
        return ()
    path = []
    while isinstance(value, dict) and len(value) == 1:
        key, value = next(iter(value.items()))
        path.append(key)
    return tuple(path)


def _render(path: tuple[str, ...], table: dict[str, Any]) -> Iterator[str]:
    yield f"[{'.'.join(map(_key, path))}]"
    for key, value in table.items():
        if not isinstance(value, dict):
            yield f"{_key(key)} = {_value(value)}"
    for key, value in table.items():
        if isinstance(value, dict):
            yield ""
            yield from _render((*path, key), value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _value(key)


def _value(value: Any) -> str:
    # Texts and lists of texts are written alike in JSON and TOML, except for DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
