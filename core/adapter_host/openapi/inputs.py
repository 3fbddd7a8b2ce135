"""Parameters and bodies of operations, for all versions of OpenAPI."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Final

from adapter_host.http_syntax import is_connection_header, is_token

from .documents import Cursor
from .media import FORM, JSON, MULTIPART, is_json
from .model import Body, FormField, Parameter
from .schemas import Field, constraints, description_of, field_lines, fields, pattern_of, type_of

MAX_INPUTS: Final = 1000
"""The maximum number of parameters of an operation, and of fields of a form."""
LOCATIONS: Final = ("path", "query", "header", "cookie")

_SET_ELSEWHERE: Final = frozenset({"accept", "authorization", "content-type"})
_COMMAS: Final = "Comma-separated."


def join_sentences(*texts: str | None) -> str | None:
    """Join texts, each as a sentence."""
    summary = [text for text in texts if text]
    return " ".join([*(text if text[-1] in ".:!?" else f"{text}." for text in summary[:-1]), *summary[-1:]]) or None


def parameter(cursor: Cursor, schema: Cursor | None, *, commas: bool) -> Parameter | None:
    """Return a parameter of a request; warn and return None if it is unsupported. `commas` joins arrays."""
    name, in_ = cursor.text("name"), cursor.text("in")
    if name is None or in_ not in LOCATIONS:
        cursor.warn("a parameter needs a 'name' and an 'in' that is path, query, header or cookie; skipped")
        return None
    if (reason := _parameter_error(name, in_)) is not None:
        cursor.warn(f"the {in_} parameter '{name}' {reason}; skipped")
        return None
    kind = type_of(schema)
    description = join_sentences(cursor.text("description"), constraints(schema))
    if kind == "array":
        description = _serialised(description, commas)
    return Parameter(
        name=name,
        in_=in_,
        type=kind,
        required=in_ == "path" or cursor.flag("required"),
        description=description,
        pattern=pattern_of(schema) if kind == "string" else None,
    )


def _parameter_error(name: str, in_: str) -> str | None:
    if "{" in name or "}" in name:
        return "has braces in its name"
    if in_ in ("header", "cookie") and not is_token(name):
        return "has an invalid name"
    lower_name = name.lower() if in_ == "header" else ""
    if lower_name in _SET_ELSEWHERE:
        return "is set by media types and authentication"
    if in_ == "header" and is_connection_header(name):
        return "is a connection header"
    return None


def _serialised(description: str | None, commas: bool) -> str | None:
    if commas:
        return join_sentences(description, _COMMAS)
    # The consumer joins arrays by commas if the description has this word, which this API does not accept.
    return re.sub("comma-separated", "comma separated", description, flags=re.IGNORECASE) if description else None


def whole_body(cursor: Cursor, schema: Cursor | None, media_type: str) -> Body:
    """Return a body as one input; its description lists the fields."""
    required = cursor.flag("required")
    summary = join_sentences(cursor.text("description") or description_of(schema), constraints(schema))
    if is_json(media_type):
        lines = field_lines(schema)
        text = "\n".join(filter(None, [summary, *lines])) or "The request's body, as JSON"
        content_type = media_type if media_type.endswith("+json") else None
        return Body("json", Parameter("body", "body", type_of(schema), required, text), media_type=content_type)
    text = summary or f"The request's body, as {media_type}"
    content_type = None if media_type == "text/plain" else media_type
    return Body("text", Parameter("body", "body", "string", required, text), media_type=content_type)


def form_body(
    form_fields: Iterable[tuple[Field, str | None]], media_type: str, parameters: Sequence[Parameter]
) -> Body:
    """Return a form body; each field comes with the media type of its part, or None."""
    names = {item.name for item in parameters}
    multipart = media_type == MULTIPART
    converted: list[FormField] = []
    for field, part_type in form_fields:
        if len(converted) == MAX_INPUTS:
            field.schema.warn(f"the form has more than {MAX_INPUTS:,} fields; the others are skipped")
            break
        form_field = _form_field(field, part_type, names, multipart=multipart)
        names.add(form_field.input.name)
        converted.append(form_field)
    return Body("multipartForm" if multipart else "formUrlEncoded", fields=tuple(converted))


def _form_field(field: Field, part_type: str | None, used_names: set[str], *, multipart: bool) -> FormField:
    name = base = re.sub(r"[^A-Za-z0-9_-]+", "-", field.name).strip("-") or "field"
    for number in itertools.count(2):
        if name not in used_names:
            break
        name = f"{base}-field" if number == 2 else f"{base}-field-{number}"
    binary = is_binary(field.schema)
    if binary:
        field.schema.warn("a file is sent as text; binary files are not supported")
    kind = type_of(field.schema)
    lines = field_lines(field.schema) if kind in ("object", "array") else []
    summary = (
        "\n".join(filter(None, [join_sentences(description_of(field.schema), constraints(field.schema)), *lines]))
        or None
    )
    input_ = Parameter(
        name, "body", kind, field.required, summary, pattern_of(field.schema) if kind == "string" else None
    )
    filename = field.name if multipart and binary else None
    return FormField(field.name, input_, filename, part_type if multipart else None)


def is_binary(schema: Cursor) -> bool:
    """Return True if a field of a form is a file."""
    value = schema.value if isinstance(schema.value, dict) else {}
    return value.get("type") == "file" or value.get("format") == "binary" or "contentMediaType" in value


def form_from_schema(schema: Cursor | None, media_type: str, parameters: Sequence[Parameter]) -> Body:
    """Return the form for an object's schema."""
    return form_body([(field, None) for field in fields(schema)], media_type, parameters)


def choose_media_type(media_types: Sequence[str], cursor: Cursor) -> str:
    """Return the media type to send a body in; warn about the others."""
    ranked = sorted(media_types, key=lambda item: (not is_json(item), item not in (FORM, MULTIPART)))
    others = [item for item in ranked[1:] if item != ranked[0]]
    if others:
        cursor.warn(f"the body is sent as {ranked[0] if ranked[0] != '*/*' else JSON}; not as {', '.join(others)}")
    return ranked[0]
