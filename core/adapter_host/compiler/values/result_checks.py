"""Check results against their schemas: one that breaks its schema is passed on, with a warning in the log."""

from __future__ import annotations

import logging
from typing import Final

from adapter_host.capability.media_types import is_json
from adapter_host.errors import UpstreamInvalidError
from adapter_host.operation.operation import Arguments, Call, Operation
from adapter_host.operation.result import Result
from adapter_host.schemas.schema import Schema
from adapter_host.schemas.violations import Violation
from adapter_host.schemas.wording import describe_place

_LOG: Final = logging.getLogger("adapter_host.results")


def check_results(operation: Operation) -> Call:
    """Return the call of an operation, with its results checked if it has a schema for them."""
    schema, call, name = operation.result_schema, operation.call, operation.name
    if schema is None:
        return call
    schema.prepare()

    async def checked(arguments: Arguments) -> Result:
        result = await call(arguments)
        if violations := _violations(result, schema):
            more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
            _LOG.warning("%s: the result breaks its schema: %s%s", name, _describe(violations[0]), more)
        return result

    return checked


def _violations(result: Result, schema: Schema) -> list[Violation]:
    # A stream is too large to be read here.
    if result.stream is not None or not is_json(result.media_type):
        return []
    try:
        data = result.data
    except UpstreamInvalidError:
        return [Violation((), "is not JSON")]
    return [] if data is None else schema.validate(data)


def _describe(violation: Violation) -> str:
    # The log has no values of responses.
    return f"{describe_place(violation.path) or 'it'} {violation.message.partition(' (given ')[0]}"
