"""The consumer of databases."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapter_host import BuildContext, ConsumedOperation, Consumer, UpstreamError, count_noun, read_regular_file

from .config import SqlConfig, StatementSpec
from .statement import Statement

if TYPE_CHECKING:
    from .engine import Engine
    from .operation import SqlOperation

log = logging.getLogger("adapter_host.sql")

MAX_STATEMENT = 1024 * 1024
"""The maximum size of a file with a statement, in bytes."""


class SqlConsumer(Consumer[SqlConfig]):
    """Runs the statements of a document on a database."""

    config_class = SqlConfig
    discovers = True

    @classmethod
    def declared_address(cls, config: SqlConfig, context: BuildContext) -> str | None:
        """Return None, because a URL of all APIs cannot replace a database."""
        return None

    def __init__(self, config: SqlConfig, context: BuildContext) -> None:
        super().__init__(config, context)
        # Imported late: few documents consume a database.
        from .operation import SqlOperation
        from .target import Target

        self._target = Target.compile(config, context)
        definitions = context.discovered() or {}
        self._operations: list[SqlOperation] = []
        for spec, statement in compile_statements(config, context):
            described = definitions.get("statements", {}).get(spec.name)
            if described is None and definitions:
                message = f"the types of '{spec.name}' are unknown; run 'adapter-host discover' again"
                context.problem(message, spec, "name", code="not-discovered")
            described = {"engine": self._target.engine, **(described or {})}
            _check_columns(described, spec, context)
            limit = context.settings.response_limit
            self._operations.append(SqlOperation(spec, statement, described, config.namespace, limit))
        self._engine: Engine | None = None

    @classmethod
    async def discover(cls, config: SqlConfig, context: BuildContext) -> Any:
        from .target import Target

        target = Target.compile(config, context)
        statements = tuple(compile_statements(config, context))
        context.raise_problems()
        engine = target.open()
        await engine.start()
        try:
            return await describe_all(engine, statements, context)
        finally:
            await engine.stop()

    def operations(self) -> Sequence[ConsumedOperation]:
        return self._operations

    async def start(self) -> None:
        settings = self.context.settings
        for operation in self._operations:
            operation.mocks = settings.mock
            operation.total_timeout = self.config.timeout.total or settings.total_timeout
        if settings.mock:
            return
        engine = self._engine = self._target.open()
        for operation in self._operations:
            operation.engine = engine
        await engine.start()
        try:
            statements = tuple((operation.spec, operation.statement) for operation in self._operations)
            self.context.report_changes(await describe_all(engine, statements, None))
        except UpstreamError as error:
            # Calls connect again.
            log.warning("%s: %s", self.config.namespace, error.message)

    async def stop(self) -> None:
        if self._engine is not None:
            await self._engine.stop()


async def describe_all(
    engine: Engine, statements: Sequence[tuple[Any, Statement]], context: BuildContext | None
) -> dict[str, Any]:
    """Return the types of all statements; report those that the database does not accept, or leave them out."""
    from .engine import InvalidStatementError

    found: dict[str, Any] = {}
    for spec, statement in statements:
        try:
            found[statement.name] = dict(await engine.describe(statement))
        except InvalidStatementError as error:
            if context is not None:
                key = "sql" if spec.sql is not None else "file"
                context.problem(f"the database does not accept the statement: {error}", spec, key, code="sql")
    return {"engine": engine.name, "statements": found}


def compile_statements(config: SqlConfig, context: BuildContext) -> Iterator[tuple[StatementSpec, Statement]]:
    """Yield the statements of a document; report problems of them."""
    names: set[str] = set()
    for spec in config.statements:
        key = "file" if spec.sql is None else "sql"
        text = spec.sql if spec.sql is not None else _read(spec, context)
        if text is None:
            continue
        if "{{" in text:
            message = "template tags are not allowed in SQL, as they could change the statement; use :name and bind it"
            context.problem(message, spec, key, code="sql-template")
            continue
        if spec.name in names:
            context.problem(f"statement '{spec.name}' is declared twice; use another name", spec, "name")
        names.add(spec.name)
        statement = Statement.parse(spec.name, text, writes=spec.writes)
        for item in spec.input_parameters:
            if item.name not in statement.parameters:
                context.problem(f"the statement has no parameter ':{item.name}'", item, "name", code="idle-input")
            elif item.value is not None:
                context.problem("'value' is not supported; write the constant into the SQL", item, "value")
        yield spec, statement


def _read(spec: StatementSpec, context: BuildContext) -> str | None:
    """Return the text in the file of a statement, which is in the folder of the document or below."""
    loaded = context.loaded
    folder = Path(loaded.source.position_of(loaded.loc(spec, "file"))[0]).parent
    path = folder / (spec.file or "")
    if not path.resolve().is_relative_to(folder.resolve()):
        context.problem(f"'{spec.file}' is outside of the document's folder; move it there", spec, "file")
        return None
    try:
        text = read_regular_file(path, MAX_STATEMENT + 1)
        if len(text) > MAX_STATEMENT:
            context.problem(f"'{spec.file}' is larger than 1 MiB", spec, "file")
            return None
        loaded.add_file(str(path))
        return text.decode()
    except OSError as error:
        context.problem(f"cannot read '{spec.file}': {error.strerror}", spec, "file", code="unreadable")
    except UnicodeDecodeError:
        context.problem(f"'{spec.file}' is not UTF-8; save it as UTF-8", spec, "file", code="not-utf-8")
    return None


def _check_columns(described: Mapping[str, Any], spec: StatementSpec, context: BuildContext) -> None:
    names = [column["name"] for column in described.get("columns", ())]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        message = f"{count_noun(names.count(name), 'column')} of the result are named '{name}'; rename them with AS"
        context.problem(message, spec, "name", code="sql")
