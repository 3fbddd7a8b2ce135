"""Plugin for `consumes: {type: sql}`: named statements on SQLite and PostgreSQL become operations."""

from adapter_host import RegisterConsumer, hookimpl

from .consumer import SqlConsumer

requires_api = "1.0"


@hookimpl
def register_consumers(register: RegisterConsumer) -> None:
    register("sql", SqlConsumer)
