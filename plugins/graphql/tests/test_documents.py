"""The limits of documents, the cache, and persisted documents."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession

from adapter_host import ProblemsError
from adapter_host.testing import running
from adapter_host_graphql import documents

from .conftest import Document, Serve, build_host, compiled

TREE = {"type": "object", "properties": {"id": {"type": "integer"}, "children": {}}}
TREE["properties"]["children"] = {"type": "array", "items": {"$ref": "#/x-schemas/Tree"}}  # type: ignore[index]
CONSUMED = [{"name": "read", "method": "GET", "outputParameters": [{"x-schema": {"$ref": "#/x-schemas/Tree"}}]}]
READ = [{"name": "read"}]


def nested(levels: int) -> str:
    return "{ read " + "{ children " * levels + "{ id }" + " }" * levels + " }"


@pytest.mark.parametrize(
    ("keys", "allowed", "rejected", "message"),
    [
        ({"maxDepth": 3}, nested(1), nested(2), "the depth of the operation is 4; at most 3 is allowed"),
        (
            {"maxDepth": 3},
            "{ read { ...t } } fragment t on Tree { children { id } }",
            "{ read { ...t } } fragment t on Tree { children { ...u } } fragment u on Tree { children { id } }",
            "the depth of the operation is 4; at most 3 is allowed",
        ),
        ({"maxComplexity": 22}, nested(1), nested(2), "the complexity of the operation is 122; at most 22 is allowed"),
        (
            {"maxAliases": 2},
            "{ a: read { id } b: read { id } }",
            "{ a: read { id } b: read { x: id } }",
            "the number of aliases of the operation is 3; at most 2 is allowed",
        ),
        (
            {"maxAliases": 2},
            "{ read { id id id } }",
            "{ read { id id id id } }",
            "the number of aliases of the operation is 4; at most 2 is allowed",
        ),
        (
            {"maxTokens": 10},
            "{ read { id id id } }",
            "{ read { id id id id id id } }",
            "Syntax Error: Document contains more than 10 tokens. Parsing aborted.",
        ),
        (
            {"maxDocumentSize": 20},
            "{ read { id } }",
            "{ read { id } }      ",
            "the document must have at most 20 bytes",
        ),
    ],
)
async def test_limits(serve: Serve, keys: Mapping[str, Any], allowed: str, rejected: str, message: str) -> None:
    async with serve(READ, CONSUMED, schemas={"Tree": TREE}, **keys) as client:
        assert (await client(allowed)).status == 200
        calls = len(client.api.calls)
        response = await client(rejected)
        assert (response.status, [error["message"] for error in response.errors]) == (400, [message])
        assert len(client.api.calls) == calls


@pytest.mark.parametrize(
    "query",
    [
        "{ read { ...a } } fragment a on Tree { children { ...a } }",
        "{ read { ...a } } fragment a on Tree { ...b } fragment b on Tree { ...a }",
        "{ read { ...nothing } }",
        "{ read { ... on Nothing { id } } }",
    ],
)
async def test_fragments_without_an_end(serve: Serve, query: str) -> None:
    async with serve(READ, CONSUMED, schemas={"Tree": TREE}) as client:
        response = await client(query)
    assert set(response.codes) == {"GRAPHQL_VALIDATION_FAILED"}


async def test_long_chain_of_fragments(serve: Serve) -> None:
    names = [f"f{number}" for number in range(1_000)]
    chain = " ".join(f"fragment {one} on Tree {{ ...{other} }}" for one, other in pairwise(names))
    query = f"{{ read {{ ...f0 }} }} {chain} fragment f999 on Tree {{ id }}"
    async with serve(READ, CONSUMED, schemas={"Tree": TREE}, maxTokens=10_000) as client:
        response = await client(query)
    assert response.errors[0]["message"] == "the document is nested too deeply"


async def test_introspection_can_be_switched_off(serve: Serve) -> None:
    async with serve(READ, introspection=False) as client:
        assert (await client("{ __typename }")).data == {"__typename": "Query"}
        for query in ("{ __schema { queryType { name } } }", '{ __type(name: "Query") { name } }'):
            assert set((await client(query)).codes) == {"GRAPHQL_VALIDATION_FAILED"}
        (error,) = (await client("{ reed }")).errors
        assert error["message"] == "Cannot query field 'reed' on type 'Query'."


async def test_documents_are_compiled_once(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_CACHED", 2)
    async with serve(READ) as client:
        found = compiled(client.served.host)
        one = await found.find("{ read }", None, None)
        two = await found.find("{ a: read }", None, None)
        assert await found.find("{ read }", None, None) is one
        await found.find("{ b: read }", None, None)
        # The one that was not used for longest has been dropped.
        assert await found.find("{ read }", None, None) is one
        assert await found.find("{ a: read }", None, None) is not two


async def test_tokens_in_the_cache_are_bounded(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_CACHED_TOKENS", 10)
    async with serve(READ) as client:
        found = compiled(client.served.host)
        one = await found.find("{ read }", None, None)
        assert await found.find("{ read }", None, None) is one
        await found.find("{ a: read b: read }", None, None)
        assert await found.find("{ read }", None, None) is not one


def persisted(text: str) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256(text.encode()).hexdigest()}}}


async def test_automatic_persisted_queries(serve: Serve) -> None:
    query = "query ($i: Boolean!) { read @include(if: $i) }"
    async with serve(READ) as client:
        response = await client(variables={"i": True}, **persisted(query))
        assert [error["message"] for error in response.errors] == ["PersistedQueryNotFound"]
        assert response.codes == ["PERSISTED_QUERY_NOT_FOUND"]
        assert (await client(query, variables={"i": False}, **persisted(query))).data == {}
        assert (await client(variables={"i": True}, **persisted(query))).data == {"read": {}}
        extensions = orjson.dumps(persisted(query)["extensions"]).decode()
        response = await client.send("GET", params={"extensions": extensions, "variables": '{"i":true}'})
        assert response.data == {"read": {}}
        response = await client("{ read }", **persisted(query))
        assert response.errors[0]["message"] == "'sha256Hash' is not the SHA-256 of 'query'"
        response = await client(extensions={"persistedQuery": {"version": 2, "sha256Hash": "x"}})
        assert response.codes == ["BAD_REQUEST"]


async def test_automatic_persisted_queries_can_be_switched_off(serve: Serve) -> None:
    async with serve(READ, automaticPersistedQueries=False) as client:
        assert (await client("{ read }", **persisted("{ read }"))).data == {"read": {}}
        assert (await client(**persisted("{ read }"))).codes == ["PERSISTED_DOCUMENT_NOT_FOUND"]


def write(folder: Path, made: dict[str, Any], declared: Any) -> Path:
    (folder / "documents.json").write_bytes(orjson.dumps(declared))
    path = folder / "capability.yaml"
    path.write_bytes(orjson.dumps(made))
    return path


@pytest.mark.parametrize("only", [True, False])
async def test_declared_documents(document: Document, tmp_path: Path, only: bool) -> None:
    keys = {"persistedDocuments": {"location": "file:///./documents.json", "only": only}}
    path = write(tmp_path, document(READ, **keys), {"read-one": "{ read }"})
    async with running(path) as served, ClientSession() as session:
        url = served.url("front")

        async def send(**body: Any) -> Any:
            async with session.post(url, json=body) as response:
                return await response.json()

        digest = sha256(b"{ read }").hexdigest()
        for body in ({"documentId": "read-one"}, {"documentId": f"sha256:{digest}"}, {"query": "{ read }"},
                     persisted("{ read }")):  # fmt: skip
            assert await send(**body) == {"data": {"read": {}}}
        assert (await send(documentId="x"))["errors"][0]["extensions"]["code"] == "PERSISTED_DOCUMENT_NOT_FOUND"
        other = await send(query="{ a: read }")
        if only:
            assert other["errors"][0]["extensions"]["code"] == "PERSISTED_DOCUMENT_REQUIRED"
        else:
            assert other == {"data": {"a": {}}}
        assert served.host.plans[0].loaded.files == (str(path), str(tmp_path / "documents.json"))


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"a": "{ nothing }"}, "documents.json: Cannot query field 'nothing' on type 'Query'."),
        ({"a": "{"}, "documents.json: Syntax Error: Expected Name, found <EOF>."),
        ({"a": 1}, "documents.json must be a JSON object of ids and documents"),
        ([], "documents.json must be a JSON object of ids and documents"),
    ],
)
def test_invalid_declared_documents(document: Document, tmp_path: Path, declared: Any, message: str) -> None:
    keys = {"persistedDocuments": {"location": "file:///./documents.json"}}
    path = write(tmp_path, document(READ, **keys), declared)
    with pytest.raises(ProblemsError) as caught:
        build_host(path)
    (problem,) = caught.value.problems
    assert problem.message == f"file:///./{message}"
    assert problem.line == 1


def test_missing_declared_documents(document: Document, tmp_path: Path) -> None:
    keys = {"persistedDocuments": {"location": "file:///./nothing.json"}}
    path = write(tmp_path, document(READ, **keys), {})
    with pytest.raises(ProblemsError, match="file not found"):
        build_host(path)
