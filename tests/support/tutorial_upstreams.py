"""Mock servers for the two upstreams of the tutorial, from the examples in their OpenAPI documents."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

_TAG = re.compile(r"\{\{\s*request\.body/(\w+)\s*\}\}")


@dataclass
class Upstream:
    """An API on loopback; it requires the headers in `required`, and records requests."""

    document: Mapping[str, Any]
    required: Mapping[str, str]
    url: str = ""
    received: list[tuple[str, str, Any]] = field(default_factory=list)

    def take(self) -> list[tuple[str, str, Any]]:
        """Return and clear the recorded requests: method, path with query, body."""
        received, self.received = self.received, []
        return received

    async def serve(self, request: web.Request) -> web.Response:
        """Respond with an example of the document."""
        body = await request.read()
        self.received.append((request.method, request.path_qs, orjson.loads(body) if body else None))
        for name, value in self.required.items():
            if request.headers.get(name) != value:
                return web.json_response({"error": "unauthorized", "message": f"{name} is wrong"}, status=401)
        for path, operations in self.document["paths"].items():
            values = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path), request.path)
            if values and request.method.lower() in operations:
                return _respond(operations[request.method.lower()], values.groupdict(), request, body)
        return web.json_response({"error": "not_found", "message": request.path}, status=404)


def _respond(
    operation: Mapping[str, Any], values: Mapping[str, str], request: web.Request, body: bytes
) -> web.Response:
    if body and request.content_type not in operation["requestBody"]["content"]:
        return web.Response(status=415)
    missing = _missing(operation, orjson.loads(body) if body else {})
    if missing:
        return web.json_response({"error": "bad_request", "message": f"{missing} is missing"}, status=400)
    status = next(iter(operation["responses"]))
    media_type, content = next(iter(operation["responses"][status]["content"].items()))
    examples = content["examples"]
    query = "&".join(f"{name}={value}" for name, value in request.query.items())
    wanted = "".join(f"/{name}={value}" for name, value in values.items()) + (f"?{query}" if query else "")
    if wanted not in examples and values:
        return _refusal(operation)
    example = examples.get(wanted) or next(iter(examples.values()))
    return _response(int(status), media_type, example["value"], body)


def _missing(operation: Mapping[str, Any], body: Mapping[str, Any]) -> str | None:
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    examples = schema.get("examples", {})
    return next((name for example in examples.values() for name in example["value"] if name not in body), None)


def _refusal(operation: Mapping[str, Any]) -> web.Response:
    media_type, content = next(iter(operation["responses"]["404"]["content"].items()))
    return _response(404, media_type, next(iter(content["examples"].values()))["value"], b"")


def _response(status: int, media_type: str, value: Any, body: bytes) -> web.Response:
    if isinstance(value, str):
        return web.Response(status=status, text=value, content_type=media_type)
    given = orjson.loads(body) if body else {}
    filled = _TAG.sub(lambda tag: orjson.dumps(given[tag[1]]).decode()[1:-1], orjson.dumps(value).decode())
    return web.Response(status=status, text=filled, content_type=media_type)


@asynccontextmanager
async def upstream(document: Mapping[str, Any], required: Mapping[str, str]) -> AsyncIterator[Upstream]:
    """Serve an OpenAPI document."""
    served = Upstream(document, required)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", served.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield served
    finally:
        await runner.cleanup()
