"""Tests that all tools follow the rules of the providers' APIs, and that calls work with them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from mcp import Client

from adapter_host import Host, ProblemsError, Settings
from adapter_host.openapi import Documents, WarningCollector, read_api, write_capability
from adapter_host.testing import running
from adapter_host_mcp.exposer import McpExposer
from tests.support.corpus_documents import AUTHORS, CORPUS, capabilities
from tests.support.paths import ROOT, SHARED
from tests.support.rest_and_mcp import document, operation, resource, tool
from tests.support.tool_rules import tool_violations
from tests.support.upstream import serving_api

CASES = sorted((SHARED / "cases/openapi").glob("*.y*ml"))
DOCUMENTS = [
    *CASES,
    *sorted((SHARED / "openapi").glob("*.y*ml")),
    *sorted((ROOT / "tests/openapi/samples").glob("*.*")),
]
EXAMPLES = sorted((ROOT / "capabilities").glob("*.yaml"))
PUBLISHED = [SHARED / name for name in [*capabilities(CORPUS), *capabilities(AUTHORS)]] if CORPUS.is_dir() else []


def tools_of(host: Host) -> Iterator[dict[str, Any]]:
    """Yield the entries of `tools/list`, in both forms."""
    for status in host.status():
        if isinstance(status.exposer, McpExposer):
            for entry in status.exposer.tools.values():
                yield entry.definition(allow_any_json=False)
                yield entry.definition(allow_any_json=True)


def check(host: Host) -> int:
    """Check all tools of a host; return their number."""
    listed = list(tools_of(host))
    violations = [f"{entry['name']}: {found}" for entry in listed for found in tool_violations(entry)]
    assert violations == []
    return len(listed) // 2


@pytest.mark.parametrize("path", [*EXAMPLES, *PUBLISHED], ids=lambda path: path.stem)
def test_tools_of_capabilities_follow_the_rules(path: Path) -> None:
    try:
        host = Host(path, settings=Settings(environment={}, mock=True))
    except ProblemsError:
        pytest.skip("the document is invalid")
    found, declared = check(host), declared_tools(path)
    assert found > declared if "x-include" in path.read_text(encoding="utf-8") else found == declared


def declared_tools(path: Path) -> int:
    """Return the number of tools in the text of a document."""
    exposes = yaml.safe_load(path.read_text(encoding="utf-8"))["capability"].get("exposes") or ()
    entries = exposes.values() if isinstance(exposes, dict) else exposes
    return sum(len(entry.get("tools") or ()) for entry in entries if entry["type"] == "mcp")


def imported(path: Path, folder: Path) -> Path:
    """Import an OpenAPI document to a file, and return the file."""
    api = read_api(Documents(WarningCollector()).open(str(path)))
    target = folder / "imported.yaml"
    target.write_text(write_capability(api, path.stem), encoding="utf-8")
    return target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_tools_of_openapi_documents_follow_the_rules(path: Path, tmp_path: Path) -> None:
    count = check(Host(imported(path, tmp_path), settings=Settings(environment={})))
    assert count > 0


INPUTS = [
    {"name": "$filter", "in": "query", "type": "string"},
    {"name": "StartTime<", "in": "query", "type": "string"},
    {"name": "StartTime>", "in": "query", "type": "string"},
]
NODE = {
    "type": "object",
    "properties": {
        "@id": {"type": "string"},
        "größe": {"type": "integer"},
        "kinder": {"type": "array", "items": {"$ref": "#/x-schemas/Node"}},
    },
}


async def test_illegal_names_are_mapped_and_sent_as_declared() -> None:
    body = {"name": "body", "in": "body", "type": "object", "x-schema": {"$ref": "#/x-schemas/Node"}}
    search = operation("search", "POST", inputParameters=[*INPUTS, body])
    made = partial(document, tools=[tool("search", call="api.search")])
    async with serving_api() as api:
        served_document = {**made(api.url, [resource("/items", search)]), "x-schemas": {"Node": NODE}}
        async with running(served_document) as served, Client(served.url("agent")) as client:
            (listed,) = (await client.list_tools()).tools
            assert list(listed.input_schema["properties"]) == ["filter", "StartTime_lt", "StartTime_gt", "body"]
            assert listed.input_schema["properties"]["filter"]["description"] == "Sent as `$filter`."
            node = {"at_id": "a", "gro_e": 1, "kinder": [{"at_id": "b", "free": {"at_id": "as it is"}}]}
            result = await client.call_tool("search", {"filter": "f", "StartTime_lt": "9", "body": node})
    assert not result.is_error
    assert api.last.target == "/items?%24filter=f&StartTime%3C=9"
    assert orjson.loads(api.last.body) == {
        "@id": "a",
        "größe": 1,
        "kinder": [{"@id": "b", "free": {"at_id": "as it is"}}],
    }


def test_the_full_profile_changes_nothing() -> None:
    search = operation("search", "POST", inputParameters=INPUTS)
    tools = [tool("items.search", call="api.search")]
    made = document(
        "http://127.0.0.1:9", [resource("/items", search)], tools=tools, exposer={"x-schema-profile": "full"}
    )
    (listed, _) = tools_of(Host(made, settings=Settings(environment={})))
    assert listed["name"] == "items.search"
    assert listed["inputSchema"] == {
        "type": "object",
        "properties": {name: {"type": "string"} for name in ("$filter", "StartTime<", "StartTime>")},
        "additionalProperties": False,
    }
    assert tool_violations(listed) != []


def test_an_unknown_profile_is_a_problem() -> None:
    made = document("http://127.0.0.1:9", tools=[tool()], exposer={"x-schema-profile": "strict"})
    with pytest.raises(ProblemsError, match="x-schema-profile"):
        Host(made, settings=Settings(environment={}))
