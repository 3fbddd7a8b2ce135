"""The interface of database engines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from adapter_host import UpstreamInvalidError, UpstreamStatusError, encode_json

from .statement import Statement

BATCH: Final = 100
"""The number of rows that are fetched at a time."""


class InvalidStatementError(Exception):
    """The database does not accept a statement; the message is for the author of the document."""


class Cursor(ABC):
    """The result of a statement that is running; `columns` is empty if it returns no rows."""

    columns: tuple[str, ...] = ()

    @abstractmethod
    async def fetch(self, count: int) -> Sequence[Sequence[Any]]:
        """Return the next rows, at most `count`; empty after the last one."""

    @property
    @abstractmethod
    def affected(self) -> int:
        """The number of rows that the statement has changed."""


class Engine(ABC):
    """A database that is connected to; all methods raise `UpstreamError`."""

    name: str

    @abstractmethod
    async def start(self) -> None:
        """Open what calls share."""

    @abstractmethod
    async def stop(self) -> None:
        """Close all connections."""

    @abstractmethod
    async def describe(self, statement: Statement) -> Mapping[str, Any]:
        """Return the types of `parameters` by name, and the `columns`, each with `name` and `type`; run nothing.

        Raise `InvalidStatementError` for a statement that the database does not accept.
        """

    @abstractmethod
    def execute(self, statement: Statement, values: Mapping[str, Any]) -> AbstractAsyncContextManager[Cursor]:
        """Run a statement with values of its parameters, in a transaction; it ends with the context."""


def refused(status: int, code: str, message: str) -> UpstreamStatusError:
    """Return the error for a statement that the database refuses; `code` is the database's own."""
    return UpstreamStatusError(status, encode_json({"code": code, "message": message}), "application/json")


def too_many_rows(limit: int) -> UpstreamInvalidError:
    """Return the error for a result with more rows than the statement allows."""
    return UpstreamInvalidError(f"the result has more than {limit} rows; select fewer, or raise 'maxRows'")
