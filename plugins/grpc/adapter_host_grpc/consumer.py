"""The consumer of gRPC APIs: unary and server-streaming methods become operations."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlsplit

from adapter_host import (
    Authentication,
    Authorizer,
    BuildContext,
    ClientProxy,
    ClientTls,
    ClientTlsSpec,
    ConsumedOperation,
    Consumer,
    ConsumerConfig,
    ListField,
    ProblemsError,
    RejectionLog,
    Template,
    Timeouts,
    UpstreamCredential,
    UpstreamError,
    compile_client_proxy,
    compile_client_tls,
    compile_upstream_credential,
    parse_location,
    read_regular_file,
)
from pydantic import Field

if TYPE_CHECKING:
    from .call_credential import Metadata
    from .channel import Upstream
    from .mock import MockServer
    from .upstream_api import Api

log = logging.getLogger("adapter_host.grpc")

_LARGEST_SET: Final = 32 * 2**20
_SCHEMES: Final = ("grpc", "grpcs")
_AUTHENTICATIONS: Final = ("apikey", "basic", "bearer", "oauth2")
_METADATA_NAME: Final = re.compile(r"[0-9a-z_.-]+(?<!-bin)")
"""A name of metadata with text (gRPC over HTTP/2, "Custom-Metadata")."""


class GrpcConsumerConfig(ConsumerConfig):
    """An entry of `consumes` with `type: grpc`: its methods are known by reflection, or by a descriptor set."""

    base_uri: str
    descriptor_set: str | None = None
    services: ListField[str] = ()
    authentication: Authentication | None = None
    timeout: Timeouts = Field(default_factory=Timeouts, alias="x-timeout")
    tls: ClientTlsSpec | None = Field(None, alias="x-tls")
    proxy: str | None = Field(None, alias="x-proxy", repr=False)


class GrpcConsumer(Consumer[GrpcConsumerConfig]):
    """Calls a gRPC API."""

    config_class = GrpcConsumerConfig
    discovers: ClassVar[bool] = True

    def __init__(self, config: GrpcConsumerConfig, context: BuildContext) -> None:
        super().__init__(config, context)
        self._base = _base(config, context)
        self._credential = _credential(config.authentication, context)
        self._tls = _tls(config, context, self._base)
        self._proxy = compile_client_proxy(config.proxy, config, context)
        self._upstream: Upstream | None = None
        self._mock: MockServer | None = None
        self._check: asyncio.Task[None] | None = None
        self._api = self._read_api()
        self._operations = [] if self._api is None else self._compile(self._api)

    @classmethod
    async def discover(cls, config: GrpcConsumerConfig, context: BuildContext) -> Any:
        """Return the descriptors that the API has by reflection, or those of the descriptor set."""
        base, credential = _base(config, context), _credential(config.authentication, context)
        tls, proxy = _tls(config, context, base), compile_client_proxy(config.proxy, config, context)
        context.raise_problems()
        upstream = _upstream(config, context, tls, proxy, credential)
        upstream.open(base.text({}))
        try:
            return await _read_definitions(upstream)
        finally:
            await upstream.close()

    def operations(self) -> Sequence[ConsumedOperation]:
        """Return an operation for each method with one request."""
        return self._operations

    async def start(self) -> None:
        """Prepare the connection, which the first call opens; with `mock`, start a mock server first."""
        self._upstream = self._new_upstream()
        if self._tls is not None:
            self._tls.start()
        base = self._base.text({}) if not self.context.settings.mock else ""
        if self.context.settings.mock and self._api is not None:
            from .mock import MockServer

            self._mock = MockServer(self._api)
            base = await self._mock.start()
        self._upstream.open(base)
        if self.config.descriptor_set is None and not self.context.settings.mock:
            # The API may be down now, and what it says changes nothing but the log.
            self._check = asyncio.get_running_loop().create_task(self._check_definitions(self._upstream))

    async def stop(self) -> None:
        """Close the connection, then stop the mock server."""
        upstream, self._upstream = self._upstream, None
        mock, self._mock = self._mock, None
        check, self._check = self._check, None
        if check is not None:
            check.cancel()
            await asyncio.wait([check])
        if upstream is not None:
            await upstream.close()
        if self._tls is not None:
            await self._tls.stop()
        if mock is not None:
            await mock.stop()

    def _new_upstream(self) -> Upstream:
        # The mock server is called directly.
        proxy = None if self.context.settings.mock else self._proxy
        return _upstream(self.config, self.context, self._tls, proxy, self._credential)

    @property
    def upstream(self) -> Upstream:
        """The connection; it refuses calls before the start."""
        return self._upstream or self._new_upstream()

    def metadata(self) -> Metadata:
        """Return the metadata of a call without its credential: the headers of plugins."""
        headers: dict[str, str] = {}
        for write in self.context.header_writers:
            write(headers)
        return tuple((name.lower(), value) for name, value in headers.items())

    async def _check_definitions(self, upstream: Upstream) -> None:
        try:
            self.context.report_changes(await _read_definitions(upstream))
        except UpstreamError as error:
            log.info("the definitions of '%s' were not compared: %s", self.config.namespace, error)

    def _read_api(self) -> Api | None:
        from .upstream_api import Api

        config, key = self.config, "descriptorSet"
        try:
            if config.descriptor_set is None:
                key = "type"
                found = self.context.discovered()
                api = None if found is None else Api.from_definitions(found, config.services)
            else:
                path = parse_location(config.descriptor_set, self.context.loaded.source.file)
                self.context.loaded.add_file(str(path))
                api = Api.from_descriptor_set(read_regular_file(path, _LARGEST_SET), config.services)
        except (ValueError, OSError) as error:
            reason = str(error).replace("'location'", f"'{key}'")
            self.context.problem(reason, config, key, code="descriptors")
            return None
        if api is not None:
            known = ", ".join(api.services)
            for name in api.unknown:
                self.context.problem(f"the API has no service '{name}' (known: {known})", config, "services")
        return api

    def _compile(self, api: Api) -> list[ConsumedOperation]:
        from .upstream_operation import GrpcMethod

        operations: list[ConsumedOperation] = []
        limit = self.context.settings.response_limit
        for method in api.methods():
            try:
                operations.append(GrpcMethod(self, self.config.namespace, method, api, limit))
            except ProblemsError as error:
                for problem in error.problems:
                    message = f"the schema of '{method.full_name}' is invalid: {problem.message}"
                    self.context.problem(message, self.config, "type", code="descriptors")
        return operations


def _tls(config: GrpcConsumerConfig, context: BuildContext, base: Template) -> ClientTls | None:
    if config.tls is not None and context.has_value(base) and base.text({}).startswith("grpc://"):
        context.warn("'x-tls' has no effect with a grpc:// URL; set a grpcs:// 'baseUri'", config, "x-tls")
    return compile_client_tls(config.tls, context)


def _upstream(
    config: GrpcConsumerConfig,
    context: BuildContext,
    tls: ClientTls | None,
    proxy: ClientProxy | None,
    credential: UpstreamCredential | None,
) -> Upstream:
    from .channel import Upstream

    settings = context.settings
    connect, total = config.timeout.connect or settings.connect_timeout, config.timeout.total or settings.total_timeout
    if settings.mock or credential is None:
        # The mock server needs no credential.
        return Upstream(config.namespace, connect, total, settings, tls=tls, proxy=proxy)
    authorizer = Authorizer(credential, context, connect, total, tls=tls, proxy=proxy)
    rejections = RejectionLog(log, config.namespace, credential.masked)
    return Upstream(config.namespace, connect, total, settings, authorizer, tls, proxy, rejections)


async def _read_definitions(upstream: Upstream) -> dict[str, Any]:
    from .reflection_client import read_files
    from .upstream_api import definitions

    return definitions(await read_files(upstream))


def _base(config: GrpcConsumerConfig, context: BuildContext) -> Template:
    base = context.url(context.base_uri or config.base_uri, config, "baseUri")
    if context.has_value(base):
        parts = urlsplit(base.text({}))
        if parts.scheme not in _SCHEMES or not parts.netloc or parts.path.strip("/") or parts.query:
            message = "'baseUri' must be grpc://HOST:PORT, or grpcs://HOST:PORT with TLS"
            context.problem(message, config, "baseUri", code="base-uri")
    return base


def _credential(authentication: Authentication | None, context: BuildContext) -> UpstreamCredential | None:
    credential = compile_upstream_credential(authentication, context, types=_AUTHENTICATIONS, placements=("header",))
    if authentication is None or credential is None:
        return None
    if credential.name and not _METADATA_NAME.fullmatch(credential.name.lower()):
        message = f"'{authentication.key}' is not a name of metadata; use letters, digits, '-', '_' and '.'"
        context.problem(message, authentication, "key", code="header-name")
        return None
    return credential
