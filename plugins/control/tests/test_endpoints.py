"""Tests of health, status, configuration and reload endpoints, and of access to them."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from aiohttp.typedefs import Handler
from syrupy.assertion import SnapshotAssertion

from adapter_host import (
    PRINCIPAL,
    Exposer,
    Host,
    Plugins,
    Principal,
    ProblemsError,
    RegisterExposer,
    Settings,
    attach,
    hookimpl,
)
from adapter_host.testing import Running, running

from .conftest import Api, consumed_api, control, document, mcp, rest

ALL: dict[str, Any] = {"info": True, "reload": True, "validate": True, "logs": True, "scripting": {}}
TOKEN = {"type": "bearer", "token": "{{env.CONTROL_TOKEN}}"}
BINDS = [{"namespace": "env", "keys": {"CONTROL_TOKEN": "CONTROL_TOKEN"}}]
SECRET = {"CONTROL_TOKEN": "c0ntr0l-s3cr3t"}
BEARER = {"Authorization": f"Bearer {SECRET['CONTROL_TOKEN']}"}

ENDPOINTS: dict[str, dict[str, Any]] = {
    "GET /health/live": {"health": False},
    "GET /health/ready": {"health": False},
    "GET /status": {"info": False},
    "GET /config": {"info": False},
    "POST /config/validate": {"validate": False},
    "POST /config/reload": {"reload": False},
    "GET /logs": {"logs": False},
    "GET /logs/root": {"logs": {"level-control": False}},
    "GET /logs/stream": {"logs": {"stream": False}},
    "GET /scripting": {"scripting": None},
    "GET /metrics": {"metrics": {"local": {"enabled": False}}},
    "GET /traces": {"traces": {"local": {"enabled": False}}},
}


async def request_json(session: aiohttp.ClientSession, url: str, **arguments: Any) -> tuple[int, Any]:
    method, _, path = url.partition(" ")
    async with session.request(method, path, **arguments) as response:
        return response.status, await response.json(content_type=None)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_disabled_endpoints_are_404(session: aiohttp.ClientSession, endpoint: str) -> None:
    off = ENDPOINTS[endpoint]
    kind = "observability" if off.keys() & {"metrics", "traces"} else "management"
    exposer = control(**{"management": ALL, kind: {**(ALL if kind == "management" else {}), **off}})
    method, _, path = endpoint.partition(" ")
    async with running(document("http://127.0.0.1:9", exposer)) as served:
        assert (await request_json(session, f"{method} {served.url('control')}{path}"))[0] == 404


async def test_default_endpoints(session: aiohttp.ClientSession) -> None:
    enabled = {"GET /health/live", "GET /health/ready", "GET /metrics", "GET /traces"}
    async with running(document("http://127.0.0.1:9", control())) as served:
        for endpoint in ENDPOINTS:
            method, _, path = endpoint.partition(" ")
            async with session.request(method, f"{served.url('control')}{path}") as response:
                assert response.status == (200 if endpoint in enabled else 404), endpoint
        async with session.post(f"{served.url('control')}/metrics") as response:
            assert (response.status, response.headers["Allow"]) == (405, "GET,HEAD")
            assert response.content_type == "application/problem+json"


async def test_observability_disabled(session: aiohttp.ClientSession, api: Api) -> None:
    capability = document(api.url, rest(), control(observability={"enabled": False}, management={"info": True}))
    async with running(capability) as served:
        async with session.get(f"{served.url('shop')}/things") as response:
            assert response.status == 200
        assert "traceparent" not in api.headers[0]
        for path in ("/metrics", "/traces"):
            assert (await request_json(session, f"GET {served.url('control')}{path}"))[0] == 404
        status = (await request_json(session, f"GET {served.url('control')}/status"))[1]
        assert status["otel"] == {"status": "disabled"}


async def test_ready_until_drain(session: aiohttp.ClientSession) -> None:
    async with running(document("http://127.0.0.1:9", rest(), mcp(), control())) as served:
        url = served.url("control")
        status, body = await request_json(session, f"GET {url}/health/ready")
        assert (status, body["status"]) == (200, "UP")
        assert [(each["type"], each["namespace"], each["state"]) for each in body["adapters"]] == [
            ("rest", "shop", "started"),
            ("mcp", "tools", "started"),
            ("control", "control", "started"),
        ]
        assert f":{body['adapters'][0]['port']}" in served.url("shop")
        await served.host.drain()
        # A new connection, like that of a probe: the port accepts connections until the end.
        async with aiohttp.ClientSession() as probe:
            status, body = await request_json(probe, f"GET {url}/health/ready")
            assert (status, body["status"]) == (503, "DRAINING")
            assert [each["state"] for each in body["adapters"]] == ["stopped", "stopped", "started"]
            assert await request_json(probe, f"GET {url}/health/live") == (200, {"status": "UP"})


async def test_configuration_of_replicas_can_be_compared(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    def capability(replica: str, label: str = "Shop", schema: str = "{}") -> Path:
        folder = tmp_path / replica
        folder.mkdir(exist_ok=True)
        (folder / "filter.json").write_text(schema)
        parameter = {"name": "filter", "in": "query", "type": "string", "x-schema": {"$ref": "./filter.json"}}
        listing = {"method": "GET", "name": "list", "call": "api.list", "inputParameters": [parameter]}
        data = document("http://127.0.0.1:9", rest(listing), control(management={"info": True}))
        data["info"]["label"] = label
        data["capability"]["consumes"][0]["authentication"] = {"type": "bearer", "token": f"t0ken-of-{replica}"}
        (folder / "capability.yaml").write_text(yaml.safe_dump(data))
        return folder / "capability.yaml"

    async def configuration(served: Running) -> dict[str, Any]:
        body = (await request_json(session, f"GET {served.url('control')}/status"))[1]
        found: dict[str, Any] = body["configuration"]
        return found

    async with running(capability("one")) as one, running(capability("two")) as two:
        start = await configuration(one)
        assert await configuration(two) == start
        assert (start["generation"], re.fullmatch("sha256:[0-9a-f]{64}", start["digest"]) is None) == (1, False)
        digests = {start["digest"]}
        for generation, change in enumerate(({"label": "Store"}, {"schema": '{"type": "string"}'}), 2):
            await one.host.reload(capability("one", **change))
            changed = await configuration(one)
            assert changed["generation"] == generation
            assert changed["digest"] not in digests
            digests.add(changed["digest"])
            await two.host.reload(capability("two", **change))
            assert await configuration(two) == changed


class DisconnectedExposer(Exposer[Any]):
    """`type: lost`: has lost the connection to its broker."""

    @property
    def failure(self) -> str | None:
        return "the broker is gone"


class DisconnectedPlugin:
    """Registers `type: lost`."""

    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("lost", DisconnectedExposer)


async def test_degraded_when_an_exposer_fails(session: aiohttp.ClientSession) -> None:
    plugins = Plugins.installed()
    plugins.register("losing", DisconnectedPlugin())
    capability = document("http://127.0.0.1:9", {"type": "lost", "namespace": "queue"}, control())
    async with running(capability, plugins=plugins) as served:
        status, body = await request_json(session, f"GET {served.url('control')}/health/ready")
        assert (status, body["status"]) == (503, "DEGRADED")
        lost = {"type": "lost", "namespace": "queue", "state": "stopped", "reason": "the broker is gone"}
        assert body["adapters"][0] == lost


async def test_status(session: aiohttp.ClientSession) -> None:
    async with running(document("http://127.0.0.1:9", rest(), control(management={"info": True}))) as served:
        _, body = await request_json(session, f"GET {served.url('control')}/status")
        assert body["capability"] == {"label": "Shop", "specVersion": "1.0.0-alpha2"}
        assert body["engine"].keys() == {"name", "version", "python"}
        assert re.fullmatch(r"PT0H0M\d+S", body["uptime"])
        assert (body["status"], body["calls"]) == ("UP", 0)
        shop = body["adapters"][0]
        assert (shop["capability"], shop["operations"], shop["authentication"]) == ("Shop", 1, "none")
        assert shop["url"] == served.url("shop")


async def test_config_contains_no_secret(session: aiohttp.ClientSession) -> None:
    key = {"type": "apikey", "key": "X-Key", "value": "written-in-the-document"}
    api = consumed_api("https://api.example.com", authentication=key)
    api["resources"][0]["inputParameters"] = [{"name": "X-Api-Token", "in": "header", "value": "t0k3n"}]
    api["resources"][0]["operations"][0]["path"] = "/things?api_key=k3y&page=1"
    exposer = control(authentication=TOKEN, management={"info": True})
    capability = document("", exposer, consumes=[api], binds=BINDS)
    async with running(capability, environment=SECRET) as served:
        url = f"{served.url('control')}/config"
        assert (await request_json(session, f"GET {url}"))[0] == 401
        status, body = await request_json(session, f"GET {url}", headers=BEARER)
    assert status == 200
    consumed = body["capability"]["consumes"][0]
    assert consumed["authentication"] == {**key, "value": "***"}
    resource = consumed["resources"][0]
    assert resource["inputParameters"][0]["value"] == "***"
    assert resource["operations"][0]["path"] == "/things?api_key=***&page=1"
    assert resource["operations"][1]["inputParameters"][0]["value"] == "***"
    assert body["capability"]["exposes"][0]["authentication"] == TOKEN
    text = str(body)
    assert not any(secret in text for secret in ("t0k3n", "k3y", "written", SECRET["CONTROL_TOKEN"]))


def write(file: Path, capability: dict[str, Any]) -> None:
    file.write_text(yaml.safe_dump(capability))


async def test_validate_reports_and_changes_nothing(
    session: aiohttp.ClientSession, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    file = tmp_path / "shop.yaml"
    exposer = control(management={"validate": True, "reload": True})
    write(file, document("http://127.0.0.1:9", rest(), exposer))
    async with running(file) as served:
        url = served.url("control")
        assert await request_json(session, f"POST {url}/config/validate") == (200, {"valid": True, "problems": []})
        write(file, document("http://127.0.0.1:9", rest({"method": "GET", "call": "api.lst"}), exposer))
        status, body = await request_json(session, f"POST {url}/config/validate")
        (problem,) = body["problems"]
        assert (status, body["valid"], problem["code"], problem["warning"]) == (200, False, "unknown-call", False)
        assert problem["file"] == str(file)
        assert problem["text"].startswith(f"{file}:{problem['line']}:{problem['column']}: ")
        status, body = await request_json(session, f"POST {url}/config/reload")
        assert (status, body["problems"]) == (422, [problem])
        assert body["detail"] == snapshot
        assert (await request_json(session, f"GET {url}/health/ready"))[0] == 200
        assert (await request_json(session, f"POST {url}/config/validate", data=b"naftiko: x"))[0] == 400


async def test_reload_returns_status_and_keeps_counters(
    session: aiohttp.ClientSession, tmp_path: Path, api: Api
) -> None:
    file = tmp_path / "shop.yaml"
    exposer = control(management={"reload": True})
    write(file, document(api.url, rest(), exposer))
    async with running(file) as served:
        url = served.url("control")
        await (await session.get(f"{served.url('shop')}/things")).read()
        write(file, document(api.url, rest(namespace="store"), mcp(), exposer))
        status, body = await request_json(session, f"POST {url}/config/reload")
        assert (status, body["status"]) == (200, "UP")
        assert [each["namespace"] for each in body["adapters"]] == ["store", "tools", "control"]
        await (await session.get(f"{served.url('store')}/things")).read()
        async with session.get(f"{url}/metrics") as response:
            text = await response.text()
        assert 'naftiko_operation_id="/things GET",status="ok"} 2.0' in text
        _, traces = await request_json(session, f"GET {url}/traces")
        assert len(traces["traces"]) == 2


async def test_reload_that_cannot_start_is_409(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    exposer = control(management={"reload": True})
    write(file, document("http://127.0.0.1:9", exposer))
    async with running(file) as served:
        listener = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        async with listener:
            port = listener.sockets[0].getsockname()[1]
            write(file, document("http://127.0.0.1:9", {**rest(namespace="more"), "port": port}, exposer))
            status, body = await request_json(session, f"POST {served.url('control')}/config/reload")
        assert status == 409
        assert "address already in use" in body["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.com"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example.com"},
    ],
)
async def test_cross_origin_requests_are_rejected(session: aiohttp.ClientSession, headers: dict[str, str]) -> None:
    async with running(document("http://127.0.0.1:9", control(management=ALL))) as served:
        for endpoint in ("POST /config/reload", "POST /config/validate", "PUT /logs/root", "PUT /scripting"):
            method, _, path = endpoint.partition(" ")
            status, _ = await request_json(session, f"{method} {served.url('control')}{path}", headers=headers)
            assert status in (403, 421)


async def test_same_origin_request_is_accepted(session: aiohttp.ClientSession) -> None:
    async with running(document("http://127.0.0.1:9", control(management=ALL))) as served:
        url = served.url("control")
        headers = {"Origin": url, "Sec-Fetch-Site": "same-origin"}
        assert (await request_json(session, f"POST {url}/config/validate", headers=headers))[0] == 200


async def test_mutating_endpoints_require_credentials(session: aiohttp.ClientSession) -> None:
    capability = document("http://127.0.0.1:9", control(management=ALL, authentication=TOKEN), binds=BINDS)
    async with running(
        capability, environment=SECRET, address="0.0.0.0", allowed_hosts=frozenset({"127.0.0.1"})
    ) as served:
        url = f"POST {served.url('control')}/config/reload"
        assert (await request_json(session, url))[0] == 401
        assert (await request_json(session, url, headers=BEARER))[0] == 200


@pytest.mark.parametrize("management", [{name: ALL[name]} for name in ("reload", "validate", "logs", "scripting")])
async def test_mutating_endpoints_on_a_public_address_require_authentication(
    management: dict[str, Any], snapshot: SnapshotAssertion
) -> None:
    capability = document("http://127.0.0.1:9", control(management=management))
    with pytest.raises(ProblemsError) as caught:
        Host(capability, settings=Settings(address="0.0.0.0", environment={}))
    (problem,) = caught.value.problems
    assert problem.code == "open-control"
    assert problem.message == snapshot


async def test_read_only_endpoints_on_a_public_address(session: aiohttp.ClientSession) -> None:
    capability = document("http://127.0.0.1:9", control(management={"info": True, "logs": {"level-control": False}}))
    async with running(capability, address="0.0.0.0") as served:
        assert (await request_json(session, f"GET {served.url('control')}/status"))[0] == 200


async def test_attached_to_an_application(session: aiohttp.ClientSession) -> None:
    """The outer application may listen on any address, so mutating endpoints need credentials."""
    unrestricted = document("http://127.0.0.1:9", control(management=ALL))
    restricted = document(
        "http://127.0.0.1:9", control(management=ALL, authentication=TOKEN, namespace="kept"), binds=BINDS
    )

    @web.middleware
    async def log_in(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[PRINCIPAL] = Principal("any user of the application")
        return await handler(request)

    app = web.Application(middlewares=[log_in])
    attach(app, Host(unrestricted, restricted, settings=Settings(environment=SECRET)), prefix="/host")
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/host"
    try:
        status, body = await request_json(session, f"GET {url}/control/health/ready")
        assert (status, [each["state"] for each in body["adapters"]]) == (200, ["started", "started"])
        assert (await request_json(session, f"GET {url}/control/traces"))[0] == 200
        assert (await request_json(session, f"POST {url}/control/config/reload"))[0] == 403
        assert (await request_json(session, f"POST {url}/kept/config/reload"))[0] == 401
        assert (await request_json(session, f"POST {url}/kept/config/reload", headers=BEARER))[0] == 200
    finally:
        await runner.cleanup()


async def test_scripting_endpoint_without_the_scripting_plugin(
    session: aiohttp.ClientSession, snapshot: SnapshotAssertion
) -> None:
    plugins = Plugins.installed(disabled=["scripting"])
    async with running(document("http://127.0.0.1:9", control(management=ALL)), plugins=plugins) as served:
        status, body = await request_json(session, f"GET {served.url('control')}/scripting")
        assert status == 404
        assert body["detail"] == snapshot


async def test_usage(session: aiohttp.ClientSession) -> None:
    capability = document("http://127.0.0.1:9", control(authentication=TOKEN, management={"info": True}), binds=BINDS)
    async with running(capability, environment=SECRET) as served:
        assert usage(served) == [
            f"curl {served.url('control')}{path} -H 'Authorization: Bearer ...'"
            for path in ("/health/ready", "/status", "/metrics", "/traces")
        ]


def usage(served: Running) -> list[str]:
    (status,) = served.host.status()
    return (status.exposer.usage(status.url or "") or "").splitlines()
