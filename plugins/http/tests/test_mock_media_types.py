"""Media types of the mock server, placeholders of paths, and values that a query cannot contain."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host import ArgumentError
from adapter_host_http.encoding import sparql_bare, sparql_name_part
from adapter_host_http.request.url import as_tags


@pytest.mark.parametrize(
    ("operation", "media_type"),
    [
        ({"outputRawFormat": "csv", "x-example": "a,b"}, "text/csv"),
        ({"outputRawFormat": "yaml", "x-example": {"a": 1}}, "application/yaml"),
        ({"outputRawFormat": "binary", "x-example": "data:image/png;base64,AAAA"}, "image/png"),
        ({"outputRawFormat": "binary", "x-example": "data:;base64,AAAA"}, "text/plain"),
        ({"x-example": {"a": 1}}, "application/json"),
    ],
    ids=str,
)
async def test_media_type_of_an_example(start: Any, operation: dict[str, Any], media_type: str) -> None:
    call = await start(operation, settings={"mock": True})
    async with aiohttp.ClientSession() as session, session.get(f"{call.consumer.base_uri}/things") as response:
        assert (response.status, response.content_type) == (200, media_type)


def test_placeholders_as_tags() -> None:
    assert as_tags("/{a}/{{b}}/{ c }x{d.e}") == "/{{a}}/{{b}}/{{c}}x{{d.e}}"


@pytest.mark.parametrize("encode", [sparql_bare, sparql_name_part])
def test_values_that_a_query_cannot_contain(encode: Any, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(ArgumentError) as raised:
        encode("name", "a b")
    assert raised.value.parameter == "name"
    assert raised.value.message == snapshot
