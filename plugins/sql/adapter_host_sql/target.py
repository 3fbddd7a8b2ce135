"""The database that a document names."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, unquote, urlsplit

from adapter_host import BuildContext, Template, is_loopback

from .config import SqlConfig
from .sqlite import SqliteEngine

if TYPE_CHECKING:
    from .engine import Engine

_SQLITE = "sqlite:"
_SCHEMES = ("postgresql", "postgres")


@dataclass(frozen=True, slots=True)
class Target:
    """The compiled texts of a config."""

    config: SqlConfig
    context: BuildContext
    database: Template
    username: Template | None
    password: Template | None

    @classmethod
    def compile(cls, config: SqlConfig, context: BuildContext) -> Self:
        """Compile the texts, and report problems of them."""
        target = cls(
            config,
            context,
            context.secret(config.database, config, "database"),
            None if config.username is None else context.secret(config.username, config, "username"),
            None if config.password is None else context.secret(config.password, config, "password"),
        )
        if context.base_uri is not None:
            context.problem("a base URI does not apply to a database; set 'database' by a bind", config, "database")
        if context.has_value(target.database) and (mistake := target.mistake()):
            context.problem(f"'{target.database.masked()}' {mistake}", config, "database", code="database")
        return target

    @property
    def engine(self) -> str:
        """The name of the engine."""
        return "sqlite" if self.database.text({}).startswith(_SQLITE) else "postgresql"

    def mistake(self) -> str | None:
        """Return what is wrong with the name of the database, without its text."""
        text = self.database.text({})
        if text.startswith(_SQLITE):
            return None if text != _SQLITE else "has no path; use sqlite:./shop.db"
        try:
            url = urlsplit(text)
            port = url.port
        except ValueError:
            return "is not a URL"
        if url.scheme not in _SCHEMES:
            return "is neither sqlite:PATH nor postgresql://HOST/DATABASE"
        if not url.hostname or not url.path.strip("/") or port == 0:
            return "has no host or no database; use postgresql://HOST:PORT/DATABASE"
        if url.username or url.password:
            return "has credentials; use 'username' and 'password'"
        query = parse_qs(url.query)
        if query.keys() - {"sslmode"} or query.get("sslmode", ["require"])[0] not in (
            "disable",
            "require",
            "verify-full",
        ):
            return "has an unknown parameter; only sslmode=disable, require or verify-full is known"
        return None

    def open(self) -> Engine:
        """Return the engine, which is not started yet."""
        settings, timeout = self.context.settings, self.config.timeout
        connect_timeout = timeout.connect or settings.connect_timeout
        text = self.database.text({})
        if text.startswith(_SQLITE):
            folder = Path(self.context.loaded.source.file).parent
            file = folder / text.removeprefix(_SQLITE)
            return SqliteEngine(file, self.config.pool_size, connect_timeout, settings.response_limit)
        # Imported late: SQLite does not need it.
        from .postgresql import PostgresqlEngine, PostgresqlSettings

        url = urlsplit(text)
        host = url.hostname or ""
        return PostgresqlEngine(
            PostgresqlSettings(
                host=host,
                port=url.port or 5432,
                database=unquote(url.path.strip("/")),
                username=None if self.username is None else self.username.text({}),
                password=None if self.password is None else self.password.text({}),
                tls=_tls(host, parse_qs(url.query).get("sslmode", [""])[0]),
                pool_size=self.config.pool_size,
                connect_timeout=connect_timeout,
                total_timeout=timeout.total or settings.total_timeout,
            )
        )


def _tls(host: str, mode: str) -> ssl.SSLContext | None:
    """Return the TLS settings: verified for other machines, unless the document has another mode."""
    if mode == "disable" or (not mode and is_loopback(host)):
        return None
    context = ssl.create_default_context()
    if mode == "require":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
