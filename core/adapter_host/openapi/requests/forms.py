"""Forms: their fields as inputs, each with its encoding."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from adapter_host.http_syntax import bare_media_type, is_token
from adapter_host.openapi.media import FORM, JSON, MULTIPART, is_media_type
from adapter_host.openapi.model import Body, FormField, Parameter
from adapter_host.openapi.schema.json_schema import SchemaConverter
from adapter_host.openapi.schema.schemas import Field, array_items, type_of
from adapter_host.openapi.schema.values import Values, describe_bytes, describe_values, is_binary, text_values
from adapter_host.openapi.source.documents import Cursor

from .inputs import MAX_INPUTS

STYLES: Final = ("form", "spaceDelimited", "pipeDelimited", "deepObject")
"""The styles of fields of forms."""

Encoding = Callable[[str], Cursor | None]
"""Return the encoding that a document declares for a field, or None."""


def form_body(
    fields: Iterable[Field],
    media_type: str,
    parameters: Sequence[Parameter],
    converter: SchemaConverter,
    encoding_of: Encoding,
) -> Body:
    """Return a form body; its inputs have other names than `parameters`."""
    names = {item.name for item in parameters}
    converted: list[FormField] = []
    for field in fields:
        if len(converted) == MAX_INPUTS:
            field.schema.warn(f"the form has more than {MAX_INPUTS:,} fields; the others are skipped")
            break
        encoding = encoding_of(field.name)
        make = _part if media_type == MULTIPART else _pair
        form_field = make(field, _unused_name(field.name, names), converter, encoding)
        names.add(form_field.input.name)
        converted.append(form_field)
    return Body("multipartForm" if media_type == MULTIPART else "formUrlEncoded", fields=tuple(converted))


def form_text(entry: Cursor) -> Body:
    """Return a form whose fields are not declared: callers write it as text."""
    entry.warn("the form declares no fields; it is one input, the form as text")
    text = Parameter("body", "body", description="The form, as text: a=1&b=2", words={"type": "string"})
    return Body("text", text, media_type=FORM)


def _unused_name(field_name: str, used: set[str]) -> str:
    base = re.sub(r"[^A-Za-z0-9_-]+", "-", field_name).strip("-") or "field"
    numbered = (f"{base}-field-{number}" for number in itertools.count(3))
    return next(name for name in itertools.chain((base, f"{base}-field"), numbered) if name not in used)


def _input(field: Field, name: str, values: Values) -> Parameter:
    description = field.description or values.description
    return Parameter(name, "body", field.required, description, values.words, values.schema)


def _pair(field: Field, name: str, converter: SchemaConverter, encoding: Cursor | None) -> FormField:
    """Return a field of a URL-encoded form."""
    values = text_values(describe_values(field.raw, converter))
    return FormField(field.name, _input(field, name, values), encoding=_pair_encoding(encoding, values.type))


def _pair_encoding(encoding: Cursor | None, type_name: str | None) -> Mapping[str, Any]:
    if encoding is None:
        return {}
    declared = {key: encoding.value[key] for key in ("style", "explode", "allowReserved") if key in encoding.value}
    if not declared:
        media_type = _media_type(encoding)
        return {"contentType": media_type} if media_type == JSON and type_name in ("array", None) else {}
    style = declared.get("style", "form")
    if style not in STYLES:
        encoding.warn(f"unknown style '{style}'; 'form' is used")
        style = "form"
    explode = declared.get("explode") is True if "explode" in declared else style == "form"
    reserved = {"allowReserved": True} if declared.get("allowReserved") is True else {}
    if type_name not in ("array", "object", None) or (style == "form" and explode and type_name != "object"):
        return reserved
    is_default = explode == (style == "form") or style == "deepObject"
    return {"style": style, **({} if is_default else {"explode": explode}), **reserved}


def _part(field: Field, name: str, converter: SchemaConverter, encoding: Cursor | None) -> FormField:
    """Return a part of a multipart form."""
    media_type = _media_type(encoding) if encoding else None
    headers = _part_headers(encoding) if encoding else {}
    extra = {"headers": headers} if headers else {}
    if is_binary(field.raw):
        values = describe_bytes(field.raw, converter, media_type)
        return FormField(field.name, _input(field, name, values), field.name, media_type, extra)
    values = text_values(describe_values(field.raw, converter))
    holder = array_items(field.schema)
    if media_type is None and "object" in (values.type, type_of(holder)):
        media_type = JSON
    return FormField(field.name, _input(field, name, values), None, media_type, extra)


def _media_type(encoding: Cursor) -> str | None:
    """Return the first declared media type of a part, if it is one."""
    declared = encoding.text("contentType")
    media_type = bare_media_type(declared.partition(",")[0]) if declared else ""
    return media_type if is_media_type(media_type) and "*" not in media_type else None


def _part_headers(encoding: Cursor) -> dict[str, str]:
    """Return the headers of a part that have a fixed value; warn about the others."""
    headers: dict[str, str] = {}
    for name, header in encoding.named("headers"):
        if name.lower() == "content-type":
            continue
        schema = header.mapping("schema") if isinstance(header.value, dict) else None
        value = (
            next((schema.value[key] for key in ("const", "default") if key in schema.value), None) if schema else None
        )
        if is_token(name) and isinstance(value, str) and value.isascii() and value.isprintable():
            headers[name] = value
        else:
            header.warn(f"the header '{name}' of a part has no fixed value; skipped")
    return headers
