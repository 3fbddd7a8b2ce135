"""The examples about connections to an API and its headers, which the mock server does not have."""

from __future__ import annotations

import shutil
import ssl
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapter_host import ProblemsError
from adapter_host.testing import running
from tests.support.certificates import CLIENT_AUTHORITY, issue, write_authority
from tests.support.paths import ROOT

FOLDER = ROOT / "capabilities"


async def test_aquarium_keeps_responses() -> None:
    requests: list[str] = []

    async def respond(request: web.Request) -> web.Response:
        requests.append(request.path)
        return web.json_response({"name": "Otto"}, headers={"Cache-Control": "max-age=3600"})

    api = web.Application()
    api.router.add_get("/v1/{path:.*}", respond)
    async with TestServer(api) as server, aiohttp.ClientSession() as session:
        base_uris = {"aquarium": f"http://127.0.0.1:{server.port}/v1"}
        async with running(FOLDER / "aquarium.yaml", base_uris=base_uris) as served:
            statuses = []
            for path in ("/animals/Otto", "/animals/Otto", "/feedings", "/feedings"):
                async with session.get(served.url("aquarium-rest") + path) as response:
                    assert (response.status, await response.json()) == (200, {"name": "Otto"})
                    statuses.append(response.headers.get("Cache-Status", "").partition("; ttl")[0])
    assert statuses == ["adapter-host; fwd=miss", "adapter-host; hit", "", ""]
    assert requests == ["/v1/animals/Otto", "/v1/feedings", "/v1/feedings"]


def quarry(folder: Path) -> Path:
    """Copy the example with an authority and a certificate of the tests, and return its file."""
    (folder / "quarry").mkdir()
    issue(folder / "quarry", "client", "shop@example.org", authority=CLIENT_AUTHORITY)
    return Path(shutil.copy(FOLDER / "quarry.yaml", folder))


async def test_quarry_presents_a_certificate_of_the_host(tmp_path: Path) -> None:
    file = quarry(tmp_path)
    seen: list[str] = []
    write_authority(tmp_path / "quarry")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*issue(tmp_path, "server", "quarry.internal"))
    context.verify_mode = ssl.CERT_REQUIRED
    CLIENT_AUTHORITY.configure_trust(context)

    async def respond(request: web.Request) -> web.Response:
        assert request.transport is not None
        seen.extend(name for _, name in request.transport.get_extra_info("peercert")["subjectAltName"])
        return web.json_response([{"stone": request.query["stone"]}])

    api = web.Application()
    api.router.add_get("/v1/blocks", respond)
    server = TestServer(api)
    await server.start_server(ssl=context)
    async with server, aiohttp.ClientSession() as session:
        base_uris = {"quarry": f"https://127.0.0.1:{server.port}/v1"}
        async with (
            running(file, base_uris=base_uris) as served,
            session.get(served.url("quarry-rest") + "/blocks?stone=granite") as response,
        ):
            assert (response.status, await response.json()) == (200, [{"stone": "granite"}])
    assert seen == ["shop@example.org"]


async def test_quarry_does_not_start_without_its_certificate() -> None:
    with pytest.raises(ProblemsError) as raised:
        async with running(FOLDER / "quarry.yaml"):
            pass
    assert {problem.code for problem in raised.value.problems} == {"unresolved-secret"}
