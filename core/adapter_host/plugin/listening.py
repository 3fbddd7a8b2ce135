"""Sockets of exposers: declared at build, opened by the host, and kept across reloads."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from adapter_host.capability.spec import ListeningConfig
from adapter_host.operation.limiter import InFlightCounter

_log = logging.getLogger("adapter_host")

StreamHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Serves one connection until it returns."""

ProtocolFactory = Callable[[], asyncio.BaseProtocol]
"""Returns the protocol of a new connection."""


class ListeningExposer(Protocol):
    """An exposer whose entry in a document has a place to listen at."""

    @property
    def config(self) -> ListeningConfig:
        """Its entry."""


ListeningExposerT = TypeVar("ListeningExposerT", bound=ListeningExposer)


class SocketHost(Protocol):
    """The host's side of a socket."""

    def url(self, scheme: str) -> str:
        """Return the URL of the socket."""

    @property
    def serving(self) -> bool:
        """Whether the socket accepts connections."""

    def duplicate(self) -> socket.socket:
        """Return a duplicate of the socket, which listens."""

    def activity(self, transport: asyncio.BaseTransport) -> AbstractContextManager[Any]:
        """Return a context in which the connection of a transport is not idle."""


@dataclass(slots=True)
class Serving:
    """The exposer that serves a socket, and the counter of the requests in progress of its generation."""

    exposer: Any
    requests: InFlightCounter


@dataclass(slots=True, eq=False)
class Line:
    """The connections that exposers of one class serve, one after another."""

    current: Serving
    factory: ProtocolFactory
    marks_requests: bool = False

    @property
    def namespace(self) -> str:
        """The namespace of the exposer."""
        namespace: str = self.current.exposer.config.namespace
        return namespace


@dataclass(slots=True, eq=False)
class SocketDeclaration:
    """The socket that an exposer has declared by `BuildContext.listen`, and its protocol since the start."""

    config: ListeningConfig
    scheme: str
    body_limit: int
    protocols: tuple[str, ...] = ()
    host: SocketHost | None = None
    own: Serving | None = None
    line: Line | None = None
    factory: ProtocolFactory | None = None
    marks_requests: bool = False
    duplicated: bool = False

    def assign(self, host: SocketHost, own: Serving) -> None:
        """Prepare the start of the exposer: `host` has opened the socket."""
        self.host, self.own, self.line, self.factory, self.duplicated = host, own, None, None, False

    def reset(self) -> None:
        """Prepare another start of the exposer, whose connections continue."""
        self.factory, self.duplicated = None, False

    def release(self) -> None:
        """Forget the socket, which is closed."""
        self.host = None

    @property
    def serving(self) -> Serving:
        """Who serves the connections now; raise `RuntimeError` before the start."""
        if self.line is not None:
            return self.line.current
        if self.own is None:
            raise RuntimeError("the socket is not open; use it from 'start' on")
        return self.own

    @property
    def open_host(self) -> SocketHost:
        """The host's side; raise `RuntimeError` before the start."""
        if self.host is None:
            raise RuntimeError("the socket is not open; use it from 'start' on")
        return self.host


class ListeningSocket(Generic[ListeningExposerT]):
    """A socket of the host that serves exposers of one class; `BuildContext.listen` returns it.

    The host opens it once and keeps it across reloads. In `start`, call exactly one of `serve`, `serve_streams` and
    `duplicate`. With the first two, the host accepts the connections, limits them, and keeps them across reloads too:
    the exposer of the new document accepts the next connections, and requests on open ones reach it by `request`.
    """

    __slots__ = ("_declaration",)

    def __init__(self, declaration: SocketDeclaration) -> None:
        self._declaration = declaration

    @property
    def url(self) -> str | None:
        """The URL with the actual port, or `unix://PATH`; None while the socket is not open."""
        declaration = self._declaration
        return None if declaration.host is None else declaration.host.url(declaration.scheme)

    @property
    def failure(self) -> str | None:
        """Why the socket accepts no connections; None while it does."""
        host = self._declaration.host
        return None if host is not None and host.serving else "not listening"

    @property
    def exposer(self) -> ListeningExposerT:
        """The exposer that currently serves this socket: after a reload, that of the new document."""
        exposer: ListeningExposerT = self._declaration.serving.exposer
        return exposer

    async def serve(self, factory: ProtocolFactory, *, marks_requests: bool = False) -> None:
        """Serve each connection by a protocol of asyncio that `factory` returns.

        With `marks_requests`, each request is within a context of `request`, so all time limits of connections apply;
        otherwise they apply from the first such context on, and before only to clients that send nothing.
        """
        self._declare(factory=factory, marks_requests=marks_requests)

    async def serve_streams(
        self, handler: StreamHandler, *, limit: int | None = None, marks_requests: bool = False
    ) -> None:
        """Serve each connection by `handler`, which runs in a task of its own and is cancelled at the stop.

        A line may have `limit` bytes (default: `Settings.body_limit`). Errors of the handler are logged.
        `marks_requests` is that of `serve`.
        """
        bound = self._declaration.body_limit if limit is None else limit
        namespace = self._declaration.config.namespace
        await self.serve(lambda: StreamProtocol(handler, bound, namespace), marks_requests=marks_requests)

    def duplicate(self) -> socket.socket:
        """Return a duplicate of the socket, which listens, for a server that accepts connections itself.

        It cannot be used with TLS of the host: this raises `StartError`.

        The server owns the duplicate and its connections. After a reload, the new exposer accepts from the same
        socket; then `drain` and `stop` of the old one are called.
        """
        return self._declare(duplicated=True).duplicate()

    def request(
        self, connection: asyncio.StreamWriter | asyncio.BaseTransport | None = None
    ) -> ServedRequest[ListeningExposerT]:
        """Return the context of one request; `with` yields the exposer that currently serves this socket.

        The exposer is not stopped within the context, and the connection is not idle. Outside of it, the time limits
        of connections apply: `header_timeout` until the first request, and `keep_alive_timeout` between two. Within it
        there is no time limit: bound a request that is still arriving by `body_timeout` and `minimum_rate`.

        `connection` is that of the client. It is None for connections of a server of the exposer (`duplicate`), and for
        work that no client waits for: only the exposer is kept then.
        """
        transport = connection.transport if isinstance(connection, asyncio.StreamWriter) else connection
        return ServedRequest(self._declaration, transport)

    def _declare(
        self, factory: ProtocolFactory | None = None, *, marks_requests: bool = False, duplicated: bool = False
    ) -> SocketHost:
        declaration = self._declaration
        host = declaration.open_host
        if declaration.factory is not None or declaration.duplicated:
            raise RuntimeError("the socket is served already; call 'serve', 'serve_streams' or 'duplicate' once")
        declaration.factory, declaration.marks_requests, declaration.duplicated = factory, marks_requests, duplicated
        return host


class ServedRequest(Generic[ListeningExposerT]):
    """A request in progress; its context yields the exposer that serves it.

    `ListeningSocket.request` returns it. Within its context, the exposer is not stopped before the drain timeout, and
    the connection, if it has one, is not idle. It can be entered during a drain too: then `Operation.call` raises
    `UnavailableError`.
    """

    __slots__ = ("_activity", "_declaration", "_requests", "_transport")

    def __init__(self, declaration: SocketDeclaration, transport: asyncio.BaseTransport | None) -> None:
        self._declaration = declaration
        self._transport = transport
        self._activity: AbstractContextManager[Any] = nullcontext()

    def __enter__(self) -> ListeningExposerT:
        declaration = self._declaration
        serving = declaration.serving
        if self._transport is not None and declaration.host is not None:
            self._activity = declaration.host.activity(self._transport)
        self._requests = serving.requests
        self._requests.enter()
        self._activity.__enter__()
        exposer: ListeningExposerT = serving.exposer
        return exposer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._activity.__exit__(kind, error, traceback)
        self._requests.leave()


class StreamProtocol(asyncio.StreamReaderProtocol):
    """Runs a handler with the reader and the writer of one connection."""

    def __init__(self, handler: StreamHandler, limit: int, namespace: str) -> None:
        super().__init__(asyncio.StreamReader(limit=limit), self._begin)
        self._handle = handler
        self._namespace = namespace
        self.task: asyncio.Task[None] | None = None

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.task = asyncio.get_running_loop().create_task(self._run(reader, writer))

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._handle(reader, writer)
        except ConnectionError as error:
            _log.debug("exposer '%s': connection lost: %s", self._namespace, error)
        except Exception:
            _log.exception("exposer '%s' failed to serve a connection", self._namespace)
        finally:
            # A transport with TLS that is closed twice cannot be aborted any more.
            if not writer.is_closing():
                writer.close()
