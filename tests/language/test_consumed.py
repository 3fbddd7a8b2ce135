"""Consumed APIs: URLs, requests and parsed responses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Inspect, Serve
from .served import API, parsed


def consuming(consumes: str, *calls: str, **keys: Any) -> dict[str, Any]:
    """Return a document with one consumed API; `POST /NAME` calls each named operation with all inputs."""
    resources = [
        {"path": f"/{name}", "operations": [{"method": "POST", "name": name, "call": f"api.{name}"}]} for name in calls
    ]
    entry = {"type": "http", "namespace": "api", "baseUri": f"{API}/v1", **parsed(consumes)}
    exposes = [{"type": "rest", "namespace": "web", "port": 0, "resources": resources}]
    return {"naftiko": "1.0.0-alpha2", **keys, "capability": {"consumes": [entry], "exposes": exposes}}


@pytest.mark.shows("ConsumesHttp", "baseUri", "resources")
@pytest.mark.shows("ConsumedHttpResource", "path", "operations")
@pytest.mark.shows("ConsumedHttpOperation", "name", "method")
async def test_request_urls(serve: Serve) -> None:
    consumes = """
      resources:
        - name: ships
          path: /ships/{{imo}}
          operations: [{name: get-ship, method: GET}, {name: drop-ship, method: DELETE}]
        - name: ports
          path: /ports
          operations: [{name: get-ports, method: GET}]
    """
    document = consuming(consumes, "get-ship", "drop-ship", "get-ports")
    async with serve(document) as served:
        paths = [
            (await served.sent(f"POST /{request}")) for request in ("get-ship?imo=7", "drop-ship?imo=8", "get-ports")
        ]
    assert [(sent["method"], sent["path"]) for sent in paths] == [
        ("GET", "/v1/ships/7"),
        ("DELETE", "/v1/ships/8"),
        ("GET", "/v1/ports"),
    ]
    document["capability"]["consumes"][0]["baseUri"] = f"{API}/v2"
    async with serve(document) as served:
        assert (await served.sent("POST /get-ports"))["path"] == "/v2/ports"


@pytest.mark.shows("ConsumesHttp", "namespace", "type")
@pytest.mark.shows("ConsumedHttpResource", "name")
async def test_operations_are_found_by_name(serve: Serve) -> None:
    one = """
      resources:
        - {name: ships, path: /ships, operations: [{name: list, method: GET}]}
        - {name: ports, path: /ports, operations: [{name: list, method: GET}]}
    """
    document = consuming(one)
    capability = document["capability"]
    (first,) = capability["consumes"]
    other = {"type": "http", "namespace": "other", "baseUri": f"{API}/other", "resources": first["resources"][:1]}
    capability["consumes"].append(other)
    capability["exposes"][0]["resources"] = [
        {"path": path, "operations": [{"method": "GET", "call": call}]}
        for path, call in (("/a", "api.ships.list"), ("/b", "api.ports.list"), ("/c", "other.list"))
    ]
    async with serve(document) as served:
        paths = [(await served.sent(f"GET {path}"))["path"] for path in ("/a", "/b", "/c")]
    assert paths == ["/v1/ships", "/v1/ports", "/other/ships"]


@pytest.mark.shows("ConsumedInputParameter", "name", "in", "value")
@pytest.mark.shows("ConsumesHttp", "inputParameters")
@pytest.mark.shows("ConsumedHttpResource", "inputParameters")
@pytest.mark.shows("ConsumedHttpOperation", "inputParameters")
async def test_inputs_are_sent_by_location(serve: Serve) -> None:
    consumes = """
      inputParameters: [{name: X-Of-All, in: header, value: all}, {name: SECRET, in: environment, value: '{{TOKEN}}'}]
      resources:
        - name: ships
          path: /ships/{{imo}}
          inputParameters: [{name: of-resource, in: query, value: resource}]
          operations:
            - name: put-ship
              method: PUT
              inputParameters:
                - {name: imo, in: path}
                - {name: flag, in: query}
                - {name: X-Flag, in: header}
                - {name: crumb, in: cookie}
                - {name: crew, in: body}
                - {name: X-Secret, in: header, value: 'is {{SECRET}}'}
        - name: ports
          path: /ports
          operations: [{name: bare, method: PUT}]
    """
    binds = [{"namespace": "env", "keys": {"TOKEN": "A_TOKEN"}}]
    document = consuming(consumes, "put-ship", "bare", binds=binds)
    async with serve(document, environment={"A_TOKEN": "s3cret"}) as served:
        arguments: dict[str, Any] = {"headers": {"X-Flag": "SE"}, "cookies": {"crumb": "c"}, "json": {"crew": ["Ann"]}}
        sent = await served.sent("POST /put-ship?imo=7&flag=NO", **arguments)
        bare = await served.sent("POST /bare?flag=NO")
    assert sent["path"] == "/v1/ships/7"
    assert sent["query"] == {"flag": ["NO"], "of-resource": ["resource"]}
    assert (sent["cookies"], json.loads(sent["body"])) == ({"crumb": "c"}, {"crew": ["Ann"]})
    headers = [sent["headers"].get(name) for name in ("x-flag", "x-of-all", "x-secret")]
    assert headers == ["SE", "all", "is s3cret"]
    assert (bare["query"], bare["cookies"], bare["body"]) == ({}, {}, "")
    assert (bare["headers"]["x-of-all"], bare["headers"].get("x-secret")) == ("all", None)


@pytest.mark.shows("ConsumedHttpOperation", "body")
@pytest.mark.shows("RequestBody")
@pytest.mark.shows("RequestBodyRaw")
@pytest.mark.shows("RequestBodyJson", "type", "data")
@pytest.mark.shows("RequestBodyText", "type", "data")
@pytest.mark.shows("RequestBodyFormUrlEncoded", "type", "data")
async def test_bodies(serve: Serve) -> None:
    bodies = {
        "raw": """'{"name": "{{name}}"}'""",
        "json": "{type: json, data: {name: '{{name}}', of: [1]}}",
        "json-list": "{type: json, data: ['{{name}}']}",
        "json-text": """{type: json, data: '["{{name}}"]'}""",
        "text": "{type: text, data: 'I am {{name}}'}",
        "xml": "{type: xml, data: '<name>{{name}}</name>'}",
        "sparql": "{type: sparql, data: \"ASK {?x :name '{{name}}'}\"}",
        "form": "{type: formUrlEncoded, data: {name: '{{name}}', of: all}}",
        "form-text": "{type: formUrlEncoded, data: 'name={{name}}'}",
    }
    operations = [
        f"{{name: {name}, method: POST{body and f', body: {body}'}}}" for name, body in bodies.items() if body
    ]
    operations.append("{name: none, method: POST}")
    consumes = f"resources: [{{name: r, path: /r, operations: [{', '.join(operations)}]}}]"
    async with serve(consuming(consumes, "none", *bodies)) as served:
        sent = {}
        for name in ("none", *bodies):
            received = await served.sent(f"POST /{name}", json=None if name == "none" else {"name": "A&B"})
            sent[name] = (received["headers"].get("content-type", "").partition(";")[0], received["body"])
    assert sent == {
        "none": ("", ""),
        "raw": ("application/json", '{"name":"A&B"}'),
        "json": ("application/json", '{"name":"A&B","of":[1]}'),
        "json-list": ("application/json", '["A&B"]'),
        "json-text": ("application/json", '["A&B"]'),
        "text": ("text/plain", "I am A&B"),
        "xml": ("application/xml", "<name>A&amp;B</name>"),
        "sparql": ("application/sparql-query", "ASK {?x :name 'A&B'}"),
        "form": ("application/x-www-form-urlencoded", "name=A%26B&of=all"),
        "form-text": ("application/x-www-form-urlencoded", "name=A%26B"),
    }


@pytest.mark.shows("RequestBodyMultipartForm", "type", "data")
@pytest.mark.shows("RequestBodyMultipartFormPart", "name", "value", "filename", "contentType")
async def test_multipart_form(serve: Serve) -> None:
    consumes = """
      resources:
        - name: r
          path: /r
          operations:
            - name: send
              method: POST
              body:
                type: multipartForm
                data:
                  - {name: plain, value: '{{text}}'}
                  - {name: file, value: '{{text}}', filename: a.csv, contentType: text/csv}
    """
    async with serve(consuming(consumes, "send")) as served:
        sent = await served.sent("POST /send", json={"text": "a,b"})
    assert sent["headers"]["content-type"].startswith("multipart/form-data; boundary=")
    plain, file = sent["body"].split("--" + sent["headers"]["content-type"].partition("boundary=")[2].strip('"'))[1:3]
    assert plain.strip().endswith("a,b")
    assert 'name="plain"' in plain
    assert "filename" not in plain
    assert 'name="file"; filename="a.csv"' in file
    assert "Content-Type: text/csv" in file


@pytest.mark.shows("ConsumedHttpOperation", "outputRawFormat")
async def test_formats(serve: Serve) -> None:
    data = {
        "json": b'{"name": "Fram"}',
        "xml": b"<ship><name>Fram</name></ship>",
        "csv": b"name\nFram\n",
        "tsv": b"name\tcrew\nFram\t12\n",
        "psv": b"name|crew\nFram|12\n",
        "yaml": b"name: Fram\n",
    }
    operations = ", ".join(f"{{name: {name}, path: /{name}, method: GET, outputRawFormat: {name}}}" for name in data)
    consumes = f"resources: [{{name: r, path: /r, operations: [{operations}]}}]"
    async with serve(
        consuming(consumes, *data), responses={f"/v1/{name}": body for name, body in data.items()}
    ) as served:
        results = {name: (await served.rest(f"POST /{name}")).data for name in data}
    assert results == {
        "json": {"name": "Fram"},
        "xml": {"name": "Fram"},
        "csv": [{"name": "Fram"}],
        "tsv": [{"name": "Fram", "crew": "12"}],
        "psv": [{"name": "Fram", "crew": "12"}],
        "yaml": {"name": "Fram"},
    }


@pytest.mark.shows("ConsumedHttpOperation", "outputParameters")
@pytest.mark.shows("ConsumedOutputParameter", "name", "type", "value")
async def test_steps_use_declared_outputs(serve: Serve) -> None:
    consumes = """
      resources:
        - name: ships
          path: /ship
          operations:
            - {name: whole, method: GET}
            - name: parts
              method: GET
              outputParameters:
                - {name: name, type: string, value: $.ship.name}
                - {name: size, type: number, value: $.ship.size}
                - {name: size-text, type: string, value: $.ship.size}
    """
    document = consuming(consumes)
    document["capability"]["exposes"][0]["resources"] = [
        {
            "path": f"/{name}",
            "operations": [
                {"method": "GET", "name": name, "steps": [{"type": "call", "name": "one", "call": f"api.{name}"}]}
            ],
        }
        for name in ("whole", "parts")
    ]
    ship = {"ship": {"name": "Fram", "size": 39, "more": True}}
    async with serve(document, responses={"/v1/ship": ship}) as served:
        assert (await served.rest("GET /whole")).data == ship
        assert (await served.rest("GET /parts")).data == {"name": "Fram", "size": 39, "size-text": "39"}


@pytest.mark.shows("ConsumesHttp", "description")
@pytest.mark.shows("ConsumedHttpResource", "label", "description")
@pytest.mark.shows("ConsumedHttpOperation", "label", "description")
async def test_labels_and_descriptions(serve: Serve, inspect: Inspect) -> None:
    consumes = """
      description: The registry of ships
      resources:
        - name: ships
          label: Ships
          description: All of them
          path: /ships
          operations: [{name: told, method: GET, label: List ships, description: Lists every ship}]
        - {name: bare, path: /bare, operations: [{name: untold, method: GET}]}
    """
    document = consuming(consumes, "told", "untold")
    async with serve(document) as served:
        described = (await served.openapi())["paths"]
        assert described["/told"]["post"]["description"] == "Lists every ship"
        assert "description" not in described["/untold"]["post"]
    inspected = inspect(document)
    assert inspected["consumes"] == [{"type": "http", "namespace": "api", "description": "The registry of ships"}]
    labelled, bare = (offer["upstream"][0] for offer in inspected["exposers"][0]["catalog"])
    assert (labelled["label"], labelled["resource"]) == ("List ships", {"label": "Ships", "description": "All of them"})
    assert bare.keys().isdisjoint({"label", "resource"})


@pytest.mark.shows("ConsumedHttpOperation", "outputSchema")
async def test_output_schema(serve: Serve) -> None:
    pytest.importorskip("pyromark")
    operations = [
        "{name: whole, path: /notes, method: GET, outputRawFormat: markdown}",
        "{name: part, path: /notes, method: GET, outputRawFormat: markdown, outputSchema: '# Night'}",
    ]
    consumes = f"resources: [{{name: r, path: /r, operations: [{', '.join(operations)}]}}]"
    notes = b"# Day\nCalm\n\n# Night\nStorm\n"
    async with serve(consuming(consumes, "whole", "part"), responses={"/v1/notes": notes}) as served:
        whole, part = [(await served.rest(f"POST /{name}")).data["sections"] for name in ("whole", "part")]
    assert [section["heading"] for section in whole] == ["Day", "Night"]
    assert [section["heading"] for section in part] == ["Night"]
