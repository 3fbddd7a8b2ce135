"""Tasks (SEP-2663) of operations whose API responds 202."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any

import aiohttp
import pytest
from mcp import Client
from mcp_types import TextContent

from adapter_host import (
    ArgumentError,
    Host,
    Plugins,
    ProblemsError,
    Result,
    Settings,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamUnreachableError,
)
from adapter_host.testing import FakeConsumer, FakePlugin, running
from adapter_host_mcp.tasks.task_ids import MAX_ID, TaskIds

Ask = Callable[..., Awaitable[Any]]

EXTENSION = "io.modelcontextprotocol/tasks"
VERSION = "2026-07-28"
UNKNOWN = (-32602, "the task does not exist, or has expired")
KEY = {"ADAPTER_HOST_MCP_KEY": "k" * 32}
TASK: dict[str, Any] = {
    "with": {"id": "$.job.id"},
    "poll": {"call": "kiln.read"},
    "cancel": {"call": "kiln.stop"},
    "status": "$.state",
    "done": ["fired"],
    "failed": ["broken"],
    "cancelled": ["stopped"],
    "result": "$.pots",
    "interval": 0.5,
    "expires": 60,
}
BARE: dict[str, Any] = {"with": {"id": "$.job.id"}, "poll": {"call": "kiln.read"}}


def document(task: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    job = {"inputParameters": [{"name": "id", "in": "path", "type": "string", "required": True}]}
    operations = [
        {"name": "fire", "inputParameters": [{"name": "celsius", "in": "query", "type": "integer"}]},
        {"name": "read", **job},
        {"name": "stop", **job},
    ]
    tool = {"name": "fire", "description": "Fires pots", "call": "kiln.fire", "x-task": TASK if task is None else task}
    exposed = {"type": "mcp", "namespace": "pottery", "port": 0, "tools": [tool], **keys}
    consumed = {"type": "fake", "namespace": "kiln", "operations": operations}
    return {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [consumed], "exposes": [exposed]}}


class Pottery:
    """A client of the served tool with its fake API, which has accepted one firing."""

    def __init__(self, url: str, kiln: FakeConsumer, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.kiln = kiln
        self._session = session
        kiln.responses["fire"] = lambda _: Result(status=202, data={"job": {"id": 7}})
        self.respond(state="firing")

    def respond(self, error: Exception | None = None, **data: Any) -> None:
        """Set the response to polls."""

        def read(_: Any) -> Result:
            if error is not None:
                raise error
            return Result(data=data)

        self.kiln.responses["read"] = read

    async def ask(self, method: str, *, extension: bool = True, header: str | None = None, **params: Any) -> Any:
        """Return the result of a request, or the code and the message of its error."""
        extensions: dict[str, Any] = {"extensions": {EXTENSION: {}}} if extension else {}
        prefix = "io.modelcontextprotocol/"
        meta = {f"{prefix}protocolVersion": VERSION, f"{prefix}clientCapabilities": extensions}
        headers = {"Accept": "application/json", "MCP-Protocol-Version": VERSION, "Mcp-Method": method}
        if (sent := header or params.get("name")) is not None:
            headers["Mcp-Name"] = sent
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
        async with self._session.post(self.url, json=message, headers=headers) as response:
            body = await response.json()
        return body.get("result") or (body["error"]["code"], body["error"]["message"])

    async def begin(self) -> str:
        """Return the id of a new task."""
        created = await self.ask("tools/call", name="fire", arguments={"celsius": 1240})
        return str(created["taskId"])

    async def get(self, task_id: str) -> Any:
        return await self.ask("tasks/get", taskId=task_id)

    @property
    def called(self) -> list[tuple[str, Any]]:
        """The calls of the API but the first."""
        return self.kiln.calls[1:]


@asynccontextmanager
async def pottery(
    task: dict[str, Any] | None = None, *, headers: dict[str, str] | None = None, environment: Any = None, **keys: Any
) -> AsyncIterator[Pottery]:
    async with (
        running(document(task, **keys), environment=environment or {}) as served,
        aiohttp.ClientSession(headers=headers) as session,
    ):
        yield Pottery(served.url("pottery"), served.fake("kiln"), session)


async def test_life_of_a_task() -> None:
    async with pottery() as served:
        assert (await served.ask("server/discover"))["capabilities"]["extensions"] == {EXTENSION: {}}
        created = await served.ask("tools/call", name="fire", arguments={"celsius": 1240})
        working = await served.get(created["taskId"])
        assert await served.ask("tasks/update", taskId=created["taskId"], inputResponses={}) | {"_meta": None} == {
            "resultType": "complete",
            "_meta": None,
        }
        served.respond(state="fired", pots=["bowl", "jug"])
        completed = await served.get(created["taskId"])
    assert (created["resultType"], created["status"]) == ("task", "working")
    assert (created["ttlMs"], created["pollIntervalMs"]) == (60_000, 500)
    assert created["createdAt"].endswith("Z")
    assert "serverInfo" in "".join(created["_meta"])
    assert (working["resultType"], working["status"]) == ("complete", "working")
    assert {"result", "error"}.isdisjoint(working)
    assert working["createdAt"] == completed["createdAt"] == created["createdAt"]
    assert completed["status"] == "completed"
    assert completed["result"] == {
        "resultType": "complete",
        "content": [{"type": "text", "text": '["bowl","jug"]'}],
        "structuredContent": ["bowl", "jug"],
        "isError": False,
    }
    assert served.called == [("read", {"id": "7"}), ("read", {"id": "7"})]


async def test_no_extension_without_tasks() -> None:
    plain = document()
    del plain["capability"]["exposes"][0]["tools"][0]["x-task"]
    async with running(plain) as served, aiohttp.ClientSession() as session:
        client = Pottery(served.url("pottery"), served.fake("kiln"), session)
        assert "extensions" not in (await client.ask("server/discover"))["capabilities"]
        assert (await client.ask("tools/call", name="fire"))["structuredContent"] == {"job": {"id": 7}}
        assert (await client.ask("tasks/get", taskId="x"))[0] == -32601


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_client_without_the_extension_gets_the_first_response(mode: str) -> None:
    async with pottery() as served, Client(served.url, mode=mode) as client:
        result = await client.call_tool("fire", {"celsius": 1240})
        for method in ("tasks/get", "tasks/update", "tasks/cancel"):
            code, _ = await served.ask(method, extension=False, taskId="x")
            assert code == -32021
    assert result.structured_content == {"job": {"id": 7}}


async def test_required_task_is_never_begun_for_other_clients() -> None:
    search: dict[str, Any] = {"x-discovery": "search"}
    async with pottery({**TASK, "required": True}, **search) as served:
        refused = await served.ask("tools/call", extension=False, name="fire", arguments={})
        arguments = {"name": "fire", "arguments": {}}
        routed: Any = await served.ask("tools/call", extension=False, name="call_tool", arguments=arguments)
        async with Client(served.url, mode="legacy") as client:
            with pytest.raises(Exception, match="lacks the Tasks extension"):
                await client.call_tool("fire", {})
        assert served.kiln.calls == []
        assert (await served.ask("tools/call", name="call_tool", arguments=arguments))["resultType"] == "task"
    assert refused == (-32021, "the client lacks the Tasks extension")
    assert routed["isError"]
    assert "needs a client with the Tasks extension" in routed["content"][0]["text"]


@pytest.mark.parametrize(
    ("state", "status", "is_error"),
    [
        ("broken", "completed", True),
        ("stopped", "cancelled", None),
        ("other", "working", None),
        (None, "working", None),
    ],
)
async def test_states_of_the_api(state: str | None, status: str, is_error: bool | None) -> None:
    async with pottery() as served:
        task_id = await served.begin()
        served.respond(state=state, pots="none")
        task = await served.get(task_id)
    assert task["status"] == status
    assert task.get("result", {}).get("isError") is is_error
    if is_error:
        assert task["result"]["content"] == [{"type": "text", "text": "none"}]


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (UpstreamStatusError(404, b"gone", "text/plain"), "completed", "the upstream returned 404 (Not Found)\ngone"),
        (UpstreamStatusError(503, b"", ""), "working", "the state is not known now: "),
        (UpstreamStatusError(429, b"", ""), "working", "the state is not known now: "),
        (UpstreamUnreachableError("no connection"), "working", "the state is not known now: no connection"),
        (UpstreamInvalidError("not JSON"), "failed", "not JSON"),
        (ArgumentError("id", "'id' is invalid"), "failed", "'id' is invalid"),
    ],
)
async def test_errors_of_polls(error: Exception, status: str, text: str) -> None:
    async with pottery() as served:
        task_id = await served.begin()
        served.respond(error)
        task = await served.get(task_id)
    assert task["status"] == status
    if status == "completed":
        details = task["result"].pop("_meta")["adapter-host/error"]
        assert (details["type"], details["upstream_status"]) == ("UpstreamStatusError", 404)
        assert task["result"] == {
            "resultType": "complete",
            "content": [{"type": "text", "text": text}],
            "isError": True,
        }
    else:
        assert task["statusMessage"].startswith(text)
    assert task.get("error") == ({"code": -32603, "message": text} if status == "failed" else None)


async def test_status_of_the_response_without_a_declared_state() -> None:
    location = "https://kiln.example/firings/a%20b/?wait=1"
    async with pottery({"with": {"id": "location"}, "poll": {"call": "kiln.read"}}) as served:
        served.kiln.responses["fire"] = lambda _: Result(status=202, body=b"", headers={"Location": location})
        task_id = await served.begin()
        served.kiln.responses["read"] = lambda _: Result(status=202, data={})
        assert (await served.get(task_id))["status"] == "working"
        served.respond(pots=2)
        assert (await served.get(task_id))["result"]["structuredContent"] == {"pots": 2}
    assert served.called[0] == ("read", {"id": "a b"})


@pytest.mark.parametrize(
    "response",
    [
        Result(status=200, data={"job": {"id": 7}}),
        Result(status=202, data={"job": {}}),
        Result(status=202, data={"job": {"id": {}}}),
        Result(status=202, body=b"accepted", media_type="text/plain"),
        Result(status=202, data={"job": {"id": "x" * MAX_ID}}),
    ],
)
async def test_result_is_the_first_response_if_no_task_can_be_found_in_it(response: Result) -> None:
    async with pottery() as served:
        served.kiln.responses["fire"] = lambda _: response
        result = await served.ask("tools/call", name="fire", arguments={})
    assert (result["resultType"], result["isError"]) == ("complete", False)
    assert result["content"][0]["text"].encode() == response.body


async def test_cancel_calls_the_api_once() -> None:
    async with pottery() as served:
        task_id, other = await served.begin(), await served.begin()
        served.kiln.responses["stop"] = lambda _: Result(status=204, body=b"")
        for _ in range(2):
            assert (await served.ask("tasks/cancel", taskId=task_id))["resultType"] == "complete"
        served.respond(state="fired", pots=[])
        assert (await served.get(task_id))["status"] == "cancelled"
        assert (await served.ask("tasks/cancel", taskId=other))["resultType"] == "complete"
        assert (await served.get(other))["status"] == "completed"
    assert [arguments for name, arguments in served.called if name == "stop"] == [{"id": "7"}]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UpstreamStatusError(409, b"", ""), "cancelled"),
        (UpstreamStatusError(500, b"", ""), "working"),
        (UpstreamUnreachableError("no connection"), "working"),
    ],
)
async def test_errors_of_cancel(error: Exception, status: str) -> None:
    def stop(_: Any) -> Result:
        raise error

    async with pottery() as served:
        task_id = await served.begin()
        served.kiln.responses["stop"] = stop
        result = await served.ask("tasks/cancel", taskId=task_id)
        assert (await served.get(task_id))["status"] == status
    if status == "working":
        assert result[0] == -32603
        assert result[1].startswith("the task is not cancelled: ")


async def test_cancel_without_an_operation_ends_the_task_only() -> None:
    async with pottery({**BARE, "status": "$.state", "done": ["fired"]}) as served:
        task_id = await served.begin()
        await served.ask("tasks/cancel", taskId=task_id)
        assert (await served.get(task_id))["status"] == "cancelled"
    assert [name for name, _ in served.called] == ["read"]


async def test_other_replicas_know_the_task() -> None:
    async with pottery(environment=KEY) as first, pottery(environment=KEY) as second:
        task_id = await first.begin()
        assert (await second.get(task_id))["status"] == "working"
    assert second.kiln.calls == [("read", {"id": "7"})]


@pytest.mark.parametrize("other", [{"namespace": "pottery2"}, {"user": "bob"}, {"key": "other"}])
async def test_task_of_another_caller_does_not_exist(other: dict[str, str]) -> None:
    def guarded(user: str) -> dict[str, Any]:
        return {"type": "basic", "username": user, "password": "secret"}

    def headers(user: str) -> dict[str, str]:
        return {"Authorization": aiohttp.encode_basic_auth(user, "secret")}

    async with pottery(environment=KEY, headers=headers("ada"), authentication=guarded("ada")) as first:
        task_id = await first.begin()
    user, namespace = other.get("user", "ada"), other.get("namespace", "pottery")
    second = document(authentication=guarded(user))
    second["capability"]["exposes"][0]["namespace"] = namespace
    environment = {"ADAPTER_HOST_MCP_KEY": other.get("key", "k") * 32}
    async with (
        running(second, environment=environment) as served,
        aiohttp.ClientSession(headers=headers(user)) as session,
    ):
        client = Pottery(served.url(namespace), served.fake("kiln"), session)
        for method in ("tasks/get", "tasks/update", "tasks/cancel"):
            assert await client.ask(method, taskId=task_id) == UNKNOWN
        assert client.kiln.calls == []


async def test_forged_ids_and_headers() -> None:
    async with pottery() as served:
        task_id = await served.begin()
        forged = [
            "",
            "x",
            "é",
            "=" * 8,
            "A" * 64,
            "A" * 5000,
            task_id[:-8],
            f"{'B' if task_id[0] == 'A' else 'A'}{task_id[1:]}",
        ]
        for value in forged:
            assert await served.ask("tasks/get", taskId=value) == UNKNOWN, value
        assert (await served.ask("tasks/get", header=task_id, taskId=task_id))["status"] == "working"
        assert (await served.ask("tasks/get", header="other", taskId=task_id))[0] == -32020
    assert [name for name, _ in served.called] == ["read"]


def test_expired_id() -> None:
    ids = TaskIds(b"k" * 32, "pottery")
    task, expired = ids.create("fire", {"id": 7}, 60, "ada"), ids.create("fire", {"id": 7}, -1, "ada")
    assert task is not None
    assert expired is not None
    assert ids.open(expired.id, "ada") is None
    assert ids.open(task.id, "bob") is None
    opened = ids.open(task.id, "ada")
    assert opened == task
    assert "fire" not in str(base64.urlsafe_b64decode(task.id + "=="))


def invalid(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**TASK, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    ("task", "code", "message"),
    [
        (invalid(poll=None), "missing-key", "poll"),
        (invalid(**{"with": {}}), "invalid", "with"),
        (invalid(poll={"call": "kiln.raed"}), "unknown-call", "did you mean 'kiln.read'?"),
        (
            invalid(**{"with": {"id": "$.a", "ident": "$.b"}}),
            "unknown-input",
            "unknown input 'ident'",
        ),
        (invalid(**{"with": {"id": "$[?"}}), "invalid-path", "is not a JSONPath"),
        (invalid(status="$[?"), "invalid-path", "is not a JSONPath"),
        (invalid(status=None), "missing-key", "'status' is missing"),
        (invalid(done=None), "missing-key", "'done' is missing"),
        (invalid(failed=["fired"]), "duplicate", "the value 'fired' has two states"),
        (invalid(interval=0), "type", "interval"),
        (invalid(expires=10**7), "type", "expires"),
    ],
)
def test_invalid_declarations(task: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        build(document(task))
    assert (code, True) in [(problem.code, message in problem.message) for problem in caught.value.problems]


def test_task_needs_the_response_of_the_api() -> None:
    mapped = deepcopy(document())
    mapped["capability"]["exposes"][0]["tools"][0]["outputParameters"] = [{"type": "object", "properties": {}}]
    with pytest.raises(ProblemsError, match="'x-task' needs the response of the API"):
        build(mapped)


def test_inputs_of_polls_are_set() -> None:
    with pytest.raises(ProblemsError, match="required input 'id' is not set; set its place in the response in 'with'"):
        build(document({**BARE, "with": {"celsius": "$.x"}}))


def build(source: dict[str, Any]) -> Host:
    plugins = Plugins.installed()
    plugins.register("fake", FakePlugin())
    return Host(source, plugins=plugins, settings=Settings(environment={}))


async def test_official_client_reads_the_final_text() -> None:
    async with pottery() as served, Client(served.url, mode="auto") as client:
        served.kiln.responses["fire"] = lambda _: Result(data="at once")
        (content,) = (await client.call_tool("fire", {})).content
    assert isinstance(content, TextContent)
    assert content.text == '"at once"'
