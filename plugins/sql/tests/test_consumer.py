"""Databases as consumed APIs: the same statements on SQLite and on a server of PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapter_host import (
    ArgumentError,
    Host,
    ProblemsError,
    Settings,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
    discover,
)
from adapter_host.testing import running

LIST = {"name": "list", "sql": "SELECT id, name FROM boats ORDER BY id"}
FIND = {"name": "find", "sql": "SELECT id, name, built FROM boats WHERE name = :name", "returns": "row"}
COUNT = {"name": "count", "sql": "SELECT count(*) AS boats FROM boats", "returns": "value"}
ADD = {"name": "add", "sql": "INSERT INTO boats (id, name) VALUES (:id, :name)", "writes": True}
MANY = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000000) SELECT i FROM n"
SLOW = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS rows FROM n WHERE i < 0"


def document(database: dict[str, Any], *statements: dict[str, Any], **keys: Any) -> dict[str, Any]:
    entry = {"type": "sql", "namespace": "db", **database, "statements": list(statements), **keys}
    return {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [entry]}}


@asynccontextmanager
async def started(capability: dict[str, Any], **settings: Any) -> AsyncIterator[Host]:
    definitions = await discover(capability, settings=Settings(environment={}))
    async with Host(capability, settings=Settings(environment={}, discovered=definitions, **settings)) as host:
        yield host


async def test_rows_row_and_value(database: dict[str, Any]) -> None:
    async with started(document(database, LIST, FIND, COUNT)) as host:
        assert (await host.call("db.list")).data == [{"id": 1, "name": "Heron"}, {"id": 2, "name": "Tern"}]
        assert (await host.call("db.find", {"name": "Heron"})).data == {"id": 1, "name": "Heron", "built": "2026-05-19"}
        assert (await host.call("db.count")).data == 2
        with pytest.raises(UpstreamStatusError) as missing:
            await host.call("db.find", {"name": "Gull"})
        assert missing.value.upstream_status == 404


async def test_writes(database: dict[str, Any]) -> None:
    async with started(document(database, ADD, COUNT)) as host:
        assert (await host.call("db.add", {"id": 3, "name": "Gull"})).data == {"affected": 1}
        with pytest.raises(UpstreamStatusError) as twice:
            await host.call("db.add", {"id": 3, "name": "Gull"})
        assert (twice.value.upstream_status, b"Gull" in twice.value.body) == (409, False)
        assert (await host.call("db.count")).data == 3


async def test_reads_cannot_write(database: dict[str, Any]) -> None:
    text = "DELETE FROM boats RETURNING id"
    capability = document(database, {"name": "remove", "sql": text, "writes": True}, COUNT)
    definitions = await discover(capability, settings=Settings(environment={}))
    capability["capability"]["consumes"][0]["statements"][0]["writes"] = False
    async with Host(capability, settings=Settings(environment={}, discovered=definitions)) as host:
        with pytest.raises(UpstreamStatusError) as refused:
            await host.call("db.remove")
        assert refused.value.upstream_status == 403
        assert (await host.call("db.count")).data == 2


async def test_returning_rows_of_a_write(database: dict[str, Any]) -> None:
    text = "INSERT INTO boats (id, name) VALUES (:id, :name) RETURNING id, name"
    async with started(
        document(database, {"name": "add", "sql": text, "writes": True, "returns": "row"}, COUNT)
    ) as host:
        assert (await host.call("db.add", {"id": 4, "name": "Skua"})).data == {"id": 4, "name": "Skua"}
        assert (await host.call("db.count")).data == 3


@pytest.mark.parametrize(
    "attack", ["' OR 1=1 --", "x'; DROP TABLE boats; --", '"; DELETE FROM boats', "{{env.X}}", ":name"]
)
async def test_values_never_become_sql(database: dict[str, Any], attack: str) -> None:
    async with started(document(database, FIND, COUNT)) as host:
        with pytest.raises(UpstreamStatusError) as missing:
            await host.call("db.find", {"name": attack})
        assert missing.value.upstream_status == 404
        assert (await host.call("db.count")).data == 2


async def test_values_keep_their_digits(postgresql: dict[str, Any]) -> None:
    text = (
        "SELECT price, 9223372036854775807 AS big, built, photo, now() AT TIME ZONE 'UTC' > '2020-01-01' AS late,"
        " timestamptz '2026-05-19 12:00:00+02' AS at, ARRAY[1, 2] AS list, '{\"a\": 1.50}'::jsonb AS json,"
        " 'NaN'::numeric AS nan, uuid '6f1c0c1e-2a76-4f0b-9c0e-1f2d3c4b5a69' AS id FROM boats WHERE id = 1"
    )
    async with started(document(postgresql, {"name": "all", "sql": text, "returns": "row"})) as host:
        body = (await host.call("db.all")).body.decode()
    assert '"price":12345678901234567890.1234567891' in body
    found = json.loads(body)
    del found["price"]
    assert found == {
        "big": 9223372036854775807,
        "built": "2026-05-19",
        "photo": "iVBORw==",
        "late": True,
        "at": "2026-05-19T10:00:00+00:00",
        "list": [1, 2],
        "json": {"a": 1.5},
        "nan": "NaN",
        "id": "6f1c0c1e-2a76-4f0b-9c0e-1f2d3c4b5a69",
    }


async def test_arguments_have_the_types_of_the_database(postgresql: dict[str, Any]) -> None:
    text = (
        "SELECT CAST(:day AS date) AS day, CAST(:price AS numeric) AS price, CAST(:photo AS bytea) AS photo,"
        " CAST(:tags AS text[]) AS tags, CAST(:data AS jsonb) AS data, CAST(:number AS int8) AS number"
    )
    arguments = {
        "day": "2026-05-19",
        "price": 12.5,
        "photo": "iVBORw==",
        "tags": ["a", "b"],
        "data": {"a": [1]},
        "number": 9007199254740993,
    }
    async with started(document(postgresql, {"name": "same", "sql": text, "returns": "row"})) as host:
        assert (await host.call("db.same", arguments)).data == arguments
        operation = host.plans[0].consumed[0]
        assert {each.name: each.type for each in operation.inputs} == {
            "day": "string",
            "price": "number",
            "photo": "string",
            "tags": "array",
            "data": None,
            "number": "integer",
        }
        for name, value in (("day", "someday"), ("price", "much"), ("photo", "?"), ("number", "x"), ("number", 2**70)):
            with pytest.raises(ArgumentError):
                await host.call("db.same", {**arguments, name: value})


async def test_schemas_come_from_the_database(database: dict[str, Any]) -> None:
    async with started(document(database, LIST, ADD, COUNT)) as host:
        schemas = {each.name: each.output_schema for each in host.plans[0].consumed}
        assert schemas["list"] is not None
        assert schemas["list"].data["items"]["properties"] == {
            "id": {"type": ["integer", "null"]},
            "name": {"type": ["string", "null"]},
        }
        assert schemas["add"] is not None
        assert schemas["add"].data["required"] == ["affected"]


async def test_rows_are_streamed(database: dict[str, Any]) -> None:
    capability = document(database, {"name": "many", "sql": MANY, "streams": True}, COUNT, poolSize=1)
    async with started(capability) as host:
        operation = next(each for each in host.plans[0].consumed if each.name == "many")
        result = await operation.call({}, stream=True)
        assert result.media_type == "application/x-ndjson"
        rows = result.iter_items()
        assert [await anext(rows) for _ in range(2)] == [{"i": 1}, {"i": 2}]
        await rows.aclose()
        # The only connection is free again, although the statement was not at its end.
        assert (await host.call("db.count")).data == 2


async def test_limits(database: dict[str, Any]) -> None:
    rows = {"name": "rows", "sql": MANY, "maxRows": 500}
    large = {"name": "large", "sql": f"SELECT '{'x' * 2000}' AS text"}
    async with started(document(database, rows, large), response_limit=1000) as host:
        with pytest.raises(UpstreamInvalidError):
            await host.call("db.large")
    async with started(document(database, rows)) as host:
        with pytest.raises(UpstreamInvalidError, match="more than 500 rows"):
            await host.call("db.rows")


async def test_timeouts_and_cancellation_end_the_statement(database: dict[str, Any]) -> None:
    slow = {"name": "slow", "sql": SLOW}
    capability = document(database, slow, COUNT, poolSize=1, **{"x-timeout": {"total": 0.5}})
    async with started(capability) as host:
        with pytest.raises(UpstreamTimeoutError):
            await host.call("db.slow")
        assert (await host.call("db.count")).data == 2
    async with started(document(database, slow, COUNT, poolSize=1)) as host:
        call = asyncio.create_task(host.call("db.slow"))
        await asyncio.wait([call], timeout=0.3)
        call.cancel()
        await asyncio.wait([call])
        assert call.cancelled()
        assert (await host.call("db.count")).data == 2


async def test_timeout_of_a_stream(database: dict[str, Any]) -> None:
    capability = document(
        database, {"name": "slow", "sql": SLOW, "streams": True}, COUNT, poolSize=1, **{"x-timeout": {"total": 0.5}}
    )
    async with started(capability) as host:
        operation = next(each for each in host.plans[0].consumed if each.name == "slow")
        result = await operation.call({}, stream=True)
        assert result.stream is not None
        with pytest.raises(UpstreamTimeoutError):
            await anext(result.stream)
        assert (await host.call("db.count")).data == 2


async def test_streams_over_rest(database: dict[str, Any]) -> None:
    capability = document(database, {"name": "list", "sql": LIST["sql"], "streams": True})
    resources = [{"path": "/boats", "operations": [{"method": "GET", "name": "list", "call": "db.list"}]}]
    capability["capability"]["exposes"] = [{"type": "rest", "namespace": "front", "port": 0, "resources": resources}]
    definitions = await discover(capability, settings=Settings(environment={}))
    async with (
        running(capability, discovered=definitions) as served,
        aiohttp.ClientSession() as session,
        session.get(f"{served.url('front')}/boats") as response,
    ):
        assert response.content_type == "application/x-ndjson"
        assert await response.text() == '{"id":1,"name":"Heron"}\n{"id":2,"name":"Tern"}\n'


async def test_concurrent_calls_share_a_pool(database: dict[str, Any]) -> None:
    async with started(document(database, FIND, ADD, COUNT, poolSize=3)) as host:
        reads = [host.call("db.find", {"name": name}) for name in ("Heron", "Tern") * 20]
        writes = [host.call("db.add", {"id": number, "name": f"boat {number}"}) for number in range(10, 20)]
        results = await asyncio.gather(*reads, *writes)
        assert [result.data["name"] for result in results[:40]] == ["Heron", "Tern"] * 20
        assert (await host.call("db.count")).data == 12


async def test_changed_schema_is_a_warning(postgresql: dict[str, Any], server: Any) -> None:
    capability = document(postgresql, LIST)
    definitions = await discover(capability, settings=Settings(environment={}))
    definitions["db"]["statements"]["list"]["columns"][1]["type"] = "varchar"
    async with Host(capability, settings=Settings(environment={}, discovered=definitions)) as host:
        (warning,) = host.warnings
        assert warning.code == "changed-definitions"
        assert "statements.list.columns" in warning.message


async def test_secrets_are_bound_and_never_logged(postgresql: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    keys = {**postgresql, "password": "{{env.PASSWORD}}"}
    capability = document(keys, COUNT)
    capability["binds"] = [{"namespace": "env", "keys": {"PASSWORD": "DB_PASSWORD"}}]
    definitions = await discover(capability, settings=Settings(environment={"DB_PASSWORD": "s3cr3t"}))
    for password, expected in (("s3cr3t", 2), ("wr0ng-one", None)):
        settings = Settings(environment={"DB_PASSWORD": password}, discovered=definitions)
        async with Host(capability, settings=settings) as host:
            if expected:
                assert (await host.call("db.count")).data == expected
            else:
                with pytest.raises(UpstreamUnreachableError):
                    await host.call("db.count")
        assert password not in caplog.text


@pytest.mark.parametrize(
    ("mode", "trusted", "encrypted"),
    [("verify-full", True, True), ("verify-full", False, None), ("require", False, True), ("disable", False, False)],
)
async def test_tls(
    postgresql: dict[str, Any],
    server: Any,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    trusted: bool,
    encrypted: bool | None,
) -> None:
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(server.folder / "authority.pem"))
    url = postgresql["database"].replace("127.0.0.1", "localhost")
    keys = {**postgresql, "database": f"{url}?sslmode={mode}"}
    statement = {"name": "tls", "sql": "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", "returns": "value"}
    if encrypted is None:
        with pytest.raises(UpstreamUnreachableError):
            await discover(document(keys, statement), settings=Settings(environment={}))
        return
    async with started(document(keys, statement)) as host:
        assert (await host.call("db.tls")).data is encrypted


async def test_server_that_is_restarted(postgresql: dict[str, Any], server: Any) -> None:
    capability = document(postgresql, COUNT)
    async with started(capability) as host:
        assert (await host.call("db.count")).data == 2
        await asyncio.to_thread(server.stop)
        with pytest.raises((UpstreamUnreachableError, UpstreamStatusError)):
            await host.call("db.count")
        await asyncio.to_thread(server.start)
        assert (await host.call("db.count")).data == 2


async def test_blobs_of_declared_inputs(sqlite_file: Path) -> None:
    photo = {"name": "photo", "x-schema": {"type": "string", "contentEncoding": "base64"}}
    text = "UPDATE boats SET photo = :photo WHERE id = 2 RETURNING photo, typeof(photo) AS type"
    statement = {"name": "store", "sql": text, "writes": True, "returns": "row", "inputParameters": [photo]}
    async with started(document({"database": f"sqlite:{sqlite_file}"}, statement)) as host:
        assert (await host.call("db.store", {"photo": "AAEC"})).data == {"photo": "AAEC", "type": "blob"}
        with pytest.raises(ArgumentError):
            await host.call("db.store", {"photo": "?"})


async def test_parameters_are_required_unless_declared_optional(sqlite_file: Path) -> None:
    optional = [{"name": "a", "type": "integer", "required": False}, {"name": "b", "type": "integer"}]
    statement = {"name": "read", "sql": "SELECT :a, :b, :c", "inputParameters": optional}
    async with started(document({"database": f"sqlite:{sqlite_file}"}, statement)) as host:
        operation = host.plans[0].consumed[0]
        assert [(each.name, each.required) for each in operation.inputs] == [("a", False), ("b", True), ("c", True)]


# Documents


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ({"sql": "SELECT * FROM boats WHERE name = '{{name}}'"}, "sql-template"),
        ({"sql": "SELECT {{env.TABLE}}"}, "sql-template"),
        ({}, "invalid"),
        ({"sql": "SELECT 1", "file": "./x.sql"}, "invalid"),
        ({"file": "../x.sql"}, "invalid"),
        ({"file": "./missing.sql"}, "unreadable"),
        ({"sql": "SELECT 1", "inputParameters": [{"name": "a"}]}, "idle-input"),
        ({"sql": "SELECT :a", "inputParameters": [{"name": "a", "value": 1}]}, "invalid"),
        ({"sql": "SELECT 1", "writes": True, "streams": True}, "invalid"),
    ],
)
def test_mistakes_of_statements(tmp_path: Path, statement: dict[str, Any], code: str) -> None:
    capability = document({"database": "sqlite:./x.db"}, {"name": "read", **statement})
    file = tmp_path / "db.yaml"
    file.write_text(json.dumps(capability))
    with pytest.raises(ProblemsError) as caught:
        Host(file, settings=Settings(environment={}, discovered={"db": {}}))
    assert [problem.code for problem in caught.value.problems if not problem.warning] == [code]


@pytest.mark.parametrize(
    "database",
    [
        "sqlite:",
        "mysql://h/d",
        "postgresql://u:p@h/d",
        "postgresql://h",
        "postgresql://h/d?options=x",
        "postgresql://h:x/d",
    ],
)
def test_mistakes_of_the_database(database: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        Host(document({"database": database}), settings=Settings(environment={}, discovered={"db": {}}))
    assert [problem.code for problem in caught.value.problems] == ["database"]


@pytest.mark.parametrize("text", ["SELEC 1", "SELECT missing FROM boats", "SELECT 1; SELECT 2"])
async def test_statement_that_the_database_does_not_accept(database: dict[str, Any], text: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        await discover(document(database, {"name": "read", "sql": text}), settings=Settings(environment={}))
    (problem,) = caught.value.problems
    assert problem.code == "sql"


async def test_parameter_in_a_nested_comment(postgresql: dict[str, Any]) -> None:
    statement = {"name": "read", "sql": "SELECT 1 /* /* */ :a */"}
    with pytest.raises(ProblemsError, match="comment within a comment"):
        await discover(document(postgresql, statement), settings=Settings(environment={}))


async def test_calls_cancelled_twice_release_the_connection(sqlite_file: Path) -> None:
    capability = document({"database": f"sqlite:{sqlite_file}"}, {"name": "slow", "sql": SLOW}, COUNT, poolSize=1)
    async with started(capability) as host:
        for _ in range(5):
            call = asyncio.create_task(host.call("db.slow"))
            await asyncio.wait([call], timeout=0.05)
            for _ in range(3):
                call.cancel()
                await asyncio.wait([call], timeout=0)
            await asyncio.wait([call])
            assert (await host.call("db.count")).data == 2


async def test_statement_in_a_file(tmp_path: Path, sqlite_file: Path) -> None:
    (tmp_path / "find.sql").write_text(
        "-- ':not' a parameter\nSELECT id, 'a:b' AS text FROM boats WHERE name = :name;\n"
    )
    capability = document({"database": "sqlite:./boats.db"}, {"name": "find", "file": "./find.sql", "returns": "row"})
    file = tmp_path / "db.yaml"
    file.write_text(json.dumps(capability))
    definitions = await discover(file, settings=Settings(environment={}))
    async with Host(file, settings=Settings(environment={}, discovered=definitions)) as host:
        assert (await host.call("db.find", {"name": "Tern"})).data == {"id": 2, "text": "a:b"}
        assert str(tmp_path / "find.sql") in host.plans[0].loaded.files


async def test_file_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(UpstreamUnreachableError):
        await discover(
            document({"database": f"sqlite:{tmp_path}/missing.db"}, COUNT), settings=Settings(environment={})
        )
    assert not (tmp_path / "missing.db").exists()
