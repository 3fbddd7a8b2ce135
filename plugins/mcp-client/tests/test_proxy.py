"""The proxy of one MCP server: real proxies over the loopback, in front of a real server."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from adapter_host import Host, ProblemsError, Settings, UpstreamUnreachableError, discover
from tests.support.certificates import AUTHORITY, write_authority
from tests.support.forward_proxy import forward_proxy

Serve = Callable[..., AbstractAsyncContextManager[Any]]

SECRETS = {"PASSWORD": "p%40ss"}


def document(proxy: str, **keys: Any) -> dict[str, Any]:
    entry = {"type": "mcp", "namespace": "api", "x-proxy": proxy, **keys}
    binds = [{"namespace": "env", "keys": {"PASSWORD": "PASSWORD"}}]
    return {"naftiko": "1.0.0-alpha2", "binds": binds, "capability": {"consumes": [entry]}}


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
async def test_calls_over_tls(scheme: str, serve: Serve, tmp_path: Path) -> None:
    certificate = tmp_path / "server.pem"
    AUTHORITY.issue_cert("station.internal").private_key_and_cert_chain_pem.write_to_path(certificate)
    tls = {"ca": str(write_authority(tmp_path)), "serverName": "station.internal"}
    async with forward_proxy(socks=scheme == "socks5h") as proxy, serve(certificate=certificate) as station:
        target = f"localhost:{station.url.split(':')[2].partition('/')[0]}"
        address = f"{scheme}://robot:{{{{env.PASSWORD}}}}@127.0.0.1:{proxy.port}"
        source = document(address, url=f"https://{target}/mcp", **{"x-tls": tls})
        definitions = await discover(source, settings=Settings(environment=SECRETS))
        async with Host(source, settings=Settings(discovered=definitions, environment=SECRETS)) as host:
            assert (await host.call("api.say", {"text": "hello"})).data == "hello"
        assert set(proxy.targets) == {target}
        assert set(proxy.credentials) == {"robot:p@ss" if scheme == "socks5h" else "Basic cm9ib3Q6cEBzcw=="}
        assert b"/mcp" not in proxy.passed


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
async def test_calls(scheme: str, serve: Serve) -> None:
    async with forward_proxy(socks=scheme == "socks5h") as proxy, serve() as station:
        url = station.url.replace("127.0.0.1", "localhost")
        source = document(f"{scheme}://127.0.0.1:{proxy.port}", url=url)
        definitions = await discover(source, settings=Settings(environment=SECRETS))
        async with Host(source, settings=Settings(discovered=definitions, environment=SECRETS)) as host:
            assert (await host.call("api.say", {"text": "hello"})).data == "hello"
        assert set(proxy.targets) == {url if scheme == "http" else url.split("/")[2]}


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_refusals_of_the_proxy(scheme: str) -> None:
    async with forward_proxy() as proxy:
        proxy.status = 407
        source = document(f"http://127.0.0.1:{proxy.port}", url=f"{scheme}://api.invalid:1/mcp")
        reason = rf"through the proxy 'http://127.0.0.1:{proxy.port}' \(the proxy responded with status 407\)"
        with pytest.raises(UpstreamUnreachableError, match=reason):
            await discover(source, settings=Settings(environment=SECRETS))


async def test_command_has_no_proxy() -> None:
    with pytest.raises(ProblemsError, match="'x-proxy' needs a 'url'; pass a proxy to a command by its 'environment'"):
        await discover(document("http://127.0.0.1:1", command="true"), settings=Settings(environment=SECRETS))
