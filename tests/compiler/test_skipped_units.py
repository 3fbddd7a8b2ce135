"""Units that are left out because of an error, and the operations in them."""

from __future__ import annotations

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host.compiler.loading.skipped import SkippedOperation, enclosing_unit, remove_units, skipped_operations
from adapter_host.document import Loc, Source

DATA: dict[str, Any] = {
    "consumes": [
        {
            "namespace": "api",
            "resources": [
                {
                    "name": "item",
                    "path": "/items/{id}",
                    "operations": [
                        {"name": "read", "method": "get", "description": "Read", "inputParameters": [
                            {"name": "depth", "in": "query"}, {"in": "query"}, "text", {"name": 5}, {"name": "plain"},
                        ]},
                        {"method": "POST"},
                        {"name": "put", "path": "/other/{a}/{b}", "method": 5, "inputParameters": "text"},
                    ],
                },
                {"operations": [{"name": "list"}]},
                {"name": "no-operations", "path": "/x"},
                {"name": 5, "path": 6, "operations": [{"name": "odd"}, "text"]},
                {"name": "empty", "operations": []},
                {"name": "wrong", "operations": "text"},
                "text",
            ],
            "operations": [{"name": "plain", "method": "GET"}],
        },
        {"operations": [{"name": "without-namespace"}]},
        "text",
    ]
}  # fmt: skip

BASE: Loc = ("consumes", 0)


@pytest.mark.parametrize(
    "loc",
    [
        BASE,
        (*BASE, "resources", 0),
        (*BASE, "resources", 0, "operations", 0),
        (*BASE, "resources", 0, "operations", 2),
        (*BASE, "resources", 1, "operations", 0),
        (*BASE, "resources", 3),
        (*BASE, "resources", 6),
        (*BASE, "operations", 0),
    ],
    ids=lambda loc: ".".join(map(str, loc)),
)
def test_skipped_operations(loc: Loc, snapshot: SnapshotAssertion) -> None:
    found = list(skipped_operations(Source.from_data(DATA), loc, BASE))
    assert [{**data, "inputs": [f"{item.name} in {item.in_}" for item in data["inputs"]]} for data in found] == snapshot
    for data in found:
        skipped = SkippedOperation.read(data)
        assert {name: getattr(skipped, name) for name in data} == data
        assert SkippedOperation.of(skipped).__dict__.items() >= data.items()
        assert skipped.refusal


@pytest.mark.parametrize("base", [("consumes", 1), ("consumes", 2)])
def test_consumer_without_a_namespace(base: Loc) -> None:
    assert list(skipped_operations(Source.from_data(DATA), base, base)) == []


@pytest.mark.parametrize(
    ("loc", "unit"),
    [
        (BASE, None),
        ((*BASE, "namespace"), None),
        ((*BASE, "resources"), None),
        ((*BASE, "resources", 0), (*BASE, "resources", 0)),
        ((*BASE, "resources", 0, "path"), (*BASE, "resources", 0)),
        ((*BASE, "resources", 0, "operations", 1, "method"), (*BASE, "resources", 0, "operations", 1)),
        ((*BASE, "resources", 0, "inputParameters", 1), (*BASE, "resources", 0)),
        ((*BASE, "inputParameters", 0), None),
        ((*BASE, "skills", 0, "tools", 2, "x"), (*BASE, "skills", 0, "tools", 2)),
        ((*BASE, "prompts", 0), (*BASE, "prompts", 0)),
        ((*BASE, "functions", 3, "call"), (*BASE, "functions", 3)),
    ],
)
def test_enclosing_unit(loc: Loc, unit: Loc | None) -> None:
    assert enclosing_unit(loc, BASE) == unit


def test_units_above_the_base_are_not_left_out() -> None:
    assert enclosing_unit(("tools", 0, "x"), ("tools", 0)) is None


def test_removal() -> None:
    data = {"tools": [*range(12)], "resources": [{"operations": [0, 1, 2]}, 1]}
    source = Source.from_data(data)
    locs: list[Loc] = [("tools", 2), ("tools", 10), ("tools", 0), ("tools", 10), ("resources", 0, "operations", 1)]
    remove_units(source, [*locs, ("resources", 1)])
    assert source.data == {
        "tools": [1, 3, 4, 5, 6, 7, 8, 9, 11],
        "resources": [{"operations": [0, 2]}],
    }
    assert data["tools"] == [*range(12)]
