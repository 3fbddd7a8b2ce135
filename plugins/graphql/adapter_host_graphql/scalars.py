"""Scalars that lose no digit of a number, any JSON, and bytes."""

from __future__ import annotations

import re
from typing import Any, Final

from graphql import GraphQLError, GraphQLScalarType
from graphql.language import (
    BooleanValueNode,
    EnumValueNode,
    FloatValueNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
)

from adapter_host import MAX_JSON_DEPTH, parse_json

_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,999})")
_MAX_SHOWN: Final = 40


def _rejected(scalar: str, value: Any, node: ValueNode | None = None) -> GraphQLError:
    text = repr(value)
    shown = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
    return GraphQLError(f"{scalar} cannot represent {shown}", node)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _integer(value: Any) -> int | float:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    if not _is_number(value) or value != value // 1:
        raise _rejected("Long", value)
    return value if isinstance(value, int) else int(value)


def _integer_literal(node: ValueNode) -> int:
    if isinstance(node, IntValueNode | StringValueNode) and _INTEGER.fullmatch(node.value):
        return int(node.value)
    raise _rejected("Long", getattr(node, "value", node.kind), node)


def _decimal(value: Any) -> int | float:
    if not _is_number(value):
        raise _rejected("Decimal", value)
    number: int | float = value
    return number


def _decimal_literal(node: ValueNode) -> Any:
    if isinstance(node, FloatValueNode) or (isinstance(node, IntValueNode) and _INTEGER.fullmatch(node.value)):
        return parse_json(node.value)
    raise _rejected("Decimal", getattr(node, "value", node.kind), node)


def _any(value: Any) -> Any:
    return value


def _any_literal(node: ValueNode) -> Any:
    return _literal(node, 0)


def _literal(node: ValueNode, depth: int) -> Any:
    if depth > MAX_JSON_DEPTH:
        raise GraphQLError(f"JSON must be nested at most {MAX_JSON_DEPTH} levels deep", node)
    if isinstance(node, ObjectValueNode):
        return {field.name.value: _literal(field.value, depth + 1) for field in node.fields}
    if isinstance(node, ListValueNode):
        return [_literal(value, depth + 1) for value in node.values]
    if isinstance(node, IntValueNode | FloatValueNode):
        return _decimal_literal(node)
    if isinstance(node, StringValueNode | BooleanValueNode | EnumValueNode):
        return node.value
    if isinstance(node, NullValueNode):
        return None
    raise GraphQLError(f"JSON cannot represent a {node.kind}", node)


LONG: Final = GraphQLScalarType(
    "Long",
    description="An integer of any size: a number in JSON, or a text of its digits as input.",
    coerce_output_value=_integer,
    coerce_input_value=_integer,
    coerce_input_literal=_integer_literal,
)

DECIMAL: Final = GraphQLScalarType(
    "Decimal",
    description="A number with all of its digits: a number in JSON.",
    coerce_output_value=_decimal,
    coerce_input_value=_decimal,
    coerce_input_literal=_decimal_literal,
)

JSON: Final = GraphQLScalarType(
    "JSON",
    description="Any JSON.",
    coerce_output_value=_any,
    coerce_input_value=_any,
    coerce_input_literal=_any_literal,
)

BASE64: Final = GraphQLScalarType(
    "Base64",
    description="Bytes, as a text in base64 (RFC 4648, section 4).",
    coerce_output_value=_any,
    coerce_input_value=_any,
)
