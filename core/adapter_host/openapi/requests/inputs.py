"""Parameters and bodies of operations, for all versions of OpenAPI."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from adapter_host.http_syntax import is_connection_header, is_token
from adapter_host.openapi.media import FORM, JSON, MULTIPART, is_json, is_text
from adapter_host.openapi.model import Body, Parameter
from adapter_host.openapi.schema.json_schema import SchemaConverter
from adapter_host.openapi.schema.values import Values, bytes_schema, describe_values, is_binary, text_values
from adapter_host.openapi.source.documents import Cursor

MAX_INPUTS: Final = 1000
"""The maximum number of parameters of an operation, and of fields of a form."""
LOCATIONS: Final = ("path", "query", "header", "cookie")
BODY: Final = "body"
"""The name of an input that is the whole body."""

_SET_ELSEWHERE: Final = frozenset({"accept", "authorization", "content-type"})
_NOT_IN_NAMES: Final = re.compile(r"[{}\x00-\x1f\x7f]+")


def join_sentences(*texts: str | None) -> str | None:
    """Join texts, each as a sentence."""
    summary = [text for text in texts if text]
    return " ".join([*(text if text[-1] in ".:!?" else f"{text}." for text in summary[:-1]), *summary[-1:]]) or None


def parameter(
    cursor: Cursor, values: Values, *, wire: Mapping[str, Any], extra: Mapping[str, Any] | None = None
) -> Parameter | None:
    """Return a parameter of a request; warn and return None if it is unsupported."""
    name, in_ = cursor.text("name"), cursor.text("in")
    if name is None or in_ not in LOCATIONS:
        cursor.warn("a parameter needs a 'name' and an 'in' that is path, query, header or cookie; skipped")
        return None
    if (reason := _parameter_error(name, in_)) is not None:
        cursor.warn(f"the {in_} parameter '{name}' {reason}; skipped")
        return None
    schema = {**(extra or {}), **(values.schema or {})}
    return Parameter(
        name=name,
        in_=in_,
        required=in_ == "path" or cursor.flag("required"),
        description=cursor.text("description") or values.description,
        words=values.words,
        schema=schema or None,
        wire=wire,
    )


def _parameter_error(name: str, in_: str) -> str | None:
    if in_ in ("header", "cookie") and not is_token(name):
        return "has an invalid name"
    if in_ == "path" and _NOT_IN_NAMES.search(name):
        return "has braces in its name"
    lower_name = name.lower() if in_ == "header" else ""
    if lower_name in _SET_ELSEWHERE:
        return "is set by media types and authentication"
    if in_ == "header" and is_connection_header(name):
        return "is a connection header"
    return None


def input_name(name: str) -> str:
    """Return a parameter's name without the characters that names of inputs must not have."""
    return _NOT_IN_NAMES.sub("-", name).strip("- ") or "value"


def whole_body(cursor: Cursor, schema: Cursor | None, media_type: str, converter: SchemaConverter) -> Body:
    """Return a body as one input: JSON, text, or bytes as base64."""
    values = text_values(describe_values(schema, converter))
    required = cursor.flag("required")
    description = cursor.text("description") or values.description
    if is_binary(schema) or not (is_json(media_type) or is_text(media_type)):
        actual = "application/octet-stream" if "*" in media_type else media_type
        text = description or f"The request's body, as {actual} in base64"
        whole = Parameter(BODY, "body", required, text, {"type": "string"}, bytes_schema(actual))
        return Body("binary", whole, media_type=actual)
    if is_json(media_type):
        text = description or "The request's body, as JSON"
        whole = Parameter(BODY, "body", required, text, values.words, values.schema)
        return Body("json", whole, media_type=media_type if media_type.endswith("+json") else None)
    text = description or f"The request's body, as {media_type}"
    whole = Parameter(BODY, "body", required, text, *_text_values(values, media_type))
    return Body("text", whole, media_type=None if media_type == "text/plain" else media_type)


def _text_values(values: Values, media_type: str) -> tuple[Mapping[str, Any], Mapping[str, Any] | None]:
    """Return words and schema of a text; `contentSchema` is that of the encoded value."""
    if values.words.get("type") in ("string", None) and not values.schema:
        return {"type": "string", **values.words}, None
    if values.words.get("type") == "string":
        return values.words, values.schema
    inner = {key: item for key, item in values.words.items() if key != "values"} | dict(values.schema or {})
    if "values" in values.words:
        inner["enum"] = values.words["values"]
    return {"type": "string"}, {"contentMediaType": media_type, "contentSchema": inner}


def choose_media_type(media_types: Sequence[str], cursor: Cursor) -> str:
    """Return the media type to send a body in; warn about the others."""
    ranked = sorted(media_types, key=lambda item: (not is_json(item), item not in (FORM, MULTIPART)))
    others = [item for item in ranked[1:] if item != ranked[0]]
    if others:
        cursor.warn(f"the body is sent as {ranked[0] if ranked[0] != '*/*' else JSON}; not as {', '.join(others)}")
    return ranked[0]
