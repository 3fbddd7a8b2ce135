"""The results of a search over tools, for `adapter-host inspect --search`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from adapter_host.compiler.plan import Plan
from adapter_host.errors import AdapterHostError, ArgumentError
from adapter_host.plugin.exposer import CatalogEntry

from .output.escapes import escape, to_json
from .output.table import printable


def show_search(plans: Iterable[Plan], query: str, group: str | None, output_format: str) -> None:
    """Print what a client of each exposer with a search finds; raise `AdapterHostError` if there is none."""
    found = list(_search(plans, query, group))
    if not found:
        raise AdapterHostError("no exposer has a search; 'type: mcp' has one")
    if output_format == "json":
        print(to_json(found, indent=True))
    else:
        print("\n\n".join("\n".join(map(escape, _lines(exposer))) for exposer in found))


def _search(plans: Iterable[Plan], query: str, group: str | None) -> Iterator[dict[str, Any]]:
    for plan in plans:
        for exposer_plan in plan.exposers:
            try:
                entries = exposer_plan.exposer.search(query, group)
            except ArgumentError as error:
                raise AdapterHostError(f"'{exposer_plan.exposer.config.namespace}': {error.message}") from None
            if entries is not None:
                tools = [_tool(entry) for entry in entries]
                yield {"namespace": exposer_plan.exposer.config.namespace, "tools": tools}


def _tool(entry: CatalogEntry) -> dict[str, Any]:
    return {"name": entry.title, **{key: value for key, value in entry.details.items() if key != "outputSchema"}}


def _lines(exposer: Mapping[str, Any]) -> Iterator[str]:
    yield exposer["namespace"]
    if not exposer["tools"]:
        yield "  no tool matches"
    for number, tool in enumerate(exposer["tools"], 1):
        yield f"  {number}. {tool['name']}"
        if tool.get("description"):
            yield f"     {printable(tool['description'])}"
        yield f"     inputSchema: {to_json(tool.get('inputSchema'))}"
