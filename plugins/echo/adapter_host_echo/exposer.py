"""Serves operations over TCP: receives lines such as `name {"argument": 1}`, and responds with lines of JSON."""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from typing import Any

from adapter_host import (
    ArgumentError,
    BuildContext,
    Exposer,
    ListeningConfig,
    NotFoundError,
    Operation,
    OperationError,
    Operations,
    OperationSpec,
    Result,
    decode_text,
    encode_json,
    error_details,
    is_json,
    parse_json,
)
from pydantic import Field

log = logging.getLogger(__name__)


class EchoConfig(ListeningConfig):
    """An entry of `exposes` with `type: echo`: on `address` and `port`, or on `unixSocket`."""

    operations: tuple[OperationSpec, ...] = Field(min_length=1)


class EchoExposer(Exposer[EchoConfig]):
    """Calls the operation that a line names, and responds with its result or error."""

    config_class = EchoConfig

    def __init__(self, config: EchoConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        self._operations_by_name: dict[str, Operation] = {}
        for operation in operations.values():
            # With `--skip-invalid`, only the second one is left out.
            with context.section() as section:
                if operation.name in self._operations_by_name:
                    message = f"another operation is named '{operation.name}'; rename one of them"
                    context.problem(message, operation.spec, "name", code="duplicate-name")
            if not section.skipped:
                self._operations_by_name[operation.name] = operation
        self._socket = context.listen(self)

    async def start(self) -> None:
        """Serve the socket, which the host opens, limits and closes."""
        await self._socket.serve_streams(self._serve, marks_requests=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reading = asyncio.ensure_future(reader.readline())
        try:
            while line := await reading:
                # Reads on during the call, so that a disconnect cancels it.
                reading = asyncio.ensure_future(reader.readline())
                # After a reload, `exposer` is that of the new document, also for connections that are open already.
                with self._socket.request(writer) as exposer:
                    if not await exposer.serve_line(line, reading, writer):
                        return
        except ValueError as error:
            log.info("connection closed: %s", error)
        finally:
            reading.cancel()

    async def serve_line(self, line: bytes, reading: asyncio.Future[bytes], writer: asyncio.StreamWriter) -> bool:
        """Respond to one line; return False if the client disconnects before, which `reading` detects."""
        peer = writer.get_extra_info("peername")
        # A Unix socket has no address.
        client_address = peer[0] if isinstance(peer, tuple) else None
        responding = asyncio.ensure_future(self._respond(line.decode(errors="replace"), client_address))
        try:
            await asyncio.wait((reading, responding), return_when=asyncio.FIRST_COMPLETED)
            if reading.done() and not reading.result():
                return False
            writer.write(f"{await responding}\n".encode())
            await writer.drain()
        finally:
            responding.cancel()
        return True

    async def _respond(self, line: str, client_address: str | None) -> str:
        try:
            name, _, arguments = line.strip().partition(" ")
            # Plugins and the log see who is calling.
            with self.context.call(whole_request=True, client_address=client_address):
                content = await self._call(name, arguments)
            return encode_json(content).decode()
        except OperationError as error:
            details = {**error_details(error), "status": error.status}
            return encode_json({"error": error.message, **details}).decode()
        except Exception:
            # The details may contain secrets, so they are only logged.
            log.exception("unexpected error")
            return encode_json({"error": "unexpected error", "status": 500}).decode()

    async def _call(self, name: str, text: str) -> dict[str, Any]:
        operation = self._operations_by_name.get(name)
        if operation is None:
            raise NotFoundError(f"unknown operation '{name}' (known: {', '.join(self._operations_by_name)})")
        try:
            arguments = parse_json(text or "{}")
        except ValueError:
            arguments = None
        if not isinstance(arguments, dict):
            raise ArgumentError("arguments", "the arguments must be a JSON object")
        return _content(await operation.call(arguments), binary=operation.binary)


def _content(result: Result, *, binary: bool) -> dict[str, Any]:
    """Return JSON as it is or other text as `result`, and bytes in base64 with their media type."""
    if result.holds_data or is_json(result.media_type) or not result.body:
        return {"result": result.data}
    if not binary:
        try:
            return {"result": decode_text(result.body, result.media_type)}
        except ValueError:
            pass  # bytes that are not declared as binary
    return {"base64": b64encode(result.body).decode(), "media_type": result.media_type}
