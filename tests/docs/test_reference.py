"""The reference has a row for every field of every object, both of the official schemas and of our own models.

The head of a table is the object's name in the schema (several if they share their rows); each row begins with the
names of a field.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

from adapter_host import Model
from tests.language.schema import FILES, definitions, fields, parts
from tests.support.paths import ROOT

PAGES = sorted([ROOT / "docs/reference/language.md", *(ROOT / "docs/reference/language").glob("*.md")])
HEAD = re.compile(r"^\| (`.*`) \| values \| default \| \|\n\|(?:---\|)+\n((?:\|.*\n)+)", re.MULTILINE)
OURS = "*ours*"
PLUGINS = ("control", "http", "mcp", "rest", "scripting", "skill")

EVERY = pytest.mark.parametrize("version", FILES)


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def rows() -> Iterator[tuple[set[str], str]]:
    """Yield the fields of each row, as `Object.field`, and its text."""
    for page in PAGES:
        for head, body in HEAD.findall(page.read_text()):
            for row in body.splitlines():
                yield {f"{object}.{name}" for object in names(head) for name in names(row.split(" | ")[0])}, row


def documented() -> list[str]:
    return [field for about, _ in rows() for field in about]


@EVERY
def test_every_field_has_a_row(version: str) -> None:
    assert fields(version) - set(documented()) == set()


@EVERY
def test_every_object_without_fields_is_named(version: str) -> None:
    named = {name for page in PAGES for line in page.read_text().splitlines() for name in names(line)}
    assert parts(version) - fields(version) - named == set()


def test_every_row_is_in_a_schema_or_ours() -> None:
    known = set().union(*(fields(version) for version in FILES))
    assert [row for about, row in rows() if not about & known and OURS not in row] == []


def required(name: str, schema: Any) -> Iterator[str]:
    """Yield the required keys of an object in each of its forms."""
    if isinstance(schema, dict):
        yield from (f"{name}.{key}" for key in schema.get("required", ()))
        for key, value in schema.get("properties", {}).items():
            yield from required(f"{name}.{key}", value)


@EVERY
def test_required_fields_are_marked(version: str) -> None:
    required_fields = {field for name, schema in definitions(version) for field in required(name, schema)}
    for about, row in rows():
        if about & required_fields:
            assert re.search("required|strict", row.split(" | ")[2]), row


def test_no_field_has_two_rows() -> None:
    found = documented()
    assert len(found) > 300
    assert [field for field in set(found) if found.count(field) > 1] == []


def models(model: type[Model]) -> Iterator[type[Model]]:
    for child in model.__subclasses__():
        yield child
        yield from models(child)


def test_every_key_of_our_models_has_a_row() -> None:
    packages = ("adapter_host.capability.spec", *(f"adapter_host_{plugin}." for plugin in PLUGINS))
    for plugin in PLUGINS:
        importlib.import_module(f"adapter_host_{plugin}.config")
    known = [model for model in models(Model) if model.__module__.startswith(packages)]
    keys = {field.alias or name for model in known for name, field in model.model_fields.items()}
    names_in_rows = {field.rpartition(".")[2] for field in documented()}
    assert len(keys) > 100
    assert keys - names_in_rows == set()
