"""Tests of sockets that exposers declare: kept across reloads, with their connections, without a failed request."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from adapter_host import Host, ProblemsError, Settings, StartError
from adapter_host.testing import Running
from tests.support.adapters import document, plain
from tests.support.lines import connected, line_plugins

TYPES = ("streams", "protocols", "buffered")
"""Types whose connections belong to the host."""

ALL_TYPES = (*TYPES, "own-server")
CONNECTIONS, RELOADS = 64, 50


def lines(kind: str, word: str | None = None, **more: Any) -> dict[str, Any]:
    """Return an exposer with an operation `get`, which returns a word, or the response of the fake API."""
    value = {"outputParameters": [{"type": "string", "value": word}]} if word else {"call": "api.get"}
    place = {} if "unixSocket" in more else {"port": 0}
    return {"type": kind, "namespace": "wire", **place, "operations": [{"name": "get", **value}], **more}


def host(*documents: Any, **settings: Any) -> Host:
    return Host(*documents, plugins=line_plugins(), settings=Settings(**{"environment": {}, **settings}))


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


async def test_taken_port_keeps_the_old_exposer() -> None:
    async with host(document(lines("streams", "old"))) as served:
        place = url(served)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(
                StartError, match=rf"port: cannot listen on 127\.0\.0\.1:{port}: address already in use"
            ):
                await served.reload(document(lines("streams", "new", port=port)))
        async with connected(place) as client:
            assert await client.ask() == "old"


async def test_reload_adds_the_first_http_exposer() -> None:
    import aiohttp

    async with host(document(lines("streams", "old"))) as served:
        await served.reload(document(lines("streams", "new"), plain()))
        async with aiohttp.ClientSession() as session, session.post(f"{url(served, 'front')}/get") as response:
            assert response.status == 200


async def test_two_exposers_on_one_port() -> None:
    with pytest.raises(ProblemsError, match="choose another port"):
        async with host(document(lines("streams", "a", port=7), lines("protocols", "b", namespace="b", port=7))):
            pass
