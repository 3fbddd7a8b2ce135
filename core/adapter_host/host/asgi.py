"""Serve a host as an ASGI application."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from aiohttp import web

from adapter_host.compiler.plan import Plan
from adapter_host.server.asgi.exchange import Exchange, HandleRequest
from adapter_host.server.asgi.scope import Receive, Scope, Send
from adapter_host.server.connection.requests import HostRequest
from adapter_host.server.problem_json import problem_response
from adapter_host.server.router import RootRouter, root_application
from adapter_host.settings import Settings

from .attachment import Attachment

_log = logging.getLogger("adapter_host")


class EmbeddedHost(Protocol):
    """A host inside of an application."""

    settings: Settings

    @property
    def plans(self) -> Sequence[Plan]:
        """The compiled capabilities."""

    def attach_to(self, attachment: Attachment) -> None:
        """Serve inside an application from the next start on."""

    async def start(self, *, listen: bool) -> None:
        """Start to serve."""

    async def drain(self) -> None:
        """Refuse new calls, and wait for those in flight."""

    async def stop(self) -> None:
        """Stop everything."""


class AsgiApplication:
    """The HTTP exposers of a host as an ASGI 3 application, each below its namespace; made by `Host.asgi`.

    A server starts and stops the host by the lifespan protocol. Frameworks pass that to no application that is mounted
    in theirs: there, enter `lifespan()` in the lifespan of the outer application. The application checks credentials,
    but not Host and Origin, and closes WebSockets.
    """

    def __init__(self, host: EmbeddedHost) -> None:
        attachment = Attachment(RootRouter(""), "")
        attachment.mounts(host.plans)
        host.attach_to(attachment)
        self._host = host
        self._router = attachment.router
        self._handle: HandleRequest = _refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope: a request, a WebSocket or the lifespan of the server."""
        match scope["type"]:
            case "http":
                await Exchange(scope, receive, send, self._host.settings).run(self._handle)
            case "lifespan":
                await self._serve_lifespan(receive, send)
            case "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1000})
            case other:
                raise ValueError(f"scopes of type '{other}' are not supported")

    @asynccontextmanager
    async def lifespan(self, _: object = None) -> AsyncIterator[None]:
        """Start the host, and stop it at the end; a lifespan of Starlette and FastAPI, which pass their application."""
        root = root_application(self._router, self._host.settings)
        root.freeze()
        await self._host.start(listen=False)
        self._handle = self._router.handler(root._handle)
        try:
            yield
        finally:
            try:
                await self._host.drain()
            finally:
                self._handle = _refuse
                await self._host.stop()

    async def _serve_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        lifespan = self.lifespan()
        try:
            await lifespan.__aenter__()
        except Exception as error:
            # The server reports it, and ends.
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        try:
            await lifespan.__aexit__(None, None, None)
        except Exception as error:
            await send({"type": "lifespan.shutdown.failed", "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})


async def _refuse(_: HostRequest) -> web.StreamResponse:
    _log.error("the host has not started; enter lifespan() of its application in the lifespan of yours")
    return problem_response(503, "the host has not started")
