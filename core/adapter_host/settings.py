"""Settings of a host that are not part of a document."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .base_uris import is_origin, parse_origin

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The PEM files of a server with TLS: its certificate with the chain, and its key.

    With `client_ca`, clients must have a certificate of one of the authorities in that file. Changes of the files are
    noticed within `watch_interval` seconds.
    """

    certificate: str
    key: str
    client_ca: str | None = None
    watch_interval: float = 1.0


@dataclass(frozen=True, slots=True)
class McpEndpoint:
    """One MCP endpoint over everything that a host serves, at `path` on `port` (0 takes any free one).

    `only` and `excluded` are names of tools, resources and prompts, tags, hints, or namespaces of exposers: it has the
    entries that one of `only` names, if there is any, without those that one of `excluded` names.
    """

    port: int = 9400
    path: str = "/mcp"
    only: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a host. Times are in seconds, sizes in bytes.

    `openapi` has an OpenAPI document of the API by consumer namespace, which completes the capability, and
    `only` limits OpenAPI documents in the place of capabilities to operations with these tags and operationIds;
    `overlays` are the files of overlays that are applied to these documents. `openapi_overlays` has those for the
    OpenAPI documents of consumed APIs, whether of `openapi` or of the capability, by consumer namespace.

    `discovered` has the definitions of APIs by consumer namespace, in the place of those in files beside the document.

    `base_uris` are the addresses of consumed APIs in the place of those in the document: by consumer namespace, by the
    origin in the document (`https://api.example.com`), which keeps the path, or of all (`*`). A namespace comes before
    an origin, and an origin before `*`. `ports` is by exposer namespace (0 takes any free port). `environment` is the
    source of binds without a location; nothing else reads the process's environment. `body_limit` bounds a request's
    body, `response_limit` a buffered upstream response, `call_limit` the concurrent calls of one exposer.
    `allowed_hosts` and `allowed_origins` are accepted in Host and Origin headers in addition to loopback hosts;
    X-Forwarded-Host and X-Forwarded-For are trusted from `trusted_proxies` (addresses or networks). `public_urls` are
    those of exposers for clients, by namespace; the one of "" is that of all listeners, without the prefixes. During
    `drain_delay` a draining host keeps serving, but reports not ready to load balancers. `conversion_workers` processes
    convert large responses to JSON; a conversion ends after `conversion_timeout`.

    Limits of a connection, 0 for none: the head of a request must be complete within `header_timeout`, and the next
    request begin within `keep_alive_timeout`. Within each `body_timeout` and `send_timeout`, a client must send a body,
    or read a response, at `minimum_rate` bytes per second on average. `connection_limit` is that of one listener,
    `connection_limit_per_address` that of one client of it; `trusted_proxies` have only the first.

    `access_log` is called with the `CallRecord` of each request and each call at its end; it must not block, nor raise.

    `worker` is the number of this process, from 1, among the `workers` that serve the same ports.

    The TLS files of consumed APIs are checked for changes every `watch_interval` seconds.

    `plugins` are the settings of plugins by the plugins' names. `state` is the URL of the state store, and hosts with
    the same `state_prefix` in the same store share their state.

    With `mcp_endpoint`, there is one more exposer, `adapter-host`, over those of all documents.

    `unix_sockets` are paths by exposer namespace, in the place of ports, and `sockets` are bound by another process,
    such as systemd. Those of "" are for all HTTP exposers without their own, except those that monitor the host.

    With `tls`, all ports have TLS, except in other applications; Unix sockets have none. Its files are read again when
    they change.
    """

    only: tuple[str, ...] = ()
    overlays: tuple[str, ...] = ()
    openapi: Mapping[str, str] = field(default_factory=dict)
    openapi_overlays: Mapping[str, Sequence[str]] = field(default_factory=dict)
    discovered: Mapping[str, Any] = field(default_factory=dict, repr=False)
    base_uris: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    mcp_endpoint: McpEndpoint | None = None
    unix_sockets: Mapping[str, str] = field(default_factory=dict)
    sockets: Mapping[str, socket.socket] = field(default_factory=dict, repr=False)
    public_urls: Mapping[str, str] = field(default_factory=dict)
    address: str | None = None
    mock: bool = False
    skip_invalid: bool = False
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    connect_timeout: float = 5.0
    total_timeout: float = 60.0
    drain_timeout: float = 30.0
    drain_delay: float = 0.0
    call_limit: int = 1000
    conversion_workers: int = 2
    conversion_timeout: float = 10.0
    body_limit: int = 10 * MEBIBYTE
    response_limit: int = 10 * MEBIBYTE
    allowed_hosts: frozenset[str] = frozenset()
    allowed_origins: frozenset[str] = frozenset()
    trusted_proxies: tuple[str, ...] = ()
    header_timeout: float = 10.0
    body_timeout: float = 30.0
    send_timeout: float = 30.0
    keep_alive_timeout: float = 75.0
    minimum_rate: int = 500
    connection_limit: int = 2000
    connection_limit_per_address: int = 1000
    access_log: Callable[[Any], None] | None = field(default=None, repr=False)
    plugins: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    # It may have a password.
    state: str = field(default="memory:", repr=False)
    state_prefix: str = "adapter-host"
    tls: TlsFiles | None = None
    worker: int | None = None
    workers: int = 1
    watch_interval: float = 1.0

    def __post_init__(self) -> None:
        for key in filter(is_origin, self.base_uris):
            parse_origin(key)
