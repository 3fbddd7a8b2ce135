"""The parts specific to OpenAPI 3.0, 3.1 and 3.2."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from adapter_host.http_syntax import bare_media_type

from .media import FORM, MULTIPART, is_media_type
from .model import Body, Parameter, Response
from .requests.forms import form_body, form_text
from .requests.inputs import choose_media_type, input_name, parameter, whole_body
from .requests.styles import style_keys
from .responses import ResponseMedia, make_response, success_response
from .schema.json_schema import SchemaConverter
from .schema.schemas import fields
from .schema.values import describe_values
from .security import scheme_entries
from .servers import Servers
from .source.documents import Cursor


class Version3:
    """Reads documents of `openapi: 3.x`; schemas of 3.0 have a dialect of their own."""

    methods: tuple[str, ...] = ("query",)

    def __init__(self, root: Cursor, version: str) -> None:
        self.converter = SchemaConverter(extends_references=not version.startswith("3.0"))
        self._root = root
        self._servers = Servers(root)

    def base(self, item: Cursor, operation: Cursor) -> str:
        """Return the base URL of an operation."""
        return self._servers.base(item, operation)

    def schemes(self) -> dict[str, Cursor]:
        """Return the security schemes by name."""
        return scheme_entries(self._root.mapping("components"), "securitySchemes")

    def parameters(self, cursor: Cursor) -> list[Parameter]:
        """Return a parameter, or those of a whole query string; none if it is unsupported."""
        schema = _schema_of(cursor)
        if cursor.value.get("in") == "querystring":
            return self._query_string(cursor, schema)
        values = describe_values(schema, self.converter)
        in_ = cursor.value.get("in")
        wire = style_keys(cursor, in_, values.type) if isinstance(in_, str) else {}
        extra = {"deprecated": True} if cursor.flag("deprecated") else {}
        found = parameter(cursor, values, wire=wire, extra=extra)
        return [] if found is None else [found]

    def _query_string(self, cursor: Cursor, schema: Cursor | None) -> list[Parameter]:
        """Return the parameters of a form that is the query (OpenAPI 3.2, `in: querystring`)."""
        if FORM not in map(bare_media_type, cursor.value.get("content") or ()) or schema is None:
            cursor.warn(f"a query string is supported as {FORM} only; skipped")
            return []
        form = form_body(fields(schema.documents.resolve(schema)), FORM, [], self.converter, lambda _: None)
        return [
            replace(each.input, name=input_name(each.name), in_="query", wire=_wire_name(each.name))
            for each in form.fields
        ]

    def body(self, operation: Cursor, declared: Sequence[Cursor], parameters: Sequence[Parameter]) -> Body | None:
        """Return the request's body."""
        cursor = operation.mapping("requestBody")
        media = dict(_content(cursor)) if cursor else {}
        if cursor is None or not media:
            return None
        media_type = choose_media_type(list(media), cursor)
        entry = media[media_type]
        if media_type in (FORM, MULTIPART):
            return self._form(entry, media_type, parameters)
        return whole_body(cursor, _raw_schema(entry), media_type, self.converter)

    def _form(self, entry: Cursor, media_type: str, parameters: Sequence[Parameter]) -> Body:
        encodings = entry.mapping("encoding")

        def encoding_of(name: str) -> Cursor | None:
            return encodings.mapping(name) if encodings else None

        form = form_body(fields(entry.get("schema")), media_type, parameters, self.converter, encoding_of)
        return form if form.fields or media_type == MULTIPART else form_text(entry)

    def response(self, operation: Cursor) -> Response:
        """Return the response to a successful request."""
        success = success_response(operation)
        if success is None:
            return make_response(200, [], self.converter)
        status, response = success
        media = [ResponseMedia(name, _raw_schema(entry), entry) for name, entry in _content(response)]
        return make_response(status, media, self.converter)


def _raw_schema(holder: Cursor) -> Cursor | None:
    """Return the schema of a parameter or a media type, its references not followed; `itemSchema` is of a stream."""
    return holder.raw("schema") if "schema" in holder.value else None


def _schema_of(parameter: Cursor) -> Cursor | None:
    if "schema" in parameter.value:
        return parameter.raw("schema")
    content = next(parameter.named("content"), None)
    return _raw_schema(content[1]) if content and isinstance(content[1].value, dict) else None


def _wire_name(name: str) -> dict[str, str]:
    return {} if input_name(name) == name else {"x-name": name}


def _content(cursor: Cursor) -> Iterator[tuple[str, Cursor]]:
    """Yield the media types of a body; warn about invalid ones."""
    for name, entry in cursor.named("content"):
        media_type = bare_media_type(name)
        if not is_media_type(media_type) or not isinstance(entry.value, dict):
            entry.warn("not a media type; skipped")
        else:
            yield media_type, entry
