"""Tests of sockets that exposers declare: kept across reloads, with their connections, without a failed request."""

from __future__ import annotations

import asyncio
import re
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession

from adapter_host import (
    BuildContext,
    Host,
    Operations,
    PluginError,
    ProblemsError,
    Settings,
    StartError,
    hookimpl,
)
from adapter_host.testing import Running
from tests.support.adapters import PlainConfig, PlainExposer, Recorder, document, plain
from tests.support.lines import LineConfig, LineExposer, connected, line_plugins

TYPES = ("streams", "protocols", "buffered")
"""Types whose connections belong to the host."""

ALL_TYPES = (*TYPES, "own-server")
CONNECTIONS, RELOADS = 64, 50


def lines(kind: str, word: str | None = None, **more: Any) -> dict[str, Any]:
    """Return an exposer with an operation `get`, which returns a word, or the response of the fake API."""
    value = {"outputParameters": [{"type": "string", "value": word}]} if word else {"call": "api.get"}
    place = {} if "unixSocket" in more else {"port": 0}
    return {"type": kind, "namespace": "wire", **place, "operations": [{"name": "get", **value}], **more}


def host(*documents: Any, noted: Recorder | None = None, **settings: Any) -> Host:
    plugins = line_plugins(**({"noted": noted} if noted else {}))
    return Host(*documents, plugins=plugins, settings=Settings(**{"environment": {}, **settings}))


def url(served: Host, namespace: str = "wire") -> str:
    return Running(served).url(namespace)


@pytest.mark.parametrize("kind", TYPES)
async def test_kept_connections_during_reloads(kind: str) -> None:
    """Each of sixty-four connections stays open and sends requests during fifty reloads."""
    async with host(document(lines(kind, "0"))) as served:
        reloaded = asyncio.Event()

        async def keep_asking() -> list[str]:
            responses = []
            async with connected(url(served)) as client:
                while not reloaded.is_set():
                    responses.append(await client.ask())
                return [*responses, await client.ask()]

        asking = [asyncio.create_task(keep_asking()) for _ in range(CONNECTIONS)]
        for number in range(1, RELOADS + 1):
            await served.reload(document(lines(kind, str(number))))
        reloaded.set()
        for responses in await asyncio.gather(*asking):
            assert [int(response) for response in responses] == sorted(int(response) for response in responses)
            assert responses[-1] == str(RELOADS)


@pytest.mark.parametrize("kind", ALL_TYPES)
async def test_new_connections_during_reloads(kind: str) -> None:
    """Each request has a connection of its own, and none is refused."""
    async with host(document(lines(kind, "0"))) as served:
        reloaded = asyncio.Event()
        place = url(served)

        async def keep_connecting() -> list[str]:
            responses = []
            while not reloaded.is_set():
                async with connected(place) as client:
                    responses.append(await client.ask())
            return responses

        asking = [asyncio.create_task(keep_connecting()) for _ in range(16)]
        for number in range(1, RELOADS + 1):
            await served.reload(document(lines(kind, str(number))))
        reloaded.set()
        responses = [response for batch in await asyncio.gather(*asking) for response in batch]
        assert {int(response) for response in responses} <= set(range(RELOADS + 1))
        assert len(responses) > 16
        async with connected(place) as client:
            assert await client.ask() == str(RELOADS)


@pytest.mark.parametrize("kind", ALL_TYPES)
async def test_call_in_flight_completes_in_its_generation(kind: str) -> None:
    async with host(document(lines(kind))) as served:
        hold = Running(served).fake("api").hold("get")
        async with connected(url(served)) as client:
            asking = asyncio.create_task(client.ask())
            await hold.entered.wait()
            await served.reload(document(lines(kind, "new")))
            async with connected(url(served)) as other:
                assert await other.ask() == "new"
            hold.release.set()
            assert await asking == {}


@pytest.mark.parametrize("kind", ALL_TYPES)
async def test_drain_completes_calls_in_flight(kind: str) -> None:
    served = host(document(lines(kind)))
    async with served, connected(url(served)) as client:
        hold = Running(served).fake("api").hold("get")
        asking = asyncio.create_task(client.ask())
        await hold.entered.wait()
        draining = asyncio.create_task(served.drain())
        while not served.draining:  # noqa: ASYNC110
            await asyncio.sleep(0)
        with pytest.raises(ConnectionError):
            async with connected(url(served)):
                pass
        hold.release.set()
        assert await asking == {}
        await draining


@pytest.mark.parametrize("kind", ALL_TYPES)
async def test_unix_socket(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "wire.sock"
    async with host(document(lines(kind, "one", unixSocket=str(path)))) as served:
        assert url(served) == f"unix://{path}"
        async with connected(url(served)) as client:
            assert await client.ask() == "one"
            await served.reload(document(lines(kind, "two", unixSocket=str(path))))
            if kind in TYPES:
                assert await client.ask() == "two"
        async with connected(url(served)) as client:
            assert await client.ask() == "two"
    assert not path.exists()


async def test_taken_port_keeps_the_old_exposer(tmp_path: Path) -> None:
    file = tmp_path / "wire.yaml"
    text = "naftiko: 1.0.0-alpha2\ncapability:\n  exposes:\n  - type: streams\n    namespace: wire\n    port: {}\n"
    file.write_text(text.format(0))
    async with host(file) as served, connected(url(served)) as client:
        place = url(served)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            file.write_text(text.format(port))
            expected = f"{file}:6:11: cannot listen on 127.0.0.1:{port}: address already in use; choose another port"
            with pytest.raises(StartError, match=re.escape(expected)):
                await served.reload()
        assert url(served) == place
        assert served.status()[0].serving
        client.writer.write(b"\n")
        async with connected(place):
            pass


async def test_failed_start_keeps_the_old_exposer(recorder: Recorder) -> None:
    async with host(document(lines("streams", "old")), noted=recorder) as served, connected(url(served)) as client:
        recorder.fails = {"start consumer api"}
        consumes = [{"type": "noted", "namespace": "api"}]
        with pytest.raises(OSError, match="start consumer api failed"):
            await served.reload(document(lines("streams", "new"), consumes=consumes))
        assert await client.ask() == "old"
        async with connected(url(served)) as other:
            assert await other.ask() == "old"


async def test_failed_start_completes_calls_of_an_own_server() -> None:
    """A server that accepts before the reload fails completes the calls that it has accepted."""
    async with host(document(lines("own-server", "old"))) as served:
        place = url(served)
        new = document(lines("own-server", "new"), lines("forgetful", "new", namespace="later"))
        for _ in range(10):
            with pytest.raises(StartError, match="'later' does not serve its socket"):
                await served.reload(new)
            async with connected(place) as client:
                assert await client.ask() == "old"


@pytest.mark.parametrize("kind", ["exclusive-streams", "exclusive-own-server"])
async def test_exclusive_exposer_continues_after_a_failed_reload(kind: str) -> None:
    async with host(document(lines(kind, "old"))) as served, connected(url(served)) as client:
        assert await client.ask() == "old"
        for _ in range(2):
            with pytest.raises(StartError, match="'later' does not serve its socket"):
                await served.reload(document(lines(kind, "new"), lines("forgetful", "new", namespace="later")))
            async with connected(url(served)) as other:
                assert await other.ask() == "old"
        if kind == "exclusive-streams":
            assert await client.ask() == "old"
        await served.reload(document(lines(kind, "new")))
        async with connected(url(served)) as other:
            assert await other.ask() == "new"


@pytest.mark.parametrize("kind", ALL_TYPES)
async def test_removed_exposer(kind: str) -> None:
    """Its connections are closed after their calls, and new ones are refused."""
    async with host(document(lines(kind), plain())) as served:
        place = url(served)
        hold = Running(served).fake("api").hold("get")
        async with connected(place) as client, connected(place) as idle:
            assert await idle.ask("unknown") is None
            asking = asyncio.create_task(client.ask())
            await hold.entered.wait()
            await served.reload(document(plain()))
            with pytest.raises(ConnectionError):
                async with connected(place):
                    pass
            hold.release.set()
            assert await asking == {}
            assert await idle.reader.read() == b""
            assert await client.reader.read() == b""
        await served._replaced.wait()
        assert [status.namespace for status in served.status()] == ["front"]


async def test_reload_adds_and_removes_exposers() -> None:
    async with host(document(plain())) as served:
        await served.reload(document(lines("streams", "a"), lines("buffered", "b", namespace="other")))
        for namespace, word in (("wire", "a"), ("other", "b")):
            async with connected(url(served, namespace)) as client:
                assert await client.ask() == word
        before = url(served)
        await served.reload(document(plain(), lines("streams", "c")))
        assert url(served) == before
        async with ClientSession() as session, session.post(f"{url(served, 'front')}/get") as response:
            assert response.status == 200


async def test_reload_adds_the_first_http_exposer() -> None:
    async with host(document(lines("streams", "old"))) as served:
        await served.reload(document(lines("streams", "new"), plain()))
        async with ClientSession() as session, session.post(f"{url(served, 'front')}/get") as response:
            assert response.status == 200


@pytest.mark.parametrize("after", ALL_TYPES)
@pytest.mark.parametrize("before", ALL_TYPES)
async def test_other_type_on_the_same_port(before: str, after: str) -> None:
    """The connections of the old type are closed, as no exposer of the new document understands them."""
    async with host(document(lines(before, "old"))) as served:
        place = url(served)
        async with connected(place) as client:
            assert await client.ask() == "old"
            await served.reload(document(lines(after, "new")))
            assert url(served) == place
            async with connected(place) as other:
                assert await other.ask() == "new"
            if before != after:
                assert await client.reader.read() == b""


@pytest.mark.parametrize("kind", ALL_TYPES)
async def test_port_moves_between_http_and_a_socket(kind: str) -> None:
    front = plain({"name": "get", "outputParameters": [{"type": "string", "value": "http"}]}, namespace="wire")
    async with host(document(lines(kind, "lines"))) as served:
        port = urlsplit(url(served)).port
        for _ in range(3):
            await served.reload(document(front))
            assert url(served) == f"http://127.0.0.1:{port}"
            async with ClientSession() as session, session.post(f"{url(served)}/get") as response:
                assert await response.json() == "http"
            await served.reload(document(lines(kind, "lines")))
            assert urlsplit(url(served)).port == port
            async with connected(url(served)) as client:
                assert await client.ask() == "lines"


@pytest.mark.parametrize("address", ["localhost", "0.0.0.0"])
@pytest.mark.parametrize("is_first", [True, False])
async def test_http_exposer_and_socket_on_one_port(address: str, is_first: bool) -> None:
    exposed = [lines("streams", "a", port=7), plain(port=7, address=address)]
    with pytest.raises(ProblemsError, match=r"cannot listen on .*; choose another port"):
        async with host(document(*(exposed if is_first else reversed(exposed)))):
            pass
    async with host(document(plain())) as served:
        with pytest.raises(ProblemsError, match="choose another port"):
            await served.reload(document(*exposed))
        assert [problem.code for problem in served.check() if not problem.warning] == []


async def test_exposers_of_one_name_on_free_ports() -> None:
    """Documents as data have one name, and each exposer has a port of its own."""
    words = ("a", "b", "c")
    documents = [
        document(lines(kind, word)) for kind, word in zip(("streams", "streams", "own-server"), words, strict=True)
    ]
    async with host(document(plain(namespace="wire")), *documents) as served:
        for _ in range(2):
            urls = [status.url for status in served.status()]
            assert len(set(urls)) == 4
            for place, word in zip(urls[1:], words, strict=True):
                async with connected(place) as client:
                    assert await client.ask() == word
            await served.reload()
            assert [status.url for status in served.status()] == urls


async def test_renamed_exposer_keeps_connections() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with (
        host(document(lines("streams", "old", port=port))) as served,
        connected(f"lines://127.0.0.1:{port}") as client,
    ):
        assert await client.ask() == "old"
        await served.reload(document(lines("streams", "new", port=port, namespace="renamed")))
        assert await client.ask() == "new"


@pytest.mark.parametrize("kind", ALL_TYPES)
async def test_restart(kind: str) -> None:
    served = host(document(lines(kind, "hello")))
    for _ in range(2):
        async with served, connected(url(served)) as client:
            assert await client.ask() == "hello"
            assert served.status()[0].serving
        assert served.status()[0].url is None
        assert served.status()[0].exposer.failure is not None


async def test_settings_replace_address_and_port() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.2", 0))
        port = probe.getsockname()[1]
    exposed = lines("streams", "hello", port=1, address="192.0.2.1")
    async with host(document(exposed), address="127.0.0.2", ports={"wire": port}) as served:
        assert url(served) == f"lines://127.0.0.2:{port}"
        async with connected(url(served)) as client:
            assert await client.ask() == "hello"


@pytest.mark.parametrize("place", [{"port": 7}, {"unixSocket": "/run/wire.sock"}], ids=["port", "path"])
async def test_two_exposers_at_one_place(place: dict[str, Any]) -> None:
    kind = next(iter(place)).removesuffix("Socket").replace("unix", "path")
    exposed = [lines("streams", "a", **place), lines("protocols", "b", **{"namespace": "b", **place})]
    with pytest.raises(ProblemsError, match=f"'wire' listens on .*; choose another {kind}"):
        async with host(document(*exposed)):
            pass


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"port": None}, "'port' is missing; set it, or 'unixSocket' in its place"),
        ({"port": None, "prot": 1}, r"'port' is missing \(given 'prot'; did you mean 'port'\?\)"),
        ({"port": None, "unixSoket": "a"}, r"'port' is missing \(given 'unixSoket'; did you mean 'unixSocket'\?\)"),
        ({"port": 65_536}, "'port' must be at most 65535"),
        ({"unixSocket": "a.sock", "port": 1}, "'unixSocket' replaces 'address' and 'port'"),
        ({"unixSocket": "a.sock", "address": "::1"}, "'unixSocket' replaces 'address' and 'port'"),
    ],
)
def test_invalid_places(keys: dict[str, Any], message: str) -> None:
    exposed = {**lines("streams", "a"), **keys}
    if exposed["port"] is None or ("address" in keys):
        del exposed["port"]
    with pytest.raises(ProblemsError, match=message):
        host(document(exposed))


async def test_unix_socket_beside_the_document(tmp_path: Path) -> None:
    file = tmp_path / "wire.yaml"
    file.write_text(
        "naftiko: 1.0.0-alpha2\ncapability:\n  exposes:\n  - type: streams\n    namespace: wire\n"
        "    unixSocket: ./wire.sock\n"
    )
    async with host(file) as served:
        assert url(served) == f"unix://{tmp_path}/wire.sock"


async def test_unix_socket_of_a_killed_process_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "wire.sock"
    with socket.socket(socket.AF_UNIX) as abandoned:
        abandoned.bind(str(path))
    async with (
        host(document(lines("streams", "hello", unixSocket=str(path)))) as served,
        connected(url(served)) as client,
    ):
        assert await client.ask() == "hello"
    assert not path.exists()


async def test_unix_socket_in_use(tmp_path: Path) -> None:
    path = tmp_path / "wire.sock"
    exposed = document(lines("streams", "one", unixSocket=str(path)))
    async with host(exposed) as served:
        with pytest.raises(StartError, match=r"unixSocket: cannot listen on .*wire\.sock: address already in use"):
            await host(exposed).start()
        async with connected(url(served)) as client:
            assert await client.ask() == "one"


async def test_file_at_the_path_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "wire.sock"
    path.write_text("mine")
    with pytest.raises(StartError, match="address already in use; choose another path"):
        await host(document(lines("streams", "one", unixSocket=str(path)))).start()
    assert path.read_text() == "mine"


async def test_path_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="path too long"):
        await host(document(lines("streams", "one", unixSocket=str(tmp_path / ("a" * 200))))).start()


@pytest.mark.parametrize("kind", TYPES)
async def test_requests_of_connections_that_wait_for_the_host_are_served_at_the_stop(kind: str) -> None:
    served = host(document(lines(kind, "hello")))
    await served.start()
    place = urlsplit(url(served))
    clients = [socket.create_connection((place.hostname or "", place.port or 0)) for _ in range(20)]
    for client in clients:
        client.sendall(b"get\n")
    await served.stop()
    responses = []
    for client in clients:
        with client:
            client.settimeout(20)
            responses.append(client.recv(100))
    assert responses == [b'"hello"\n'] * len(clients)


async def test_socket_is_declared_and_served_once() -> None:
    served = host(document(lines("streams", "hello")))
    exposer = served.status()[0].exposer
    assert isinstance(exposer, LineExposer)
    with pytest.raises(RuntimeError, match="call 'listen' once"):
        exposer.context.listen(exposer)
    for use in (lambda: exposer.socket.exposer, exposer.socket.duplicate, exposer.socket.request().__enter__):
        with pytest.raises(RuntimeError, match="use it from 'start' on"):
            use()
    async with served:
        assert exposer.socket.exposer is exposer
        with pytest.raises(RuntimeError, match="once"):
            exposer.socket.duplicate()


async def test_http_exposer_declares_no_socket() -> None:
    class Listening(PlainExposer):
        def __init__(self, config: PlainConfig, operations: Operations, context: BuildContext) -> None:
            super().__init__(config, operations, context)
            LineExposer(LineConfig(type=config.type, namespace=config.namespace, port=0), operations, context)

    registering = hookimpl(lambda register: register("both", Listening))
    plugins = line_plugins(both=SimpleNamespace(register_exposers=registering))
    served = Host(document({**plain(), "type": "both"}), plugins=plugins)
    with pytest.raises(PluginError, match=r"'front' \(both\) is an HTTP exposer.* must not call 'listen'"):
        await served.start()
