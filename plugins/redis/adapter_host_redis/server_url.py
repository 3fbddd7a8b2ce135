"""The URL of a server: `redis://USER:PASSWORD@HOST:PORT/DATABASE?ca=FILE`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

PASSWORD: Final = "ADAPTER_HOST_REDIS_PASSWORD"
"""The environment variable with the password, if the URL has none."""

_FILES: Final = ("ca", "cert", "key")


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """A server, its database, and the files of certificates for TLS."""

    host: str
    port: int
    database: int
    tls: bool
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The server for messages, without a secret."""
        return f"{self.host}:{self.port}/{self.database}"

    @classmethod
    def parse(cls, url: str, environment: Mapping[str, str]) -> ServerUrl:
        """Parse a URL; raise `ValueError`, whose message has no secret."""
        try:
            parts = urlsplit(url)
            port = 6379 if parts.port is None else parts.port
            query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError:
            # The message of urllib may quote a part of the password.
            raise ValueError("it cannot be parsed; percent-encode the password, and use a port up to 65535") from None
        database = parts.path.removeprefix("/") or "0"
        if not parts.hostname:
            raise ValueError("it has no host; use redis://HOST:PORT/DATABASE")
        if not database.isascii() or not database.isdecimal():
            raise ValueError("its path is not the number of a database; use redis://HOST:PORT/DATABASE")
        if parts.fragment:
            raise ValueError("it has a fragment; percent-encode '#' in the password as %23")
        tls = parts.scheme in ("rediss", "valkeys")
        for key, _ in query:
            if key not in _FILES:
                raise ValueError(f"its parameter '{key}' is unknown (known: {', '.join(_FILES)})")
            if not tls:
                raise ValueError(f"its parameter '{key}' is for TLS; use rediss:// or valkeys://")
        return cls(
            parts.hostname,
            port,
            int(database),
            tls,
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else environment.get(PASSWORD) or None,
            dict(query),
        )
