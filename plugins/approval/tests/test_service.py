"""Decisions through the service that other plugins of the host find, and their records in the audit log."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from adapter_host import ApprovalError, DecisionService, Host, Plugins, Principal, Settings, UnavailableError
from adapter_host.testing import FakePlugin, Running

from .conftest import BASIC, BOSS, PAGE, REFUND, Shop, document, rest, serving

OPERATOR = Principal(client="an operator in the console")


@asynccontextmanager
async def audited(file: Path) -> AsyncIterator[Shop]:
    """Serve refunds and the pages, with an audit log."""
    plugins = Plugins.installed()
    plugins.register("fake", FakePlugin())
    settings = Settings(environment={}, plugins={"audit": {"file": str(file)}})
    host = Host(document(rest(), PAGE), plugins=plugins, settings=settings)
    async with host, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Shop(Running(host), session)


def service_of(shop: Shop) -> DecisionService:
    (service,) = shop.served.host.services.find(DecisionService)
    return service


async def test_decision_of_an_operator() -> None:
    async with serving(rest(), PAGE) as shop:
        decisions = service_of(shop)
        assert await decisions.waiting(OPERATOR) == []
        await shop.ask()
        await shop.ask({**REFUND, "amount": 251})
        first, second = await decisions.waiting(OPERATOR)
        assert (first.capability, first.exposer, first.operation) == ("Shop", "rest", "refund")
        assert json.loads(first.arguments or "") == REFUND
        assert (first.caller, first.may_decide) == ("a client without authentication at 127.0.0.1", True)
        assert first.url == f"{shop.served.url('page')}/{first.id}"
        assert 0 < first.expires - first.created <= 600
        await decisions.decide(first.id, approve=True, principal=OPERATOR)
        await decisions.decide(second.id, approve=False, principal=OPERATOR)
        assert await decisions.waiting(OPERATOR) == []
        assert (await shop.refund())[0] == 200
        assert (await shop.refund({**REFUND, "amount": 251}))[1]["title"] == "Denied"
        assert shop.calls == [REFUND]
        for decided in (first.id, second.id, "0" * 48, "x"):
            with pytest.raises(ApprovalError):
                await decisions.decide(decided, approve=True, principal=OPERATOR)


async def test_only_approvers_decide() -> None:
    async with serving(rest({"x-approval": {"approvers": ["boss"]}}), PAGE) as shop:
        await shop.ask()
        (waiting,) = await service_of(shop).waiting(OPERATOR)
        assert (waiting.may_decide, waiting.arguments, waiting.approvers) == (False, None, ("boss",))
        for person in (OPERATOR, None, Principal(subject="clerk")):
            with pytest.raises(ApprovalError):
                await service_of(shop).decide(waiting.id, approve=True, principal=person)
        assert (await shop.refund())[0] == 403
        await service_of(shop).decide(waiting.id, approve=True, principal=Principal(subject="boss"))
        assert (await shop.refund())[0] == 200


async def test_page_without_authentication_has_no_link() -> None:
    async with serving(rest(), {**PAGE, "authentication": None}) as shop:
        await shop.refund()
        (waiting,) = await service_of(shop).waiting(OPERATOR)
        assert waiting.url is None


async def test_decisions_after_a_reload() -> None:
    async with serving(rest(), PAGE) as shop:
        await shop.ask()
        await shop.served.host.reload()
        (waiting,) = await service_of(shop).waiting(OPERATOR)
        await service_of(shop).decide(waiting.id, approve=True, principal=OPERATOR)
        assert (await shop.refund())[0] == 200


async def test_decisions_are_in_the_audit_log(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    async with audited(file) as shop:
        url = await shop.ask()
        assert await shop.decide(url, "deny") == 200
        await shop.ask({**REFUND, "amount": 1})
        (waiting,) = await service_of(shop).waiting(OPERATOR)
        await service_of(shop).decide(waiting.id, approve=True, principal=OPERATOR)
    records = [json.loads(line) for line in file.read_text().splitlines()]
    denied, approved = (each for each in records if each.get("event") == "decision")
    assert (denied["decision"], denied["operation"], denied["exposer"]) == ("denied", "refund", "page")
    assert denied["principal"] == {"subject": BASIC["username"]}
    assert denied["approval"]["by"] == BASIC["username"]
    assert (approved["decision"], approved["capability"]) == ("approved", "Shop")
    assert approved["approval"].pop("at") == pytest.approx(waiting.created, abs=60)
    assert approved["approval"] == {
        "id": waiting.id,
        "exposer": "rest",
        "caller": "a client without authentication at 127.0.0.1",
        "by": OPERATOR.client,
    }
    assert "arguments" not in approved


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
async def test_no_decision_without_a_record() -> None:
    async with audited(Path("/dev/full")) as shop:
        # The record of the call fails first, and then the log is known to be full.
        assert (await shop.refund())[0] == 500
        (waiting,) = await service_of(shop).waiting(OPERATOR)
        with pytest.raises(UnavailableError):
            await service_of(shop).decide(waiting.id, approve=True, principal=OPERATOR)
        assert waiting.url is not None
        async with shop.session.post(waiting.url, json={"decision": "approve"}, headers=BOSS) as response:
            assert response.status == 503
        assert [each.id for each in await service_of(shop).waiting(OPERATOR)] == [waiting.id]
        assert shop.calls == []
