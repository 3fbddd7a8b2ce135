"""REST exposers."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from adapter_host import Host, Settings, StartError

from .conftest import Convert, Serve
from .served import API, parsed

SHIPS = f"""
naftiko: 1.0.0-alpha2
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: {API}
      resources:
        - name: ships
          path: /ships
          operations:
            - {{name: find, method: GET, inputParameters: [{{name: q, in: query}}]}}
            - {{name: add, method: POST, inputParameters: [{{name: q, in: body}}]}}
"""


def rest(*resources: str, **keys: Any) -> dict[str, Any]:
    """Return a document that exposes resources, each as YAML."""
    document: dict[str, Any] = parsed(SHIPS)
    exposer = {"type": "rest", "namespace": "web", "port": 0, **keys, "resources": [parsed(item) for item in resources]}
    return {**document, "capability": {**document["capability"], "exposes": [exposer]}}


FIND = "{path: /ships, operations: [{method: GET, call: api.find}]}"


@pytest.mark.shows("ExposesRest", "port")
async def test_port(convert: Convert) -> None:
    with socket.socket() as used_port:
        used_port.bind(("127.0.0.1", 0))
        used_port.listen()
        port = used_port.getsockname()[1]
        with pytest.raises(StartError, match=str(port)):
            async with Host(convert(rest(FIND, port=port)), settings=Settings(environment={})):
                pass
    async with Host(convert(rest(FIND, port=port)), settings=Settings(environment={})) as served:
        assert served.status()[0].url == f"http://127.0.0.1:{port}"


@pytest.mark.shows("ExposesRest", "address")
@pytest.mark.shows("Address")
@pytest.mark.shows("Hostname")
@pytest.mark.shows("IPv4")
async def test_address(convert: Convert) -> None:
    async def reached(address: str, host: str) -> bool:
        document = convert(rest(FIND, address=address))
        async with Host(document, settings=Settings(environment={})) as served, aiohttp.ClientSession() as session:
            port = urlsplit(served.status()[0].url or "").port
            try:
                async with session.get(f"http://{host}:{port}/openapi.json") as response:
                    return response.status == 200
            except aiohttp.ClientConnectionError:
                return False

    assert await reached("localhost", "127.0.0.1")
    assert not await reached("localhost", "127.0.0.2")
    assert await reached("127.0.0.2", "127.0.0.2")
    assert not await reached("127.0.0.2", "127.0.0.1")


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
@pytest.mark.shows("IPv6")
async def test_ipv6_address(convert: Convert) -> None:
    async with Host(convert(rest(FIND, address="::1")), settings=Settings(environment={})) as served:
        url = served.status()[0].url
        assert url is not None
        assert url.startswith("http://[::1]:")
        async with aiohttp.ClientSession() as session, session.get(f"{url}/openapi.json") as response:
            assert response.status == 200


@pytest.mark.shows("ExposesRest", "type", "namespace", "resources", "authentication")
async def test_namespaces(serve: Serve) -> None:
    document = rest(FIND)
    (first,) = document["capability"]["exposes"]
    barred = {"type": "bearer", "token": "let-me-in"}
    other = {**first, "namespace": "closed", "authentication": barred, "resources": [parsed(FIND.replace("/s", "/t"))]}
    document["capability"]["exposes"] = [first, other]
    async with serve(document) as served:
        assert [item.type for item in served.host.status()] == ["rest", "rest"]
        assert (await served.rest("GET /ships")).status == 200
        assert (await served.rest("GET /thips")).status == 404
        assert (await served.rest("GET /thips", of="closed")).status == 401
        allowed = {"Authorization": "Bearer let-me-in"}
        assert (await served.rest("GET /thips", of="closed", headers=allowed)).status == 200


@pytest.mark.shows("ExposedResource", "path", "operations")
@pytest.mark.shows("ExposedOperation", "method", "call")
async def test_requests_are_routed_by_path_and_method(serve: Serve) -> None:
    resource = """
      path: /fleet/{q}
      operations:
        - {method: GET, call: api.find}
        - {method: PUT, call: api.add}
    """
    async with serve(rest(resource)) as served:
        sent = await served.sent("GET /fleet/a")
        assert (sent["method"], sent["query"]) == ("GET", {"q": ["a"]})
        sent = await served.sent("PUT /fleet/b")
        assert (sent["method"], sent["body"]) == ("POST", '{"q":"b"}')
        assert (await served.rest("DELETE /fleet/c")).status == 405
        assert (await served.rest("GET /ships")).status == 404


@pytest.mark.shows("ExposedOperation", "with")
@pytest.mark.shows("WithInjector")
async def test_with_maps_inputs(serve: Serve) -> None:
    def resource(path: str, source: str) -> str:
        inputs = "[{name: a, in: query, type: string, description: A}]"
        operation = f"{{method: GET, inputParameters: {inputs}, call: api.find, with: {source}}}"
        return f"{{path: {path}, operations: [{operation}]}}"

    document = rest(
        resource("/named", "{q: web.a}"), resource("/number", "{q: 7}"), resource("/text", "{q: 'x-{{a}}'}")
    )
    async with serve(document) as served:
        assert (await served.sent("GET /named?a=1"))["query"] == {"q": ["1"]}
        assert (await served.sent("GET /number?a=1"))["query"] == {"q": ["7"]}
        assert (await served.sent("GET /text?a=1"))["query"] == {"q": ["x-1"]}


@pytest.mark.shows("ExposedInputParameter", "name", "in", "value")
@pytest.mark.shows("ExposedOperation", "inputParameters")
async def test_inputs_are_read_by_location(serve: Serve) -> None:
    def resource(position: str, name: str, more: str = "", path: str = "") -> str:
        argument = f"{{name: {name}, in: {position}, type: string, description: A{more}}}"
        return f"""
          path: {path or "/" + position}
          operations:
            - {{method: POST, inputParameters: [{argument}], call: api.add, with: {{q: "{{{{{name}}}}}"}}}}
        """

    document = rest(
        resource("query", "flag"),
        resource("header", "X-Flag"),
        resource("cookie", "flag"),
        resource("body", "flag"),
        resource("path", "flag", path="/path/{flag}"),
        resource("query", "flag", ", value: NO", path="/constant"),
    )
    async with serve(document) as served:

        async def received(request: str, **sent: Any) -> str:
            body: str = (await served.sent(f"POST {request}", **sent))["body"]
            return body

        everywhere = {
            "headers": {"X-Flag": "from-header"},
            "cookies": {"flag": "from-cookie"},
            "json": {"flag": "from-body"},
        }
        assert await received("/query?flag=from-query") == '{"q":"from-query"}'
        assert await received("/header", headers=everywhere["headers"]) == '{"q":"from-header"}'
        assert await received("/cookie", cookies=everywhere["cookies"]) == '{"q":"from-cookie"}'
        assert await received("/body", json=everywhere["json"]) == '{"q":"from-body"}'
        assert await received("/path/from-path") == '{"q":"from-path"}'
        assert await received("/constant") == '{"q":"NO"}'


@pytest.mark.shows("ExposedInputParameter", "type", "pattern", "description")
async def test_inputs_are_validated_and_described(serve: Serve) -> None:
    def resource(name: str, keys: str) -> str:
        argument = f"{{name: q, in: query, {keys}}}"
        return f"{{path: /{name}, operations: [{{method: POST, inputParameters: [{argument}], call: api.add}}]}}"

    document = rest(
        resource("text", "type: string, description: Any text"),
        resource("number", "type: integer, description: A number"),
        resource("flag", "type: string, description: A flag, pattern: '^[A-Z]{2}$'"),
    )
    async with serve(document) as served:
        assert (await served.sent("POST /text?q=5"))["body"] == '{"q":"5"}'
        assert (await served.sent("POST /number?q=5"))["body"] == '{"q":5}'
        assert (await served.rest("POST /text?q=no")).status == 200
        refused = await served.rest("POST /number?q=no")
        assert (refused.status, refused.data["parameter"]) == (400, "q")
        refused = await served.rest("POST /flag?q=no")
        assert (refused.status, refused.data["parameter"]) == (400, "q")
        assert (await served.rest("POST /flag?q=NO")).status == 200
        (described,) = (await served.openapi())["paths"]["/text"]["post"]["parameters"]
        assert described["description"] == "Any text"


@pytest.mark.shows("ExposedResource", "inputParameters", "name", "label", "description")
@pytest.mark.shows("ExposedOperation", "name", "label", "description")
async def test_resources_are_described(serve: Serve) -> None:
    bare = "{path: /bare, name: ships, operations: [{method: GET, name: bare, call: api.find}]}"
    named = """
      path: /named
      name: fleet
      inputParameters: [{name: q, in: query, type: string, description: All take it, pattern: '^[a-z]+$'}]
      operations: [{method: GET, name: find-ship, label: Find, description: Finds a ship, call: api.find}]
    """
    labelled = """
      path: /labelled
      name: yard
      label: The fleet
      description: Every ship
      operations: [{method: GET, call: api.find}]
    """
    async with serve(rest(bare, named, labelled)) as served:
        described = await served.openapi()
        operations = {path: entry["get"] for path, entry in described["paths"].items()}
        assert operations["/bare"]["tags"] == ["ships"]
        assert operations["/named"]["tags"] == ["fleet"]
        assert operations["/labelled"]["tags"] == ["The fleet"]
        assert described["tags"] == [
            {"name": "ships"},
            {"name": "fleet"},
            {"name": "The fleet", "description": "Every ship"},
        ]
        assert operations["/bare"]["operationId"] == "bare"
        assert "summary" not in operations["/bare"]
        operation_doc = {key: operations["/named"][key] for key in ("operationId", "summary", "description")}
        assert operation_doc == {"operationId": "find-ship", "summary": "Find", "description": "Finds a ship"}
        assert (await served.rest("GET /bare?q=7")).status == 200
        assert (await served.rest("GET /named?q=7")).status == 400


@pytest.mark.shows("ExposedOperation", "outputParameters", "steps", "mappings", "ref")
async def test_operation_modes(serve: Serve) -> None:
    resource = """
      path: /ships
      operations:
        - {method: GET, call: api.find, outputParameters: [{type: string, mapping: $.path}]}
        - method: POST
          name: twice
          steps: [{type: call, name: one, call: api.find}, {type: call, name: two, call: api.add}]
          mappings: [{targetName: first, value: $.one.method}, {targetName: last, value: $.two.method}]
        - {method: PUT, name: again, steps: [{type: call, name: one, call: api.add}]}
        - {method: PATCH, ref: fleet.fixed}
    """
    document = rest(resource)
    function = {"name": "fixed", "description": "One", "outputParameters": [{"type": "string", "value": "fixed"}]}
    document["capability"]["aggregates"] = [{"label": "Fleet", "namespace": "fleet", "functions": [function]}]
    async with serve(document) as served:
        assert (await served.rest("GET /ships")).data == "/ships"
        assert (await served.rest("POST /ships")).data == {"first": "GET", "last": "POST"}
        assert (await served.rest("PUT /ships")).data["method"] == "POST"
        assert (await served.rest("PATCH /ships")).data == "fixed"


@pytest.mark.shows("ExposedResource", "forward")
@pytest.mark.shows("ForwardConfig", "targetNamespace", "trustedHeaders")
async def test_forward(serve: Serve) -> None:
    def resource(target: str, more: str = "") -> str:
        return f"{{path: '/{target}{more and '-trusted'}/{{path}}', forward: {{targetNamespace: {target}{more}}}}}"

    document = rest(resource("api"), resource("other"), resource("api", ", trustedHeaders: [X-Trace]"))
    other = {"type": "http", "namespace": "other", "baseUri": f"{API}/other"}
    document["capability"]["consumes"].append(other)
    async with serve(document) as served:
        headers = {"X-Trace": "1", "X-Other": "2"}
        sent = await served.sent("PATCH /api/a/b?c=1", headers=headers, data=b"bytes")
        forwarded = (sent["method"], sent["path"], sent["query"], sent["body"])
        assert forwarded == ("PATCH", "/a/b", {"c": ["1"]}, "bytes")
        assert sent["headers"].keys().isdisjoint({"x-trace", "x-other"})
        assert (await served.sent("GET /other/a"))["path"] == "/other/a"
        sent = await served.sent("GET /api-trusted/a", headers=headers)
        assert (sent["headers"]["x-trace"], "x-other" in sent["headers"]) == ("1", False)
