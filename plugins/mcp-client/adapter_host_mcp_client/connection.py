"""The connection to an MCP server, which is opened again when it is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import anyio
from mcp.client import Client
from mcp.client.client import ConnectMode
from mcp.shared.exceptions import MCPError
from mcp_types import CONNECTION_CLOSED, DiscoverResult
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from adapter_host import (
    UpstreamError,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)

from .failures import copy_error, raise_failure
from .http import FAILED, FAILURES, HttpEndpoint
from .stdio import StdioEndpoint

log = logging.getLogger("adapter_host.mcp")

FIRST_DELAY: Final = 0.5
LONGEST_DELAY: Final = 30.0
"""Seconds until a command that ended is started again: twice as many after each time that it ends early."""

STOP_TIMEOUT: Final = 10.0
"""Seconds until closing a connection is given up."""

STEADY: Final = 60.0
"""Seconds after which a command that ends did not end early."""

_LOUD: Final = ("httpcore2", "httpx2", "mcp.client.streamable_http", "mcp.shared.jsonrpc_dispatcher")
"""Loggers with URLs, sessions and messages at levels below a warning: they may have secrets."""

_MODES: Final[dict[str, ConnectMode]] = {"auto": "auto", "handshake": "legacy", "2026-07-28": "2026-07-28"}

T = TypeVar("T")
Ready = Callable[[Client], Awaitable[None]]


class Connection:
    """A connection to one server, owned by a task; `label` names the server in the log, and `mask` removes secrets.

    `connect_timeout` and `total_timeout` are in seconds. `on_ready` is awaited after each connect, before any call.
    """

    def __init__(
        self,
        endpoint: HttpEndpoint | StdioEndpoint,
        label: str,
        protocol_version: str,
        connect_timeout: float,
        total_timeout: float,
        mask: Callable[[str], str],
        on_ready: Ready | None = None,
    ) -> None:
        for name in _LOUD:
            if (logger := logging.getLogger(name)).level == logging.NOTSET:
                logger.setLevel(logging.WARNING)
        self._endpoint = endpoint
        self._label = label
        self._mode = _MODES[protocol_version]
        self._connect_timeout = connect_timeout
        self._total_timeout = total_timeout
        self._mask = mask
        self._on_ready = on_ready
        self._task: asyncio.Task[None] | None = None
        self._client: Client | None = None

    async def start(self) -> None:
        """Open the connection, or log why it failed: later calls try again."""
        self._stopping = asyncio.Event()
        self._wanted = asyncio.Event()
        self._lost = asyncio.Event()
        self._attempt: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run())
        await asyncio.wait([self._attempt], timeout=self._connect_timeout)

    async def stop(self) -> None:
        """Close the connection, and end the process of a command."""
        task, self._task = self._task, None
        if task is None:
            return
        self._stopping.set()
        if self._client is None:
            task.cancel()
        await asyncio.wait([task], timeout=STOP_TIMEOUT)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self._renew()
        self._set_failure(UpstreamUnreachableError("the connection to the MCP server is closed"))

    async def call(self, function: Callable[[Client], Awaitable[T]]) -> T:
        """Return the result of a function of the connected client; raise `UpstreamError`."""
        try:
            async with asyncio.timeout(self._total_timeout):
                try:
                    return await self._call(function)
                except _SessionEndedError:
                    # The server did not carry out the call.
                    return await self._call(function)
        except _SessionEndedError as error:
            raise UpstreamStatusError(error.upstream_status, error.body, error.media_type) from error
        except TimeoutError as error:
            raise UpstreamTimeoutError("the MCP server did not respond in time") from error

    async def _call(self, function: Callable[[Client], Awaitable[T]]) -> T:
        client = await self._connected()
        failures: list[UpstreamError] = []
        token = FAILURES.set(failures)
        try:
            return await function(client)
        except MCPError as error:
            failure = self._failure(error, failures)
            if isinstance(failure, UpstreamStatusError) and failure.upstream_status == 404 and _has_session(client):
                self._end_session(client)
                raise _SessionEndedError(404, failure.body, failure.media_type) from error
            if failure is not None:
                raise failure from error
            raise_failure(error)
        except (ValidationError, RuntimeError) as error:
            # The SDK checks results against the protocol, and structured content against the schema of its tool.
            log.warning("%s: %s", self._label, self._mask(str(error)))
            raise UpstreamInvalidError("the response of the MCP server is not what it declares") from error
        except (anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            raise UpstreamUnreachableError("the connection to the MCP server is closed") from error
        finally:
            FAILURES.reset(token)

    async def _connected(self) -> Client:
        if self._task is None:
            raise UpstreamUnreachableError("the connection to the MCP server is not open")
        if isinstance(self._endpoint, HttpEndpoint) and self._attempt.done() and self._client is None:
            # The last attempt failed, and the next one waits for a call.
            self._renew()
        if isinstance(self._endpoint, StdioEndpoint) and self._endpoint.lost.is_set() and self._client is not None:
            # The task of the connection has not noticed it yet.
            self._client = None
            self._renew()
        self._wanted.set()
        try:
            async with asyncio.timeout(self._connect_timeout):
                return await asyncio.shield(self._attempt)
        except TimeoutError as error:
            raise UpstreamUnreachableError("the MCP server is not ready in time") from error
        except UpstreamError as error:
            raise copy_error(error) from error

    def _end_session(self, client: Client) -> None:
        if self._client is client:
            self._client = None
            self._renew()
            self._lost.set()

    def _failure(self, error: MCPError, failures: Sequence[UpstreamError]) -> UpstreamError | None:
        """Return the failure of the transport that an error stands for."""
        if error.code not in (FAILED, CONNECTION_CLOSED):
            return None
        if isinstance(self._endpoint, StdioEndpoint):
            failures = self._endpoint.failures
        return copy_error(failures[-1]) if failures else None

    async def _run(self) -> None:
        """Keep the connection open until the stop; only this task enters and leaves the client."""
        loop = asyncio.get_running_loop()
        delay = FIRST_DELAY
        while not self._stopping.is_set():
            started = loop.time()
            failed = False
            FAILURES.set([])
            try:
                await self._serve()
            except Exception as error:
                # The SDK raises errors of any kind, and groups of them.
                failed = True
                self._report(error)
            finally:
                self._client = None
            if loop.time() - started > STEADY:
                delay = FIRST_DELAY
            if isinstance(self._endpoint, HttpEndpoint):
                if failed:
                    self._wanted.clear()
                    await _first(self._stopping, self._wanted)
            else:
                await _first(self._stopping, seconds=delay)
                delay = min(2 * delay, LONGEST_DELAY)
                self._renew()

    async def _serve(self) -> None:
        """Connect, and return when the connection is lost or the host stops."""
        self._lost.clear()
        client = Client(self._endpoint.open(), mode=self._mode, cache=None, read_timeout_seconds=self._total_timeout)
        async with client:
            if self._mode in MODERN_PROTOCOL_VERSIONS:
                # The SDK does not ask a server of a fixed version what it has.
                client.session.adopt(DiscoverResult.model_validate(await client.session.send_discover(self._mode)))
            if self._on_ready is not None:
                await self._on_ready(client)
            log.debug("%s: connected, protocol version %s", self._label, client.protocol_version)
            self._client = client
            self._attempt.set_result(client)
            ends = [self._endpoint.lost] if isinstance(self._endpoint, StdioEndpoint) else []
            await _first(self._stopping, self._lost, *ends)
            self._client = None
            self._renew()
            if not self._stopping.is_set() and not self._lost.is_set():
                log.warning("%s: the process ended; starting it again", self._label)

    def _renew(self) -> None:
        """Let calls wait for the next attempt."""
        if self._attempt.done():
            self._attempt = asyncio.get_running_loop().create_future()

    def _set_failure(self, failure: UpstreamError) -> None:
        if not self._attempt.done():
            self._attempt.set_exception(failure)
            # Marked as retrieved: maybe nothing waits for it.
            self._attempt.exception()

    def _report(self, error: Exception) -> None:
        failure = self._explain(error)
        log.warning("%s: %s", self._label, failure.message)
        self._set_failure(failure)

    def _explain(self, error: BaseException) -> UpstreamError:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, MCPError):
            error = self._failure(error, FAILURES.get([])) or error
        if isinstance(error, UpstreamError):
            return copy_error(error)
        if isinstance(self._endpoint, StdioEndpoint) and self._endpoint.lost.is_set():
            for line in self._endpoint.last_lines:
                log.warning("%s: %s", self._label, line)
            return UpstreamUnreachableError("the process of the MCP server ended before it was ready")
        # The reason may name the URL of the server, which callers do not learn.
        log.warning("%s: %s: %s", self._label, type(error).__name__, self._mask(str(error)))
        return UpstreamUnreachableError("the connection to the MCP server cannot be opened")


class _SessionEndedError(UpstreamStatusError):
    """The server ended the session; the call was not carried out."""


def _has_session(client: Client) -> bool:
    return client.protocol_version not in MODERN_PROTOCOL_VERSIONS


async def _first(*events: asyncio.Event, seconds: float | None = None) -> None:
    """Wait for one of several events, at most for some seconds."""
    tasks = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
