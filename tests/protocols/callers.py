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
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    get_named_type,
    is_leaf_type,
)
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
from adapter_host_graphql.exposer import GraphqlExposer

from .same_operations import exposer_of, over_rest

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
        return {"type": "rest", "namespace": "rest", "port": 0, "resources": [over_rest(each) for each in operations]}

    async def start(self) -> None:
        operations = exposer_of(self.served, "rest").operations.values()
        inputs = [(operation.name, each) for operation in operations for each in operation.inputs]
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


class Graphql(Caller):
    """Sends arguments as variables; of results with a type it selects only the name of the type."""

    @staticmethod
    def exposer(operations: Operations) -> dict[str, Any]:
        own = [{**each, "kind": "query"} for each in operations]
        return {"type": "graphql", "namespace": "graphql", "port": 0, "operations": own}

    async def start(self) -> None:
        exposer = exposer_of(self.served, "graphql")
        assert isinstance(exposer, GraphqlExposer)
        self._fields = {field.operation.name: field for field in exposer.fields}
        query = exposer.compile().schema.query_type
        assert query is not None
        self._types = query.fields
        self._session = await self.stack.enter_async_context(aiohttp.ClientSession())

    async def call(self, name: str, arguments: dict[str, Any]) -> Outcome:
        field, made = self._fields[name], self._types[self._fields[name].name]
        names = {each: field.arguments.get(each, each) for each in arguments}
        known = {each: made.args[own] for each, own in names.items() if own in made.args}
        variables = {f"v{index}": each for index, each in enumerate(known)}
        declared = ", ".join(f"${variable}: {known[each].type}" for variable, each in variables.items())
        unknown = [f"{own}: null" for each, own in names.items() if each not in known]
        passed = ", ".join([f"{names[each]}: ${variable}" for variable, each in variables.items()] + unknown)
        selection = "" if is_leaf_type(get_named_type(made.type)) else " { __typename }"
        call = f"{field.name}{f'({passed})' if passed else ''}{selection}"
        body = {
            "query": f"query {f'({declared})' if declared else ''} {{ {call} }}",
            "variables": {
                variable: as_input(known[each].type, arguments[each]) for variable, each in variables.items()
            },
        }
        headers = {"Content-Type": "application/json"}
        async with self._session.post(self.served.url("graphql"), data=orjson.dumps(body), headers=headers) as response:
            received = orjson.loads(await response.read())
        if "errors" in received:
            return self._failure(received["errors"][0])
        return Outcome("typed") if selection else Outcome("data", received["data"][field.name])

    def _failure(self, error: dict[str, Any]) -> Outcome:
        extensions = error["extensions"]
        code = extensions["code"]
        if code == "UPSTREAM_STATUS":
            return Outcome(f"status {extensions['upstream']['status']}")
        if code == "UPSTREAM_INVALID" and "requestId" not in extensions:
            # The API does not return what its schema says.
            return Outcome("typed")
        kinds = {"FORBIDDEN": "refused", "UPSTREAM_INVALID": "invalid response", "BAD_USER_INPUT": "argument"}
        return Outcome("argument" if code.startswith("GRAPHQL_") else kinds.get(code, "error"))


def as_input(declared: Any, value: Any) -> Any:
    """Return an argument with the names of GraphQL in place of those of the schema."""
    if isinstance(declared, GraphQLNonNull):
        return as_input(declared.of_type, value)
    if isinstance(declared, GraphQLList) and isinstance(value, list):
        return [as_input(declared.of_type, each) for each in value]
    if isinstance(declared, GraphQLEnumType) and isinstance(value, str):
        # The names of values are no values themselves.
        names = {each.value: name for name, each in declared.values.items()}
        return names.get(value, f"no value {value}")
    if isinstance(declared, GraphQLInputObjectType) and isinstance(value, dict):
        fields = {field.out_name: (name, field.type) for name, field in declared.fields.items()}
        named = {key: fields.get(key, (f"no field {key}", None)) for key in value}
        return {name: as_input(made, value[key]) for key, (name, made) in named.items()}
    return value


class A2a(Caller):
    """Sends messages over HTTP+JSON."""

    @staticmethod
    def exposer(operations: Operations) -> dict[str, Any]:
        return {"type": "a2a", "namespace": "a2a", "port": 0, "skills": list(operations)}

    async def start(self) -> None:
        session = aiohttp.ClientSession(headers={"A2A-Version": "1.0", "Content-Type": "application/a2a+json"})
        self._session = await self.stack.enter_async_context(session)

    async def call(self, name: str, arguments: dict[str, Any]) -> Outcome:
        part = {"data": {"skill": name, "arguments": arguments}}
        body = orjson.dumps({"message": {"messageId": "1", "role": "ROLE_USER", "parts": [part]}})
        async with self._session.post(f"{self.served.url('a2a')}/message:send", data=body) as response:
            task = orjson.loads(await response.read())["task"]
        if task["status"]["state"] == "TASK_STATE_COMPLETED":
            parts = [each for artifact in task.get("artifacts", ()) for each in artifact["parts"]]
            return Outcome("data", parts[0]["data"] if parts else None)
        text, details = task["status"]["message"]["parts"]
        error = details["data"]["error"]
        kinds = {"ArgumentError": "argument", "RefusedError": "refused", "UpstreamInvalidError": "invalid response"}
        kind = f"status {error['upstreamStatus']}" if "upstreamStatus" in error else kinds.get(error["type"], "error")
        return Outcome(kind, message=text["text"])


CALLERS: dict[str, type[Caller]] = {
    "direct": Direct,
    "rest": Rest,
    "mcp": Mcp,
    "stateless mcp": StatelessMcp,
    "graphql": Graphql,
    "a2a": A2a,
}
EXPOSERS = {"rest": Rest.exposer, "mcp": Mcp.exposer, "graphql": Graphql.exposer, "a2a": A2a.exposer}
