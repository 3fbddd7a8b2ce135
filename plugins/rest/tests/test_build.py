from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

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


def at(path: str, call: str = "up.read", method: str = "GET") -> dict[str, Any]:
    return {"path": path, "operations": [{"method": method, "call": call}]}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/r/{id", "unbalanced braces in '{id'"),
        ("/r/{a}{b}", "nothing stands between two variables in '{a}{b}'"),
        ("/{id}/{id}", "the variable 'id' stands in it twice"),
    ],
)
def test_wrong_path_is_a_problem(document: Any, path: str, reason: str) -> None:
    (problem,) = problems(document(READ, exposed=[at(path)]))
    assert problem.code == "path"
    assert problem.message.endswith(f"path '{path}': {reason}")


def test_forwarding_to_what_takes_calls_alone_is_a_problem(document: Any) -> None:
    forward = {"path": "/{path}", "forward": {"targetNamespace": "up", "trustedHeaders": ["Accept"]}}
    (problem,) = problems(document(READ, exposed=[forward]))
    assert (problem.code, "'up' takes no forwarded requests, only calls" in problem.message) == ("unsupported", True)


def test_same_route_twice_is_a_problem_that_names_both_places(tmp_path: Path, document: Any) -> None:
    file = tmp_path / "twice.yaml"
    file.write_text(json.dumps(document(READ, exposed=[at("/r/{id}"), at("/r/{ID}")]), indent=1))
    lines = [number for number, line in enumerate(file.read_text().splitlines(), 1) if '"method": "GET"' in line]
    (problem,) = problems(file)
    assert problem.code == "duplicate-route"
    assert f"GET /r/{{ID}} is served already by 'read' at {file}:{lines[1] - 1}:" in problem.message
    assert "(as GET /r/{id})" in problem.message
    assert problem.line == lines[2] - 1


def test_other_methods_and_patterns_are_other_routes(document: Any) -> None:
    host = build(document(READ, exposed=[at("/r/{id}"), at("/r/{id}", method="PUT"), at("/r/{id}.json")]))
    (status,) = host.status()
    titles = [offer.title for offer in status.exposer.catalog()]
    assert titles == ["GET /r/{id}", "PUT /r/{id}", "GET /r/{id}.json"]


def test_unknown_method_is_a_problem(document: Any) -> None:
    (problem,) = problems(document(READ, exposed=[at("/r/{id}", method="BREW")]))
    assert "'method' must be one of 'GET', 'POST', 'PUT', 'PATCH' or 'DELETE'" in problem.message


def test_exposer_without_resources_is_a_problem(document: Any) -> None:
    broken = document(READ)
    broken["capability"]["exposes"][0]["resources"] = []
    (problem,) = problems(broken)
    assert problem.message.endswith("at least one resource is needed")


def test_resource_without_operations_is_a_warning(document: Any) -> None:
    host = build(document(READ, exposed=[at("/r/{id}"), {"path": "/later", "operations": None}]))
    (warning,) = host.warnings
    assert warning.message.endswith("nothing is served at /later: it has no operations")


def test_variable_without_input_is_a_warning(document: Any) -> None:
    declared = at("/r/{id}/{note}")
    declared["operations"][0]["inputParameters"] = [{"name": "id", "in": "path"}, {"name": "note", "value": "n"}]
    host = build(document(READ, exposed=[at("/r/{id}/of/{owner}"), declared]))
    found = [problem.message for problem in host.warnings if problem.code == "unused-variable"]
    assert len(found) == 1
    assert found[0].endswith("path variable 'owner' fills no input of GET /r/{id}/of/{owner}; it is ignored")


def test_offers_say_where_each_input_is_taken_from(document: Any) -> None:
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


def test_usage_fills_in_what_is_needed(document: Any) -> None:
    (status,) = build(document(WRITE)).status()
    assert shlex.split(status.exposer.usage("http://localhost:8080/") or "") == [
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
    ],
)
def test_usage_prefers_the_simplest_and_shows_no_secret(
    document: Any, authentication: dict[str, str], words: list[str]
) -> None:
    (status,) = build(document(WRITE, READ, authentication=authentication)).status()
    usage = shlex.split(status.exposer.usage("http://localhost:8080") or "")
    assert usage == ["curl", "http://localhost:8080/r/ID", *words]


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the repository")
@pytest.mark.parametrize("file", ["rest-repository.yaml", "rest-package.yaml"])
def test_large_documents_of_others_are_routed(file: str) -> None:
    host = Host(CORPUS / "gitea" / "3e34f31" / file, settings=Settings(environment={"GITEA_API_KEY": "k"}))
    rest = next(status for status in host.status() if status.type == "rest")
    titles = [offer.title for offer in rest.exposer.catalog()]
    assert len(titles) == rest.operations == len(set(titles))
    assert not [problem for problem in host.warnings if problem.code == "unused-variable"]
    expected = {
        "rest-repository.yaml": "GET /v1/repos/{owner}/{repo}/git/commits/{sha}.{diffType}",
        "rest-package.yaml": "GET /v1/packages/{owner}/{type}/{name}//latest",
    }
    assert expected[file] in titles
