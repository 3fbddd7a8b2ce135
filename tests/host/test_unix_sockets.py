"""HTTP exposers on Unix sockets, and exposers on sockets that another process has bound."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientConnectionError, ClientSession, TCPConnector, UnixConnector

from adapter_host import Host, Plugins, ProblemsError, Settings, StartError, TlsFiles
from adapter_host.testing import FakePlugin, Running
from tests.support.adapters import PlainPlugin, document
from tests.support.certificates import client_context, server_files
from tests.support.lines import LinesPlugin, connected

OPERATIONS = {"operations": [{"name": "get", "outputParameters": [{"type": "string", "value": "ok"}]}]}


def exposer(namespace: str, kind: str = "plain") -> dict[str, Any]:
    return {"type": kind, "namespace": namespace, "port": 0, **OPERATIONS}


def host(*exposers: dict[str, Any], tls: TlsFiles | None = None, **settings: Any) -> Host:
    plugins = Plugins({"fake": FakePlugin(), "plain": PlainPlugin(), "lines": LinesPlugin()})
    return Host(document(*exposers), plugins=plugins, settings=Settings(tls=tls, environment={}, **settings))


def urls(served: Host) -> dict[str, str | None]:
    return {status.namespace: status.url for status in served.status()}


@asynccontextmanager
async def client_of(path: Path) -> Any:
    async with ClientSession(connector=UnixConnector(str(path))) as client:
        yield client


async def call(client: ClientSession, url: str) -> Any:
    async with client.post(url, json={}) as response:
        return await response.json(content_type=None) if response.status == 200 else response.status


async def test_exposers_share_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with host(exposer("a"), exposer("b"), unix_sockets={"": str(path)}) as served:
        assert urls(served) == {"a": f"http://unix:{path}:/a/", "b": f"http://unix:{path}:/b/"}
        async with client_of(path) as client:
            assert [await call(client, f"http://localhost/{name}/get") for name in "ab"] == ["ok", "ok"]
            # The connection is kept by a reload, and a name in Host is allowed.
            await served.reload(document(exposer("a")))
            assert await call(client, "http://shop.example.com/get") == "ok"
    assert not path.exists()


async def test_one_exposer_on_a_unix_socket(tmp_path: Path) -> None:
    async with host(exposer("a"), exposer("b"), unix_sockets={"b": str(tmp_path / "s")}) as served:
        assert (urls(served)["a"] or "").startswith("http://127.0.0.1:")
        async with client_of(tmp_path / "s") as client:
            assert await call(client, "http://localhost/get") == "ok"


async def test_unix_socket_of_an_exposer_without_http(tmp_path: Path) -> None:
    async with (
        host(exposer("wire", "streams"), unix_sockets={"wire": str(tmp_path / "s")}),
        connected(f"unix://{tmp_path / 's'}") as client,
    ):
        assert await client.ask() == "ok"


async def test_unix_socket_in_use(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"unix_sockets": {"": str(tmp_path / "s")}}
    async with host(exposer("a"), **settings):
        with pytest.raises(StartError, match="address already in use; choose another path"):
            await host(exposer("b"), **settings).start()
        assert (tmp_path / "s").exists()


async def test_unix_socket_of_a_killed_process_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as abandoned:
        abandoned.bind(str(tmp_path / "s"))
        abandoned.listen()
    async with host(exposer("a"), unix_sockets={"": str(tmp_path / "s")}), client_of(tmp_path / "s") as client:
        assert await call(client, "http://localhost/get") == "ok"


async def test_a_unix_socket_has_no_tls(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"tls": server_files(tmp_path), "unix_sockets": {"a": str(tmp_path / "s")}}
    async with host(exposer("a"), exposer("b"), **settings) as served, client_of(tmp_path / "s") as client:
        assert await call(client, "http://localhost/get") == "ok"
        assert (urls(served)["b"] or "").startswith("https://")


@pytest.fixture
def bound() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.mark.parametrize("tls", [False, True])
async def test_inherited_socket(tls: bool, bound: socket.socket, tmp_path: Path) -> None:
    """The socket listens while no host serves it, and two hosts one after the other serve its clients."""
    port = bound.getsockname()[1]
    files = server_files(tmp_path) if tls else None
    address = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    async with ClientSession(connector=TCPConnector(ssl=client_context())) as client:
        for _ in range(2):
            waiting = asyncio.create_task(call(client, f"{address}/get"))
            async with host(exposer("a"), tls=files, sockets={"": bound}) as served:
                assert urls(served) == {"a": address}
                assert await waiting == "ok"
                await served.reload(document(exposer("a")))
                assert await call(client, f"{address}/get") == "ok"


async def test_inherited_socket_of_one_exposer(bound: socket.socket) -> None:
    port = bound.getsockname()[1]
    async with host(exposer("wire", "streams"), exposer("a"), sockets={"wire": bound}) as served:
        assert urls(served)["wire"] == f"lines://127.0.0.1:{port}"
        async with connected(Running(served).url("wire")) as client:
            assert await client.ask() == "ok"


async def test_file_of_an_inherited_unix_socket_stays(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        async with host(exposer("a"), sockets={"": listening}), client_of(tmp_path / "s") as client:
            assert await call(client, "http://localhost/get") == "ok"
        assert (tmp_path / "s").exists()


@pytest.mark.parametrize("place", ["unix_sockets", "sockets"])
async def test_control_ports_are_not_on_the_shared_socket(place: str, bound: socket.socket, tmp_path: Path) -> None:
    control = {"type": "control", "namespace": "control", "port": 0}
    shared: dict[str, Any] = {place: {"": str(tmp_path / "s") if place == "unix_sockets" else bound}}
    settings = Settings(environment={}, ports={"a": 0}, **shared)
    rest = {"type": "rest", "namespace": "a", "port": 0, "resources": []}
    rest["resources"] = [{"path": "/a", "operations": [{"method": "GET", "outputParameters": [{"value": "x"}]}]}]
    async with Host(document(control, rest, consumes=[]), settings=settings) as served, ClientSession() as client:
        address = urls(served)["control"] or ""
        assert address.startswith("http://127.0.0.1:")
        assert address != f"http://127.0.0.1:{bound.getsockname()[1]}"
        async with client.get(f"{address}/health/live") as response:
            assert response.status == 200


def test_open_control_port_on_an_inherited_socket() -> None:
    control = {"type": "control", "namespace": "control", "port": 0, "management": {"reload": True}}
    with socket.create_server(("", 0)) as everywhere:
        settings = Settings(environment={}, sockets={"control": everywhere})
        with pytest.raises(ProblemsError, match="anyone who can reach 0\\.0\\.0\\.0 can use"):
            Host(document(control, consumes=[]), settings=settings)


async def test_clients_of_a_stopped_host_are_refused(tmp_path: Path) -> None:
    async with host(exposer("a"), unix_sockets={"": str(tmp_path / "s")}):
        pass
    async with client_of(tmp_path / "s") as client:
        with pytest.raises(ClientConnectionError):
            await call(client, "http://localhost/get")
