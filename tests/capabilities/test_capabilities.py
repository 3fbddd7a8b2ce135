"""Tests of the example capabilities: each validates, is served, and returns the expected responses."""

from __future__ import annotations

import json
import struct
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import grpc
import httpx2
import pytest
from a2a.client import ClientFactory
from a2a.types import Message, Part, Role, SendMessageRequest
from aiohttp import encode_basic_auth
from google.protobuf.json_format import MessageToDict, ParseDict
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import BlobResourceContents, ImageContent, TextContent, TextResourceContents

from adapter_host import Host, Settings
from adapter_host.cli import main
from adapter_host.document.source import Source
from adapter_host.testing import Running, running
from tests.support.paths import ROOT

FOLDER = ROOT / "capabilities"
FILES = sorted(FOLDER.glob("*.yaml"))
LOOSE = {
    "boathouse.yaml",
    "fleet.yaml",
    "guestbook.yaml",
    "lighthouses.yaml",
    "museum.yaml",
    "netbird-checkout.yaml",
    "netbird-everywhere.yaml",
    "observatory.yaml",
    "pottery.yaml",
    "seed-bank.yaml",
}
"""What `--strict` rejects: keys of later versions, `x-example`, types of plugins, and the NetBird dialect."""

SPECIMENS = [
    {"id": "h5", "name": "Acer campestre", "collected": "2026-05-04"},
    {"id": "h4", "name": "Acer rubrum", "collected": "2026-05-02"},
    {"id": "h3", "name": "Acer negundo", "collected": "2026-04-30"},
    {"id": "h2", "name": "Acer palmatum", "collected": "2026-04-21"},
    {"id": "h1", "name": "Acer saccharum", "collected": "2026-04-17"},
]
NAMED_SPECIMENS = [{"id": specimen["id"], "name": specimen["name"]} for specimen in SPECIMENS]
PEER = {"id": "p1", "name": "laptop", "connected": True}
PLAN = {"baseURL": "https://app.example.com/plans/success", "priceID": "price_team"}
CHECKOUT = {"session_id": "cs_example_51H8", "url": "https://checkout.example.com/c/pay/cs_example_51H8"}
CONTROL = {"Authorization": "Bearer mock-BUSES_CONTROL_TOKEN"}
DEPARTURES = {"sailings": [], "harbour": {"name": "name", "shelter": True}}
READER = encode_basic_auth("reader", "mock-NOTES_READER_PASSWORD")
MANAGER = {"Authorization": encode_basic_auth("manager", "mock-BOATHOUSE_MANAGER_PASSWORD")}
ORDER = {"email": "ada@example.com", "sku": "A-1", "quantity": 2}
ORDERED = {
    "customer": {"email": "ada@example.com"},
    "lines": [{"sku": "A-1", "quantity": 2}],
    "note": "Ordered by ada@example.com",
}


SEED = b"\x08\x01\x12\x07species\x18\x02\x22\x07origins\x29" + struct.pack("<d", 1)
"""The sample of the mock server as a message: its fields, each with its number and type in front."""


@dataclass(frozen=True)
class Rest:
    """A request and the expected response."""

    path: str
    expected: Any
    method: str = "GET"
    status: int = 200
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    async def call(self, url: str) -> None:
        async with (
            aiohttp.ClientSession(headers=self.headers) as session,
            session.request(self.method, url + self.path, json=self.json) as response,
        ):
            assert (response.status, await response.json(content_type=None)) == (self.status, self.expected)


@dataclass(frozen=True)
class Refused:
    """A request that exceeds the limit of its caller, and the longest time to wait."""

    path: str
    json: Any
    retry_after: int

    async def call(self, url: str) -> None:
        async with aiohttp.ClientSession() as session, session.post(url + self.path, json=self.json) as response:
            assert response.status == 503
            assert 0 < int(response.headers["Retry-After"]) <= self.retry_after
            assert "for each caller exceeded" in (await response.json(content_type=None))["detail"]


@dataclass(frozen=True)
class Approved:
    """A request that a person approves on a page, and the expected response."""

    path: str
    json: Any
    expected: Any
    credentials: Mapping[str, str]

    async def call(self, url: str) -> None:
        async with aiohttp.ClientSession() as session:
            async with session.post(url + self.path, json=self.json) as response:
                assert response.status == 403
                page = (await response.json(content_type=None))["approval"]["url"]
            async with session.post(page, json={"decision": "approve"}, headers=self.credentials) as response:
                assert response.status == 200
            async with session.post(url + self.path, json=self.json) as response:
                assert (response.status, await response.json()) == (200, self.expected)


@dataclass(frozen=True)
class Tool:
    """A tool call and the expected result; both are JSON."""

    name: str
    expected: Any
    arguments: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    async def call(self, url: str) -> None:
        async with _client(url, self.headers) as client:
            result = await client.call_tool(self.name, dict(self.arguments))
        (content,) = result.content
        assert isinstance(content, TextContent)
        assert not result.is_error, content.text
        assert result.structured_content == self.expected


@dataclass(frozen=True)
class Parts:
    """A tool call whose result is over the budget, and the ids of the items in all parts of the array `name`."""

    tool: str
    arguments: Mapping[str, Any]
    name: str
    ids: Sequence[str]

    async def call(self, url: str) -> None:
        found: list[str] = []
        async with _client(url, {}) as client:
            result = await client.call_tool(self.tool, dict(self.arguments))
            while True:
                assert result.meta is not None
                assert result.structured_content is not None
                found += [item["id"] for item in result.structured_content[self.name]]
                cursor = result.meta["adapter-host/budget"].get("cursor")
                if cursor is None:
                    break
                result = await client.call_tool("next_items", {"cursor": cursor})
        assert found == list(self.ids)


@dataclass(frozen=True)
class Graphql:
    """A document and the expected data."""

    query: str
    expected: Any

    async def call(self, url: str) -> None:
        async with aiohttp.ClientSession() as session, session.post(url, json={"query": self.query}) as response:
            assert await response.json() == {"data": self.expected}


@dataclass(frozen=True)
class Skill:
    """A message of the official A2A client and the data of the artifact."""

    name: str
    expected: Any
    arguments: Mapping[str, Any] = field(default_factory=dict)

    async def call(self, url: str) -> None:
        part = ParseDict({"data": {"skill": self.name, "arguments": self.arguments}}, Part())
        request = SendMessageRequest(message=Message(message_id="1", role=Role.ROLE_USER, parts=[part]))
        async with await ClientFactory().create_from_url(url.removesuffix("/a2a")) as client:
            _, update, _ = [event async for event in client.send_message(request)]
        assert MessageToDict(update.artifact_update.artifact.parts[0].data) == self.expected


@dataclass(frozen=True)
class Grpc:
    """A call with an empty request, and the bytes of the expected responses."""

    method: str
    expected: tuple[bytes, ...]

    async def call(self, url: str) -> None:
        async with grpc.aio.insecure_channel(urlsplit(url).netloc) as channel:
            # A method with one response is a stream of one.
            invoke: Any = channel.unary_stream(self.method)
            assert tuple([response async for response in invoke(b"")]) == self.expected


@dataclass(frozen=True)
class Resource:
    """A resource and its expected content: a string, or JSON."""

    uri: str
    expected: Any

    async def call(self, url: str) -> None:
        async with _client(url, {}) as client:
            (content,) = (await client.read_resource(self.uri)).contents
        assert isinstance(content, TextResourceContents)
        assert (content.text if isinstance(self.expected, str) else json.loads(content.text)) == self.expected


@dataclass(frozen=True)
class Prompt:
    """A prompt and the expected text of its only message."""

    name: str
    expected: str
    arguments: Mapping[str, str]

    async def call(self, url: str) -> None:
        async with _client(url, {}) as client:
            (message,) = (await client.get_prompt(self.name, dict(self.arguments))).messages
        assert isinstance(message.content, TextContent)
        assert message.content.text == self.expected


@dataclass(frozen=True)
class Photograph:
    """A request, a tool call or the URI of a resource, each with the same PNG as the result."""

    path: str = ""
    tool: str = ""
    uri: str = ""

    async def call(self, url: str) -> None:
        kind, body = await (self._get(url) if self.path else self._ask(url))
        assert kind == "image/png"
        assert body.startswith(b"\x89PNG\r\n\x1a\n")

    async def _get(self, url: str) -> tuple[str, bytes]:
        async with aiohttp.ClientSession() as session, session.get(url + self.path) as response:
            assert response.status == 200
            return response.headers["Content-Type"], await response.read()

    async def _ask(self, url: str) -> tuple[str | None, bytes]:
        async with _client(url, {}) as client:
            if self.uri:
                (content,) = (await client.read_resource(self.uri)).contents
                assert isinstance(content, BlobResourceContents)
                return content.mime_type, b64decode(content.blob)
            (image,) = (await client.call_tool(self.tool, {"name": "Eddystone"})).content
            assert isinstance(image, ImageContent)
            return image.mime_type, b64decode(image.data)


def sent(path: str, *, method: str = "GET", query: Any = None, body: Any = None) -> Any:
    """Return the mock server's response for an operation without an example: the request itself."""
    return {"received": {"method": method, "path": path, "query": query or {}, "headers": {}, "body": body}}


CALLS: dict[
    str, list[Rest | Refused | Approved | Tool | Parts | Graphql | Skill | Grpc | Resource | Prompt | Photograph]
] = {
    "netbird-checkout-rest": [
        Rest("/v1/api/integrations/billing/checkout", CHECKOUT, "POST", json=PLAN),
    ],
    "netbird-checkout-mcp": [
        Tool("create-checkout-session", CHECKOUT, {"body": PLAN}),
    ],
    "aquarium-rest": [
        Rest("/animals/Otto", {"name": "Otto", "species": "Enhydra lutris", "tank": 4}),
        Rest("/feedings", [{"animal": "Otto", "at": "11:30"}]),
    ],
    "aquarium-mcp": [
        Tool("read-animal", {"name": "Otto", "species": "Enhydra lutris", "tank": 4}, {"name": "Otto"}),
        Tool("feed", {"animal": "Otto", "at": "16:00"}, {"animal": "Otto", "at": "16:00"}),
    ],
    "quarry-rest": [Rest("/blocks?stone=granite", [{"id": 12, "stone": "granite", "tons": 4.5}])],
    "quarry-mcp": [
        Tool("list-blocks", [{"id": 12, "stone": "granite", "tons": 4.5}], {"stone": "granite"}),
    ],
    "herbarium-rest": [
        Rest("/specimens", {"specimens": SPECIMENS[:2], "next": "2"}),
        Rest("/specimens?limit=100", {"specimens": SPECIMENS}),
    ],
    "herbarium-mcp": [
        Tool("list-specimens", {"result": NAMED_SPECIMENS[:3]}, {"genus": "Acer", "limit": 3}),
        Tool("list-specimens", {"result": NAMED_SPECIMENS[:2]}, {"until": "h3"}),
    ],
    "netbird-rest": [Rest("/peers", [PEER]), Rest("/checkouts", CHECKOUT, "POST", json=PLAN)],
    "netbird-mcp": [Tool("list-peers", [PEER]), Tool("create-checkout", CHECKOUT, PLAN)],
    "netbird-graphql": [Graphql("{ listPeers { id name connected } }", {"listPeers": [PEER]})],
    "netbird-grpc": [Grpc("/netbird.v1.NetBird/ListPeers", (b"\n\x0e\n\x02p1\x12\x06laptop\x18\x01",))],
    "netbird-a2a": [Skill("create-checkout", CHECKOUT, PLAN)],
    "seed-bank-grpc": [
        Grpc("/seedbank.public.v1.Seeds/FindSeed", (SEED,)),
        Grpc("/seedbank.public.v1.Seeds/WatchStock", (b"\x08\x01\x10\x01",)),
    ],
    "seed-bank-rest": [
        Rest(
            "/seeds/Acer",
            {
                "accession": 1,
                "species": "species",
                "storage": "STORAGE_DRY",
                "origins": ["origins"],
                "germinationRate": 1,
            },
        ),
    ],
    "stations-rest": [
        Rest("/stations/S-7/readings", sent("/stations/S-7/readings")),
        Rest(
            "/stations/S-7/readings?since=2026-05-19&limit=3",
            sent("/stations/S-7/readings", query={"from": "2026-05-19", "page_size": "3"}),
        ),
    ],
    "observatory-mcp": [
        Tool("list-telescopes", sent("/telescopes")),
        Tool(
            "call_tool",
            sent("/nights", method="POST", query={"telescope": "Big", "date": "2026-12-24"}),
            {"name": "book-night", "arguments": {"telescope": "Big", "date": "2026-12-24"}},
        ),
    ],
    "archive-mcp": [
        Parts("list-letters", {"year": 1871}, "letters", [f"L-{number:02}" for number in range(1, 13)]),
        Tool("read-letter", sent("/letters/L-01"), {"id": "L-01"}),
    ],
    "concierge-mcp": [
        Tool("greet", {"greeting": "Hello, Ada!", "times": 3}, {"name": "Ada", "times": 3}),
        Tool("observatory_list-telescopes", sent("/telescopes")),
    ],
    "concierge-rest": [
        Rest("/breakfast", {"hours": "7 to 10"}),
        Rest("/guests/greetings/Ada", {"greeting": "Hello, Ada!", "language": "en"}),
    ],
    "library-mcp": [
        Tool(
            "search-books",
            sent("/books", query={"title": "whale", "max-year": "1900", "subject": ["sea", "hunting"]}),
            {"title": "whale", "max-year": 1900, "subject": ["sea", "hunting"]},
        ),
        Tool("end-loan", sent("/loans/7", method="DELETE"), {"id": 7}),
    ],
    "forecast-rest": [
        Rest(
            "/forecast/Berlin",
            {
                "place": "Berlin",
                "days": [
                    {"date": "2026-05-19", "high": 21, "low": 9, "sky": "Fair"},
                    {"date": "2026-05-20", "high": 18, "low": 11, "sky": "Rain"},
                ],
            },
        ),
        Rest("/forecast/Berlin/skies", ["Fair", "Rain"]),
    ],
    "depot-rest": [
        Rest("/depot/articles/A-1", sent("/articles/A-1")),
        Rest("/depot/stock/A-1", sent("/articles/A-1")),
        Rest("/depot/suppliers", {"error": "no operation at /suppliers"}, status=404),
    ],
    "ferries-rest": [Rest("/harbours/OSL/departures?day=2026-05-19", DEPARTURES)],
    "ferries-mcp": [Tool("list-departures", DEPARTURES, {"harbour": "OSL"})],
    "greeting-rest": [Rest("/greetings/Ada", {"greeting": "Hello, Ada!", "language": "en"})],
    "greeting-mcp": [Tool("greet", {"greeting": "Hello, Ada!", "times": 3}, {"name": "Ada", "times": 3})],
    "fleet-rest": [Rest("/boats?price=100", [{"id": 1, "name": "name", "price": "price"}])],
    "fleet-mcp": [Tool("rename-boat", {"affected": 1}, {"id": 1, "name": "Egret"})],
    "guestbook-rest": [Rest("/guests", "greet", "POST", json={"name": "Ada", "times": 2})],
    "orders-rest": [
        Rest("/orders", sent("/orders", method="POST", body=ORDERED), "POST", json=ORDER),
        Rest(
            "/orders", sent("/orders", method="POST", body={**ORDERED, "gift": True}), "POST",
            json={**ORDER, "gift": True},
        ),
    ],
    "orders-mcp": [Tool("create-order", sent("/orders", method="POST", body=ORDERED), ORDER)],
    "buses-rest": [Rest("/departures", sent("/departures"))],
    "control": [
        Rest("/health/live", {"status": "UP"}, headers=CONTROL),
        Rest("/config/validate", {"valid": True, "problems": []}, "POST", headers=CONTROL),
    ],
    "maps-rest": [
        Rest("/styles", sent("/styles")),
        Rest("/places?q=ber", sent("/places", query={"q": "ber"})),
    ],
    "parcels-mcp": [Tool("find-parcel", sent("/parcels/1Z-9"), {"number": "1Z-9"})],
    "notes-mcp": [Tool("list-notes", sent("/notes"), headers={"Authorization": "Bearer mock-NOTES_AGENT_TOKEN"})],
    "notes-rest": [
        Rest("/notes", sent("/notes"), headers={"Authorization": READER}),
    ],
    "bureau-mcp": [
        Tool(
            "translate",
            sent("/orders", method="POST", body={"text": "Guten Tag", "language": "en"}),
            {"text": "Guten Tag", "language": "en"},
        )
    ],
    "trips-rest": [
        Rest(
            "/trains/Berlin/Paris",
            sent("/connections", query={"from": "Berlin", "to": "Paris"}),
        ),
        Rest("/hotels/Paris", sent("/cities/Paris/rooms", query={"guests": "2"})),
    ],
    "rentals-rest": [
        Rest(
            "/quotes/Heron?begin=2026-06-29&days=3",
            {
                "boat": "Heron",
                "total": 420,
                "days": [
                    {"date": "2026-06-29", "price": 120},
                    {"date": "2026-06-30", "price": 120},
                    {"date": "2026-07-01", "price": 180},
                ],
            },
        ),
    ],
    "rentals-mcp": [
        Tool("count-bookings", {"bookings": 3, "nights": 21, "guests": 3.0}, {"boat": "Heron"}),
    ],
    "tearoom-mcp": [
        Tool("find-teas", sent("/teas", query={"kind": "green"}), {"kind": "green"}),
        Resource("tearoom://teas/Silver%20Needle", sent("/teas/Silver Needle")),
        Resource("tearoom://brewing/green.md", (FOLDER / "brewing" / "green.md").read_text()),
        Prompt(
            "recommend",
            "Recommend one tea of the house for this occasion: a birthday. Do not offer: smoke."
            " Read how it is brewed, and say so in one sentence.",
            {"occasion": "a birthday", "dislikes": "smoke"},
        ),
    ],
    "boathouse-rest": [
        Rest("/rentals/7/refunds", {"refunded": True}, "POST", json={"amount": 100}),
        Approved("/rentals/7/refunds", {"amount": 250}, {"refunded": True}, MANAGER),
    ],
    "boathouse-mcp": [Tool("refund-rental", {"refunded": True}, {"rental": "7", "amount": 100})],
    "boathouse-approvals": [Rest("/", {"approvals": []}, headers=MANAGER)],
    "lockers-rest": [
        Rest("/lockers", [{"number": 7, "size": "small", "free": True}]),
        Rest("/lockers/7/rentals", {"locker": 7, "code": "4711"}, "POST", 201, {"name": "Ada", "hours": 3}),
    ],
    "lockers-mcp": [
        Tool("list-lockers", [{"number": 7, "size": "small", "free": True}], {"size": "small"}),
        Tool("rent-locker", {"locker": 7, "code": "4711"}, {"number": 7, "body": {"name": "Ada", "hours": 3}}),
    ],
    "museum-graphql": [
        Graphql(
            "{ getPainting(id: 7) { title technique place { __typename ... on Room { number } } } "
            "searchPaintings { id } }",
            {
                "getPainting": {
                    "title": "The Harbour",
                    "technique": "waterColour",
                    "place": {"__typename": "Room", "number": 3},
                },
                "searchPaintings": [{"id": 7}, {"id": 8}],
            },
        ),
        Graphql(
            'mutation { lendPainting(id: 7, borrower: "Ada") }',
            {"lendPainting": sent("/paintings/7/loans", method="POST", body={"borrower": "Ada"})},
        ),
    ],
    "cinema-rest": [
        Rest("/shows", [{"id": 4, "title": "The Tide"}]),
        *(
            Rest("/seats", sent("/seats", method="POST", body={"seat": seat}), method="POST", json={"seat": seat})
            for seat in ("A1", "A2", "A3")
        ),
        Refused("/seats", {"seat": "A4"}, retry_after=20),
    ],
    "pottery-a2a": [
        Skill("read-kiln", {"celsius": 840, "state": "cooling"}),
        Skill("fire-kiln", sent("/kiln/firings", method="POST", body={"celsius": 1240}), {"celsius": 1240}),
    ],
    "lighthouses-rest": [Photograph(path="/photographs/Eddystone")],
    "lighthouses-mcp": [
        Photograph(tool="show-lighthouse"),
        Photograph(uri="lighthouses://photographs/Eddystone"),
    ],
    "seed-tools": [
        Tool("find-varieties", sent("/varieties", query={"month": "4"}), {"month": 4}),
        Tool(
            "lend-seeds",
            sent("/loans", method="POST", body={"variety": "Blue Lake", "packets": 2}),
            {"variety": "Blue Lake", "packets": 2},
        ),
        Resource("skill://seed-skills/sowing/SKILL.md", (FOLDER / "sowing/SKILL.md").read_text(encoding="utf-8")),
    ],
    "seed-skills": [
        Rest(
            "/skills/sowing/contents",
            {
                "name": "sowing",
                "files": [
                    {"path": path, "size": (FOLDER / "sowing" / path).stat().st_size, "type": "text/markdown"}
                    for path in ("SKILL.md", "references/beds.md")
                ],
            },
        ),
        Rest(
            "/skills/lending",
            {
                "name": "lending",
                "description": "Lends seeds to gardeners.",
                "user-invocable": True,
                "disable-model-invocation": False,
                "tools": [
                    {
                        "name": "lend-seeds",
                        "description": "Lends packets of seeds",
                        "type": "derived",
                        "invocationRef": {"targetNamespace": "seed-tools", "action": "lend-seeds", "mode": "mcp"},
                    }
                ],
            },
        ),
    ],
    "trips-mcp": [
        Tool("find-rooms", sent("/cities/Paris/rooms", query={"guests": "3"}), {"city": "Paris", "guests": "3"}),
    ],
}  # fmt: skip


@asynccontextmanager
async def _client(url: str, headers: Mapping[str, str]) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers=dict(headers)) as http_client,
        Client(streamable_http_client(url, http_client=http_client)) as client,
    ):
        yield client


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def file(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_it_runs_without_warnings(file: Path) -> None:
    assert Host(file, settings=Settings(environment={})).warnings == ()


def test_capability_has_a_description(file: Path) -> None:
    assert file.read_text().startswith("# Shows: ")


def test_the_official_schema_accepts_it(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["validate", "--strict", str(file)])
    assert (code == 0) is (file.name not in LOOSE), capsys.readouterr().err


async def test_each_exposer_responds(file: Path) -> None:
    async with running(file, mock=True) as served:
        await _call_each(served)


async def test_folder_is_served() -> None:
    async with running(FOLDER, mock=True) as served:
        assert {status.namespace for status in served.host.status()} == CALLS.keys()
        await _call_each(served)


async def _call_each(served: Running) -> None:
    for status in served.host.status():
        for call in CALLS[status.namespace]:
            await call.call(served.url(status.namespace))


def test_ports_and_namespaces_are_unique() -> None:
    exposers = [exposer for path in FILES for exposer in Source.read(path).data["capability"]["exposes"]]
    for key in ("port", "namespace"):
        # The control exposer of the language has no namespace; use its type.
        assert len({exposer.get(key, exposer["type"]) for exposer in exposers}) == len(exposers)


@pytest.mark.parametrize("headers", [{}, {"Authorization": encode_basic_auth("reader", "wrong")}])
async def test_missing_credentials_are_rejected(headers: dict[str, str]) -> None:
    async with (
        running(FOLDER / "private-notes.yaml", mock=True) as served,
        aiohttp.ClientSession(headers=headers) as session,
        session.get(served.url("notes-rest") + "/notes") as response,
    ):
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Basic ")


def test_checkout_matches_the_published_file() -> None:
    published = FOLDER.parents[1] / "shared/spec/netbird-checkout.yaml"
    if not published.is_file():
        pytest.skip("the published capability is not at hand")
    ours, theirs = _bare(FOLDER / "netbird-checkout.yaml"), _bare(published)
    assert ours == theirs


def _bare(path: Path) -> Any:
    """Return a document without its prose and examples."""
    return _without(Source.read(path).data, {"info", "description", "x-example"})


def _without(data: Any, keys: set[str]) -> Any:
    if isinstance(data, dict):
        return {key: _without(value, keys) for key, value in data.items() if key not in keys}
    return [_without(value, keys) for value in data] if isinstance(data, list) else data
