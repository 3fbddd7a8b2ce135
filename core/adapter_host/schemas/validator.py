"""Check values against schemas, in compiled code; the reasons are found only for a value that breaks one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, Final

import jsonschema_rs

from adapter_host.expressions.pattern import PatternError, compile_pattern
from adapter_host.json_numbers import LongDecimal

from .explanation import NO_MATCH, Explainer
from .keywords import map_schemas, subschemas
from .references import DEFS
from .violations import MAX_VIOLATIONS, Validator, Violation
from .wording import ARTICLES, describe_place, describe_types, describe_value

LONGEST_NAME: Final = 1000
"""The maximum number of characters of a property's name where a pattern applies to it."""

IsValid = Callable[[Any], bool]

_METASCHEMA: Final = "https://json-schema.org/draft/2020-12/schema"


def compile_validator(schema: Mapping[str, Any]) -> Validator:
    """Compile a function that returns how a value breaks a schema: an empty list if it does not.

    Patterns take linear time; those that are not supported are not checked. `format` is not checked, as JSON Schema
    has it by default.
    """
    return _validator(schema, _compile(schema))


def compile_validators(schemas: Sequence[Mapping[str, Any]]) -> list[Validator]:
    """Compile several schemas whose `$defs` of one name are equal; each of these is compiled once."""
    has_patterns = _PatternSearch()
    found = [has_patterns(schema) for schema in schemas]
    validators: dict[int, Validator] = {}
    for flag in (False, True):
        group = [schema for schema, has in zip(schemas, found, strict=True) if has is flag]
        for schema, is_valid in zip(group, _compile_together(group, has_patterns=flag), strict=True):
            validators[id(schema)] = _validator(schema, is_valid)
    return [validators[id(schema)] for schema in schemas]


def _validator(schema: Mapping[str, Any], is_valid: IsValid) -> Validator:
    defs = schema.get(DEFS, {})

    def is_valid_part(part: Any, value: Any) -> bool:
        return _compile({**part, DEFS: defs})(value)

    def validate(value: Any, most: int = MAX_VIOLATIONS) -> list[Violation]:
        try:
            if is_valid(value):
                return []
        except ValueError:
            wrong = [Violation((), "has a value or a character that JSON does not have")]
        else:
            wrong = [Violation((), NO_MATCH)]
        try:
            # The validator does not know the numbers with more digits than a float keeps.
            if is_valid(_with_decimals(value)):
                return []
        except ValueError:
            return wrong
        violations = Explainer(schema, is_valid_part, most).explain(value)[:most]
        return violations or wrong

    return validate


def _compile(schema: Mapping[str, Any]) -> IsValid:
    return _compile_prepared(schema, has_patterns=_PatternSearch()(schema))


def _compile_together(schemas: Sequence[Mapping[str, Any]], *, has_patterns: bool) -> list[IsValid]:
    """Compile schemas as the properties of one, which is then asked about an object with one of them."""
    if len(schemas) < 2:
        return [_compile_prepared(schema, has_patterns=has_patterns) for schema in schemas]
    roots: dict[str, Any] = {}
    defs: dict[str, Any] = {}
    for number, schema in enumerate(schemas):
        defs |= schema.get(DEFS, {})
        roots[str(number)] = {key: value for key, value in schema.items() if key != DEFS}
    is_valid = _compile_prepared({"properties": roots, DEFS: defs}, has_patterns=has_patterns)
    return [_property_check(is_valid, name) for name in roots]


def _property_check(is_valid: IsValid, name: str) -> IsValid:
    return lambda value: is_valid({name: value})


def _compile_prepared(schema: Mapping[str, Any], *, has_patterns: bool) -> IsValid:
    compiled = jsonschema_rs.Draft202012Validator(
        _prepare(schema) if has_patterns else dict(schema),
        pattern_options=jsonschema_rs.RegexOptions(),
        # Without keywords of its own, the validator is twice as fast.
        keywords={"pattern": _PatternKeyword} if has_patterns else None,
        offline=True,
    )
    return compiled.is_valid


class _PatternSearch:
    """Returns whether a schema has patterns; looks once at each definition that several schemas share."""

    def __init__(self) -> None:
        self._definitions: dict[int, bool] = {}

    def __call__(self, schema: Mapping[str, Any]) -> bool:
        found = [self._has_patterns({key: value for key, value in schema.items() if key != DEFS})]
        for definition in schema.get(DEFS, {}).values():
            if id(definition) not in self._definitions:
                self._definitions[id(definition)] = self._has_patterns(definition)
            found.append(self._definitions[id(definition)])
        return any(found)

    def _has_patterns(self, schema: Any) -> bool:
        if not isinstance(schema, Mapping):
            return False
        own = "pattern" in schema or "patternProperties" in schema
        return own or any(self._has_patterns(part) for _, part in subschemas(schema))


def _with_decimals(value: Any) -> Any:
    """Return a value with all digits of its numbers in a type that the validator knows."""
    if isinstance(value, dict):
        return {key: _with_decimals(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_with_decimals(part) for part in value]
    return Decimal(value.text) if isinstance(value, LongDecimal) else value


class _PatternKeyword:
    """The keyword `pattern`, with the same expressions as the `pattern` of the language."""

    def __init__(self, schema: Any, value: str, path: Sequence[str | int]) -> None:
        self._pattern = compile_pattern(value)

    def validate(self, instance: Any) -> None:
        if isinstance(instance, str):
            pattern = self._pattern
            if len(instance) > pattern.longest or not pattern.matches(instance):
                raise ValueError


def _prepare(schema: Any) -> Any:
    """Return a schema without the patterns that are not supported, and with bounds for the others."""
    if not isinstance(schema, Mapping):
        return schema
    prepared = map_schemas(schema, _prepare)
    if "pattern" in prepared and not is_supported(prepared["pattern"]):
        del prepared["pattern"]
    named = prepared.get("patternProperties")
    if named:
        supported = {pattern: part for pattern, part in named.items() if is_supported(pattern)}
        prepared["patternProperties"] = supported
        if len(supported) < len(named):
            prepared.pop("additionalProperties", None)
            prepared.pop("unevaluatedProperties", None)
        bound = {"maxLength": LONGEST_NAME}
        names = prepared.get("propertyNames")
        prepared["propertyNames"] = bound if names is None else {"allOf": [names, bound]}
    return prepared


def is_supported(pattern: Any) -> bool:
    """Return whether a pattern can be matched in linear time."""
    try:
        compile_pattern(pattern)
    except PatternError:
        return False
    return True


def schema_mistakes(schema: Any) -> list[tuple[tuple[str | int, ...], str]]:
    """Return what is wrong in a JSON Schema (2020-12) itself: keys, and a message."""
    return [(tuple(error.instance_path), _describe_mistake(error)) for error in _metaschema().iter_errors(schema)]


@cache
def _metaschema() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({"$ref": _METASCHEMA}, offline=True)


def _describe_mistake(error: jsonschema_rs.ValidationError) -> str:
    place = describe_place([key for key in error.instance_path if isinstance(key, str)][-1:]) or "schema"
    given = describe_value(error.instance)
    match error.kind:
        case jsonschema_rs.ValidationErrorKind.Type(types=types):
            return f"'{place}' of a JSON Schema must be {describe_types(types)} (given {given})"
        case jsonschema_rs.ValidationErrorKind.AnyOf() if place == "type":
            return f"'type' of a JSON Schema must be one of {', '.join(ARTICLES)} (given {given})"
    return f"'{place}' is not valid in a JSON Schema (2020-12): {error.message}"
