"""Tests of the host: start and stop order, drain, restart, ports, calls, attached applications."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yarl
from aiohttp import web
from aiohttp.test_utils import TestServer
from syrupy.assertion import SnapshotAssertion

from adapter_host import (
    ArgumentError,
    Exposer,
    Host,
    NotFoundError,
    ProblemsError,
    Result,
    Settings,
    StartError,
    UnavailableError,
    UpstreamInvalidError,
    attach,
)
from adapter_host.host.host import HOST
from adapter_host.testing import FakeConsumer, Running, running
from tests.support.adapters import Recorder, document, plain, plain_plugins

NOTED = [{"type": "noted", "namespace": name} for name in ("one", "two")]


def host(*documents: Any, recorder: Recorder | None = None, **settings: Any) -> Host:
    """Return a host of documents with an empty environment."""
    plugins = plain_plugins(**({"noted": recorder} if recorder else {}))
    return Host(*documents, plugins=plugins, settings=Settings(**{"environment": {}, **settings}))


def fake(of: Host, namespace: str = "api") -> FakeConsumer:
    return Running(of).fake(namespace)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class Held:
    """A response that blocks until `release` is set; `entered` is set when a call arrives."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.release = asyncio.Event()

    async def __call__(self, arguments: dict[str, Any]) -> str:
        self.entered.set()
        await self.release.wait()
        return "done"


async def test_start_order_and_reverse_stop_order(recorder: Recorder) -> None:
    served = host(document(*NOTED, consumes=NOTED), recorder=recorder)
    recorder.events.clear()
    await served.start()
    assert recorder.events == ["start consumer one", "start consumer two", "start exposer one", "start exposer two"]
    recorder.events.clear()
    await served.stop()
    assert recorder.events == ["stop exposer two", "stop exposer one", "stop consumer two", "stop consumer one"]
    await served.stop()
    assert len(recorder.events) == 4


async def test_failed_start_stops_the_started(recorder: Recorder) -> None:
    recorder.fails = {"start exposer one"}
    served = host(document(*NOTED, plain(), consumes=[*NOTED, API]), recorder=recorder)
    recorder.events.clear()
    with pytest.raises(OSError, match="start exposer one failed"):
        await served.start()
    assert recorder.events == [
        "start consumer one",
        "start consumer two",
        "start exposer one",
        "stop exposer one",
        "stop consumer two",
        "stop consumer one",
    ]
    assert {status.url for status in served.status()} == {None}
    assert not fake(served).running


API = {"type": "fake", "namespace": "api", "operations": [{"name": "get"}]}


async def test_errors_while_stopping_become_notes(recorder: Recorder) -> None:
    recorder.fails = {"start exposer two", "stop exposer one", "stop consumer two"}
    served = host(document(*NOTED, consumes=NOTED), recorder=recorder)
    with pytest.raises(OSError, match="start exposer two failed") as caught:
        await served.start()
    assert recorder.events[-4:] == ["stop exposer two", "stop exposer one", "stop consumer two", "stop consumer one"]
    assert caught.value.__notes__ == [
        "while starting exposer 'two' (noted)",
        "and while stopping exposer 'one' (noted): OSError: stop exposer one failed",
        "and while stopping consumer 'two': OSError: stop consumer two failed",
    ]


async def test_stop_completes_before_raising(recorder: Recorder) -> None:
    recorder.fails = {"stop exposer two", "stop consumer one"}
    served = host(document(*NOTED, consumes=NOTED), recorder=recorder)
    await served.start()
    with pytest.raises(OSError, match="stop exposer two failed") as caught:
        await served.stop()
    assert recorder.events[-4:] == ["stop exposer two", "stop exposer one", "stop consumer two", "stop consumer one"]
    assert caught.value.__notes__ == [
        "while stopping exposer 'two' (noted)",
        "and while stopping consumer 'one': OSError: stop consumer one failed",
    ]


async def test_restart(session: aiohttp.ClientSession) -> None:
    served = host(document(plain()))
    for _ in range(2):
        async with served:
            (status,) = served.status()
            async with session.post(f"{status.url}/get", json={}) as response:
                assert response.status == 200
        assert served.status()[0].url is None
    with pytest.raises(UnavailableError):
        await served.call("front.get")


async def test_second_start_is_an_error(recorder: Recorder) -> None:
    served = host(document(*NOTED), recorder=recorder)
    async with served:
        with pytest.raises(StartError, match="already started"):
            await served.start()
    assert recorder.events.count("stop exposer one") == 1


async def test_drain_completes_calls_and_refuses_new_ones(session: aiohttp.ClientSession) -> None:
    ping = {"name": "ping", "outputParameters": [{"type": "string", "value": "pong"}]}
    served = host(document(plain({"name": "get", "call": "api.get"}, ping)))
    held = Held()
    fake(served).responses["get"] = held
    async with served:
        url = f"{served.status()[0].url}/get"
        call = asyncio.create_task(fetch(session, url))
        await held.entered.wait()
        assert served.calls == 1

        async with aiohttp.ClientSession() as other:
            # The connection is open before the drain: the host refuses its next request, but not the connection.
            async with other.post(url.replace("/get", "/ping")) as response:
                assert response.status == 200
            drain = asyncio.create_task(served.drain())
            await until(lambda: served.draining)
            async with other.post(url) as response:
                assert response.status == 503
        with pytest.raises(aiohttp.ClientConnectorError):
            await fetch(session, url)
        with pytest.raises(UnavailableError, match="shutting down"):
            await served.call("front.get")

        assert not drain.done()
        held.release.set()
        assert await call == (200, b'"done"')
        await drain
        assert served.calls == 0


async def test_drain_serves_connections_that_are_open(session: aiohttp.ClientSession) -> None:
    ping = {"name": "ping", "outputParameters": [{"type": "string", "value": "pong"}]}
    async with host(document(plain(ping))) as served:
        url = yarl.URL(f"{served.status()[0].url}/ping")
        assert await fetch(session, str(url)) == (200, b'"pong"')
        request = f"POST {url.path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode()
        # The kernel accepts both connections, the host neither of them yet.
        address = (url.host, url.port)
        with socket.create_connection(address) as with_request, socket.create_connection(address) as silent:
            with_request.sendall(request)
            drain = asyncio.create_task(served.drain())
            await until(lambda: not served.status()[0].serving)
            silent.sendall(request)
            await drain
            for client in (with_request, silent):
                client.setblocking(False)
                response = await asyncio.get_running_loop().sock_recv(client, 65536)
                assert response.startswith(b"HTTP/1.1 200 ")


async def fetch(session: aiohttp.ClientSession, url: str) -> tuple[int, bytes]:
    async with session.post(url) as response:
        return response.status, await response.read()


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks run until a condition holds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 -- what is waited for is not this test's to signal
            await asyncio.sleep(0)


async def test_drain_refuses_mcp_tools_with_a_tool_error() -> None:
    tool = {"name": "get", "description": "Gets", "call": "api.get"}
    mcp = {"type": "mcp", "namespace": "tools", "port": 0, "tools": [tool]}
    async with running(document(mcp)) as served, aiohttp.ClientSession() as session, aiohttp.ClientSession() as other:
        held = Held()
        served.fake("api").responses["get"] = held
        url = served.url("tools")
        assert (await message(other, url))["result"]["tools"][0]["name"] == "get"
        call = asyncio.create_task(message(session, url, "tools/call", {"name": "get", "arguments": {}}))
        await held.entered.wait()
        drain = asyncio.create_task(served.host.drain())
        await until(lambda: served.host.draining)
        refused = await message(other, url, "tools/call", {"name": "get", "arguments": {}})
        assert refused["result"]["isError"] is True
        assert "shutting down" in refused["result"]["content"][0]["text"]
        held.release.set()
        assert (await call)["result"].get("isError", False) is False
        await drain


async def message(
    session: aiohttp.ClientSession, url: str, method: str = "tools/list", params: dict[str, Any] | None = None
) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
    async with session.post(url, json=body, headers=headers) as response:
        return await response.json()


async def test_drain_timeout_cuts_off_calls(session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture) -> None:
    served = host(document(plain()), drain_timeout=0.01)
    held = Held()
    fake(served).responses["get"] = held
    async with served:
        call = asyncio.create_task(fetch(session, f"{served.status()[0].url}/get"))
        await held.entered.wait()
    assert "drain timeout: cancelling 1 call in flight" in caplog.text
    with pytest.raises(aiohttp.ClientError):
        await call


async def test_failed_drain_does_not_affect_other_exposers(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    recorder.fails = {"drain exposer one"}
    served = host(document(*NOTED), recorder=recorder)
    async with served:
        pass
    assert "drain exposer two" in recorder.events
    assert "exposer 'one' (noted) failed to drain" in caplog.text


async def test_call_limit(session: aiohttp.ClientSession) -> None:
    served = host(document(plain()), call_limit=1)
    held = Held()
    fake(served).responses["get"] = held
    async with served:
        url = f"{served.status()[0].url}/get"
        call = asyncio.create_task(fetch(session, url))
        await held.entered.wait()
        status, body = await fetch(session, url)
        assert (status, b"concurrency limit reached (1 call)" in body) == (503, True)
        held.release.set()
        assert (await call)[0] == 200
        assert (await fetch(session, url))[0] == 200


async def test_failed_call_leaves_the_count() -> None:
    served = host(document(plain()))

    def fail(arguments: dict[str, Any]) -> None:
        raise RuntimeError("unforeseen")

    fake(served).responses["get"] = fail
    async with served:
        with pytest.raises(RuntimeError):
            await served.call("front.get")
        assert served.calls == 0


def streamed(chunks: list[bytes], closed: list[str]) -> Callable[[dict[str, Any]], Result]:
    async def stream() -> AsyncIterator[bytes]:
        try:
            for chunk in chunks:
                yield chunk
        finally:
            closed.append("closed")

    return lambda arguments: Result(stream=stream())


async def test_stream_is_in_flight_until_it_ends() -> None:
    served = host(document(plain()))
    closed: list[str] = []
    fake(served).responses["get"] = streamed([b"[1,", b"2]"], closed)
    async with served:
        (operation,) = served.status()[0].exposer.operations.values()
        result = await operation.call({})
        assert served.calls == 1
        assert result.stream is not None
        assert [chunk async for chunk in result.stream] == [b"[1,", b"2]"]
        assert served.calls == 0

        result = await operation.call({})
        assert result.stream is not None
        assert await anext(result.stream) == b"[1,"
        await result.stream.aclose()
        assert (served.calls, closed) == (0, ["closed", "closed"])


async def test_host_call_buffers_streams() -> None:
    served = host(document(plain()), response_limit=8)
    fake(served).responses["get"] = streamed([b"[1,", b"2]"], [])
    async with served:
        result = await served.call("front.get")
        assert (result.body, result.data, result.stream) == (b"[1,2]", [1, 2], None)
        closed: list[str] = []
        fake(served).responses["get"] = streamed([b"x" * 9], closed)
        with pytest.raises(UpstreamInvalidError, match="larger than 8 bytes"):
            await served.call("front.get")
        assert (served.calls, closed) == (0, ["closed"])


async def test_host_call_by_name() -> None:
    get = {"name": "get", "call": "api.get"}
    served = host(document(plain(get), plain(get, get, namespace="double")))
    async with served:
        assert (await served.call("front.get")).data == {}
        assert (await served.call("api.get", {"any": 1})).data == {"any": 1}
        with pytest.raises(ArgumentError, match="unknown parameter 'any'"):
            await served.call("front.get", {"any": 1})
        with pytest.raises(NotFoundError, match=r"unknown operation 'front\.put'"):
            await served.call("front.put")
        with pytest.raises(NotFoundError, match=r"several operations are named 'double\.get'"):
            await served.call("double.get")


SECRET = {"namespace": "env", "keys": {"TOKEN": "FRONT_TOKEN"}}
BEARER = {"type": "bearer", "token": "{{env.TOKEN}}"}


async def test_missing_secret_prevents_start(snapshot: SnapshotAssertion) -> None:
    served = host(document(plain(authentication=BEARER), binds=[SECRET]))
    with pytest.raises(ProblemsError) as caught:
        await served.start()
    (problem,) = caught.value.problems
    assert problem.code == "unresolved-secret"
    assert str(problem).startswith("<capability>: capability.exposes.0.authentication.token: ")
    assert str(problem) == snapshot
    with pytest.raises(ProblemsError):
        await host(document(plain(authentication=BEARER), binds=[SECRET]), environment={"FRONT_TOKEN": ""}).start()


@pytest.fixture
def taken_port() -> Any:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


async def test_port_in_use(taken_port: int, recorder: Recorder, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(
        "naftiko: 1.0.0-alpha2\ncapability:\n  consumes:\n  - {type: noted, namespace: one}\n"
        f"  exposes:\n  - type: plain\n    namespace: front\n    port: {taken_port}\n"
    )
    served = host(file, recorder=recorder)
    with pytest.raises(StartError) as caught:
        await served.start()
    message = str(caught.value)
    assert message.startswith(f"{file}:8:11: ")
    assert message.removeprefix(str(file)).replace(str(taken_port), "PORT") == snapshot
    assert recorder.events == ["make consumer one"]


@pytest.mark.parametrize(("address", "reason"), [("192.0.2.1", "cannot assign requested address"), ("a..b", "")])
async def test_foreign_address(address: str, reason: str) -> None:
    with pytest.raises(StartError) as caught:
        await host(document(plain()), address=address).start()
    assert f"cannot listen on {address}:0: {reason}" in str(caught.value)
    assert "; choose another address with --address" in str(caught.value)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def test_single_exposer_is_at_the_root() -> None:
    async with host(document(plain())) as served:
        url = served.status()[0].url or ""
        assert url.startswith("http://127.0.0.1:")
        assert url.count("/") == 2


async def test_shared_port_uses_prefixes(session: aiohttp.ClientSession) -> None:
    port = free_port()
    one = document(plain(port=port, namespace="a"), plain(port=port, namespace="b", address="127.0.0.1"))
    two = document(plain(port=port, namespace="c"))
    async with host(one, two) as served:
        urls = [status.url for status in served.status()]
        assert urls == [f"http://127.0.0.1:{port}/{name}" for name in "abc"]
        for url in urls:
            assert await fetch(session, f"{url}/get") == (200, b"{}")
        assert (await fetch(session, f"http://127.0.0.1:{port}/get"))[0] == 404


def test_namespace_clash_on_one_port() -> None:
    with pytest.raises(
        ProblemsError, match="namespace 'front' is already served on port 8080 by <capability>"
    ) as caught:
        host(document(plain(port=8080)), document(plain(port=8080)))
    assert [problem.code for problem in caught.value.problems] == ["namespace-clash"]
    host(document(plain(port=8080)), document(plain(port=8081)))
    host(document(plain(port=8080)), document(plain(port=8080)), ports={"front": 0})


async def test_two_hosts_in_one_process(session: aiohttp.ClientSession) -> None:
    async with host(document(plain())) as one, host(document(plain())) as two:
        fake(one).responses["get"] = lambda arguments: "one"
        fake(two).responses["get"] = lambda arguments: "two"
        assert await fetch(session, f"{one.status()[0].url}/get") == (200, b'"one"')
        assert await fetch(session, f"{two.status()[0].url}/get") == (200, b'"two"')
        await one.drain()
        assert await fetch(session, f"{two.status()[0].url}/get") == (200, b'"two"')


def test_skip_invalid_omits_operations() -> None:
    good, bad = {"name": "good", "call": "api.get"}, {"name": "bad", "call": "api.nothing"}
    with pytest.raises(ProblemsError, match=r"unknown operation 'api\.nothing'"):
        host(document(plain(good, bad)))
    served = host(document(plain(good, bad)), skip_invalid=True)
    (status,) = served.status()
    assert [operation.name for operation in status.exposer.operations.values()] == ["good"]
    assert [(problem.warning, problem.code) for problem in served.warnings] == [(True, "unknown-call")]
    assert served.warnings[0].message.startswith("skipped: ")
    assert "unknown operation 'api.nothing'" in served.warnings[0].message


UNCHECKED = {
    "type": "oauth2",
    "authorizationServerUri": "http://auth.example.com",
    "resource": "https://api.example.com",
}


def test_skip_invalid_omits_exposer_with_invalid_authentication() -> None:
    served = host(document(plain(authentication=UNCHECKED), plain(namespace="open")), skip_invalid=True)
    assert [status.namespace for status in served.status()] == ["open"]


def test_all_problems_of_all_documents_are_reported() -> None:
    with pytest.raises(ProblemsError) as caught:
        host(document(plain({"call": "api.gets"}, authentication=UNCHECKED)), document(plain({"call": "x.get"})))
    assert [problem.code for problem in caught.value.problems] == ["invalid", "unknown-call", "unknown-call"]


def test_folder_loads_every_capability(tmp_path: Path) -> None:
    with pytest.raises(ProblemsError, match="no capability in this folder"):
        host(tmp_path)
    text = "naftiko: 1.0.0-alpha2\ncapability: {{exposes: [{{type: plain, namespace: {}, port: 0}}]}}\n"
    for name in ("b", "a"):
        (tmp_path / f"{name}.yaml").write_text(text.format(name))
    (tmp_path / "notes.txt").write_text("not YAML")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden/c.yaml").write_text(text.format("c"))
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/api.yaml").write_text("naftiko: 1.0.0-alpha2\nconsumes: []\n")
    assert [status.namespace for status in host(tmp_path).status()] == ["a", "b"]
    (tmp_path / "broken.yml").write_text("a: [")
    with pytest.raises(ProblemsError, match=r"broken\.yml"):
        host(tmp_path)


def test_folder_below_a_folder_called_shared(tmp_path: Path) -> None:
    """Only a folder `shared` within the given one has documents that others import from."""
    (tmp_path / "shared/apis").mkdir(parents=True)
    (tmp_path / "shared/apis/a.yaml").write_text(
        "naftiko: 1.0.0-alpha2\ncapability: {consumes: [{type: fake, namespace: a}]}\n"
    )
    assert [plan.loaded.source.file for plan in host(tmp_path / "shared/apis").plans] == [
        str(tmp_path / "shared/apis/a.yaml")
    ]


async def test_attached_to_an_application(session: aiohttp.ClientSession) -> None:
    seen: list[str] = []

    @web.middleware
    async def noting(request: web.Request, handler: Any) -> web.StreamResponse:
        seen.append(request.path)
        response: web.StreamResponse = await handler(request)
        return response

    async def own(request: web.Request) -> web.Response:
        return web.Response(text="own")

    app = web.Application(middlewares=[noting])
    app.router.add_get("/own", own)
    inside = host(document(plain(authentication={"type": "bearer", "token": "t"}), plain(namespace="other")))
    attach(app, inside, prefix="/api/")
    assert app[HOST] is inside
    async with TestServer(app) as server:
        url = str(server.make_url("/")).rstrip("/")
        assert fake(inside).running
        async with session.get(f"{url}/own") as response:
            assert await response.text() == "own"
        assert await fetch(session, f"{url}/api/other/get") == (200, b"{}")
        assert (await fetch(session, f"{url}/api/front/get"))[0] == 401
        async with session.post(f"{url}/api/front/get", headers={"Authorization": "Bearer t"}) as response:
            assert response.status == 200
        assert {status.url for status in inside.status()} == {None}
    assert not fake(inside).running
    assert seen == ["/own", "/api/other/get", "/api/front/get", "/api/front/get"]
    with pytest.raises(UnavailableError):
        await inside.call("other.get")


def test_namespace_clash_when_attached() -> None:
    inside = host(document(plain(port=1)), document(plain(port=2)))
    with pytest.raises(ProblemsError, match="namespace 'front' is already served in one application by <capability>"):
        attach(web.Application(), inside)


def test_status_of_exposers() -> None:
    served = host(document(plain(), plain(namespace="other", authentication={"type": "bearer", "token": "t"})))
    found = [(each.capability, each.namespace, each.type, each.authentication) for each in served.status()]
    assert found == [("front", "front", "plain", "none"), ("front", "other", "plain", "bearer")]
    assert [each.operations for each in served.status()] == [1, 1]
    assert all(isinstance(each.exposer, Exposer) for each in served.status())


async def test_stop_leaves_no_tasks() -> None:
    before = asyncio.all_tasks()
    async with host(document(plain())), aiohttp.ClientSession():
        pass
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    gc.collect()


async def test_capability_model_as_document(session: aiohttp.ClientSession) -> None:
    ping = {"name": "ping", "outputParameters": [{"type": "string", "value": "pong"}]}
    (plan,) = host(document(plain(ping))).plans
    async with host(plan.loaded.capability) as served:
        assert await fetch(session, f"{served.status()[0].url}/ping") == (200, b'"pong"')
