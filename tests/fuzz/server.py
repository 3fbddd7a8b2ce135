"""Fuzzer of the server side: requests to a host with REST, forward, MCP and control exposers.

Each complete request gets exactly one well-formed response. Other bytes get well-formed responses, or the connection is
closed, or waits for the rest. No response has a 5xx status, nothing is logged as an error, and the host serves a valid
request afterwards.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Handler

from adapter_host.testing import Running, running
from tests.support.raw_http import CLOSE, Connection, connect, exchange, status_of

from .examples import fuzzer
from .requests import Request, requests
from .responses import IncompleteResponseError, Response, read_head, read_response
from .run import Fuzzer

SECONDS: Final = 20.0
"""The time in which a complete request must have its response, on a machine of any speed."""
PAUSE: Final = 0.02
"""How long a response to an incomplete request is awaited: there may be none."""
NOT_IMPLEMENTED: Final = frozenset({501, 505})
"""The 5xx statuses that are right for a method, a coding and a version that no server implements."""

INPUTS: Final = (
    {"name": "n", "in": "query", "type": "number", "required": False},
    {"name": "flag", "in": "query", "type": "boolean", "required": False},
    {"name": "q", "in": "query", "type": "string", "required": False, "pattern": "^[a-z0-9]*$"},
    {"name": "X-Key", "in": "header", "type": "string", "required": False},
)


def document(api: str) -> dict[str, Any]:
    """Return a document with every kind of exposer and of input."""
    identifier = {"name": "id", "in": "path", "type": "string"}
    echoed = [{"name": name, "in": "body", "required": False} for name in ("id", "value", "items", "name")]
    consumed = [
        {"name": "read", "method": "GET"},
        {"name": "write", "method": "PUT", "inputParameters": [{"name": "body", "in": "body"}]},
    ]
    resources = [
        {
            "path": "/things/{id}",
            "operations": [{"method": "GET", "call": "api.read"}, {"method": "PUT", "call": "api.write"}],
        },
        {
            "path": "/typed/{id}",
            "operations": [
                {
                    "method": "GET",
                    "inputParameters": [{**identifier, "type": "integer"}, *INPUTS],
                    "outputParameters": [{"name": "id", "type": "number", "value": "{{id}}"}],
                }
            ],
        },
        {
            "path": "/echo",
            "operations": [
                {
                    "method": "POST",
                    "inputParameters": echoed,
                    "outputParameters": [
                        {"name": each["name"], "type": "string", "value": f"{{{{{each['name']}}}}}"} for each in echoed
                    ],
                }
            ],
        },
        {
            "path": "/steps/{id}",
            "operations": [
                {
                    "method": "GET",
                    "name": "steps",
                    "inputParameters": [identifier],
                    "steps": [
                        {"name": "first", "type": "call", "call": "api.read", "with": {"id": "{{id}}"}},
                        {"name": "second", "type": "call", "call": "api.read", "with": {"id": "{{first.id}}"}},
                    ],
                }
            ],
        },
    ]
    forwarded = {"path": "/forward/{path}", "forward": {"targetNamespace": "api", "trustedHeaders": ["Accept", "X-Tr"]}}
    who = {"name": "who", "description": "Who", "pattern": "^(ada|bob)$", "required": False}
    mcp = {
        "tools": [
            {"name": "read", "description": "Reads", "call": "api.read"},
            {
                "name": "echo",
                "description": "Echoes",
                "inputParameters": [{"name": name, "description": name, "required": False} for name in ("q", "list")],
                "outputParameters": [{"name": "q", "type": "string", "value": "{{q}}"}],
            },
        ],
        "resources": [
            {"name": "thing", "label": "T", "uri": "shop://things/{id}", "description": "T", "call": "api.read"}
        ],
        "prompts": [
            {
                "name": "greet",
                "label": "G",
                "description": "Greets",
                "arguments": [who],
                "template": [{"role": "user", "content": "Hello {{who}}"}],
            }
        ],
    }
    management = {
        "info": True, "reload": True, "validate": True, "scripting": {},
        "logs": {"stream": True, "level-control": True},
    }  # fmt: skip
    observability = {"metrics": {"local": {"enabled": True}}, "traces": {"local": {"enabled": True}}}
    return {
        "naftiko": "1.0.0-alpha2",
        "capability": {
            "consumes": [
                {
                    "type": "http",
                    "namespace": "api",
                    "baseUri": api,
                    "resources": [{"path": "/things/{id}", "operations": consumed}],
                }
            ],
            "exposes": [
                {"type": "rest", "namespace": "rest", "port": 0, "resources": resources},
                {"type": "rest", "namespace": "forward", "port": 0, "resources": [forwarded]},
                {"type": "mcp", "namespace": "mcp", "port": 0, **mcp},
                {
                    "type": "control",
                    "namespace": "control",
                    "port": 0,
                    "management": management,
                    "observability": observability,
                },
            ],
        },
    }


async def _respond(_: web.Request) -> web.Response:
    return web.json_response({"id": 7})


class Target:
    """A served host, and the checks of its responses."""

    def __init__(self, served: Running) -> None:
        self._ports = {status.namespace: urlsplit(status.url or "").port for status in served.host.status()}
        self._errors = _ErrorLog()

    def port(self, namespace: str) -> int:
        """Return the port of an exposer."""
        port = self._ports[namespace]
        assert port is not None
        return port

    async def check(self, request: Request) -> None:
        """Send a request, and check the responses, the log, and that the host still serves."""
        async with connect(self.port(request.namespace)) as connection:
            with suppress(ConnectionError):
                for piece in request.pieces:
                    await connection.send(piece)
            received, closed = await self._receive(connection, request)
        found = responses(received, request, closed=closed)
        assert request.complete <= (len(found) == 1 and (closed or found[0].is_stream)), (found, closed)
        for response in found:
            assert response.status < 500 or response.status in NOT_IMPLEMENTED, response
        live = await exchange(self.port("rest"), b"GET /things/1 HTTP/1.1\r\n%b\r\n" % CLOSE, seconds=SECONDS)
        assert status_of(live) == 200, live
        self._errors.check()

    async def _receive(self, connection: Connection, request: Request) -> tuple[bytes, bool]:
        """Return the output of the server, and whether it has closed the connection."""
        received = b""
        seconds = SECONDS if request.complete else PAUSE
        try:
            while data := await asyncio.wait_for(connection.reader.read(2**16), seconds):
                received += data
                if _has_stream(received):
                    return received, False
        except TimeoutError:
            assert not request.complete, f"no end of the response after {received[-200:]!r}"
            return received, False
        except ConnectionError:
            # The server closes while unread bytes of the request arrive.
            return received, True
        return received, True

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Watch the log."""
        root = logging.getLogger()
        root.addHandler(self._errors)
        try:
            yield
        finally:
            root.removeHandler(self._errors)


class _ErrorLog(logging.Handler):
    """Records of errors since the last check."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._records: list[logging.LogRecord] = []
        self._levels = {name: logging.getLogger(name).level for name in ("", "adapter_host")}

    def emit(self, record: logging.LogRecord) -> None:
        # aiohttp reports a request that it refuses as an error.
        if not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)):
            self._records.append(record)

    def check(self) -> None:
        """Fail for records; restore the levels, which requests to the control exposer may change."""
        records, self._records = self._records, []
        formatted = [self.format(record) for record in records]
        assert not formatted, "\n".join(formatted)
        for name, level in self._levels.items():
            logging.getLogger(name).setLevel(level)


def _has_stream(received: bytes) -> bool:
    try:
        return read_head(received)[0].is_stream
    except IncompleteResponseError:
        return False


def responses(received: bytes, request: Request, *, closed: bool) -> list[Response]:
    """Return the final responses in the output of a server; raise for malformed ones, and for the beginning of one."""
    found: list[Response] = []
    while received:
        response, rest = read_head(received)
        if response.is_stream:
            return [*found, response]
        response, rest = read_response(received, to_head=request.is_head, closed=closed)
        received = rest
        if response.status >= 200:
            found.append(response)
    return found


@asynccontextmanager
async def serving(respond: Handler = _respond) -> AsyncIterator[Target]:
    """Serve the document, with an API that responds to every request by a handler."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", respond)
    async with TestServer(app) as api, running(document(str(api.make_url("")).rstrip("/"))) as served:
        target = Target(served)
        with target.watch():
            yield target


@contextmanager
def open_fuzzer() -> Iterator[Fuzzer]:
    """Serve a host, and yield the function that sends requests to it."""
    with asyncio.Runner() as runner:
        context = serving()
        target = runner.run(context.__aenter__())

        try:
            yield fuzzer(requests(), lambda request: runner.run(target.check(request)))
        finally:
            runner.run(context.__aexit__(None, None, None))
