"""Every object and field of the official schemas has a test of its effect at run time.

A test claims fields with a mark, `@pytest.mark.shows("ExposedOperation", "method", "call")`; for a definition without
fields it claims only the name. The tests in `language` run in both languages, so a claim also covers the field's name
in the later language. A claim of another test does so only if both languages define the object alike.
"""

from __future__ import annotations

import pytest

from .claims import Claim, claims
from .schema import FILES, is_same, parts

FIRST, LATER = FILES
NOT_YET = {
    "a tunnel needs a plugin": ("TunnelConfig", "TunnelZiti"),
}
"""Why objects (or fields) have no test yet; remove an entry when a test claims it."""

OBJECTS = {"AggregateFlow": "AggregateFunction", "ImportEntry": "ImportedConsumesHttp"}
KEYS = {"display": "label", "flows": "functions", "target": "targetName", "ImportEntry.from": "location"}
"""The first language's names of renamed objects."""

BOTH = pytest.mark.parametrize("version", [FIRST, LATER])


def earlier(part: str) -> str:
    """Return the first language's name for a part of the later one."""
    name, _, field = part.partition(".")
    key = KEYS.get(part) or KEYS.get(field) or field
    return f"{OBJECTS.get(name, name)}.{key}" if field else OBJECTS.get(name, name)


def holds(claim: Claim, part: str) -> bool:
    """Return True if a claim on the first language's part also covers the later language's."""
    return claim.both_languages or is_same(part.partition(".")[0])


def covered(version: str) -> set[str]:
    """Return the parts of a language that tests cover."""
    claims_by_field, first = claims(), parts(FIRST)
    if version == FIRST:
        return claims_by_field.keys() & first
    return {
        part
        for part in parts(LATER)
        if (part in claims_by_field and part not in first)
        or any(holds(claim, part) for claim in claims_by_field.get(earlier(part), ()))
    }


def not_yet(version: str) -> set[str]:
    """Return the parts of a language that need no test yet."""
    names = {name for names in NOT_YET.values() for name in names}
    return {part for part in parts(version) if part in names or part.partition(".")[0] in names}


@BOTH
def test_each_field_is_covered(version: str) -> None:
    assert sorted(parts(version) - covered(version) - not_yet(version)) == []


@BOTH
def test_no_covered_field_is_excused(version: str) -> None:
    assert sorted(not_yet(version) & covered(version)) == []


def test_each_claim_names_a_field() -> None:
    assert sorted(claims().keys() - parts(FIRST) - parts(LATER)) == []


def test_each_excuse_names_a_field() -> None:
    field_names = {name for part in parts(FIRST) | parts(LATER) for name in (part, part.partition(".")[0])}
    assert sorted({name for names in NOT_YET.values() for name in names} - field_names) == []
