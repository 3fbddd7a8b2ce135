"""Output parameters, compiled once to a function from an upstream's data to what callers get."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.spec import OutputSpec
from adapter_host.expressions.jsonpath import Find, compile_path, field, is_identity
from adapter_host.operation.inputs import parse_number

Transform = Callable[[Any], Any]

Path = tuple[str, ...]
"""A place in an answer: the names on the way to it."""

_STRUCTURES: Final[dict[str | None, type]] = {"object": dict, "array": list}
_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "array", "object"})


def compile_outputs(outputs: Sequence[OutputSpec], loaded: LoadedCapability) -> Transform | None:
    """The shape of an answer, or None when it is passed through as it came."""
    if not outputs or is_passthrough(outputs[0]):
        return None
    shapes = [_Outputs(loaded).shape(output) for output in outputs]
    if len(shapes) == 1:
        return shapes[0]

    def first(data: Any) -> Any:
        # The language tries the entries in order; the first that gives something is the answer.
        return next((found for shape in shapes if (found := shape(data)) is not None), None)

    return first


def compile_answer(outputs: Sequence[OutputSpec], mapped: Collection[Path], loaded: LoadedCapability) -> Transform:
    """The shape of what steps are mapped to: an object of the outputs by their names.

    What is mapped to a place that no output declares is kept as it is.
    """
    return _Outputs(loaded, named=True).fields({output.name or "": output for output in outputs}, mapped)


def compile_refinement(outputs: Sequence[OutputSpec], loaded: LoadedCapability) -> Transform | None:
    """What a consumed operation's own outputs make of its answer: an object becomes them, an array's elements get them.

    None when they say no more than that it is an answer.
    """
    known = _Outputs(loaded, consumed=True)
    telling = {output.name: output for output in outputs if output.name and not is_passthrough(known.read(output))}
    if not telling:
        return None
    of_object = {name: known.shape(output) for name, output in telling.items()}
    of_element = {
        name: of_object[name] for name, output in telling.items() if not is_identity(known.path(output) or "")
    }

    def refine(data: Any) -> Any:
        if isinstance(data, list):
            return [_augmented(element, of_element) for element in data]
        return {name: shape(data) for name, shape in of_object.items()} if isinstance(data, dict) else data

    return refine


def _augmented(element: Any, shapes: Mapping[str, Transform]) -> Any:
    return (
        {**element, **{name: shape(element) for name, shape in shapes.items()}}
        if isinstance(element, dict)
        else element
    )


def outputs_schema(outputs: Sequence[OutputSpec]) -> dict[str, Any] | None:
    """The JSON Schema (2020-12) of an answer; None when it is passed through or may be one of several."""
    if len(outputs) != 1 or is_passthrough(outputs[0]) or outputs[0].type not in _TYPES:
        return None
    schema = _schema(outputs[0])
    return {**schema, "type": outputs[0].type}


def answer_schema(outputs: Sequence[OutputSpec]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of an object of the outputs by their names."""
    return {"type": "object", "properties": {output.name: _schema(output, named=True) for output in outputs}}


def _schema(output: OutputSpec, *, named: bool = False) -> dict[str, Any]:
    # What an upstream leaves out comes as null.
    schema: dict[str, Any] = {"type": [output.type, "null"]} if output.type in _TYPES else {}
    if output.description:
        schema["description"] = output.description
    if output.properties:
        schema["properties"] = {name: _schema(child, named=named) for name, child in output.properties.items()}
    if named and (fields := _element_fields(output)):
        children = {name: _schema(child, named=named) for name, child in fields.items()}
        schema["items"] = {"type": ["object", "null"], "properties": children}
    elif items := _items(output):
        schema["items"] = _schema(items, named=named)
    return schema


def _items(output: OutputSpec) -> OutputSpec | None:
    """What an array's elements are; of a list the first counts."""
    return next(iter(output.items), None) if isinstance(output.items, tuple) else output.items


def _element_fields(output: OutputSpec) -> dict[str, OutputSpec]:
    """The fields of an array's elements, where `items` lists them by name."""
    items = output.items if isinstance(output.items, tuple) else ()
    return {item.name: item for item in items if item.name}


def is_passthrough(output: OutputSpec) -> bool:
    """Whether an output is the whole answer, unchanged."""
    return (
        output.mapping is not None
        and is_identity(output.mapping)
        and not output.properties
        and output.items is None
        and output.type in (None, "object", "array", "binary")
    )


@dataclass(frozen=True, slots=True)
class _Outputs:
    """Compiles outputs: `named` ones without a mapping go by their names, `consumed` ones have a path as `value`."""

    loaded: LoadedCapability
    named: bool = False
    consumed: bool = False

    def shape(self, output: OutputSpec, name: str | None = None, above: str = "") -> Transform:
        """The shape of one output; `name` is its own in the object around it, whose mapping is `above`."""
        path = self.path(output)
        constant = output.value if output.value is not None else output.const
        if path is None and constant is not None:
            value = _constant(constant, output.type)
            return lambda _: value
        by_name = path is None and name is not None and (self.named or not output.properties)
        find = field(name or "") if by_name else self._find(output, path, above)
        if output.properties:
            return _object(find, self.fields(output.properties, above=above if path is None else path))
        if output.items is not None or output.type == "array":
            return _array(find, self._element(output))
        return _scalar(find, output.type)

    def fields(self, outputs: Mapping[str, OutputSpec], mapped: Collection[Path] = (), above: str = "") -> Transform:
        """The shape of an object."""
        shapes = {name: self.shape(output, name, above) for name, output in outputs.items()}
        for name in {path[0]: None for path in mapped}:
            deeper = [path[1:] for path in mapped if path[0] == name and path[1:]]
            if name in outputs and deeper:
                shapes[name] = _object(field(name), self.fields(outputs[name].properties or {}, deeper))
        kept = [name for name in dict.fromkeys(path[0] for path in mapped) if name not in shapes]

        named = tuple(shapes.items())
        if not kept:
            return lambda data: {name: shape(data) for name, shape in named}
        return lambda data: {
            **{name: shape(data) for name, shape in named},
            **{name: data[name] for name in kept if name in data},
        }

    def path(self, output: OutputSpec) -> str | None:
        """Where an output's data is, if it says so."""
        value = output.value
        is_path = self.consumed and isinstance(value, str) and value.startswith("$")
        return value if output.mapping is None and is_path else output.mapping

    def read(self, output: OutputSpec) -> OutputSpec:
        """The output with its path as a mapping."""
        return output.model_copy(update={"mapping": self.path(output)})

    def _element(self, output: OutputSpec) -> Transform | None:
        items = _items(output)
        if items is None:
            return None
        if not (self.named and (fields := _element_fields(output))):
            return self.shape(items)
        whole = self.fields(fields)
        return lambda element: whole(element) if isinstance(element, dict) else coerce(element, items.type)

    def _find(self, output: OutputSpec, path: str | None, above: str) -> Find:
        try:
            find = compile_path(path or "$")
            if path and above and path.startswith((f"{above}.", f"{above}[")):
                # The documents of the language write a path from the root too, below an object that has its own.
                return _either(find, compile_path(f"${path[len(above) :]}"))
            return find
        except ValueError as error:
            key = "mapping" if output.mapping is not None else "value"
            self.loaded.problem(str(error), self.loaded.loc(output, key), code="jsonpath")
            return lambda data: None


def _either(first: Find, second: Find) -> Find:
    return lambda data: second(data) if (found := first(data)) is None else found


def _scalar(find: Find, type: str | None) -> Transform:
    """What is found, as the type; nearly everything is already, and coercing asks more of each value."""
    if type not in _COERCIONS:
        return find
    if type == "string":
        return lambda data: found if isinstance(found := find(data), str) else coerce(found, type)
    return lambda data: coerce(found, type) if isinstance(found := find(data), str) else found


def _object(find: Find, fields: Transform) -> Transform:
    return lambda data: None if (found := find(data)) is None else fields(found)


def _array(find: Find, item: Transform | None) -> Transform:
    def shape(data: Any) -> Any:
        found = find(data)
        if found is None:
            return None
        # One element of XML is no array, and an empty one is text.
        elements = found if isinstance(found, list) else [] if found == "" else [found]
        return elements if item is None else [item(element) for element in elements]

    return shape


def _constant(value: Any, type: str | None) -> Any:
    """A constant as the declared type; the language writes those of several parts as text, in JSON."""
    if type not in _STRUCTURES or not isinstance(value, str):
        return coerce(value, type)
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
    return found if isinstance(found, _STRUCTURES[type]) else value


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
