"""Nothing that a document says about values is lost: callers see as much as the document has, by a count."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from adapter_host import Host, Settings
from tests.support.imported import import_file
from tests.support.paths import SHARED
from tests.support.schema_counts import (
    count_schema,
    inputs_schema,
    json_response,
    operations_of,
    pointer_in,
    read,
)

HERE = Path(__file__).parent
DOCUMENTS = [
    *sorted((HERE / "cases").glob("*.yaml")),
    *sorted(HERE.glob("samples/*-*")),
    *sorted((HERE / "documents").glob("*")),
    *sorted(SHARED.glob("openapi/*.yaml")),
    *sorted(SHARED.glob("tutorial/upstream/*.yaml")),
]


def fewer(said: Counter[str], seen: Counter[str]) -> dict[str, tuple[int, int]]:
    """Return what is seen less often than it is said."""
    return {key: (count, seen[key]) for key, count in said.items() if seen[key] < count}


def served_operations(path: Path) -> dict[tuple[str | None, str | None], Any]:
    """Return the operations that callers see, by path and method of their requests."""
    capability, _ = import_file(path)
    host = Host(capability, settings=Settings(environment={}, mock=True))
    operations = host.status()[-1].exposer.operations.values()
    return {(operation.upstream[0].path, operation.upstream[0].method): operation for operation in operations}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_callers_see_what_the_document_says(path: Path) -> None:
    document = read(path)
    operations = served_operations(path)
    lost: dict[str, Any] = {}
    compared = 0
    for route, method, item, operation in operations_of(document):
        served = operations[route, method.upper()]
        compared += 1
        resolve = pointer_in(document)
        said = count_schema(inputs_schema(document, item, operation), resolve, "readOnly")
        seen = count_schema(served.input_schema, pointer_in(served.input_schema), "readOnly")
        said = Counter({key: count for key, count in said.items() if not key.startswith("property ")})
        if missing := fewer(said, seen):
            lost[f"{method} {route}"] = missing
        response = json_response(document, operation)
        if response:
            said = count_schema(response, resolve, "writeOnly")
            seen = count_schema(served.output_schema, pointer_in(served.output_schema), "writeOnly")
            if served.output_schema is None or (missing := fewer(said, seen)):
                lost[f"{method} {route} response"] = "all" if served.output_schema is None else missing
    assert lost == {}
    assert compared == len(operations) > 0
