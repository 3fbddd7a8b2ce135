"""Tests of idempotency keys: of callers, and of requests to APIs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from aiohttp import web

from adapter_host import (
    ArgumentError,
    Host,
    MemoryStateStore,
    OperationError,
    Principal,
    ProblemsError,
    Settings,
    StoreUnavailableError,
    UnavailableError,
    UpstreamDisconnectedError,
    UpstreamError,
    UpstreamStatusError,
)
from adapter_host.testing import running
from adapter_host_resilience.idempotency.calls import parse_key

from .conftest import abort_connection, plugins, serving

KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"
RETRY = {"backoff": 0.001}


class Orders:
    """An API that counts its orders, and the keys of the requests."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: list[str | None] = []
        self.orders: list[Any] = []
        self.replies: list[Any] = []
        self.arrived = asyncio.Event()
        self.held: asyncio.Event | None = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.keys.append(request.headers.get("Idempotency-Key"))
        self.orders.append(await request.json())
        self.arrived.set()
        if self.held is not None:
            await self.held.wait()
        if self.replies and (reply := self.replies.pop(0)) is not None:
            if callable(reply):
                return await reply(request)  # type: ignore[no-any-return]
            return web.json_response({"failed": True}, status=reply, headers={"Retry-After": "0"})
        return web.json_response({"id": len(self.orders)}, status=201, headers={"Location": f"/{len(self.orders)}"})


@pytest.fixture
async def orders() -> Any:
    orders = Orders()
    async with serving(orders.serve) as orders.url:
        yield orders


def document(
    orders: Orders, consumed: Any = None, exposed: Any = None, *, inputs: Any = (), authentication: Any = None
) -> dict[str, Any]:
    parameters = [{"name": "article", "in": "body", "type": "string"}, *inputs]
    place: dict[str, Any] = {"name": "place", "method": "POST", "inputParameters": parameters}
    operation: dict[str, Any] = {
        "method": "POST", "name": "place", "call": "orders.place",
        "inputParameters": [{"name": "article", "in": "body", "type": "string"}],
    }  # fmt: skip
    if consumed is not None:
        place["x-resilience"] = consumed
    if exposed is not None:
        operation["x-resilience"] = exposed
    rest: dict[str, Any] = {
        "type": "rest", "namespace": "shop", "port": 1, "resources": [{"path": "/orders", "operations": [operation]}],
    }  # fmt: skip
    if authentication:
        rest["authentication"] = authentication
    api = {
        "type": "http", "namespace": "orders", "baseUri": orders.url,
        "resources": [{"path": "/orders", "operations": [place]}],
    }  # fmt: skip
    return {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [api], "exposes": [rest]}}


ONCE: dict[str, Any] = {"idempotency": {}}


async def place(host: Host, key: str | None = KEY, article: str = "tea", subject: str = "ada") -> Any:
    caller: dict[str, Any] = {"principal": Principal(subject), "idempotency_key": key}
    return (await host.call("shop.place", {"article": article}, **caller)).data


async def test_repeated_request_receives_the_stored_response(orders: Orders) -> None:
    async with running(document(orders, exposed=ONCE), plugins=plugins()) as served, aiohttp.ClientSession() as session:
        url, responses = f"{served.url('shop')}/orders", []
        for header in (KEY, f'"{KEY}"', KEY):
            async with session.post(url, json={"article": "tea"}, headers={"Idempotency-Key": header}) as response:
                responses.append((response.status, response.headers["Location"], await response.json()))
        async with session.post(url, json={"article": "milk"}, headers={"Idempotency-Key": KEY}) as response:
            assert response.status == 422
            problem = await response.json()
        for header in ("", "a b", "é", "x" * 256):
            async with session.post(url, json={"article": "tea"}, headers={"Idempotency-Key": header}) as response:
                assert response.status == 400
        both = [("Idempotency-Key", KEY), ("Idempotency-Key", "other")]
        async with session.post(url, json={"article": "tea"}, headers=both) as response:
            assert response.status == 400
        async with session.post(url, json={"article": "tea"}) as response:
            assert (await response.json())["id"] == 2
    assert responses == [responses[0]] * 3
    assert responses[0] == (201, "/1", {"id": 1})
    assert problem["detail"] == "the Idempotency-Key was used with other arguments; use a new key"
    assert problem["title"] == "Idempotency key used before"
    assert len(orders.orders) == 2


async def test_response_belongs_to_caller_operation_and_key(orders: Orders) -> None:
    async with running(document(orders, exposed=ONCE), plugins=plugins()) as served:
        assert await place(served.host) == await place(served.host) == {"id": 1}
        assert await place(served.host, subject="bob") == {"id": 2}
        assert await place(served.host, "another") == {"id": 3}
        assert await place(served.host, None) == {"id": 4}
        await served.host.reload()
        assert await place(served.host) == {"id": 1}


async def test_required_key(orders: Orders) -> None:
    async with running(document(orders, exposed={"idempotency": {"required": True}}), plugins=plugins()) as served:
        with pytest.raises(ArgumentError, match=r"an idempotency key is missing; .* in the header 'Idempotency-Key'"):
            await place(served.host, None)
        assert orders.orders == []
        await place(served.host)


async def test_concurrent_repeat(orders: Orders) -> None:
    orders.held = asyncio.Event()
    async with running(document(orders, exposed=ONCE), plugins=plugins()) as served:
        first = asyncio.create_task(place(served.host))
        await orders.arrived.wait()
        for article, status in (("tea", 409), ("milk", 422)):
            with pytest.raises(OperationError) as caught:
                await place(served.host, article=article)
            assert caught.value.status == status
        orders.held.set()
        assert await first == await place(served.host) == {"id": 1}
    assert len(orders.orders) == 1


async def test_many_concurrent_calls_are_one(orders: Orders) -> None:
    async with running(document(orders, exposed=ONCE), plugins=plugins()) as served:
        results = await asyncio.gather(*(place(served.host) for _ in range(30)), return_exceptions=True)
        assert await place(served.host) == {"id": 1}
    assert len(orders.orders) == 1
    assert all(each == {"id": 1} or getattr(each, "status", 0) == 409 for each in results)


async def test_error_of_the_api_is_replayed(orders: Orders) -> None:
    orders.replies = [404]
    async with running(document(orders, exposed=ONCE), plugins=plugins()) as served:
        errors = []
        for _ in range(2):
            with pytest.raises(UpstreamStatusError) as caught:
                await place(served.host)
            errors.append((caught.value.upstream_status, caught.value.body))
    assert errors == [(404, b'{"failed": true}')] * 2
    assert len(orders.orders) == 1


@pytest.mark.parametrize("status", [408, 409, 425, 429])
async def test_call_that_was_not_carried_out_may_be_repeated(orders: Orders, status: int) -> None:
    orders.replies = [status]
    async with running(document(orders, exposed=ONCE), plugins=plugins()) as served:
        with pytest.raises(UpstreamStatusError):
            await place(served.host)
        assert await place(served.host) == {"id": 2}


async def test_call_that_was_not_sent_may_be_repeated(orders: Orders) -> None:
    limited = {**ONCE, "rate": {"calls": 1, "per": 3600, "wait": 0}}
    async with running(document(orders, exposed=limited), plugins=plugins()) as served:
        await place(served.host)
        for _ in range(2):
            with pytest.raises(UnavailableError):
                await place(served.host, "another")
        # A repeat is no call.
        assert await place(served.host) == {"id": 1}


@pytest.mark.parametrize("failure", [500, 503, abort_connection])
async def test_outcome_is_unknown(orders: Orders, failure: Any) -> None:
    orders.replies = [failure]
    async with running(document(orders, exposed=ONCE), plugins=plugins()) as served:
        with pytest.raises((UpstreamStatusError, UpstreamDisconnectedError)):
            await place(served.host)
        for _ in range(2):
            with pytest.raises(UpstreamError, match=r"the outcome of the first call .* is unknown") as caught:
                await place(served.host)
            assert (caught.value.status, caught.value.sent) == (502, True)
    assert len(orders.orders) == 1


def test_workers_without_a_shared_store_are_a_warning(orders: Orders) -> None:
    exposed = document(orders, exposed={"idempotency": {}})
    hosts = [Host(exposed, plugins=plugins(), settings=Settings(environment={}, workers=number)) for number in (1, 2)]
    assert [[warning.code for warning in host.warnings] for host in hosts] == [[], ["own-keys"]]


async def test_call_goes_on_if_its_caller_hangs_up(orders: Orders) -> None:
    orders.held = asyncio.Event()
    async with running(document(orders, exposed=ONCE), plugins=plugins()) as served:
        first = asyncio.create_task(place(served.host))
        await orders.arrived.wait()
        first.cancel()
        await asyncio.wait([first])
        with pytest.raises(OperationError, match="is in progress"):
            await place(served.host)
        orders.held.set()
        await asyncio.gather(*(each for each in asyncio.all_tasks() if "._lead" in repr(each)))
        assert await place(served.host) == {"id": 1}
    assert first.cancelled()
    assert len(orders.orders) == 1


async def test_number_of_calls_without_a_caller_is_bounded(orders: Orders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapter_host_resilience.idempotency.calls.MAX_ABANDONED", 0)
    orders.held = asyncio.Event()
    async with running(document(orders, exposed=ONCE), plugins=plugins()) as served:
        first = asyncio.create_task(place(served.host))
        await orders.arrived.wait()
        first.cancel()
        await asyncio.wait([first, *(each for each in asyncio.all_tasks() if "._lead" in repr(each))])
        with pytest.raises(UpstreamError, match="is unknown"):
            await place(served.host)
    assert len(orders.orders) == 1


async def test_api_that_recognizes_repeats_is_called_again_with_the_same_key(orders: Orders) -> None:
    orders.replies = [abort_connection]
    consumed = {"idempotencyKey": "Idempotency-Key"}
    async with running(document(orders, consumed, ONCE), plugins=plugins()) as served:
        with pytest.raises(UpstreamDisconnectedError):
            await place(served.host)
        assert await place(served.host) == await place(served.host) == {"id": 2}
        await place(served.host, "another")
    assert orders.keys[0] == orders.keys[1] != orders.keys[2]
    # The API must not receive the keys of callers: two of them may choose the same one.
    assert KEY not in orders.keys


@pytest.mark.parametrize(("idempotent", "requests"), [(True, 2), (False, 1)])
async def test_api_whose_requests_can_be_repeated(orders: Orders, idempotent: bool, requests: int) -> None:
    orders.replies = [abort_connection]
    consumed = {"idempotent": idempotent, "idempotencyKey": "Idempotency-Key"}
    async with running(document(orders, consumed, ONCE), plugins=plugins()) as served:
        for _ in range(2):
            await asyncio.gather(place(served.host), return_exceptions=True)
    assert len(orders.orders) == requests


def test_operation_without_headers() -> None:
    operation = {"name": "read", "x-resilience": {"idempotencyKey": "Idempotency-Key"}}
    consumed = {"type": "fake", "namespace": "things", "operations": [operation]}
    exposed = {"type": "fake", "namespace": "front", "operations": [{"name": "read", "call": "things.read"}]}
    with pytest.raises(ProblemsError, match="'idempotencyKey' is for requests over HTTP"):
        Host(
            {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [consumed], "exposes": [exposed]}}, plugins=plugins()
        )


async def test_key_of_a_request_is_that_of_its_retries(orders: Orders) -> None:
    orders.replies = [503, 503]
    consumed = {"idempotencyKey": "Idempotency-Key", "retry": RETRY}
    async with running(document(orders, consumed), plugins=plugins()) as served:
        assert await place(served.host, None) == {"id": 3}
        assert await place(served.host, None) == {"id": 4}
    assert orders.keys[0] == orders.keys[1] == orders.keys[2] != orders.keys[3]
    assert all(UUID(key) for key in orders.keys)


async def test_calls_without_the_policy_have_no_key(orders: Orders) -> None:
    async with running(document(orders, {"retry": RETRY}), plugins=plugins()) as served:
        await place(served.host)
    assert orders.keys == [None]


async def test_input_takes_precedence(orders: Orders) -> None:
    inputs = [{"name": "Idempotency-Key", "in": "header", "type": "string", "value": "fixed"}]
    async with running(
        document(orders, {"idempotencyKey": "idempotency-key"}, inputs=inputs), plugins=plugins()
    ) as served:
        await place(served.host)
    assert orders.keys == ["fixed"]


async def away(*_: Any) -> Any:
    """Be a method of a store that is away."""
    raise StoreUnavailableError("away")


async def test_store_that_is_away(orders: Orders, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(document(orders, exposed=ONCE), plugins=plugins()) as served:
        monkeypatch.setattr(MemoryStateStore, "get", away)
        with pytest.raises(StoreUnavailableError):
            await place(served.host)
        assert orders.orders == []
        assert await place(served.host, None) == {"id": 1}


async def test_store_that_goes_away_during_a_call(orders: Orders, monkeypatch: pytest.MonkeyPatch) -> None:
    orders.held = asyncio.Event()
    async with running(document(orders, exposed=ONCE), plugins=plugins()) as served:
        first = asyncio.create_task(place(served.host))
        await orders.arrived.wait()
        with monkeypatch.context() as patch:
            patch.setattr(MemoryStateStore, "compare_and_set", away)
            orders.held.set()
            assert await first == {"id": 1}
        with pytest.raises(UpstreamError, match="is unknown"):
            await place(served.host)
    assert len(orders.orders) == 1


async def test_response_that_is_too_large_is_not_kept(orders: Orders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapter_host_resilience.idempotency.records.MAX_KEPT", 5)
    async with running(document(orders, exposed=ONCE), plugins=plugins()) as served:
        assert await place(served.host) == {"id": 1}
        with pytest.raises(OperationError, match="too large to be kept") as caught:
            await place(served.host)
        assert caught.value.status == 409
    assert len(orders.orders) == 1


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (KEY, KEY),
        (f'"{KEY}"', KEY),
        (f"  {KEY} ", KEY),
        ('"a, b"', "a, b"),
        ("x" * 255, "x" * 255),
        (None, None),
    ],
)
def test_keys(text: str | None, key: str | None) -> None:
    assert parse_key(text, required=False) == key


@pytest.mark.parametrize("text", ["", " ", '""', "a b", "a, b", '"a"b"', '"a', "a\\b", "é", "x" * 256, "a\nb"])
def test_invalid_keys(text: str) -> None:
    with pytest.raises(ArgumentError, match="1 to 255 printable ASCII characters"):
        parse_key(text, required=False)


@pytest.mark.parametrize(
    ("consumed", "exposed", "problem"),
    [
        ({"idempotencyKey": "a b"}, None, "not the name of a header"),
        (None, {"idempotency": {"keepFor": 10}}, "keepFor"),
        (None, {"idempotency": {"keep": 10}}, "unknown key 'keep'"),
        (None, {"idempotencyKey": "X"}, "unknown key 'idempotencyKey'"),
    ],
)
def test_invalid_policy(orders: Orders, consumed: Any, exposed: Mapping[str, Any], problem: str) -> None:
    with pytest.raises(ProblemsError, match=problem):
        Host(document(orders, consumed, exposed), plugins=plugins())
