"""A mock server for a consumed API: a real server on the loopback that validates requests as the API would."""

from __future__ import annotations

import logging
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import orjson
from aiohttp import http_exceptions, web

from adapter_host import ArgumentError, Pattern, parse_json, read_body, text_of
from adapter_host_http.credential import Credential
from adapter_host_http.request.plan import Parameter

from .auth import mock_authenticator
from .sample import sample_of

if TYPE_CHECKING:
    from adapter_host_http.operation import HttpOperation

_LOG: Final = logging.getLogger("adapter_host.http.mock")
_JSON: Final = "application/json"
_BODY_LIMIT: Final = 64 * 1024 * 1024
_DATA_URL: Final = re.compile(r"data:([^,]*);base64,([A-Za-z0-9+/=\s]*)")
_EXAMPLE_KEYS: Final = frozenset({"status", "body"})


def _omit_request(record: logging.LogRecord) -> bool:
    """Remove the errors of aiohttp's parser from a record, as their texts contain parts of the request."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, http_exceptions.HttpProcessingError | web.RequestPayloadError):
        record.exc_info = None
    return True


_LOG.addFilter(_omit_request)


@dataclass(frozen=True, slots=True)
class Route:
    """An operation as the mock server serves it."""

    pattern: Pattern
    fixed: int
    operation: HttpOperation


@dataclass(frozen=True, slots=True)
class Received:
    """A request that was read completely."""

    request: web.Request
    body: bytes
    data: Any

    def has(self, parameters: Parameter) -> bool:
        """Return whether a declared input was received."""
        if parameters.in_ == "query":
            return parameters.name in self.request.query
        if parameters.in_ == "header":
            return parameters.name in self.request.headers
        if parameters.in_ == "cookie":
            return parameters.name in self.request.cookies
        if parameters.in_ == "body" and not parameters.whole and isinstance(self.data, dict):
            return parameters.name in self.data
        return parameters.in_ == "path" or bool(self.body)


class MockServer:
    """Serves the operations of one consumer until it is stopped."""

    def __init__(self, operations: Sequence[HttpOperation], credential: Credential | None) -> None:
        self._authenticator = mock_authenticator(credential) if credential else None
        routes = [_route(operation) for operation in operations]
        self._routes = sorted(routes, key=lambda route: -route.fixed)
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Serve on a free port of the loopback; return the base URL."""
        app = web.Application(client_max_size=_BODY_LIMIT)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, logger=_LOG, auto_decompress=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def stop(self) -> None:
        """Stop serving."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        if self._authenticator is not None and (response := await self._authenticator.handle(request)) is not None:
            return response
        matching = [route for route in self._routes if route.pattern.matches(request.rel_url.raw_path)]
        if not matching:
            return _error(404, f"no operation at {unquote(request.rel_url.raw_path)}")
        match = next((route for route in matching if route.operation.method == request.method), None)
        if match is None:
            allowed = ", ".join(sorted({str(route.operation.method) for route in matching}))
            return _error(405, f"{request.method} is not allowed here", {"Allow": allowed})
        return await self._respond(match.operation, request)

    async def _respond(self, operation: HttpOperation, request: web.Request) -> web.Response:
        authenticator = self._authenticator
        if authenticator is not None and not authenticator.accepts(request):
            credential = authenticator.credential
            message = f"the {credential.in_} '{credential.name}' does not match the credential"
            return _error(401, message, authenticator.challenge())
        try:
            body = await read_body(request, _BODY_LIMIT)
        except ArgumentError as error:
            return _error(error.status, error.message)
        data = None
        if body and _sends_json(operation):
            if request.content_type != _JSON:
                return _error(415, f"the body must be application/json, not {request.content_type}")
            try:
                data = parse_json(body)
            except ValueError:
                return _error(400, "the body is not JSON")
        received = Received(request, body, data)
        for parameters in operation.parameters:
            if parameters.required and not received.has(parameters):
                return _error(400, f"'{parameters.name}' is required in {parameters.in_}")
        return _example_response(operation, received)


def _route(operation: HttpOperation) -> Route:
    path = str(operation.plan.path)
    fixed = len(re.sub(r"\{[^{}]+\}", "", path))
    return Route(operation.plan.path.pattern(), fixed, operation)


def _sends_json(operation: HttpOperation) -> bool:
    body = operation.scope.spec.body
    return body is None or body.type == "json"


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return _json(status, {"error": message}, headers)


def _json(status: int, data: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    body = None if status == 204 else orjson.dumps(data)
    return web.Response(status=status, body=body, content_type=_JSON, headers=headers)


def _example_response(operation: HttpOperation, received: Received) -> web.Response:
    spec = operation.scope.spec
    example = spec.example
    if example is None:
        example = sample_of(spec.output_parameters)
    if isinstance(example, dict) and "status" in example and example.keys() <= _EXAMPLE_KEYS:
        return _encode_response(operation, int(example["status"]), example.get("body"))
    if example is None:
        example = {"received": _echo(operation, received)}
    return _encode_response(operation, 200, example)


def _encode_response(operation: HttpOperation, status: int, data: Any) -> web.Response:
    """Return a response in the operation's format; text is in that format already, unless the format is JSON."""
    response_format = operation.format
    if operation.binary and (content := _data_url(data)) is not None:
        return web.Response(status=status, body=content[1], headers={"Content-Type": content[0]})
    if status >= 300 or response_format.media_type == _JSON:
        return _json(status, data)
    body = data.encode() if isinstance(data, str) else response_format.encode(data)
    return web.Response(status=status, body=body, content_type=response_format.media_type)


def _data_url(example: Any) -> tuple[str, bytes] | None:
    """Return the media type and bytes of a base64 `data:` URL (RFC 2397), which is how YAML examples hold bytes."""
    match = _DATA_URL.fullmatch(example) if isinstance(example, str) else None
    return None if match is None else (match[1] or "text/plain", b64decode(match[2]))


def _echo(operation: HttpOperation, received: Received) -> dict[str, Any]:
    request = received.request
    credential = operation.scope.credential
    query: dict[str, Any] = {}
    for name in request.query:
        if not (credential and credential.matches("query", name)):
            values = request.query.getall(name)
            query[name] = values if len(values) > 1 else values[0]
    declared = {c.name for c in operation.parameters if c.in_ == "header"}
    body = received.data if received.data is not None else received.body.decode(errors="replace") or None
    return {
        "method": request.method,
        "path": unquote(request.rel_url.raw_path),
        "query": query,
        "headers": {
            name: text_of(request.headers[name])
            for name in sorted(declared)
            if name in request.headers and not (credential and credential.matches("header", name))
        },
        "body": body,
    }
