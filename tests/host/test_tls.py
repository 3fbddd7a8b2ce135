"""TLS on the ports of exposers, with real clients: handshakes, their limits, renewed files, certificates of clients."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientConnectionError, ClientSession, TCPConnector
from trustme import CA, KeyType

from adapter_host import CallRecord, Host, RegisterExposer, Settings, StartError, TlsFiles, hookimpl
from adapter_host.testing import Running
from tests.support.adapters import PlainExposer, document
from tests.support.certificates import AUTHORITY, client_context, issue, server_files, write_authority
from tests.support.lines import LineClient, line_plugins

OPERATIONS = {"operations": [{"name": "get", "outputParameters": [{"type": "string", "value": "ok"}]}]}
LINES = {"type": "streams", "namespace": "wire", "port": 0, **OPERATIONS}
WEB = {"type": "plain", "namespace": "web", "port": 0, **OPERATIONS}
MONITOR = {"type": "monitor", "namespace": "monitor", "port": 0, **OPERATIONS}


class MonitorExposer(PlainExposer):
    """Monitors the host."""

    monitors_host = True


class MonitorPlugin:
    """The plugin of `type: monitor`."""

    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("monitor", MonitorExposer)


def host(tls: TlsFiles, *exposers: dict[str, Any], **settings: Any) -> Host:
    plugins = line_plugins(monitors=MonitorPlugin())
    return Host(
        document(*(exposers or (WEB,))), plugins=plugins, settings=Settings(tls=tls, environment={}, **settings)
    )


def url(served: Host, namespace: str = "web") -> str:
    return Running(served).url(namespace)


@asynccontextmanager
async def session(context: ssl.SSLContext | None = None) -> AsyncIterator[ClientSession]:
    async with ClientSession(connector=TCPConnector(ssl=context or client_context())) as client:
        yield client


@asynccontextmanager
async def raw(address: str, context: ssl.SSLContext | None) -> AsyncIterator[LineClient]:
    parts = urlsplit(address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=context)
    try:
        yield LineClient(reader, writer)
    finally:
        writer.transport.abort()


async def call(client: ClientSession, address: str) -> Any:
    async with client.post(f"{address}/get", json={}) as response:
        return await response.json()


def serial(writer: asyncio.StreamWriter) -> str:
    certificate = writer.get_extra_info("peercert")
    return str(certificate["serialNumber"])


async def wait_for(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_requests(tmp_path: Path) -> None:
    async with host(server_files(tmp_path)) as served, session() as client:
        assert url(served).startswith("https://127.0.0.1:")
        assert await call(client, url(served)) == "ok"
        context = client_context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        async with raw(url(served), context) as connection:
            secure = connection.writer.get_extra_info("ssl_object")
            assert (secure.version(), secure.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")


@pytest.mark.parametrize("kind", ["streams", "protocols", "buffered"])
async def test_sockets_of_exposers(kind: str, tmp_path: Path) -> None:
    async with host(server_files(tmp_path), {**LINES, "type": kind}) as served:
        assert url(served, "wire").startswith("liness://127.0.0.1:")
        async with raw(url(served, "wire"), client_context()) as client:
            assert [await client.ask() for _ in range(3)] == ["ok", "ok", "ok"]
            await served.reload(document({**LINES, "type": kind}))
            assert await client.ask() == "ok"


async def test_exposers_that_accept_connections_themselves_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="'wire' accepts connections itself, without TLS"):
        await host(server_files(tmp_path), {**LINES, "type": "own-server"}).start()


async def test_tls_1_1_is_refused(tmp_path: Path) -> None:
    context = client_context()
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with host(server_files(tmp_path)) as served:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            async with raw(url(served), context):
                pass


async def test_plain_http_gets_a_hint(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    records: list[CallRecord] = []
    async with (
        host(server_files(tmp_path), access_log=records.append) as served,
        ClientSession() as client,
        client.get(url(served).replace("https", "http")) as response,
    ):
        assert (response.status, await response.text()) == (400, "this port has TLS; use a URL with https://\n")
    assert [(each.status, each.error, each.site.exposer, each.client_address) for each in records] == [
        (400, "plain-http", "web", "127.0.0.1")
    ]
    assert "TLS handshake with 127.0.0.1 failed: it sent plain HTTP" in caplog.text


async def test_handshakes_are_limited_in_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with host(server_files(tmp_path), header_timeout=0.1) as served, raw(url(served), None) as silent:
        assert await silent.reader.read() == b""
    assert "1 connection was closed, no complete TLS handshake within the time limit" in caplog.text


async def test_connections_count_before_the_handshake(tmp_path: Path) -> None:
    async with (
        host(server_files(tmp_path), connection_limit_per_address=1) as served,
        raw(url(served), None) as silent,
    ):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            async with raw(url(served), client_context()):
                pass
        silent.writer.transport.abort()
        async with session() as client:
            await wait_until_called(client, url(served))


async def wait_until_called(client: ClientSession, address: str) -> None:
    """Call until the host has noticed that another connection is closed."""
    async with asyncio.timeout(10):
        while True:
            try:
                assert await call(client, address) == "ok"
            except ClientConnectionError:
                continue
            return


async def test_handshakes_make_room_for_others(tmp_path: Path) -> None:
    """At the limit of a port, the oldest handshake ends for a new connection."""
    async with host(server_files(tmp_path), connection_limit=1) as served, raw(url(served), None) as silent:
        async with session() as client:
            assert await call(client, url(served)) == "ok"
        assert await silent.reader.read() == b""


async def test_stop_ends_handshakes(tmp_path: Path) -> None:
    async with (
        host(server_files(tmp_path), LINES, WEB, drain_timeout=0) as served,
        raw(url(served), None) as silent,
        raw(url(served, "wire"), None) as other,
    ):
        await served.drain()
        await served.stop()
        assert (await silent.reader.read(), await other.reader.read()) == (b"", b"")


async def test_renewed_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """New connections get a new certificate, also one of another key type, and open connections continue."""
    async with host(server_files(tmp_path, key_type=KeyType.RSA), LINES) as served:
        address = url(served, "wire")
        async with raw(address, client_context()) as kept:
            for key_type in (KeyType.ECDSA, KeyType.RSA):
                former = await serial_of(address)
                issue(tmp_path, key_type=key_type)
                await wait_until_renewed(address, former)
            assert await kept.ask() == "ok"


async def serial_of(address: str) -> str:
    async with raw(address, client_context()) as client:
        return serial(client.writer)


async def wait_until_renewed(address: str, former: str) -> None:
    async with asyncio.timeout(10):
        while await serial_of(address) == former:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def replace_certificate(files: TlsFiles) -> None:
    certificate, _ = issue(Path(files.certificate).parent, "other")
    certificate.replace(files.certificate)


@pytest.mark.parametrize(
    "change",
    [
        replace_certificate,
        lambda files: Path(files.certificate).write_text("no certificate"),
        lambda files: Path(files.certificate).unlink(),
    ],
    ids=["mismatch", "text", "missing"],
)
async def test_broken_files_change_nothing(
    change: Callable[[TlsFiles], object], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = server_files(tmp_path)
    async with host(files, LINES) as served:
        address = url(served, "wire")
        former = await serial_of(address)
        change(files)
        await wait_for(lambda: "the former files are used until they change again" in caplog.text)
        assert await serial_of(address) == former
        # A reload of the documents does not depend on the files.
        await served.reload(document(LINES))
        issue(tmp_path)
        await wait_until_renewed(address, former)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda files: Path(files.key).unlink(), "TLS key '.*server.key' cannot be read: no such file"),
        (lambda files: Path(files.certificate).write_text("x"), "TLS certificate '.*' and key '.*' cannot be used: "),
        (lambda files: Path(files.key).write_text("x"), "TLS key '.*': no PEM private key is in the file"),
        (
            lambda files: Path(files.key).write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----"),
            "TLS key '.*' is encrypted; decrypt it",
        ),
        (
            lambda files: issue(Path(files.key).parent, "other")[1].replace(files.key),
            "TLS key '.*server.key' does not belong to the certificate '.*server.pem'",
        ),
        (lambda files: Path(files.client_ca).write_text(""), "TLS client authorities '.*': no PEM certificate"),
    ],
    ids=["missing", "no-certificate", "no-key", "encrypted", "mismatch", "no-authority"],
)
async def test_files_are_checked_at_the_start(change: Callable[[TlsFiles], Any], message: str, tmp_path: Path) -> None:
    files = server_files(tmp_path, clients=True)
    change(files)
    with pytest.raises(StartError, match=message):
        await host(files).start()


async def test_weak_files_are_used_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    files = server_files(tmp_path, not_before=yesterday - timedelta(days=1), not_after=yesterday)
    os.chmod(files.key, 0o644)
    async with host(files):
        pass
    assert "server.pem' is not accepted by clients: certificate has expired" in caplog.text
    assert "server.key' can be read by all users of this machine" in caplog.text


EXPOSERS = pytest.mark.parametrize("exposer", [WEB, LINES], ids=["http", "socket"])


async def request(address: str, context: ssl.SSLContext) -> bytes:
    """Return the first line of a response of either exposer; nothing if the connection is closed."""
    async with raw(address, context) as client:
        client.writer.write(b"get\n" if address.startswith("liness") else b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        return await client.reader.readline()


@EXPOSERS
async def test_certificates_of_clients(exposer: dict[str, Any], tmp_path: Path) -> None:
    async with host(server_files(tmp_path, clients=True), exposer) as served:
        line = await request(url(served, exposer["namespace"]), client_context(tmp_path))
        assert line in (b'"ok"\n', b"HTTP/1.0 404 Not Found\r\n")


@EXPOSERS
@pytest.mark.parametrize(
    ("authority", "reason"),
    [
        (None, "it sent no certificate, which --tls-client-ca requires"),
        (AUTHORITY, "its certificate is refused: self-signed certificate in certificate chain"),
    ],
    ids=["none", "untrusted"],
)
async def test_refused_clients(
    exposer: dict[str, Any],
    authority: CA | None,
    reason: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    context = client_context(tmp_path, authority=authority) if authority else client_context()
    async with host(server_files(tmp_path, clients=True), exposer) as served:
        # The end of the connection may arrive while the client is writing.
        with suppress(ssl.SSLError, ConnectionError):
            assert await request(url(served, exposer["namespace"]), context) == b""
        await wait_for(lambda: reason in caplog.text)


async def test_health_checks_need_no_certificate(tmp_path: Path) -> None:
    files = server_files(tmp_path, clients=True)
    async with host(files, MONITOR, WEB) as served, session() as client:
        assert await call(client, url(served, "monitor")) == "ok"
        with pytest.raises(ClientConnectionError):
            await call(client, url(served))


def test_authorities_in_a_file(tmp_path: Path) -> None:
    """The files of tests are those that other tools read."""
    context = ssl.create_default_context(cafile=write_authority(tmp_path))
    assert context.get_ca_certs()
