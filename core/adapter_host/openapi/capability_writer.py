"""Write an API as the YAML of a capability."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import yaml

from .model import Api, Body, Endpoint, Parameter
from .names import UniqueNames, kebab_case
from .security import BIND

VERSION: Final = "1.0.0-alpha2"
REST_PORT: Final = 8080
MCP_PORT: Final = 9090

_HINTS: Final[dict[str, dict[str, bool]]] = {
    "GET": {"readOnly": True},
    "PUT": {"readOnly": False, "idempotent": True},
    "DELETE": {"readOnly": False, "destructive": True, "idempotent": True},
}
_OTHER_HINTS: Final = {"readOnly": False}

Data = dict[str, Any]


def write_capability(api: Api, source: str) -> str:
    """Return the YAML of a capability that exposes all of an API over REST and MCP; `source` names the document."""
    sections = [f"# Imported from {_single_line(source)} ({_single_line(api.spec_version)})."]
    for key, value in capability(api).items():
        text = yaml.dump({key: value}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=116)
        sections.append(text.rstrip("\n"))
    return "\n\n".join([f"{sections[0]}\n{sections[1]}", *sections[2:]]) + "\n"


def _single_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def capability(api: Api) -> Data:
    """Return the capability as data."""
    info = {"label": api.title, "description": api.description or f"{api.title}, over REST and MCP."}
    if api.version:
        info["version"] = api.version
    binds = [{"namespace": BIND, "keys": {name: name for name in api.credentials.variables}}]
    return {
        "naftiko": VERSION,
        "info": info,
        **({"binds": binds} if api.credentials.variables else {}),
        "capability": {"consumes": [_consumes(api)], "exposes": [_rest(api), _mcp(api)]},
    }


def _consumes(api: Api) -> Data:
    data: Data = {"type": "http", "namespace": api.namespace, "baseUri": api.base_uri}
    if api.credentials.authentication:
        data["authentication"] = api.credentials.authentication
    if api.credentials.constants:
        data["inputParameters"] = [_input(item) for item in api.credentials.constants]
    data["resources"] = [
        {"name": name, "path": path, "operations": [_operation(item) for item in endpoints]}
        for name, path, endpoints in _resources(api)
    ]
    return data


def _resources(api: Api) -> Iterable[tuple[str, str, Sequence[Endpoint]]]:
    """Yield name, path and endpoints of each path."""
    by_path: dict[str, list[Endpoint]] = {}
    for endpoint in api.endpoints:
        by_path.setdefault(endpoint.path, []).append(endpoint)
    names = UniqueNames()
    for path, endpoints in by_path.items():
        yield names.add(kebab_case(path) or "root"), path, endpoints


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
    data["outputRawFormat"] = endpoint.response.format
    if endpoint.response.example is not None:
        data["x-example"] = endpoint.response.example
    return data


def _input(parameter: Parameter) -> Data:
    data: Data = {"name": parameter.name, "in": parameter.in_}
    for key in ("type", "required", "description", "pattern", "value"):
        if value := getattr(parameter, key):
            data[key] = value
    return data


_METHODS_WITH_BODY: Final = frozenset({"PATCH", "POST", "PUT"})


def _body_inputs(body: Body | None) -> list[Data]:
    if body is None:
        return []
    attributes = [{"name": "Content-Type", "in": "header", "value": body.media_type}] if body.media_type else []
    whole = [_input(body.whole)] if body.whole else []
    return [*attributes, *whole, *(_input(field.input) for field in body.fields)]


def _body(body: Body | None) -> Data | None:
    """Return the `body` to declare; a JSON body as one input needs none."""
    if body is None or body.kind == "json":
        return None
    if body.kind == "text":
        return {"type": "text", "data": "{{body}}"}
    if body.kind == "formUrlEncoded":
        return {"type": body.kind, "data": {item.name: _tag(item.input.name) for item in body.fields}}
    return {"type": body.kind, "data": [_part(item.name, item) for item in body.fields]}


def _part(name: str, field: Any) -> Data:
    attributes = {"filename": field.filename, "contentType": field.media_type}
    return {"name": name, "value": _tag(field.input.name), **{key: value for key, value in attributes.items() if value}}


def _tag(name: str) -> str:
    return "{{" + name + "}}"


def _rest(api: Api) -> Data:
    resources = [
        {"name": name, "path": path, "operations": [_exposed(api, item) for item in endpoints]}
        for name, path, endpoints in _resources(api)
    ]
    return {"type": "rest", "namespace": f"{api.namespace}-rest", "port": REST_PORT, "resources": resources}


def _exposed(api: Api, endpoint: Endpoint) -> Data:
    bodiless = endpoint.method in _METHODS_WITH_BODY and not any(each.body for each in api.endpoints)
    # States that there is no body, as a document without any body gets a warning.
    declared: Data = {"inputParameters": []} if bodiless else {}
    return {"method": endpoint.method, "name": endpoint.name, **declared, "call": f"{api.namespace}.{endpoint.name}"}


def _mcp(api: Api) -> Data:
    tools = [
        {
            "name": endpoint.name,
            **({"label": endpoint.label} if endpoint.label else {}),
            "description": endpoint.description,
            "hints": dict(_HINTS.get(endpoint.method, _OTHER_HINTS)),
            "call": f"{api.namespace}.{endpoint.name}",
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


class _Dumper(yaml.SafeDumper):
    """Dumps in block style, with indented lists, wrapped lines and no anchors."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
