"""Parameters and bodies of operations, in what all versions of OpenAPI have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from adapter_host.http_syntax import is_connection_header, is_token

from .documents import Cursor
from .media import FORM, JSON, MULTIPART, is_json
from .model import Body, FormField, Parameter
from .schemas import Field, description_of, field_lines, fields, pattern_of, remarks, type_of

PLACES: Final = ("path", "query", "header", "cookie")

_SET_ELSEWHERE: Final = frozenset({"accept", "authorization", "content-type"})
_COMMAS: Final = "Comma-separated."


def joined(*texts: str | None) -> str | None:
    """Join texts, each as a sentence."""
    said = [text for text in texts if text]
    return " ".join([*(text if text[-1] in ".:!?" else f"{text}." for text in said[:-1]), *said[-1:]]) or None


def parameter(at: Cursor, schema: Cursor | None, *, commas: bool) -> Parameter | None:
    """Return a parameter of a request; None, noted, for what cannot be one. `commas` says how an array is written."""
    name, place = at.text("name"), at.text("in")
    if name is None or place not in PLACES:
        at.warn("a parameter needs a 'name' and an 'in' that is path, query, header or cookie, so this is left out")
        return None
    if (reason := _misplaced(name, place)) is not None:
        at.warn(f"the {place} parameter '{name}' {reason}, so it is left out")
        return None
    kind = type_of(schema)
    description = joined(at.text("description"), remarks(schema))
    if kind == "array":
        description = _serialised(description, commas)
    return Parameter(
        name=name,
        place=place,
        type=kind,
        required=place == "path" or at.flag("required"),
        description=description,
        pattern=pattern_of(schema) if kind == "string" else None,
    )


def _misplaced(name: str, place: str) -> str | None:
    if "{" in name or "}" in name:
        return "has braces in its name"
    if place in ("header", "cookie") and not is_token(name):
        return f"has a name that no {place} can have"
    if place == "header" and name.lower() in _SET_ELSEWHERE:
        return "is not a parameter: the media types and the authentication set it"
    if place == "header" and is_connection_header(name):
        return "belongs to the connection"
    return None


def _serialised(description: str | None, commas: bool) -> str | None:
    if commas:
        return joined(description, _COMMAS)
    # The words make the consumer write an array with commas, which this API does not want.
    return re.sub("comma-separated", "comma separated", description, flags=re.IGNORECASE) if description else None


def whole_body(at: Cursor, schema: Cursor | None, media_type: str) -> Body:
    """Return the body at a place, as one input; its description says the fields that it has."""
    required = at.flag("required")
    said = joined(at.text("description") or description_of(schema), remarks(schema))
    if is_json(media_type):
        lines = field_lines(schema)
        text = "\n".join(filter(None, [said, *lines])) or "The request's body, as JSON"
        own = media_type if media_type.endswith("+json") else None
        return Body("json", Parameter("body", "body", type_of(schema), required, text), media_type=own)
    text = said or f"The request's body, as {media_type}"
    own = None if media_type == "text/plain" else media_type
    return Body("text", Parameter("body", "body", "string", required, text), media_type=own)


def form_body(found: Iterable[tuple[Field, str | None]], media_type: str, taken: Sequence[Parameter]) -> Body:
    """Return a form; each field comes with the media type of its part, if it has one."""
    names = {each.name for each in taken}
    multipart = media_type == MULTIPART
    made = []
    for field, part_type in found:
        form_field = _form_field(field, part_type, names, multipart=multipart)
        names.add(form_field.input.name)
        made.append(form_field)
    return Body("multipartForm" if multipart else "formUrlEncoded", fields=tuple(made))


def _form_field(field: Field, part_type: str | None, taken: set[str], *, multipart: bool) -> FormField:
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", field.name).strip("-") or "field"
    while name in taken:
        name += "-field"
    binary = is_binary(field.schema)
    if binary:
        field.schema.warn("a file is sent as the text that it is given as: bytes that are no text cannot be said")
    kind = type_of(field.schema)
    lines = field_lines(field.schema) if kind in ("object", "array") else []
    said = "\n".join(filter(None, [joined(description_of(field.schema), remarks(field.schema)), *lines])) or None
    given = Parameter(name, "body", kind, field.required, said, pattern_of(field.schema) if kind == "string" else None)
    filename = field.name if multipart and binary else None
    return FormField(field.name, given, filename, part_type if multipart else None)


def is_binary(schema: Cursor) -> bool:
    """Whether a field of a form is a file."""
    value = schema.value if isinstance(schema.value, dict) else {}
    return value.get("type") == "file" or value.get("format") == "binary" or "contentMediaType" in value


def form_of(schema: Cursor | None, media_type: str, taken: Sequence[Parameter]) -> Body:
    """Return the form that an object's schema says."""
    return form_body([(field, None) for field in fields(schema)], media_type, taken)


def chosen(offered: Sequence[str], at: Cursor) -> str:
    """Return the media type that a body is sent in; the others are noted."""
    ranked = sorted(offered, key=lambda each: (not is_json(each), each not in (FORM, MULTIPART)))
    others = [each for each in ranked[1:] if each != ranked[0]]
    if others:
        at.warn(f"the body is sent as {ranked[0] if ranked[0] != '*/*' else JSON}; not as {', '.join(others)}")
    return ranked[0]
