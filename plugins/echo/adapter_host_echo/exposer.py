"""Serves operations over TCP: a line `name {"argument": 1}` comes in, a line of JSON goes out."""

from __future__ import annotations

import asyncio
import json
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
)
from pydantic import Field

log = logging.getLogger(__name__)


class EchoConfig(ExposerConfig):
    """An entry of `exposes` with `type: echo`."""

    address: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    operations: tuple[OperationSpec, ...] = Field(min_length=1)


class EchoExposer(Exposer[EchoConfig]):
    """Answers each line with what the operation of that name gives, or with what went wrong."""

    config_class = EchoConfig

    def __init__(self, config: EchoConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        if config.authentication is not None:
            # A protocol that cannot ask who is calling must not look as if it did.
            context.problem("lines carry no credentials", config, "authentication", code="unsupported")
        self._operations_by_name = {operation.name: operation for operation in operations.values()}
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str | None:
        """Where it listens; the port is the real one, also for port 0."""
        if self._server is None or not self._server.sockets:
            return None
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"tcp://{host}:{port}"

    @property
    def failure(self) -> str | None:
        """What health checks tell."""
        return None if self._server is not None and self._server.is_serving() else "it does not listen"

    async def start(self) -> None:
        """Listen where the document says, or the person who runs the host."""
        settings = self.context.settings
        address = settings.address or self.config.address
        port = settings.ports.get(self.config.namespace, self.config.port)
        try:
            self._server = await asyncio.start_server(self._serve, address, port, limit=settings.body_limit)
        except OSError as error:
            raise StartError(f"'{self.config.namespace}' cannot listen on {address}:{port}: {error}") from error

    async def drain(self) -> None:
        """Take no new connections; the host refuses new calls on those that are open."""
        if self._server is not None:
            self._server.close()

    async def stop(self) -> None:
        """Close every connection, idle ones too."""
        await self.drain()
        for writer in self._connections:
            writer.close()
        server, self._server = self._server, None
        if server is not None:
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            await self._serve_requests(reader, writer)
        except (ConnectionError, ValueError) as error:
            log.info("a connection ended: %s", error)
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _serve_requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        while line:
            # Reading goes on during the call, since a caller that goes away should end its call.
            reading = asyncio.ensure_future(reader.readline())
            responding = asyncio.ensure_future(self._respond(line.decode(errors="replace")))
            try:
                await asyncio.wait((reading, responding), return_when=asyncio.FIRST_COMPLETED)
                if reading.done() and not reading.result():
                    return
                writer.write(f"{await responding}\n".encode())
                await writer.drain()
                line = await reading
            finally:
                reading.cancel()
                responding.cancel()

    async def _respond(self, line: str) -> str:
        try:
            name, _, arguments = line.strip().partition(" ")
            return json.dumps({"result": await self._call(name, arguments)})
        except OperationError as error:
            return json.dumps({"error": error.message, "status": error.status})
        except Exception:
            # The edge of the protocol: the caller is owed an answer, and the log has the details.
            log.exception("unexpected error")
            return json.dumps({"error": "an unexpected error", "status": 500})

    async def _call(self, name: str, text: str) -> Any:
        operation = self._operations_by_name.get(name)
        if operation is None:
            raise NotFoundError(f"there is no operation '{name}' (there are: {', '.join(self._operations_by_name)})")
        try:
            arguments = json.loads(text or "{}")
        except ValueError:
            arguments = None
        if not isinstance(arguments, dict):
            raise ArgumentError("arguments", "the arguments must be a JSON object")
        return (await operation.call(arguments)).data
