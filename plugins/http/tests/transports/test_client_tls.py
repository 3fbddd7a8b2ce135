"""The authorities, the client certificate and the server name of one consumed API, for every transport."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from adapter_host import UpstreamError, UpstreamUnreachableError
from tests.support.certificates import AUTHORITY, CLIENT_AUTHORITY, issue, write_authority

from .conftest import Peer, always_respond

TRUE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue"
CLOSED = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ntrue"


class SecureServer:
    """A server for one host name that requires certificates of clients: who called it, and by which name."""

    def __init__(self, *names: str) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        AUTHORITY.issue_cert(*names).configure_cert(self.context)
        CLIENT_AUTHORITY.configure_trust(self.context)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.sni_callback = lambda _, name, __: self.names.append(name)
        self.names: list[str | None] = []
        self.clients: list[int] = []
        self.hosts: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        certificate = peer.writer.get_extra_info("peercert")
        self.clients.append(int(certificate["serialNumber"], 16))
        request = await peer.request()
        self.hosts.append(next(line for line in request.split(b"\r\n") if line.lower().startswith(b"host:")))
        await peer.send(CLOSED)


def write_files(folder: Path, **options: Any) -> dict[str, str]:
    """Write the files of a client, and return its `x-tls`."""
    certificate, key = issue(folder, "client", "robot@example.org", authority=CLIENT_AUTHORITY, **options)
    return {"ca": str(write_authority(folder)), "certificate": str(certificate), "key": str(key)}


class AuthServer(SecureServer):
    """A server that issues tokens at `/token`, and requires no certificate."""

    async def __call__(self, peer: Peer) -> None:
        self.clients.append(int((peer.writer.get_extra_info("peercert") or {"serialNumber": "0"})["serialNumber"], 16))
        is_token = (await peer.request()).startswith(b"POST /token ")
        body = b'{"access_token": "t", "token_type": "bearer"}' if is_token else b"true"
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        await peer.send(head.encode() + body)


def append(file: str, other: str) -> None:
    Path(file).write_bytes(Path(file).read_bytes() + Path(other).read_bytes())


def write_text(file: str, text: str) -> None:
    Path(file).write_text(text)


@pytest.fixture
async def consume(name: str, serve: Any, start: Any) -> Callable[..., Any]:
    """Return a function that starts a server, and a consumer of it with `x-tls`."""

    async def consume(server: SecureServer, tls: dict[str, Any], host: str = "localhost", **keys: Any) -> Any:
        port = (await serve(server, context=server.context)).port
        return await start(baseUri=f"https://{host}:{port}", **{"x-tls": tls, "x-transport": name}, **keys)

    return consume


async def test_certificate_and_authorities(consume: Any, tmp_path: Path) -> None:
    server = SecureServer("localhost")
    call = await consume(server, write_files(tmp_path))
    assert await call() is True
    assert server.names == ["localhost"]
    assert len(server.clients) == 1


async def test_key_in_the_file_of_the_certificate(consume: Any, tmp_path: Path) -> None:
    tls = write_files(tmp_path)
    append(tls["certificate"], tls.pop("key"))
    call = await consume(SecureServer("localhost"), tls)
    assert await call() is True


async def test_name_of_the_server(consume: Any, tmp_path: Path) -> None:
    server = SecureServer("api.internal")
    call = await consume(server, {**write_files(tmp_path), "serverName": "api.internal"}, "127.0.0.1")
    assert await call() is True
    assert server.names == ["api.internal"]
    assert server.hosts[0].startswith(b"Host: 127.0.0.1:")


@pytest.mark.parametrize("names", [("localhost",), ("other.internal",)])
async def test_certificate_for_another_name(names: tuple[str, ...], consume: Any, tmp_path: Path) -> None:
    server = SecureServer(*names)
    call = await consume(server, {**write_files(tmp_path), "serverName": "api.internal"})
    with pytest.raises(UpstreamUnreachableError, match=r"cannot be reached; the request was not sent$"):
        await call()
    assert server.clients == []


async def test_authorities_replace_those_of_the_system(
    consume: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = write_files(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", tls["ca"])
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    with pytest.raises(UpstreamUnreachableError):
        await (await consume(SecureServer("localhost"), {**tls, "ca": str(other)}))()
    # Without `ca`, they are those of the system.
    del tls["ca"]
    assert await (await consume(SecureServer("localhost"), tls))() is True


async def test_server_that_misses_the_certificate(consume: Any, tmp_path: Path) -> None:
    server = SecureServer("localhost")
    call = await consume(server, {"ca": write_files(tmp_path)["ca"]})
    with pytest.raises(UpstreamError):
        await call()
    assert server.clients == []


async def test_renewed_files_are_used_for_new_connections(
    consume: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "adapter_host")
    server = SecureServer("localhost")
    tls = write_files(tmp_path)
    call = await consume(server, tls, settings={"watch_interval": 0.01})
    await call()
    write_text(tls["certificate"], "no certificate")
    await logged("api: TLS certificate .* the former files are used until they change again", caplog)
    await call()
    write_files(tmp_path)
    await logged("api: TLS files reloaded", caplog)
    await call()
    first, second, third = server.clients
    assert first == second != third


async def test_open_connections_continue(name: str, serve: Any, start: Any, tmp_path: Path, caplog: Any) -> None:
    caplog.set_level("INFO", "adapter_host")
    server = await serve(always_respond(TRUE), context=SecureServer("localhost").context)
    options = {"x-tls": write_files(tmp_path), "x-transport": name, "settings": {"watch_interval": 0.01}}
    call = await start({"outputRawFormat": "json"}, baseUri=f"https://localhost:{server.port}", **options)
    await call()
    write_files(tmp_path)
    await logged("api: TLS files reloaded", caplog)
    await call()
    # The native transport reuses its connection; that of aiohttp opens one with the new certificate.
    assert server.connections == (1 if name == "native" else 2)


async def logged(pattern: str, caplog: pytest.LogCaptureFixture) -> None:
    """Wait until the log has a line."""
    async with asyncio.timeout(10):
        while not re.search(pattern, caplog.text):  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("same_origin", [True, False])
async def test_only_the_api_gets_the_certificate(
    same_origin: bool, serve: Any, start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = write_files(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", tls["ca"])
    api, issuer = AuthServer("localhost"), AuthServer("localhost")
    for server in (api, issuer):
        server.context.verify_mode = ssl.CERT_OPTIONAL
    ports = [(await serve(server, context=server.context)).port for server in (api, issuer)]
    call = await start(
        baseUri=f"https://localhost:{ports[0]}",
        authentication={
            "type": "oauth2",
            "tokenEndpoint": f"https://localhost:{ports[0 if same_origin else 1]}/token",
            "x-client": {"id": "id", "secret": "secret"},
        },
        **{"x-tls": tls},
    )
    assert await call() is True
    assert [bool(serial) for serial in issuer.clients] == ([] if same_origin else [False])
    assert [bool(serial) for serial in api.clients] == ([True, True] if same_origin else [True])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cert": "x.pem"}, "unknown key 'cert'; correct or remove it"),
        ({"serverName": "api.internal:443"}, "'serverName' must be a host name or an address, without a port"),
        ({"serverName": ""}, "'serverName' must be a host name or an address, without a port"),
        ({"certificate": None}, "'key' needs a 'certificate'; set the file of the certificate, too"),
        ({"ca": "missing.pem"}, "TLS authorities '*missing.pem' cannot be read: no such file or directory; set a PEM"),
        ({"ca": "empty.pem"}, "TLS authorities '*empty.pem': no PEM certificate is in the file"),
        ({"key": "other.key"}, "TLS key '*other.key' does not belong to the certificate '*client.pem'; set the key"),
        ({"key": "encrypted.key"}, "TLS key '*encrypted.key' is encrypted; decrypt it, for example with openssl pkey"),
    ],
)
def test_problems(change: dict[str, Any], message: str, problems: Any, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    (tmp_path / "encrypted.key").write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    issue(tmp_path, "other")
    tls = write_files(tmp_path)
    for name, text in change.items():
        if text is None:
            del tls[name]
        else:
            tls[name] = str(tmp_path / text) if name in ("ca", "key") else text
    found = [each.message for each in problems(baseUri="https://localhost:1", **{"x-tls": tls})]
    assert len(found) == 1
    assert re.search(re.escape(message).replace(r"\*", ".*"), found[0])


@pytest.mark.parametrize("mock", [False, True])
async def test_missing_files_are_missing_secrets(mock: bool, start: Any, problems: Any, tmp_path: Path) -> None:
    tls = {"certificate": str(tmp_path / "client.pem"), "key": str(tmp_path / "client.key")}
    keys = {"baseUri": "https://localhost:1", "x-tls": tls}
    assert problems(**keys) == []
    if mock:
        assert await (await start(settings={"mock": True}, **keys))() is not None
    else:
        with pytest.raises(Exception, match=r"TLS certificate '.*client.pem' does not exist; set a PEM file"):
            await start(**keys)


def test_no_effect_without_tls(problems: Any, tmp_path: Path) -> None:
    (problem,) = problems(**{"x-tls": write_files(tmp_path)})
    assert problem.message.endswith("'x-tls' has no effect with an http:// URL; set an https:// 'baseUri'")
