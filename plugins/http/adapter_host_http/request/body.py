"""Bodies of requests: compiled, each with its Content-Type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

import orjson

from adapter_host import ABSENT, Arguments, text_of
from adapter_host_http.config import AnyBody, FormBody, JsonBody, MultipartBody, Part, TextBody
from adapter_host_http.encoding import Encode, form, json_inner, json_text, sparql_bare, sparql_inner, xml

from .templates import TAG, Constant, TemplateCompiler, TemplateLocation, Value, render, split_tags, value_of

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"

MakeBody = Callable[[Arguments], tuple[bytes, str] | None]
"""Gives the body of one call and its Content-Type, or None for no body."""

# A character that no text of people holds marks the tags that stood outside of quotes.
_BARE: Final = "\ue000"
_CONTENT_TYPES: Final = {
    "text": "text/plain; charset=utf-8",
    "xml": "application/xml",
    "sparql": "application/sparql-query",
}
_TEXT_ENCODERS: Final[dict[str, Encode]] = {"text": text_of, "xml": xml}


def compile_body(body: AnyBody, texts: TemplateCompiler, place: str) -> MakeBody:
    """Compile the body that an operation declares."""
    spot = TemplateLocation(place, body, ("data",))
    if isinstance(body, JsonBody):
        if isinstance(body.data, str):
            return _json_written(body.data, texts, spot)
        return json_body(texts.value(body.data, spot))
    if isinstance(body, FormBody):
        return _form(body, texts, spot)
    if isinstance(body, MultipartBody):
        return _multipart(body, texts, place)
    return _text(body, texts, spot)


def whole_tag(body: AnyBody) -> str | None:
    """Return the text of a JSON body that is one tag and nothing else."""
    text = body.data.strip() if isinstance(body, JsonBody) and isinstance(body.data, str) else ""
    return text if TAG.fullmatch(text) else None


def json_body(value: Value) -> MakeBody:
    """Return a JSON body that is this value; an absent one is no body."""
    if isinstance(value, Constant):
        written = orjson.dumps(value.value), JSON
        return lambda arguments: written

    def make(arguments: Arguments) -> tuple[bytes, str] | None:
        data = value(arguments)
        return None if data is ABSENT else (orjson.dumps(data), JSON)

    return make


def json_fields(fields: dict[str, Value], *, empty: bool) -> MakeBody:
    """Return a JSON object of the fields that are given; with `empty`, one without any is sent too."""
    items = tuple(fields.items())

    def make(arguments: Arguments) -> tuple[bytes, str] | None:
        rendered = ((name, render(value, arguments)) for name, value in items)
        data = {name: value for name, value in rendered if value is not ABSENT}
        return (orjson.dumps(data), JSON) if data or empty else None

    return make


def _json_written(text: str, texts: TemplateCompiler, spot: TemplateLocation) -> MakeBody:
    marked = "".join(
        f'"{_BARE}{piece}"' if is_tag and not quoted else piece for piece, is_tag, quoted in split_tags(text, '"')
    )
    try:
        data = orjson.loads(marked)
    except ValueError:
        return _json_joined(text, texts, spot)
    if _names_keys(data):
        return _json_joined(text, texts, spot)

    def leaf(text: str, spot: TemplateLocation) -> Value:
        if text.startswith(_BARE):
            return _typed(value_of(texts.template(text[1:], spot)))
        return _quoted(texts, text, spot)

    return json_body(texts.tree(data, spot, leaf))


def _json_joined(text: str, texts: TemplateCompiler, spot: TemplateLocation) -> MakeBody:
    encoders: tuple[Encode, Encode] = (json_text, json_inner)
    return _written(texts.joined(text, spot, lambda name, quoted: encoders[quoted], '"'), JSON)


def _names_keys(data: Any) -> bool:
    """Whether a key of an object has a tag in it."""
    if isinstance(data, dict):
        return any(TAG.search(key) or _names_keys(child) for key, child in data.items())
    return isinstance(data, list) and any(map(_names_keys, data))


def _typed(value: Value) -> Value:
    """Return a constant that stood outside of quotes is JSON where it can be."""
    if not isinstance(value, Constant):
        return value
    try:
        return Constant(orjson.loads(value.value))
    except ValueError:
        return value


def _quoted(texts: TemplateCompiler, text: str, spot: TemplateLocation) -> Value:
    template = texts.template(text, spot)
    name = template.single
    if name is None:
        return value_of(template)

    def quoted(arguments: Arguments) -> Any:
        value = arguments.get(name, ABSENT)
        return value if value is ABSENT else text_of(value)

    return quoted


def _written(value: Value, content_type: str) -> MakeBody:
    return lambda arguments: (_utf8(render(value, arguments)), content_type)


def _utf8(text: str) -> bytes:
    return text.encode(errors="replace")


def _text(body: TextBody, texts: TemplateCompiler, spot: TemplateLocation) -> MakeBody:
    if body.type == "sparql":
        value = texts.joined(body.data, spot, _sparql, "\"'")
    else:
        encode = _TEXT_ENCODERS[body.type]
        value = texts.joined(body.data, spot, lambda name, quoted: encode)
    return _written(value, _CONTENT_TYPES[body.type])


def _sparql(name: str, quoted: bool) -> Encode:
    return sparql_inner if quoted else lambda value: sparql_bare(name, value)


def _form(body: FormBody, texts: TemplateCompiler, spot: TemplateLocation) -> MakeBody:
    if isinstance(body.data, str):
        return _written(texts.joined(body.data, spot, lambda name, quoted: _form_text), FORM)
    fields = tuple((form(name), texts.value(data, spot / name)) for name, data in body.data.items())

    def make(arguments: Arguments) -> tuple[bytes, str]:
        pairs = (f"{name}={_form_text(item)}" for name, value in fields for item in several(render(value, arguments)))
        return "&".join(pairs).encode(), FORM

    return make


def _form_text(value: Any) -> str:
    return form(text_of(value))


def several(value: Any) -> list[Any]:
    """Return the values that one field is sent with: an array's elements, nothing for null and absent."""
    values = value if isinstance(value, list | tuple) else [value]
    return [value for value in values if value is not None and value is not ABSENT]


def _multipart(body: MultipartBody, texts: TemplateCompiler, place: str) -> MakeBody:
    parts = tuple(
        (_part_head(part), texts.value(part.value, TemplateLocation(place, part, ("value",)))) for part in body.data
    )

    def make(arguments: Arguments) -> tuple[bytes, str]:
        # A boundary that cannot be foreseen cannot be written into a value.
        boundary = uuid4().hex
        pieces = [
            f"--{boundary}\r\n{head}\r\n\r\n{text_of(item)}\r\n"
            for head, value in parts
            for item in several(render(value, arguments))
        ]
        return _utf8(f"{''.join(pieces)}--{boundary}--\r\n"), f"multipart/form-data; boundary={boundary}"

    return make


def _part_head(part: Part) -> str:
    head = f'Content-Disposition: form-data; name="{_part_text(part.name)}"'
    if part.filename is not None:
        head += f'; filename="{_part_text(part.filename)}"'
    return f"{head}\r\nContent-Type: {_one_line(part.content_type)}" if part.content_type else head


def _part_text(text: str) -> str:
    return _one_line(text).replace('"', "%22")


def _one_line(text: str) -> str:
    return text.replace("\r", "%0D").replace("\n", "%0A")
