"""The GraphQL schema of an exposer, with a resolver for each operation."""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, cast

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLString,
)

from adapter_host import (
    InternalError,
    KeyedCalls,
    OperationError,
    Result,
    Schema,
    bare_media_type,
    current_call,
    decode_text,
    is_json,
)

from .config import Kind
from .fields import RootField
from .names import type_name
from .scalars import BASE64
from .shapes import DEFS
from .types import Types

log = logging.getLogger("adapter_host.graphql")

_UNKEYED: Final = nullcontext()

Resolver = Callable[..., Awaitable[Any]]


def build_schema(fields: Sequence[RootField], label: str, description: str | None) -> GraphQLSchema:
    """Return the schema; `label` is the value of the only query where no operation is one."""
    types = Types()
    roots: dict[Kind, dict[str, GraphQLField]] = {"query": {}, "mutation": {}}
    for field in fields:
        roots[field.kind][field.name] = _build_field(field, types)
    # A schema must have a query (GraphQL, section 3.3.1).
    placeholder = GraphQLField(
        GraphQLString, resolve=lambda *_: label, description="The name of the capability, which has no queries."
    )
    query = GraphQLObjectType("Query", roots["query"] or {"capability": placeholder})
    mutation = GraphQLObjectType("Mutation", roots["mutation"]) if roots["mutation"] else None
    return GraphQLSchema(query, mutation, description=description)


def _build_field(field: RootField, types: Types) -> GraphQLField:
    operation = field.operation
    return GraphQLField(
        _result_type(field, types),
        args=_arguments(field, types),
        resolve=_resolver(field),
        description=operation.description,
        deprecation_reason=field.deprecated,
    )


def _result_type(field: RootField, types: Types) -> GraphQLOutputType:
    operation = field.operation
    if operation.binary:
        return BASE64
    schema, defs = _named(operation.output_schema or {}, operation.result_schema)
    return types.output(schema, defs, f"{type_name(field.name)}Result")


def _named(schema: Mapping[str, Any], declared: Schema | None) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return a schema, as a reference where it was declared by one, and its `$defs`."""
    defs = schema.get(DEFS, {})
    if declared is None or declared.name is None:
        return {key: value for key, value in schema.items() if key != DEFS}, defs
    annotations = {"description": schema["description"]} if "description" in schema else {}
    reference = {"$ref": f"#/{DEFS}/{declared.name}", **annotations}
    return reference, {**defs, declared.name: declared.root}


def _arguments(field: RootField, types: Types) -> dict[str, GraphQLArgument]:
    schema = field.operation.input_schema
    arguments = {}
    for item in field.operation.inputs:
        name, made = field.arguments[item.name], schema["properties"][item.name]
        own, defs = _named(made, item.json_schema)
        argument_type: GraphQLInputType = types.input(
            own, {**schema.get(DEFS, {}), **defs}, type_name(field.name, item.name)
        )
        if item.required:
            argument_type = GraphQLNonNull(cast("Any", argument_type))
        deprecated = "deprecated" if made.get("deprecated") is True and not item.required else None
        arguments[name] = GraphQLArgument(
            argument_type, description=made.get("description"), deprecation_reason=deprecated, out_name=item.name
        )
    return arguments


def _resolver(field: RootField) -> Resolver:
    call, name = field.operation.call, field.operation.name

    # Inputs can have any names, so the other parameters have none.
    async def resolve(_: Any, info: GraphQLResolveInfo[Any], /, **arguments: Any) -> Any:
        info.context.add(info.path.key)
        try:
            with _keyed(info) if len(info.context) > 1 else _UNKEYED:
                return _value(await call(arguments), binary=field.operation.binary)
        except OperationError:
            raise
        except Exception:  # a failure of an operation's plugins must not affect other fields
            log.exception("%s: unexpected error", name)
            raise InternalError("unexpected error") from None

    return resolve


def _keyed(info: GraphQLResolveInfo[Any]) -> AbstractContextManager[None]:
    """Return a block whose call has an idempotency key of its own, as a request has one key for all of its fields."""
    key = current_call().idempotency_key
    if key is None:
        return _UNKEYED
    text = key.strip().removeprefix('"').removesuffix('"')
    return KeyedCalls(f'"{text}:{info.path.key}"')


def _value(result: Result, *, binary: bool) -> Any:
    """Return a result as plain data: JSON as it is, other text as text, and bytes in base64."""
    media_type = bare_media_type(result.media_type)
    if binary:
        return b64encode(result.body).decode()
    if result.holds_data or not result.body or not media_type or is_json(media_type):
        return result.data
    try:
        return decode_text(result.body, result.media_type)
    except ValueError:
        return b64encode(result.body).decode()
