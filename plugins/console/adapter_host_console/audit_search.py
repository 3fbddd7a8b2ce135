"""Find records among the newest of the audit logs of a host, as their plugins have written them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from adapter_host import AuditService, Host, OperationError

from .guard import RejectedError

MAX_ROWS: Final = 200
"""Records of one response."""

MAX_VALUES: Final = 100
"""Values of a field that are offered to choose from."""

FIELDS: Final = ("operation", "caller", "decision", "outcome")
"""The fields of a filter: the first two match a part of the text, the others all of it."""

_BY_PART: Final = frozenset({"operation", "caller"})


async def search(host: Host, wanted: Mapping[str, str], *, with_arguments: bool) -> dict[str, Any]:
    """Return the newest records with the wanted values, the newest first, and the values to choose from."""
    left_out: frozenset[str] = frozenset() if with_arguments else frozenset({"arguments"})
    found: list[tuple[dict[str, str], Mapping[str, Any]]] = []
    is_complete = True
    for service in host.services.find(AuditService):
        try:
            trail = await asyncio.to_thread(service.newest)
        except OperationError as error:
            raise RejectedError(error.status, error.message) from error
        found += [(_fields(record), record) for record in trail.records]
        is_complete = is_complete and trail.is_complete
    matching = [row for row in reversed(found) if _matches(row[0], wanted)]
    return {
        "kept": len(found),
        "complete": is_complete,
        "total": len(matching),
        "rows": [
            {**fields, "record": {name: value for name, value in record.items() if name not in left_out}}
            for fields, record in matching[:MAX_ROWS]
        ],
        "values": {field: _values(fields[field] for fields, _ in found) for field in FIELDS},
    }


def _fields(record: Mapping[str, Any]) -> dict[str, str]:
    texts = {name: "" if record.get(name) is None else str(record[name]) for name in FIELDS}
    return {**texts, "caller": caller_of(record)}


def caller_of(record: Mapping[str, Any]) -> str:
    """Return the caller: the name in its credentials, else its address, else its way to the host."""
    principal = record.get("principal")
    names = principal if isinstance(principal, Mapping) else {}
    found = (names.get("subject"), names.get("client"), record.get("client_address"), record.get("transport"))
    return next((str(each) for each in found if each), "")


def _matches(fields: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(
        text.lower() in fields[name].lower() if name in _BY_PART else text == fields[name]
        for name, text in wanted.items()
    )


def _values(texts: Iterable[str]) -> Sequence[str]:
    return sorted({text for text in texts if text})[:MAX_VALUES]
