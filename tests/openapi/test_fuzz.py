"""Broken and hostile documents: the importer reports problems, and its capabilities run."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapter_host import Host, ProblemsError, Settings
from adapter_host.openapi import Documents, WarningCollector, read_api, write_capability
from tests.support.examples import examples
from tests.support.schema_counts import read

HERE = Path(__file__).parent
SOURCES = [*sorted(HERE.glob("cases/*")), *sorted(HERE.glob("samples/*-*")), *sorted(HERE.glob("documents/*"))]
DOCUMENTS = [read(path) for path in SOURCES]


def nested(depth: int, key: str) -> Any:
    """Return schemas within one another."""
    schema: Any = {"type": "string"}
    for _ in range(depth):
        schema = {key: [schema]} if key.endswith("Of") else {"type": "object", key: {"a": schema}}
    return schema


HOSTILE: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [
            None,
            True,
            "",
            "\0",
            "\ud83d",
            "{{env.HOME}}",
            "{{HOME}}",
            "${HOME}",
            "a\nb: c",
            "http://[",
            "//",
            "..",
            "%2e%2e",
            "#/",
            -(2**63) - 1,
            2**64,
            10**400,
            -9223372036854776000,
            1e400,
            float("nan"),
            1.5,
            -1,
            [],
            {},
            [[]],
            {"$ref": "#"},
            {"$ref": "#/paths"},
            {"$ref": "#/components/schemas/A"},
            {"$ref": "#/components/schemas/Circle"},
            {"$ref": 7},
            {"type": ["object", "null", "none"]},
            {"type": "array"},
            {"enum": [10**30, float("inf"), {"a": "\0"}]},
            {"allOf": [{"$ref": "#/components/schemas/A"}], "nullable": True},
            {"pattern": "(", "minLength": -1, "maxLength": 10**30},
            {"minLength": 5, "maxLength": 1, "type": "string"},
        ]
    ),
    st.text(max_size=8),
    st.integers(),
    st.floats(),
    st.builds(nested, st.sampled_from([20, 60, 150]), st.sampled_from(["properties", "allOf", "oneOf"])),
)
NAMES = st.sampled_from(["$ref", "\0", "{{HOME}}", "/a/{b}{c}", "/../x", "content"])
CIRCLES = {
    "A": {"type": "object", "properties": {"b": {"$ref": "#/components/schemas/B"}}},
    "B": {"allOf": [{"$ref": "#/components/schemas/A"}, {"$ref": "#/components/schemas/B"}]},
    "Circle": {"$ref": "#/components/schemas/Circle"},
}


def places(value: Any, keys: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the keys of all values in a document, except those far below others."""
    found = [keys] if keys else []
    if len(keys) == 30:
        return found
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in entries:
        found += places(item, (*keys, key))
    return found


@st.composite
def mutants(draw: st.DrawFn) -> Any:
    """Draw a document with some values replaced, moved to other places, or removed."""
    document = copy.deepcopy(draw(st.sampled_from(DOCUMENTS)))
    if "openapi" in document:
        document.setdefault("components", {}).setdefault("schemas", {}).update(copy.deepcopy(CIRCLES))
    for _ in range(draw(st.integers(1, 4))):
        known = places(document)
        *path, key = draw(st.sampled_from(known))
        holder = document
        for each in path:
            holder = holder[each]
        action = draw(st.sampled_from(["replace", "replace", "remove", "move", "rename"]))
        if action == "remove":
            del holder[key]
        elif action == "rename" and isinstance(holder, dict):
            name = draw(
                st.text(max_size=5) | st.sampled_from(["$ref", "\0", "{{HOME}}", "/a/{b}{c}", "/../x", "content"])
            )
            holder[name] = holder.pop(key)
        elif action == "move":
            source = document
            for each in draw(st.sampled_from(places(document))):
                source = source[each]
            holder[key] = copy.deepcopy(source)
        else:
            holder[key] = copy.deepcopy(draw(HOSTILE))
    return document


def check(text: str, name: str, folder: Path) -> bool:
    """Import a document, and serve what is written; return False if it is refused."""
    source = folder / name
    source.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        written = write_capability(read_api(Documents(WarningCollector()).open(str(source))), name)
    except ProblemsError:
        return False
    output = folder / "capability.yaml"
    output.write_text(written)
    host = Host(output, settings=Settings(environment={"HOME": "/secret"}, mock=True))
    assert host.warnings == ()
    assert all("HOME" not in plan.loaded.secrets.names for plan in host.plans)
    for status in host.status():
        for operation in status.exposer.operations.values():
            json.dumps((operation.input_schema, operation.output_schema), allow_nan=False).encode()
    return True


@given(document=mutants())
@settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
def test_mutated_document(document: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("api")
    check(json.dumps(document), "api.json", folder)
    check(yaml.safe_dump(document, allow_unicode=False), "api.yaml", folder)
