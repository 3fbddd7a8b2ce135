"""Models of `type: sql` under `consumes`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from adapter_host import ConsumerConfig, InputSpec, ListField, Model, Timeouts


class StatementSpec(Model):
    """A statement with its name: its text, or the file with it."""

    name: str
    description: str | None = None
    sql: str | None = None
    file: str | None = None
    input_parameters: ListField[InputSpec] = ()
    writes: bool = False
    returns: Literal["rows", "row", "value"] = "rows"
    streams: bool = False
    max_rows: int = Field(1000, ge=1, le=1_000_000)

    @model_validator(mode="after")
    def _check_text(self) -> Self:
        if (self.sql is None) is (self.file is None):
            raise ValueError("a statement has either 'sql' or 'file'; set one of them")
        if self.streams and (self.writes or self.returns != "rows"):
            raise ValueError("'streams' needs a statement that reads and returns rows")
        return self


class SqlConfig(ConsumerConfig):
    """A consumed database: `sqlite:PATH`, or a URL of PostgreSQL without credentials."""

    database: str
    username: str | None = None
    password: str | None = None
    pool_size: int = Field(10, ge=1, le=1000)
    statements: ListField[StatementSpec] = ()
    timeout: Timeouts = Field(default_factory=Timeouts, alias="x-timeout")
