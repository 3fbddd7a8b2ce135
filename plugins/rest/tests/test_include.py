"""`x-include` of `type: rest`: routes of other exposers below a prefix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from adapter_host import CallRecord, Host, Plugins, ProblemsError, Settings
from adapter_host.testing import FakePlugin, Running

Document = dict[str, Any]
BEARER = {"type": "bearer", "token": "right"}


def resource(path: str, *methods: str, **keys: Any) -> Document:
    operations = [
        {"method": method, "name": f"{method.lower()}-{keys['name']}", "call": "api.get"} for method in methods
    ]
    return {"path": path, "operations": operations, **keys}


ORDERS: dict[str, Any] = {
    "type": "rest",
    "namespace": "orders",
    "port": 0,
    "resources": [
        resource("/", "GET", name="orders"),
        resource("/{id}", "GET", "DELETE", name="order", tags=["One"], inputParameters=[{"name": "id", "in": "path"}]),
    ],
}


def shop(*includes: Document, orders: Document = ORDERS, **keys: Any) -> Document:
    desk = {"type": "rest", "namespace": "desk", "port": 0, "resources": [], "x-include": list(includes), **keys}
    operation = {"name": "get", "inputParameters": [{"name": "id", "in": "query"}]}
    consumed = {"type": "fake", "namespace": "api", "operations": [operation]}
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Shop"},
        "capability": {"consumes": [consumed], "exposes": [orders, desk]},
    }


def build(document: Document | Path, **settings: Any) -> Host:
    plugins = Plugins.installed()
    plugins.register("fake", FakePlugin())
    return Host(document, plugins=plugins, settings=Settings(**{"environment": {}, **settings}))


def routes(*includes: Document, **keys: Any) -> list[str]:
    return [entry.title for entry in build(shop(*includes, **keys)).status()[1].exposer.catalog()]


def problems(document: Document | Path) -> list[str]:
    with pytest.raises(ProblemsError) as raised:
        build(document)
    return [f"{problem.code}: {problem}" for problem in raised.value.problems if not problem.warning]


async def test_routes_are_served_below_the_prefix() -> None:
    records: list[CallRecord] = []
    include = {"namespace": "orders", "prefix": "/orders"}
    async with build(shop(include), access_log=records.append) as host, aiohttp.ClientSession() as session:
        running = Running(host)
        url = running.url("desk")
        async with session.get(f"{url}/orders/7") as response:
            assert (response.status, await response.json()) == (200, {"id": "7"})
        async with session.get(f"{url}/orders/") as response:
            assert response.status == 200
        async with session.get(f"{url}/7") as response:
            assert response.status == 404
        async with session.get(f"{url}/openapi.json") as response:
            paths = (await response.json())["paths"]
        async with session.get(f"{running.url('orders')}/7") as response:
            assert response.status == 200
    assert {path: [*methods] for path, methods in paths.items()} == {
        "/orders/": ["get"],
        "/orders/{id}": ["get", "delete"],
    }
    first, own = records[0], records[-1]
    assert (first.path, first.site.exposer, first.operation) == ("/orders/{id}", "orders", "get-order")
    assert (own.path, own.site.exposer) == ("/{id}", "orders")


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"only": {"names": ["get-orders"]}}, ["GET /"]),
        ({"only": {"tags": ["One"]}}, ["GET /{id}", "DELETE /{id}"]),
        ({"only": {"hints": ["readOnly"]}}, ["GET /", "GET /{id}"]),
        ({"except": {"hints": ["destructive"]}}, ["GET /", "GET /{id}"]),
        ({"except": {"tags": ["One"]}}, ["GET /"]),
    ],
)
def test_only_and_except(selection: Document, expected: list[str]) -> None:
    assert routes({"namespace": "orders", **selection}) == expected


async def test_responses_of_an_authenticated_exposer_stay_private() -> None:
    document = shop({"namespace": "orders"}, authentication=BEARER)
    async with build(document) as host, aiohttp.ClientSession() as session:
        running = Running(host)
        headers = {"Authorization": "Bearer right"}
        async with session.get(f"{running.url('desk')}/7") as response:
            assert response.status == 401
        async with session.get(f"{running.url('desk')}/7", headers=headers) as response:
            assert response.status == 200
        routes_of = {status.namespace: status.exposer.routes for status in host.status()}  # type: ignore[attr-defined]
    assert [route.caching.private for route in routes_of["desk"]] == [True] * 3
    assert [route.caching.private for route in routes_of["orders"]] == [False] * 3


def test_protected_operations_are_not_served_without_authentication() -> None:
    (problem,) = problems(shop({"namespace": "orders"}, orders={**ORDERS, "authentication": BEARER}))
    assert problem.startswith("included-authentication: ")


def test_a_duplicate_route_has_both_places(tmp_path: Path) -> None:
    other = {**shop(), "info": {"label": "Other"}}
    other["capability"]["exposes"] = [ORDERS]
    files = {"other.json": other, "shop.json": shop({"location": "other.json"}, {"namespace": "orders"})}
    for name, document in files.items():
        (tmp_path / name).write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    found = problems(tmp_path / "shop.json")
    assert len(found) == 3
    assert found[0].startswith(f"duplicate-route: {tmp_path}/shop.json:")
    assert f"duplicate route GET /; 'get-orders' serves GET / at {tmp_path}/other.json:" in found[0]


@pytest.mark.parametrize(
    ("prefix", "message"),
    [
        ("orders", "the 'prefix' of routes is a path without variables, such as '/orders' (given 'orders')"),
        ("/{id}", "the 'prefix' of routes is a path without variables, such as '/orders' (given '/{id}')"),
        ("/{id", "invalid 'prefix' '/{id': unbalanced braces in '{id'"),
    ],
)
def test_a_prefix_is_a_path(prefix: str, message: str) -> None:
    assert message in problems(shop({"namespace": "orders", "prefix": prefix}))[0]


def test_forwards_are_not_included() -> None:
    forward = {"path": "/raw/{path}", "forward": {"targetNamespace": "web"}}
    orders = {**ORDERS, "resources": [*ORDERS["resources"], forward]}
    document = shop({"namespace": "orders"}, orders=orders)
    consumed = {"type": "http", "namespace": "web", "baseUri": "https://example.com", "resources": []}
    document["capability"]["consumes"].append(consumed)
    host = build(document)
    assert [entry.title for entry in host.status()[1].exposer.catalog()] == ["GET /", "GET /{id}", "DELETE /{id}"]
    assert "forward-not-included" in [warning.code for warning in host.warnings]
