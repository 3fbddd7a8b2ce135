"""The host: start in order, unwind when one fails, drain, stop, start again; ports, callers, other applications."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

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
    """Return a host of plain documents with nothing of the process's environment."""
    plugins = plain_plugins(**({"noted": recorder} if recorder else {}))
    return Host(*documents, plugins=plugins, settings=Settings(**{"environment": {}, **settings}))


def fake(of: Host, namespace: str = "api") -> FakeConsumer:
    return Running(of).fake(namespace)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class Held:
    """An answer that waits until it is let go; `began` tells that a call is in it."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.let_go = asyncio.Event()

    async def __call__(self, arguments: dict[str, Any]) -> str:
        self.began.set()
        await self.let_go.wait()
        return "done"


async def test_it_starts_in_order_and_stops_the_newest_first(recorder: Recorder) -> None:
    served = host(document(*NOTED, consumes=NOTED), recorder=recorder)
    recorder.events.clear()
    await served.start()
    assert recorder.events == ["start consumer one", "start consumer two", "start exposer one", "start exposer two"]
    recorder.events.clear()
    await served.stop()
    assert recorder.events == ["stop exposer two", "stop exposer one", "stop consumer two", "stop consumer one"]
    await served.stop()
    assert len(recorder.events) == 4


async def test_when_one_fails_to_start_the_others_are_stopped(recorder: Recorder) -> None:
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


async def test_errors_while_unwinding_hide_neither_the_first_nor_each_other(recorder: Recorder) -> None:
    recorder.fails = {"start exposer two", "stop exposer one", "stop consumer two"}
    served = host(document(*NOTED, consumes=NOTED), recorder=recorder)
    with pytest.raises(OSError, match="start exposer two failed") as caught:
        await served.start()
    assert recorder.events[-4:] == ["stop exposer two", "stop exposer one", "stop consumer two", "stop consumer one"]
    assert caught.value.__notes__ == [
        "and while stopping: OSError: stop exposer one failed",
        "and while stopping: OSError: stop consumer two failed",
    ]


async def test_all_is_stopped_before_the_first_error_is_raised(recorder: Recorder) -> None:
    recorder.fails = {"stop exposer two", "stop consumer one"}
    served = host(document(*NOTED, consumes=NOTED), recorder=recorder)
    await served.start()
    with pytest.raises(OSError, match="stop exposer two failed") as caught:
        await served.stop()
    assert recorder.events[-4:] == ["stop exposer two", "stop exposer one", "stop consumer two", "stop consumer one"]
    assert caught.value.__notes__ == ["and while stopping: OSError: stop consumer one failed"]


async def test_it_starts_again_after_it_stopped(session: aiohttp.ClientSession) -> None:
    served = host(document(plain()))
    for _ in range(2):
        async with served:
            (status,) = served.status()
            async with session.post(f"{status.url}/get", json={}) as answer:
                assert answer.status == 200
        assert served.status()[0].url is None
    with pytest.raises(UnavailableError):
        await served.call("front.get")


async def test_it_starts_once(recorder: Recorder) -> None:
    served = host(document(*NOTED), recorder=recorder)
    async with served:
        with pytest.raises(StartError, match="started already"):
            await served.start()
    assert recorder.events.count("stop exposer one") == 1


async def test_a_call_in_progress_ends_and_a_new_one_is_refused(session: aiohttp.ClientSession) -> None:
    ping = {"name": "ping", "outputParameters": [{"type": "string", "value": "pong"}]}
    served = host(document(plain({"name": "get", "call": "api.get"}, ping)))
    held = Held()
    fake(served).answers["get"] = held
    async with served:
        url = f"{served.status()[0].url}/get"
        call = asyncio.create_task(fetch(session, url))
        await held.began.wait()
        assert served.calls == 1

        async with aiohttp.ClientSession() as other:
            # The connection is open before the drain: its next request is refused, and not the connection.
            async with other.post(url.replace("/get", "/ping")) as answer:
                assert answer.status == 200
            drain = asyncio.create_task(served.drain())
            await until(lambda: served.draining)
            async with other.post(url) as answer:
                assert answer.status == 503
        with pytest.raises(aiohttp.ClientConnectorError):
            await fetch(session, url)
        with pytest.raises(UnavailableError, match="shutting down"):
            await served.call("front.get")

        assert not drain.done()
        held.let_go.set()
        assert await call == (200, b'"done"')
        await drain
        assert served.calls == 0


async def fetch(session: aiohttp.ClientSession, url: str) -> tuple[int, bytes]:
    async with session.post(url) as answer:
        return answer.status, await answer.read()


async def until(condition: Callable[[], bool]) -> None:
    """Let the others go on until something holds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 -- what is waited for is not this test's to signal
            await asyncio.sleep(0)


async def test_draining_refuses_tools_as_their_protocol_does() -> None:
    tool = {"name": "get", "description": "Gets", "call": "api.get"}
    mcp = {"type": "mcp", "namespace": "tools", "port": 0, "tools": [tool]}
    async with running(document(mcp)) as served, aiohttp.ClientSession() as session, aiohttp.ClientSession() as other:
        held = Held()
        served.fake("api").answers["get"] = held
        url = served.url("tools")
        assert (await message(other, url))["result"]["tools"][0]["name"] == "get"
        call = asyncio.create_task(message(session, url, "tools/call", {"name": "get", "arguments": {}}))
        await held.began.wait()
        drain = asyncio.create_task(served.host.drain())
        await until(lambda: served.host.draining)
        refused = await message(other, url, "tools/call", {"name": "get", "arguments": {}})
        assert refused["result"]["isError"] is True
        assert "shutting down" in refused["result"]["content"][0]["text"]
        held.let_go.set()
        assert (await call)["result"].get("isError", False) is False
        await drain


async def message(
    session: aiohttp.ClientSession, url: str, method: str = "tools/list", params: dict[str, Any] | None = None
) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
    async with session.post(url, json=body, headers=headers) as answer:
        return await answer.json()


async def test_the_drain_has_its_time(session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture) -> None:
    served = host(document(plain()), drain_timeout=0.01)
    held = Held()
    fake(served).answers["get"] = held
    async with served:
        call = asyncio.create_task(fetch(session, f"{served.status()[0].url}/get"))
        await held.began.wait()
    assert "drain timeout: 1 calls in progress are cut off" in caplog.text
    with pytest.raises(aiohttp.ClientError):
        await call


async def test_an_exposer_that_fails_to_drain_does_not_cut_off_the_others(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    recorder.fails = {"drain exposer one"}
    served = host(document(*NOTED), recorder=recorder)
    async with served:
        pass
    assert "drain exposer two" in recorder.events
    assert "exposer 'one' failed to drain" in caplog.text


async def test_as_many_calls_at_once_as_the_settings_say(session: aiohttp.ClientSession) -> None:
    served = host(document(plain()), call_limit=1)
    held = Held()
    fake(served).answers["get"] = held
    async with served:
        url = f"{served.status()[0].url}/get"
        call = asyncio.create_task(fetch(session, url))
        await held.began.wait()
        status, body = await fetch(session, url)
        assert (status, b"concurrency limit reached (1 calls)" in body) == (503, True)
        held.let_go.set()
        assert (await call)[0] == 200
        assert (await fetch(session, url))[0] == 200


async def test_a_call_that_fails_is_counted_out() -> None:
    served = host(document(plain()))

    def fail(arguments: dict[str, Any]) -> None:
        raise RuntimeError("unforeseen")

    fake(served).answers["get"] = fail
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


async def test_a_stream_counts_until_it_ends() -> None:
    served = host(document(plain()))
    closed: list[str] = []
    fake(served).answers["get"] = streamed([b"[1,", b"2]"], closed)
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
        await result.stream.aclose()  # type: ignore[attr-defined]
        assert (served.calls, closed) == (0, ["closed", "closed"])


async def test_call_holds_a_stream() -> None:
    served = host(document(plain()), response_limit=8)
    fake(served).answers["get"] = streamed([b"[1,", b"2]"], [])
    async with served:
        result = await served.call("front.get")
        assert (result.body, result.data, result.stream) == (b"[1,2]", [1, 2], None)
        closed: list[str] = []
        fake(served).answers["get"] = streamed([b"x" * 9], closed)
        with pytest.raises(UpstreamInvalidError, match="larger than 8 bytes"):
            await served.call("front.get")
        assert (served.calls, closed) == (0, ["closed"])


async def test_call_by_name() -> None:
    get = {"name": "get", "call": "api.get"}
    served = host(document(plain(get), plain(get, get, namespace="double")))
    async with served:
        assert (await served.call("front.get")).data == {}
        assert (await served.call("api.get", {"any": 1})).data == {"any": 1}
        with pytest.raises(ArgumentError, match="unknown parameter 'any'"):
            await served.call("front.get", {"any": 1})
        with pytest.raises(NotFoundError, match=r"no operation is named 'front\.put'"):
            await served.call("front.put")
        with pytest.raises(NotFoundError, match=r"several operations are named 'double\.get'"):
            await served.call("double.get")


SECRET = {"namespace": "env", "keys": {"TOKEN": "FRONT_TOKEN"}}
BEARER = {"type": "bearer", "token": "{{env.TOKEN}}"}


async def test_a_secret_that_is_missing_stops_the_start() -> None:
    served = host(document(plain(authentication=BEARER), binds=[SECRET]))
    with pytest.raises(ProblemsError) as caught:
        await served.start()
    (problem,) = caught.value.problems
    assert problem.code == "unresolved-secret"
    assert str(problem) == (
        "<capability>: capability.exposes.0.authentication.token: secret 'env.TOKEN' is not set (bind 'env'; set the"
        " environment variable FRONT_TOKEN, or pass --env-file with a file that sets it)"
    )
    with pytest.raises(ProblemsError):
        await host(document(plain(authentication=BEARER), binds=[SECRET]), environment={"FRONT_TOKEN": ""}).start()


@pytest.fixture
def taken() -> Any:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


async def test_a_port_in_use(taken: int, recorder: Recorder, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(
        "naftiko: 1.0.0-alpha2\ncapability:\n  consumes:\n  - {type: noted, namespace: one}\n"
        f"  exposes:\n  - type: plain\n    namespace: front\n    port: {taken}\n"
    )
    served = host(file, recorder=recorder)
    with pytest.raises(StartError) as caught:
        await served.start()
    assert str(caught.value) == (
        f"{file}:8:11: cannot listen on 127.0.0.1:{taken}: address already in use"
        " (choose another port with --port front=PORT, 0 for any)"
    )
    assert recorder.events == ["make consumer one", "start consumer one", "stop consumer one"]


@pytest.mark.parametrize(("address", "reason"), [("192.0.2.1", "cannot assign requested address"), ("a..b", "")])
async def test_an_address_that_is_not_ours(address: str, reason: str) -> None:
    with pytest.raises(StartError) as caught:
        await host(document(plain()), address=address).start()
    assert f"cannot listen on {address}:0: {reason}" in str(caught.value)
    assert "(choose another address with --address)" in str(caught.value)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def test_alone_on_a_port_it_is_at_the_root() -> None:
    async with host(document(plain())) as served:
        url = served.status()[0].url or ""
        assert url.startswith("http://127.0.0.1:")
        assert url.count("/") == 2


async def test_exposers_that_share_a_port_have_prefixes(session: aiohttp.ClientSession) -> None:
    port = free_port()
    one = document(plain(port=port, namespace="a"), plain(port=port, namespace="b", address="127.0.0.1"))
    two = document(plain(port=port, namespace="c"))
    async with host(one, two) as served:
        urls = [status.url for status in served.status()]
        assert urls == [f"http://127.0.0.1:{port}/{name}" for name in "abc"]
        for url in urls:
            assert await fetch(session, f"{url}/get") == (200, b"{}")
        assert (await fetch(session, f"http://127.0.0.1:{port}/get"))[0] == 404


def test_two_documents_cannot_have_one_namespace_on_one_port() -> None:
    with pytest.raises(ProblemsError, match="'front' is served on port 8080 by <capability> already") as caught:
        host(document(plain(port=8080)), document(plain(port=8080)))
    assert [problem.code for problem in caught.value.problems] == ["namespace-clash"]
    host(document(plain(port=8080)), document(plain(port=8081)))
    host(document(plain(port=8080)), document(plain(port=8080)), ports={"front": 0})


async def test_two_hosts_in_one_process(session: aiohttp.ClientSession) -> None:
    async with host(document(plain())) as one, host(document(plain())) as two:
        fake(one).answers["get"] = lambda arguments: "one"
        fake(two).answers["get"] = lambda arguments: "two"
        assert await fetch(session, f"{one.status()[0].url}/get") == (200, b'"one"')
        assert await fetch(session, f"{two.status()[0].url}/get") == (200, b'"two"')
        await one.drain()
        assert await fetch(session, f"{two.status()[0].url}/get") == (200, b'"two"')


def test_what_cannot_run_may_be_left_out() -> None:
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


def test_what_cannot_check_its_callers_is_left_out_whole() -> None:
    served = host(document(plain(authentication=UNCHECKED), plain(namespace="open")), skip_invalid=True)
    assert [status.namespace for status in served.status()] == ["open"]


def test_every_problem_of_every_document_at_once() -> None:
    with pytest.raises(ProblemsError) as caught:
        host(document(plain({"call": "api.gets"}, authentication=UNCHECKED)), document(plain({"call": "x.get"})))
    assert [problem.code for problem in caught.value.problems] == ["invalid", "unknown-call", "unknown-call"]


def test_a_folder_is_every_capability_in_it(tmp_path: Path) -> None:
    with pytest.raises(ProblemsError, match="there is no capability in this folder"):
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


async def test_attached_to_an_application(session: aiohttp.ClientSession) -> None:
    seen: list[str] = []

    @web.middleware
    async def noting(request: web.Request, handler: Any) -> web.StreamResponse:
        seen.append(request.path)
        answer: web.StreamResponse = await handler(request)
        return answer

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
        async with session.get(f"{url}/own") as answer:
            assert await answer.text() == "own"
        assert await fetch(session, f"{url}/api/other/get") == (200, b"{}")
        assert (await fetch(session, f"{url}/api/front/get"))[0] == 401
        async with session.post(f"{url}/api/front/get", headers={"Authorization": "Bearer t"}) as answer:
            assert answer.status == 200
        assert {status.url for status in inside.status()} == {None}
    assert not fake(inside).running
    assert seen == ["/own", "/api/other/get", "/api/front/get", "/api/front/get"]
    with pytest.raises(UnavailableError):
        await inside.call("other.get")


def test_attached_exposers_cannot_share_a_namespace() -> None:
    inside = host(document(plain(port=1)), document(plain(port=2)))
    with pytest.raises(ProblemsError, match="'front' is served in one application by <capability> already"):
        attach(web.Application(), inside)


def test_exposures_say_what_is_served() -> None:
    served = host(document(plain(), plain(namespace="other", authentication={"type": "bearer", "token": "t"})))
    found = [(each.capability, each.namespace, each.type, each.authentication) for each in served.status()]
    assert found == [("front", "front", "plain", "none"), ("front", "other", "plain", "bearer")]
    assert [each.operations for each in served.status()] == [1, 1]
    assert all(isinstance(each.exposer, Exposer) for each in served.status())


async def test_nothing_is_left_behind() -> None:
    before = asyncio.all_tasks()
    async with host(document(plain())), aiohttp.ClientSession():
        pass
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    gc.collect()


async def test_a_capability_is_served_as_a_model_too(session: aiohttp.ClientSession) -> None:
    ping = {"name": "ping", "outputParameters": [{"type": "string", "value": "pong"}]}
    (plan,) = host(document(plain(ping))).plans
    async with host(plan.loaded.capability) as served:
        assert await fetch(session, f"{served.status()[0].url}/ping") == (200, b'"pong"')
