"""Requests and responses of both bindings, and the card."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession

from adapter_host import (
    ArgumentError,
    Host,
    OperationError,
    Plugins,
    RefusedError,
    Result,
    Settings,
    UpstreamStatusError,
    UpstreamTimeoutError,
)
from adapter_host.testing import FakePlugin, running
from adapter_host_a2a.card import build_card

from .conftest import CARD_PATH, Document, Serve, call_part, new_message

READ = [{"name": "read"}]
NO_EXTENDED_CARD = "there is no extended agent card; use the public one"
NO_TIMESTAMP = "statusTimestampAfter: must be a timestamp such as 2026-01-31T12:00:00Z"
NO_ZONE = "statusTimestampAfter: must have a time zone"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b"{", -32700, "the body must be JSON"),
        (b"[" * 200 + b"]" * 200, -32700, "the body must be JSON"),
        (b"[]", -32600, "the body must be one request of JSON-RPC 2.0; batches are not supported"),
        (
            b'{"jsonrpc":"2.0","id":1}',
            -32600,
            "the body must be one request of JSON-RPC 2.0; batches are not supported",
        ),
        (b'{"jsonrpc":"2.0","method":"GetTask"}', -32600, "'id' must be a text or an integer"),
        (b'{"jsonrpc":"2.0","id":1,"method":"x"}', -32601, "unknown method 'x'"),
        (b'{"jsonrpc":"2.0","id":1,"method":"GetTask"}', -32602, "id: Field required"),
        (b'{"jsonrpc":"2.0","id":1,"method":"GetTask","params":[]}', -32602, "params: must be an object"),
        (b'{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"x"}}', -32001, "task not found"),
        (
            b'{"jsonrpc":"2.0","id":1,"method":"GetExtendedAgentCard"}',
            -32004,
            NO_EXTENDED_CARD,
        ),
        (
            b'{"jsonrpc":"2.0","id":1,"method":"CreateTaskPushNotificationConfig"}',
            -32003,
            "push notifications are not supported",
        ),
    ],
)
async def test_json_rpc_errors(serve: Serve, body: bytes, code: int, message: str) -> None:
    async with serve(READ) as client:
        response = await client.send("POST", "", data=body, headers=JSON)
        assert client.api.calls == []
    assert response.status == 200
    assert (response.error["code"], response.error["message"]) == (code, message)
    assert response.json["id"] == (1 if b'"id":1' in body else None)


@pytest.mark.parametrize(
    ("method", "path", "status", "reason", "message"),
    [
        ("GET", "/tasks/x", 404, "TASK_NOT_FOUND", "task not found"),
        ("POST", "/tasks/x:cancel", 404, "TASK_NOT_FOUND", "task not found"),
        ("POST", "/tasks/x:subscribe", 404, "TASK_NOT_FOUND", "task not found"),
        ("GET", "/extendedAgentCard", 400, "UNSUPPORTED_OPERATION", NO_EXTENDED_CARD),
        (
            "POST",
            "/tasks/x/pushNotificationConfigs",
            400,
            "PUSH_NOTIFICATION_NOT_SUPPORTED",
            "push notifications are not supported",
        ),
        ("GET", "/tasks?pageSize=x", 400, None, "pageSize: must be an integer"),
        ("GET", "/tasks?pageSize=101", 400, None, "pageSize: Input should be less than or equal to 100"),
        ("GET", "/tasks?pageToken=x", 400, None, "pageToken: is not a token of this agent"),
        ("GET", "/tasks?statusTimestampAfter=2026-01-01T00:00:00", 400, None, NO_ZONE),
        ("GET", "/tasks?statusTimestampAfter=-1", 400, None, NO_TIMESTAMP),
        ("PUT", "/tasks/x", 404, None, "no method at PUT /tasks/x"),
        ("GET", "/tasks/x/y", 404, None, "no method at GET /tasks/x/y"),
        ("GET", "/other/x", 404, None, "no method at GET /other/x"),
        ("POST", "/message:send", 400, None, "message: Field required"),
    ],
)  # fmt: skip
async def test_http_json_errors(
    serve: Serve, method: str, path: str, status: int, reason: str | None, message: str
) -> None:
    async with serve(READ) as client:
        response = await client.send(method, path)
    assert (response.status, response.error["code"], response.error["message"]) == (status, status, message)
    assert response.headers["Content-Type"].startswith("application/a2a+json")
    reasons = [detail.get("reason") for detail in response.error.get("details", [])]
    assert reasons == ([] if status == 404 and reason is None else [reason])


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_bodies_that_any_web_page_can_send_are_rejected(serve: Serve, content_type: str) -> None:
    body = orjson.dumps({"message": new_message(call_part("read"))})
    async with serve(READ) as client:
        for path in ("", "/message:send"):
            response = await client.send("POST", path, data=body, headers={"Content-Type": content_type})
            assert "set Content-Type" in response.error["message"]
        assert client.api.calls == []


@pytest.mark.parametrize(("version", "is_supported"), [("1.0", True), ("1.0.1", True), ("0.3", False), ("", False)])
async def test_versions(serve: Serve, version: str, is_supported: bool) -> None:
    async with serve(READ) as client:
        response = await client("ListTasks", **{"A2A-Version": version})
        assert ("result" in response.json) is is_supported
        if not is_supported:
            assert response.error["code"] == -32009
            assert response.error["data"][0]["reason"] == "VERSION_NOT_SUPPORTED"
        response = await client.send("GET", f"/tasks?A2A-Version={version}", headers={"A2A-Version": ""})
        assert (response.status == 200) is is_supported


async def test_large_bodies(serve: Serve) -> None:
    async with serve(READ, settings={"body_limit": 1_000}) as client:
        response = await client("SendMessage", {"message": new_message({"text": "x" * 1_000})})
    assert response.status == 413


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"messageId": ""}, "message.messageId"),
        ({"parts": []}, "message.parts"),
        ({"role": "ROLE_AGENT"}, "message.role"),
        ({"contextId": "x" * 201}, "message.contextId"),
        ({"parts": [call_part("reed")]}, "skill"),
        ({"parts": [{"data": {"skill": "read", "arguments": [1]}}]}, "arguments"),
    ],
)
async def test_invalid_messages(serve: Serve, message: Any, field: str) -> None:
    async with serve(READ) as client:
        response = await client("SendMessage", {"message": {**new_message(call_part("read")), **message}})
        assert client.api.calls == []
    assert response.error["code"] == -32602
    assert [each["field"] for each in response.error["data"][0]["fieldViolations"]] == [field]


async def test_unknown_skills_are_explained(serve: Serve) -> None:
    async with serve([{"name": "read"}, {"name": "write"}]) as client:
        response = await client("SendMessage", {"message": new_message(call_part("raed"))})
        assert response.error["message"] == "skill: unknown skill 'raed'; did you mean 'read'?"
        response = await client("SendMessage", {"message": new_message(call_part("zzz"))})
        assert response.error["message"] == "skill: unknown skill 'zzz'; use one of: read, write"


@pytest.mark.parametrize(
    "params",
    [
        {"message": new_message(call_part("read", id=7))},
        {"message": new_message({"text": "hello"}, call_part("read", id=7))},
        {"message": new_message({"text": '{"skill": "read", "arguments": {"id": 7}}'})},
        {"message": {**new_message({"data": {"id": 7}}), "metadata": {"skill": "read"}}},
        {"message": {**new_message({"text": "x"}), "metadata": {"skill": "read", "arguments": {"id": 7}}}},
        {"message": new_message({"data": {"id": 7.0}}), "metadata": {"skill": "read"}},
    ],
)
async def test_forms_of_a_call(serve: Serve, params: Any) -> None:
    async with serve(READ) as client:
        task = (await client("SendMessage", params)).result["task"]
        assert task["status"]["state"] == "TASK_STATE_COMPLETED"
        assert client.api.calls == [("read", {"id": 7})]


async def test_files_are_rejected(serve: Serve) -> None:
    async with serve(READ) as client:
        for part in ({"raw": "aGk=", "mediaType": "image/png"}, {"url": "https://example.com/a.png"}):
            response = await client("SendMessage", {"message": new_message(part)})
            assert (response.error["code"], client.api.calls) == (-32005, [])


@pytest.mark.parametrize(
    ("result", "part"),
    [
        (Result(data={"id": 2**70}), {"data": {"id": 2**70}, "mediaType": "application/json"}),
        (Result(data=None), {"data": None, "mediaType": "application/json"}),
        (Result(body=b"a,b", media_type="text/csv"), {"text": "a,b", "mediaType": "text/csv"}),
        (Result(body=b"\xff", media_type="image/png"), {"raw": "/w==", "mediaType": "image/png"}),
        (Result(status=204, body=b""), None),
    ],
)
async def test_results(serve: Serve, result: Result, part: Any) -> None:
    async with serve(READ) as client:
        client.api.responses["read"] = lambda _: result
        body = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "SendMessage",
            "params": {"message": new_message(call_part("read"))},
        }
        response = await client.send("POST", "", json=body)
    task = json.loads(response.body)["result"]["task"]
    assert task["status"]["state"] == "TASK_STATE_COMPLETED"
    assert [each for artifact in task.get("artifacts", []) for each in artifact["parts"]] == ([part] if part else [])


@pytest.mark.parametrize(("depth", "state"), [(200, "COMPLETED"), (250, "COMPLETED"), (300, "FAILED")])
async def test_deep_results(serve: Serve, depth: int, state: str) -> None:
    body = b"[" * depth + b"]" * depth
    async with serve(READ) as client:
        client.api.responses["read"] = lambda _: Result(body=body, media_type="application/json")
        task = await client.start(call_part("read"))
        assert task["status"]["state"] == f"TASK_STATE_{state}"
        if state == "FAILED":
            message = task["status"]["message"]["parts"][0]["text"]
            assert message == "the upstream response is nested too deeply"
        assert (await client("GetTask", {"id": task["id"]})).status == 200


@pytest.mark.parametrize(
    ("error", "state", "details"),
    [
        (ArgumentError("id", "bad"), "TASK_STATE_REJECTED", {"type": "ArgumentError", "parameter": "id"}),
        (RefusedError("no"), "TASK_STATE_REJECTED", {"type": "RefusedError"}),
        (UpstreamTimeoutError("slow"), "TASK_STATE_FAILED", {"type": "UpstreamTimeoutError"}),
        (
            UpstreamStatusError(404, b'{"why":"gone"}', "application/json"),
            "TASK_STATE_FAILED",
            {"type": "UpstreamStatusError", "upstreamStatus": 404, "sent": True, "upstreamBody": {"why": "gone"}},
        ),
        (
            UpstreamStatusError(500, b"\xff", "image/png"),
            "TASK_STATE_FAILED",
            {"type": "UpstreamStatusError", "upstreamStatus": 500, "sent": True},
        ),
    ],
)
async def test_errors_of_operations(serve: Serve, error: OperationError, state: str, details: dict[str, Any]) -> None:
    def respond(_: Any) -> None:
        raise error

    async with serve(READ) as client:
        client.api.responses["read"] = respond
        status = (await client.start(call_part("read")))["status"]
    assert status["state"] == state
    text, data = status["message"]["parts"]
    assert text == {"text": error.message}
    assert data["data"]["error"].pop("requestId", "").isalnum() == (error.status >= 500)
    assert data["data"]["error"] == details


async def test_stream_of_json_rpc(serve: Serve) -> None:
    async with serve(READ) as client:
        response = await client("SendStreamingMessage", {"message": new_message(call_part("read", id=7))})
    assert response.headers["Content-Type"] == "text/event-stream"
    task, artifact, status = [event["result"] for event in response.events]
    assert task["task"]["status"]["state"] == "TASK_STATE_WORKING"
    assert artifact["artifactUpdate"]["artifact"]["parts"][0]["data"] == {"id": 7}
    assert status["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert {event["id"] for event in response.events} == {1}


async def test_stream_that_needs_input_ends(serve: Serve) -> None:
    async with serve(READ) as client:
        response = await client("SendStreamingMessage", {"message": new_message({"text": "hello"})})
    (event,) = response.events
    assert event["result"]["task"]["status"]["state"] == "TASK_STATE_INPUT_REQUIRED"


async def test_task_goes_on_without_its_stream(serve: Serve) -> None:
    async with serve(READ) as client:
        hold = client.api.hold("read")
        async with client.stream("/message:stream", {"message": new_message(call_part("read", id=7))}) as events:
            task = (await anext(events))["task"]
            await hold.entered.wait()
        async with client.stream(f"/tasks/{task['id']}:subscribe") as events:
            assert (await anext(events))["task"]["status"]["state"] == "TASK_STATE_WORKING"
            hold.release.set()
            *_, last = [event async for event in events]
        assert last["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"


async def test_card(serve: Serve) -> None:
    async with serve(READ) as client, ClientSession() as session:
        url = client.url.removesuffix("/a2a") + CARD_PATH
        async with session.get(url) as response:
            card, tag = await response.json(), response.headers["ETag"]
            assert response.headers["Cache-Control"] == "public, max-age=60"
        async with session.get(url, headers={"If-None-Match": tag}) as response:
            assert response.status == 304
    assert {interface["url"] for interface in card["supportedInterfaces"]} == {client.url}
    assert card["skills"] == [{"id": "read", "name": "read", "description": "Does it", "tags": ["front"]}]
    assert "securitySchemes" not in card


@pytest.mark.parametrize(
    ("authentication", "scheme"),
    [
        ({"type": "bearer", "token": "{{env.TOKEN}}"}, {"httpAuthSecurityScheme": {"scheme": "Bearer"}}),
        (
            {"type": "basic", "username": "ada", "password": "{{env.TOKEN}}"},
            {"httpAuthSecurityScheme": {"scheme": "Basic"}},
        ),
        (
            {"type": "apikey", "key": "X-Key", "value": "{{env.TOKEN}}", "placement": "header"},
            {"apiKeySecurityScheme": {"location": "header", "name": "X-Key"}},
        ),
    ],
)
async def test_security_in_the_card(serve: Serve, authentication: Any, scheme: Any) -> None:
    settings = {"environment": {"TOKEN": "secret"}}
    async with serve(READ, settings=settings, authentication=authentication) as client, ClientSession() as session:
        async with session.get(client.url.removesuffix("/a2a") + CARD_PATH) as response:
            assert response.status == 200
            card = await response.json()
        # Everything else needs credentials.
        assert (await client.send("GET", "/tasks")).status == 401
    assert card["securitySchemes"] == {"caller": scheme}
    assert card["securityRequirements"] == [{"schemes": {"caller": {"list": []}}}]
    assert "secret" not in str(card)


def test_certificates_of_clients_in_the_card(document: Document) -> None:
    made = document(READ, authentication={"type": "mutualTLS"})
    plugins = Plugins.installed()
    plugins.register("fake", FakePlugin())
    host = Host(made, plugins=plugins, settings=Settings(environment={}))
    card = build_card(host.status()[0].exposer.config, {}, host.plans[0].loaded)
    assert card["securitySchemes"] == {"caller": {"mtlsSecurityScheme": {"description": "A certificate of the client"}}}


async def test_card_behind_a_proxy(serve: Serve) -> None:
    settings = {"public_urls": {"front": "https://agents.example.com/museum/"}}
    async with (
        serve(READ, settings=settings) as client,
        client.session.get(client.url.removesuffix("/a2a") + CARD_PATH) as response,
    ):
        card = await response.json()
    assert {each["url"] for each in card["supportedInterfaces"]} == {"https://agents.example.com/museum/a2a"}


async def test_card_is_at_the_origin(document: Document, unused_tcp_port: int) -> None:
    made = document(READ)
    other = {"type": "rest", "namespace": "other", "port": 0, "resources": []}
    other["resources"] = [{"path": "/x", "operations": [{"method": "GET", "outputParameters": [{"value": "x"}]}]}]
    made["capability"]["exposes"].append(other)
    async with (
        running(made, ports=dict.fromkeys(("front", "other"), unused_tcp_port)) as served,
        ClientSession() as session,
    ):
        assert served.url("front") == (url := f"http://127.0.0.1:{unused_tcp_port}/front/a2a")
        async with session.get(f"http://127.0.0.1:{unused_tcp_port}{CARD_PATH}") as response:
            card = await response.json()
    assert {each["url"] for each in card["supportedInterfaces"]} == {url}
