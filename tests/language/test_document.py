"""The document: info, binds and imports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapter_host import Host, ProblemsError, Settings

from .conftest import Inspect, Serve
from .served import API, parsed

HEAD = "naftiko: 1.0.0-alpha2"
GREETING = """
  exposes:
    - type: rest
      namespace: web
      port: 0
      resources: [{path: /, operations: [{method: GET, outputParameters: [{type: string, value: Hello}]}]}]
    - type: mcp
      namespace: agents
      port: 0
      tools: [{name: greet, description: Greets, outputParameters: [{name: text, type: string, value: Hello}]}]
"""


def calling(extra: str = "", binds: str = "") -> str:
    """Return a document whose one operation sends the header `X-Token`."""
    return f"""
{HEAD}
{binds}
capability:
  {extra}
  consumes:
    - type: http
      namespace: api
      baseUri: {API}
      inputParameters: [{{name: X-Token, in: header, value: 'is {{{{TOKEN}}}}'}}]
      resources: [{{name: r, path: /r, operations: [{{name: get, method: GET}}]}}]
  exposes:
    - type: rest
      namespace: web
      port: 0
      resources: [{{path: /, operations: [{{method: GET, call: api.get}}]}}]
"""


@pytest.mark.shows("Document", "naftiko", "ikanos")
@pytest.mark.parametrize(("key", "version"), [("naftiko", "1.0.0-alpha2"), ("ikanos", "1.0.0-beta5")])
def test_version_header(key: str, version: str) -> None:
    document = parsed(f"{HEAD}\ncapability:{GREETING}")
    del document["naftiko"]

    def warnings(**header: str) -> list[str]:
        host = Host({**header, **document}, settings=Settings(environment={}))
        return [warning.message.partition(": ")[2] for warning in host.warnings]

    assert warnings(**{key: version}) == []
    assert warnings(**{key: "9.9.9"})[0].startswith("unknown version '9.9.9'")


@pytest.mark.shows("Document", "capability")
@pytest.mark.shows("Capability", "exposes")
async def test_capability_sections(serve: Serve) -> None:
    async with serve(f"{HEAD}\ncapability:{GREETING}") as served:
        assert [item.namespace for item in served.host.status()] == ["web", "agents"]
        assert (await served.rest("GET /")).data == "Hello"
    with pytest.raises(ProblemsError, match="'capability' is missing"):
        Host(parsed(HEAD), settings=Settings(environment={}))
    with pytest.raises(ProblemsError, match="nothing is exposed or consumed"):
        Host(parsed(f"{HEAD}\ncapability: {{}}"), settings=Settings(environment={}))


@pytest.mark.shows("Document", "info")
@pytest.mark.shows("Info", "label", "description")
async def test_label_is_the_title(serve: Serve) -> None:
    async with serve(f"{HEAD}\ncapability:{GREETING}") as bare:
        described = await bare.openapi()
        assert (described["info"]["title"], "description" in described["info"]) == ("web", False)
    info = "info: {label: Greetings, description: Says hello}"
    async with serve(f"{HEAD}\n{info}\ncapability:{GREETING}") as served:
        described = await served.openapi()
        assert (described["info"]["title"], described["info"]["description"]) == ("Greetings", "Says hello")
        async with served.client() as client:
            assert client.server_info is not None
            assert client.server_info.title == "Greetings"


@pytest.mark.shows("Info", "tags", "created", "modified", "stakeholders")
@pytest.mark.shows("Person", "role", "fullName", "email")
@pytest.mark.shows("Binding", "description")
def test_inspect_shows_info(inspect: Inspect) -> None:
    ann = {"role": "owner", "fullName": "Ann Onym", "email": "ann@example.org"}
    dates = {"created": "2026-01-31", "modified": "2026-02-28"}
    info: dict[str, Any] = {"label": "Greetings", "tags": ["polite"], **dates, "stakeholders": [ann]}
    bind = {"namespace": "env", "description": "Ours", "keys": {"TOKEN": "A"}}
    document = {**parsed(f"{HEAD}\ncapability:{GREETING}"), "info": info, "binds": [bind]}
    inspected = inspect(document)
    assert inspected["info"] == info
    assert inspected["binds"] == [{"namespace": "env", "description": "Ours", "variables": ["TOKEN"]}]
    del document["info"], document["binds"]
    inspected = inspect(document)
    assert (inspected["info"], inspected["binds"]) == ({}, [])


@pytest.mark.shows("Document", "binds")
@pytest.mark.shows("Capability", "binds")
@pytest.mark.shows("Binding", "namespace", "location", "keys")
@pytest.mark.shows("BindingKeys")
@pytest.mark.shows("BindingVariableName")
@pytest.mark.shows("IdentifierExtended")
@pytest.mark.shows("UriLocation")
async def test_binds(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "secrets.yaml").write_text("token_1: from-file\n")
    bind = "binds: [{namespace: env, keys: {TOKEN: token_1}}]"
    async with serve(calling(binds=bind), environment={"token_1": "from-environment"}) as served:
        assert (await served.sent("GET /"))["headers"]["x-token"] == "is from-environment"
    async with serve(calling(bind), environment={"token_1": "from-environment"}) as served:
        assert (await served.sent("GET /"))["headers"]["x-token"] == "is from-environment"
    located = bind.replace("keys", "location: 'file://./secrets.yaml', keys")
    async with serve(calling(binds=located), folder=tmp_path) as served:
        assert (await served.sent("GET /"))["headers"]["x-token"] == "is from-file"
    by_name = calling(binds=bind).replace("{{TOKEN}}", "{{env.TOKEN}}")
    async with serve(by_name, environment={"token_1": "by-name"}) as served:
        assert (await served.sent("GET /"))["headers"]["x-token"] == "is by-name"
    with pytest.raises(ProblemsError, match="TOKEN"):
        async with serve(calling(binds=bind.replace("token_1", "another")), environment={"token_1": "a"}):
            pass


@pytest.mark.shows("Document", "consumes")
@pytest.mark.shows("Capability", "consumes")
@pytest.mark.shows("ImportedConsumesHttp", "location", "import", "as", "description")
@pytest.mark.shows("IdentifierKebab")
async def test_consumes_import(serve: Serve, inspect: Inspect, tmp_path: Path) -> None:
    def entry(name: str, path: str) -> dict[str, Any]:
        operation = {"name": "get", "method": "GET"}
        resources = [{"name": "r", "path": path, "operations": [operation]}]
        return {"type": "http", "namespace": name, "baseUri": API, "description": name, "resources": resources}

    shared = {"naftiko": "1.0.0-alpha2", "consumes": [entry("one", "/one"), entry("api", "/two")]}
    document = parsed(f"{HEAD}\ncapability: {{}}")
    document["capability"]["consumes"] = [
        {"location": "./shared.yaml", "import": "api"},
        {"location": "./shared.yaml", "import": "one", "as": "renamed", "description": "Our own words"},
    ]
    resources = [
        {"path": f"/{name}", "operations": [{"method": "GET", "call": f"{name}.get"}]} for name in ("api", "renamed")
    ]
    document["capability"]["exposes"] = [{"type": "rest", "namespace": "web", "port": 0, "resources": resources}]
    async with serve(document, folder=tmp_path, files={"shared.yaml": shared}) as served:
        assert (await served.sent("GET /api"))["path"] == "/two"
        assert (await served.sent("GET /renamed"))["path"] == "/one"
    result = [(item["namespace"], item["description"]) for item in inspect(document)["consumes"]]
    assert result == [("api", "api"), ("renamed", "Our own words")]
