"""Tests with published capabilities: each operation calls the endpoint that its file describes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from mcp import Client
from mcp_types import CallToolResult, TextContent
from multidict import CIMultiDictProxy
from yarl import URL

from adapter_host.testing import Running, running
from tests.support.corpus_documents import AUTHORS, CORPUS, Document, Unit, capabilities, read
from tests.support.corpus_expectations import Query, Request, arguments, expected, query_of, sent
from tests.support.paths import SHARED

pytestmark = [
    pytest.mark.early,
    pytest.mark.skipif(not CORPUS.is_dir(), reason="the published capabilities are not at ../shared/corpus"),
]
AUTHORS_ONLY = "corpus-authors/"

NAMES = [*capabilities(CORPUS), *capabilities(AUTHORS)]
# The protocol revision, and whether optional inputs are set.
TOOL_CALLS = (("legacy", True), ("2026-07-28", True), ("2026-07-28", False))
REFUSED = [name for name in NAMES if read(name).unresolved]
NOT_CALLS = {
    "amazon-codeguru-reviewer/amazon-codeguru-reviewer-code-review.yaml": ["import"],
    "cloudflare/cloudflare-agent-onboarding.yaml": ["unknown-type", "unknown-type"],
    "microsoft-azure-api-management/ai-gateway-management.yaml": ["missing-key", "missing-key"],
    "microsoft-azure-api-management/developer-onboarding.yaml": ["missing-key", "missing-key"],
    "slack/pins-remove.yaml": ["no-base-uri"],
    "zendesk/deleted-users-users.yaml": ["no-base-uri"],
    "zendesk/queues-omnichannel-routing-queues.yaml": ["no-base-uri"],
}
"""Files with problems that are not in a call, and the codes of these."""
LEGAL_TARGET = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})*")


class Received(NamedTuple):
    """A request that the upstream received."""

    method: str
    target: str
    headers: CIMultiDictProxy[str]
    body: bytes


class Upstream:
    """Records requests; all responses are different."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.sent_body = b""
        self._count = 0

    async def response(self, request: web.BaseRequest) -> web.Response:
        self.received.append(Received(request.method, request.raw_path, request.headers, await request.read()))
        self._count += 1
        self.sent_body = (
            f'{{ "number": {self._count}, "price": 1.50, "text": "\\u00e9\u2713 \\"\\n<{{{{x}}}}>",'
            ' "list": [1, null, true, {"deep": []}], "none": null }\n'
        ).encode()
        return web.Response(body=self.sent_body, content_type="application/json")


@dataclass
class Tally:
    """The operations that were called in this run."""

    capabilities: list[str] = field(default_factory=list)
    operations: int = 0
    tools: int = 0
    requests: int = 0
    wrong_endpoints: int = 0
    duplicates: int = 0


@pytest.fixture(scope="module")
def tally() -> Tally:
    return Tally()


@pytest.fixture
async def upstream() -> AsyncIterator[tuple[Upstream, str]]:
    recorder = Upstream()
    async with RawTestServer(recorder.response) as server:
        yield recorder, str(server.make_url("/"))


@pytest.mark.parametrize("name", NAMES)
async def test_each_operation_calls_the_expected_upstream(
    name: str, upstream: tuple[Upstream, str], tally: Tally
) -> None:
    document = read(name)
    recorder, url = upstream
    tally.capabilities.append(name)
    async with running(
        document.path,
        base_uris={namespace: f"{url}{namespace}/base" for namespace in document.namespaces},
        environment=document.secrets,
        skip_invalid=name in REFUSED or name.removeprefix(AUTHORS_ONLY) in NOT_CALLS,
    ) as served:
        check = Check(document, recorder, tally)
        for optional in (True, False):
            await check.call_operations(served, optional=optional)
        for era, optional in TOOL_CALLS:
            await check.call_tools(served, era, optional=optional)
    if check.wrong:
        pytest.fail("\n".join(check.wrong), pytrace=False)


class Check:
    """Calls every operation of a served document and records differences."""

    def __init__(self, document: Document, upstream: Upstream, tally: Tally) -> None:
        self.wrong: list[str] = []
        self._document = document
        self._upstream = upstream
        self._tally = tally

    async def call_operations(self, served: Running, *, optional: bool) -> None:
        units = [unit for unit in self._document.resolved if unit.path]
        if not units:
            return
        url = served.url(self._document.exposers["rest"])
        async with aiohttp.ClientSession() as session:
            for unit in units:
                values = arguments(unit, optional=optional)
                await self._call_operation(session, url, unit, values)
                self._tally.operations += optional
                self._check_request(unit, values)

    async def _call_operation(
        self, session: aiohttp.ClientSession, url: str, unit: Unit, values: dict[str, Any]
    ) -> None:
        request = sent(unit, values)
        target = URL(f"{url.rstrip('/')}{request.path}?{urlencode(request.query)}".rstrip("?"), encoded=True)
        body = {} if request.body is None else {"json": request.body}
        async with session.request(request.method, target, headers=request.headers, **body) as response:
            found = await response.read()
            if response.status != 200 or (found != self._upstream.sent_body and not unit.mapped):
                self._note(unit, f"received {response.status} {found!r}")

    async def call_tools(self, served: Running, era: str, *, optional: bool) -> None:
        resolved = [unit for unit in self._document.resolved if not unit.path]
        if not resolved:
            return
        async with Client(served.url(self._document.exposers["mcp"]), mode=era) as client:
            listed = [(tool.name, tool.description) for tool in (await client.list_tools()).tools]
            if listed != [(unit.name, unit.described or None) for unit in resolved]:
                self.wrong.append(f"lists the tools {listed}")
            for unit in resolved:
                values = arguments(unit, optional=optional)
                result = await client.call_tool(unit.name, values)
                assert isinstance(result, CallToolResult)
                self._tally.tools += era == "legacy"
                self._check_result(unit, result)
                self._check_request(unit, values)

    def _check_result(self, unit: Unit, result: CallToolResult) -> None:
        texts = [each.text for each in result.content if isinstance(each, TextContent)]
        sent_data = json.loads(self._upstream.sent_body or b"0")
        if result.is_error or (result.structured_content != sent_data and not unit.mapped):
            self._note(unit, f"gave {result.structured_content} and {texts}")

    def _check_request(self, unit: Unit, values: dict[str, Any]) -> None:
        received, self._upstream.received = self._upstream.received, []
        self._upstream.sent_body = b""
        self._tally.requests += len(received)
        if len(received) != 1:
            self._note(unit, f"made {len(received)} upstream requests")
            return
        assert unit.target is not None
        wanted = expected(unit, values, self._document.secrets)
        method, path = wanted.method, f"/{unit.target.namespace}/base{wanted.path}"
        if (received[0].method, received[0].target.partition("?")[0]) != (method, path):
            self._tally.wrong_endpoints += 1
            self._note(unit, f"called {received[0].method} {received[0].target}\n    not {method} {path}")
        for difference in _differences(received[0], wanted):
            self._note(unit, difference)

    def _note(self, unit: Unit, what: str) -> None:
        self.wrong.append(f"{self._document.name}:{unit.line}: {unit.exposer}.{unit.name}: {what}")


def _differences(received: Received, wanted: Request) -> list[str]:
    """Return the differences other than the endpoint."""
    found = []
    if not LEGAL_TARGET.fullmatch(received.target):
        found.append(f"sent an illegal target: {received.target}")
    query = query_of(received.target)
    if _by_name(query) != _by_name(wanted.query):
        found.append(f"sent the query {query}\n    not {wanted.query}")
    for name, value in {"Authorization": None, **wanted.headers}.items():
        values = received.headers.getall(name, [])
        if values != ([] if value is None else [value]):
            found.append(f"sent the header {name}: {values}\n    not {value}")
    if _body(received) != (wanted.body if wanted.body is None else _exact(wanted.body)):
        found.append(f"sent the body {received.body!r}\n    not {wanted.body}")
    return found


def _by_name(query: Query) -> dict[str, list[str]]:
    return {name: [value for other, value in query if other == name] for name, _ in query}


def _body(received: Received) -> str | None:
    """Return a JSON value with exact types, or a marker if it is not JSON."""
    if not received.body:
        return None
    kind = received.headers.get("Content-Type", "").partition(";")[0]
    return _exact(json.loads(received.body)) if kind == "application/json" else repr((kind, received.body))


def _exact(data: Any) -> str:
    return json.dumps(data, sort_keys=True)


@pytest.mark.parametrize("name", NAMES)
def test_ambiguous_names_resolve_to_the_best_match(name: str, tally: Tally) -> None:
    """The chosen endpoint agrees with all other information in the file."""
    for unit in read(name).resolved:
        assert unit.target is not None
        if len(unit.candidates) > 1:
            tally.duplicates += 1
            assert unit.target.description == unit.described
            shapes = [candidate.shape for candidate in unit.candidates]
            assert unit.target.shape == unit.shape or unit.shape not in shapes
            assert unit.method in ("", unit.target.method)


def _validate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "adapter_host", "validate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": os.defpath})


@pytest.mark.parametrize("corpus", [CORPUS, AUTHORS], ids=lambda corpus: corpus.name)
def test_only_calls_without_a_unique_target_are_rejected(corpus: Path) -> None:
    done = _validate("--format", "json", "--separately", corpus)
    report = json.loads(done.stdout)
    problems = [each for each in report["problems"] if each["severity"] == "problem"]
    calls = [each for each in problems if each["code"] in ("unknown-call", "refused-call")]
    others = [each for each in problems if each not in calls]
    names = [name for name in NAMES if corpus in (SHARED / name).parents]
    wanted = [(name, unit.line, unit.call) for name in names for unit in read(name).unresolved]
    found = [
        (
            Path(each["file"]).relative_to(SHARED).as_posix(),
            each["line"],
            re.findall(r"'([\w-]+[.][\w-]+)'", each["message"])[0],
        )
        for each in calls
    ]
    unreadable = {name for name in names if name.removeprefix(AUTHORS_ONLY) in NOT_CALLS}
    assert sorted(found) == sorted(each for each in wanted if each[0] not in unreadable)
    codes: dict[str, list[str]] = {}
    for each in others:
        codes.setdefault(Path(each["file"]).relative_to(AUTHORS).as_posix(), []).append(each["code"])
    assert codes == ({} if corpus == CORPUS else NOT_CALLS)
    refused = {name for name in names if name in REFUSED} | unreadable
    assert (done.returncode, report["capabilities"], report["refused"]) == (1, len(names), len(refused))


@pytest.mark.parametrize("name", REFUSED)
async def test_rejected_operations_are_not_served(name: str, upstream: tuple[Upstream, str]) -> None:
    document = read(name)
    recorder, url = upstream
    served_routes = {(unit.method, unit.path) for unit in document.resolved}
    routes = [(unit.method, unit.path) for unit in document.unresolved if unit.path]
    base_uris = dict.fromkeys(document.namespaces, url)
    async with (
        running(document.path, base_uris=base_uris, environment=document.secrets, skip_invalid=True) as served,
        aiohttp.ClientSession() as session,
    ):
        for method, path in routes:
            if (method, path) not in served_routes:
                base = served.url(document.exposers["rest"]).rstrip("/")
                async with session.request(method, base + re.sub("{.*?}", "acme", path)) as response:
                    assert response.status in (404, 405)
    assert recorder.received == []


def test_every_file_of_the_corpus_was_called(tally: Tally, capsys: pytest.CaptureFixture[str]) -> None:
    if len(tally.capabilities) < len(NAMES):
        pytest.skip("only a part of the corpus was asked for")
    with capsys.disabled():
        print(
            f"\n{len(tally.capabilities)} capabilities: {tally.operations} REST operations and {tally.tools} tools,"
            f" {tally.requests} upstream requests checked, {tally.wrong_endpoints} wrong endpoints"
        )
    assert len(tally.capabilities) == 110 + 87
    # Without those that are refused, each with its line and reason in the test above.
    assert (tally.operations, tally.tools) == (933 - 4 + 300 - 18, 955 - 3 + 341 - 36)
    assert tally.requests == 2 * tally.operations + len(TOOL_CALLS) * tally.tools
    assert (tally.wrong_endpoints, tally.duplicates) == (0, 214 + 4)
