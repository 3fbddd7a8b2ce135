"""Validate results against the output schemas that the core generates, and conform them, by compiled closures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import UnionType
from typing import Any, Final

from adapter_host import JSON_CLASSES, JSON_TYPES

FindViolation = Callable[[Any], str | None]
"""Returns the path of the first schema violation, relative to the data, or None for valid data."""


Conform = Callable[[Any], Any]
"""Returns data that meets a schema: a value of another type is null."""


def compile_schema(schema: Mapping[str, Any]) -> FindViolation:
    """Compile `type`, `properties`, `required` and `items` of a schema to a function."""
    # Malformed keywords are ignored here; the SDK reports them when it validates the tool's definition.
    checks = [
        compile_keyword(schema)
        for key, (types, compile_keyword) in _KEYWORDS.items()
        if isinstance(schema.get(key), types)
    ]
    if len(checks) == 1:
        return checks[0]

    def find_violation(data: Any) -> str | None:
        for check in checks:
            if (path := check(data)) is not None:
                return path
        return None

    return find_violation


def compile_conformer(schema: Any) -> Conform:
    """Compile a function that replaces values of other types than the schema's by null, or a whole object by `{}`."""
    if not isinstance(schema, Mapping):
        # A schema may be true or false, which says nothing about the type.
        return lambda data: data
    is_valid = _type(schema) if isinstance(schema.get("type"), str | list) else lambda data: None
    names = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type") or []
    substitute: Callable[[Any], Any] = (
        (lambda data: None) if "null" in names else (lambda data: {}) if "object" in names else (lambda data: data)
    )
    properties = schema.get("properties")
    fields = (
        {name: compile_conformer(child) for name, child in properties.items()}
        if isinstance(properties, Mapping)
        else {}
    )
    conform_element = compile_conformer(schema["items"]) if isinstance(schema.get("items"), Mapping) else None

    def conform(data: Any) -> Any:
        if is_valid(data) is not None:
            return substitute(data)
        if isinstance(data, dict):
            return {name: fields[name](value) if name in fields else value for name, value in data.items()}
        if isinstance(data, list) and conform_element is not None:
            return [conform_element(element) for element in data]
        return data

    return conform


def _type(schema: Mapping[str, Any]) -> FindViolation:
    names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    checks = [JSON_TYPES[name] for name in names if name in JSON_TYPES]
    if not checks:
        return lambda data: None
    classes = _classes(names)

    def find_violation(data: Any) -> str | None:
        return None if type(data) in classes or any(check(data) for check in checks) else ""

    return find_violation


def _classes(names: Iterable[str]) -> frozenset[type]:
    return frozenset(each for name in names for each in JSON_CLASSES.get(name, ()))


def _unchecked_classes(schema: Any) -> frozenset[type]:
    """Return the classes of values that need no check, as the schema says nothing but their type."""
    types = schema.get("type")
    if any(key != "type" and isinstance(schema.get(key), kinds) for key, (kinds, _) in _KEYWORDS.items()):
        return frozenset()
    return _classes([types] if isinstance(types, str) else types if isinstance(types, list) else ())


def _properties(schema: Mapping[str, Any]) -> FindViolation:
    properties = [
        (name, _unchecked_classes(child), compile_schema(child)) for name, child in schema["properties"].items()
    ]

    def find_violation(data: Any) -> str | None:
        if isinstance(data, dict):
            for name, unchecked, check in properties:
                if name in data:
                    value = data[name]
                    if type(value) not in unchecked and (path := check(value)) is not None:
                        return f".{name}{path}"
        return None

    return find_violation


def _required(schema: Mapping[str, Any]) -> FindViolation:
    names = tuple(schema["required"])

    def find_violation(data: Any) -> str | None:
        if not isinstance(data, dict):
            return None
        return next((f".{name}" for name in names if name not in data), None)

    return find_violation


def _items(schema: Mapping[str, Any]) -> FindViolation:
    check = compile_schema(schema["items"])

    def find_violation(data: Any) -> str | None:
        if isinstance(data, list):
            for index, element in enumerate(data):
                if (path := check(element)) is not None:
                    return f"[{index}]{path}"
        return None

    return find_violation


_KEYWORDS: Final[Mapping[str, tuple[type | UnionType, Callable[[Mapping[str, Any]], FindViolation]]]] = {
    "type": (str | list, _type),
    "properties": (Mapping, _properties),
    "required": (list, _required),
    "items": (Mapping, _items),
}
