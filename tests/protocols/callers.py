"""Call the same operation over each protocol, and say in one way how it ended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
import httpx2
import orjson
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent

from adapter_host import (
    ArgumentError,
    OperationError,
    RefusedError,
    UpstreamInvalidError,
    UpstreamStatusError,
)
from adapter_host.testing import Running

Operations = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """How a call ended: `kind` is `data`, or the kind of its error; `message` is that of errors of the host."""

    kind: str
    data: Any = None
    message: str = ""


def outcome_of(error: OperationError) -> Outcome:
    """Return the outcome that a protocol has to tell its caller."""
    if isinstance(error, ArgumentError):
        return Outcome("argument", message=error.message)
    if isinstance(error, UpstreamStatusError):
        return Outcome(f"status {error.upstream_status}", message=error.message)
    if isinstance(error, UpstreamInvalidError):
        return Outcome("invalid response", message=error.message)
    return Outcome("refused" if isinstance(error, RefusedError) else "error", message=error.message)


def passed_on(body: bytes) -> Outcome:
    """Return the outcome of a result: its data, or its text, as a response that is passed on may not be JSON."""
    try:
        return Outcome("data", orjson.loads(body) if body else None)
    except orjson.JSONDecodeError:
        return Outcome("text", body.decode())


class Caller(ABC):
    """A client of one protocol."""

    def __init__(self, served: Running) -> None:
        self.served = served
        self.stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stack.aclose()

    @abstractmethod
    async def start(self) -> None:
        """Connect."""

    @abstractmethod
    async def call(self, name: str, arguments: dict[str, Any]) -> Outcome:
        """Call an operation."""


class Direct(Caller):
    """Calls by `Host.call`."""

    async def start(self) -> None:
        """Do nothing: there is no connection."""

    async def call(self, name: str, arguments: dict[str, Any]) -> Outcome:
        try:
            return passed_on((await self.served.host.call(f"rest.{name}", arguments)).body)
        except OperationError as error:
            return outcome_of(error)


class Rest(Caller):
    """Sends the arguments as the JSON body of a POST."""

    @staticmethod
    def exposer(operations: Operations) -> dict[str, Any]:
        from .same_operations import over_rest

        return {"type": "rest", "namespace": "rest", "port": 0, "resources": [over_rest(each) for each in operations]}

    async def start(self) -> None:
        exposer = next(each.exposer for each in self.served.host.status() if each.namespace == "rest")
        inputs = [(operation.name, each) for operation in exposer.operations.values() for each in operation.inputs]
        self.whole = {name: each.name for name, each in inputs if each.whole}
        self._session = await self.stack.enter_async_context(aiohttp.ClientSession())

    async def call(self, name: str, arguments: dict[str, Any]) -> Outcome:
        whole = self.whole.get(name)
        body = orjson.dumps(arguments if whole is None else arguments.get(whole))
        if whole is not None and whole not in arguments:
            body = b""
        headers = {"Content-Type": "application/json"}
        url = f"{self.served.url('rest')}/{name}"
        async with self._session.post(url, data=body, headers=headers) as response:
            received = await response.read()
            if response.status < 300:
                return passed_on(received)
            if response.content_type != "application/problem+json":
                return Outcome(f"status {response.status}")
            problem = orjson.loads(received)
        if "parameter" in problem:
            return Outcome("argument", message=problem["detail"])
        kinds = {403: "refused", 502: "invalid response"}
        return Outcome(kinds.get(response.status, "error"), message=problem["detail"])


class Mcp(Caller):
    """Calls tools by the official client, in a revision with a handshake."""

    mode = "legacy"

    @staticmethod
    def exposer(operations: Operations) -> dict[str, Any]:
        # Texts in the place of numbers are taken for numbers otherwise, for models only.
        tools = [dict(each) for each in operations]
        return {
            "type": "mcp",
            "namespace": "mcp",
            "port": 0,
            "x-convert-texts": False,
            "x-results": "text",
            "tools": tools,
        }

    async def start(self) -> None:
        http_client = await self.stack.enter_async_context(httpx2.AsyncClient())
        transport = streamable_http_client(self.served.url("mcp"), http_client=http_client)
        self._client = await self.stack.enter_async_context(Client(transport, mode=self.mode))

    async def call(self, name: str, arguments: dict[str, Any]) -> Outcome:
        result = await self._client.call_tool(name, arguments)
        texts = [each.text for each in result.content if isinstance(each, TextContent)]
        if not result.is_error:
            return passed_on("".join(texts).encode())
        return Outcome("tool error", message="\n".join(texts))


class StatelessMcp(Mcp):
    """Calls tools by the official client, in the revision without a handshake."""

    mode = "2026-07-28"


CALLERS: dict[str, type[Caller]] = {"direct": Direct, "rest": Rest, "mcp": Mcp, "stateless mcp": StatelessMcp}
EXPOSERS = {"rest": Rest.exposer, "mcp": Mcp.exposer}
