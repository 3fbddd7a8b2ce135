"""The parts specific to OpenAPI 2.0 (Swagger)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from adapter_host.http_syntax import bare_media_type

from .media import FORM, JSON, MULTIPART, is_media_type
from .model import Body, Parameter, Response
from .requests.forms import form_body
from .requests.inputs import choose_media_type, parameter, whole_body
from .requests.styles import collection_keys, collection_style
from .responses import ResponseMedia, make_response, success_response
from .schema.json_schema import SchemaConverter
from .schema.schema_keywords import KEYWORDS
from .schema.schemas import Field
from .schema.values import describe_values
from .security import scheme_entries
from .servers import swagger_base
from .source.documents import Cursor

_BODY_LOCATIONS: Final = ("body", "formData")
_NOT_OF_VALUES: Final = frozenset({"description", "required", "readOnly", "writeOnly", "deprecated"})
"""Keywords that a parameter has beside those of its values."""


class Version2:
    """Reads documents of `swagger: "2.0"`."""

    methods: tuple[str, ...] = ()

    def __init__(self, root: Cursor) -> None:
        self.converter = SchemaConverter(extends_references=False)
        self._root = root

    def base(self, item: Cursor, operation: Cursor) -> str:
        """Return the base URL of an operation."""
        return swagger_base(self._root, operation)

    def schemes(self) -> dict[str, Cursor]:
        """Return the security schemes by name."""
        return scheme_entries(self._root, "securityDefinitions")

    def parameters(self, cursor: Cursor) -> list[Parameter]:
        """Return a parameter; none if it is unsupported, or part of the body."""
        in_ = cursor.value.get("in")
        if in_ in _BODY_LOCATIONS:
            return []
        values = describe_values(_values_of(cursor), self.converter)
        wire = collection_keys(cursor, in_) if isinstance(in_, str) else {}
        found = parameter(cursor, values, wire=wire)
        return [] if found is None else [found]

    def body(self, operation: Cursor, declared: Sequence[Cursor], parameters: Sequence[Parameter]) -> Body | None:
        """Return the request's body."""
        body_parameter = next((cursor for cursor in declared if cursor.value.get("in") == "body"), None)
        form_parameters = [cursor for cursor in declared if cursor.value.get("in") == "formData"]
        types = self._types(operation, "consumes")
        if body_parameter is not None:
            media_type = choose_media_type(types or [JSON], body_parameter)
            schema = body_parameter.raw("schema") if "schema" in body_parameter.value else None
            return whole_body(body_parameter, schema, media_type, self.converter)
        if not form_parameters:
            return None
        files = any(cursor.value.get("type") == "file" for cursor in form_parameters)
        media_type = MULTIPART if files or (MULTIPART in types and FORM not in types) else FORM
        by_name = {name: cursor for cursor in form_parameters if (name := cursor.text("name"))}
        form_fields = [
            Field(name, _values_of(cursor), cursor, cursor.flag("required"), cursor.text("description"))
            for name, cursor in by_name.items()
        ]
        return form_body(form_fields, media_type, parameters, self.converter, lambda name: _encoding(by_name[name]))

    def response(self, operation: Cursor) -> Response:
        """Return the response to a successful request."""
        success = success_response(operation)
        if success is None:
            return make_response(200, [], self.converter)
        status, response = success
        schema = response.raw("schema") if "schema" in response.value else None
        types = self._types(operation, "produces")
        if schema is None:
            return make_response(status, [], self.converter, types)
        examples = {bare_media_type(name): cursor for name, cursor in response.named("examples")}
        media = [ResponseMedia(each, schema, example=examples.get(each)) for each in types or [JSON]]
        return make_response(status, media, self.converter)

    def _types(self, operation: Cursor, key: str) -> list[str]:
        holder = operation if isinstance(operation.value.get(key), list) else self._root
        types = [bare_media_type(cursor.value) for cursor in holder.elements(key) if isinstance(cursor.value, str)]
        return [media_type for media_type in types if is_media_type(media_type)]


def _values_of(cursor: Cursor) -> Cursor:
    """Return the schema of a parameter's values, which is among the parameter's own keys."""
    keys = (KEYWORDS.keys() | {"type", "x-nullable"}) - _NOT_OF_VALUES
    value = {key: item for key, item in cursor.value.items() if key in keys}
    return Cursor(cursor.documents, cursor.document, cursor.loc, value)


def _encoding(cursor: Cursor) -> Cursor | None:
    """Return the encoding of a field in the terms of OpenAPI 3; None for the default."""
    if cursor.value.get("type") != "array" or (style := collection_style(cursor)) is None:
        return None
    encoding: Mapping[str, Any] = {"style": style, "explode": False}
    return Cursor(cursor.documents, cursor.document, cursor.loc, encoding)
