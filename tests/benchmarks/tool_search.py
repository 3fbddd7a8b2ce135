"""Search over tools, measured: how often the right tool is found, beside the search of FastMCP.

`python -m tests.benchmarks.tool_search`; FastMCP is compared if `make .cache/fastmcp/.installed` has installed it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from adapter_host import Host, Settings, estimate_tokens, tool_definition_text
from adapter_host_mcp.exposer import McpExposer
from adapter_host_mcp.features.tools import Tool
from adapter_host_mcp.search.tool_search import MOST_RESULTS, ToolSearch

from .contenders import FASTMCP
from .tool_questions import Question, largest_document, merged_document, questions, routes

_SCRIPT: Final = Path(__file__).parent / "servers" / "fastmcp_search.py"


def exposer_of(document: Mapping[str, Any]) -> McpExposer:
    """Return the only MCP exposer of a document."""
    (status,) = Host(dict(document), settings=Settings(environment={})).status()
    assert isinstance(status.exposer, McpExposer)
    return status.exposer


def search_of(exposer: McpExposer) -> ToolSearch:
    """Return the search over all tools of an exposer."""
    return ToolSearch(exposer.tools, exposer.context.loaded.capability, exposer.config.namespace)


def hit_rate(asked: Sequence[Question], found: Sequence[Sequence[str]], first: int = MOST_RESULTS) -> float:
    """Return the share of questions with a right tool among the first ones that were found."""
    hits = sum(not question.tools.isdisjoint(names[:first]) for question, names in zip(asked, found, strict=True))
    return hits / len(asked)


def listed_tokens(exposer: McpExposer) -> int:
    """Return the estimated tokens of the definitions that clients list."""
    entries = [entry for entry in exposer.catalog() if entry.details.get("listed", True)]
    texts = (
        tool_definition_text(entry.title, entry.details.get("description"), entry.details["inputSchema"])
        for entry in entries
    )
    return sum(map(estimate_tokens, texts))


def generated_document(count: int, **keys: Any) -> dict[str, Any]:
    """Return a document with `count` tools on the resources of an API."""
    verbs = {"list": "GET", "get": "GET", "create": "POST", "update": "PATCH", "delete": "DELETE", "export": "GET"}
    names = [f"{verb}-{noun}" for noun in range(-(-count // len(verbs))) for verb in verbs][:count]
    operations = [
        {
            "name": name,
            "method": verbs[name.partition("-")[0]],
            "description": f"{name.partition('-')[0].title()} records of ledger {name.partition('-')[2]}",
            "inputParameters": [{"name": "record", "in": "query", "type": "string", "description": "The record"}],
        }
        for name in names
    ]
    resources = [
        {"name": f"r-{operation['name']}", "path": f"/v1/ledgers/{operation['name']}", "operations": [operation]}
        for operation in operations
    ]
    tools = [
        {
            "name": operation["name"],
            "description": operation["description"],
            "call": f"ledger.{operation['name']}",
            "tags": [f"ledgers {number // 40}"],
        }
        for number, operation in enumerate(operations)
    ]
    consumed = {"type": "http", "namespace": "ledger", "baseUri": "http://127.0.0.1:9", "resources": resources}
    exposed = {"type": "mcp", "namespace": "large", "port": 0, "tools": tools, **keys}
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Large"},
        "capability": {"consumes": [consumed], "exposes": [exposed]},
    }


def fastmcp_found(tools: Mapping[str, Tool], queries: Sequence[str]) -> list[list[str]]:
    """Return the names that the search of FastMCP finds for each query."""
    definitions = [
        {"name": tool.name, "description": tool.description or "", "inputSchema": tool.input_schema}
        for tool in tools.values()
    ]
    given = json.dumps({"tools": definitions, "queries": list(queries), "most": MOST_RESULTS})
    done = subprocess.run([FASTMCP, _SCRIPT], input=given, capture_output=True, text=True, check=True)
    found: list[list[str]] = json.loads(done.stdout)
    return found


def main() -> int:
    """Print the figures."""
    exposer = exposer_of(merged_document(**{"x-discovery": "search"}))
    search, asked = search_of(exposer), questions(routes(exposer.tools))
    started = time.perf_counter()
    search.prepare()
    built = time.perf_counter()
    found = [[tool.name for tool in search.find(question.text)] for question in asked]
    ended = time.perf_counter()
    print(f"{len(exposer.tools)} tools, {len(asked)} questions")
    print(f"index: {(built - started) * 1000:.0f} ms, search: {(ended - built) / len(asked) * 1e6:.0f} us each")
    print("search              first 5   first")
    print(f"adapter-host        {hit_rate(asked, found):7.1%} {hit_rate(asked, found, 1):7.1%}")
    if FASTMCP.exists():
        other = fastmcp_found(exposer.tools, [question.text for question in asked])
        print(f"FastMCP, BM25       {hit_rate(asked, other):7.1%} {hit_rate(asked, other, 1):7.1%}")
    else:
        print("FastMCP is not installed: make .cache/fastmcp/.installed", file=sys.stderr)
    published = exposer_of(largest_document(**{"x-discovery": "search"}))
    large = exposer_of(generated_document(1158, **{"x-discovery": "search"}))
    started = time.perf_counter()
    search_of(large).prepare()
    print(f"index of {len(large.tools)} tools: {(time.perf_counter() - started) * 1000:.0f} ms")
    for each in (exposer, published, large):
        print(f"tokens of the listed definitions of {len(each.tools)} tools: {listed_tokens(each)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
