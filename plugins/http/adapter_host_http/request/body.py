"""Compile request bodies with their Content-Type."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Final

import orjson

from adapter_host import ABSENT, Arguments, WireFormat, decode_json, encode_json, parse_json, text_of
from adapter_host_http.config import AnyBody, FormBody, JsonBody, MultipartBody, RawBody, TextBody
from adapter_host_http.encoding import Encode, form_encode, json_inner, json_text, part_text, xml_escape

from .fields import as_list, decode_file
from .form_scope import FormScope
from .multipart import compile_multipart
from .raw_body import declared_format, evident_format
from .sparql import encoders as sparql_encoders
from .styles import Styled, reserved_encode
from .templates import TAG, Constant, TemplateCompiler, TemplateLocation, Value, render, renderer, split_tags, value_of
from .xml_places import document_text, has_document_tag
from .xml_places import encoders as xml_encoders

_FORM: Final = "formUrlEncoded"
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"

BodyBuilder = Callable[[Arguments], tuple[bytes, str] | None]
"""Returns body and Content-Type of one call, or None for no body."""

# Marks tags outside of quotes; a private-use character, which texts do not contain.
_UNQUOTED: Final = "\ue000"
TEXT: Final = "text/plain; charset=utf-8"
_CONTENT_TYPES: Final = {
    "text": TEXT,
    "xml": "application/xml",
    "sparql": "application/sparql-query",
}


def compile_body(
    body: AnyBody, templates: TemplateCompiler, in_: str, scope: FormScope, content_type: str | None = None
) -> BodyBuilder:
    """Compile the declared body of an operation; `content_type` is the one that its inputs declare."""
    location = TemplateLocation(in_, body, ("data",))
    if isinstance(body, RawBody):
        return _raw(body.data, templates, TemplateLocation(in_, body), scope.xml, content_type)
    if isinstance(body, JsonBody):
        if isinstance(body.data, str):
            return _json_from_text(body.data, templates, location)
        return json_body(templates.value(body.data, location))
    if isinstance(body, FormBody):
        return _form(body, templates, location, scope)
    if isinstance(body, MultipartBody):
        return compile_multipart(body, templates, in_, scope)
    if (name := binary_input(body, templates, scope)) is not None:
        return bytes_body(name, value_of(templates.template(body.data.strip(), location)), scope.binary[name])
    return _text_body(_text_of_type(body.data, body.type, templates, location, scope.xml), _CONTENT_TYPES[body.type])


def whole_tag(body: AnyBody) -> str | None:
    """Return the text of a JSON body that consists of one tag, or None."""
    text = body.data.strip() if isinstance(body, JsonBody) and isinstance(body.data, str) else ""
    return text if TAG.fullmatch(text) else None


def binary_input(body: AnyBody, templates: TemplateCompiler, scope: FormScope) -> str | None:
    """Return the name of the input whose bytes are a text body, or None."""
    if not isinstance(body, TextBody):
        return None
    name = templates.template(body.data.strip(), TemplateLocation("body", body, ("data",))).single
    return name if name in scope.binary else None


def text_input(body: AnyBody, templates: TemplateCompiler) -> str | None:
    """Return the name of the input whose text is the body as it is, or None."""
    if not isinstance(body, TextBody) or body.type != "text":
        return None
    return templates.template(body.data, TemplateLocation("body", body, ("data",))).single


def json_body(value: Value) -> BodyBuilder:
    """Return a builder of a JSON body; an absent value makes no body."""
    if isinstance(value, Constant):
        encoded = encode_json(value.value), JSON
        return lambda arguments: encoded

    def make(arguments: Arguments) -> tuple[bytes, str] | None:
        data = value(arguments)
        return None if data is ABSENT else (encode_json(data), JSON)

    return make


def bytes_body(name: str, value: Value, media_type: str) -> BodyBuilder:
    """Return a builder of a body of the bytes in an argument, which is base64 text; `name` is that of the input."""

    def make(arguments: Arguments) -> tuple[bytes, str] | None:
        given = render(value, arguments)
        return None if given is None or given is ABSENT else (decode_file(name, given).content, media_type)

    return make


def json_fields(fields: dict[str, Value], *, empty: bool) -> BodyBuilder:
    """Return a builder of a JSON object with the present fields; `empty` allows an empty object."""
    items = tuple((name, renderer(value)) for name, value in fields.items())

    def make(arguments: Arguments) -> tuple[bytes, str] | None:
        data = {name: value for name, render_value in items if (value := render_value(arguments)) is not ABSENT}
        return (encode_json(data), JSON) if data or empty else None

    return make


def _json_from_text(text: str, templates: TemplateCompiler, location: TemplateLocation) -> BodyBuilder:
    marked = "".join(
        f'"{_UNQUOTED}{piece}"' if is_tag and not quoted else piece for piece, is_tag, quoted in split_tags(text, '"')
    )
    try:
        data = orjson.loads(marked)
    except ValueError:
        return _json_as_text(text, templates, location)
    if _has_tags_in_keys(data):
        return _json_as_text(text, templates, location)

    def leaf(text: str, location: TemplateLocation) -> Value:
        if text.startswith(_UNQUOTED):
            return _unquoted(value_of(templates.template(text[1:], location)))
        return _quoted(templates, text, location)

    return json_body(templates.tree(data, location, leaf))


def _json_as_text(text: str, templates: TemplateCompiler, location: TemplateLocation) -> BodyBuilder:
    encoders: tuple[Encode, Encode] = (_own_json_text, json_inner)
    return _text_body(templates.text(text, location, lambda name, quoted: encoders[quoted], '"'), JSON)


def _own_json_text(value: Any) -> str:
    return json_text(own_json(value))


def own_json(value: Any) -> Any:
    """Return the data of a text that is JSON; any other value unchanged."""
    if not isinstance(value, str):
        return value
    try:
        parse_json(value)  # within the nesting limit
        return decode_json(value.encode())
    except ValueError:
        return value


def _has_tags_in_keys(data: Any) -> bool:
    if isinstance(data, dict):
        return any(TAG.search(key) or _has_tags_in_keys(child) for key, child in data.items())
    return isinstance(data, list) and any(map(_has_tags_in_keys, data))


def _unquoted(value: Value) -> Value:
    """Return the value of an unquoted tag: a text that is JSON is inserted as this JSON."""
    if isinstance(value, Constant):
        return Constant(own_json(value.value))
    return lambda arguments: own_json(value(arguments))


def _quoted(templates: TemplateCompiler, text: str, location: TemplateLocation) -> Value:
    template = templates.template(text, location)
    name = template.single
    if name is None:
        return value_of(template)

    def quoted(arguments: Arguments) -> Any:
        value = arguments.get(name, ABSENT)
        return value if value is ABSENT else text_of(value)

    return quoted


def _text_body(value: Value, content_type: str) -> BodyBuilder:
    return lambda arguments: (_utf8(render(value, arguments)), content_type)


def _utf8(text: str) -> bytes:
    return text.encode(errors="replace")


def _raw(
    text: str,
    templates: TemplateCompiler,
    location: TemplateLocation,
    xml_inputs: Collection[str],
    content_type: str | None,
) -> BodyBuilder:
    raw_format = declared_format(content_type) if content_type else evident_format(text)
    if raw_format == "json":
        return _json_from_text(text, templates, location)
    if raw_format == "json-lines":
        return _json_as_text(text, templates, location)
    # The language sends a text as JSON, unless an input declares another `Content-Type`.
    return _text_body(_text_of_type(text, raw_format, templates, location, xml_inputs), JSON)


def _text_of_type(
    text: str, type_name: str, templates: TemplateCompiler, location: TemplateLocation, xml_inputs: Collection[str] = ()
) -> Value:
    if type_name != "text" and TAG.fullmatch(text.strip()):
        # The caller sends the complete body: there is no place that a value could leave.
        return templates.text(
            text, location, lambda name, quoted: partial(_complete_form, {}) if type_name == _FORM else text_of
        )
    if type_name == "xml" and has_document_tag(text):
        return templates.text(text, location, lambda name, quoted: document_text)
    return templates.text(text, location, _text_encoder(text, type_name, xml_inputs))


def _text_encoder(text: str, type_name: str, xml_inputs: Collection[str]) -> Callable[[str, bool], Encode]:
    # The compiler asks for one encoder after the other, in the order of the tags.
    if type_name == "xml":
        places = iter(xml_encoders(text, xml_inputs))
        return lambda name, quoted: partial(next(places), name)
    if type_name == "html":
        return lambda name, quoted: partial(xml_escape, name)
    if type_name == _FORM:
        return lambda name, quoted: _form_text
    if type_name == "multipart":
        return lambda name, quoted: partial(part_text, name)
    if type_name == "sparql":
        terms = iter(sparql_encoders(text))
        return lambda name, quoted: partial(next(terms), name)
    return lambda name, quoted: text_of


def _form(body: FormBody, templates: TemplateCompiler, location: TemplateLocation, scope: FormScope) -> BodyBuilder:
    if isinstance(body.data, str):
        if TAG.fullmatch(body.data.strip()):
            value = templates.text(body.data, location, lambda name, quoted: partial(_complete_form, scope.wire))
            return _text_body(value, FORM)
        return _text_body(_text_of_type(body.data, _FORM, templates, location), FORM)
    values = {name: templates.value(data, location / name) for name, data in body.data.items()}
    return _styled_form(values, scope.wire) if scope.wire else _plain_form(values)


def _plain_form(values: Mapping[str, Value]) -> BodyBuilder:
    fields = tuple((form_encode(name), value) for name, value in values.items())

    def make(arguments: Arguments) -> tuple[bytes, str]:
        pairs = (f"{name}={_form_text(item)}" for name, value in fields for item in as_list(render(value, arguments)))
        return "&".join(pairs).encode(), FORM

    return make


def _styled_form(values: Mapping[str, Value], wire: Mapping[str, WireFormat]) -> BodyBuilder:
    fields = tuple((_compile_field(name, wire.get(name), frozenset(values)), value) for name, value in values.items())

    def make(arguments: Arguments) -> tuple[bytes, str]:
        pairs = (field(render(value, arguments)) for field, value in fields)
        return "&".join(filter(None, pairs)).encode(), FORM

    return make


def _compile_field(name: str, wire: WireFormat | None, taken: frozenset[str]) -> Callable[[Any], str]:
    """Return a function from the value of a field to its pairs in a form."""
    if wire is None:
        prefix = f"{form_encode(name)}="
        return lambda value: "&".join(prefix + _form_text(item) for item in as_list(value))
    styled = Styled(name, wire, name, taken - {name})
    encode = reserved_encode if wire.allow_reserved else form_encode
    return lambda value: "&".join(pair.encoded(form_encode, encode) for pair in styled.pairs(value))


def _complete_form(wire: Mapping[str, WireFormat], value: Any) -> str:
    if not isinstance(value, dict):
        return text_of(value)
    taken = frozenset(value)
    return "&".join(filter(None, (_compile_field(name, wire.get(name), taken)(field) for name, field in value.items())))


def _form_text(value: Any) -> str:
    return form_encode(text_of(value))
