"""The compiled texts of a server's config, and the connections made with them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from adapter_host import (
    Authorizer,
    BuildContext,
    ClientProxy,
    ClientTls,
    RejectionLog,
    Template,
    compile_client_proxy,
    compile_client_tls,
    compile_upstream_credential,
)

from .config import McpConfig
from .connection import Connection, Ready
from .http import HttpEndpoint
from .stdio import StdioEndpoint

_log = logging.getLogger("adapter_host.mcp")

_TOKEN_PART: Final = 0.9
"""The part of the time to connect that a token request may take: the error then names the server that was slow."""


@dataclass(frozen=True, slots=True)
class Server:
    """The compiled texts of a server's config."""

    config: McpConfig
    context: BuildContext
    url: Template | None
    authorizer: Authorizer
    command: Template | None
    arguments: tuple[Template, ...]
    environment: dict[str, Template]
    tls: ClientTls | None
    proxy: ClientProxy | None

    @classmethod
    def compile(cls, config: McpConfig, context: BuildContext) -> Self:
        """Compile the texts, and report problems of them."""
        url = config.url if context.base_uri is None or config.url is None else context.base_uri
        if config.command is not None and context.base_uri is not None:
            context.problem("a base URI replaces a 'url'; this server is a command", config, "command")
        template = None if url is None else context.url(url, config, "url")
        if template is not None and context.has_value(template):
            text = template.text({})
            if not text.startswith(("http://", "https://")):
                context.problem(f"'{template.masked()}' is not an http or https URL", config, "url", code="url")
            if config.tls is not None and text.startswith("http://"):
                context.warn("'x-tls' has no effect with an http:// URL; set an https:// 'url'", config, "x-tls")
        tls = compile_client_tls(config.tls, context)
        proxy = compile_client_proxy(config.proxy, config, context)
        credential = compile_upstream_credential(config.authentication, context)
        connect, total = _timeouts(config, context)
        # A flow may use half of its time for a token.
        authorizer = Authorizer(
            credential, context, connect, min(total, 2 * _TOKEN_PART * connect), tls=tls, proxy=proxy
        )
        return cls(
            config,
            context,
            template,
            authorizer,
            None if config.command is None else context.secret(config.command, config, "command"),
            tuple(context.secret(text, config, "arguments", index) for index, text in enumerate(config.arguments)),
            {name: context.secret(text, config, "environment", name) for name, text in config.environment.items()},
            tls,
            proxy,
        )

    def start(self) -> None:
        """Follow files of TLS, and prepare requests for tokens; nothing is sent yet."""
        if self.tls is not None:
            self.tls.start()
        if self.url is not None:
            self.authorizer.start(self.url.text({}))

    async def stop(self) -> None:
        """Undo `start`."""
        await self.authorizer.stop()
        if self.tls is not None:
            await self.tls.stop()

    def connection(self, on_ready: Ready | None = None) -> Connection:
        """Return a connection that is not open yet."""
        timeouts = _timeouts(self.config, self.context)
        return Connection(
            self._endpoint(*timeouts),
            self.config.namespace,
            self.config.protocol_version,
            *timeouts,
            self.context.loaded.masked,
            on_ready,
        )

    def _endpoint(self, connect_timeout: float, total_timeout: float) -> HttpEndpoint | StdioEndpoint:
        limit = self.context.settings.response_limit
        if self.url is not None:
            url, writers = self.url.text({}), self.context.header_writers
            rejections, credential = None, self.authorizer.credential
            if credential is not None:
                rejections = RejectionLog(_log, self.config.namespace, credential.masked)
            times = connect_timeout, total_timeout
            return HttpEndpoint(url, self.authorizer, writers, limit, *times, self.tls, self.proxy, rejections)
        assert self.command is not None
        file = Path(self.context.loaded.source.file)
        return StdioEndpoint(
            self.command.text({}),
            tuple(argument.text({}) for argument in self.arguments),
            {name: value.text({}) for name, value in self.environment.items()},
            str(file.parent if file.is_file() else Path.cwd()),
            limit,
            self.context.loaded.masked,
        )


def _timeouts(config: McpConfig, context: BuildContext) -> tuple[float, float]:
    """Return the seconds to connect, and those of a call."""
    settings, timeout = context.settings, config.timeout
    return timeout.connect or settings.connect_timeout, timeout.total or settings.total_timeout
