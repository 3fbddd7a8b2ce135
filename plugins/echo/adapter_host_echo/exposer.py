"""Serves operations over TCP: receives lines such as `name {"argument": 1}`, and responds with lines of JSON."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from adapter_host import (
    ArgumentError,
    BuildContext,
    Exposer,
    ExposerConfig,
    NotFoundError,
    OperationError,
    Operations,
    OperationSpec,
    StartError,
    encode_json,
    parse_json,
)
from pydantic import Field

log = logging.getLogger(__name__)


class EchoConfig(ExposerConfig):
    """An entry of `exposes` with `type: echo`."""

    address: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    operations: tuple[OperationSpec, ...] = Field(min_length=1)


class EchoExposer(Exposer[EchoConfig]):
    """Calls the operation that a line names, and responds with its result or error."""

    config_class = EchoConfig

    def __init__(self, config: EchoConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        if config.authentication is not None:
            # A protocol without credentials must not seem to check them.
            message = "'authentication' is not supported; lines carry no credentials"
            context.problem(message, config, "authentication", code="unsupported")
        self._operations_by_name = {operation.name: operation for operation in operations.values()}
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self._was_full = False

    @property
    def url(self) -> str | None:
        """Return the URL of the listening socket, with the actual port if the document has port 0."""
        if self._server is None or not self._server.sockets:
            return None
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"tcp://{host}:{port}"

    @property
    def failure(self) -> str | None:
        """Return why the exposer does not serve, for health checks."""
        return None if self._server is not None and self._server.is_serving() else "not listening"

    async def start(self) -> None:
        """Listen on the address and port of the settings, or else of the document."""
        settings = self.context.settings
        address = settings.address or self.config.address
        port = settings.ports.get(self.config.namespace, self.config.port)
        try:
            self._server = await asyncio.start_server(self._serve, address, port, limit=settings.body_limit)
        except OSError as error:
            raise StartError(f"'{self.config.namespace}' cannot listen on {address}:{port}: {error}") from error

    async def drain(self) -> None:
        """Accept no new connections; the host rejects new calls on open ones."""
        if self._server is not None:
            self._server.close()

    async def stop(self) -> None:
        """Close all connections, including idle ones."""
        await self.drain()
        for writer in self._connections:
            writer.close()
        server, self._server = self._server, None
        if server is not None:
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_full():
            writer.close()
            return
        self._connections.add(writer)
        try:
            await self._serve_requests(reader, writer)
        except TimeoutError:
            log.info("connection aborted: no complete line, or an unread response, within the time limit")
            writer.transport.abort()
        except (ConnectionError, ValueError) as error:
            log.info("connection closed: %s", error)
        finally:
            writer.close()
            self._connections.discard(writer)

    def _is_full(self) -> bool:
        """Return True if the limit of connections is reached; log that once until it is no longer reached."""
        limit = self.context.settings.connection_limit
        full = 0 < limit <= len(self._connections)
        if full and not self._was_full:
            log.warning("'%s' refuses connections: %d are open (--connection-limit)", self.config.namespace, limit)
        self._was_full = full
        return full

    async def _serve_requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # 0 is no limit.
        line_timeout = self.context.settings.keep_alive_timeout or None
        send_timeout = self.context.settings.send_timeout or None
        async with asyncio.timeout(line_timeout):
            line = await reader.readline()
        while line:
            # Reads on during the call, so that a disconnect cancels it.
            reading = asyncio.ensure_future(reader.readline())
            responding = asyncio.ensure_future(self._respond(line.decode(errors="replace")))
            try:
                await asyncio.wait((reading, responding), return_when=asyncio.FIRST_COMPLETED)
                if reading.done() and not reading.result():
                    return
                writer.write(f"{await responding}\n".encode())
                async with asyncio.timeout(send_timeout):
                    await writer.drain()
                async with asyncio.timeout(line_timeout):
                    line = await reading
            finally:
                reading.cancel()
                responding.cancel()

    async def _respond(self, line: str) -> str:
        try:
            name, _, arguments = line.strip().partition(" ")
            return encode_json({"result": await self._call(name, arguments)}).decode()
        except OperationError as error:
            return encode_json({"error": error.message, "status": error.status}).decode()
        except Exception:
            # The details may contain secrets, so they are only logged.
            log.exception("unexpected error")
            return encode_json({"error": "unexpected error", "status": 500}).decode()

    async def _call(self, name: str, text: str) -> Any:
        operation = self._operations_by_name.get(name)
        if operation is None:
            raise NotFoundError(f"unknown operation '{name}' (known: {', '.join(self._operations_by_name)})")
        try:
            arguments = parse_json(text or "{}")
        except ValueError:
            arguments = None
        if not isinstance(arguments, dict):
            raise ArgumentError("arguments", "the arguments must be a JSON object")
        return (await operation.call(arguments)).data
