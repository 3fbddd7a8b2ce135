"""Find how a value breaks a schema.

The compiled validator says whether a value is valid, but its list of errors takes exponential time for alternatives
that nest. Here each pair of a schema and a value is looked at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from typing import Any, Final

from adapter_host.document.messages import count_noun, did_you_mean
from adapter_host.expressions.pattern import PatternError, compile_pattern

from .allowed_types import types_of
from .references import DEFS, referenced
from .values import first_duplicate, is_equal, is_type
from .violations import MAX_VIOLATIONS, Violation
from .wording import describe_types, describe_value, describe_values

MAX_PAIRS: Final = 50_000
"""The pairs of a schema and a value that are looked at for one value."""

MAX_DEPTH: Final = 60
"""The levels of schemas that reasons are found in; each takes some frames of the stack."""

NO_MATCH: Final = "does not match its schema"
"""The message where no reason is found."""


IsValid = Callable[[Any, Any], bool]
"""Returns whether a value is valid against a part of a schema."""


class _TooLongError(Exception):
    """The value and its schema are too large to find a reason."""


class Explainer:
    """Explains up to `most` violations of a value; `is_valid` is asked about parts that are nested too deeply."""

    def __init__(self, schema: Mapping[str, Any], is_valid: IsValid, most: int = MAX_VIOLATIONS) -> None:
        self._schema = schema
        self._most = most
        self._is_valid_part = is_valid
        self._depth = 0
        self._defs: Mapping[str, Any] = schema.get(DEFS, {})
        self._known: dict[tuple[int, int], list[Violation]] = {}

    def explain(self, value: Any) -> list[Violation]:
        """Return the violations; empty where no reason is found."""
        try:
            return list({(each.path, each.message): each for each in self._explain(self._schema, value)}.values())
        except _TooLongError:
            return []

    def _explain(self, schema: Any, value: Any) -> list[Violation]:
        if isinstance(schema, bool):
            return [] if schema else [Violation((), "is not allowed")]
        key = (id(schema), id(value))
        if key not in self._known:
            if len(self._known) >= MAX_PAIRS:
                raise _TooLongError
            self._known[key] = []
            if self._depth == MAX_DEPTH:
                self._known[key] = [] if self._is_valid_part(schema, value) else [Violation((), NO_MATCH)]
            else:
                self._depth += 1
                self._known[key] = list(islice(self._violations(schema, value), self._most))
                self._depth -= 1
        return self._known[key]

    def _is_valid(self, schema: Any, value: Any) -> bool:
        return not self._explain(schema, value)

    def _violations(self, schema: Mapping[str, Any], value: Any) -> Iterator[Violation]:
        types = schema.get("type")
        allowed = frozenset((types,) if isinstance(types, str) else types or ())
        if allowed and not any(is_type(value, name) for name in allowed):
            # Other keywords say nothing about a value of another type.
            yield _wrong_type(value, allowed)
            return
        yield from _scalar_violations(schema, value)
        if isinstance(value, dict):
            yield from self._object_violations(schema, value)
        elif isinstance(value, list):
            yield from self._array_violations(schema, value)
        yield from self._composed_violations(schema, value)

    def _object_violations(self, schema: Mapping[str, Any], value: dict[str, Any]) -> Iterator[Violation]:
        properties = schema.get("properties", {})
        for name in schema.get("required", ()):
            if name not in value:
                yield Violation((name,), "is required")
        for name, names in schema.get("dependentRequired", {}).items():
            if name in value:
                yield from (Violation((each,), f"is required with '{name}'") for each in names if each not in value)
        yield from _size_violations(schema, len(value), "Properties", "property", "properties")
        for name, part in value.items():
            applied = [properties[name]] if name in properties else []
            applied += [each for text, each in schema.get("patternProperties", {}).items() if _matches(text, name)]
            if not applied and "additionalProperties" in schema:
                additional = schema["additionalProperties"]
                if additional is False:
                    yield Violation((name,), f"is unknown{did_you_mean(name, properties)}")
                else:
                    applied = [additional]
            for each in applied:
                yield from (found.below(name) for found in self._explain(each, part))
            if "propertyNames" in schema and (wrong := self._explain(schema["propertyNames"], name)):
                yield Violation((name,), f"has a name that {wrong[0].message}")

    def _array_violations(self, schema: Mapping[str, Any], value: list[Any]) -> Iterator[Violation]:
        yield from _size_violations(schema, len(value), "Items", "element", "elements")
        prefix = schema.get("prefixItems", ())
        for index, part in enumerate(value):
            applied = prefix[index] if index < len(prefix) else schema.get("items", True)
            yield from (found.below(index) for found in self._explain(applied, part))
        if schema.get("uniqueItems") is True and (duplicate := first_duplicate(value)) is not None:
            yield Violation((duplicate,), "must not be the same as an element before it")
        if "contains" in schema:
            count = sum(self._is_valid(schema["contains"], part) for part in value)
            least, most = schema.get("minContains", 1), schema.get("maxContains", math.inf)
            if not least <= count <= most:
                wanted = f"at least {least}" if count < least else f"at most {most}"
                yield Violation((), f"must contain {wanted} of certain elements (given {count})")

    def _composed_violations(self, schema: Mapping[str, Any], value: Any) -> Iterator[Violation]:
        if (target := referenced(schema, self._defs)) is not None:
            yield from self._explain(target, value)
        for part in schema.get("allOf", ()):
            yield from self._explain(part, value)
        if "anyOf" in schema:
            yield from self._alternatives(schema["anyOf"], value)
        if "oneOf" in schema:
            valid = sum(self._is_valid(part, value) for part in schema["oneOf"])
            if valid > 1:
                yield Violation((), f"must match one alternative of its schema, and matches {valid}")
            elif not valid:
                yield from self._alternatives(schema["oneOf"], value)
        if "not" in schema and self._is_valid(schema["not"], value):
            yield Violation((), _excluded(schema["not"], value))
        if "if" in schema:
            branch = "then" if self._is_valid(schema["if"], value) else "else"
            yield from self._explain(schema.get(branch, True), value)
        if isinstance(value, dict):
            for name, part in schema.get("dependentSchemas", {}).items():
                if name in value:
                    yield from self._explain(part, value)
        yield from self._unevaluated(schema, value)

    def _unevaluated(self, schema: Mapping[str, Any], value: Any) -> Iterator[Violation]:
        if isinstance(value, dict) and schema.get("unevaluatedProperties") is False:
            known = self._known_properties(schema, value, set())
            if known is not None:
                yield from (
                    Violation((name,), f"is unknown{did_you_mean(name, known)}") for name in value if name not in known
                )

    def _known_properties(self, schema: Any, value: dict[str, Any], seen: set[int]) -> set[str] | None:
        """Return the names that a schema and its valid parts evaluate; None where all are."""
        if not isinstance(schema, Mapping) or id(schema) in seen:
            return set()
        seen.add(id(schema))
        if "additionalProperties" in schema or (len(seen) > 1 and "unevaluatedProperties" in schema):
            return None
        names = set(schema.get("properties", {}))
        names |= {name for name in value for text in schema.get("patternProperties", {}) if _matches(text, name)}
        parts = [referenced(schema, self._defs), *schema.get("allOf", ())]
        parts += [part for key in ("anyOf", "oneOf") for part in schema.get(key, ()) if self._is_valid(part, value)]
        parts += [part for name, part in schema.get("dependentSchemas", {}).items() if name in value]
        if "if" in schema:
            matched = self._is_valid(schema["if"], value)
            parts += [schema["if"], schema.get("then")] if matched else [schema.get("else")]
        for part in parts:
            inner = self._known_properties(part, value, seen)
            if inner is None:
                return None
            names |= inner
        return names

    def _alternatives(self, alternatives: list[Any], value: Any) -> list[Violation]:
        """Return the violations of the alternative that the value is most like; none where one is valid."""
        explained = [self._explain(part, value) for part in alternatives]
        if not all(explained):
            return []
        of_type = [each for each in explained if not _is_of_other_type(each)]
        if not of_type:
            expected = frozenset().union(*(found.types for each in explained for found in each if not found.path))
            return [_wrong_type(value, expected)]
        if kinds := _fixed_values(explained):
            return kinds
        alike = [each for each in of_type if not any(found.discriminates for found in each)] or of_type
        return min(alike, key=len)


def _wrong_type(value: Any, types: frozenset[str]) -> Violation:
    return Violation((), f"must be {describe_types(types)} (given {describe_value(value)})", types=types)


def _is_of_other_type(violations: list[Violation]) -> bool:
    return any(found.types and not found.path for found in violations)


def _fixed_values(explained: list[list[Violation]]) -> list[Violation]:
    """Return one violation for a property whose fixed value tells all alternatives apart; else an empty list."""
    fixed = [[found for found in each if found.discriminates] for each in explained]
    if len(explained) < 2 or not all(fixed) or len({each[0].path for each in fixed}) > 1:
        return []
    wanted = [each[0].message.removeprefix(_MUST_BE).removeprefix(_ONE_OF) for each in fixed]
    given = wanted[0].rpartition(" (given ")[2]
    values = ", ".join(dict.fromkeys(text.rpartition(" (given ")[0] for text in wanted))
    return [replace(fixed[0][0], message=f"{_MUST_BE}{_ONE_OF}{values} (given {given}")]


_MUST_BE: Final = "must be "
_ONE_OF: Final = "one of "


def _scalar_violations(schema: Mapping[str, Any], value: Any) -> Iterator[Violation]:
    if "const" in schema and not is_equal(value, schema["const"]):
        wanted = describe_value(schema["const"])
        yield Violation((), f"{_MUST_BE}{wanted} (given {describe_value(value)})", discriminates=True)
    if "enum" in schema and not any(is_equal(value, each) for each in schema["enum"]):
        wanted = describe_values(schema["enum"])
        given = describe_value(value)
        yield Violation((), f"{_MUST_BE}{_ONE_OF}{wanted} (given {given})", discriminates=True)
    if isinstance(value, str):
        yield from _size_violations(schema, len(value), "Length", "character", "characters")
        if "pattern" in schema and not _matches(schema["pattern"], value):
            yield Violation((), f"must match the pattern {schema['pattern']}")
    elif is_type(value, "number"):
        yield from _number_violations(schema, value)


_LIMITS: Final[Mapping[str, tuple[str, Callable[[Any, Any], bool]]]] = {
    "minimum": ("at least", lambda value, limit: value >= limit),
    "maximum": ("at most", lambda value, limit: value <= limit),
    "exclusiveMinimum": ("greater than", lambda value, limit: value > limit),
    "exclusiveMaximum": ("less than", lambda value, limit: value < limit),
}


def _number_violations(schema: Mapping[str, Any], value: float) -> Iterator[Violation]:
    for keyword, (words, holds) in _LIMITS.items():
        if keyword in schema and not holds(value, schema[keyword]):
            yield Violation((), f"must be {words} {schema[keyword]} (given {describe_value(value)})")
    factor = schema.get("multipleOf")
    if factor is not None and math.isfinite(value) and _decimal(value) % _decimal(factor):
        yield Violation((), f"must be a multiple of {factor} (given {describe_value(value)})")


def _decimal(value: Any) -> Fraction:
    return Fraction(str(value))


def _size_violations(schema: Mapping[str, Any], size: int, keyword: str, noun: str, plural: str) -> Iterator[Violation]:
    least, most = schema.get(f"min{keyword}", 0), schema.get(f"max{keyword}", math.inf)
    if size < least:
        yield Violation((), f"must have at least {count_noun(int(least), noun, plural)} (given {size})")
    if size > most:
        yield Violation((), f"must have at most {count_noun(int(most), noun, plural)} (given {size})")


def _matches(text: str, value: str) -> bool:
    try:
        pattern = compile_pattern(text)
    except PatternError:
        return True
    return len(value) <= pattern.longest and pattern.matches(value)


def _excluded(schema: Any, value: Any) -> str:
    if isinstance(schema, dict):
        if names := schema.get("required"):
            return f"must not have {' with '.join(map(repr, names))}"
        if "enum" in schema or "const" in schema:
            return f"must not be {describe_value(value)}"
        if types := types_of(schema, {}):
            return f"must not be {describe_types(types)}"
    return "matches what its schema excludes"
