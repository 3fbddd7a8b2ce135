"""Samples of schemas are bounded, also those of schemas that refer to each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from adapter_host import sample_of
from adapter_host.schemas.references import reference_to
from adapter_host.schemas.sample_budget import MAX_VALUES


def values_in(data: Any) -> Iterator[Any]:
    yield data
    for part in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from values_in(part)


def defined(root: Any, **defs: Any) -> dict[str, Any]:
    return {**root, "$defs": defs}


def wide(count: int, width: int, keyword: str = "properties") -> dict[str, Any]:
    """Return schemas of which each refers to many others, in circles."""
    names = [f"S{number}" for number in range(count)]
    parts = {f"p{number}": reference_to(names[number % count]) for number in range(width)}
    array = {"type": "array", "minItems": 7, "items": {"type": "object", "properties": parts}}
    schema = {"type": "object", "properties": parts} if keyword == "properties" else array
    return {name: dict(schema) for name in names}


@pytest.mark.parametrize("keyword", ["properties", "items"])
@pytest.mark.parametrize(("count", "width"), [(2, 2), (12, 12), (40, 400)])
def test_schemas_that_refer_to_each_other(count: int, width: int, keyword: str) -> None:
    sample = sample_of(defined(reference_to("S0"), **wide(count, width, keyword)))
    assert 1 < sum(1 for _ in values_in(sample)) <= MAX_VALUES
    assert isinstance(sample, dict if keyword == "properties" else list)


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_compositions_that_multiply(keyword: str) -> None:
    levels = {f"A{n}": {keyword: [reference_to(f"A{n + 1}")] * 6, "properties": {f"p{n}": {}}} for n in range(30)}
    sample = sample_of(defined(reference_to("A0"), **levels))
    assert sum(1 for _ in values_in(sample)) <= MAX_VALUES
    assert sample["p0"] == "p0"


def test_a_schema_within_itself_ends_there() -> None:
    node = {"type": "object", "properties": {"name": {"type": "string"}, "children": {"type": "array"}}}
    node["properties"]["children"]["items"] = reference_to("Node")  # type: ignore[index]
    node["properties"]["parent"] = reference_to("Node")  # type: ignore[index]
    assert sample_of(defined(reference_to("Node"), Node=node)) == {"name": "name", "children": []}


@pytest.mark.parametrize(("least", "expected"), [(0, 1), (3, 3), (10**12, MAX_VALUES - 1)])
def test_the_least_elements_of_an_array(least: int, expected: int) -> None:
    assert sample_of({"type": "array", "items": {"type": "integer"}, "minItems": least}) == [1] * expected


def test_arrays_within_arrays_are_counted() -> None:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(8):
        schema = {"type": "array", "items": schema, "minItems": 50}
    assert sum(1 for _ in values_in(sample_of(schema))) <= MAX_VALUES


def test_properties_beyond_the_bound_are_left_out() -> None:
    sample = sample_of({"properties": {f"p{number}": True for number in range(500)}})
    assert len(sample) == MAX_VALUES - 1
    assert sample["p0"] == "p0"
