"""The consumer of HTTP APIs."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from adapter_host import (
    BuildContext,
    ConsumedOperation,
    Consumer,
    PassThroughOperation,
    compile_upstream_credential,
    current_request_id,
    event_format,
)

from .cache.compile import caching_of, compile_cache
from .config import HttpConfig, HttpOperationSpec, HttpResource
from .formats import accept_header
from .forwarding import HttpPassThroughOperation
from .guesses import refuse_guesses
from .operation import HttpOperation
from .request.base import compile_base, normalized_base, with_values
from .request.scope import USER_AGENT, OperationScope
from .upstream import Upstream

if TYPE_CHECKING:
    from .mock.server import MockServer


class HttpConsumer(Consumer[HttpConfig]):
    """Calls an HTTP API."""

    config_class = HttpConfig

    def __init__(self, config: HttpConfig, context: BuildContext) -> None:
        if config.x_request_id:
            context = replace(context, header_writers=(*context.header_writers, _write_request_id))
        super().__init__(config, context)
        base = compile_base(config, context)
        self._base = normalized_base(base)
        self._mock_server: MockServer | None = None
        self._mock_url = ""
        self._credential = compile_upstream_credential(config.authentication, context)
        if config.tls is not None and self._base.startswith("http://"):
            context.warn("'x-tls' has no effect with an http:// URL; set an https:// 'baseUri'", config, "x-tls")
        self.cache = compile_cache(config, context, self._credential)
        """The cache of its responses, None if no operation has one."""
        self._upstream = Upstream(context, config, self._credential, self.cache)
        self._masked = base.masked().rstrip("/") if base else ""
        self._operations = tuple(
            self._compile(resource, spec) for resource in config.resources for spec in resource.operations
        )
        refuse_guesses(self._operations, context)

    @classmethod
    def declared_address(cls, config: HttpConfig, context: BuildContext) -> str | None:
        """Return the base URL with the values that the API declares."""
        return with_values(config.base_uri or "", config, context)

    @property
    def base_uri(self) -> str:
        """Return the URL that requests go to, once started."""
        return self._upstream.base

    def operations(self) -> Sequence[ConsumedOperation]:
        """Return the operations of all resources."""
        return self._operations

    def forwarding(self) -> PassThroughOperation:
        """Return the operation that passes requests through with the API's own inputs and credentials."""
        return HttpPassThroughOperation(self.config, self.context, self._credential, self._upstream, self._masked)

    async def start(self) -> None:
        """Open the transport; with `mock`, start the mock server first."""
        if self.context.settings.mock:
            # Imported late: only `--mock` needs a server.
            from .mock.server import MockApi, MockServer

            served = [operation for operation in self._operations if operation.refusal is None]
            self._mock_server = self.context.shared_state("adapter_host_http.mock", MockServer)
            self._mock_url = await self._mock_server.add(MockApi(served, self._credential))
            await self._upstream.open(self._mock_url, direct=True)
        else:
            await self._upstream.open(self._base)

    async def stop(self) -> None:
        """Close the transport, then stop the mock server."""
        await self._upstream.close()
        mock_server, self._mock_server = self._mock_server, None
        if mock_server is not None:
            await mock_server.remove(self._mock_url)

    def _compile(self, resource: HttpResource, spec: HttpOperationSpec) -> HttpOperation:
        with self.context.section() as section:
            caching = caching_of(self.config, spec, self.cache)
            operation = HttpOperation(self._scope(resource, spec), self._upstream, self._masked, caching)
            _ = operation.format  # Reads its schema file, which is allowed during a build.
        if section.skipped:
            operation.refusal = "it is invalid"
        return operation

    def _scope(self, resource: HttpResource, spec: HttpOperationSpec) -> OperationScope:
        accept = spec.accept or accept_header(spec.output_raw_format)
        if spec.accept is None and event_format(spec.output_media_type or "") is not None:
            accept = spec.output_media_type or ""
        headers = (("Accept", accept), ("User-Agent", USER_AGENT))
        return OperationScope(self.config, resource, spec, self.context, self._credential, headers)


def _write_request_id(headers: MutableMapping[str, str]) -> None:
    headers["X-Request-Id"] = current_request_id()
