"""Edit JSON with comments as text, so that everything else stays as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

_SPACE: Final = re.compile(r"(?:[\s\ufeff]|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_SCALAR: Final = re.compile(r"[^\s,\[\]{}/:\"]+")


@dataclass(frozen=True, slots=True)
class _Member:
    """A member of an object: its key, and where the key and the value are in the text."""

    key: str
    start: int
    value_start: int
    value_end: int


@dataclass(frozen=True, slots=True)
class _Value:
    """A value of the text: where it ends, its data, and its members if it is an object."""

    end: int
    data: Any
    members: Sequence[_Member] = ()


def parse(text: str) -> Any:
    """Return the data of JSON that may have comments and trailing commas; raise `ValueError`."""
    if not text.strip():
        return {}
    start = _skip(text, 0)
    value = _read(text, start)
    if _skip(text, value.end) != len(text):
        raise ValueError(f"unexpected text in line {_line(text, value.end)}")
    return value.data


def set_entry(text: str, section: str, name: str, entry: dict[str, Any]) -> str:
    """Return the text with an entry in a section of the root object; raise `ValueError` for other content."""
    if not text.strip():
        return json.dumps({section: {name: entry}}, indent=2, ensure_ascii=False) + "\n"
    if not isinstance(parse(text), dict):
        raise ValueError("the file is not a JSON object")
    start = _skip(text, 0)
    members = _read(text, start).members
    existing = next((member for member in members if member.key == section), None)
    if existing is None:
        return _insert(text, start, members, section, {name: entry})
    section_members = _read(text, existing.value_start)
    if not isinstance(section_members.data, dict):
        raise ValueError(f"'{section}' is not a JSON object")
    old = next((member for member in section_members.members if member.key == name), None)
    if old is None:
        return _insert(text, existing.value_start, section_members.members, name, entry)
    rendered = _render(entry, _indent_at(text, old.start), _unit(text))
    return text[: old.value_start] + rendered + text[old.value_end :]


def _insert(text: str, opening: int, members: Sequence[_Member], key: str, value: Any) -> str:
    """Insert a member as the first of an object: comments after the others stay with them."""
    unit = _unit(text)
    inner = _indent_at(text, members[0].start) if members else _indent_at(text, opening) + unit
    member = f"\n{inner}{json.dumps(key, ensure_ascii=False)}: {_render(value, inner, unit)}"
    rest = text[opening + 1 :]
    if members:
        separator = (
            "," if rest[: members[0].start - opening - 1].lstrip(" \t").startswith(("\n", "\r")) else f",\n{inner}"
        )
        rest = rest if separator == "," else rest.lstrip(" \t")
        return f"{text[: opening + 1]}{member}{separator}{rest}"
    is_blank = not rest[: _skip(text, opening + 1) - opening - 1].strip()
    rest = rest.lstrip() if is_blank else rest
    return f"{text[: opening + 1]}{member}\n{_indent_at(text, opening) if is_blank else ''}{rest}"


def _render(value: Any, indent: str, unit: str) -> str:
    return json.dumps(value, indent=unit, ensure_ascii=False).replace("\n", f"\n{indent}")


def _unit(text: str) -> str:
    match = re.search(r"^([ \t]+)\"", text, re.MULTILINE)
    return match[1] if match else "  "


def _indent_at(text: str, position: int) -> str:
    line = text[text.rfind("\n", 0, position) + 1 : position]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _read(text: str, start: int) -> _Value:
    first = text[start : start + 1]
    if first == "{":
        return _read_object(text, start)
    if first == "[":
        return _read_list(text, start)
    pattern = _STRING if first == '"' else _SCALAR
    match = pattern.match(text, start)
    if match is None:
        raise ValueError(f"invalid JSON in line {_line(text, start)}")
    try:
        return _Value(match.end(), json.loads(match[0]))
    except ValueError:
        raise ValueError(f"invalid JSON in line {_line(text, start)}") from None


def _read_object(text: str, start: int) -> _Value:
    data: dict[str, Any] = {}
    members = []
    position = _skip(text, start + 1)
    while text[position : position + 1] != "}":
        key = _read(text, position)
        colon = _skip(text, key.end)
        if not isinstance(key.data, str) or text[colon : colon + 1] != ":":
            raise ValueError(f"invalid JSON in line {_line(text, position)}")
        value_start = _skip(text, colon + 1)
        value = _read(text, value_start)
        members.append(_Member(key.data, position, value_start, value.end))
        data[key.data] = value.data
        position = _next(text, value.end, "}")
    return _Value(position + 1, data, members)


def _read_list(text: str, start: int) -> _Value:
    data = []
    position = _skip(text, start + 1)
    while text[position : position + 1] != "]":
        value = _read(text, position)
        data.append(value.data)
        position = _next(text, value.end, "]")
    return _Value(position + 1, data)


def _next(text: str, end: int, closing: str) -> int:
    """Return the position of the next item, or of the closing bracket."""
    position = _skip(text, end)
    if text[position : position + 1] == ",":
        return _skip(text, position + 1)
    if text[position : position + 1] != closing:
        raise ValueError(f"invalid JSON in line {_line(text, position)}")
    return position
