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
    current_call,
    decode_text,
    encode_json,
    error_details,
    is_json,
    parse_json,
)
from pydantic import Field

log = logging.getLogger(__name__)

READ_AHEAD = 65_536
"""Bytes of lines that a connection reads during a call; it reads on when their calls have begun."""


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
        lines = LinesAhead(reader)
        try:
            while line := await lines.next():
                # After a reload, `exposer` is that of the new document, also for connections that are open already.
                with self._socket.request(writer) as exposer:
                    if not await exposer.serve_line(line, lines.end, writer):
                        break
            await lines.end
        except ValueError as error:
            log.info("connection closed: %s", error)
        finally:
            lines.end.cancel()

    async def serve_line(self, line: bytes, end: asyncio.Future[None], writer: asyncio.StreamWriter) -> bool:
        """Respond to one line; return False if `end` is done before, as the client has disconnected."""
        if end.done():
            return False
        peer = writer.get_extra_info("peername")
        # A Unix socket has no address.
        client_address = peer[0] if isinstance(peer, tuple) else None
        responding = asyncio.ensure_future(self._respond(line.decode(errors="replace"), client_address))
        try:
            await asyncio.wait((end, responding), return_when=asyncio.FIRST_COMPLETED)
            if end.done():
                return False
            writer.write(f"{await responding}\n".encode())
            await writer.drain()
        finally:
            # The call must end within the request: after it, a reload may stop this exposer.
            responding.cancel()
            await asyncio.wait((responding,))
        return True

    async def _respond(self, line: str, client_address: str | None) -> str:
        name, _, arguments = line.strip().partition(" ")
        try:
            # Plugins and the log see who is calling.
            with self.context.call(whole_request=True, client_address=client_address):
                try:
                    return encode_json(await self._call(name, arguments)).decode()
                except OperationError:
                    raise
                except Exception:
                    # The details may contain secrets, so they are only logged, under the id that the client receives.
                    request_id = current_call().request_id
                    log.exception("request %s: unexpected error", request_id)
                    details = {"status": 500, "request_id": request_id}
                    return encode_json({"error": "unexpected error", **details}).decode()
        except OperationError as error:
            details = {**error_details(error), "status": error.status}
            return encode_json({"error": error.message, **details}).decode()

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


class LinesAhead:
    """The lines of a client, which it reads on during calls: so a disconnect is noticed behind further lines too.

    `end` is done when the client has disconnected, and raises `ValueError` if a line is too long.
    """

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._lines: asyncio.Queue[bytes] = asyncio.Queue()
        self._size = 0
        self._has_room = asyncio.Event()
        self.end: asyncio.Future[None] = asyncio.ensure_future(self._read())

    async def next(self) -> bytes:
        """Wait for the next line; it is empty at the end."""
        line = await self._lines.get()
        self._size -= len(line)
        self._has_room.set()
        return line

    async def _read(self) -> None:
        try:
            while line := await self._reader.readline():
                self._lines.put_nowait(line)
                self._size += len(line)
                while self._size > READ_AHEAD:
                    self._has_room.clear()
                    await self._has_room.wait()
        finally:
            self._lines.put_nowait(b"")
