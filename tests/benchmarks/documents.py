"""The capabilities that adapter-host serves."""

from __future__ import annotations

from typing import Any, Final

from .workload import MAPPED, WIDE_SCHEMA

_INPUTS: Final = (("sku", "string"), ("quantity", "integer"), ("note", "string"))
_OUTPUT: Final = {
    "type": "object",
    "properties": {
        "id": {"type": "number", "mapping": "$.id"},
        "status": {"type": "string", "mapping": "$.status"},
        "customer": {"type": "string", "mapping": "$.customer.name"},
        "total": {"type": "number", "mapping": "$.total"},
        "items": {
            "type": "array",
            "mapping": "$.items",
            "items": {
                "type": "object",
                "properties": {
                    "sku": {"type": "string", "mapping": "$.sku"},
                    "quantity": {"type": "number", "mapping": "$.quantity"},
                },
            },
        },
    },
}
_CONSTANT: Final = {
    "type": "object",
    "properties": {
        "id": {"type": "number", "value": MAPPED["id"]},
        "customer": {"type": "string", "value": MAPPED["customer"]},
    },
}


def capability(consumes: list[dict[str, Any]], exposes: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a document."""
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Orders", "description": "Takes orders."},
        "binds": [{"namespace": "env", "keys": {"TOKEN": "TOKEN"}}],
        "capability": {"consumes": consumes, "exposes": exposes},
    }


def consumer(base: str, resources: list[dict[str, Any]], namespace: str = "orders") -> dict[str, Any]:
    """Return an API that requires a credential."""
    return {
        "type": "http",
        "namespace": namespace,
        "baseUri": base,
        "authentication": {"type": "bearer", "token": "{{env.TOKEN}}"},
        "resources": resources,
    }


def orders(base: str, rest: int, mcp: int) -> dict[str, Any]:
    """Return the capability of the comparison: each way to serve an order."""
    whole = {"name": "body", "in": "body", "type": "object", "required": True}
    resources = [
        _consumed("passed", "/orders", [whole]),
        _consumed("mapped", "/orders", [_input(name, type) for name, type in _INPUTS]),
        _consumed("checked", "/orders", [{**whole, "x-schema": WIDE_SCHEMA}]),
    ]
    by_aiohttp = {**consumer(base, resources, "orders-by-aiohttp"), "x-transport": "aiohttp"}
    return capability([consumer(base, resources), by_aiohttp], [_rest(rest), _mcp(mcp)])


def _consumed(name: str, path: str, inputs: list[dict[str, Any]]) -> dict[str, Any]:
    operation = {"name": name, "method": "POST", "inputParameters": inputs, "outputRawFormat": "json"}
    return {"name": name, "path": path, "operations": [operation]}


def _input(name: str, type: str, description: str = "") -> dict[str, Any]:
    return {"name": name, "in": "body", "type": type, **({"description": description} if description else {})}


def _rest(port: int) -> dict[str, Any]:
    passed = {
        "method": "POST",
        "name": "passed",
        "call": "orders.passed",
        "with": {"body": "rest.body"},
        "outputParameters": [{"type": "object", "mapping": "$."}],
    }
    mapped = {
        "method": "POST",
        "name": "mapped",
        "inputParameters": [_input(name, type) for name, type in _INPUTS],
        "call": "orders.mapped",
        "outputParameters": [_OUTPUT],
    }
    resources = [
        {"name": name, "path": f"/{name}", "operations": [operation]}
        for name, operation in (
            ("passed", passed),
            ("mapped", mapped),
            ("checked", {**passed, "name": "checked", "call": "orders.checked"}),
            ("mapped-by-aiohttp", {**mapped, "call": "orders-by-aiohttp.mapped"}),
        )
    ]
    return {"type": "rest", "namespace": "rest", "port": port, "resources": resources}


def _mcp(port: int) -> dict[str, Any]:
    inputs = [{"name": name, "type": type, "description": f"The {name}"} for name, type in _INPUTS]
    place = {
        "name": "place_order",
        "description": "Places an order",
        "inputParameters": inputs,
        "call": "orders.mapped",
        "outputParameters": [_OUTPUT],
    }
    constant = {
        "name": "show_order",
        "description": "Shows an order, always the same",
        "inputParameters": inputs,
        "outputParameters": [_CONSTANT],
    }
    return {"type": "mcp", "namespace": "mcp", "port": port, "tools": [place, constant]}


def many(base: str, name: str, count: int, exposed: int, port: int) -> dict[str, Any]:
    """Return a capability of `count` operations: the first `exposed` are routes, the last `exposed` are tools."""
    inputs = [_input(each, type, f"The {each} of the order") for each, type in _INPUTS]
    resources = [_consumed(f"place-{number}", "/orders", inputs) for number in range(count)]
    routes = [_route(number, inputs) for number in range(exposed)]
    tools = [_tool(number) for number in range(count - exposed, count)]
    rest = {"type": "rest", "namespace": f"rest-{name}", "port": port, "resources": routes}
    mcp = {"type": "mcp", "namespace": f"mcp-{name}", "port": port, "tools": tools}
    return capability([consumer(base, resources)], [rest, mcp])


def _route(number: int, inputs: list[dict[str, Any]]) -> dict[str, Any]:
    operation = {
        "method": "POST",
        "name": f"place-{number}",
        "description": f"Places an order, way {number}",
        "inputParameters": inputs,
        "call": f"orders.place-{number}",
        "outputParameters": [_OUTPUT],
    }
    return {"name": f"orders-{number}", "path": f"/orders/{number}", "operations": [operation]}


def _tool(number: int) -> dict[str, Any]:
    inputs = [{"name": name, "type": type, "description": f"The {name} of the order"} for name, type in _INPUTS]
    return {
        "name": f"place-{number}",
        "description": f"Places an order, way {number}",
        "inputParameters": inputs,
        "call": f"orders.place-{number}",
        "outputParameters": [_OUTPUT],
    }


def dense(base: str, operations: int, schemas: int, port: int) -> dict[str, Any]:
    """Return a capability whose operations have bodies of schemas that all refer to each other."""
    whole = {"name": "body", "in": "body", "type": "object", "required": True}
    inputs = [{**whole, "x-schema": {"$ref": f"#/x-schemas/{_schema_name(number % schemas)}"}}
              for number in range(operations)]  # fmt: skip
    resources = [_consumed(f"place-{number}", "/orders", [inputs[number]]) for number in range(operations)]
    routes = [
        {
            "name": f"orders-{number}",
            "path": f"/orders/{number}",
            "operations": [
                {
                    "method": "POST",
                    "name": f"place-{number}",
                    "call": f"orders.place-{number}",
                    "with": {"body": "rest.body"},
                    "outputParameters": [{"type": "object", "mapping": "$."}],
                }
            ],
        }
        for number in range(operations)
    ]
    rest = {"type": "rest", "namespace": "rest", "port": port, "resources": routes}
    named = {_schema_name(number): _dense_schema(number, schemas) for number in range(schemas)}
    return {**capability([consumer(base, resources)], [rest]), "x-schemas": named}


def _schema_name(number: int) -> str:
    return f"thing-{number}"


def _dense_schema(number: int, count: int) -> dict[str, Any]:
    """Return a schema with 12 properties, and references to four others."""
    texts = {f"text{place}": {"type": "string", "maxLength": 50} for place in range(12)}
    others = [(number * factor + offset) % count for factor, offset in ((1, 1), (2, 3), (5, 7), (7, 2))]
    parts = {
        f"part{place}": {"$ref": f"#/x-schemas/{_schema_name(other)}"} for place, other in enumerate(others)
    }  # fmt: skip
    return {"type": "object", "properties": {"sku": {"type": "string"}, **texts, **parts}, "required": ["sku"]}


def sized(base: str, port: int) -> dict[str, Any]:
    """Return a capability that reads files of any size, passed on and mapped."""
    size = {"name": "size", "in": "path", "type": "string"}
    operation = {"name": "read", "method": "GET", "inputParameters": [size], "outputRawFormat": "json"}
    resources = [{"name": "files", "path": "/files/{{size}}", "operations": [operation]}]
    outputs = {
        "passed": {"type": "object", "mapping": "$."},
        "mapped": {"type": "object", "properties": {"items": {"type": "array", "mapping": "$.items"}}},
    }
    exposed = [
        {
            "path": f"/{way}/{{{{size}}}}",
            "operations": [
                {
                    "method": "GET",
                    "name": way,
                    "inputParameters": [size],
                    "call": "orders.read",
                    "outputParameters": [output],
                }
            ],
        }
        for way, output in outputs.items()
    ]
    return capability(
        [consumer(base, resources)], [{"type": "rest", "namespace": "rest", "port": port, "resources": exposed}]
    )
