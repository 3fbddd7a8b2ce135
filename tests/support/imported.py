"""An imported OpenAPI document, served in front of a recorded API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from adapter_host.openapi import Documents, WarningCollector, read_api
from adapter_host.openapi.capability_writer import capability
from adapter_host.testing import Running, running

from .upstream import Api, Response, send, serving_api

Data = dict[str, Any]


def import_document(document: Any, folder: Path, **options: Any) -> tuple[Data, list[str]]:
    """Return the capability of a document, which is written to `folder`, and the warnings."""
    source = folder / "api.json"
    source.write_text(json.dumps(document))
    return import_file(source, **options)


def import_file(source: Path | str, **options: Any) -> tuple[Data, list[str]]:
    """Return the capability of a document in a file, and the warnings."""
    collector = WarningCollector()
    api = read_api(Documents(collector).open(str(source)), **options)
    return capability(api), [problem.message for problem in collector.problems]


def consumed_operations(document: Data) -> dict[str, Data]:
    """Return the consumed operations of a capability by name."""
    return {
        operation["name"]: operation
        for consumer in document["capability"]["consumes"]
        for resource in consumer["resources"]
        for operation in resource["operations"]
    }


def inputs_of(operation: Data) -> dict[str, Data]:
    """Return the inputs of a consumed operation by name."""
    return {item["name"]: item for item in operation.get("inputParameters", [])}


@dataclass
class Imported:
    """The recorded API, the capability in front of it, and a client of its MCP exposer."""

    api: Api
    document: Data
    served: Running
    session: aiohttp.ClientSession
    client: Client

    async def rest(self, method: str, path: str, **sent: Any) -> Response:
        """Send a request to a route."""
        namespace = self.document["capability"]["exposes"][0]["namespace"]
        return await send(self.session, method, self.served.url(namespace) + path, **sent)

    async def tool(self, name: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """Call a tool, and return its result."""
        return await self.client.call_tool(name, dict(arguments or {}))

    async def tools(self) -> dict[str, Any]:
        """Return the tools by name."""
        return {tool.name: tool for tool in (await self.client.list_tools()).tools}


@asynccontextmanager
async def importing(source: Path, folder: Path, **settings: Any) -> AsyncIterator[Imported]:
    """Import a document, its servers replaced by a recorded API, and serve it."""
    async with serving_api() as api, aiohttp.ClientSession() as session:
        document = yaml.safe_load(await asyncio.to_thread(source.read_text))
        if "swagger" in document:
            document |= {"host": api.url.partition("//")[2], "schemes": ["http"]}
        else:
            document["servers"] = [{"url": api.url}]
        capability_, _ = import_document(document, folder)
        namespace = capability_["capability"]["exposes"][-1]["namespace"]
        async with (
            running(capability_, **settings) as served,
            Client(streamable_http_client(served.url(namespace))) as client,
        ):
            yield Imported(api, capability_, served, session, client)
