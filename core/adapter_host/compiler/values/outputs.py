"""Compile output parameters to a function from upstream data to the result."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapter_host.capability.loaded import LoadedCapability
from adapter_host.capability.spec import OutputSpec
from adapter_host.expressions.jsonpath import (
    PathGetter,
    compile_path,
    is_identity,
    member_getter,
    member_name,
    whole_document,
)

from .coercion import Transform, coerce, scalar, scalar_member, typed_constant

Path = tuple[str, ...]
"""The keys that lead to a value in a result."""


def compile_outputs(outputs: Sequence[OutputSpec], loaded: LoadedCapability) -> Transform | None:
    """Compile the outputs of an operation; return None when the response is passed through unchanged."""
    if not outputs or is_passthrough(outputs[0]):
        return None
    transforms = [_OutputCompiler(loaded).transform(output) for output in outputs]
    if len(transforms) == 1:
        return transforms[0]

    def first(data: Any) -> Any:
        # The language tries the entries in order; the first value that is not null is the result.
        return next((value for transform in transforms if (value := transform(data)) is not None), None)

    return first


def compile_mapped_outputs(
    outputs: Sequence[OutputSpec], mapped: Collection[Path], loaded: LoadedCapability
) -> Transform:
    """Compile the outputs of mapped steps to an object, by their names.

    Values at paths in `mapped` that no output declares stay unchanged.
    """
    compiler = _OutputCompiler(loaded, by_name=True, unmapped=not mapped)
    return compiler.fields({output.name or "": output for output in outputs}, mapped)


def compile_refinement(outputs: Sequence[OutputSpec], loaded: LoadedCapability) -> Transform | None:
    """Compile the outputs of a consumed operation: they replace an object, and extend the elements of an array.

    Return None when they would change nothing.
    """
    compiler = _OutputCompiler(loaded, consumed=True)
    refining = {
        output.name: output for output in outputs if output.name and not is_passthrough(compiler.with_path(output))
    }
    if not refining:
        return None
    object_transforms = {name: compiler.transform(output) for name, output in refining.items()}
    element_transforms = {
        name: object_transforms[name]
        for name, output in refining.items()
        if not is_identity(compiler.path(output) or "")
    }

    def refine(data: Any) -> Any:
        if isinstance(data, list):
            return [_refine_element(element, element_transforms) for element in data]
        return (
            {name: transform(data) for name, transform in object_transforms.items()} if isinstance(data, dict) else data
        )

    return refine


def _refine_element(element: Any, transforms: Mapping[str, Transform]) -> Any:
    return (
        {**element, **{name: transform(element) for name, transform in transforms.items()}}
        if isinstance(element, dict)
        else element
    )


def items_of(output: OutputSpec) -> OutputSpec | None:
    """Return the output of the elements of an array; of a list, the first."""
    return next(iter(output.items), None) if isinstance(output.items, tuple) else output.items


def element_fields(output: OutputSpec) -> dict[str, OutputSpec]:
    """Return the fields of the elements of an array, where `items` lists them by name."""
    items = output.items if isinstance(output.items, tuple) else ()
    return {item.name: item for item in items if item.name}


def is_passthrough(output: OutputSpec) -> bool:
    """Return whether an output is the complete response, unchanged."""
    return (
        output.mapping is not None
        and is_identity(output.mapping)
        and not output.properties
        and output.items is None
        and output.type in (None, "object", "array", "binary")
    )


@dataclass(frozen=True, slots=True)
class _OutputCompiler:
    """Compiles outputs: `by_name` those without a mapping go by their names, `consumed` ones have a path as `value`.

    `unmapped` outputs are those of a step's result, where an object may be declared whose fields are elsewhere.
    """

    loaded: LoadedCapability
    by_name: bool = False
    consumed: bool = False
    unmapped: bool = False

    def transform(self, output: OutputSpec, name: str | None = None, parent: str = "") -> Transform:
        """Compile one output; `name` is its key in the parent object, whose mapping is `parent`."""
        path = self.path(output)
        constant = output.value if output.value is not None else output.const
        if path is None and constant is not None:
            value = typed_constant(constant, output.type)
            return lambda _: value
        uses_name = path is None and name is not None and (self.by_name or not output.properties)
        find = member_getter(name or "") if uses_name else self._compile_find(output, path, parent)
        if output.properties:
            if uses_name and self.unmapped and _has_mapping(output.properties.values()):
                find = _either(find, lambda data: data)
            return self._object(find, output.properties, parent if path is None else path)
        if output.items is not None or output.type == "array":
            return _array(find, self._element(output, parent if path is None else path))
        member = name if uses_name else member_name(path or "$")
        return scalar(find, output.type) if member is None else scalar_member(member, output.type)

    def fields(self, outputs: Mapping[str, OutputSpec], mapped: Collection[Path] = (), parent: str = "") -> Transform:
        transforms = {name: self.transform(output, name, parent) for name, output in outputs.items()}
        for name in {path[0]: None for path in mapped}:
            deeper = [path[1:] for path in mapped if path[0] == name and path[1:]]
            if name in outputs and deeper:
                properties, get_member = outputs[name].properties or {}, member_getter(name)
                transforms[name] = _mapped_object(get_member, self.fields(properties, deeper))
        undeclared = [name for name in dict.fromkeys(path[0] for path in mapped) if name not in transforms]

        pairs = tuple(transforms.items())
        if not undeclared:
            return lambda data: {name: transform(data) for name, transform in pairs}
        return lambda data: {
            **{name: transform(data) for name, transform in pairs},
            **{name: data[name] for name in undeclared if name in data},
        }

    def _object(self, find: PathGetter, properties: Mapping[str, OutputSpec], parent: str) -> Transform:
        # Like `fields`, but without a call for each object: most mapped responses are an array of them.
        pairs = tuple((name, self.transform(output, name, parent)) for name, output in properties.items())
        if find is whole_document:
            return lambda data: None if data is None else {name: transform(data) for name, transform in pairs}
        return lambda data: (
            None if (value := find(data)) is None else {name: transform(value) for name, transform in pairs}
        )

    def path(self, output: OutputSpec) -> str | None:
        """Return the JSONPath of an output, if it declares one."""
        value = output.value
        is_path = self.consumed and isinstance(value, str) and value.startswith("$")
        return value if output.mapping is None and is_path else output.mapping

    def with_path(self, output: OutputSpec) -> OutputSpec:
        """Return the output with its path as its `mapping`."""
        return output.model_copy(update={"mapping": self.path(output)})

    def _element(self, output: OutputSpec, parent: str) -> Transform | None:
        items = items_of(output)
        if items is None:
            return None
        if not (self.by_name and (fields := element_fields(output))):
            return self.transform(items, parent=parent)
        to_object = self.fields(fields)
        return lambda element: to_object(element) if isinstance(element, dict) else coerce(element, items.type)

    def _compile_find(self, output: OutputSpec, path: str | None, parent: str) -> PathGetter:
        try:
            find = compile_path(path or "$")
            if path and parent and path.startswith((f"{parent}.", f"{parent}[")):
                # Published documents also write a path from the root below an object or an array with a mapping.
                return _either(find, compile_path(f"${path[len(parent) :]}"))
            return find
        except ValueError as error:
            key = "mapping" if output.mapping is not None else "value"
            self.loaded.problem(str(error), self.loaded.loc(output, key), code="jsonpath")
            return lambda data: None


def _has_mapping(outputs: Iterable[OutputSpec]) -> bool:
    return any(output.mapping is not None or _has_mapping((output.properties or {}).values()) for output in outputs)


def _either(first: PathGetter, second: PathGetter) -> PathGetter:
    # A path with wildcards returns an empty array where it finds nothing.
    return lambda data: second(data) if (value := first(data)) is None or value == [] else value


def _mapped_object(find: PathGetter, fields: Transform) -> Transform:
    return lambda data: None if (value := find(data)) is None else fields(value)


def _array(find: PathGetter, item: Transform | None) -> Transform:
    def transform(data: Any) -> Any:
        value = find(data)
        if value is None:
            return None
        # Formats such as XML have no arrays: one element is not a list, and an empty element is text.
        elements = value if isinstance(value, list) else [] if value == "" else [value]
        return elements if item is None else [item(element) for element in elements]

    return transform
