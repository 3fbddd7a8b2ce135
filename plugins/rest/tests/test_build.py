from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host import Host, Plugins, Problem, ProblemsError, Settings
from adapter_host.testing import FakePlugin

READ = {"name": "read", "method": "GET", "path": "/r/{id}", "inputParameters": [{"name": "id", "in": "path"}]}
WRITE = {
    "name": "write",
    "method": "POST",
    "path": "/w",
    "inputParameters": [
        {"name": "title", "in": "body", "type": "string", "required": True},
        {"name": "count", "in": "body", "type": "integer"},
        {"name": "X-Key", "in": "header", "required": True},
        {"name": "lang", "in": "cookie", "required": True},
        {"name": "mode", "in": "query", "type": "boolean", "required": True},
    ],
}
CORPUS = Path(__file__).parents[4] / "shared" / "corpus"


def build(document: Any) -> Host:
    plugins = Plugins.installed()
    plugins.register("fake", FakePlugin())
    return Host(document, plugins=plugins, settings=Settings(environment={"TOKEN": "s3cret"}))


def problems(document: Any) -> Sequence[Problem]:
    with pytest.raises(ProblemsError) as caught:
        build(document)
    return [problem for problem in caught.value.problems if not problem.warning]


def resource_at(path: str, call: str = "up.read", method: str = "GET") -> dict[str, Any]:
    return {"path": path, "operations": [{"method": method, "call": call}]}


@pytest.mark.parametrize(
    "path",
    [
        "/r/{id",
        "/r/{a}{b}",
        "/{id}/{id}",
    ],
)
def test_invalid_paths(document: Any, path: str, snapshot: SnapshotAssertion) -> None:
    (problem,) = problems(document(READ, exposed=[resource_at(path)]))
    assert problem.code == "path"
    assert problem.message == snapshot


def test_forward_to_a_consumer_without_pass_through(document: Any, snapshot: SnapshotAssertion) -> None:
    forward = {"path": "/{path}", "forward": {"targetNamespace": "up", "trustedHeaders": ["Accept"]}}
    (problem,) = problems(document(READ, exposed=[forward]))
    assert problem.code == "unsupported"
    assert problem.message == snapshot


def test_duplicate_route_names_both_positions(tmp_path: Path, document: Any, snapshot: SnapshotAssertion) -> None:
    file = tmp_path / "twice.yaml"
    file.write_text(json.dumps(document(READ, exposed=[resource_at("/r/{id}"), resource_at("/r/{ID}")]), indent=1))
    lines = [number for number, line in enumerate(file.read_text().splitlines(), 1) if '"method": "GET"' in line]
    (problem,) = problems(file)
    assert problem.code == "duplicate-route"
    assert f"{file}:{lines[1] - 1}:" in problem.message
    assert problem.message.replace(str(tmp_path), "") == snapshot
    assert problem.line == lines[2] - 1


def test_routes_differ_by_method_and_pattern(document: Any) -> None:
    host = build(
        document(
            READ, exposed=[resource_at("/r/{id}"), resource_at("/r/{id}", method="PUT"), resource_at("/r/{id}.json")]
        )
    )
    (status,) = host.status()
    titles = [entry.title for entry in status.exposer.catalog()]
    assert titles == ["GET /r/{id}", "PUT /r/{id}", "GET /r/{id}.json"]


def test_unknown_method_is_a_problem(document: Any, snapshot: SnapshotAssertion) -> None:
    (problem,) = problems(document(READ, exposed=[resource_at("/r/{id}", method="BREW")]))
    assert problem.message == snapshot


@pytest.mark.parametrize("resources", [[], None])
def test_exposer_without_resources_is_a_warning(document: Any, snapshot: SnapshotAssertion, resources: Any) -> None:
    empty = document(READ)
    empty["capability"]["exposes"][0]["resources"] = resources
    (warning,) = build(empty).warnings
    assert warning.message == snapshot


@pytest.mark.parametrize("path", ["/r?id={other}", "/r?a={id}-{x}", "/r?{id}"])
def test_variables_in_the_query_of_a_route_are_refused(document: Any, path: str, snapshot: SnapshotAssertion) -> None:
    (problem,) = problems(document(READ, exposed=[resource_at(path)]))
    assert problem.code == "path"
    assert problem.message == snapshot


def test_routes_with_the_same_query_are_duplicates(document: Any) -> None:
    exposed = [resource_at("/r/{id}?a=1&b=2"), resource_at("/r/{id}?a=1"), resource_at("/r/{id}?b=2&a=1")]
    assert [problem.code for problem in problems(document(READ, exposed=exposed))] == ["duplicate-route"]


def test_fragment_of_a_route_is_ignored(document: Any) -> None:
    host = build(document(READ, exposed=[resource_at("/r/{id}#details")]))
    assert [warning.code for warning in host.warnings] == ["fragment"]
    (entry,) = host.status()[0].exposer.catalog()
    assert entry.title == "GET /r/{id}"


def test_resource_without_operations_is_a_warning(document: Any, snapshot: SnapshotAssertion) -> None:
    host = build(document(READ, exposed=[resource_at("/r/{id}"), {"path": "/later", "operations": None}]))
    (warning,) = host.warnings
    assert warning.message == snapshot


def test_variable_without_input_is_a_warning(document: Any, snapshot: SnapshotAssertion) -> None:
    declared = resource_at("/r/{id}/{note}")
    declared["operations"][0]["inputParameters"] = [{"name": "id", "in": "path"}, {"name": "note", "value": "n"}]
    host = build(document(READ, exposed=[resource_at("/r/{id}/of/{owner}"), declared]))
    (warning,) = [problem for problem in host.warnings if problem.code == "unused-variable"]
    assert "'owner'" in warning.message
    assert warning.message == snapshot


def test_catalog_lists_input_locations(document: Any) -> None:
    (status,) = build(document(READ, WRITE)).status()
    read, write = status.exposer.catalog()
    assert read.title == "GET /r/{id}"
    assert read.details["inputs"] == [
        {"name": "id", "in": "path", "type": None, "required": False, "description": None}
    ]
    assert write.title == "POST /w"
    assert {i["name"]: i["in"] for i in write.details["inputs"]} == {
        "title": "body",
        "count": "body",
        "X-Key": "header",
        "lang": "cookie",
        "mode": "query",
    }


def test_usage_fills_in_required_inputs(document: Any) -> None:
    (status,) = build(document(WRITE)).status()
    assert shlex.split(status.exposer.usage("http://localhost:8080/") or "", comments=True) == [
        *("curl", "-X", "POST", "http://localhost:8080/w?mode=true"),
        *("-H", "X-Key: X_KEY", "-b", "lang=LANG"),
        *("-H", "Content-Type: application/json", "-d", '{"title":"...","count":1}'),
    ]


@pytest.mark.parametrize(
    ("authentication", "words"),
    [
        ({"type": "bearer", "token": "{{TOKEN}}"}, ["-H", "Authorization: Bearer ..."]),
        ({"type": "apikey", "key": "X-Key", "value": "{{TOKEN}}"}, ["-H", "X-Key: ..."]),
        ({"type": "basic", "username": "u", "password": "{{TOKEN}}"}, ["-u", "USER:PASSWORD"]),
        ({"type": "mutualTLS"}, ["--cert", "client.pem", "--key", "client.key"]),
    ],
)
def test_usage_uses_the_simplest_route_without_secrets(
    document: Any, authentication: dict[str, str], words: list[str]
) -> None:
    (status,) = build(document(WRITE, READ, authentication=authentication)).status()
    usage = shlex.split(status.exposer.usage("http://localhost:8080") or "", comments=True)
    assert usage == ["curl", "http://localhost:8080/r/ID", *words]


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the repository")
@pytest.mark.parametrize("file", ["rest-repository.yaml", "rest-package.yaml"])
def test_large_published_documents(file: str) -> None:
    host = Host(CORPUS / "gitea" / "3e34f31" / file, settings=Settings(environment={"GITEA_API_KEY": "k"}))
    rest = next(status for status in host.status() if status.type == "rest")
    titles = [entry.title for entry in rest.exposer.catalog()]
    assert len(titles) == rest.operations == len(set(titles))
    assert not [problem for problem in host.warnings if problem.code == "unused-variable"]
    expected = {
        "rest-repository.yaml": "GET /v1/repos/{owner}/{repo}/git/commits/{sha}.{diffType}",
        "rest-package.yaml": "GET /v1/packages/{owner}/{type}/{name}//latest",
    }
    assert expected[file] in titles


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_method_with_a_body_without_an_input_of_the_body(
    document: Any, method: str, snapshot: SnapshotAssertion
) -> None:
    (warning,) = build(document({**READ, "method": method})).warnings
    assert warning.code == "no-body"
    assert warning.message == snapshot(name="message")


def test_documents_that_declare_their_bodies_have_no_warning(document: Any) -> None:
    start = {**READ, "name": "start", "method": "POST", "path": "/r/{id}/start"}
    assert [warning.code for warning in build(document(start)).warnings] == ["no-body"]
    assert build(document(start, WRITE)).warnings == ()
    count = {"name": "count", "in": "query"}
    assert build(document({**start, "inputParameters": [*READ["inputParameters"], count]})).warnings == ()


def test_declared_absence_of_a_body(document: Any) -> None:
    operation = {"method": "POST", "call": "up.read", "inputParameters": []}
    made = document({**READ, "method": "POST"}, exposed=[{"path": "/r/{id}", "operations": [operation]}])
    assert build(made).warnings == ()
