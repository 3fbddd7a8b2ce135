"""Clients of a cluster that count failures: readers, writers and MCP sessions, until they are stopped."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from .cluster import Cluster

ACCEPT = {"Accept": "application/json, text/event-stream"}
VERSION = "2025-11-25"


@dataclass
class Results:
    """The counts of requests; failures have the phase, the kind of request and the status or the error."""

    phase: str = "start"
    reads: int = 0
    written: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    failures: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    notified: int = 0

    @property
    def writes(self) -> int:
        """The number of writes, successful or not."""
        return len(self.written) + len(self.refused)

    def failed(self, *kinds: str, during: str | None = None) -> int:
        """Return the number of failures of some kinds of requests, in one phase or all."""
        return sum(
            count for (phase, kind, _), count in self.failures.items() if kind in kinds and during in (None, phase)
        )


class Clients:
    """The clients; each has a connection of its own for every request, so that the balancer chooses every time."""

    def __init__(self, cluster: Cluster, client: aiohttp.ClientSession, pause: float) -> None:
        self._pause = pause
        self.results = Results()
        self._cluster = cluster
        self._client = client
        self._stopping = False
        self._next_id = 0

    def stop(self) -> None:
        """End the clients after their current request."""
        self._stopping = True

    async def read(self) -> None:
        """Read over REST."""
        while not self._stopping:
            await self._count("read", self._client.get(f"{self._cluster.rest}/things/read"))

    async def write(self) -> None:
        """Write over REST, each time another thing."""
        while not self._stopping:
            thing = self._new_thing()
            request = self._client.post(f"{self._cluster.rest}/things/{thing}")
            self._record_write(thing, accepted=await self._count("write", request) is not None)

    async def use_session(self) -> None:
        """Open a session of MCP, and read and write in it."""
        headers = await self.open_session()
        while not self._stopping:
            await self._call("read", "read", headers)
            thing = self._new_thing()
            result = await self._call("write", thing, headers)
            self._record_write(thing, accepted=result is not None and not result["result"]["isError"])

    async def call_stateless(self) -> None:
        """Read in the revision without sessions."""
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        headers = {**ACCEPT, "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "read"}
        while not self._stopping:
            await self._call("read", "read", headers, _meta=meta)

    async def listen(self) -> None:
        """Count the notifications of changed lists; a stream that ends is opened again."""
        headers = await self.open_session()
        while not self._stopping:
            try:
                async with self._client.get(self._cluster.mcp, headers=headers) as stream:
                    if stream.status != 200:
                        self._fail("stream", str(stream.status))
                    async for line in stream.content:
                        self.results.notified += b"tools/list_changed" in line
            except aiohttp.ClientError:
                # The replica has ended.
                continue

    async def open_session(self) -> dict[str, str]:
        """Return the headers of requests in a new session."""
        params = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
        async with self._client.post(self._cluster.mcp, json=body, headers=ACCEPT) as response:
            session = response.headers["Mcp-Session-Id"]
        return {**ACCEPT, "Mcp-Session-Id": session, "MCP-Protocol-Version": VERSION}

    async def describe_tools(self, headers: dict[str, str]) -> list[str]:
        """Return the descriptions of the tools."""
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
        async with self._client.post(self._cluster.mcp, json=body, headers=headers) as response:
            return [tool["description"] for tool in (await response.json())["result"]["tools"]]

    async def end_session(self, headers: dict[str, str]) -> int:
        """End a session, and return the status."""
        async with self._client.delete(self._cluster.mcp, headers=headers) as response:
            return response.status

    async def count_allowed(self, path: str, calls: int) -> int:
        """Send requests to an operation with a quota, 20 at a time; return the number of those that are allowed."""
        numbers, statuses = iter(range(calls)), Counter[int]()

        async def send() -> None:
            for number in numbers:
                async with self._client.get(f"{self._cluster.rest}/{path}/{path}{number}") as response:
                    statuses[response.status] += 1

        await asyncio.gather(*(send() for _ in range(20)))
        assert statuses.keys() <= {200, 429, 503}, statuses
        return statuses[200]

    async def _call(self, tool: str, thing: str, headers: dict[str, str], **params: Any) -> Any:
        kind = "session read" if tool == "read" else "session write"
        body = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": tool, "arguments": {"id": thing}, **params},
        }
        return await self._count(kind, self._client.post(self._cluster.mcp, json=body, headers=headers))

    async def _count(self, kind: str, request: aiohttp.client._RequestContextManager) -> Any:
        """Return the JSON of a successful response, or None."""
        await asyncio.sleep(self._pause)
        try:
            async with request as response:
                if response.status == 200:
                    self.results.reads += "read" in kind
                    return await response.json()
                self._fail(kind, str(response.status))
        except aiohttp.ClientError as error:
            self._fail(kind, type(error).__name__)
        return None

    def _fail(self, kind: str, reason: str) -> None:
        self.results.failures[self.results.phase, kind, reason] += 1

    def _new_thing(self) -> str:
        self._next_id += 1
        return f"thing{self._next_id}"

    def _record_write(self, thing: str, *, accepted: bool) -> None:
        (self.results.written if accepted else self.results.refused).append(thing)


@asynccontextmanager
async def loaded(cluster: Cluster, pause: float) -> AsyncIterator[Clients]:
    """Send requests until the block ends; each client waits `pause` seconds before a request."""
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as client:
        clients = Clients(cluster, client, pause)
        work = [clients.read, clients.write, clients.write, clients.use_session, clients.use_session]
        tasks = [asyncio.create_task(each()) for each in (*work, clients.call_stateless)]
        listener = asyncio.create_task(clients.listen())
        try:
            yield clients
            clients.stop()
            await asyncio.gather(*tasks)
        finally:
            for task in (*tasks, listener):
                task.cancel()
            await asyncio.gather(*tasks, listener, return_exceptions=True)
