"""`adapter-host inspect`: show operations as clients see them, with their upstream requests."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from adapter_host.compiler.plan import Plan
from adapter_host.host.host import Host
from adapter_host.operation.inputs import Input
from adapter_host.operation.operation import Operation
from adapter_host.plugin.exposer import CatalogEntry

from .describe import document_summary, summary_lines
from .options.plugins import add_plugin_options, build_plugins
from .options.shared import (
    add_format_option,
    add_openapi_options,
    add_skip_option,
    add_upstream_options,
    build_settings,
    check_namespaces,
)
from .output.escapes import escape, to_json
from .output.exposer_views import catalog_of
from .output.table import printable
from .search import show_search
from .tokens import find_tokenizer, tokens_lines, tokens_report, tool_costs


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("file", metavar="FILE", help="capability file, or OpenAPI document")
    parser.add_argument(
        "--tokens", action="store_true", help="show what the definition of each tool costs a model, in tokens"
    )
    parser.add_argument(
        "--search", metavar="QUERY", help="show the tools that an agent finds by a query, where tools can be searched"
    )
    parser.add_argument("--group", help="with --search, find tools of one group only")
    add_skip_option(parser)
    add_format_option(parser)
    add_openapi_options(parser)
    add_upstream_options(parser)
    add_plugin_options(parser)


def run(options: argparse.Namespace) -> int:
    """Show a capability as clients see it."""
    settings = build_settings(options, skip_invalid=options.skip_invalid)
    host = Host(options.file, plugins=build_plugins(options), settings=settings)
    check_namespaces(options, host.plans)
    if options.tokens:
        _show_tokens(host, options.format)
        return 0
    if options.search is not None:
        show_search(host.plans, options.search, options.group, options.format)
        return 0
    listing = [_describe_plan(plan) for plan in host.plans if plan.is_served]
    if options.format == "json":
        output = listing[0] if len(listing) == 1 else listing
        print(to_json(output, indent=True))
    else:
        print("\n\n".join("\n".join(map(escape, _lines(plan))) for plan in listing))
    return 0


def _show_tokens(host: Host, output_format: str) -> None:
    count, tokenizer = find_tokenizer()
    costs = tool_costs(host.plans, count)
    if output_format == "json":
        print(to_json(tokens_report(costs, tokenizer), indent=True))
    else:
        print("\n".join(map(escape, tokens_lines(costs, tokenizer))))


def _describe_plan(plan: Plan) -> dict[str, Any]:
    loaded = plan.loaded
    return {
        "capability": loaded.capability.label,
        "file": loaded.source.file,
        **document_summary(loaded.capability),
        "exposers": [
            {
                "namespace": exposer_plan.exposer.config.namespace,
                "type": exposer_plan.exposer.config.type,
                **({"description": description} if (description := exposer_plan.exposer.config.description) else {}),
                "authentication": exposer_plan.credentials.kind if exposer_plan.credentials else "none",
                "catalog": [_catalog_entry(entry) for entry in catalog_of(exposer_plan.exposer)],
            }
            for exposer_plan in plan.exposers
        ],
        **({"skipped": list(map(str, skipped))} if (skipped := loaded.diagnostics.skipped) else {}),
        "secrets": {name: name not in loaded.secrets.unresolved for name in sorted(loaded.secrets.names)},
    }


def _catalog_entry(entry: CatalogEntry) -> dict[str, Any]:
    operation = entry.operation
    return {
        "title": entry.title,
        "description": operation.description if operation else None,
        **({"tags": list(tags)} if operation and (tags := operation.spec.tags) else {}),
        "inputs": [_input(parameter) for parameter in operation.inputs] if operation else [],
        **entry.details,
        **({"included": operation.origin.place()} if operation and operation.origin else {}),
        "upstream": _upstream(operation) if operation else [],
    }


def _input(parameter: Input) -> dict[str, Any]:
    members = {
        "name": parameter.name,
        "type": parameter.type,
        "in": parameter.in_,
        "description": parameter.description,
        "schema": None if parameter.json_schema is None else parameter.schema,
    }
    return {**{key: value for key, value in members.items() if value is not None}, "required": parameter.required}


def _upstream(operation: Operation) -> list[Mapping[str, Any]]:
    return [{"operation": f"{target.namespace}.{target.name}", **target.describe()} for target in operation.upstream]


def _lines(plan: Mapping[str, Any]) -> Iterator[str]:
    yield f"{plan['capability']} ({plan['file']})"
    yield from summary_lines(plan)
    for exposer in plan["exposers"]:
        yield ""
        description = f": {printable(exposer['description'])}" if "description" in exposer else ""
        yield f"{exposer['namespace']} ({exposer['type']}, authentication: {exposer['authentication']}){description}"
        for entry in exposer["catalog"]:
            yield from _entry_lines(entry)
    if "skipped" in plan:
        yield ""
        yield from plan["skipped"]
    if plan["secrets"]:
        yield ""
        names = (f"{name}{'' if is_set else ' (not set)'}" for name, is_set in plan["secrets"].items())
        yield f"secrets: {', '.join(names)}"


def _entry_lines(entry: Mapping[str, Any]) -> Iterator[str]:
    yield f"  {entry['title']}"
    if entry["description"]:
        yield f"    {printable(entry['description'])}"
    for parameter in entry["inputs"]:
        words = [parameter["name"], parameter.get("type") or "any", "required" if parameter["required"] else "optional"]
        yield f"    input {' '.join(words)}{_location_suffix(parameter)}{_description_suffix(parameter)}"
        if "schema" in parameter and "inputSchema" not in entry:
            yield f"      schema: {_to_text(parameter['schema'])}"
    for key in sorted(set(entry) - {"title", "description", "inputs", "upstream", "inputSchema"}):
        yield f"    {key}: {_to_text(entry[key])}"
    if "inputSchema" in entry:
        yield f"    inputSchema: {_to_text(entry['inputSchema'])}"
    for upstream in entry["upstream"]:
        yield from _upstream_lines(upstream)


def _location_suffix(parameter: Mapping[str, Any]) -> str:
    return f", in {parameter['in']}" if parameter.get("in") else ""


def _description_suffix(parameter: Mapping[str, Any]) -> str:
    return f": {printable(parameter['description'])}" if parameter.get("description") else ""


def _upstream_lines(upstream: Mapping[str, Any]) -> Iterator[str]:
    words = (upstream.get("method"), upstream.get("url") or upstream["operation"])
    yield f"    -> {' '.join(word for word in words if word)}"
    for key, value in upstream.items():
        if key == "inputs":
            yield from (f"       {item['name']} -> {_place(item)}" for item in value)
        elif key not in ("method", "url", "operation") and value:
            yield f"       {key}: {_to_text(value)}"


def _place(item: Mapping[str, Any]) -> str:
    """Return where a request carries an input, and how, where that is declared."""
    format_ = [f"{key}: {_to_text(value)}" for key, value in item.items() if key not in ("name", "in", "as")]
    return f"{item['in']} {item.get('as', '')}".rstrip() + (f" ({', '.join(format_)})" if format_ else "")


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else to_json(value)
