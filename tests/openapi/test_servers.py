"""Base URLs of imported operations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.imported import import_document

Data = dict[str, Any]


def bases(document: Data, folder: Path) -> tuple[dict[str, str], list[str]]:
    """Return the base URL of each operation, and the warnings."""
    capability, warnings = import_document(document, folder)
    return {
        operation["name"]: consumer["baseUri"]
        for consumer in capability["capability"]["consumes"]
        for resource in consumer["resources"]
        for operation in resource["operations"]
    }, warnings


def namespaces(document: Data, folder: Path) -> list[str]:
    capability, _ = import_document(document, folder)
    return [consumer["namespace"] for consumer in capability["capability"]["consumes"]]


def api(paths: Data, *urls: str, **keys: Any) -> Data:
    servers = [{"url": url} for url in urls]
    return {"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "servers": servers, "paths": paths, **keys}


def test_servers_of_operations_and_paths(tmp_path: Path) -> None:
    paths = {
        "/a": {
            "get": {"operationId": "a"},
            "post": {"operationId": "b", "servers": [{"url": "https://b.example.com"}]},
        },
        "/c": {"servers": [{"url": "https://api.example.com/c/"}], "get": {"operationId": "c"}},
        "/d": {"get": {"operationId": "d"}},
    }
    document = api(paths, "https://api.example.com")
    found, warnings = bases(document, tmp_path)
    assert found == {
        "a": "https://api.example.com",
        "b": "https://b.example.com",
        "c": "https://api.example.com/c",
        "d": "https://api.example.com",
    }
    assert warnings == []
    assert namespaces(document, tmp_path) == ["t", "t-b", "t-c"]


@pytest.mark.parametrize("url", ["ftp://a.example.com", "https://a b", "https://a.example.com?x=1", "http://["])
def test_server_that_is_no_base(url: str, tmp_path: Path) -> None:
    found, warnings = bases(api({"/a": {"get": {"operationId": "a"}}}, url, "https://x.example.com"), tmp_path)
    assert found == {"a": "https://x.example.com"}
    assert warnings[0] == f"#/servers/0: '{url}' is not an http or https URL; skipped"


def test_variables_of_servers(tmp_path: Path) -> None:
    server = {"url": "{scheme}://{zone}.example.com:{port}", "variables": {}}
    server["variables"] = {"scheme": {"default": "https"}, "zone": {"default": "eu"}, "port": {"default": 8443}}
    document = api({"/a": {"get": {"operationId": "a"}}})
    document["servers"] = [server]
    assert bases(document, tmp_path)[0] == {"a": "https://eu.example.com:8443"}


def test_self_is_the_base_of_relative_servers(tmp_path: Path) -> None:
    document = api({"/a": {"get": {"operationId": "a"}}}, "./v1", **{"$self": "https://a.example.com/api/openapi.yaml"})
    found, warnings = bases({**document, "openapi": "3.2.0"}, tmp_path)
    assert (found, warnings) == ({"a": "https://a.example.com/api/v1"}, [])


@pytest.mark.parametrize(
    ("keys", "base"),
    [
        ({"host": "a.example.com"}, "https://a.example.com"),
        ({"host": "a.example.com", "schemes": ["http"], "basePath": "/v1/"}, "http://a.example.com/v1"),
        ({"host": "a.example.com", "schemes": ["http", "https"]}, "https://a.example.com"),
        ({"schemes": ["https"], "basePath": "v2"}, "https://localhost/v2"),
        ({"host": "{host}", "basePath": "/v2"}, "https://localhost/v2"),
        ({"host": "a.example.com", "basePath": "/{x}"}, "http://localhost"),
    ],
)
def test_base_of_swagger(keys: Data, base: str, tmp_path: Path) -> None:
    document = {"swagger": "2.0", "info": {"title": "T"}, "paths": {"/a": {"get": {"operationId": "a"}}}, **keys}
    assert bases(document, tmp_path)[0] == {"a": base}


def test_schemes_of_a_swagger_operation(tmp_path: Path) -> None:
    paths = {"/a": {"get": {"operationId": "a", "schemes": ["http"]}, "put": {"operationId": "b"}}}
    document = {"swagger": "2.0", "info": {"title": "T"}, "host": "a.example.com", "schemes": ["https"], "paths": paths}
    assert bases(document, tmp_path)[0] == {"a": "http://a.example.com", "b": "https://a.example.com"}
