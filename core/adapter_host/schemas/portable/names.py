"""Property names that every provider's API accepts, and the way back to the declared ones."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from adapter_host.json_nesting import parse_json

from .walk import applicable, members, named_types, options

MAX_LENGTH: Final = 64

_LEGAL: Final = re.compile(r"[a-zA-Z0-9_.-]{1,64}").fullmatch
_ILLEGAL: Final = re.compile(r"[^a-zA-Z0-9_.-]+")
_WORDS: Final = {"<": "_lt", ">": "_gt", "!": "_not", "=": "_eq", "*": "_any", "@": "_at_", "&": "_and_"}
"""Words for characters that tell names apart, as in `date<` and `date>`."""


def portable_names(names: Iterable[str]) -> dict[str, str]:
    """Return a legal and unique name (`^[a-zA-Z0-9_.-]{1,64}$`) for each name; legal names stay."""
    known = list(dict.fromkeys(names))
    # Legal names are reserved: no name that is made for another one may equal one of them.
    result = {name: name for name in known if _LEGAL(name)}
    used = set(result)
    for name in known:
        if name not in result:
            result[name] = next(candidate for candidate in _candidates(_spell(name)) if candidate not in used)
            used.add(result[name])
    return result


def _spell(name: str) -> str:
    words = "".join(_WORDS.get(character, character) for character in name)
    letters = "".join(part for part in unicodedata.normalize("NFKD", words) if not unicodedata.combining(part))
    return _ILLEGAL.sub("_", letters).strip("_")[:MAX_LENGTH] or "property"


def _candidates(legal: str) -> Iterator[str]:
    yield legal
    number = 2
    while True:
        suffix = f"_{number}"
        yield legal[: MAX_LENGTH - len(suffix)] + suffix
        number += 1


def property_names(schema: Any) -> dict[str, str]:
    """Return the legal names of all properties that a schema names, anywhere in it."""
    found: dict[str, None] = {}
    pending = [schema]
    while pending:
        part = pending.pop()
        if isinstance(part, Mapping):
            found.update(dict.fromkeys(map(str, members(part, "properties"))))
            found.update(dict.fromkeys(name for name in options(part, "required") if isinstance(name, str)))
            pending += part.values()
        elif isinstance(part, list):
            pending += part
    return portable_names(sorted(found))


class NameMap:
    """The declared names of the properties that `portable_schema` renames in one schema."""

    def __init__(self, schema: Mapping[str, Any], names: Mapping[str, str]) -> None:
        self._schema = schema
        self._names = names
        self._fields: dict[tuple[int, ...], tuple[dict[str, tuple[str, list[Any]]], list[Any]]] = {}

    @classmethod
    def of(cls, schema: Mapping[str, Any]) -> NameMap | None:
        """Return the map of a schema, or None if all its names are legal."""
        names = property_names(schema)
        return None if all(map(str.__eq__, names, names.values())) else cls(schema, names)

    def restore(self, value: Any, *, reads_texts: bool = False) -> Any:
        """Return a value with the declared names of its properties, nested ones too.

        With `reads_texts`, JSON texts in place of objects and arrays are read.
        """
        return self._restore(value, [self._schema], reads_texts)

    def _restore(self, value: Any, schemas: list[Any], reads_texts: bool) -> Any:
        if reads_texts and isinstance(value, str) and schemas:
            value = self._read(value, schemas)
        if isinstance(value, dict) and schemas:
            fields, others = self._fields_of(schemas)
            restored = {}
            for key, item in value.items():
                name, children = fields.get(key, (key, others))
                restored[name] = self._restore(item, children, reads_texts)
            return restored
        if isinstance(value, list) and schemas:
            children = self._items_of(schemas)
            return [self._restore(item, children, reads_texts) for item in value]
        return value

    def _read(self, text: str, schemas: list[Any]) -> Any:
        if text.lstrip()[:1] not in ("{", "["):
            return text
        types: set[str] = set()
        for schema in applicable(schemas, self._schema):
            types.update(named_types(schema))
        if "string" in types or not types & {"object", "array"}:
            return text
        try:
            return parse_json(text)
        except ValueError:
            return text

    def _fields_of(self, schemas: list[Any]) -> tuple[dict[str, tuple[str, list[Any]]], list[Any]]:
        """Return the declared name and the schemas of each property by legal name, and the schemas of others."""
        key = tuple(map(id, schemas))
        if key not in self._fields:
            fields: dict[str, tuple[str, list[Any]]] = {}
            others: list[Any] = []
            required: list[str] = []
            for schema in applicable(schemas, self._schema):
                for name, child in members(schema, "properties").items():
                    for key_sent in {self._names[name], name}:
                        fields.setdefault(key_sent, (name, []))[1].append(child)
                others += members(schema, "patternProperties").values()
                if isinstance(additional := schema.get("additionalProperties"), Mapping):
                    others.append(additional)
                required += [name for name in options(schema, "required") if name in self._names]
            for name in required:
                fields.setdefault(self._names[name], (name, others))
            self._fields[key] = (fields, others)
        return self._fields[key]

    def _items_of(self, schemas: list[Any]) -> list[Any]:
        children: list[Any] = []
        for schema in applicable(schemas, self._schema):
            for keyword in ("items", "prefixItems"):
                items = schema.get(keyword)
                children += items if isinstance(items, list) else [items] if isinstance(items, Mapping) else []
        return children
