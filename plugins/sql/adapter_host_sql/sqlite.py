"""SQLite: the standard library's driver, in threads of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

from adapter_host import (
    ArgumentError,
    DaemonThreads,
    UpstreamError,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
    encode_json,
)

from .engine import Cursor, Engine, InvalidStatementError, refused
from .statement import Statement

_STEPS: Final = 1000
"""Instructions of SQLite between two checks whether a call has been cancelled."""

T = TypeVar("T")


class SqliteEngine(Engine):
    """A database file. Reads have connections that cannot write, and writes follow each other.

    `pool_size` is the maximum number of connections, `timeout` the seconds to wait for a lock, `value_limit` the
    maximum size of a value in bytes.
    """

    name = "sqlite"

    def __init__(self, file: Path, pool_size: int, timeout: float, value_limit: int) -> None:
        self._file = file
        self._timeout = timeout
        self._value_limit = value_limit
        self._pool_size = pool_size
        self._threads = DaemonThreads(pool_size + 1)
        self._idle: list[sqlite3.Connection] = []
        self._started = False

    async def start(self) -> None:
        self._free = asyncio.Semaphore(self._pool_size)
        self._writing = asyncio.Lock()
        self._started = True

    async def stop(self) -> None:
        self._started = False
        while self._idle:
            await self._threads.run(self._idle.pop().close)

    async def describe(self, statement: Statement) -> Mapping[str, Any]:
        async with self._reserved(writes=False) as run:
            try:
                described: Mapping[str, Any] = await run(lambda connection: _describe(connection, statement))
                return described
            except UpstreamStatusError as error:
                raise InvalidStatementError(str(error.__cause__)) from error

    @asynccontextmanager
    async def execute(self, statement: Statement, values: Mapping[str, Any]) -> AsyncIterator[Cursor]:
        bound = {name: _bound(name, values.get(name)) for name in statement.parameters}
        async with self._reserved(writes=statement.writes) as run:
            try:
                if statement.writes:
                    await run(lambda connection: connection.execute("BEGIN IMMEDIATE"))
                cursor = await run(lambda connection: connection.execute(statement.text, bound))
                try:
                    yield _SqliteCursor(cursor, run)
                    await run(sqlite3.Connection.commit)
                finally:
                    # An open cursor holds a lock.
                    await asyncio.shield(run(lambda _: cursor.close()))
            finally:
                await asyncio.shield(run(sqlite3.Connection.rollback))

    @asynccontextmanager
    async def _reserved(self, *, writes: bool) -> AsyncIterator[_Run]:
        """Reserve a connection, and yield a function that runs another one with it in a thread."""
        if not self._started:
            raise UpstreamUnreachableError("the database is not open")
        async with self._writing if writes else self._free:
            connection = (
                await self._threads.run(self._connect, writes) if writes or not self._idle else self._idle.pop()
            )
            try:
                yield lambda function: self._run(connection, function)
            finally:
                if writes or not self._started:
                    await asyncio.shield(self._threads.run(connection.close))
                else:
                    self._idle.append(connection)

    async def _run(self, connection: sqlite3.Connection, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function in a thread; if the call is cancelled, interrupt it and wait for its end."""
        cancelled = False
        # Called in the thread, also before the statement has begun, when an interruption has no effect.
        connection.set_progress_handler(lambda: cancelled, _STEPS)
        task = asyncio.ensure_future(self._threads.run(_translated, function, connection))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
            connection.interrupt()
            # Whatever else happens, no other call may get the connection before. The outcome does not matter any more.
            while not task.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([task])
            task.exception()
            raise

    def _connect(self, writes: bool) -> sqlite3.Connection:
        uri = f"file:{quote(str(self._file))}?mode={'rw' if writes else 'ro'}"
        with _errors():
            connection = sqlite3.connect(
                uri, timeout=self._timeout, uri=True, check_same_thread=False, isolation_level=None
            )
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, self._value_limit)
            connection.execute("PRAGMA foreign_keys = ON")
            # Opening is lazy: read the file now.
            connection.execute("PRAGMA schema_version").fetchone()
        return connection


_Run = Callable[[Callable[[sqlite3.Connection], Any]], Any]


class _SqliteCursor(Cursor):
    def __init__(self, cursor: sqlite3.Cursor, run: _Run) -> None:
        self.columns = tuple(column[0] for column in cursor.description or ())
        self._cursor = cursor
        self._run = run

    async def fetch(self, count: int) -> Sequence[Sequence[Any]]:
        rows: Sequence[Sequence[Any]] = await self._run(lambda _: self._cursor.fetchmany(count))
        return rows

    @property
    def affected(self) -> int:
        return max(self._cursor.rowcount, 0)


def _describe(connection: sqlite3.Connection, statement: Statement) -> Mapping[str, Any]:
    """Compile a statement without running it; a view of it has the declared types of its columns."""
    parameters = dict.fromkeys(statement.parameters, "")
    nothing = dict.fromkeys(statement.parameters)
    connection.execute(f"EXPLAIN {statement.text}", nothing).close()
    if statement.writes:
        return {"parameters": parameters, "columns": []}
    text = statement.with_placeholders("NULL")
    try:
        connection.execute(f"CREATE TEMP VIEW adapter_host_columns AS {text}")
        columns = connection.execute("PRAGMA temp.table_info(adapter_host_columns)").fetchall()
    finally:
        connection.execute("DROP VIEW IF EXISTS temp.adapter_host_columns")
    return {
        "parameters": parameters,
        "columns": [{"name": name, "type": kind.upper()} for _, name, kind, *_ in columns],
    }


def _bound(name: str, value: Any) -> Any:
    if isinstance(value, list | dict):
        return encode_json(value).decode()
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ArgumentError(name, f"'{name}' is not an integer of 64 bits, which SQLite needs")
    return value


def _translated(function: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> T:
    with _errors():
        return function(connection)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise refused(409, _code(error), "the database refuses the change: it breaks a constraint") from error
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise _failure(error) from error
    except UnicodeEncodeError as error:
        raise ArgumentError("arguments", "a text has characters that are not Unicode") from error


def _failure(error: Exception) -> UpstreamError:
    code = _code(error)
    if code == "SQLITE_INTERRUPT":
        return UpstreamTimeoutError("the database did not respond in time")
    if code in ("SQLITE_BUSY", "SQLITE_LOCKED"):
        return refused(503, code, "the database is locked by another process")
    if code in ("SQLITE_CANTOPEN", "SQLITE_NOTADB", "SQLITE_PERM", "SQLITE_IOERR"):
        return UpstreamUnreachableError("the database file cannot be read")
    if code == "SQLITE_READONLY":
        return refused(403, code, "the statement changes data; it needs 'writes: true'")
    if code == "SQLITE_TOOBIG":
        return UpstreamInvalidError("a value in the database is larger than the response limit")
    return refused(500, code, "the database cannot run the statement")


def _code(error: Exception) -> str:
    """Return the primary code of an error, such as SQLITE_BUSY."""
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    return "_".join(str(name).split("_")[:2])
