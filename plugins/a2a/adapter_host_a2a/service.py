"""Request handling of the A2A exposer, in the bindings JSON-RPC and HTTP+JSON; imported only when it is served."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from hashlib import sha256
from typing import Any, Final

from aiohttp import web

from adapter_host import (
    PRINCIPAL,
    ArgumentError,
    UnsupportedCodingError,
    bare_media_type,
    current_call,
    encode_json,
    parse_json,
    read_body,
)

from .agent import Agent
from .card import CARD_PATH, PROTOCOL_VERSION, with_interfaces
from .errors import (
    InternalProtocolError,
    InvalidParamsError,
    InvalidRequestError,
    JsonParseError,
    MethodNotFoundError,
    ProtocolError,
    PushNotificationNotSupportedError,
    UnsupportedOperationError,
    VersionNotSupportedError,
)
from .skills import JSON

log = logging.getLogger("adapter_host.a2a")

A2A_JSON: Final = "application/a2a+json"

KEEP_ALIVE_SECONDS: Final = 15.0
"""Seconds without events until a comment is sent, which keeps proxies from closing the connection."""

_HEADERS: Final = {"Cache-Control": "no-store", "Server": "adapter-host", "X-Content-Type-Options": "nosniff"}
_CARD_HEADERS: Final = {**_HEADERS, "Cache-Control": "public, max-age=60"}
_INTEGERS: Final = frozenset({"historyLength", "pageSize"})
_FLAGS: Final = {"true": True, "false": False}
_PUSH: Final = re.compile(r"(?:Create|Get|List|Delete)TaskPushNotificationConfigs?")

Events = AsyncIterator[dict[str, Any]]
Method = Callable[[Any, str], Awaitable[dict[str, Any]]]


class Service:
    """Serves the agent of an exposer, and its card."""

    def __init__(self, agent: Agent, card: Mapping[str, Any], body_limit: int, public_url: str | None) -> None:
        self._agent = agent
        self._card = card
        self._body_limit = body_limit
        self._public_url = public_url
        self._path = ""
        self._methods: dict[str, Method] = {
            "SendMessage": agent.send_message,
            "GetTask": agent.get_task,
            "ListTasks": agent.list_tasks,
            "CancelTask": agent.cancel_task,
        }
        self._streams: dict[str, Callable[[Any, str], Events]] = {
            "SendStreamingMessage": agent.stream_message,
            "SubscribeToTask": agent.subscribe,
        }

    def app(self, endpoint: str) -> web.Application:
        """Return an application that serves both bindings at `endpoint`, and the card."""
        app = web.Application()
        resource = app.router.add_resource(endpoint)
        resource.add_route("POST", self.serve_json_rpc)
        app.router.add_get(CARD_PATH, self.serve_card)
        app.router.add_route("*", f"{endpoint}/{{rest:.+}}", self.serve_rest)

        async def find_path(_: web.Application) -> None:
            # The prefix of the mount is known only at start-up.
            self._path = resource.canonical

        app.on_startup.append(find_path)
        return app

    async def serve_card(self, request: web.Request) -> web.Response:
        """Handle a request for the agent card."""
        url = self._public_url or f"{request.url.origin()}{self._path}"
        body = encode_json(with_interfaces(self._card, url))
        tag = f'"{sha256(body).hexdigest()[:32]}"'
        headers = {**_CARD_HEADERS, "ETag": tag}
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, content_type=JSON, headers=headers)

    async def serve_json_rpc(self, request: web.Request) -> web.StreamResponse:
        """Handle a request of JSON-RPC 2.0."""
        message_id: Any = None
        try:
            body = await self._read_json(request, (JSON, A2A_JSON))
            message_id = body.get("id") if isinstance(body, Mapping) else None
            method, params = _parse_call(body)
            _check_version(request)
            if (stream := self._streams.get(method)) is not None:
                events = stream(params, _owner(request))
                return await _stream(request, events, lambda event: _result(message_id, event))
            result = await self._find(method)(params, _owner(request))
            return _json_response(200, _result(message_id, result), JSON)
        except ProtocolError as error:
            return self._json_rpc_error(message_id, error)
        except ArgumentError as error:
            return _accepting(error, self._json_rpc_error(None, InvalidRequestError(error.message), error.status))
        except Exception:  # an error of one request must not affect others, and its text is internal
            return self._json_rpc_error(message_id, _unexpected())

    async def serve_rest(self, request: web.Request) -> web.StreamResponse:
        """Handle a request of HTTP+JSON."""
        try:
            method, params = await self._parse_rest(request)
            _check_version(request)
            if (stream := self._streams.get(method)) is not None:
                return await _stream(request, stream(params, _owner(request)), lambda event: event)
            return _json_response(200, await self._find(method)(params, _owner(request)), A2A_JSON)
        except ProtocolError as error:
            return _rest_error(error)
        except ArgumentError as error:
            body = {"code": error.status, "status": "INVALID_ARGUMENT", "message": error.message}
            return _accepting(error, _json_response(error.status, {"error": body}, A2A_JSON))
        except Exception:  # as above
            return _rest_error(_unexpected())

    def _find(self, method: str) -> Method:
        """Return a method that returns one response; raise the error of an unknown or unsupported one."""
        if (found := self._methods.get(method)) is not None:
            return found
        if _PUSH.fullmatch(method):
            raise PushNotificationNotSupportedError("push notifications are not supported")
        if method == "GetExtendedAgentCard":
            raise UnsupportedOperationError("there is no extended agent card; use the public one")
        raise MethodNotFoundError(f"unknown method '{method}'")

    async def _parse_rest(self, request: web.Request) -> tuple[str, Any]:
        """Return the method and the parameters of a request of HTTP+JSON."""
        segments = request.match_info["rest"].split("/")
        route = _find_route(request.method, segments)
        if route is None:
            raise MethodNotFoundError(f"no method at {request.method} /{request.match_info['rest']}")
        method, task_id = route
        if request.method != "POST":
            params = _query_params(request)
        else:
            params = await self._read_json(request, (A2A_JSON, JSON)) if request.can_read_body else {}
        if task_id is not None and isinstance(params, Mapping):
            params = {**params, "id": task_id}
        return method, params

    async def _read_json(self, request: web.Request, media_types: tuple[str, ...]) -> Any:
        # Forms and text can be sent by any web page without the consent of the server.
        if bare_media_type(request.headers.get("Content-Type", "")) not in media_types:
            raise InvalidRequestError(f"the body must be {media_types[0]}; set Content-Type")
        try:
            return parse_json(await read_body(request, self._body_limit))
        except ValueError:
            raise JsonParseError("the body must be JSON") from None

    def _json_rpc_error(self, message_id: Any, error: ProtocolError, status: int = 200) -> web.Response:
        """Return an error of JSON-RPC; clients of the protocol read it only from a response with the status 200."""
        body: dict[str, Any] = {"code": error.code, "message": error.message}
        if error.details:
            body["data"] = error.details
        return _json_response(status, {"jsonrpc": "2.0", "id": message_id, "error": body}, JSON)


def _parse_call(body: Any) -> tuple[str, Any]:
    if not isinstance(body, Mapping) or body.get("jsonrpc") != "2.0" or not isinstance(body.get("method"), str):
        raise InvalidRequestError("the body must be one request of JSON-RPC 2.0; batches are not supported")
    if not isinstance(body.get("id"), str | int):
        raise InvalidRequestError("'id' must be a text or an integer")
    return body["method"], body.get("params", {})


def _find_route(http_method: str, segments: list[str]) -> tuple[str, str | None] | None:
    """Return the method of a path, and the id of the task in it (A2A 1.0, section 11.3)."""
    first, *others = segments
    if not others:
        known = {
            ("POST", "message:send"): "SendMessage",
            ("POST", "message:stream"): "SendStreamingMessage",
            ("GET", "tasks"): "ListTasks",
            ("GET", "extendedAgentCard"): "GetExtendedAgentCard",
        }
        method = known.get((http_method, first))
        return None if method is None else (method, None)
    if first != "tasks":
        return None
    if others[1:2] == ["pushNotificationConfigs"]:
        return "GetTaskPushNotificationConfig", others[0]
    task_id, _, action = others[0].partition(":")
    actions = {("GET", ""): "GetTask", ("POST", "cancel"): "CancelTask", ("POST", "subscribe"): "SubscribeToTask"}
    method = None if others[1:] else actions.get((http_method, action))
    return None if method is None else (method, task_id)


def _query_params(request: web.Request) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for name, text in request.query.items():
        if name in _INTEGERS and not (text.isascii() and text.lstrip("-").isdigit()):
            raise InvalidParamsError.of(name, "must be an integer")
        value: Any = int(text[:10]) if name in _INTEGERS else text
        params[name] = _FLAGS.get(text, text) if name == "includeArtifacts" else value
    return params


def _check_version(request: web.Request) -> None:
    # Requests without a version are those of 0.3 (A2A 1.0, section 3.6.2).
    sent = request.headers.get("A2A-Version") or request.query.get("A2A-Version") or "0.3"
    if ".".join(sent.strip().split(".")[:2]) != PROTOCOL_VERSION:
        message = f"version {sent[:20]} of the protocol is not supported; send A2A-Version: {PROTOCOL_VERSION}"
        raise VersionNotSupportedError(message, supportedVersions=PROTOCOL_VERSION)


def _owner(request: web.Request) -> str:
    principal = request.get(PRINCIPAL)
    return "" if principal is None else principal.identity


def _unexpected() -> InternalProtocolError:
    request_id = current_call().request_id
    log.exception("request %s: unexpected error", request_id)
    return InternalProtocolError(f"internal error (request {request_id})")


def _result(message_id: Any, result: Mapping[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": message_id, "result": result}


def _json_response(status: int, body: Mapping[str, Any], media_type: str) -> web.Response:
    return web.Response(status=status, body=encode_json(body), content_type=media_type, headers=_HEADERS)


def _rest_error(error: ProtocolError) -> web.Response:
    body: dict[str, Any] = {"code": error.status, "status": error.grpc_status, "message": error.message}
    if error.details:
        body["details"] = error.details
    return _json_response(error.status, {"error": body}, A2A_JSON)


def _accepting(error: ArgumentError, response: web.Response) -> web.Response:
    """Return the response to a body that cannot be read, with the content codings that could be."""
    if isinstance(error, UnsupportedCodingError):
        response.headers["Accept-Encoding"] = error.accepted
    return response


async def _stream(
    request: web.Request, events: Events, wrap: Callable[[dict[str, Any]], Mapping[str, Any]]
) -> web.StreamResponse:
    """Send events as they arrive, and comments while there are none."""
    response = web.StreamResponse(headers={**_HEADERS, "X-Accel-Buffering": "no"})
    response.content_type = "text/event-stream"
    async with aclosing(events) as source:  # type: ignore[type-var]
        first = await anext(source)
        await response.prepare(request)
        await response.write(b"data: %b\n\n" % encode_json(wrap(first)))
        pending = asyncio.ensure_future(anext(source, None))
        try:
            while True:
                await asyncio.wait({pending}, timeout=KEEP_ALIVE_SECONDS)
                if not pending.done():
                    await response.write(b":\n\n")
                elif (event := pending.result()) is None:
                    break
                else:
                    await response.write(b"data: %b\n\n" % encode_json(wrap(event)))
                    pending = asyncio.ensure_future(anext(source, None))
        finally:
            pending.cancel()
            await asyncio.wait({pending})
    await response.write_eof()
    return response
