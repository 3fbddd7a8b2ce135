"""The parts specific to OpenAPI 2.0 (Swagger)."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from adapter_host.http_syntax import bare_media_type

from .documents import Cursor
from .inputs import choose_media_type, form_body, parameter, whole_body
from .media import FORM, JSON, MULTIPART, is_media_type
from .model import Body, Parameter, Response
from .names import BASE
from .responses import ResponseMedia, make_response, success_response
from .schemas import Field
from .security import scheme_entries

_BODY_LOCATIONS = ("body", "formData")


class Version2:
    """Reads documents of `swagger: "2.0"`."""

    def __init__(self, root: Cursor) -> None:
        self._root = root

    def base(self) -> str | None:
        """Return the URL from schemes, host and basePath."""
        source = urlsplit(self._root.document.name)
        fetched = source.scheme in ("http", "https")
        host = self._root.text("host") or (source.netloc if fetched else None)
        if host is None:
            return None
        schemes = [cursor.value for cursor in self._root.elements("schemes") if cursor.value in ("https", "http")]
        scheme = "https" if "https" in schemes else next(iter(schemes), source.scheme if fetched else "https")
        url = f"{scheme}://{host}/{(self._root.text('basePath') or '').lstrip('/')}"
        if BASE.fullmatch(url):
            return url
        self._root.warn(f"'{url}' is not an http or https URL; skipped")
        return None

    def schemes(self) -> dict[str, Cursor]:
        """Return the security schemes by name."""
        return scheme_entries(self._root, "securityDefinitions")

    def parameter(self, cursor: Cursor) -> Parameter | None:
        """Return a parameter; None if it is unsupported, or part of the body."""
        if cursor.value.get("in") in _BODY_LOCATIONS:
            return None
        collection_format = cursor.value.get("collectionFormat", "csv")
        if cursor.value.get("type") == "array" and collection_format not in ("csv", "multi"):
            cursor.warn(f"collection format '{collection_format}' is not supported; arrays are joined by commas")
        return parameter(cursor, cursor, commas=collection_format != "multi" and cursor.value.get("in") == "query")

    def body(self, operation: Cursor, declared: Sequence[Cursor], parameters: Sequence[Parameter]) -> Body | None:
        """Return the request's body."""
        body_parameter = next((cursor for cursor in declared if cursor.value.get("in") == "body"), None)
        form_parameters = [cursor for cursor in declared if cursor.value.get("in") == "formData"]
        types = self._types(operation, "consumes")
        if body_parameter is not None:
            media_type = choose_media_type(types or [JSON], body_parameter)
            return whole_body(body_parameter, body_parameter.get("schema"), media_type)
        if not form_parameters:
            return None
        files = any(cursor.value.get("type") == "file" for cursor in form_parameters)
        media_type = MULTIPART if files or (MULTIPART in types and FORM not in types) else FORM
        named = [(cursor, name) for cursor in form_parameters if (name := cursor.text("name"))]
        return form_body(
            [(Field(name, cursor, cursor.flag("required")), None) for cursor, name in named], media_type, parameters
        )

    def response(self, operation: Cursor) -> Response:
        """Return the response to a successful request."""
        success = success_response(operation)
        if success is None:
            return Response()
        status, response = success
        schema = response.get("schema")
        if schema is None:
            return make_response(status, [])
        types = self._types(operation, "produces") or [JSON]
        examples = {bare_media_type(name): cursor for name, cursor in response.named("examples")}
        return make_response(
            status, [ResponseMedia(media_type, schema, example=examples.get(media_type)) for media_type in types]
        )

    def _types(self, operation: Cursor, key: str) -> list[str]:
        holder = operation if isinstance(operation.value.get(key), list) else self._root
        types = [bare_media_type(cursor.value) for cursor in holder.elements(key) if isinstance(cursor.value, str)]
        return [media_type for media_type in types if is_media_type(media_type)]
