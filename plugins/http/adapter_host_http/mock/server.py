"""A mock server for consumed APIs: a real server on the loopback that validates requests as the APIs would."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from base64 import b64decode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote

from aiohttp import http_exceptions, web

from adapter_host import (
    ArgumentError,
    Pattern,
    StartError,
    UpstreamCredential,
    bare_media_type,
    encode_json,
    is_json,
    mock_authenticator,
    parse_json,
    read_body,
    text_of,
)
from adapter_host_http.request.plan import Parameter

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
    """A request that was read completely; `path` is its raw path below the base URL."""

    request: web.Request
    path: str
    body: bytes
    data: Any

    def has(self, parameters: Parameter) -> bool:
        """Return whether a declared input was received."""
        if parameters.in_ == "query":
            return parameters.name in self.request.query or self._has_styled(parameters)
        if parameters.in_ == "header":
            return parameters.name in self.request.headers
        if parameters.in_ == "cookie":
            return parameters.name in self.request.cookies
        if parameters.in_ == "body" and not parameters.whole and isinstance(self.data, dict):
            return parameters.name in self.data
        return parameters.in_ == "path" or bool(self.body)

    def _has_styled(self, parameter: Parameter) -> bool:
        """Return whether a query may have an object, whose properties are parameters."""
        wire = parameter.wire
        if wire is None or not wire.explode:
            return False
        names = self.request.query
        return (
            any(name.startswith(f"{parameter.name}[") for name in names) if wire.style == "deepObject" else bool(names)
        )


class MockApi:
    """The operations of one consumer, as the mock server serves them."""

    def __init__(self, operations: Sequence[HttpOperation], credential: UpstreamCredential | None) -> None:
        self._authenticator = mock_authenticator(credential) if credential else None
        routes = [_route(operation) for operation in operations]
        self._routes = sorted(routes, key=lambda route: -route.fixed)

    async def serve(self, request: web.Request, path: str) -> web.Response:
        """Return the response to a request; `path` is its raw path below the base URL."""
        authenticator = self._authenticator
        if authenticator is not None and (response := await authenticator.handle(request, path)) is not None:
            return response
        matching = [route for route in self._routes if route.pattern.matches(path)]
        if not matching:
            return _error(404, f"no operation at {unquote(path)}")
        routes = [route for route in matching if route.operation.method == request.method]
        if not routes:
            allowed = ", ".join(sorted({str(route.operation.method) for route in matching}))
            return _error(405, f"{request.method} is not allowed here", {"Allow": allowed})
        operations = [route.operation for route in routes if route.fixed == routes[0].fixed]
        return await self._respond(operations, request, path)

    async def _respond(self, operations: Sequence[HttpOperation], request: web.Request, path: str) -> web.Response:
        authenticator = self._authenticator
        if authenticator is not None and not authenticator.accepts(request):
            credential = authenticator.credential
            message = f"the {credential.in_} '{credential.name}' does not match the credential"
            return _error(401, message, authenticator.challenge())
        try:
            body = await read_body(request, _BODY_LIMIT)
        except ArgumentError as error:
            return _error(error.status, error.message)
        outcomes = [_check(operation, Received(request, path, body, None)) for operation in operations]
        accepted = [outcome for outcome in outcomes if isinstance(outcome, Accepted)]
        if not accepted:
            return next(outcome for outcome in outcomes if isinstance(outcome, web.Response))
        # Of operations that share a URL, the one with the most of the inputs in the request.
        return _example_response(*max(accepted, key=lambda outcome: outcome.inputs)[:2])


class Accepted(NamedTuple):
    """A request with everything that an operation requires, and the number of its inputs in the request."""

    operation: HttpOperation
    received: Received
    inputs: int


def _check(operation: HttpOperation, received: Received) -> Accepted | web.Response:
    """Return the request with its data, or the response to an invalid one."""
    if received.body and _sends_json(operation):
        expected = operation.request_media_type or _JSON
        if received.request.content_type != bare_media_type(expected):
            return _error(415, f"the body must be {expected}, not {received.request.content_type}")
        try:
            received = replace(received, data=parse_json(received.body))
        except ValueError:
            return _error(400, "the body is not JSON")
    for parameter in operation.parameters:
        if parameter.required and not received.has(parameter):
            return _error(400, f"'{parameter.name}' is required in {parameter.in_}")
    fixed = parse_qsl(operation.plan.constant_query()[1:], keep_blank_values=True)
    if any(value not in received.request.query.getall(name, ()) for name, value in fixed):
        return _error(404, f"the query must have {operation.plan.constant_query()[1:]}")
    inputs = len(fixed) + sum(received.has(parameter) for parameter in operation.parameters)
    return Accepted(operation, received, inputs)


class MockServer:
    """Serves all mocked APIs of a host on one free port of the loopback, each below a prefix of its own."""

    def __init__(self) -> None:
        self._apis: dict[str, MockApi] = {}
        self._numbers = count(1)
        self._server: asyncio.Task[tuple[web.AppRunner, str]] | None = None

    async def add(self, api: MockApi) -> str:
        """Serve an API until it is removed; return its base URL. Raises `StartError`."""
        number = str(next(self._numbers))
        self._apis[number] = api
        if self._server is None:
            self._server = asyncio.create_task(self._open())
        try:
            _, url = await asyncio.shield(self._server)
        except BaseException:
            await self.remove(number)
            raise
        return f"{url}/{number}"

    async def remove(self, base: str) -> None:
        """Stop serving the API at a base URL; close the port after the last one."""
        self._apis.pop(base.rpartition("/")[2], None)
        server = self._server
        if self._apis or server is None:
            return
        # The next API opens another port, even while this one is being closed.
        self._server = None
        with suppress(StartError):
            runner, _ = await server
            await runner.cleanup()

    async def _open(self) -> tuple[web.AppRunner, str]:
        try:
            # asyncio would ignore the error.
            listening = socket.create_server(("127.0.0.1", 0))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise StartError(f"cannot start the mock server: {reason}; raise the limit of open files") from error
        app = web.Application(client_max_size=_BODY_LIMIT)
        app.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(app, access_log=None, logger=_LOG, auto_decompress=False)
        await runner.setup()
        await web.SockSite(runner, listening).start()
        host, port = listening.getsockname()
        return runner, f"http://{host}:{port}"

    async def _serve(self, request: web.Request) -> web.Response:
        number, _, path = request.rel_url.raw_path[1:].partition("/")
        api = self._apis.get(number)
        return _error(404, "no API here") if api is None else await api.serve(request, f"/{path}")


def _route(operation: HttpOperation) -> Route:
    path = str(operation.plan.path)
    fixed = len(re.sub(r"\{[^{}]+\}", "", path))
    return Route(operation.plan.path.pattern(), fixed, operation)


def _sends_json(operation: HttpOperation) -> bool:
    body = operation.scope.spec.body
    return (body is None or body.type == "json") and is_json(operation.request_media_type or _JSON)


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return _json(status, {"error": message}, headers)


def _json(status: int, data: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    body = None if status == 204 else encode_json(data)
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
    if operation.pagination is None:
        return _encode_response(operation, 200, example)
    # Imported late: few operations have pages.
    from .pages import page_of

    page = page_of(operation, received.request, received.data, example)
    response = _encode_response(operation, 200, page.data)
    response.headers.update(page.headers)
    return response


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
        "path": unquote(received.path),
        "query": query,
        "headers": {
            name: text_of(request.headers[name])
            for name in sorted(declared)
            if name in request.headers and not (credential and credential.matches("header", name))
        },
        "body": body,
    }
