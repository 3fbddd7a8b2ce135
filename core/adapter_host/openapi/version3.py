"""What OpenAPI 3.0 and 3.1 say in their own way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
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


class Version3:
    """Reads documents of `openapi: 3.x`."""

    def __init__(self, root: Cursor) -> None:
        self._root = root

    def base(self) -> str | None:
        """Return the URL of the first server that has one; the others are noted."""
        servers = list(self._root.elements("servers"))
        urls = [url for server in servers if (url := _server_url(server, self._root.document.name))]
        for server in servers[1:] if urls else ():
            server.warn(f"only the first server is called, at {urls[0]} (--base-uri calls another)")
        return urls[0] if urls else None

    def schemes(self) -> dict[str, Cursor]:
        """The security schemes by name."""
        return scheme_entries(self._root.mapping("components"), "securitySchemes")

    def parameter(self, cursor: Cursor) -> Parameter | None:
        """A parameter; None when it cannot be said, or is none of its own."""
        schema = cursor.get("schema")
        if schema is None:
            content = next(cursor.named("content"), None)
            schema = content[1].get("schema") if content else None
        result = parameter(cursor, schema, commas=_is_comma_separated(cursor))
        if result is not None:
            _check_style(cursor, result)
        return result

    def body(self, operation: Cursor, declared: Sequence[Cursor], parameters: Sequence[Parameter]) -> Body | None:
        """The request's body."""
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
        """What a request is answered when it succeeds."""
        success = success_response(operation)
        if success is None:
            return Response()
        status, response = success
        media = [ResponseMedia(name, entry.get("schema"), entry) for name, entry in _content(response)]
        return make_response(status, media)


def _content(cursor: Cursor) -> Iterator[tuple[str, Cursor]]:
    """The media types that a body may have; what is none is noted."""
    for name, entry in cursor.named("content"):
        media_type = bare_media_type(name)
        if not is_media_type(media_type) or not isinstance(entry.value, dict):
            entry.warn("this is no description of a media type, so it is left out")
        else:
            yield media_type, entry


def _is_comma_separated(cursor: Cursor) -> bool:
    style = cursor.value.get("style") or ("form" if cursor.value.get("in") in ("query", "cookie") else "simple")
    return style == "form" and cursor.value.get("explode") is False


def _check_style(cursor: Cursor, parameter: Parameter) -> None:
    style = cursor.value.get("style")
    default_style = {"query": "form", "cookie": "form"}.get(parameter.in_, "simple")
    if style is not None and style != default_style:
        cursor.warn(f"the style '{style}' is not sent (an array is repeated or joined by commas, an object is JSON)")
    elif parameter.type == "object" and "content" not in cursor.value:
        cursor.warn("an object is sent as JSON here, not as the parameter's style says")


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
        if default is not None:
            url = url.replace("{" + name + "}", str(default))
    absolute = urljoin(document, url) if document.startswith(("http://", "https://")) else url
    if BASE.fullmatch(absolute):
        return absolute
    server.warn(f"'{url}' is not the http or https URL that a base has to be, so it is left out")
    return None
