"""The parts specific to OpenAPI 3.0 and 3.1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import urljoin

from adapter_host.http_syntax import bare_media_type

from .documents import Cursor
from .inputs import choose_media_type, form_body, form_from_schema, parameter, whole_body
from .media import FORM, MULTIPART, is_media_type
from .model import Body, Parameter, Response
from .names import BASE
from .responses import ResponseMedia, make_response, success_response
from .schemas import fields
from .security import scheme_entries

_LONGEST_URL: Final = 2000


class Version3:
    """Reads documents of `openapi: 3.x`."""

    def __init__(self, root: Cursor) -> None:
        self._root = root

    def base(self) -> str | None:
        """Return the URL of the first valid server; warn about the others."""
        servers = list(self._root.elements("servers"))
        urls = [url for server in servers if (url := _server_url(server, self._root.document.name))]
        for server in servers[1:] if urls else ():
            server.warn(f"only the first server is used, {urls[0]} (override with --base-uri)")
        return urls[0] if urls else None

    def schemes(self) -> dict[str, Cursor]:
        """Return the security schemes by name."""
        return scheme_entries(self._root.mapping("components"), "securitySchemes")

    def parameter(self, cursor: Cursor) -> Parameter | None:
        """Return a parameter; None if it is unsupported."""
        schema = cursor.get("schema")
        if schema is None:
            content = next(cursor.named("content"), None)
            schema = content[1].get("schema") if content else None
        result = parameter(cursor, schema, commas=_is_comma_separated(cursor))
        if result is not None:
            _check_style(cursor, result)
        return result

    def body(self, operation: Cursor, declared: Sequence[Cursor], parameters: Sequence[Parameter]) -> Body | None:
        """Return the request's body."""
        cursor = operation.mapping("requestBody")
        media = dict(_content(cursor)) if cursor else {}
        if cursor is None or not media:
            return None
        media_type = choose_media_type(list(media), cursor)
        entry = media[media_type]
        schema = entry.get("schema")
        if media_type == MULTIPART:
            return form_body([(f, _part_media_type(entry, f.name)) for f in fields(schema)], media_type, parameters)
        if media_type == FORM:
            return form_from_schema(schema, media_type, parameters)
        return whole_body(cursor, schema, media_type)

    def response(self, operation: Cursor) -> Response:
        """Return the response to a successful request."""
        success = success_response(operation)
        if success is None:
            return Response()
        status, response = success
        media = [ResponseMedia(name, entry.get("schema"), entry) for name, entry in _content(response)]
        return make_response(status, media)


def _content(cursor: Cursor) -> Iterator[tuple[str, Cursor]]:
    """Yield the media types of a body; warn about invalid ones."""
    for name, entry in cursor.named("content"):
        media_type = bare_media_type(name)
        if not is_media_type(media_type) or not isinstance(entry.value, dict):
            entry.warn("not a media type; skipped")
        else:
            yield media_type, entry


def _is_comma_separated(cursor: Cursor) -> bool:
    style = cursor.value.get("style") or ("form" if cursor.value.get("in") in ("query", "cookie") else "simple")
    return style == "form" and cursor.value.get("explode") is False


def _check_style(cursor: Cursor, parameter: Parameter) -> None:
    style = cursor.value.get("style")
    default_style = {"query": "form", "cookie": "form"}.get(parameter.in_, "simple")
    if style is not None and style != default_style:
        cursor.warn(f"style '{style}' is not supported; arrays are repeated or joined by commas, objects are JSON")
    elif parameter.type == "object" and "content" not in cursor.value:
        cursor.warn("an object is sent as JSON, not in the parameter's style")


def _part_media_type(entry: Cursor, name: str) -> str | None:
    encodings = entry.mapping("encoding")
    encoding = encodings.mapping(name) if encodings else None
    content_type = encoding.text("contentType") if encoding else None
    return bare_media_type(content_type.partition(",")[0]) if content_type else None


def _server_url(server: Cursor, document: str) -> str | None:
    url = server.text("url") if isinstance(server.value, dict) else None
    if url is None:
        return None
    for name, variable in server.named("variables"):
        default: Any = variable.value.get("default") if isinstance(variable.value, dict) else None
        if default is not None and len(url) <= _LONGEST_URL:
            url = url.replace("{" + name + "}", str(default)[:_LONGEST_URL])
    absolute = urljoin(document, url) if document.startswith(("http://", "https://")) else url
    if len(url) <= _LONGEST_URL and BASE.fullmatch(absolute):
        return absolute
    server.warn(f"'{url[:_LONGEST_URL]}' is not an http or https URL; skipped")
    return None
