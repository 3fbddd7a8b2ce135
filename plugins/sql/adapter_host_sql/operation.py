"""Statements as operations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Final, TypeVar

from adapter_host import (
    ArgumentError,
    Arguments,
    ConsumedOperation,
    Input,
    InputSpec,
    Result,
    UpstreamInvalidError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
    resolve_response_schema,
    sample_of,
)

from .config import StatementSpec
from .engine import BATCH, Cursor, Engine, refused, too_many_rows
from .statement import Statement
from .values import decode_bytes, nullable, schema_of, size_of, to_json

NDJSON: Final = "application/x-ndjson"

T = TypeVar("T")


class SqlOperation(ConsumedOperation):
    """A statement, with the types that the database has for it; `limit` is the size of a response in bytes."""

    def __init__(
        self, spec: StatementSpec, statement: Statement, described: Mapping[str, Any], namespace: str, limit: int
    ) -> None:
        self.namespace = namespace
        self.name = spec.name
        self.description = spec.description
        self.spec = spec
        self.statement = statement
        self.engine: Engine | None = None
        self.mocks = False
        self.total_timeout = 60.0
        self._limit = limit
        self._returns = spec.returns
        self._max_rows = spec.max_rows
        declared = {item.name: item for item in spec.input_parameters}
        types = described.get("parameters", {})
        engine = described.get("engine", "")
        self.inputs = tuple(
            _declared(declared[name]) if name in declared else _input(name, engine, types.get(name, ""))
            for name in statement.parameters
        )
        self._bytes = frozenset(name for name, item in declared.items() if _is_bytes(item))
        self._columns = described.get("columns", ())
        schema = self._schema(engine)
        self.media_type = NDJSON if spec.streams else None
        if schema is not None and not spec.streams:
            self.output_schema = resolve_response_schema(schema, f"{namespace}.{spec.name}.result")

    def _schema(self, engine: str) -> dict[str, Any] | None:
        """Return the schema of results."""
        if not self._columns:
            if not self.statement.writes:
                return None
            return {"type": "object", "properties": {"affected": {"type": "integer"}}, "required": ["affected"]}
        properties = {each["name"]: nullable(schema_of(engine, each["type"])) for each in self._columns}
        if self._returns == "value":
            return next(iter(properties.values()))
        row = {"type": "object", "properties": properties, "required": list(properties)}
        return row if self._returns == "row" else {"type": "array", "items": row}

    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        if self.mocks:
            return self._sample()
        if self.engine is None:
            raise UpstreamUnreachableError("the database is not open")
        values = {name: self._value(name, arguments.get(name)) for name in self.statement.parameters}
        if self.spec.streams:  # type: ignore[union-attr]
            return Result(media_type=NDJSON, items=self._rows(self.engine, values))
        return Result(data=await self._in_time(self._run(self.engine, values)))

    def _value(self, name: str, value: Any) -> Any:
        if name not in self._bytes or value is None:
            return value
        try:
            return decode_bytes(value)
        except ValueError as error:
            raise ArgumentError(name, f"'{name}': {error}") from error

    async def _run(self, engine: Engine, values: Mapping[str, Any]) -> Any:
        async with engine.execute(self.statement, values) as cursor:
            return await self._read(cursor)

    async def _read(self, cursor: Cursor) -> Any:
        if not cursor.columns:
            return {"affected": cursor.affected}
        wanted = self._max_rows if self._returns == "rows" else 1
        rows: list[dict[str, Any]] = []
        size = 0
        while batch := await cursor.fetch(min(BATCH, wanted + 1 - len(rows))):
            size += sum(map(size_of, batch))
            if size > self._limit:
                raise UpstreamInvalidError(f"the result of the statement is larger than {self._limit} bytes")
            rows += (_object(cursor.columns, row) for row in batch)
            if len(rows) > wanted:
                if self._returns == "rows":
                    raise too_many_rows(wanted)
                break
        if self._returns == "rows":
            return rows
        if not rows:
            raise refused(404, "", "the statement returns no row")
        return rows[0] if self._returns == "row" else next(iter(rows[0].values()))

    async def _rows(self, engine: Engine, values: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Yield the rows as the database sends them; it has the total timeout for each batch of them."""
        async with AsyncExitStack() as stack:
            cursor = await self._in_time(stack.enter_async_context(engine.execute(self.statement, values)))
            while batch := await self._in_time(cursor.fetch(BATCH)):
                for row in batch:
                    if size_of(row) > self._limit:
                        raise UpstreamInvalidError(f"a row of the statement is larger than {self._limit} bytes")
                    yield _object(cursor.columns, row)

    async def _in_time(self, awaited: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self.total_timeout):
                return await awaited
        except TimeoutError as error:
            raise UpstreamTimeoutError("the database did not respond in time") from error

    def _sample(self) -> Result:
        if self.output_schema is not None:
            return Result(data=sample_of(self.output_schema.data))
        return Result(media_type=NDJSON, body=b"{}\n") if self.media_type else Result(data=[])

    def describe(self) -> Mapping[str, Any]:
        return {"sql": self.statement.text, **({"writes": True} if self.statement.writes else {})}

    def preview(self, arguments: Arguments) -> Mapping[str, Any]:
        return {**self.describe(), "parameters": {name: arguments.get(name) for name in self.statement.parameters}}


def _object(columns: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    return {name: to_json(value) for name, value in zip(columns, row, strict=True)}


def _declared(item: InputSpec) -> Input:
    """Return a declared input, which is optional only if the document says so: without a value, it is null."""
    return replace(Input.declared(item), required=item.required is not False)


def _input(name: str, engine: str, type_name: str) -> Input:
    """Return the input of a parameter whose type only the database knows."""
    schema = schema_of(engine, type_name) if type_name and engine != "sqlite" else {}
    return Input(name, schema.get("type"), required=True)


def _is_bytes(item: InputSpec) -> bool:
    schema = item.json_schema
    return schema is not None and schema.data.get("contentEncoding") == "base64"
