"""The request of a curl command, as an OpenAPI document."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn
from urllib.parse import parse_qsl, unquote, urlsplit

from adapter_host.cli import UsageError

JsonObject = dict[str, Any]

_IGNORED_HEADERS: Final = frozenset({"accept", "content-length", "content-type", "host", "user-agent", "cookie"})
_KEY_HEADER: Final = re.compile(r"(?i).*(api-?key|token|secret)")
_FLAGS: Final = ("-s", "-S", "-L", "-k", "-i", "-v", "-f", "-g", "--silent", "--show-error", "--location", "--insecure",
                 "--include", "--verbose", "--fail", "--globoff", "--compressed", "--http1.1", "--http2")  # fmt: skip
_VALUES: Final = ("-o", "--output", "-m", "--max-time", "--connect-timeout", "--retry", "-A", "--user-agent")


class _CurlParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"the curl command cannot be read: {message}")


def openapi_of(command: str) -> JsonObject:
    """Return an OpenAPI document with the request of a curl command; raise `UsageError`.

    Credentials are declared and left out, as are headers that belong to a connection or a client.
    """
    options = _parse(command)
    if len(urls := [*options.url, *options.urls]) != 1:
        raise UsageError(f"the curl command must have one URL (given {len(urls)})")
    url = urls[0] if "://" in urls[0] else f"https://{urls[0]}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"'{url}' is not an http or https URL")
    data = "&".join(options.data) if options.data else None
    headers = dict(_headers(options.header))
    query = parse_qsl(parts.query, keep_blank_values=True)
    if options.get and data is not None:
        query, data = [*query, *parse_qsl(data, keep_blank_values=True)], None
    body = None if data is None and options.json is None else _body(options.json, data, headers)
    schemes = dict(_security_schemes(headers, with_user=options.user is not None))
    parameters = [
        *(_parameter("query", name, value) for name, value in dict(query).items()),
        *(_parameter("header", name, value) for name, value in headers.items() if _is_input(name)),
    ]
    method = (options.request or ("get" if body is None else "post")).lower()
    path = unquote(parts.path) or "/"
    operation = {
        "operationId": _operation_id(method, path),
        "summary": f"{method.upper()} {path}",
        "parameters": parameters,
        **({} if body is None else {"requestBody": {"required": True, "content": body}}),
        **({"security": [{name: [] for name in schemes}]} if schemes else {}),
        "responses": {"200": {"description": "The response"}},
    }
    host = parts.netloc.rpartition("@")[2]
    return {
        "openapi": "3.1.0",
        "info": {"title": parts.hostname, "version": "1"},
        "servers": [{"url": f"{parts.scheme}://{host}"}],
        "paths": {path: {method: operation}},
        "components": {"securitySchemes": schemes},
    }


def _parse(command: str) -> argparse.Namespace:
    try:
        words = shlex.split(command.replace("\\\n", " "))
    except ValueError as error:
        raise UsageError(f"the curl command cannot be read: {error}") from error
    if words[:1] != ["curl"]:
        raise UsageError("the command must begin with 'curl'")
    parser = _CurlParser(prog="curl", add_help=False, allow_abbrev=False)
    parser.add_argument("urls", nargs="*")
    parser.add_argument("--url", action="append", default=[])
    parser.add_argument("-X", "--request")
    parser.add_argument("-H", "--header", action="append", default=[])
    parser.add_argument("-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--data-urlencode",
                        action="append", default=[], dest="data")  # fmt: skip
    parser.add_argument("--json")
    parser.add_argument("-u", "--user")
    parser.add_argument("-G", "--get", action="store_true")
    for flag in _FLAGS:
        parser.add_argument(flag, action="store_true", dest="ignored")
    for name in _VALUES:
        parser.add_argument(name, dest="ignored_value")
    return parser.parse_intermixed_args(words[1:])


def _headers(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise UsageError(f"'{line}' is not a header; write 'Name: value'")
        yield name.strip(), value.strip()


def _is_input(name: str) -> bool:
    lower = name.lower()
    return lower not in _IGNORED_HEADERS and lower != "authorization" and not _KEY_HEADER.fullmatch(name)


def _security_schemes(headers: Mapping[str, str], *, with_user: bool) -> Iterator[tuple[str, JsonObject]]:
    """Yield the security schemes of the credentials, without these."""
    if with_user:
        yield "basic", {"type": "http", "scheme": "basic"}
    for name, value in headers.items():
        scheme = value.partition(" ")[0].lower()
        if name.lower() == "authorization" and scheme in ("basic", "bearer"):
            yield scheme, {"type": "http", "scheme": scheme}
        elif name.lower() == "authorization" or _KEY_HEADER.fullmatch(name):
            yield "key", {"type": "apiKey", "in": "header", "name": name}


def _parameter(place: str, name: str, value: str) -> JsonObject:
    return {"name": name, "in": place, "schema": {"type": _type_of_text(value)}, "example": value}


def _type_of_text(text: str) -> str:
    if text in ("true", "false"):
        return "boolean"
    return "integer" if re.fullmatch(r"-?(0|[1-9]\d{0,8})", text) else "string"


def _body(json_text: str | None, data: str | None, headers: Mapping[str, str]) -> JsonObject:
    """Return the content of the request body by media type."""
    declared = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    text = (json_text if json_text is not None else data) or ""
    if text.startswith("@"):
        raise UsageError(f"the body is in a file ('{text}'); write it in the command")
    if json_text is not None or "json" in declared or text.lstrip().startswith(("{", "[")):
        try:
            value = json.loads(text)
        except ValueError as error:
            raise UsageError(f"the body of the curl command is not JSON: {error}") from error
        return {"application/json": {"schema": _schema(value)}}
    fields = {name: {"type": "string"} for name, _ in parse_qsl(text, keep_blank_values=True)}
    return {"application/x-www-form-urlencoded": {"schema": {"type": "object", "properties": fields}}}


def _schema(value: Any) -> JsonObject:
    """Return a schema with the types of an example."""
    if isinstance(value, dict):
        return {"type": "object", "properties": {name: _schema(child) for name, child in value.items()}}
    if isinstance(value, list):
        return {"type": "array", "items": _schema(value[0]) if value else {}}
    types = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return {"type": types[type(value)]} if type(value) in types else {}


def _operation_id(method: str, path: str) -> str:
    words = re.findall(r"[A-Za-z][A-Za-z0-9]*", path)
    return "-".join([method, *words[-2:]]).lower()
