"""The proxy of one gRPC API: real proxies over the loopback, in front of a real server."""

from __future__ import annotations

from typing import Any

import pytest
from adapter_host import Host, Settings, UpstreamUnreachableError, discover
from tests.support.forward_proxy import forward_proxy

from .shop import serving
from .test_client_tls import server_credentials, tls

__all__ = ["tls"]

SECRETS = {"PASSWORD": "p%40ss"}


def document(url: str, proxy: str, **keys: Any) -> dict[str, Any]:
    consumed = {"type": "grpc", "namespace": "shop", "baseUri": url, "x-proxy": proxy, **keys}
    binds = [{"namespace": "env", "keys": {"PASSWORD": "PASSWORD"}}]
    return {"naftiko": "1.0.0-alpha2", "binds": binds, "capability": {"consumes": [consumed]}}


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
@pytest.mark.parametrize(
    ("host_name", "secure"), [("api.invalid", False), ("api.invalid", True), ("shop.internal", True)]
)
async def test_calls(
    scheme: str, host_name: str, secure: bool, tls: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The environment does not exclude the API.
    monkeypatch.setenv("no_proxy", "*")
    if host_name == "shop.internal":
        del tls["serverName"]
    keys = {"x-tls": tls} if secure else {}
    async with (
        forward_proxy(socks=scheme == "socks5h") as proxy,
        serving(**server_credentials() if secure else {}) as shop,
    ):
        target = f"{host_name}:{shop.url.rpartition(':')[2]}"
        url = f"{shop.url.partition('://')[0]}://{target}"
        source = document(url, f"{scheme}://robot:{{{{env.PASSWORD}}}}@127.0.0.1:{proxy.port}", **keys)
        definitions = await discover(source, settings=Settings(environment=SECRETS))
        async with Host(source, settings=Settings(discovered=definitions, environment=SECRETS)) as host:
            assert (await host.call("shop.Shop.Echo", {"small": 0.5})).data["small"] == 0.5
        assert set(proxy.targets) == {target}
        assert set(proxy.credentials) == {"robot:p@ss" if scheme == "socks5h" else "Basic cm9ib3Q6cEBzcw=="}


async def test_refusals_of_the_proxy() -> None:
    async with forward_proxy() as proxy:
        proxy.status = 407
        address = f"http://127.0.0.1:{proxy.port}"
        reason = (
            rf"cannot be reached through the proxy '{address}' \(the proxy responded with status 407\); the request"
        )
        with pytest.raises(UpstreamUnreachableError, match=reason):
            await discover(document("grpc://api.invalid:1", address), settings=Settings(environment=SECRETS))


async def test_proxy_that_is_away() -> None:
    async with forward_proxy() as proxy:
        address = f"socks5h://127.0.0.1:{proxy.port}"
    with pytest.raises(UpstreamUnreachableError, match=rf"through the proxy '{address}'"):
        await discover(document("grpc://api.invalid:1", address), settings=Settings(environment=SECRETS))
