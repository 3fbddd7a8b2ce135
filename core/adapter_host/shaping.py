"""Output parameters, compiled once to a function from an upstream's data to what callers get."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from .capability import OutputSpec
from .declaration import Declaration
from .inputs import parse_number
from .jsonpath import Find, compile_path, is_identity

Shape = Callable[[Any], Any]

_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "array", "object"})


def compile_outputs(outputs: Sequence[OutputSpec], declaration: Declaration) -> Shape | None:
    """The shape of an answer, or None when it is passed through as it came."""
    if not outputs or is_passthrough(outputs[0]):
        return None
    shapes = [_shape(output, declaration) for output in outputs]
    if len(shapes) == 1:
        return shapes[0]

    def first(data: Any) -> Any:
        # The language tries the entries in order; the first that gives something is the answer.
        return next((found for shape in shapes if (found := shape(data)) is not None), None)

    return first


def outputs_schema(outputs: Sequence[OutputSpec]) -> dict[str, Any] | None:
    """The JSON Schema (2020-12) of an answer; None when it is passed through or may be one of several."""
    if len(outputs) != 1 or is_passthrough(outputs[0]) or outputs[0].type not in _TYPES:
        return None
    schema = _schema(outputs[0])
    return {**schema, "type": outputs[0].type}


def _schema(output: OutputSpec) -> dict[str, Any]:
    # What an upstream leaves out comes as null.
    schema: dict[str, Any] = {"type": [output.type, "null"]} if output.type in _TYPES else {}
    if output.description:
        schema["description"] = output.description
    if output.properties:
        schema["properties"] = {name: _schema(child) for name, child in output.properties.items()}
    if items := _items(output):
        schema["items"] = _schema(items)
    return schema


def _items(output: OutputSpec) -> OutputSpec | None:
    """What an array's elements are; of a list the first counts."""
    return next(iter(output.items), None) if isinstance(output.items, tuple) else output.items


def is_passthrough(output: OutputSpec) -> bool:
    """Whether an output is the whole answer, unchanged."""
    return (
        output.mapping is not None
        and is_identity(output.mapping)
        and not output.properties
        and output.items is None
        and output.type in (None, "object", "array", "binary")
    )


def _shape(output: OutputSpec, declaration: Declaration) -> Shape:
    constant = output.value if output.value is not None else output.const
    if constant is not None and output.mapping is None:
        value = coerce(constant, output.type)
        return lambda _: value
    find = _find(output, declaration)
    if output.properties:
        return _object(find, {name: _shape(child, declaration) for name, child in output.properties.items()})
    if output.items is not None or output.type == "array":
        items = _items(output)
        return _array(find, _shape(items, declaration) if items else None)
    return lambda data: coerce(find(data), output.type)


def _find(output: OutputSpec, declaration: Declaration) -> Find:
    try:
        return compile_path(output.mapping or "$")
    except ValueError as error:
        declaration.problem(str(error), declaration.loc(output, "mapping"), code="jsonpath")
        return lambda data: None


def _object(find: Find, properties: dict[str, Shape]) -> Shape:
    def shape(data: Any) -> Any:
        found = find(data)
        return None if found is None else {name: child(found) for name, child in properties.items()}

    return shape


def _array(find: Find, item: Shape | None) -> Shape:
    def shape(data: Any) -> Any:
        found = find(data)
        if found is None:
            return None
        elements = found if isinstance(found, list) else [found]
        return elements if item is None else [item(element) for element in elements]

    return shape


def coerce(value: Any, type: str | None) -> Any:
    """`value` as the declared scalar type where it can be; as it is where it cannot."""
    if value is None or isinstance(value, dict | list):
        return value
    try:
        return _COERCIONS[type](value) if type in _COERCIONS else value
    except (ValueError, TypeError, OverflowError):
        return value


def _number(value: Any) -> Any:
    return parse_number(value) if isinstance(value, str) else value


def _boolean(value: Any) -> Any:
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


def _string(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


_COERCIONS: Final[dict[str | None, Callable[[Any], Any]]] = {
    "string": _string,
    "number": _number,
    "integer": _number,
    "boolean": _boolean,
}
