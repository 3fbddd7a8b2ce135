"""The mock server takes requests as the document declares them."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from adapter_host.testing import running
from tests.support.rest_and_mcp import Data, document, given, operation, resource
from tests.support.upstream import send

QUERY = [
    given("deep", "query", type="object", required=True, **{"x-style": "deepObject"}),
    given("flat", "query", type="object", required=True, **{"x-explode": True}),
    given("tags", "query", type="array", required=True, **{"x-explode": False}),
]


async def mocked(declared: Data, method: str, target: str, **sent: Any) -> Any:
    """Return the response of the mocked API to a caller's request."""
    route = resource("/a", {"method": method, "call": "api.do"})
    data = document("http://api.test", [resource("/a", declared)], rest=[route])
    async with running(data, mock=True) as served, aiohttp.ClientSession() as session:
        return await send(session, method, served.url("site") + target, **sent)


async def test_styled_inputs_are_found() -> None:
    response = await mocked(operation(inputParameters=QUERY), "GET", "/a?deep[role]=x&color=red&tags=a,b")
    assert response.status == 200, response.body
    assert response.data["received"]["query"] == {"deep[role]": "x", "color": "red", "tags": "a,b"}


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json-patch+json",
        "application/vnd.api+json",
        "application/merge-patch+json",
        "application/scim+json",
    ],
)
async def test_declared_json_types_are_accepted(media_type: str) -> None:
    inputs = [given("Content-Type", "header", value=media_type), given("body", "body", type="array", required=True)]
    declared = operation(method="PATCH", inputParameters=inputs)
    response = await mocked(declared, "PATCH", "/a", json=[{"op": "test"}])
    assert response.status == 200, response.body
    assert response.data["received"]["body"] == [{"op": "test"}]
