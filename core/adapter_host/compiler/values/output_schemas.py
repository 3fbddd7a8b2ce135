"""The JSON Schemas of results, from the outputs of operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapter_host.capability.model import walk
from adapter_host.capability.spec import OutputSpec
from adapter_host.expressions.jsonpath import is_identity
from adapter_host.schemas.keywords import map_schemas
from adapter_host.schemas.references import DEFS
from adapter_host.schemas.schema import Schema

from .outputs import element_fields, is_passthrough, items_of

_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "array", "object"})


@dataclass(frozen=True, slots=True)
class ResultSchema:
    """The JSON Schema (2020-12) of results, and the one that they are checked against."""

    schema: dict[str, Any] | None = None
    checked: Schema | None = None


def describe_results(outputs: Sequence[OutputSpec]) -> ResultSchema:
    """Return the schema of a result; none where it is passed through or one of several outputs.

    An `x-schema` describes a result that is passed through too.
    """
    if len(outputs) != 1:
        return ResultSchema()
    output = outputs[0]
    if is_passthrough(output) or output.type not in _TYPES:
        return describe_declared(output.json_schema)
    return _described(_schema(output), outputs)


def describe_passed_through(outputs: Sequence[OutputSpec]) -> ResultSchema:
    """Return the schema of the complete response that the outputs of a consumed operation declare."""
    for output in outputs:
        path = output.value if output.mapping is None else output.mapping
        if output.x_schema is not None and (path is None or (isinstance(path, str) and is_identity(path))):
            return describe_declared(output.json_schema)
    return ResultSchema()


def describe_mapped_results(outputs: Sequence[OutputSpec]) -> ResultSchema:
    """Return the schema of an object of the outputs, by their names."""
    properties = {output.name: _schema(output, by_name=True) for output in outputs}
    return _described({"type": "object", "properties": properties}, outputs)


def describe_declared(schema: Schema | None) -> ResultSchema:
    """Return the schema of a result that one schema describes, if any."""
    return ResultSchema() if schema is None else ResultSchema(dict(schema.data), schema)


def _described(schema: dict[str, Any], outputs: Sequence[OutputSpec]) -> ResultSchema:
    if not any(isinstance(model, OutputSpec) and model.x_schema is not None for model, _ in walk(outputs)):
        return ResultSchema(schema)
    complete = _with_defs(schema)
    return ResultSchema(complete, Schema(complete, complete))


def _with_defs(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with the `$defs` of the schemas in it at its root."""
    defs: dict[str, Any] = {}

    def hoist(part: Any) -> Any:
        if not isinstance(part, dict):
            return part
        defs.update(part.get(DEFS, {}))
        return map_schemas({key: value for key, value in part.items() if key != DEFS}, hoist)

    hoisted = hoist(schema)
    return {**hoisted, DEFS: defs} if defs else schema


def _schema(output: OutputSpec, *, by_name: bool = False) -> dict[str, Any]:
    schema: dict[str, Any] = {} if output.json_schema is None else dict(output.json_schema.data)
    if output.type in _TYPES:
        # Values that are missing in the upstream response are null.
        schema["type"] = [output.type, "null"]
    if output.description:
        schema["description"] = output.description
    if output.properties:
        schema["properties"] = {name: _schema(child, by_name=by_name) for name, child in output.properties.items()}
    if by_name and (fields := element_fields(output)):
        children = {name: _schema(child, by_name=by_name) for name, child in fields.items()}
        schema["items"] = {"type": ["object", "null"], "properties": children}
    elif items := items_of(output):
        schema["items"] = _schema(items, by_name=by_name)
    return schema
