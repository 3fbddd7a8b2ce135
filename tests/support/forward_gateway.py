"""A REST exposer that forwards to an API, both on real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession

from adapter_host import Host
from adapter_host.testing import running

from .upstream import Api, Response, send, serving_api


def gateway(*trusted: str, base: str = "http://127.0.0.1:1", path: str = "/{path}", **keys: Any) -> dict[str, Any]:
    """Return a document that forwards; `consumer`, `exposer`, `forward` and `resources` extend its sections."""
    forward = {"targetNamespace": "api", **({"trustedHeaders": list(trusted)} if trusted else {})}
    resource = {"path": path, "forward": {**forward, **keys.get("forward", {})}, **keys.get("resource", {})}
    resources = [resource, *keys.get("resources", ())]
    return {
        "naftiko": "1.0.0-alpha2",
        "binds": keys.get("binds", []),
        "capability": {
            "consumes": [{"type": "http", "namespace": "api", "baseUri": base, **keys.get("consumer", {})}],
            "exposes": [
                {"type": "rest", "namespace": "gate", "port": 8080, "resources": resources, **keys.get("exposer", {})}
            ],
        },
    }


@dataclass
class CallLimiter:
    """A served gateway and its upstream API."""

    url: str
    host: Host
    api: Api
    session: ClientSession

    async def __call__(self, method: str, path: str, **sent: Any) -> Response:
        return await send(self.session, method, self.url + path, **sent)


@asynccontextmanager
async def forwarding(
    *trusted: str, below: str = "", settings: dict[str, Any] | None = None, **keys: Any
) -> AsyncIterator[CallLimiter]:
    """Serve a gateway to an API with a base path `below`; other arguments are those of `gateway`."""
    async with serving_api() as api:
        document = gateway(*trusted, base=api.url + below, **keys)
        async with (
            running(document, **(settings or {})) as served,
            ClientSession(auto_decompress=False) as session,
        ):
            yield CallLimiter(served.url("gate"), served.host, api, session)
