"""Headers for caches: those of the API, completed by what the exposer knows."""

from __future__ import annotations

from typing import Any

import pytest

from adapter_host import Result, UpstreamStatusError

READ = {"name": "read", "method": "GET", "path": "/r", "inputParameters": [{"name": "x", "in": "query"}]}
VARIED = {
    "name": "varied",
    "method": "GET",
    "path": "/v",
    "inputParameters": [{"name": "X-Tenant", "in": "header"}, {"name": "theme", "in": "cookie"}],
}
OUTPUT = {"type": "object", "properties": {"name": {"type": "string", "mapping": "$.n"}}}
AUTHENTICATION = {"type": "apikey", "key": "X-Key", "value": "{{KEY}}", "placement": "header"}


def resource(**operation: Any) -> list[dict[str, Any]]:
    return [{"path": "/r", "operations": [{"method": "GET", **operation}]}]


@pytest.mark.parametrize("operation", [{}, {"outputParameters": [OUTPUT]}], ids=["unchanged", "mapped"])
@pytest.mark.parametrize("status", [200, 404])
async def test_response_that_must_not_be_stored(serve: Any, operation: dict[str, Any], status: int) -> None:
    headers = {"Cache-Control": "no-store", "Expires": "0", "Vary": "*", "Age": "3"}
    async with serve(READ, exposed=resource(call="up.read", **operation)) as api:
        api.up.responses["read"] = lambda _: Result(status=status, data={"n": "a"}, headers=headers)
        response = await api("GET", "/r")
    assert (response.status, response.data) == (status, {"name": "a"} if operation and status == 200 else {"n": "a"})
    assert {name: response.headers.get(name) for name in headers} == headers


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize(
    ("received", "expected"),
    [
        ({}, "X-Tenant, Cookie"),
        ({"Vary": "Accept-Language, x-tenant"}, "x-tenant, Cookie, Accept-Language"),
        ({"Vary": "*"}, "*"),
    ],
)
async def test_response_varies_by_the_headers_of_inputs(
    serve: Any, received: dict[str, str], expected: str, status: int
) -> None:
    async with serve(VARIED) as api:
        api.up.responses["varied"] = lambda _: Result(status=status, data=1, headers=received)
        response = await api("GET", "/v", headers={"X-Tenant": "a"})
    assert (response.status, response.headers["Vary"]) == (status, expected)


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        ({"Cache-Control": "Public, max-age=60, S-MaxAge=90"}, "max-age=60, private"),
        ({"Cache-Control": 'private="a, public-b", max-age=5'}, 'private="a, public-b", max-age=5, private'),
        ({"Cache-Control": "no-store"}, "no-store"),
        ({"Cache-Control": "max-age=60", "CDN-Cache-Control": "max-age=600"}, "max-age=60, private"),
        ({"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}, "private"),
        ({}, None),
    ],
)
@pytest.mark.parametrize("status", [200, 404])
async def test_responses_for_authenticated_clients_are_private(
    serve: Any, received: dict[str, str], expected: str | None, status: int
) -> None:
    settings = {"environment": {"KEY": "k"}}
    async with serve(READ, settings=settings, authentication=AUTHENTICATION) as api:
        api.up.responses["read"] = lambda _: Result(status=status, data=1, headers=received)
        response = await api("GET", "/r", headers={"X-Key": "k"})
    assert response.status == status
    assert response.headers.get("Cache-Control") == expected
    assert "CDN-Cache-Control" not in response.headers


STEPS = [{"name": name, "type": "call", "call": f"up.{name}"} for name in ("first", "second")]
MAPPINGS = [{"targetName": "name", "value": "$.first.n"}]


@pytest.mark.parametrize("operation", [{}, {"mappings": MAPPINGS}], ids=["last", "mapped"])
@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"Cache-Control": "NO-STORE"}, {"Cache-Control": "max-age=60", "Age": "1"}, ("no-store", None)),
        ({"CDN-Cache-Control": "no-store"}, {"Date": "x"}, ("no-store", None)),
        ({"Cache-Control": "private"}, {"Expires": "x", "Vary": "A, b"}, ("no-cache, private", "A, b")),
        ({"Vary": "a"}, {"Vary": "A, b"}, ("no-cache", "A, b")),
        ({"Vary": "a"}, {"Vary": "*"}, ("no-cache", "*")),
        ({"Cache-Control": "max-age=5", "Age": "1"}, {}, ("max-age=5", None)),
        ({"X-Other": "1"}, {"X-Other": "1"}, (None, None)),
    ],
)
async def test_result_of_several_responses(
    serve: Any, operation: Any, first: Any, second: Any, expected: tuple[str | None, str | None]
) -> None:
    consumed = [{"name": name, "method": "GET", "path": f"/{name}"} for name in ("first", "second")]
    async with serve(*consumed, exposed=resource(name="both", steps=STEPS, **operation)) as api:
        api.up.responses["first"] = lambda _: Result(data={"n": "a"}, headers=first)
        api.up.responses["second"] = lambda _: Result(data={"n": "b"}, headers=second)
        response = await api("GET", "/r")
    assert response.data == ({"name": "a"} if operation else {"n": "b"})
    assert (response.headers.get("Cache-Control"), response.headers.get("Vary")) == expected
    assert response.headers.get("Age") == first.get("Age")
    assert "Expires" not in response.headers


async def test_error_of_a_step_is_not_stored(serve: Any) -> None:
    def fail(_: Any) -> Result:
        headers = {"Cache-Control": "public, max-age=60", "CDN-Cache-Control": "max-age=600"}
        raise UpstreamStatusError(404, b"{}", "application/json", headers)

    consumed = [{"name": name, "method": "GET", "path": f"/{name}"} for name in ("first", "second")]
    async with serve(*consumed, exposed=resource(name="both", steps=STEPS)) as api:
        api.up.responses["first"] = lambda _: Result(data={}, headers={"Cache-Control": "no-store"})
        api.up.responses["second"] = fail
        response = await api("GET", "/r")
    assert (response.status, response.headers.getall("Cache-Control")) == (404, ["no-store"])
    assert "CDN-Cache-Control" not in response.headers
