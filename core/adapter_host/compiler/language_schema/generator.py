"""JSON Schemas of models, as lenient as their validation."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from adapter_host.capability.step_specs import parse_step

STEP: Final = "$step"
"""The key of a schema that stands for a step of any type."""

_NUMERIC_TEXT: Final = r"^\s*[+-]?\d+(\.0*)?\s*$"
_DECIMAL_TEXT: Final = r"^\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*$"
_TRUTH: Final = ("true", "false", "yes", "no", "on", "off", "y", "n", "t", "f", "1", "0")


class LanguageSchemaGenerator(GenerateJsonSchema):
    """Generates schemas as models validate: numbers stand for texts, texts for numbers, an empty key for a list."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        """Return the schema of a text, which may be a number."""
        return {**super().str_schema(schema), "type": ["string", "number"]}

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        """Return the schema of an integer, which may be a text."""
        return {"anyOf": [super().int_schema(schema), {"type": "string", "pattern": _NUMERIC_TEXT}]}

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        """Return the schema of a number, which may be a text."""
        return {"anyOf": [super().float_schema(schema), {"type": "string", "pattern": _DECIMAL_TEXT}]}

    def bool_schema(self, schema: core_schema.BoolSchema) -> JsonSchemaValue:
        """Return the schema of true or false, also in other words."""
        return {"anyOf": [{"type": "boolean"}, {"enum": [0, 1]}, _in_any_case(_TRUTH)]}

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """Return the schema of choices, which are not exclusive: a model accepts the keys of others as unknown ones."""
        generated = super().tagged_union_schema(schema)
        choices = generated.pop("oneOf", None)
        generated.pop("discriminator", None)
        return generated if choices is None else {**generated, "anyOf": choices}

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        """Return the declared schema of the input; without one, that of the result or of an empty key.

        A validator of fixed texts is taken for one that ignores their case.
        """
        function: Any = schema["function"]["function"]
        if function is parse_step:
            return {STEP: True}
        if schema.get("json_schema_input_schema") is not None:
            return super().function_before_schema(schema)
        inner = self.generate_inner(schema["schema"])
        if inspect.ismethod(function):
            return inner
        texts = inner.get("enum") or ([inner["const"]] if "const" in inner else [])
        if texts:
            return {"anyOf": [inner, _in_any_case(texts)]}
        return self.get_union_of_schemas([inner, {"type": "null"}])


def _in_any_case(texts: Sequence[Any]) -> dict[str, Any]:
    """Return the schema of texts in upper, lower or mixed case; without a look-around, so that editors support it."""
    patterns = ("".join(f"[{char.upper()}{char.lower()}]" if char.isalpha() else char for char in text)
                for text in texts if isinstance(text, str))  # fmt: skip
    return {"type": "string", "pattern": f"^({'|'.join(patterns)})$"}
