"""The data of the pages of approvals, the audit log and health, and the rights to see and to decide."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from adapter_host import (
    ApprovalError,
    DecisionService,
    Host,
    HostService,
    PendingDecision,
    Principal,
    Settings,
    UpstreamStatusError,
    UpstreamTimeoutError,
    hookimpl,
)
from adapter_host_console import hooks
from adapter_host_console.upstreams import UpstreamLog
from tests.support.console import SHOP

from .desk import DOCUMENT, REFUND
from .test_roles import console_of

BOSS = {"Authorization": aiohttp.encode_basic_auth("boss", "b0ss")}


def host_of(**plugins: Mapping[str, Any]) -> Host:
    data = yaml.safe_load(DOCUMENT.replace("@API@", "https://bank.example.com"))
    console = {"port": 0, "authentication": "desk-approvals", **plugins.pop("console", {})}
    return Host(data, settings=Settings(mock=True, plugins={"console": console, **plugins}))


def operators(capsys: pytest.CaptureFixture[str], **plugins: Mapping[str, Any]) -> Any:
    """Serve the desk; the boss logs in as an operator."""
    return console_of(host_of(console={"operators": ["boss"]}, **plugins), capsys)


async def log_in(url: str, session: aiohttp.ClientSession) -> None:
    async with session.post(f"{url}/login/credentials", headers=BOSS) as response:
        assert response.status == 200


async def get(url: str, session: aiohttp.ClientSession, path: str, **query: str) -> Any:
    async with session.get(f"{url}/api/{path}", params=query) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def decide(url: str, session: aiohttp.ClientSession, body: Any, **headers: str) -> tuple[int, Any]:
    data = body if isinstance(body, str) else json.dumps(body)
    sent = {"Content-Type": "application/json", **headers}
    async with session.post(f"{url}/api/decisions", data=data, headers=sent) as response:
        return response.status, await response.json()


def desk_of(host: Host) -> str:
    return next(each.url for each in host.status() if each.namespace == "desk" and each.url)


async def refund(host: Host, session: aiohttp.ClientSession, **changes: Any) -> int:
    async with session.post(f"{desk_of(host)}/refunds", json={**REFUND, **changes}) as response:
        return response.status


async def test_a_decision(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    host = host_of(console={"operators": ["boss"]}, audit={"file": str(tmp_path / "audit.jsonl")})
    async with console_of(host, capsys) as (url, session):
        await log_in(url, session)
        assert (await refund(host, session), await refund(host, session, amount=251)) == (403, 403)
        waiting = await get(url, session, "decisions")
        first, second = waiting["decisions"]
        assert (waiting["total"], first["operation"], first["may_decide"]) == (2, "refund", True)
        assert 0 <= first["waits"] < 60
        assert 500 < first["expires_in"] <= 600
        approve = {"service": first["service"], "id": first["id"], "decision": "approve"}
        assert await decide(url, session, approve) == (200, {"decided": "approved"})
        assert (await decide(url, session, {**approve, "decision": "deny"}))[0] == 403
        assert await decide(url, session, {**approve, "id": second["id"], "decision": "deny"}) == (
            200,
            {"decided": "denied"},
        )
        assert [await refund(host, session), await refund(host, session, amount=251)] == [200, 403]
        assert (await get(url, session, "decisions"))["total"] == 0
        found = await get(url, session, "audit", caller="BOSS, IN THE CON")
        assert [(each["decision"], each["operation"]) for each in found["rows"]] == [
            ("denied", "refund"),
            ("approved", "refund"),
        ]
        assert found["rows"][0]["record"]["client_address"] == "127.0.0.1"
        called = (await get(url, session, "audit", outcome="200"))["rows"][0]["record"]
        assert len(called["arguments"]["order"]["hash"]) == 32


async def test_a_read_only_session_decides_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    host = host_of(audit={"file": str(tmp_path / "audit.jsonl"), "arguments": "whole"})
    async with console_of(host, capsys) as (url, session):
        await log_in(url, session)
        await refund(host, session)
        (waiting,) = (await get(url, session, "decisions"))["decisions"]
        assert (waiting["may_decide"], waiting["arguments"]) == (False, None)
        sent = {"service": waiting["service"], "id": waiting["id"], "decision": "approve"}
        assert (await decide(url, session, sent))[0] == 403
        assert await refund(host, session) == 403
        assert (await get(url, session, "decisions"))["total"] == 1
        row = (await get(url, session, "audit"))["rows"][0]
        assert (row["operation"], row["outcome"]) == ("refund", "approval-required")
        assert "A-1" not in str(row)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Host": "evil.example.com"},
        {"Cookie": ""},
    ],
)
async def test_a_page_of_another_site_decides_nothing(
    headers: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    host = host_of(console={"operators": ["boss"]})
    async with console_of(host, capsys) as (url, session):
        await log_in(url, session)
        await refund(host, session)
        (waiting,) = (await get(url, session, "decisions"))["decisions"]
        sent = {"service": waiting["service"], "id": waiting["id"], "decision": "approve"}
        if "Cookie" in headers:
            session.cookie_jar.clear()
        assert (await decide(url, session, sent, **headers))[0] in (401, 403, 415)
        assert await refund(host, session) == 403


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"decision": "perhaps"}, 400),
        ({"decision": True}, 400),
        ({"id": 7}, 400),
        ({"id": "0" * 48}, 403),
        ({"service": 7}, 404),
        ({"service": -1}, 404),
        ({"service": True}, 404),
        ({"service": None}, 404),
    ],
)
async def test_invalid_decisions(changes: dict[str, Any], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    host = host_of(console={"operators": ["boss"]})
    async with console_of(host, capsys) as (url, session):
        await log_in(url, session)
        await refund(host, session)
        (waiting,) = (await get(url, session, "decisions"))["decisions"]
        sent = {"service": waiting["service"], "id": waiting["id"], "decision": "approve", **changes}
        assert (await decide(url, session, sent))[0] == status
        assert await refund(host, session) == 403


class Orders(DecisionService):
    """Calls that wait by another plugin."""

    def __init__(self) -> None:
        self.decided: list[tuple[str, bool, Principal | None]] = []

    async def waiting(self, principal: Principal | None) -> list[PendingDecision]:
        return [PendingDecision("a/1", "Shop", "shop", "order", (), "<b>", "ann", 0.0, 1.0, may_decide=True)]

    async def decide(self, decision_id: str, *, approve: bool, principal: Principal | None) -> None:
        if self.decided:
            raise ApprovalError("this order does not wait")
        self.decided.append((decision_id, approve, principal))


async def test_any_plugin_lets_calls_wait(capsys: pytest.CaptureFixture[str]) -> None:
    class OrderPlugin:
        @hookimpl
        def host_services(self, host: Host) -> list[HostService]:
            return [orders]

    orders = Orders()
    host = host_of(console={"operators": ["boss"]})
    host.plugins.register("orders", OrderPlugin())
    async with console_of(host, capsys) as (url, session):
        await log_in(url, session)
        (waiting,) = (await get(url, session, "decisions"))["decisions"]
        assert (waiting["id"], waiting["expires_in"], waiting["url"]) == ("a/1", 0, None)
        sent = {"service": waiting["service"], "id": "a/1", "decision": "deny"}
        assert (await decide(url, session, sent))[0] == 200
        ((decision_id, approve, principal),) = orders.decided
        assert principal is not None
        assert (decision_id, approve, principal.subject) == ("a/1", False, None)
        assert (await decide(url, session, sent))[1]["detail"] == "this order does not wait"


async def test_a_host_without_these_plugins(capsys: pytest.CaptureFixture[str]) -> None:
    async with operators(capsys) as (url, session):
        await log_in(url, session)
        overview = await get(url, session, "overview")
        assert (overview["decides"], overview["audits"]) == (True, False)
        found = await get(url, session, "audit")
        assert (found["rows"], found["complete"]) == ([], True)


async def test_filters_of_the_audit_log(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    records: list[dict[str, Any]] = [
        {"operation": f"read-{number % 2}", "principal": {"subject": f"ann{number % 3}"}, "decision": "allowed",
         "outcome": 200 if number % 5 else 404, "number": number}
        for number in range(300)
    ]  # fmt: skip
    records.append({"decision": "refused", "outcome": 401, "principal": None, "client_address": "192.0.2.7"})
    file.write_text("".join(f"{json.dumps(each)}\n" for each in records))
    async with operators(capsys, audit={"file": str(file)}) as (url, session):
        await log_in(url, session)
        everything = await get(url, session, "audit")
        assert (everything["total"], len(everything["rows"])) == (301, 200)
        assert everything["rows"][0]["caller"] == "192.0.2.7"
        assert everything["values"] == {
            "operation": ["read-0", "read-1"],
            "caller": ["192.0.2.7", "ann0", "ann1", "ann2"],
            "decision": ["allowed", "refused"],
            "outcome": ["200", "401", "404"],
        }
        found = await get(url, session, "audit", operation="D-1", caller="ANN2", outcome="404")
        expected = [each for each in range(300) if each % 2 == 1 and each % 3 == 2 and each % 5 == 0]
        assert [each["record"]["number"] for each in found["rows"]] == expected[::-1]
        assert (await get(url, session, "audit", outcome="40"))["total"] == 0
        assert (await get(url, session, "audit", decision="refused"))["total"] == 1


async def test_health_of_apis() -> None:
    log, now = UpstreamLog(lambda: now), 1000.0
    host = Host(yaml.safe_load(SHOP), settings=Settings(mock=True))
    loaded = host.plans[0].loaded
    errors = [UpstreamStatusError(404, b""), UpstreamStatusError(503, b""), UpstreamTimeoutError("late")]

    async def call(arguments: Any, *, stream: bool = False) -> Any:
        outcome = arguments["outcome"]
        if isinstance(outcome, Exception):
            raise outcome
        return await (asyncio.Event().wait() if outcome == "never" else host.call("shop.find-order", {"number": "7"}))

    counted = log.wrap(loaded, "api", call)
    async with host:
        await counted({"outcome": "found"})
        for error in errors:
            with pytest.raises(type(error)):
                await counted({"outcome": error})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(counted({"outcome": "never"}), 0.01)
        now = 1300.0 - 5
        (api,) = log.health(host.plans)["apis"]
        first = api["buckets"][0]
        assert (first["time"], first["calls"], first["errors"], first["rejected"], first["cancelled"]) == (
            1000, 5, 2, 1, 1,
        )  # fmt: skip
        assert first["p50_ms"] >= 0
        assert api["buckets"][1] == {
            "time": 1005, "calls": 0, "errors": 0, "rejected": 0, "cancelled": 0,
            "p50_ms": None, "p95_ms": None, "p99_ms": None,
        }  # fmt: skip
        assert api["states"] == []


async def test_nothing_is_wrapped_without_a_console() -> None:
    host = Host(yaml.safe_load(SHOP), settings=Settings(mock=True))
    plan = host.plans[0]
    context = plan.exposers[0].exposer.context
    operation = next(iter(plan.exposers[0].exposer.operations.values()))
    config = plan.consumers[0].config
    assert hooks.operation_wrapper(operation=operation, context=context) is None
    assert hooks.consumer_wrapper(config=config, operations=plan.consumed, context=context) is None
    assert hooks.record_calls(host=host) is None
