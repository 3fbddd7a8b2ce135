"""Tests of the tutorial: every step is served over MCP and REST, with mock servers for its two upstreams."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import httpx2
import orjson
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent

from adapter_host.document.source import Source
from adapter_host.testing import Running, running
from tests.support.beta5_forms import newer
from tests.support.paths import SHARED
from tests.support.tutorial_upstreams import Upstream, upstream

TUTORIAL = SHARED / "tutorial"
DOCUMENTS = {int(path.name.split("-")[1]): path for path in TUTORIAL.glob("step-*.yml")}

pytestmark = [pytest.mark.early, pytest.mark.skipif(not TUTORIAL.is_dir(), reason="../shared/tutorial is not there")]

MCP, REST = "shipyard-tools", "shipyard-api"
TOKEN = "sk-mcp-YYYYYYYYYYYY"

STAR = {
    "imo": "IMO-9321483",
    "name": "Northern Star",
    "type": "cargo",
    "flag": "NO",
    "status": "active",
}
DAWN = {
    "imo": "IMO-9456781",
    "name": "Pacific Dawn",
    "type": "tanker",
    "flag": "SG",
    "status": "maintenance",
}
STAR_SPECS = {**STAR, "specs": {"yearBuilt": 2015, "tonnage": 42000, "length": 229}}
STAR_CREW = {
    **STAR,
    "yearBuilt": 2015,
    "tonnage": 42000,
    "length": 229,
    "crew": [{"fullName": "Erik Lindström", "role": "captain"}, {"fullName": "Aiko Tanaka", "role": "cook"}],
}
DAWN_CREW = {
    **DAWN,
    "yearBuilt": 2018,
    "tonnage": 55000,
    "length": 274,
    "crew": [{"fullName": "Maria Santos", "role": "first_officer"}, {"fullName": "Hans Mueller", "role": "engineer"}],
}
FAITHFUL = {
    "vesselCode": "LEGACY-4012",
    "name": "Old Faithful",
    "type": "cargo",
    "flag": "GB",
    "status": "active",
}
MAIDEN = {
    "vesselCode": "LEGACY-2087",
    "name": "Iron Maiden",
    "type": "bulk_carrier",
    "flag": "PA",
    "status": "laid_up",
}
VOYAGE = {
    "shipImo": "IMO-9321483",
    "departurePort": "Oslo",
    "arrivalPort": 'Singapore "East"',
    "departureDate": "2026-04-10T08:00:00Z",
    "arrivalDate": "2026-05-02T14:00:00Z",
    "crewIds": ["CREW-001", "CREW-003"],
    "cargoIds": ["CARGO-2024-0451"],
}
PLANNED = {
    "voyageId": "VOY-2026-042",
    "shipImo": "IMO-9321483",
    "route": {"from": "Oslo", "to": 'Singapore "East"'},
    "dates": {"departure": "2026-04-10T08:00:00Z", "arrival": "2026-05-02T14:00:00Z"},
    "crewIds": ["CREW-001", "CREW-003"],
    "cargoIds": ["CARGO-2024-0451"],
    "status": "planned",
}
CARGO = {"type": "container", "description": "Electronics components", "weight": 12.5, "hazardous": False}
MANIFEST = {
    "voyageId": "VOY-2026-042",
    "status": "planned",
    "route": {"from": "Oslo", "to": "Singapore"},
    "ship": {"name": "Northern Star", "type": "cargo", "flag": "NO"},
    "crew": STAR_CREW["crew"],
    "cargo": [CARGO],
}
FLAT_MANIFEST = {
    "voyageId": "VOY-2026-042",
    "status": "planned",
    "departurePort": "Oslo",
    "arrivalPort": "Singapore",
    "shipName": "Northern Star",
    "shipType": "cargo",
    "shipFlag": "NO",
    "crew": STAR_CREW["crew"],
    "cargo": [CARGO],
}


@dataclass(frozen=True)
class Served:
    """A served step of the tutorial."""

    host: Running
    registry: Upstream
    dockyard: Upstream
    secured: bool

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        headers = {"Authorization": f"Bearer {TOKEN}"} if self.secured else {}
        async with httpx2.AsyncClient(headers=headers, timeout=10) as http:
            transport = streamable_http_client(self.host.url(MCP), http_client=http)
            async with Client(transport) as client:
                yield client

    async def tool(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Return a tool's result, which is equal in structured content and in text."""
        async with self.client() as client:
            result = await client.call_tool(name, dict(arguments))
        (content,) = result.content
        assert isinstance(content, TextContent)
        assert not result.is_error, content.text
        expected = orjson.loads(content.text)
        assert result.structured_content in (expected, {"result": expected})
        return expected

    async def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return the response of a REST request."""
        url = self.host.url(REST) + path
        async with aiohttp.ClientSession() as session, session.request(method, url, json=body) as response:
            return response.status, await response.json()


def api(name: str) -> Any:
    """Return the OpenAPI document of an upstream."""
    return Source.read(TUTORIAL / f"upstream/naftiko-shipyard-{name}-api.yaml").data


@asynccontextmanager
async def served(step: int, document: Path | None = None) -> AsyncIterator[Served]:
    """Serve a step of the tutorial; its upstreams require the token and the key of `shared/secrets.yaml`."""
    registry = {"Authorization": "Bearer dummy-token", "Registry-Version": "1.0.0-alpha2"} if step > 2 else {}
    if step == 11:
        # The last step's file has the names of its secrets without braces, so they are constants.
        registry = {"Authorization": "Bearer REGISTRY_TOKEN", "Registry-Version": "REGISTRY_VERSION"}
    async with AsyncExitStack() as stack:
        ships = await stack.enter_async_context(upstream(api("maritime-registry"), registry))
        dock = await stack.enter_async_context(upstream(api("legacy-dockyard"), {"X-Dock-Key": "dummy-dockyard-key"}))
        bases = {"registry": ships.url, "legacy": dock.url}
        host = running(document or DOCUMENTS[step], base_uris=bases, address="127.0.0.1")
        yield Served(await stack.enter_async_context(host), ships, dock, secured=step > 2)


@dataclass(frozen=True)
class Case:
    """A call with its expected upstream requests and response; `path` makes it a REST request."""

    name: str
    expected: Any
    asks: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""
    status: int = 200


SHIPS = "GET /ships"
STAR_REQUEST = "GET /ships/IMO-9321483"
DAWN_REQUEST = "GET /ships/IMO-9456781"
IMO = {"imo": "IMO-9321483"}

LIST = [
    Case("list-ships", [STAR, DAWN], (SHIPS,)),
    Case("list-ships", [STAR], ("GET /ships?status=active",), {"status": "active"}),
    Case("list-ships", [DAWN], ("GET /ships?status=maintenance",), {"status": "maintenance"}),
]
SHIP = [Case("get-ship", STAR_SPECS, (STAR_REQUEST,), IMO)]
LEGACY = [
    Case("list-legacy-vessels", [FAITHFUL, MAIDEN], ("GET /vessels",)),
    Case("list-legacy-vessels", [FAITHFUL], ("GET /vessels?status=active",), {"status": "active"}),
    Case("list-legacy-vessels", [MAIDEN], ("GET /vessels?status=laid_up",), {"status": "laid_up"}),
]
CREATE = [Case("create-voyage", PLANNED, ("POST /voyages",), VOYAGE)]
CREW = [
    Case("get-ship-with-crew", STAR_CREW, ("GET /crew", STAR_REQUEST), IMO),
    Case("get-ship-with-crew", DAWN_CREW, ("GET /crew", DAWN_REQUEST), {"imo": "IMO-9456781"}),
]
MANIFEST_REQUESTS = ("GET /cargo", "GET /crew", SHIPS, "GET /voyages/VOY-2026-042")

TOOLS = {
    1: [Case("get-ship", {**STAR, "imo": "IMO-1"}, (), {"imo_number": "IMO-1"})],
    2: [*LIST, Case("get-ship", STAR, (STAR_REQUEST,), IMO)],
    3: [*LIST, Case("get-ship", STAR, (STAR_REQUEST,), IMO)],
    4: [*LIST, *SHIP],
    5: [*LIST, *SHIP, *LEGACY],
    6: [*LIST, *SHIP, *LEGACY, *CREATE],
    7: [*LIST, *SHIP, *LEGACY, *CREATE, *CREW],
    8: [*LIST, *SHIP, *LEGACY, *CREATE, *CREW],
    9: [*LIST, *SHIP, *LEGACY, *CREATE, *CREW],
    10: [*LIST, *SHIP, *LEGACY, *CREATE, *CREW],
    11: [
        *([*LIST, *SHIP, *LEGACY, *CREATE, *CREW]),
        Case("get-voyage-manifest", MANIFEST, MANIFEST_REQUESTS, {"voyageId": "VOY-2026-042"}),
    ],
}

ROUTES = [
    Case("GET", [STAR, DAWN], (SHIPS,), path="/ships"),
    Case("GET", [DAWN], ("GET /ships?status=maintenance",), path="/ships?status=maintenance"),
    Case("GET", STAR_SPECS, (STAR_REQUEST,), path="/ships/IMO-9321483"),
    Case("GET", STAR_CREW, ("GET /crew", STAR_REQUEST), path="/ships/IMO-9321483/crew"),
    Case("GET", [FAITHFUL, MAIDEN], ("GET /vessels",), path="/legacy/vessels"),
    Case("GET", [MAIDEN], ("GET /vessels?status=laid_up",), path="/legacy/vessels?status=laid_up"),
    Case("POST", PLANNED, ("POST /voyages",), VOYAGE, path="/voyages", status=201),
]
REQUESTS = {
    # Step 7 maps the legacy list as if it had no parent, which step 10 fixes.
    7: [route for route in ROUTES if not route.path.startswith("/legacy")],
    10: ROUTES,
    11: [*ROUTES, Case("GET", FLAT_MANIFEST, MANIFEST_REQUESTS, path="/voyages/VOY-2026-042/manifest")],
}


def asked(step: Served, case: Case) -> tuple[str, ...]:
    """Return the requests that the upstreams received; arguments are passed on unchanged."""
    received = [*step.registry.take(), *step.dockyard.take()]
    for method, _, body in received:
        assert body == (case.arguments if method == "POST" else None)
    return tuple(sorted(f"{method} {path}" for method, path, _ in received))


@pytest.fixture(params=["as it is", "in the words of 1.0.0-beta5"])
def document(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[int], Path]:
    """Return a step as published, and another version of it in the forms of 1.0.0-beta5."""
    if request.param == "as it is":
        return DOCUMENTS.__getitem__
    return lambda number: rewritten(number, tmp_path)


def rewritten(number: int, folder: Path) -> Path:
    """Return the step and its imports in the forms of 1.0.0-beta5, in a new folder."""
    (folder / "shared").mkdir()
    for path in (TUTORIAL / "shared").iterdir():
        data = Source.read(path).data
        text = json.dumps(newer(data) if "consumes" in data else data)
        (folder / "shared" / path.name).write_text(text)
    path = folder / DOCUMENTS[number].name
    path.write_text(json.dumps(newer(Source.read(DOCUMENTS[number]).data)))
    return path


@pytest.mark.parametrize("number", TOOLS)
async def test_tools(number: int, document: Callable[[int], Path]) -> None:
    async with served(number, document(number)) as step:
        async with step.client() as client:
            offered = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert offered.keys() == {case.name for case in TOOLS[number]}
        for case in TOOLS[number]:
            assert await step.tool(case.name, case.arguments) == case.expected
            assert asked(step, case) == case.asks


@pytest.mark.parametrize("number", REQUESTS)
async def test_routes(number: int, document: Callable[[int], Path]) -> None:
    async with served(number, document(number)) as step:
        for case in REQUESTS[number]:
            expected = await step.request(case.name, case.path, case.arguments or None)
            assert expected == (case.status, case.expected)
            assert asked(step, case) == case.asks


@pytest.mark.parametrize("number", TOOLS)
async def test_later_version_has_the_same_operations(number: int, tmp_path: Path) -> None:
    offered = []
    for path in (DOCUMENTS[number], rewritten(number, tmp_path)):
        async with served(number, path) as step, step.client() as client:
            tools = [tool.model_dump() for tool in (await client.list_tools()).tools]
            offered.append((tools, [warning.message for warning in step.host.host.warnings]))
    assert offered[0] == offered[1]


@pytest.mark.parametrize("number", [7, 8, 9, 10, 11])
async def test_skills(number: int, document: Callable[[int], Path]) -> None:
    async with served(number, document(number)) as step, step.client() as client, aiohttp.ClientSession() as session:
        url = step.host.url("shipyard-skills")
        async with session.get(f"{url}/skills") as response:
            listed = await response.json()
        manifest = ["get-voyage-manifest"] if number == 11 else []
        assert {skill["name"]: skill["tools"] for skill in listed["skills"]} == {
            "fleet-ops": ["list-ships", "get-ship", "list-legacy-vessels", "get-ship-with-crew"],
            "voyage-ops": ["create-voyage", *manifest],
        }
        offered = {tool.name for tool in (await client.list_tools()).tools}
        for skill in listed["skills"]:
            async with session.get(f"{url}/skills/{skill['name']}") as response:
                tools = (await response.json())["tools"]
            # The files of the catalog are where an agent looks for them.
            assert [tool["invocationRef"] for tool in tools] == [
                {"targetNamespace": MCP, "action": name, "mode": "mcp"} for name in skill["tools"]
            ]
            assert offered.issuperset(skill["tools"])


@pytest.mark.parametrize("number", range(3, 12))
async def test_token_is_required(number: int) -> None:
    async with served(number) as step, aiohttp.ClientSession() as session:
        for headers in ({}, {"Authorization": "Bearer {{MCP_SERVER_TOKEN}}"}):
            async with session.post(step.host.url(MCP), json={}, headers=headers) as response:
                assert response.status == 401


@pytest.mark.parametrize("number", [7, 9, 11])
async def test_unknown_ship(number: int) -> None:
    async with served(number) as step, step.client() as client:
        result = await client.call_tool("get-ship-with-crew", {"imo": "IMO-0000000"})
    (content,) = result.content
    assert isinstance(content, TextContent)
    assert result.is_error
    first, _, body = content.text.partition("\n")
    assert first == "step 'get-ship': the upstream returned 404 (Not Found)"
    assert orjson.loads(body) == {"error": "not_found", "message": "Ship with IMO number IMO-0000000 not found"}


async def test_tool_hints_from_semantics() -> None:
    async with served(9) as step, step.client() as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    resolved = tools["get-ship-with-crew"]
    assert resolved.annotations is not None
    assert resolved.annotations.model_dump(exclude_none=True) == {
        "read_only_hint": True,
        "destructive_hint": False,
        "idempotent_hint": True,
    }
    assert resolved.input_schema == {
        "type": "object",
        "properties": {"imo": {"type": "string", "description": "IMO number of the ship"}},
        "required": ["imo"],
        "additionalProperties": False,
    }
    created = tools["create-voyage"].annotations
    assert created is not None
    assert (created.read_only_hint, created.open_world_hint) == (False, True)
