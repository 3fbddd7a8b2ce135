"""The consumer of MCP servers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from adapter_host import BuildContext, ConsumedOperation, Consumer, UpstreamError

from .config import McpConfig

if TYPE_CHECKING:
    from mcp.client import Client

    from .connection import Connection

log = logging.getLogger("adapter_host.mcp")


class McpConsumer(Consumer[McpConfig]):
    """Calls an MCP server."""

    config_class = McpConfig
    discovers = True

    def __init__(self, config: McpConfig, context: BuildContext) -> None:
        super().__init__(config, context)
        # Imported late: the SDK takes a second, and few documents consume an MCP server.
        from .operations import build_operations
        from .server import Server

        self._server = Server.compile(config, context)
        self._operations = tuple(build_operations(context.discovered() or {}, config.namespace))
        self._connection: Connection | None = None

    @classmethod
    def declared_address(cls, config: McpConfig, context: BuildContext) -> str | None:
        """Return the URL of the server; one that is a command has none."""
        return config.url

    @classmethod
    async def discover(cls, config: McpConfig, context: BuildContext) -> Any:
        from .definitions import read_definitions
        from .server import Server

        server = Server.compile(config, context)
        context.raise_problems()
        connection = server.connection()
        server.start()
        try:
            await connection.start()
            return await connection.call(read_definitions)
        finally:
            await connection.stop()
            await server.stop()

    def operations(self) -> Sequence[ConsumedOperation]:
        return self._operations

    async def start(self) -> None:
        for operation in self._operations:
            operation.mocks = self.context.settings.mock
        if self.context.settings.mock:
            return
        connection = self._server.connection(self._compare)
        for operation in self._operations:
            operation.connection = connection
        self._connection = connection
        self._server.start()
        await connection.start()

    async def stop(self) -> None:
        if self._connection is not None:
            await self._connection.stop()
        await self._server.stop()

    async def _compare(self, client: Client) -> None:
        from mcp.shared.exceptions import MCPError

        from .definitions import read_definitions

        try:
            definitions = await read_definitions(client)
        except (MCPError, UpstreamError) as error:
            # Calls do not need the lists.
            log.warning("%s: the definitions cannot be compared: %s", self.config.namespace, error)
        else:
            self.context.report_changes(definitions)
