"""Certificates and TLS, for every transport."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
import trustme

from adapter_host import UpstreamUnreachableError
from adapter_host_http.transport.base import ConnectError, DisconnectedError, IncompleteResponseError
from adapter_host_http.transport.origins import origin_of

from .conftest import OK, Peer, always_respond, let_loop_run


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Return a certificate authority that clients do not trust by default."""
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add the authority to `SSL_CERT_FILE`."""
    file = tmp_path / "authorities.pem"
    authority.cert_pem.write_to_path(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


class TlsServer:
    """The TLS settings of a server, and the values that clients sent."""

    def __init__(self, authority: trustme.CA, *names: str, protocols: tuple[str, ...] = ("http/1.1",)) -> None:
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.set_alpn_protocols(list(protocols))
        self.context.sni_callback = lambda _, name, __: self.names.append(name)
        self.names: list[str | None] = []
        self.protocols: list[str | None] = []
        authority.issue_cert(*names).configure_cert(self.context)

    async def __call__(self, peer: Peer) -> None:
        self.protocols.append(peer.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await always_respond(OK)(peer)


def context_of(server: Any, host: str) -> ssl.SSLContext:
    """Return the TLS context of a client that trusts this server."""
    context = origin_of(f"https://{server.authority(host)}").ssl_context
    assert context is not None
    return context


@pytest.mark.usefixtures("trusted")
async def test_trusted_certificate(authority: trustme.CA, serve: Any, connect: Any) -> None:
    tls_server = TlsServer(authority, "localhost", protocols=("h2", "http/1.1"))
    server = await serve(tls_server, context=tls_server.context)
    client = await connect(server, host="localhost", context=context_of(server, "localhost"))
    for _ in range(3):
        assert await client.body("POST", body=b"x" * 100_000) == b"ok"
    assert (tls_server.names, tls_server.protocols) == (["localhost"], ["http/1.1"])
    assert server.connections == 1


@pytest.mark.usefixtures("trusted")
async def test_certificate_for_an_address(authority: trustme.CA, serve: Any, connect: Any) -> None:
    tls_server = TlsServer(authority, "127.0.0.1")
    server = await serve(tls_server, context=tls_server.context)
    client = await connect(server, context=context_of(server, "127.0.0.1"))
    assert await client.body() == b"ok"


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("names", [("another.example",), ("127.0.0.2",), ("*.localhost",)])
async def test_certificate_for_another_name(
    names: tuple[str, ...], authority: trustme.CA, serve: Any, connect: Any
) -> None:
    tls_server = TlsServer(authority, *names)
    server = await serve(tls_server, context=tls_server.context)
    client = await connect(server, host="localhost", context=context_of(server, "localhost"))
    with pytest.raises(ConnectError):
        await client.send()
    assert server.requests == []


@pytest.mark.usefixtures("trusted")
async def test_common_name_is_not_a_host_name(authority: trustme.CA, serve: Any, connect: Any) -> None:
    tls_server = TlsServer(authority, "localhost")
    tls_server.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(common_name="localhost").configure_cert(tls_server.context)
    server = await serve(tls_server, context=tls_server.context)
    client = await connect(server, host="localhost", context=context_of(server, "localhost"))
    with pytest.raises(ConnectError, match=r"(?i)certificate"):
        await client.send()
    assert server.requests == []


async def test_untrusted_certificate(authority: trustme.CA, serve: Any, connect: Any) -> None:
    tls_server = TlsServer(authority, "localhost")
    server = await serve(tls_server, context=tls_server.context)
    client = await connect(server, host="localhost", context=context_of(server, "localhost"), max_connections=1)
    for _ in range(2):
        with pytest.raises(ConnectError, match=r"(?i)certificate"):
            await client.send()
    assert server.requests == []


@pytest.mark.usefixtures("trusted")
async def test_server_without_tls(serve: Any, connect: Any) -> None:
    async def handle(peer: Peer) -> None:
        await peer.reader.read(1)
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server = await serve(handle)
    client = await connect(server, host="localhost", context=context_of(server, "localhost"))
    with pytest.raises(ConnectError):
        await client.send()


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("response", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nte"])
async def test_tls_connection_that_breaks(response: bytes, authority: trustme.CA, serve: Any, connect: Any) -> None:
    tls_server = TlsServer(authority, "localhost")

    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(response)
        await let_loop_run(3)
        peer.writer.transport.abort()

    server = await serve(handle, context=tls_server.context)
    client = await connect(server, host="localhost", context=context_of(server, "localhost"))
    with pytest.raises(IncompleteResponseError if response else DisconnectedError):
        await client.send("POST")


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("buffer_limit", [0, 2**20])
@pytest.mark.parametrize("end", ["close_notify", "nothing"])
async def test_body_until_the_end_needs_a_close_notify(
    end: str, buffer_limit: int, authority: trustme.CA, serve: Any, connect: Any
) -> None:
    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\ntext")
        await let_loop_run(3)
        if end == "nothing":
            peer.writer.transport.abort()

    tls_server = TlsServer(authority, "localhost")
    server = await serve(handle, context=tls_server.context)
    client = await connect(server, host="localhost", context=context_of(server, "localhost"))

    async def body() -> bytes:
        response = await client.send("POST", buffer_limit=buffer_limit)
        return response.body or b"".join([chunk async for chunk in response.chunks()])

    if end == "close_notify":
        assert await body() == b"text"
    else:
        with pytest.raises(IncompleteResponseError):
            await body()


@pytest.mark.usefixtures("trusted")
async def test_close_does_not_wait_for_the_peer(authority: trustme.CA, serve: Any, connect: Any) -> None:
    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        # The peer never closes its side.
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await peer.reader.read(1)

    tls_server = TlsServer(authority, "localhost")
    server = await serve(handle, context=tls_server.context)
    client = await connect(server, host="localhost", context=context_of(server, "localhost"))
    assert await client.body() == b"ok"
    await client.transport.close()


@pytest.mark.usefixtures("trusted")
async def test_consumer_trusts_authorities_of_the_environment(
    authority: trustme.CA, name: str, serve: Any, start: Any
) -> None:
    tls_server = TlsServer(authority, "localhost")
    server = await serve(
        always_respond(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue"), context=tls_server.context
    )
    call = await start(baseUri=f"https://localhost:{server.port}/v1", **{"x-transport": name})
    assert await call() is True
    assert tls_server.names == ["localhost"]
    assert server.requests[0].startswith(b"GET /v1/things HTTP/1.1\r\n")


async def test_consumer_rejects_untrusted_certificates(
    authority: trustme.CA, name: str, serve: Any, start: Any
) -> None:
    tls_server = TlsServer(authority, "localhost")
    server = await serve(tls_server, context=tls_server.context)
    call = await start(baseUri=f"https://localhost:{server.port}", **{"x-transport": name})
    with pytest.raises(
        UpstreamUnreachableError, match=r"^the upstream 'api' cannot be reached; the request was not sent$"
    ):
        await call()
    assert server.requests == []
