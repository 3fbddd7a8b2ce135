"""The exposer of operations as methods of one gRPC service. The server is imported only when it is served."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, Final

from adapter_host import BuildContext, CatalogEntry, Exposer, Operations

from .config import GrpcConfig
from .service import ServiceCompiler

if TYPE_CHECKING:
    from .http2 import ServerConnection, Stream
    from .server import GrpcServer

_STATE: Final = "adapter_host_grpc.connections"


class GrpcExposer(Exposer[GrpcConfig]):
    """Exposer for `type: grpc`: each operation is a method of the service that the namespace names."""

    config_class = GrpcConfig
    checks_callers: ClassVar[bool] = True

    def __init__(self, config: GrpcConfig, operations: Operations, context: BuildContext) -> None:
        super().__init__(config, operations, context)
        authentication = config.authentication
        if authentication is not None and authentication.placement == "query":
            message = "'placement: query' is not supported; calls have metadata and no query, so use 'header'"
            context.problem(message, config, "authentication", code="unsupported")
        compiler = ServiceCompiler(config, context)
        self.methods = list(compiler.compile(operations))
        self.file = compiler.file
        self._socket = context.listen(self, scheme="grpc", protocols=("h2",))
        self._server: GrpcServer | None = None
        # Connections are kept across reloads, so the next exposer of the socket closes them.
        self._connections: set[ServerConnection] = context.shared_state(_STATE, set)

    def catalog(self) -> Iterable[CatalogEntry]:
        """Yield the methods."""
        for method, operation in self.methods:
            yield CatalogEntry(f"{self.file.package}.{self.file.service}/{method.name}", operation)

    def usage(self, url: str) -> str:
        """Return a command of grpcurl."""
        method = self.file.methods[0].name if self.file.methods else "Method"
        scheme, _, target = url.partition("://")
        plaintext = "" if scheme == "grpcs" else "-plaintext "
        return f"grpcurl {plaintext}{target} {self.file.package}.{self.file.service}/{method}"

    def exports(self) -> Mapping[str, Callable[[], str]]:
        """Return the `.proto` file of the service."""
        from .proto_text import proto_text

        return {"proto": lambda: proto_text(self.file)}

    async def start(self) -> None:
        """Accept connections; calls on them reach the exposer that serves the socket at that time."""
        from .server import GrpcServer

        self._server = GrpcServer(self.config, self.file, self.methods, self.context)
        await self._socket.serve(self._connect)

    async def drain(self) -> None:
        """Ask the clients of its connections to open others, and end the calls that watch its health."""
        if self._server is not None:
            self._server.end_watches()
        for connection in list(self._connections):
            if connection.owner() is self:
                connection.drain()

    async def serve(self, stream: Stream) -> None:
        """Serve one call."""
        assert self._server is not None
        await self._server.serve(stream)

    def _connect(self) -> ServerConnection:
        from .http2 import Limits, ServerConnection

        settings = self.context.settings
        limits = Limits(settings.header_timeout, settings.keep_alive_timeout, settings.send_timeout)
        return ServerConnection(self._serve, limits, self._connections, lambda: self._socket.exposer)

    async def _serve(self, stream: Stream) -> None:
        with self._socket.request(stream.connection.transport) as exposer:
            await exposer.serve(stream)
