"""Everything about one entry, about the host, and about its problems, as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

from adapter_host import AuditService, DecisionService, Host, Operation, Plan, Problem, sample_of

from .catalog import Entry, hints


def overview(host: Host) -> dict[str, Any]:
    """Return the capabilities with their exposers and consumed APIs, and the state of the host."""
    statuses = {id(status.exposer): status for status in host.status()}
    return {
        "version": version("adapter-host-core"),
        "mock": host.settings.mock,
        "generation": host.generation,
        "started": host.started.isoformat() if host.started else None,
        "draining": host.draining,
        "calls": host.calls,
        "warnings": len(host.warnings),
        "decides": bool(host.services.find(DecisionService)),
        "audits": bool(host.services.find(AuditService)),
        "capabilities": [_capability(plan, statuses) for plan in host.plans],
    }


def _capability(plan: Plan, statuses: Mapping[int, Any]) -> dict[str, Any]:
    capability = plan.loaded.capability
    served = [statuses[id(each.exposer)] for each in plan.exposers if id(each.exposer) in statuses]
    return {
        "label": capability.label,
        "description": capability.info.description,
        "version": capability.info.version,
        "file": plan.loaded.source.file,
        "exposers": [
            {
                "namespace": status.namespace,
                "type": status.type,
                "url": status.url,
                "authentication": status.authentication,
                "operations": status.operations,
                "serving": status.serving,
                "description": status.exposer.config.description,
            }
            for status in served
        ],
        "consumes": [
            {
                "namespace": consumer.config.namespace,
                "type": consumer.config.type,
                "description": consumer.config.description,
                "operations": sum(each.namespace == consumer.config.namespace for each in plan.consumed),
            }
            for consumer in plan.consumers
        ],
        "secrets": [
            {"name": name, "set": name not in plan.loaded.secrets.unresolved}
            for name in sorted(plan.loaded.secrets.names)
        ],
    }


def detail(entry: Entry, url: str | None) -> dict[str, Any]:
    """Return an entry as its callers see it, and its requests to consumed APIs; `url` is that of its exposer."""
    operation, details = entry.entry.operation, entry.entry.details
    origin = operation.origin if operation else None
    loaded, section = entry.plan.loaded, operation.spec if operation else entry.exposer.config
    if origin is not None:
        loaded, section = origin.loaded, origin.spec
    file, line, _ = loaded.source.position_of(loaded.loc(section))
    credentials = entry.exposer_plan.credentials
    description = entry.description
    schema = details.get("inputSchema")
    return {
        **entry.row(),
        "name": entry.name,
        "description": description,
        "capability": loaded.capability.label,
        "declared": {
            "exposer": entry.exposer.config.namespace if origin is None else origin.site.exposer,
            "name": entry.name if origin is None else origin.name,
        },
        "file": file,
        "line": line,
        "url": url,
        "authentication": credentials.kind if credentials else "none",
        "hints": hints(entry.entry),
        "annotations": details.get("annotations"),
        "tokens": entry.tokens,
        "input_schema": schema or (operation.input_schema if operation else None),
        # With the declared names, where tools have others.
        "form_schema": operation.input_schema if operation else None,
        "output_schema": details.get("outputSchema") or (operation.output_schema if operation else None),
        "inputs": list(details.get("inputs") or ()),
        "example": _example(operation),
        "media_type": operation.media_type if operation else None,
        "upstream": _upstream(operation),
        "ways": _ways(entry, url),
    }


def _example(operation: Operation | None) -> dict[str, Any]:
    """Return arguments to begin with: values that the schemas of the required inputs allow."""
    if operation is None:
        return {}
    return {item.name: sample_of(item.schema) for item in operation.inputs if item.required}


def _upstream(operation: Operation | None) -> list[Mapping[str, Any]]:
    targets = operation.upstream if operation else ()
    return [
        {"operation": f"{target.namespace}.{target.name}", "description": target.description, **target.describe()}
        for target in targets
    ]


def _ways(entry: Entry, url: str | None) -> list[str]:
    """Return how the entry can be called: `client` is the protocol of its exposer, `direct` without one."""
    operation = entry.entry.operation
    if operation is None:
        return []
    is_reachable = url is not None and url.startswith(("http://", "https://")) and not url.startswith("http://unix:")
    has_request = is_reachable and entry.exposer.client_request(operation, {}, url or "") is not None
    return [*(["client"] if has_request else []), "direct"]


def problems(found: Iterable[Problem]) -> list[dict[str, Any]]:
    """Return problems as plain data, errors first."""
    ordered = sorted(dict.fromkeys(found), key=lambda problem: problem.warning)
    return [
        {
            "message": problem.message,
            "file": problem.file,
            "line": problem.line,
            "column": problem.column,
            "code": problem.code,
            "warning": problem.warning,
        }
        for problem in ordered
    ]
