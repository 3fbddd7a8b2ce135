"""The consumer of databases passes the contract tests of consumers, with each engine."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from adapter_host.testing import ConsumerContract, Example

TABLE = "CREATE TABLE stations (id INTEGER PRIMARY KEY, name TEXT)"
ROWS = "INSERT INTO stations VALUES (7, 'Vardø'), (8, 'Vadsø')"
STATEMENTS = [
    {"name": "read", "sql": "SELECT id, name FROM stations WHERE id = :id", "returns": "row"},
    {"name": "list", "sql": "SELECT name FROM stations ORDER BY id"},
]


class _SqlContract(ConsumerContract):
    examples = (
        Example("read", {"id": 7}, {"id": 7, "name": "Vardø"}),
        Example("read", {"id": 8}, {"id": 8, "name": "Vadsø"}),
        Example("list", {}, [{"name": "Vardø"}, {"name": "Vadsø"}]),
    )


class TestSqlite(_SqlContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    @asynccontextmanager
    async def api(self) -> AsyncIterator[Mapping[str, Any]]:
        connection = sqlite3.connect(self.folder / "stations.db")
        connection.executescript(f"{TABLE}; {ROWS}")
        connection.close()
        yield {
            "type": "sql",
            "namespace": "db",
            "database": f"sqlite:{self.folder}/stations.db",
            "statements": STATEMENTS,
        }


class TestPostgresql(_SqlContract):
    @pytest.fixture(autouse=True)
    def _server(self, server: Any) -> None:
        self.server = server

    @asynccontextmanager
    async def api(self) -> AsyncIterator[Mapping[str, Any]]:
        url = f"postgresql://tester:s3cr3t@127.0.0.1:{self.server.port}/postgres"
        connection = await asyncpg.connect(url)
        await connection.execute(f"DROP TABLE IF EXISTS stations; {TABLE}; {ROWS}")
        await connection.close()
        yield {"type": "sql", "namespace": "db", **self.server.keys(), "statements": STATEMENTS}
