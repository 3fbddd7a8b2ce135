"""TLS to one MCP server: its authorities, its name, and the certificate of the host as a client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from adapter_host import Host, ProblemsError, Settings, UpstreamDisconnectedError, UpstreamUnreachableError, discover
from tests.support.certificates import AUTHORITY, CLIENT_AUTHORITY, issue, write_authority

Serve = Callable[..., AbstractAsyncContextManager[Any]]


def document(tls: dict[str, str], **keys: Any) -> dict[str, Any]:
    entry = {"type": "mcp", "namespace": "api", "x-tls": tls, **keys}
    return {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [entry]}}


@pytest.fixture
def tls(tmp_path: Path) -> dict[str, str]:
    certificate, key = issue(tmp_path, "client", "robot@example.org", authority=CLIENT_AUTHORITY)
    files = {"certificate": str(certificate), "key": str(key), "ca": str(write_authority(tmp_path))}
    return {**files, "serverName": "station.internal"}


@pytest.fixture
def server_options(tmp_path: Path) -> dict[str, Any]:
    """Return the options of a server that requires certificates of clients."""
    server = tmp_path / "server.pem"
    AUTHORITY.issue_cert("station.internal").private_key_and_cert_chain_pem.write_to_path(server)
    return {"certificate": server, "client_ca": write_authority(tmp_path, CLIENT_AUTHORITY)}


async def logged(text: str, caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.timeout(10):
        while text not in caplog.text:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_calls(serve: Serve, tls: dict[str, str], server_options: dict[str, Any], caplog: Any) -> None:
    async with serve(**server_options) as station:
        url = station.url.replace("http://", "https://")
        source = document(tls, url=url)
        definitions = await discover(source, settings=Settings(environment={}))
        settings: dict[str, Any] = {"discovered": definitions, "environment": {}, "watch_interval": 0.01}
        async with Host(source, settings=Settings(**settings)) as host:
            assert (await host.call("api.say", {"text": "hello"})).data == "hello"
            caplog.set_level("INFO", "adapter_host")
            issue(Path(tls["certificate"]).parent, "client", "robot@example.org", authority=CLIENT_AUTHORITY)
            await logged("api: TLS files reloaded", caplog)
            assert (await host.call("api.say", {"text": "again"})).data == "again"


@pytest.mark.parametrize("key", ["serverName", "ca", "certificate"])
async def test_refused_handshakes(key: str, serve: Serve, tls: dict[str, str], server_options: dict[str, Any]) -> None:
    async with serve(**server_options) as station:
        del tls[key]
        if key == "certificate":
            del tls["key"]
        with pytest.raises(UpstreamDisconnectedError if key == "certificate" else UpstreamUnreachableError):
            await discover(
                document(tls, url=station.url.replace("http://", "https://")), settings=Settings(environment={})
            )


async def test_command_has_no_tls(tls: dict[str, str]) -> None:
    with pytest.raises(ProblemsError, match="'x-tls' needs a 'url'; a command has no TLS"):
        await discover(document(tls, command="true"), settings=Settings(environment={}))
