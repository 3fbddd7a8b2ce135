"""TLS to one gRPC API: its authorities, its name, and the certificate of the host as a client."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from adapter_host import Host, Settings, UpstreamUnreachableError, discover
from tests.support.certificates import AUTHORITY, CLIENT_AUTHORITY, issue, write_authority

from .shop import serving


@pytest.fixture
def tls(tmp_path: Path) -> dict[str, str]:
    certificate, key = issue(tmp_path, "client", "robot@example.org", authority=CLIENT_AUTHORITY)
    files = {"certificate": str(certificate), "key": str(key), "ca": str(write_authority(tmp_path))}
    return {**files, "serverName": "shop.internal"}


def server_credentials() -> dict[str, Any]:
    """Return the credentials of a server that requires certificates of clients."""
    issued = AUTHORITY.issue_cert("shop.internal")
    chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
    return {
        "private_key_certificate_chain_pairs": [(issued.private_key_pem.bytes(), chain)],
        "root_certificates": CLIENT_AUTHORITY.cert_pem.bytes(),
        "require_client_auth": True,
    }


def document(url: str, tls: dict[str, str]) -> dict[str, Any]:
    consumed = {"type": "grpc", "namespace": "shop", "baseUri": url, "x-tls": tls}
    return {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [consumed]}}


async def test_calls(tls: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    async with serving(**server_credentials()) as shop:
        source = document(shop.url, tls)
        definitions = await discover(source, settings=Settings(environment={}))
        settings: dict[str, Any] = {"discovered": definitions, "environment": {}, "watch_interval": 0.01}
        async with Host(source, settings=Settings(**settings)) as host:
            first = (await host.call("shop.Shop.Echo", {"small": 0.5})).data
            caplog.set_level("INFO", "adapter_host")
            issue(Path(tls["certificate"]).parent, "client", "robot@example.org", authority=CLIENT_AUTHORITY)
            async with asyncio.timeout(10):
                while "shop: TLS files reloaded" not in caplog.text:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
            assert (await host.call("shop.Shop.Echo", {"small": 0.5})).data == first


@pytest.mark.parametrize("key", ["serverName", "ca", "certificate"])
async def test_refused_handshakes(key: str, tls: dict[str, str]) -> None:
    async with serving(**server_credentials()) as shop:
        del tls[key]
        if key == "certificate":
            del tls["key"]
        with pytest.raises(UpstreamUnreachableError):
            await discover(document(shop.url, tls), settings=Settings(environment={}))
