"""PostgreSQL: asyncpg, with read-only sessions and timeouts that the server enforces."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from adapter_host import (
    ArgumentError,
    UpstreamDisconnectedError,
    UpstreamError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
    parse_json,
)

from .engine import Cursor, Engine, InvalidStatementError, refused
from .statement import Statement
from .values import convert

_IDLE: Final = 300.0
"""Seconds until a connection without calls is closed."""


@dataclass(frozen=True, slots=True)
class PostgresqlSettings:
    """A server and how it is called; `tls` is None for a connection without TLS. Timeouts are in seconds."""

    host: str
    port: int
    database: str
    username: str | None
    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None
    pool_size: int
    connect_timeout: float
    total_timeout: float


class PostgresqlEngine(Engine):
    """A server: sessions are read-only, and a statement that writes begins a transaction that is not."""

    name = "postgresql"

    def __init__(self, settings: PostgresqlSettings) -> None:
        self._settings = settings
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def start(self) -> None:
        settings = self._settings
        milliseconds = str(round(settings.total_timeout * 1000))
        self._pool = asyncpg.create_pool(
            host=settings.host,
            port=settings.port,
            database=settings.database,
            user=settings.username,
            password=settings.password,
            # Not the files and variables of libpq: a document declares everything.
            passfile=os.devnull,
            ssl=settings.tls or False,
            min_size=0,
            max_size=settings.pool_size,
            max_inactive_connection_lifetime=_IDLE,
            init=_use_json,
            timeout=settings.connect_timeout,
            server_settings={
                "application_name": "adapter-host",
                "default_transaction_read_only": "on",
                "statement_timeout": milliseconds,
                "idle_in_transaction_session_timeout": milliseconds,
            },
        )
        with _errors():
            await self._pool

    async def stop(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                async with asyncio.timeout(self._settings.connect_timeout):
                    await pool.close()
            except TimeoutError:
                pool.terminate()

    async def describe(self, statement: Statement) -> Mapping[str, Any]:
        async with self._connection() as connection:
            try:
                prepared = await connection.prepare(statement.with_placeholders("${}"))
            except (asyncpg.SyntaxOrAccessError, asyncpg.DataError) as error:
                raise InvalidStatementError(str(error)) from error
            types = [_type_name(kind) for kind in prepared.get_parameters()]
            if len(types) != len(statement.parameters):
                raise InvalidStatementError("a parameter is in a comment within a comment; remove the comment")
            return {
                "parameters": dict(zip(statement.parameters, types, strict=True)),
                "columns": [{"name": each.name, "type": _type_name(each.type)} for each in prepared.get_attributes()],
            }

    @asynccontextmanager
    async def execute(self, statement: Statement, values: Mapping[str, Any]) -> AsyncIterator[Cursor]:
        async with self._connection() as connection:
            with _errors():
                await connection.execute("BEGIN READ WRITE" if statement.writes else "BEGIN READ ONLY")
                try:
                    yield await self._run(connection, statement, values)
                except BaseException:
                    if not connection.is_closed():
                        await connection.execute("ROLLBACK")
                    raise
                await connection.execute("COMMIT")

    async def _run(
        self,
        connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record],
        statement: Statement,
        values: Mapping[str, Any],
    ) -> Cursor:
        prepared = await connection.prepare(statement.with_placeholders("${}"))
        arguments = [
            convert(name, values.get(name), _type_name(kind))
            for name, kind in zip(statement.parameters, prepared.get_parameters(), strict=True)
        ]
        columns = tuple(each.name for each in prepared.get_attributes())
        try:
            if columns and not statement.writes:
                return _ServerCursor(columns, await prepared.cursor(*arguments))
            return _Finished(columns, await prepared.fetch(*arguments), prepared.get_statusmsg() or "")
        except (asyncpg.exceptions.DataError, TypeError) as error:
            if getattr(error, "severity", None) is not None:
                # An error of the server.
                raise
            # asyncpg checks arguments before it sends them.
            raise ArgumentError("arguments", f"an argument is not of the type of its parameter: {error}") from error

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy[asyncpg.Record]]:
        if self._pool is None:
            raise UpstreamUnreachableError("the database is not open")
        try:
            with _errors():
                connection = await self._pool.acquire(timeout=self._settings.connect_timeout)
        except TimeoutError as error:
            raise UpstreamUnreachableError("there is no connection to the database in time") from error
        try:
            with _errors():
                yield connection
        finally:
            await self._pool_release(connection)

    async def _pool_release(self, connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record]) -> None:
        if self._pool is not None:
            with _errors():
                await self._pool.release(connection, timeout=self._settings.connect_timeout)


class _ServerCursor(Cursor):
    """Rows that the server has not sent yet."""

    affected = 0

    def __init__(self, columns: tuple[str, ...], cursor: asyncpg.cursor.Cursor[asyncpg.Record]) -> None:
        self.columns = columns
        self._cursor = cursor

    async def fetch(self, count: int) -> Sequence[Sequence[Any]]:
        with _errors():
            return [tuple(row) for row in await self._cursor.fetch(count)]


class _Finished(Cursor):
    """The rows of a statement that writes, which the server sends at once."""

    def __init__(self, columns: tuple[str, ...], rows: Sequence[asyncpg.Record], status: str) -> None:
        self.columns = columns
        self._rows = [tuple(row) for row in rows]
        self._status = status

    async def fetch(self, count: int) -> Sequence[Sequence[Any]]:
        rows, self._rows = self._rows[:count], self._rows[count:]
        return rows

    @property
    def affected(self) -> int:
        number = self._status.rpartition(" ")[2]
        return int(number) if number.isdecimal() else 0


async def _use_json(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Let a new connection return JSON as data; what it sends is encoded already."""
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, schema="pg_catalog", encoder=str, decoder=parse_json)


def _type_name(kind: asyncpg.types.Type) -> str:
    return str(kind.name)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except asyncpg.PostgresError as error:
        raise _failure(error) from error
    except (asyncpg.InterfaceError, OSError) as error:
        if isinstance(error, TimeoutError):
            raise
        if isinstance(error, ConnectionRefusedError | FileNotFoundError) or not isinstance(
            error, ConnectionError | asyncpg.InterfaceError
        ):
            raise UpstreamUnreachableError("there is no connection to the database") from error
        raise UpstreamDisconnectedError("the connection to the database was closed") from error


def _failure(error: asyncpg.PostgresError) -> UpstreamError:
    state = error.sqlstate or ""
    if state == "57014":
        return UpstreamTimeoutError("the database did not respond in time")
    if state.startswith(("28", "3D", "53", "57P")) or isinstance(error, asyncpg.CannotConnectNowError):
        return UpstreamUnreachableError("the database refuses the connection")
    if state.startswith("08"):
        return UpstreamDisconnectedError("the connection to the database was closed")
    if state.startswith("23"):
        return refused(409, state, "the database refuses the change: it breaks a constraint")
    if state.startswith("22"):
        return refused(400, state, "the database refuses a value")
    if state.startswith("40") or state == "55P03":
        return refused(503, state, "the transaction conflicts with another one")
    if state == "25006":
        return refused(403, state, "the statement changes data; it needs 'writes: true'")
    if state == "42501":
        return refused(403, state, "the user of the database lacks permission")
    return refused(500, state, "the database cannot run the statement")
