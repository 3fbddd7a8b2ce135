"""The compiled texts of a server's config, and the connections made with them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from adapter_host import (
    BuildContext,
    ClientProxy,
    ClientTls,
    RejectionLog,
    Template,
    compile_client_proxy,
    compile_client_tls,
)

from .config import McpConfig
from .connection import Connection, Ready
from .credentials import Credential, compile_credential
from .http import HttpEndpoint
from .stdio import StdioEndpoint

_log = logging.getLogger("adapter_host.mcp")


@dataclass(frozen=True, slots=True)
class Server:
    """The compiled texts of a server's config."""

    config: McpConfig
    context: BuildContext
    url: Template | None
    credential: Credential | None
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
        return cls(
            config,
            context,
            template,
            compile_credential(config.authentication, context),
            None if config.command is None else context.secret(config.command, config, "command"),
            tuple(context.secret(text, config, "arguments", index) for index, text in enumerate(config.arguments)),
            {name: context.secret(text, config, "environment", name) for name, text in config.environment.items()},
            compile_client_tls(config.tls, context),
            compile_client_proxy(config.proxy, config, context),
        )

    def connection(self, on_ready: Ready | None = None) -> Connection:
        """Return a connection that is not open yet."""
        settings, timeout = self.context.settings, self.config.timeout
        connect_timeout = timeout.connect or settings.connect_timeout
        return Connection(
            self._endpoint(connect_timeout),
            self.config.namespace,
            self.config.protocol_version,
            connect_timeout,
            timeout.total or settings.total_timeout,
            self.context.loaded.masked,
            on_ready,
        )

    def _endpoint(self, connect_timeout: float) -> HttpEndpoint | StdioEndpoint:
        limit = self.context.settings.response_limit
        if self.url is not None:
            url, writers = self.url.text({}), self.context.header_writers
            rejections = None
            if self.credential is not None:
                rejections = RejectionLog(_log, self.config.namespace, self.credential.masked)
            return HttpEndpoint(url, self.credential, writers, limit, connect_timeout, self.tls, self.proxy, rejections)
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
