"""Logins with credentials, and the rights of a read-only session."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import yaml

from adapter_host import Host, PluginError, ProblemsError, Settings
from adapter_host_console.call_log import CallLog
from adapter_host_console.server import ConsoleServer
from adapter_host_console.settings import ConsoleSettings
from tests.support.console import SHOP

CONTROL = {
    "type": "control",
    "port": 0,
    "authentication": {"type": "basic", "username": "ada", "password": "{{env.TOKEN}}"},
}


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": aiohttp.encode_basic_auth(name, password)}


ADA = basic("ada", "mock-SHOP_TOKEN")
"""The credentials of a caller of the control port; a mock has such secrets."""

EVERYBODY = {
    ("GET", "/login"),
    ("POST", "/login"),
    ("POST", "/login/credentials"),
    ("GET", "/static/{path}"),
}
READ_ONLY = {
    ("GET", "/"),
    ("POST", "/logout"),
    ("GET", "/api/overview"),
    ("GET", "/api/operations"),
    ("GET", "/api/operations/{id}"),
    ("POST", "/api/operations/{id}/preview"),
    ("GET", "/api/problems"),
    ("GET", "/api/calls"),
    ("GET", "/api/calls/{request_id}"),
    ("GET", "/api/health"),
    ("GET", "/api/audit"),
    ("GET", "/api/decisions"),
}
OPERATORS = {
    ("POST", "/api/operations/{id}/call"),
    ("GET", "/api/files"),
    ("GET", "/api/files/{id}"),
    ("POST", "/api/files/{id}"),
    ("POST", "/api/files/{id}/check"),
    ("POST", "/api/files/{id}/differences"),
    ("POST", "/api/decisions"),
}


def document(**authentication: Any) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(SHOP)
    exposer = {**CONTROL, "authentication": authentication} if authentication else CONTROL
    found["capability"]["exposes"].append(exposer)
    return found


def host_of(data: dict[str, Any], **settings: Any) -> Host:
    console = {"port": 0, "authentication": "control", **settings}
    return Host(data, settings=Settings(mock=True, plugins={"console": console}))


@asynccontextmanager
async def console_of(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    """Serve a host, and yield the URL of its console with a client that is not logged in."""
    async with host, aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        await asyncio.sleep(0)
        (url,) = re.findall(r"(http://\S+)/login\?token=\S+", capsys.readouterr().err)
        yield url, session


async def log_in(url: str, session: aiohttp.ClientSession, **options: Any) -> int:
    async with session.post(f"{url}/login/credentials", **options) as response:
        return response.status


async def role_of(url: str, session: aiohttp.ClientSession) -> Any:
    async with session.get(f"{url}/api/overview") as response:
        return (await response.json())["role"] if response.status == 200 else response.status


def test_every_route_has_a_role() -> None:
    server = ConsoleServer(host_of(document()), ConsoleSettings(edit=True), CallLog(), None)
    routes = {(each.method, each.path.replace(":.+", "")) for each in server.routes()}
    assert routes == EVERYBODY | READ_ONLY | OPERATORS


@pytest.mark.parametrize(("method", "path"), sorted(EVERYBODY | READ_ONLY | OPERATORS))
async def test_the_role_of_a_route(method: str, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    async with console_of(host_of(document(), edit=True), capsys) as (url, session):
        target = url + path.replace("{path}", "app.js").replace("{id}", "x").replace("{request_id}", "x")

        async def status(**options: Any) -> int:
            async with session.request(method, target, json={}, allow_redirects=False, **options) as response:
                return response.status

        assert (await status() in (303, 401)) == ((method, path) not in EVERYBODY or path == "/login/credentials")
        assert await log_in(url, session, headers=ADA) == 200
        assert (await status() == 403) == ((method, path) in OPERATORS)


async def test_a_read_only_session_calls_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    async with console_of(host_of(document()), capsys) as (url, session):
        assert await log_in(url, session, headers=ADA) == 200
        assert await role_of(url, session) == "read-only"
        async with session.get(f"{url}/api/operations", params={"q": "find-order"}) as response:
            entry = (await response.json())["rows"][0]["id"]
        for way in ("client", "direct"):
            sent = {"arguments": {"number": "7"}, "way": way}
            async with session.post(f"{url}/api/operations/{entry}/call", json=sent) as response:
                assert response.status == 403
                assert (await response.json())["detail"] == "this session is read-only; an operator can do this"
            async with session.post(f"{url}/api/operations/{entry}/preview", json=sent) as response:
                assert (await response.json())["upstream"]["url"] == "https://api.example.com/v1/orders/7"
        async with session.get(f"{url}/api/calls") as response:
            assert (await response.json())["records"] == []


async def test_a_declared_name_is_an_operator(capsys: pytest.CaptureFixture[str]) -> None:
    async with console_of(host_of(document(), operators=["bob", "ada"]), capsys) as (url, session):
        assert await log_in(url, session, headers=ADA) == 200
        assert await role_of(url, session) == "operator"


async def test_a_caller_without_a_name_is_read_only(capsys: pytest.CaptureFixture[str]) -> None:
    data = document(type="bearer", token="{{env.TOKEN}}")
    async with console_of(host_of(data, operators=["", "None"], operatorScopes=["console"]), capsys) as (url, session):
        assert await log_in(url, session, headers={"Authorization": "Bearer mock-SHOP_TOKEN"}) == 200
        assert await role_of(url, session) == "read-only"


async def test_credentials_that_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    async with console_of(host_of(document()), capsys) as (url, session):
        for headers in ({}, basic("ada", "wrong"), basic("bob", "mock-SHOP_TOKEN")):
            async with session.post(f"{url}/login/credentials", headers=headers) as response:
                assert response.status == 401
                assert response.headers["WWW-Authenticate"].startswith("Basic ")
                assert "Set-Cookie" not in response.headers
        assert await log_in(url, session, headers={**ADA, "Origin": "https://evil.example.com"}) == 403
        assert await role_of(url, session) == 401
        # Credentials are for the login: elsewhere they are no session.
        async with session.get(f"{url}/api/overview", headers=ADA) as response:
            assert response.status == 401


async def test_an_exposer_that_is_gone_logs_nobody_in(capsys: pytest.CaptureFixture[str]) -> None:
    host = host_of(document())
    async with console_of(host, capsys) as (url, session):
        await host.reload(yaml.safe_load(SHOP))
        assert await log_in(url, session, headers=ADA) == 403


async def test_without_the_setting_nobody_logs_in_with_credentials(capsys: pytest.CaptureFixture[str]) -> None:
    async with console_of(host_of(document(), authentication=None), capsys) as (url, session):
        assert await log_in(url, session, headers=ADA) == 403


@pytest.mark.parametrize(("namespace", "data"), [("shop", document()), ("control", yaml.safe_load(SHOP))])
async def test_an_exposer_without_authentication_is_an_error_of_the_start(namespace: str, data: dict[str, Any]) -> None:
    with pytest.raises(PluginError, match=f"'{namespace}' in the setting 'authentication' of the console"):
        await host_of(data, authentication=namespace).start()


def test_operators_need_an_authentication() -> None:
    with pytest.raises(ProblemsError, match="'operators' and 'operatorScopes' need an 'authentication'"):
        host_of(document(), authentication=None, operators=["ada"])
