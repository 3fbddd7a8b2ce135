"""The types that schemas allow, followed through references."""

from __future__ import annotations

from typing import Any

import pytest

from adapter_host.schemas.references import reference_to, types_of


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_types_of_schemas_that_multiply(keyword: str) -> None:
    defs: dict[str, Any] = {f"A{level}": {keyword: [reference_to(f"A{level + 1}")] * 4} for level in range(40)}
    defs["A40"] = {"type": "string"}
    assert types_of(reference_to("A0"), defs) == {"string"}


def test_types_of_a_schema_within_itself() -> None:
    defs = {"A": {"oneOf": [{"$ref": "#/$defs/A"}, {"type": "object"}], "allOf": [{"type": ["object", "null"]}]}}
    assert types_of(reference_to("A"), defs) == {"object", "null"}


def test_references_in_a_circle_have_no_types() -> None:
    defs = {"A": reference_to("B"), "B": reference_to("A")}
    assert types_of(reference_to("A"), defs) == frozenset()
