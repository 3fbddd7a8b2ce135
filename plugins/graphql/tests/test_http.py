"""GraphQL over HTTP: methods, media types and statuses."""

from __future__ import annotations

import gzip

import pytest

from .conftest import GRAPHQL, Serve

READ = [{"name": "read"}]
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/*;q=0.5", "application/json"),
        (GRAPHQL, GRAPHQL),
        (f"text/html, {GRAPHQL};q=0.9, application/json;q=0.8", GRAPHQL),
        (f"{GRAPHQL};q=0.1, application/json", "application/json"),
        (f"application/json, {GRAPHQL}", "application/json"),
        (f"{GRAPHQL}; charset=utf-8", GRAPHQL),
        (f"{GRAPHQL};q=x, application/json;q=0.1", "application/json"),
    ],
)
async def test_media_type_of_responses(serve: Serve, accept: str | None, expected: str) -> None:
    async with serve(READ) as client:
        headers = {} if accept is None else {"Accept": accept}
        response = await client.send("POST", json={"query": "{ read }"}, headers=headers, skip_auto_headers=["Accept"])
    assert response.status == 200
    assert response.headers["Content-Type"] == f"{expected}; charset=utf-8"
    assert response.json == {"data": {"read": {}}}


async def test_client_that_accepts_neither_type(serve: Serve) -> None:
    async with serve(READ) as client:
        response = await client("{ read }", accept="text/html, application/json;q=0")
        assert client.api.calls == []
    assert response.status == 406
    assert response.codes == ["BAD_REQUEST"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { read } query B { read }", "BAD_USER_INPUT"),
        ("query ($a: Int!) { read @include(if: true) __typename @skip(if: false) a: __type(name: \"A\") { name } }",
         "GRAPHQL_VALIDATION_FAILED"),
    ],
)  # fmt: skip
async def test_documents_that_are_not_executed(serve: Serve, query: str, code: str) -> None:
    async with serve(READ) as client:
        response = await client(query)
        assert (response.status, set(response.codes)) == (400, {code})
        assert "data" not in response.json
        response = await client(query, accept="application/json")
        assert (response.status, set(response.codes)) == (200, {code})
        assert client.api.calls == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body must be JSON"),
        (b"{", "the body must be JSON"),
        (b"[" * 200 + b"]" * 200, "the body is nested more than 100 levels deep"),
        (b'[{"query":"{read}"}]', "the body must be one JSON object; batches are not supported"),
        (b"{}", "'query' is missing"),
        (b'{"query":7}', "'query' must be a text"),
        (b'{"query":"{read}","operationName":{}}', "'operationName' must be a text"),
        (b'{"query":"{read}","variables":[]}', "'variables' must be an object"),
        (b'{"query":"{read}","extensions":0}', "'extensions' must be an object"),
        (b'{"query":"{read}","documentId":"x"}', "'query' and 'documentId' are mutually exclusive"),
    ],
)
async def test_malformed_requests(serve: Serve, body: bytes, message: str) -> None:
    async with serve(READ) as client:
        for accept in (GRAPHQL, "application/json"):
            response = await client.send("POST", data=body, headers={**JSON, "Accept": accept})
            assert response.status == 400
            assert response.errors == [{"message": message, "extensions": {"code": "BAD_REQUEST"}}]
        assert client.api.calls == []


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/graphql", ""],
)
async def test_bodies_that_any_web_page_can_send_are_rejected(serve: Serve, content_type: str) -> None:
    async with serve(READ) as client:
        response = await client.send("POST", data=b'{"query":"{read}"}', headers={"Content-Type": content_type})
        assert client.api.calls == []
    assert response.status == 415


async def test_charsets(serve: Serve) -> None:
    async with serve(READ) as client:
        for charset, status in (("UTF-8", 200), ("utf-16", 415)):
            content_type = f"application/json; charset={charset}"
            response = await client.send(
                "POST", data='{"query":"{read}"}'.encode(charset), headers={"Content-Type": content_type}
            )
            assert response.status == status


async def test_get_executes_queries_only(serve: Serve) -> None:
    consumed = [{"name": "read", "method": "GET"}, {"name": "write", "method": "POST"}]
    consumed[0]["inputParameters"] = [{"name": "id", "type": "integer"}]  # type: ignore[assignment]
    async with serve([{"name": "read"}, {"name": "write"}], consumed) as client:
        parameters = {"query": "query A($i: Long) { read(id: $i) } mutation B { write }", "variables": '{"i":7}'}
        response = await client.send("GET", params={**parameters, "operationName": "A"})
        assert response.data == {"read": {"id": 7}}
        response = await client.send("GET", params={**parameters, "operationName": "B"})
        assert response.status == 405
        assert response.headers["Allow"] == "POST"
        assert client.api.calls == [("read", {"id": 7})]
        response = await client.send("HEAD", params={"query": "{ read }"})
        assert (response.status, response.body) == (200, b"")
        response = await client.send("GET", params={"query": "{ read }", "variables": "x"})
        assert response.errors[0]["message"] == "'variables' must be JSON"


async def test_other_methods(serve: Serve) -> None:
    async with serve(READ) as client:
        response = await client.send("PUT", json={"query": "{ read }"})
    assert response.status == 405
    assert response.headers["Allow"] == "GET, HEAD, POST"


async def test_endpoint_and_root_of_the_exposer(serve: Serve) -> None:
    async with serve(READ) as client:
        root = client.url.removesuffix("/graphql")
        for url, status in ((client.url, 200), (f"{root}/", 200), (f"{root}/other", 404)):
            async with client.session.post(url, json={"query": "{ read }"}) as response:
                assert response.status == status


async def test_coded_bodies(serve: Serve) -> None:
    body = gzip.compress(b'{"query":"{read}"}')
    async with serve(READ) as client:
        response = await client.send("POST", data=body, headers={**JSON, "Content-Encoding": "gzip"})
        assert response.data == {"read": {}}
        response = await client.send("POST", data=body, headers={**JSON, "Content-Encoding": "br"})
        assert (response.status, response.headers["Accept-Encoding"]) == (415, "gzip, deflate")


async def test_large_bodies(serve: Serve) -> None:
    async with serve(READ, settings={"body_limit": 1_000}) as client:
        response = await client("{ read }", variables={"x": "y" * 1_000})
    assert response.status == 413
