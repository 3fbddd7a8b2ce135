"""The workload: accept an order, pass it on with a credential, and return the API's response."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

TOKEN: Final = "benchmark-token"
"""The credential of the API; servers read it from the environment variable TOKEN."""

ORDER: Final = {"sku": "A-100", "quantity": 2, "note": "before noon"}
RESPONSE: Final = {
    "id": 7,
    "number": "2026-000007",
    "status": "open",
    "customer": {"id": 42, "name": "Ada Lovelace", "email": "ada@example.com"},
    "items": [{"sku": "A-100", "quantity": 2, "price": 9.5}, {"sku": "B-200", "quantity": 1, "price": 120}],
    "total": 139,
    "currency": "EUR",
    "created": "2026-05-19T10:00:00Z",
}
MAPPED: Final = {
    "id": 7,
    "status": "open",
    "customer": "Ada Lovelace",
    "total": 139,
    "items": [{"sku": "A-100", "quantity": 2}, {"sku": "B-200", "quantity": 1}],
}

WIDE_SCHEMA: Final = {
    "type": "object",
    "properties": {
        **{f"text{number}": {"type": "string", "maxLength": 50} for number in range(5)},
        **{f"count{number}": {"type": "integer", "minimum": 0, "maximum": 1000} for number in range(5)},
        **{f"flag{number}": {"type": "boolean"} for number in range(5)},
        **{f"choice{number}": {"enum": ["small", "medium", "large"]} for number in range(5)},
    },
    "required": ["text0", "count0"],
    "additionalProperties": False,
}
"""The schema of a body of 20 properties."""

WIDE: Final = {
    **{f"text{number}": "before noon" for number in range(5)},
    **{f"count{number}": number for number in range(5)},
    **{f"flag{number}": True for number in range(5)},
    **{f"choice{number}": "medium" for number in range(5)},
}

HANDSHAKE: Final = "2025-11-25"
STATELESS: Final = "2026-07-28"


@dataclass(frozen=True, slots=True)
class Request:
    """A constant request, and the expected parts of its response."""

    port: int
    path: str
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    expected: bytes = b"Ada Lovelace"
    refused: bytes = b'"isError":true'

    @property
    def wire(self) -> dict[str, str]:
        """Return the headers as text."""
        return {**self.headers, "Content-Type": "application/json"} if self.body else self.headers


def written(data: Any) -> bytes:
    """Return compact JSON."""
    return json.dumps(data, separators=(",", ":")).encode()


def order(port: int, path: str) -> Request:
    """Return an order as a REST request."""
    return Request(port, path, body=written(ORDER))


def wide(port: int, path: str) -> Request:
    """Return a body of 20 properties as a REST request."""
    return Request(port, path, body=written(WIDE))


def tool_call(port: int, tool: str, *, stateless: bool = False, path: str = "/mcp") -> Request:
    """Return an order as a call of an MCP tool, in a revision with or without a handshake."""
    params: dict[str, Any] = {"name": tool, "arguments": ORDER}
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": HANDSHAKE}
    if stateless:
        headers |= {"MCP-Protocol-Version": STATELESS, "Mcp-Method": "tools/call", "Mcp-Name": tool}
        params["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": STATELESS,
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    body = written({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    return Request(port, path, headers=headers, body=body)


OPENAPI: Final = {
    "openapi": "3.1.0",
    "info": {"title": "Orders", "version": "1"},
    "paths": {
        "/orders": {
            "post": {
                "operationId": "place_order",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "properties": {
                                    "sku": {"type": "string"},
                                    "quantity": {"type": "integer"},
                                    "note": {"type": "string"},
                                },
                            }
                        }
                    },
                },
                "responses": {"200": {"description": "The order"}},
            }
        }
    },
}
"""The API's OpenAPI document."""
