"""Settings of a host that are not part of a document."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a host. Times are in seconds, sizes in bytes.

    `base_uris` is by consumer namespace, `ports` by exposer namespace (0 takes any free port). `environment` is the
    source of binds without a location; nothing else reads the process's environment. `body_limit` bounds a request's
    body, `response_limit` a buffered upstream response, `call_limit` the concurrent calls of one exposer.
    `allowed_hosts` and `allowed_origins` are accepted in Host and Origin headers in addition to loopback hosts;
    X-Forwarded-Host is trusted from `trusted_proxies` (addresses or networks). During `drain_delay` a draining host
    keeps serving, but reports not ready to load balancers.
    """

    base_uris: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    address: str | None = None
    mock: bool = False
    skip_invalid: bool = False
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    connect_timeout: float = 5.0
    total_timeout: float = 60.0
    drain_timeout: float = 30.0
    drain_delay: float = 0.0
    call_limit: int = 1000
    body_limit: int = 10 * MEBIBYTE
    response_limit: int = 10 * MEBIBYTE
    allowed_hosts: frozenset[str] = frozenset()
    allowed_origins: frozenset[str] = frozenset()
    trusted_proxies: tuple[str, ...] = ()
