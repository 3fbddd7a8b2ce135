"""The proxy of one consumed API: real proxies over the loopback, in front of real servers."""

from __future__ import annotations

import logging
import ssl
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from adapter_host import UpstreamStatusError, UpstreamUnreachableError
from tests.support.certificates import AUTHORITY, CLIENT_AUTHORITY, write_authority
from tests.support.forward_proxy import forward_proxy

from .conftest import Peer, always_respond
from .test_client_tls import AuthServer, SecureServer, write_files

SECRETS = {"PASSWORD": "p%40ss", "TOKEN": "api-token"}
BEARER = {"type": "bearer", "token": "{{TOKEN}}"}
PAIR = b64encode(b"robot:p@ss").decode()


class PlainServer:
    """A server without TLS: the heads that it received."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        self.heads.append(await peer.request())
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ntrue")


def url_of(proxy: Any, scheme: str = "http", host: str = "localhost") -> str:
    return f"{scheme}://robot:{{{{PASSWORD}}}}@{host}:{proxy.port}"


async def test_absolute_form(serve: Any, start: Any) -> None:
    api = PlainServer()
    port = (await serve(api)).port
    async with forward_proxy() as proxy:
        keys = {"x-proxy": url_of(proxy), "authentication": BEARER, "secrets": SECRETS}
        # The environment does not exclude it.
        settings = {"environment": {**SECRETS, "no_proxy": "*"}}
        call = await start(baseUri=f"http://api.invalid:{port}/v1", settings=settings, **keys)
        assert await call() is True
        assert proxy.targets == [f"http://api.invalid:{port}/v1/things"]
        assert proxy.credentials == [f"Basic {PAIR}"]
    (head,) = api.heads
    assert b"proxy-authorization" not in head.lower()
    assert b"Authorization: Bearer api-token" in head


@pytest.mark.parametrize("transport", ["native", "aiohttp"])
@pytest.mark.parametrize("scheme", ["http", "https", "socks5h"])
async def test_tunnel_to_a_server_that_requires_a_certificate(
    scheme: str, transport: str, serve: Any, start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(write_authority(tmp_path)))
    context = None
    if scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        AUTHORITY.issue_cert("localhost").configure_cert(context)
        CLIENT_AUTHORITY.configure_trust(context)
        context.verify_mode = ssl.CERT_OPTIONAL
    api = SecureServer("api.internal")
    port = (await serve(api, context=api.context)).port
    async with forward_proxy(socks=scheme == "socks5h", context=context) as proxy:
        tls = {**write_files(tmp_path), "serverName": "api.internal"}
        keys = {"x-proxy": url_of(proxy, scheme), "x-tls": tls, "x-transport": transport}
        call = await start(baseUri=f"https://api.invalid:{port}", authentication=BEARER, secrets=SECRETS, **keys)
        assert await call() is True
        assert proxy.targets == [f"api.invalid:{port}"]
        assert proxy.credentials == ["robot:p@ss" if scheme == "socks5h" else f"Basic {PAIR}"]
        assert not any(proxy.certificates)
        # The proxy sees neither the credential of the API nor the request.
        assert b"api-token" not in b"".join(proxy.heads) + proxy.passed
        assert b"/things" not in b"".join(proxy.heads) + proxy.passed
    assert api.names == ["api.internal"]


async def test_socks_without_tls_or_credentials(serve: Any, start: Any) -> None:
    api = PlainServer()
    port = (await serve(api)).port
    async with forward_proxy(socks=True) as proxy:
        call = await start(baseUri=f"http://api.invalid:{port}", **{"x-proxy": f"socks5h://127.0.0.1:{proxy.port}"})
        assert await call() is True
        assert (proxy.targets, proxy.credentials) == ([f"api.invalid:{port}"], [])
    assert api.heads[0].startswith(b"GET /things HTTP/1.1\r\n")


@pytest.mark.parametrize("socks", [False, True])
async def test_tokens_are_requested_through_the_proxy(
    socks: bool, serve: Any, start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(write_authority(tmp_path)))
    server = AuthServer("api.invalid", "login.invalid")
    server.context.verify_mode = ssl.CERT_NONE
    port = (await serve(server, context=server.context)).port
    async with forward_proxy(socks=socks) as proxy:
        call = await start(
            baseUri=f"https://api.invalid:{port}",
            authentication={
                "type": "oauth2",
                "tokenEndpoint": f"https://login.invalid:{port}/token",
                "x-client": {"id": "id", "secret": "secret"},
            },
            **{"x-proxy": f"{'socks5h' if socks else 'http'}://127.0.0.1:{proxy.port}"},
        )
        assert await call() is True
        assert proxy.targets == [f"login.invalid:{port}", f"api.invalid:{port}"]


@pytest.mark.parametrize(
    ("scheme", "base", "reason"),
    [
        ("http", "http", " (the proxy responded with status 407)"),
        ("http", "https", " (the proxy responded with status 407)"),
        ("socks5h", "https", " (the proxy refused the connection with code 5)"),
    ],
)
async def test_refusals_of_the_proxy(
    scheme: str, base: str, reason: str, start: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with forward_proxy(socks=scheme == "socks5h") as proxy:
        proxy.status, proxy.refusal = 407, 5
        keys = {"x-proxy": url_of(proxy, scheme, "127.0.0.1"), "secrets": SECRETS}
        call = await start({"method": "POST"}, baseUri=f"{base}://api.invalid:1", **keys)
        caplog.set_level(logging.DEBUG)
        with pytest.raises(UpstreamUnreachableError) as caught:
            await call()
    through = f"through the proxy '{scheme}://127.0.0.1:{proxy.port}'"
    assert caught.value.message == f"the upstream 'api' cannot be reached {through}{reason}; the request was not sent"
    assert not caught.value.sent
    assert "p%40ss" not in caplog.text
    assert "p@ss" not in caplog.text


@pytest.mark.parametrize("scheme", ["http", "https", "socks5h"])
async def test_proxy_that_is_away(scheme: str, start: Any, unused_port: int) -> None:
    url = f"{scheme}://127.0.0.1:{unused_port}"
    call = await start(baseUri="https://api.invalid", **{"x-proxy": url})
    with pytest.raises(UpstreamUnreachableError, match=f"through the proxy '{url}'; the request was not sent$"):
        await call()


@pytest.fixture
async def unused_port() -> int:
    async with forward_proxy() as proxy:
        return proxy.port


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("ftp://proxy:1", "ftp://proxy:1"),
        ("robot:p@ss@proxy:3128", "proxy:3128"),
        ("socks5://proxy:1", "socks5://proxy:1"),
        ("http://", "http://"),
        ("http://robot:p@ss@proxy:99999", "http://proxy:99999"),
        ("http://proxy/path", "http://proxy/path"),
        ("http://ü:x@proxy", "http://proxy"),
    ],
)
def test_problems(url: str, label: str, problems: Any) -> None:
    (problem,) = problems(**{"x-proxy": url})
    assert f"the proxy '{label}' " in problem.message


@pytest.mark.parametrize("tunnel", [False, True])
async def test_status_407_of_the_api(
    tunnel: bool, serve: Any, start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only in a tunnel it is certain to be that of the API."""
    monkeypatch.setenv("SSL_CERT_FILE", str(write_authority(tmp_path)))
    server = SecureServer("api.invalid")
    server.context.verify_mode = ssl.CERT_NONE
    response = b"HTTP/1.1 407 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    port = (await serve(always_respond(response, close=True), context=server.context if tunnel else None)).port
    async with forward_proxy() as proxy:
        base = f"{'https' if tunnel else 'http'}://api.invalid:{port}"
        call = await start(baseUri=base, **{"x-proxy": f"http://127.0.0.1:{proxy.port}"})
        with pytest.raises(UpstreamStatusError if tunnel else UpstreamUnreachableError):
            await call()


def test_secrets_are_masked(problems: Any) -> None:
    (problem,) = problems(secrets={"PROXY": "ftp://robot:pass@proxy:1"}, **{"x-proxy": "{{PROXY}}"})
    assert "the proxy '{{PROXY}}' must be" in problem.message.replace("env.", "")
    assert "pass@" not in problem.message


async def test_mock_servers_are_called_directly(start: Any, unused_port: int) -> None:
    call = await start(settings={"mock": True}, **{"x-proxy": f"http://127.0.0.1:{unused_port}"})
    assert await call() is not None
