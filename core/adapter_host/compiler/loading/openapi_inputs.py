"""Merge the inputs of a consumed operation with the parameters of its OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapter_host.document.nodes import Loc, MappingNode, Node, SequenceNode, node_at
from adapter_host.schemas.allowed_types import is_compatible, types_of
from adapter_host.schemas.resolve import SCHEMAS
from adapter_host.schemas.values import have_same_values
from adapter_host.schemas.wording import describe_types

REFERENCE: Final = f"#/{SCHEMAS}/"
"""The start of references to shared schemas."""

_INPUTS: Final = "inputParameters"
_SCHEMA: Final = "x-schema"
_NOT_TAKEN: Final = frozenset({"name", "in", "value", "x-name"})
"""Keys of an input that only its own document can know."""
_LIMITS: Final = ("pattern", "minLength", "maxLength")


@dataclass(frozen=True, slots=True)
class Operation:
    """A consumed operation: its node and place, and the same as the importer writes it from the OpenAPI document.

    `schemas` are the shared ones of that document.
    """

    node: MappingNode
    described: Mapping[str, Any]
    loc: Loc
    schemas: Mapping[str, Any]


class InputMerger:
    """Merges the inputs of one operation; the capability takes precedence.

    `rename` returns data with the names of this capability's schemas, `warn` reports a contradiction at a place.
    """

    def __init__(self, operation: Operation, rename: Callable[[Any], Any], warn: Callable[[Loc, str], None]) -> None:
        self._operation = operation
        self._rename = rename
        self._warn = warn
        self._described: dict[tuple[str, str], Mapping[str, Any]] = {
            (item.get("x-name", item["name"]), item["in"]): item
            for item in operation.described.get(_INPUTS, ())
            if "value" not in item
        }

    def merge(self) -> MappingNode:
        """Return the operation's node with completed inputs."""
        node = self._operation.node
        inputs = node.child(_INPUTS)
        if inputs is None:
            # Without any input the capability says nothing of the parameters.
            described = self._operation.described
            declared = described.get(_INPUTS)
            if not declared or "body" in node.value:
                return node
            return node.with_entry(_INPUTS, node_at(self._rename(declared), node))
        if not isinstance(inputs, SequenceNode):
            return node
        items = [self._complete(item, index) for index, item in enumerate(inputs.items)]
        completed = SequenceNode([item.value for item in items], inputs.file, inputs.line, inputs.column, items)
        return node.with_child(_INPUTS, completed)

    def _complete(self, item: Node, index: int) -> Node:
        if not isinstance(item, MappingNode) or "value" in item.value or _SCHEMA in item.value:
            return item
        described = self._find(item.value)
        if described is None:
            return item
        if (contradiction := self._contradiction(item.value, described)) is not None:
            message = f"'{item.value.get('name')}' {contradiction}; its schema is not taken from there"
            self._warn((*self._operation.loc, _INPUTS, index), message)
            return item
        for key, value in described.items():
            if key not in item.value and key not in _NOT_TAKEN:
                item = item.with_entry(key, node_at(self._rename(value), item))
        return item

    def _contradiction(self, item: Mapping[str, Any], described: Mapping[str, Any]) -> str | None:
        """Return the contradiction between an input and its schema in the OpenAPI document, or None."""
        declared_type, described_type = item.get("type"), described.get("type")
        if declared_type and described_type and declared_type != described_type:
            return f"is {declared_type}, but {described_type} in the OpenAPI document"
        allowed = self._types(described.get(_SCHEMA))
        if isinstance(declared_type, str) and allowed and not is_compatible(declared_type, allowed):
            return f"is {declared_type}, but the OpenAPI document allows {describe_types(allowed)}"
        schema = self._followed(described.get(_SCHEMA))
        if not isinstance(schema, Mapping):
            return None
        for key in _LIMITS:
            if key in item and schema.get(key, item[key]) != item[key]:
                return f"has another '{key}' than in the OpenAPI document"
        values = item.get("values", item.get("enum"))
        holder = schema.get("items") if declared_type == "array" else schema
        described_values = holder.get("enum") if isinstance(holder, Mapping) else None
        if isinstance(values, list) and described_values and not have_same_values(values, described_values):
            return "has other values than in the OpenAPI document"
        return None

    def _types(self, schema: Any) -> frozenset[str]:
        return types_of(schema, self._operation.schemas, pointer=REFERENCE)

    def _find(self, item: Mapping[str, Any]) -> Mapping[str, Any] | None:
        name, place = str(item.get("x-name", item.get("name"))), str(item.get("in"))
        if place == "path":
            return self._find_in_path(name)
        if place == "body":
            return self._described.get(("body", "body")) if name == "body" else self._find_in_body(name)
        if place == "header":
            lower = name.lower()
            return next((found for (other, where), found in self._described.items()
                         if where == "header" and other.lower() == lower), None)  # fmt: skip
        return self._described.get((name, place))

    def _find_in_path(self, name: str) -> Mapping[str, Any] | None:
        """Return the parameter at the same place of the path; names may differ."""
        described = [found for (_, where), found in self._described.items() if where == "path"]
        own = self._variables(self._operation.node.value)
        same = self._described.get((name, "path"))
        if same is not None or name not in own or len(own) != len(described):
            return same
        return described[own.index(name)]

    def _variables(self, operation: Mapping[str, Any]) -> Sequence[str]:
        return [
            item["name"] for item in operation.get(_INPUTS, ()) if isinstance(item, dict) and item.get("in") == "path"
        ]

    def _find_in_body(self, name: str) -> Mapping[str, Any] | None:
        """Return the field of the body; its schema is a property of that of the body."""
        field = self._described.get((name, "body"))
        if field is not None:
            return field
        body = self._described.get(("body", "body"))
        schema = self._followed(body.get(_SCHEMA)) if body else None
        properties = schema.get("properties") if isinstance(schema, Mapping) else None
        if not isinstance(properties, Mapping) or name not in properties:
            return None
        required = {"required": True} if name in (schema or {}).get("required", ()) else {}
        field_schema = self._followed(properties[name])
        declared = field_schema.get("type") if isinstance(field_schema, Mapping) else None
        agrees = isinstance(declared, str) and is_compatible(declared, self._types(properties[name]))
        return {_SCHEMA: properties[name], **({"type": declared} if agrees else {}), **required}

    def _followed(self, schema: Any) -> Any:
        """Return a schema, or the shared one that it refers to."""
        for _ in self._operation.schemas:
            reference = schema.get("$ref") if isinstance(schema, Mapping) else None
            if not isinstance(reference, str) or not reference.startswith(REFERENCE):
                break
            schema = self._operation.schemas.get(reference.removeprefix(REFERENCE))
        return schema
