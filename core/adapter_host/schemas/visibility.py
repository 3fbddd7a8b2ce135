"""Properties that one side does not see: `readOnly` ones of requests, `writeOnly` ones of responses."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final, Literal

from .keywords import map_schemas
from .references import referenced

Hidden = Literal["readOnly", "writeOnly"]

_PARTS: Final = frozenset({"allOf", "anyOf", "oneOf", "if", "then", "else", "not"})
"""Keywords whose schemas are parts of the same schema."""


class Hiding:
    """Returns schemas that do not require the hidden properties, and with `drop` do not have them.

    `defs` are the schemas that references name.
    """

    def __init__(self, defs: Mapping[str, Any], keyword: Hidden, *, drop: bool) -> None:
        self._defs = defs
        self._keyword = keyword
        self._drop = drop
        self._definitions: dict[str, Any] = {}

    def definition(self, name: str) -> Any:
        """Return one of `defs`; it is changed once."""
        if name not in self._definitions:
            self._definitions[name] = self.schema(self._defs[name])
        return self._definitions[name]

    def schema(self, schema: Any, hidden: frozenset[str] = frozenset()) -> Any:
        """Return a schema without its hidden properties; `hidden` is what the schema hides that it is a part of."""
        if not isinstance(schema, Mapping):
            return schema
        hidden |= frozenset(self._names(schema, set()))
        changed: dict[str, Any] = {}
        for key, value in schema.items():
            if key == "required" and hidden and isinstance(value, list):
                if names := [name for name in value if name not in hidden]:
                    changed[key] = names
            elif key == "properties" and isinstance(value, Mapping):
                changed[key] = {
                    name: self.schema(part) for name, part in value.items() if not (self._drop and name in hidden)
                }
            else:
                inherited = hidden if key in _PARTS else frozenset()
                changed |= map_schemas({key: value}, partial(self.schema, hidden=inherited))
        return changed

    def _names(self, schema: Any, seen: set[int]) -> set[str]:
        """Return the hidden properties of a schema and of those that it is composed of."""
        if not isinstance(schema, Mapping) or id(schema) in seen:
            return set()
        seen.add(id(schema))
        names = {name for name, part in schema.get("properties", {}).items() if self._is_hidden(part)}
        names |= self._names(referenced(schema, self._defs), seen)
        for key in ("allOf", "anyOf", "oneOf"):
            for part in schema.get(key, ()):
                names |= self._names(part, seen)
        return names

    def _is_hidden(self, schema: Any) -> bool:
        if not isinstance(schema, Mapping):
            return False
        if schema.get(self._keyword) is True:
            return True
        target = referenced(schema, self._defs) if "$ref" in schema else None
        return isinstance(target, Mapping) and target.get(self._keyword) is True
