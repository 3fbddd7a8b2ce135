"""Tests of the protocol; the contract covers everything else."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from adapter_host import ProblemsError, Result, StartError
from adapter_host.testing import running

READ: dict[str, Any] = {"name": "read", "inputParameters": [{"name": "id", "type": "integer", "required": True}]}
RESULTS: list[tuple[Result, dict[str, Any]]] = [
    (Result(body=b"5", media_type="application/json"), {"result": 5}),
    (Result(body=b"5", media_type="text/plain"), {"result": "5"}),
    (Result(body=b"\xe9", media_type="text/plain; charset=latin-1"), {"result": "é"}),
    (Result(body=b"\x89PNG", media_type="image/png"), {"base64": "iVBORw==", "media_type": "image/png"}),
    (Result(status=204, body=b"", media_type=""), {"result": None}),
]


def document(**keys: Any) -> dict[str, Any]:
    exposed = {"type": "echo", "namespace": "lines", "port": 0, "operations": [{"call": "weather.read"}]}
    return {
        "naftiko": "1.0.0-alpha2",
        "binds": [{"namespace": "env", "keys": {"TOKEN": "TOKEN"}}] if "authentication" in keys else [],
        "capability": {
            "consumes": [{"type": "fake", "namespace": "weather", "operations": [READ]}],
            "exposes": [{**exposed, **keys}],
        },
    }


async def ask(url: str, *lines: str) -> list[Any]:
    """Send all lines on one connection, and return the responses until it closes."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write("".join(f"{line}\n" for line in lines).encode())
    responses = [json.loads(line) for _ in lines if (line := await reader.readline())]
    writer.close()
    return responses


async def test_duplicate_name_is_a_problem() -> None:
    twice = [{"name": "read", "call": "weather.read"}] * 2
    with pytest.raises(ProblemsError, match="another operation is named 'read'"):
        async with running(document(operations=twice)):
            pass
    async with running(document(operations=twice), skip_invalid=True) as served:
        assert await ask(served.url("lines"), 'read {"id": 7}') == [{"result": {"id": 7}}]


@pytest.mark.parametrize(("result", "response"), RESULTS)
async def test_json_text_and_bytes(result: Result, response: dict[str, Any]) -> None:
    async with running(document()) as served:
        served.fake("weather").responses["read"] = lambda _: result
        assert await ask(served.url("lines"), 'read {"id": 7}') == [response]


async def test_responses_keep_request_order() -> None:
    async with running(document()) as served:
        responses = await ask(served.url("lines"), 'read {"id": 1}', "", 'read {"id": 2}')
        assert [response.get("result") for response in responses] == [{"id": 1}, None, {"id": 2}]


@pytest.mark.parametrize(
    ("line", "error", "status"),
    [
        ("write {}", "unknown operation 'write' (known: read)", 404),
        ("read", "'id' is required", 400),
        ("read {", "the arguments must be a JSON object", 400),
        ("read [7]", "the arguments must be a JSON object", 400),
    ],
)
async def test_invalid_requests(line: str, error: str, status: int) -> None:
    async with running(document()) as served:
        (response,) = await ask(served.url("lines"), line)
        assert (response["error"], response["status"]) == (error, status)
        assert served.fake("weather").calls == []


async def test_disconnect_behind_further_lines_cancels_the_call() -> None:
    async with running(document()) as served:
        hold = served.fake("weather").hold("read")
        address = urlsplit(served.url("lines"))
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(b'read {"id": 1}\nread {"id": 2}\nread {"id": 3}\n')
        await hold.entered.wait()
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        assert hold.cancelled.is_set()
        assert hold.calls == [{"id": 1}]


async def test_many_lines_are_all_served() -> None:
    async with running(document()) as served:
        lines = [f'read {{"id": {number}}}{" " * 1000}' for number in range(200)]
        responses = await ask(served.url("lines"), *lines)
        assert [response["result"]["id"] for response in responses] == list(range(200))


async def test_unexpected_error_is_logged_under_its_request_id(caplog: pytest.LogCaptureFixture) -> None:
    def fail(arguments: dict[str, Any]) -> None:
        raise RuntimeError("the password is wrong")

    async with running(document()) as served:
        served.fake("weather").responses["read"] = fail
        (response,) = await ask(served.url("lines"), 'read {"id": 1}')
    request_id = response.pop("request_id")
    assert response == {"error": "unexpected error", "status": 500}
    assert f"request {request_id}: unexpected error" in caplog.messages


async def test_oversized_line_closes_only_its_connection() -> None:
    async with running(document(), body_limit=64) as served:
        assert await ask(served.url("lines"), "read " + " " * 1000) == []
        assert await ask(served.url("lines"), 'read {"id": 7}') == [{"result": {"id": 7}}]


async def test_port_in_use_is_a_start_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=rf"cannot listen on 127\.0\.0\.1:{port}: "):
            async with running(document(), ports={"lines": port}):
                pass


async def test_authentication_is_rejected() -> None:
    with pytest.raises(ProblemsError, match="does not support 'authentication'"):
        async with running(document(authentication={"type": "bearer", "token": "{{env.TOKEN}}"})):
            pass
