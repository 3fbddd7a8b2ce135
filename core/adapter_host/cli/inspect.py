"""`adapter-host inspect`: what callers will see, and the upstream request of each operation."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from adapter_host.compiler.plan import Plan
from adapter_host.host.host import Host
from adapter_host.operation.inputs import Input
from adapter_host.operation.operation import Operation
from adapter_host.plugin.exposer import CatalogEntry

from .describe import about, lines
from .options import add_upstream_options, settings
from .table import printable


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    add_upstream_options(parser)


def run(options: argparse.Namespace) -> int:
    """Show a capability as callers see it."""
    host = Host(options.file, settings=settings(options))
    listing = [_plan(plan) for plan in host.plans]
    if options.format == "json":
        shown = listing[0] if len(listing) == 1 else listing
        print(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
    else:
        print("\n\n".join("\n".join(_lines(plan)) for plan in listing))
    return 0


def _plan(plan: Plan) -> dict[str, Any]:
    loaded = plan.loaded
    return {
        "capability": loaded.capability.label,
        "file": loaded.source.file,
        **about(loaded.capability),
        "exposers": [
            {
                "namespace": each.exposer.config.namespace,
                "type": each.exposer.config.type,
                **({"description": said} if (said := each.exposer.config.description) else {}),
                "authentication": each.credentials.kind if each.credentials else "none",
                "catalog": [_catalog_entry(offer) for offer in each.exposer.catalog()],
            }
            for each in plan.exposers
        ],
        "secrets": {name: name not in loaded.secrets.unresolved for name in sorted(loaded.secrets.names)},
    }


def _catalog_entry(offer: CatalogEntry) -> dict[str, Any]:
    operation = offer.operation
    return {
        "title": offer.title,
        "description": operation.description if operation else None,
        **({"tags": list(tags)} if operation and (tags := operation.spec.tags) else {}),
        "inputs": [_input(given) for given in operation.inputs] if operation else [],
        **offer.details,
        "upstream": _upstream(operation) if operation else [],
    }


def _input(given: Input) -> dict[str, Any]:
    known = {"name": given.name, "type": given.type, "in": given.in_, "description": given.description}
    return {**{key: value for key, value in known.items() if value is not None}, "required": given.required}


def _upstream(operation: Operation) -> list[Mapping[str, Any]]:
    return [{"operation": f"{target.namespace}.{target.name}", **target.describe()} for target in operation.upstream]


def _lines(plan: Mapping[str, Any]) -> Iterator[str]:
    yield f"{plan['capability']} ({plan['file']})"
    yield from lines(plan)
    for exposer in plan["exposers"]:
        yield ""
        said = f": {printable(exposer['description'])}" if "description" in exposer else ""
        yield f"{exposer['namespace']} ({exposer['type']}, authentication: {exposer['authentication']}){said}"
        for offer in exposer["catalog"]:
            yield from _offer(offer)
    if plan["secrets"]:
        yield ""
        names = (f"{name}{'' if is_set else ' (not set)'}" for name, is_set in plan["secrets"].items())
        yield f"secrets: {', '.join(names)}"


def _offer(offer: Mapping[str, Any]) -> Iterator[str]:
    yield f"  {offer['title']}"
    if offer["description"]:
        yield f"    {printable(offer['description'])}"
    for given in offer["inputs"]:
        words = [given["name"], given.get("type") or "any", "required" if given["required"] else "optional"]
        yield f"    input {' '.join(words)}{_in(given)}{_described(given)}"
    for key in sorted(set(offer) - {"title", "description", "inputs", "upstream", "inputSchema"}):
        yield f"    {key}: {_compact(offer[key])}"
    if "inputSchema" in offer:
        yield f"    inputSchema: {_compact(offer['inputSchema'])}"
    for upstream in offer["upstream"]:
        yield from _request(upstream)


def _in(given: Mapping[str, Any]) -> str:
    return f", in {given['in']}" if given.get("in") else ""


def _described(given: Mapping[str, Any]) -> str:
    return f": {printable(given['description'])}" if given.get("description") else ""


def _request(upstream: Mapping[str, Any]) -> Iterator[str]:
    words = (upstream.get("method"), upstream.get("url") or upstream["operation"])
    yield f"    -> {' '.join(word for word in words if word)}"
    for key, value in upstream.items():
        if key == "inputs":
            yield from (f"       {each['name']} -> {each['in']} {each.get('as', '')}".rstrip() for each in value)
        elif key not in ("method", "url", "operation") and value:
            yield f"       {key}: {_compact(value)}"


def _compact(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
