"""What OpenAPI 3.0 and 3.1 say in their own way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urljoin

from adapter_host.http_syntax import bare_media_type

from .documents import Cursor
from .inputs import chosen, form_body, form_of, parameter, whole_body
from .media import FORM, MULTIPART, is_media_type
from .model import Answer, Body, Parameter
from .names import BASE
from .responses import Media, answer_of, success
from .schemas import fields
from .security import scheme_entries


class Version3:
    """Reads documents of `openapi: 3.x`."""

    def __init__(self, root: Cursor) -> None:
        self._root = root

    def base(self) -> str | None:
        """Return the URL of the first server that has one; the others are noted."""
        servers = list(self._root.elements("servers"))
        urls = [url for server in servers if (url := _url(server, self._root.document.name))]
        for server in servers[1:] if urls else ():
            server.warn(f"only the first server is called, at {urls[0]} (--base-uri calls another)")
        return urls[0] if urls else None

    def schemes(self) -> dict[str, Cursor]:
        """Return the security schemes by name."""
        return scheme_entries(self._root.mapping("components"), "securitySchemes")

    def parameter(self, at: Cursor) -> Parameter | None:
        """Return a parameter; None when it cannot be said, or is none of its own."""
        schema = at.get("schema")
        if schema is None:
            content = next(at.named("content"), None)
            schema = content[1].get("schema") if content else None
        made = parameter(at, schema, commas=_commas(at))
        if made is not None:
            _check_style(at, made)
        return made

    def body(self, operation: Cursor, parameters: Sequence[Cursor], taken: Sequence[Parameter]) -> Body | None:
        """Return the request's body."""
        at = operation.mapping("requestBody")
        media = dict(_content(at)) if at else {}
        if at is None or not media:
            return None
        media_type = chosen(list(media), at)
        entry = media[media_type]
        schema = entry.get("schema")
        if media_type == MULTIPART:
            return form_body([(f, _part_type(entry, f.name)) for f in fields(schema)], media_type, taken)
        if media_type == FORM:
            return form_of(schema, media_type, taken)
        return whole_body(at, schema, media_type)

    def answer(self, operation: Cursor) -> Answer:
        """Return the response of a successful request."""
        found = success(operation)
        if found is None:
            return Answer()
        status, response = found
        media = [Media(name, entry.get("schema"), entry) for name, entry in _content(response)]
        return answer_of(status, media)


def _content(at: Cursor) -> Iterator[tuple[str, Cursor]]:
    """Yield the media types that a body may have; what is none is noted."""
    for name, entry in at.named("content"):
        media_type = bare_media_type(name)
        if not is_media_type(media_type) or not isinstance(entry.value, dict):
            entry.warn("this is no description of a media type, so it is left out")
        else:
            yield media_type, entry


def _commas(at: Cursor) -> bool:
    style = at.value.get("style") or ("form" if at.value.get("in") in ("query", "cookie") else "simple")
    return style == "form" and at.value.get("explode") is False


def _check_style(at: Cursor, made: Parameter) -> None:
    style = at.value.get("style")
    usual = {"query": "form", "cookie": "form"}.get(made.place, "simple")
    if style is not None and style != usual:
        at.warn(f"the style '{style}' is not sent (an array is repeated or joined by commas, an object is JSON)")
    elif made.type == "object" and "content" not in at.value:
        at.warn("an object is sent as JSON here, not as the parameter's style says")


def _part_type(entry: Cursor, name: str) -> str | None:
    encodings = entry.mapping("encoding")
    encoding = encodings.mapping(name) if encodings else None
    found = encoding.text("contentType") if encoding else None
    return bare_media_type(found.partition(",")[0]) if found else None


def _url(server: Cursor, document: str) -> str | None:
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
