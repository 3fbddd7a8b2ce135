"""TLS: whom to trust, and what is said; the same list for every transport."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
import trustme

from adapter_host import UpstreamUnreachableError
from adapter_host_http.transport.base import TransportError
from adapter_host_http.upstream import origin_of

from .conftest import OK, Peer, always, turns


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Somebody whom clients trust once they are told."""
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the environment trust the authority, as a person does who runs the host."""
    file = tmp_path / "authorities.pem"
    authority.cert_pem.write_to_path(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


class Shown:
    """A server's side of TLS, and what clients said."""

    def __init__(self, authority: trustme.CA, *names: str, protocols: tuple[str, ...] = ("http/1.1",)) -> None:
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.set_alpn_protocols(list(protocols))
        self.context.sni_callback = lambda _, name, __: self.names.append(name)
        self.names: list[str | None] = []
        self.protocols: list[str | None] = []
        authority.issue_cert(*names).configure_cert(self.context)

    async def __call__(self, peer: Peer) -> None:
        self.protocols.append(peer.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await always(OK)(peer)


def context_of(server: Any, host: str) -> ssl.SSLContext:
    """Return the TLS context of a client that trusts this server."""
    context = origin_of(f"https://{server.authority(host)}").ssl_context
    assert context is not None
    return context


@pytest.mark.usefixtures("trusted")
async def test_who_is_trusted(authority: trustme.CA, serve: Any, client: Any) -> None:
    shown = Shown(authority, "localhost", protocols=("h2", "http/1.1"))
    server = await serve(shown, context=shown.context)
    to = await client(server, host="localhost", context=context_of(server, "localhost"))
    for _ in range(3):
        assert await to.body("POST", body=b"x" * 100_000) == b"ok"
    assert (shown.names, shown.protocols) == (["localhost"], ["http/1.1"])
    assert server.connections == 1


@pytest.mark.usefixtures("trusted")
async def test_an_address_in_the_certificate(authority: trustme.CA, serve: Any, client: Any) -> None:
    shown = Shown(authority, "127.0.0.1")
    server = await serve(shown, context=shown.context)
    to = await client(server, context=context_of(server, "127.0.0.1"))
    assert await to.body() == b"ok"


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("names", [("another.example",), ("127.0.0.2",), ("*.localhost",)])
async def test_another_name_than_was_called(
    names: tuple[str, ...], authority: trustme.CA, serve: Any, client: Any
) -> None:
    shown = Shown(authority, *names)
    server = await serve(shown, context=shown.context)
    to = await client(server, host="localhost", context=context_of(server, "localhost"))
    with pytest.raises(TransportError):
        await to.send()
    assert server.requests == []


async def test_who_is_not_trusted(authority: trustme.CA, serve: Any, client: Any) -> None:
    shown = Shown(authority, "localhost")
    server = await serve(shown, context=shown.context)
    to = await client(server, host="localhost", context=context_of(server, "localhost"), connections=1)
    for _ in range(2):
        with pytest.raises(TransportError, match=r"(?i)certificate"):
            await to.send()
    assert server.requests == []


@pytest.mark.usefixtures("trusted")
async def test_who_speaks_no_tls(serve: Any, client: Any) -> None:
    async def handle(peer: Peer) -> None:
        await peer.reader.read(1)
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server = await serve(handle)
    to = await client(server, host="localhost", context=context_of(server, "localhost"))
    with pytest.raises(TransportError):
        await to.send()


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nte"])
async def test_a_connection_that_breaks(answer: bytes, authority: trustme.CA, serve: Any, client: Any) -> None:
    shown = Shown(authority, "localhost")

    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)
        await turns(3)
        peer.writer.transport.abort()

    server = await serve(handle, context=shown.context)
    to = await client(server, host="localhost", context=context_of(server, "localhost"))
    with pytest.raises(TransportError):
        await to.send("POST")


@pytest.mark.usefixtures("trusted")
async def test_nothing_is_kept_from_closing(authority: trustme.CA, serve: Any, client: Any) -> None:
    async def handle(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        # It never says goodbye in its turn.
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await peer.reader.read(1)

    shown = Shown(authority, "localhost")
    server = await serve(handle, context=shown.context)
    to = await client(server, host="localhost", context=context_of(server, "localhost"))
    assert await to.body() == b"ok"
    await to.transport.close()


@pytest.mark.usefixtures("trusted")
async def test_a_consumer_trusts_whom_the_environment_does(
    authority: trustme.CA, name: str, serve: Any, start: Any
) -> None:
    shown = Shown(authority, "localhost")
    server = await serve(always(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue"), context=shown.context)
    call = await start(baseUri=f"https://localhost:{server.port}/v1", **{"x-transport": name})
    assert await call() is True
    assert shown.names == ["localhost"]
    assert server.requests[0].startswith(b"GET /v1/things HTTP/1.1\r\n")


async def test_a_consumer_trusts_nobody_else(authority: trustme.CA, name: str, serve: Any, start: Any) -> None:
    shown = Shown(authority, "localhost")
    server = await serve(shown, context=shown.context)
    call = await start(baseUri=f"https://localhost:{server.port}", **{"x-transport": name})
    with pytest.raises(UpstreamUnreachableError, match=r"^the upstream 'api' cannot be reached$"):
        await call()
    assert server.requests == []
