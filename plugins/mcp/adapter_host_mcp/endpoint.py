"""The endpoint `/mcp`: Streamable HTTP, of which every answer is one JSON document."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import web
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, ErrorData, RequestId

from adapter_host import OperationError, new_request_id

from . import sdk
from .answers import failure, success
from .tools import LONGEST, Tool

log = logging.getLogger(__name__)

_JSON: Final = "application/json"


class Refusal(Exception):
    """A request that HTTP alone refuses."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)


class Endpoint:
    """Answers each request on its own: no session is kept, so no client can be mistaken for another."""

    def __init__(self, server: Server[None], tools: Mapping[str, Tool], body_limit: int) -> None:
        self._server = server
        self._tools = tools
        self._body_limit = body_limit
        self._stamp = b"," + orjson.dumps(sdk.stamp(server))[1:-1]

    async def post(self, request: web.Request) -> web.Response:
        """Answer one message."""
        try:
            _check_headers(request)
            decoded = _decode(await self._read(request))
            message = sdk.read_message(decoded, request.headers)
        except Refusal as refusal:
            return _error(None, ErrorData(code=INVALID_REQUEST, message=refusal.message), refusal.status)
        except MCPError as error:
            return _error(None, error.error, sdk.rejection_status(error.error))
        if message is None:
            return web.Response(status=202)
        try:
            exchange = sdk.classify(message, decoded, request.headers)
        except MCPError as error:
            return _error(message.id, error.error, sdk.rejection_status(error.error))
        return await self._answer(exchange)

    async def _read(self, request: web.Request) -> bytes:
        # Not `request.read()`: its limit is that of the outermost application, which may be somebody else's.
        body = bytearray()
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > self._body_limit:
                raise Refusal(413, f"the body is larger than {self._body_limit} bytes")
        return bytes(body)

    async def _answer(self, exchange: sdk.Exchange) -> web.Response:
        try:
            result = await self._result(exchange)
        except MCPError as error:
            data = error.error
        except Exception as error:
            # The edge of the protocol: whatever went wrong, the client is owed an answer, and no details.
            data = _logged(exchange, error)
        else:
            return _response(b'"id":%b,"result":%b' % (orjson.dumps(exchange.request.id), result))
        return _error(exchange.request.id, data, exchange.status(data))

    async def _result(self, exchange: sdk.Exchange) -> bytes:
        if exchange.request.method != "tools/call":
            return orjson.dumps(await sdk.serve(self._server, exchange))
        # Past the SDK's server: it would validate all that is written here a second time, piece by piece. No
        # input schema of ours asks for Mcp-Param headers, so there are none to compare.
        exchange.check()
        members = await self._call(exchange.request.params or {}, any_output=exchange.stateless)
        return b"{%b%b}" % (members, self._stamp if exchange.stateless else b"")

    async def _call(self, params: Mapping[str, Any], *, any_output: bool) -> bytes:
        name: str = params["name"]
        tool = self._tools.get(name)
        if tool is None:
            raise MCPError(INVALID_PARAMS, f"Unknown tool: {name[:LONGEST]}")
        try:
            result = await tool.operation.call(params.get("arguments") or {})
            return success(result, tool, any_output=any_output)
        except OperationError as error:
            return failure(error)


def _check_headers(request: web.Request) -> None:
    if not sdk.accepts_json(request):
        raise Refusal(406, "the client must accept application/json")
    if request.content_type != _JSON:
        raise Refusal(415, "the Content-Type must be application/json")


def _decode(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise MCPError(PARSE_ERROR, "Parse error: the body is not JSON") from None


def _logged(exchange: sdk.Exchange, error: Exception) -> ErrorData:
    reference = new_request_id()
    name = (exchange.request.params or {}).get("name", "")
    log.error("%s %r failed (request %s)", exchange.request.method, name, reference, exc_info=error)
    return ErrorData(code=INTERNAL_ERROR, message="Internal error", data={"request_id": reference})


def _error(request_id: RequestId | None, data: ErrorData, status: int) -> web.Response:
    members = {"id": request_id, "error": data.model_dump(exclude_none=True)}
    return _response(orjson.dumps(members)[1:-1], status)


def _response(members: bytes, status: int = 200) -> web.Response:
    body = b'{"jsonrpc":"2.0",%b}' % members
    return web.Response(body=body, status=status, content_type=_JSON)
