"""Descriptions and previews of requests contain no secrets."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

SECRETS = {"TOKEN": "s3cret", "TEAM": "team-x", "BASE": "base-x"}


async def start_described(start: Any, authentication: Any = None) -> Any:
    operation = {
        "method": "POST",
        "inputParameters": [
            {"name": "limit", "in": "query"},
            {"name": "team", "in": "query", "value": "{{TEAM}}"},
            {"name": "X-Team", "in": "header", "value": "{{TEAM}}"},
            {"name": "X-Trace", "in": "header"},
            {"name": "X-From", "in": "header", "value": "by {{who}}"},
        ],
        "body": {"team": "{{TEAM}}", "note": "{{note}}", "more": "{{more}}"},
    }
    return await start(
        operation,
        path="/{{TEAM}}/things/{id}",
        baseUri="https://{{BASE}}.example.org/v1/",
        secrets=SECRETS,
        authentication=authentication or {"type": "bearer", "token": "{{TOKEN}}"},
    )


async def test_describe_request(start: Any) -> None:
    call = await start_described(start)
    description = call.operation.describe()
    assert orjson.loads(orjson.dumps(description)) == {
        "method": "POST",
        "url": "https://{{env.BASE}}.example.org/v1/{{env.TEAM}}/things/{id}?team={{env.TEAM}}",
        "inputs": [
            {"name": "id", "in": "path", "as": "id"},
            {"name": "limit", "in": "query", "as": "limit"},
            {"name": "X-Trace", "in": "header", "as": "X-Trace"},
            {"name": "who", "in": "header", "as": "X-From"},
            {"name": "note", "in": "body", "as": "note"},
            {"name": "more", "in": "body", "as": "more"},
        ],
        "headers": {"Accept": "application/json", "X-Team": "{{env.TEAM}}"},
        "body": {"type": "json", "data": {"team": "{{TEAM}}", "note": "{{note}}", "more": "{{more}}"}},
        "authentication": "bearer {{env.TOKEN}}",
    }


async def test_preview_request(start: Any) -> None:
    call = await start_described(start)
    description = call.operation.preview({"id": "a b", "limit": 5, "note": "n", "X-Trace": "t"})
    assert {name: description["headers"][name] for name in ("Authorization", "X-Team", "X-Trace", "Content-Type")} == {
        "Authorization": "Bearer {{env.TOKEN}}",
        "X-Team": "{{env.TEAM}}",
        "X-Trace": "t",
        "Content-Type": "application/json",
    }
    url = "https://{{env.BASE}}.example.org/v1/{{env.TEAM}}/things/a%20b?limit=5&team={{env.TEAM}}"
    assert (description["method"], description["url"]) == ("POST", url)
    assert description["body"] == {"team": "{{env.TEAM}}", "note": "n"}
    assert orjson.loads(orjson.dumps(description)) == description


@pytest.mark.parametrize(
    ("authentication", "expected"),
    [
        ({"type": "bearer", "token": "{{TOKEN}}"}, "bearer {{env.TOKEN}}"),
        ({"type": "basic", "username": "me", "password": "{{TOKEN}}"}, "basic me:{{env.TOKEN}}"),
        ({"type": "apikey", "key": "X-K", "value": "{{TOKEN}}"}, "apikey {{env.TOKEN}} as header 'X-K'"),
        (
            {"type": "apikey", "key": "k", "value": "{{TOKEN}}", "placement": "query"},
            "apikey {{env.TOKEN}} as query 'k'",
        ),
    ],
)
async def test_descriptions_contain_no_secrets(start: Any, authentication: Any, expected: str) -> None:
    call = await start_described(start, authentication)
    description = call.operation.describe()
    preview = call.operation.preview({"id": "1", "note": "n"})
    assert description["authentication"] == expected
    assert "{{env.TOKEN}}" in str(preview)
    for secret in SECRETS.values():
        assert secret not in f"{description}{preview}{call.operation!r}{call.consumer!r}"


async def test_preview_of_a_form_is_text(start: Any) -> None:
    body = {"type": "formUrlEncoded", "data": {"key": "{{TOKEN}}", "a": "{{a}}"}}
    call = await start({"method": "POST", "body": body}, secrets=SECRETS)
    assert call.operation.preview({"a": "b c"})["body"] == "key={{env.TOKEN}}&a=b+c"


async def test_preview_of_bytes_is_text(start: Any) -> None:
    content = {"type": "string", "contentEncoding": "base64"}
    inputs = [{"name": "body", "in": "body", "type": "string", "x-schema": content}]
    headers = {"Content-Type": "application/octet-stream"}
    call = await start({"method": "POST", "inputParameters": inputs, "headers": headers})
    assert call.operation.preview({"body": "/wA="})["body"] == "\ufffd\x00"
