"""Write an API as the YAML of a capability."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from adapter_host.document.text.edits import dump_block

from .model import Api, Body, ConsumedApi, Endpoint, FormField, Parameter
from .names import UniqueNames, kebab_case
from .schema.json_schema import SHARED
from .security import BIND

VERSION: Final = "1.0.0-alpha2"
REST_PORT: Final = 8080
MCP_PORT: Final = 9090

_HINTS: Final[dict[str, dict[str, bool]]] = {
    "GET": {"readOnly": True},
    "HEAD": {"readOnly": True},
    "OPTIONS": {"readOnly": True},
    "PUT": {"readOnly": False, "idempotent": True},
    "DELETE": {"readOnly": False, "destructive": True, "idempotent": True},
}
_OTHER_HINTS: Final = {"readOnly": False}

Data = dict[str, Any]


def write_capability(api: Api, source: str) -> str:
    """Return the YAML of a capability that exposes all of an API over REST and MCP; `source` names the document."""
    sections = [f"# Imported from {_single_line(source)} ({_single_line(api.spec_version)})."]
    for key, value in capability(api).items():
        sections.append(dump_block({key: value}))
    return "\n\n".join([f"{sections[0]}\n{sections[1]}", *sections[2:]]) + "\n"


def _single_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def capability(api: Api) -> Data:
    """Return the capability as data."""
    info = {"label": api.title, "description": api.description or f"{api.title}, over REST and MCP."}
    if api.version:
        info["version"] = api.version
    variables = {name: name for consumer in api.consumers for name in consumer.credentials.variables}
    binds = [{"namespace": BIND, "keys": variables}]
    routed = [endpoint for endpoint in api.endpoints if endpoint.route is not None]
    return {
        "naftiko": VERSION,
        "info": info,
        **({"binds": binds} if variables else {}),
        "capability": {
            "consumes": [_consumes(consumer) for consumer in api.consumers],
            "exposes": [*([_rest(api, routed)] if routed else []), _mcp(api)],
        },
        **({SHARED: dict(sorted(api.schemas.items()))} if api.schemas else {}),
    }


def _consumes(api: ConsumedApi) -> Data:
    data: Data = {"type": "http", "namespace": api.namespace, "baseUri": api.base_uri}
    if api.credentials.authentication:
        data["authentication"] = api.credentials.authentication
    if api.credentials.constants:
        data["inputParameters"] = [_input(item) for item in api.credentials.constants]
    data["resources"] = [
        {"name": name, "path": path, "operations": [_operation(item) for item in endpoints]}
        for name, path, endpoints in _resources(api.endpoints)
    ]
    return data


def _resources(endpoints: Sequence[Endpoint]) -> Iterable[tuple[str, str, Sequence[Endpoint]]]:
    """Yield name, path and endpoints of each path."""
    by_path: dict[str, list[Endpoint]] = {}
    for endpoint in endpoints:
        by_path.setdefault(endpoint.path, []).append(endpoint)
    names = UniqueNames()
    for path, same_path in by_path.items():
        yield names.add(kebab_case(path) or "root"), path, same_path


def _operation(endpoint: Endpoint) -> Data:
    data: Data = {"name": endpoint.name, "method": endpoint.method}
    if endpoint.label:
        data["label"] = endpoint.label
    data["description"] = endpoint.description
    inputs = [_input(item) for item in endpoint.parameters] + _body_inputs(endpoint.body)
    if inputs:
        data["inputParameters"] = inputs
    if (body := _body(endpoint.body)) is not None:
        data["body"] = body
    response = endpoint.response
    data["outputRawFormat"] = response.format
    if response.accept is not None:
        data["x-accept"] = response.accept
    if response.schema is not None:
        data["outputParameters"] = [_output(response.schema)]
    if response.example is not None:
        data["x-example"] = response.example
    return data


def _output(schema: Mapping[str, Any]) -> Data:
    """Return an output that is the whole response."""
    type_name = schema.get("type")
    types = {"type": type_name} if type_name in ("array", "object") else {}
    return {"name": "result", **types, "value": "$.", "x-schema": schema}


def _input(parameter: Parameter) -> Data:
    data: Data = {"name": parameter.name, "in": parameter.in_}
    words = dict(parameter.words)
    if "type" in words:
        data["type"] = words.pop("type")
    if parameter.required:
        data["required"] = True
    if parameter.description:
        data["description"] = parameter.description
    data |= words
    if parameter.value is not None:
        data["value"] = parameter.value
    if parameter.schema:
        data["x-schema"] = parameter.schema
    return {**data, **parameter.wire}


_METHODS_WITH_BODY: Final = frozenset({"PATCH", "POST", "PUT"})


def _body_inputs(body: Body | None) -> list[Data]:
    if body is None:
        return []
    attributes = [{"name": "Content-Type", "in": "header", "value": body.media_type}] if body.media_type else []
    whole = [_input(body.whole)] if body.whole else []
    return [*attributes, *whole, *(_input(field.input) for field in body.fields)]


def _body(body: Body | None) -> Data | None:
    """Return the `body` to declare; a JSON body as one input needs none."""
    if body is None or body.kind in ("json", "binary"):
        return None
    if body.kind == "text":
        return {"type": "text", "data": "{{body}}"}
    encoding = {item.name: dict(item.encoding) for item in body.fields if item.encoding}
    data: Any = [_part(item) for item in body.fields]
    if body.kind == "formUrlEncoded":
        data = {item.name: _tag(item.input.name) for item in body.fields}
    return {"type": body.kind, "data": data, **({"x-encoding": encoding} if encoding else {})}


def _part(field: FormField) -> Data:
    attributes = {"filename": field.filename, "contentType": field.media_type}
    declared = {key: value for key, value in attributes.items() if value}
    return {"name": field.name, "value": _tag(field.input.name), **declared}


def _tag(name: str) -> str:
    return "{{" + name + "}}"


def _rest(api: Api, routed: Sequence[Endpoint]) -> Data:
    has_body = any(endpoint.body for endpoint in routed)
    resources = [
        {"name": name, "path": path, "operations": [_exposed(item, has_body=has_body) for item in endpoints]}
        for name, path, endpoints in _resources(routed)
    ]
    return {"type": "rest", "namespace": f"{api.namespace}-rest", "port": REST_PORT, "resources": resources}


def _exposed(endpoint: Endpoint, *, has_body: bool) -> Data:
    bodiless = endpoint.method in _METHODS_WITH_BODY and not has_body
    # States that there is no body, as a document without any body gets a warning.
    declared: Data = {"inputParameters": []} if bodiless else {}
    return {"method": endpoint.method, "name": endpoint.name, **declared, "call": _call(endpoint)}


def _call(endpoint: Endpoint) -> str:
    return f"{endpoint.consumer}.{endpoint.name}"


def _mcp(api: Api) -> Data:
    tools = [
        {
            "name": endpoint.name,
            **({"label": endpoint.label} if endpoint.label else {}),
            "description": endpoint.description,
            "hints": dict(_HINTS.get(endpoint.method, _OTHER_HINTS)),
            "call": _call(endpoint),
        }
        for endpoint in api.endpoints
    ]
    return {
        "type": "mcp",
        "namespace": f"{api.namespace}-mcp",
        "description": api.description or api.title,
        "transport": "http",
        "port": MCP_PORT,
        "tools": tools,
    }
