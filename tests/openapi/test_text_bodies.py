"""Bodies of text and XML: a REST client sends them as the API's document says, or as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.imported import importing

XML = "<order><item>Nüsse &amp; Öl</item></order>"


def write_document(folder: Path, media_type: str, schema: Any) -> Path:
    """Write a document with a body of a media type."""
    operation = {
        "operationId": "place",
        "requestBody": {"required": True, "content": {media_type: {"schema": schema}}},
        "responses": {"200": {"description": "Placed"}},
    }
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Orders", "version": "1"},
        "paths": {"/orders": {"post": operation}},
    }
    path = folder / "orders.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize(
    ("media_type", "sent"),
    [
        ("application/xml", "application/xml"),
        ("application/xml", "text/xml; charset=utf-8"),
        ("text/xml", "application/xml"),
        ("application/atom+xml", "application/atom+xml"),
        ("text/plain", "text/plain"),
        ("text/csv", "text/csv; charset=iso-8859-1"),
    ],
)
async def test_a_text_is_sent_as_it_is(media_type: str, sent: str, tmp_path: Path) -> None:
    source = write_document(tmp_path, media_type, {"type": "string"})
    async with importing(source, tmp_path) as served:
        charset = sent.partition("charset=")[2] or "utf-8"
        direct = await served.rest("POST", "/orders", data=XML.encode(charset), headers={"Content-Type": sent})
        as_json = await served.rest("POST", "/orders", json={"body": XML})
        assert (direct.status, as_json.status) == (200, 200)
        for call in served.api.seen:
            assert call.body == XML.encode()
            assert call.headers["Content-Type"].partition(";")[0] == media_type
        described = await served.rest("GET", "/openapi.json")
        content = described.data["paths"]["/orders"]["post"]["requestBody"]["content"]
        assert content[media_type]["schema"]["type"] == "string"
        assert content["application/json"]["schema"]["required"] == ["body"]


@pytest.mark.parametrize(
    ("content_type", "data", "status", "detail"),
    [
        ("text/plain", b"x", 415, "the body must be application/xml or JSON; set Content-Type"),
        ("application/xml", b"\xff\xfe\xfd", 400, "the body must be UTF-8"),
        ("application/xml; charset=nothing", b"x", 400, "the body must be in the charset of its Content-Type"),
        ("application/xml; charset=ascii", b"\xfc", 400, "the body must be in the charset of its Content-Type"),
        ("application/json", b"<x/>", 400, "invalid JSON in the body"),
        ("application/xml", b"", 400, "'body' is required"),
    ],
)
async def test_a_body_that_is_no_such_text(
    content_type: str, data: bytes, status: int, detail: str, tmp_path: Path
) -> None:
    source = write_document(tmp_path, "application/xml", {"type": "string"})
    async with importing(source, tmp_path) as served:
        response = await served.rest("POST", "/orders", data=data, headers={"Content-Type": content_type})
        assert (response.status, response.data["detail"].partition(":")[0]) == (status, detail)
        assert served.api.seen == []


async def test_a_text_is_checked_against_its_schema(tmp_path: Path) -> None:
    source = write_document(tmp_path, "text/plain", {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5})
    async with importing(source, tmp_path) as served:
        for data, status in ((b"nuts", 200), (b"NUTS", 400), (b"chestnuts", 400), (b"12", 400)):
            response = await served.rest("POST", "/orders", data=data, headers={"Content-Type": "text/plain"})
            assert response.status == status
        assert [call.body for call in served.api.seen] == [b"nuts"]
