"""Authentication by certificates of clients, with real handshakes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession, TCPConnector, web
from aiohttp.test_utils import TestServer

from adapter_host import (
    PRINCIPAL,
    Host,
    Plugins,
    Principal,
    ProblemsError,
    Refusal,
    RegisterExposer,
    Settings,
    TlsFiles,
    attach,
    hookimpl,
)
from adapter_host.testing import FakePlugin, Running
from tests.support.adapters import PlainExposer, document
from tests.support.certificates import AUTHORITY, CLIENT_AUTHORITY, issue, server_files
from tests.support.lines import LineExposer

MUTUAL_TLS = {"type": "mutualTLS"}
OPERATIONS = {"operations": [{"name": "get", "outputParameters": [{"type": "string", "value": "ok"}]}]}


class WhoExposer(PlainExposer):
    """Responds with the subject and issuer of the caller."""

    def build_app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/", self._respond)
        return app

    async def _respond(self, request: web.Request) -> web.Response:
        principal = request[PRINCIPAL]
        return web.json_response([principal.subject, principal.issuer])


class MonitorExposer(WhoExposer):
    """Monitors the host."""

    monitors_host = True


class WhoOnSocketExposer(LineExposer):
    """Sends the subject of the caller, or the refusal, on a socket of its own."""

    checks_callers = True

    async def start(self) -> None:
        await self.socket.serve_streams(self._serve)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self.context.access is not None
        verdict = self.context.access.check({}, transport=writer.transport)
        assert isinstance(verdict, Principal | Refusal)
        writer.write((verdict.detail if isinstance(verdict, Refusal) else verdict.subject or "").encode())


class WhoPlugin:
    """The plugin of `type: who`, `type: monitor` and `type: who-on-socket`."""

    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("who", WhoExposer)
        register("monitor", MonitorExposer)
        register("who-on-socket", WhoOnSocketExposer)


def host(tls: TlsFiles | None, authentication: dict[str, Any], kind: str = "who", **keys: Any) -> Host:
    place = {} if "unixSocket" in keys else {"port": 0}
    exposer = {"type": kind, "namespace": "who", **place, "authentication": authentication, **OPERATIONS, **keys}
    plugins = Plugins({"fake": FakePlugin(), "who": WhoPlugin()})
    return Host(document(exposer), plugins=plugins, settings=Settings(tls=tls, environment={}))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    return server_files(tmp_path_factory.mktemp("server"), clients=True)


def client_context(folder: Path, *names: str, **options: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    AUTHORITY.configure_trust(context)
    context.load_cert_chain(*issue(folder, "client", *names, authority=CLIENT_AUTHORITY, **options))
    return context


async def ask(served: Host, context: ssl.SSLContext) -> tuple[int, Any]:
    async with (
        ClientSession(connector=TCPConnector(ssl=context)) as client,
        client.get(f"{Running(served).url('who')}/") as response,
    ):
        body = await response.json(content_type=None)
        return response.status, body if response.status == 200 else body["detail"]


@pytest.mark.parametrize(
    ("clients", "subject"),
    [
        (None, "dns:robot.example.org"),
        (["dns:ROBOT.example.org"], "dns:robot.example.org"),
        (["email:robot@example.org", "cn:nobody"], "email:robot@example.org"),
        (["cn:Robot"], "cn:Robot"),
        (["dns:Robot"], None),
        (["cn:robot.example.org"], None),
        (["cn:robot"], None),
    ],
)
async def test_names(clients: Sequence[str] | None, subject: str | None, files: TlsFiles, tmp_path: Path) -> None:
    context = client_context(tmp_path, "robot@example.org", "Robot.example.org", common_name="Robot")
    authentication = MUTUAL_TLS if clients is None else {**MUTUAL_TLS, "clients": clients}
    async with host(files, authentication) as served:
        status, body = await ask(served, context)
        if subject is None:
            assert (status, body) == (403, "the certificate of the client has no accepted name")
        else:
            assert (status, body[0]) == (200, subject)
            assert body[1].startswith("organizationName=trustme")
        assert [each.authentication for each in served.status()] == ["mutualtls"]


@pytest.mark.parametrize(
    ("clients", "response"),
    [("cn:Robot", b"cn:Robot"), ("cn:Other", b"the certificate of the client has no accepted name")],
)
async def test_own_listeners(clients: str, response: bytes, files: TlsFiles, tmp_path: Path) -> None:
    context = client_context(tmp_path, "robot@example.org", common_name="Robot")
    async with host(files, {**MUTUAL_TLS, "clients": [clients]}, "who-on-socket") as served:
        parts = urlsplit(Running(served).url("who"))
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=context)
        assert await reader.read() == response
        writer.close()


async def test_port_of_monitoring_exposers(files: TlsFiles, tmp_path: Path) -> None:
    """Its handshakes require no certificate, but the exposer does."""
    async with host(files, MUTUAL_TLS, "monitor") as served:
        assert (await ask(served, client_context(tmp_path, "a.example.org")))[0] == 200
        anonymous = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        AUTHORITY.configure_trust(anonymous)
        assert await ask(served, anonymous) == (403, "a certificate of the client is required")


@pytest.mark.parametrize("kind", ["who", "who-on-socket"])
@pytest.mark.parametrize("tls", [False, True])
async def test_host_without_authorities_of_clients(kind: str, tls: bool, tmp_path: Path) -> None:
    served = host(server_files(tmp_path) if tls else None, MUTUAL_TLS, kind)
    with pytest.raises(ProblemsError, match="set --tls-cert, --tls-key and --tls-client-ca"):
        await served.start()


async def test_unix_socket(files: TlsFiles, tmp_path: Path) -> None:
    with pytest.raises(ProblemsError, match="has no TLS that asks for them; set 'port' instead"):
        await host(files, MUTUAL_TLS, "who-on-socket", unixSocket=str(tmp_path / "s")).start()


async def test_other_application(files: TlsFiles) -> None:
    """In an application whose server has no TLS, nobody has a certificate."""
    app = web.Application()
    attach(app, host(files, MUTUAL_TLS), prefix="/inner")
    async with (
        TestServer(app) as server,
        ClientSession() as client,
        client.get(server.make_url("/inner/who/")) as response,
    ):
        assert response.status == 403


@pytest.mark.parametrize(
    ("authentication", "message"),
    [
        ({**MUTUAL_TLS, "clients": []}, "'clients' is empty"),
        ({**MUTUAL_TLS, "clients": ["robot"]}, "'robot' is no name in a certificate; write uri:URI"),
        ({"type": "bearer", "token": "t", "clients": ["dns:a"]}, "which only type mutualTLS checks"),
    ],
)
def test_invalid_documents(authentication: dict[str, Any], message: str) -> None:
    with pytest.raises(ProblemsError, match=message):
        host(None, authentication)
