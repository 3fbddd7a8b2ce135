"""Features of the later language only: tags, binary data, cache hints, imports of all sections."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from adapter_host import Host, ProblemsError, Settings

from .served import API, Served, dumped, inspected, parsed, served

PHOTOS = {"/photo": b"P" * 1032, "/data": {"a": 1}}


def later(exposes: str, aggregates: str = "", *, info: str = "", operation: str = "", resource: str = "") -> Any:
    """Return a document of the later language; `operation` and `resource` are more keys of the consumed API."""
    return parsed(f"""
ikanos: 1.0.0-beta5
info: {{display: Photos, description: Photos of ships{info}}}
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: {API}
      resources:
        photos:
          path: /photo
          operations:
            photo: {{method: GET, outputRawFormat: binary{operation}}}
        data: {{path: /data, operations: {{data: {{method: GET}}}}{resource}}}
  {aggregates and f"aggregates: [{{display: Shared, namespace: shared, flows: {aggregates}}}]"}
  exposes: {exposes}
""")


def rest(operation: str, more: str = "", keys: str = "") -> str:
    """Return a REST exposer with `GET /`, as YAML."""
    resource = f"{{path: /, operations: {{show: {{method: GET, {operation}}}}}{more}}}"
    return f"[{{type: rest, namespace: web, port: 0, resources: {{root: {resource}}}{keys}}}]"


def mcp(more: str = "", tool: str = "description: A photo, call: api.photo") -> str:
    """Return an MCP exposer with one tool, `show`, as YAML."""
    return f"[{{type: mcp, namespace: agents, port: 0, tools: {{show: {{{tool}}}}}{more}}}]"


async def content(of: Served) -> tuple[bool, dict[str, Any]]:
    """Return the tool's error flag and first content block."""
    async with of.client() as client:
        result = await client.call_tool("show", {})
    return result.is_error, dumped(result.content[0])


@pytest.mark.shows("Info", "version")
async def test_version_is_shown() -> None:
    exposes = [*later(rest("call: api.data"))["capability"]["exposes"], *later(mcp())["capability"]["exposes"]]
    for info, version in ((", version: 2.1.0", "2.1.0"), ("", "unspecified")):
        document = later("[]", info=info)
        document["capability"]["exposes"] = exposes
        async with served(document) as of:
            assert (await of.openapi())["info"]["version"] == version
            async with of.client() as client:
                assert client.server_info is not None
                assert (client.server_info.version == "2.1.0") is bool(info)


@pytest.mark.shows("ExposedResource", "tags")
@pytest.mark.shows("ExposedOperation", "tags")
@pytest.mark.shows("McpTool", "tags")
@pytest.mark.shows("ConsumedHttpResource", "tags")
@pytest.mark.shows("ConsumedHttpOperation", "tags")
@pytest.mark.shows("AggregateFlow", "tags")
async def test_tags(tmp_path: Path) -> None:
    flow = "{show: {description: A, tags: [of-flow], call: api.data}}"
    exposes = rest("call: api.data, tags: [of-operation]", ", tags: [of-resource]")
    document = later(exposes, flow, operation=", tags: [of-photo]", resource=", tags: [of-data]")
    async with served(document) as of:
        described = await of.openapi()
        assert described["paths"]["/"]["get"]["tags"] == ["of-resource", "of-operation"]
        assert described["tags"] == [{"name": "of-resource"}, {"name": "of-operation"}]
    async with served(later(rest("call: api.data"))) as of:
        assert (await of.openapi())["paths"]["/"]["get"]["tags"] == ["root"]
    details = inspected(document, tmp_path)
    (offer,) = details["exposers"][0]["catalog"]
    assert offer["tags"] == ["of-operation"]
    assert offer["upstream"][0]["resource"] == {"tags": ["of-data"]}
    assert details["aggregates"][0]["functions"][0]["tags"] == ["of-flow"]
    tool = later(mcp(tool="description: A, call: api.photo, tags: [of-tool]"), operation=", tags: [of-photo]")
    (offer,) = inspected(tool, tmp_path)["exposers"][0]["catalog"]
    assert (offer["tags"], offer["upstream"][0]["tags"]) == (["of-tool"], ["of-photo"])


@pytest.mark.shows("ConsumedHttpOperation", "outputMediaType", "outputRawFormat")
@pytest.mark.shows("AggregateFlow", "outputMediaType")
async def test_binary_media_types() -> None:
    async def media_type(exposes: str, flow: str = "", **more: str) -> tuple[str | None, bool]:
        async with served(later(exposes, flow, **more), responses=PHOTOS) as of:
            response = await of.rest("GET /")
            (content,) = (await of.openapi())["paths"]["/"]["get"]["responses"]["2XX"]["content"]
            return response.headers.get("Content-Type"), content == response.headers.get("Content-Type")

    assert await media_type(rest("call: api.photo")) == ("application/octet-stream", False)
    assert await media_type(rest("call: api.photo"), operation=", outputMediaType: image/png") == ("image/png", True)
    flow = "{show: {description: A, call: api.photo, outputMediaType: image/webp}}"
    assert await media_type(rest("ref: shared.show"), flow) == ("image/webp", True)
    assert await media_type(rest("ref: shared.show"), flow.replace(", outputMediaType: image/webp", "")) == (
        "application/octet-stream",
        False,
    )


@pytest.mark.shows("ExposedOperation", "responses", "responses.description", "responses.content")
@pytest.mark.shows("ExposedOperation", "responses.content.binary", "responses.content.schema")
@pytest.mark.shows("ExposedOperation", "responseBinary", "responseBinary.status")
@pytest.mark.shows("ExposedOperation", "responseBinary.mediaType", "responseBinary.description")
async def test_declared_responses() -> None:
    async def described(operation: str) -> tuple[str | None, dict[str, Any]]:
        async with served(later(rest(operation)), responses=PHOTOS) as of:
            response = await of.rest("GET /")
            responses = (await of.openapi())["paths"]["/"]["get"]["responses"]
            return response.headers.get("Content-Type"), responses

    _, bare = await described("call: api.data")
    assert "200" not in bare
    schema = "{type: object, description: Data}"
    response = f"{{description: All, content: {{application/json: {{schema: {schema}}}}}}}"
    kind, long = await described(f"call: api.data, responses: {{'200': {response}}}")
    assert kind == "application/json; charset=utf-8"
    assert long["200"] == {"description": "All", "content": {"application/json": {"schema": parsed(schema)}}}
    content = "{'200': {content: {image/png: {binary: true}}}}"
    kind, binary = await described(f"call: api.photo, responses: {content}")
    assert (kind, list(binary["200"]["content"])) == ("image/png", ["image/png"])
    unsaid = content.replace("true", "false")
    assert (await described(f"call: api.photo, responses: {unsaid}"))[0] == "application/octet-stream"
    kind, short = await described("call: api.photo, responseBinary: {mediaType: image/png, description: A photo}")
    assert (kind, list(short["200"]["content"]), short["200"]["description"]) == ("image/png", ["image/png"], "A photo")
    kind, other = await described("call: api.photo, responseBinary: {mediaType: image/png, status: 203}")
    assert (kind, "200" in other, "203" in other) == ("application/octet-stream", False, True)


@pytest.mark.shows("BinarySize")
@pytest.mark.shows("ConsumedHttpOperation", "maxBinarySize")
@pytest.mark.shows("ExposesRest", "maxBinarySize")
@pytest.mark.shows("ExposesMcp", "maxBinarySize")
@pytest.mark.parametrize(("size", "fits"), [("1KiB", False), ("1033B", True), ("1.5KiB", True), ("0.5KiB", False)])
async def test_binary_size_limit(size: str, fits: bool) -> None:
    limit = f", maxBinarySize: {size}"
    for document in (later(rest("call: api.photo"), operation=limit), later(rest("call: api.photo", keys=limit))):
        async with served(document, responses=PHOTOS) as of:
            assert (await of.rest("GET /")).status == (200 if fits else 502)
    async with served(later(mcp(limit)), responses=PHOTOS) as of:
        failed, block = await content(of)
    assert failed is not fits
    assert ("blob" in block.get("resource", {})) is fits


@pytest.mark.shows("McpResource", "binary")
async def test_binary_resource() -> None:
    async def read(binary: str) -> dict[str, Any]:
        resource = f"{{display: A, uri: 'a://photo', description: A, mimeType: text/plain, call: api.photo{binary}}}"
        async with (
            served(later(mcp(f", resources: {{photo: {resource}}}")), responses={"/photo": b"text"}) as of,
            of.client() as client,
        ):
            (contents,) = (await client.read_resource("a://photo")).contents
            return dumped(contents)

    assert (await read(""))["text"] == "text"
    assert b64decode((await read(", binary: true"))["blob"]) == b"text"


@pytest.mark.shows("ExposesMcp", "ttlMs", "cacheScope")
@pytest.mark.shows("CacheScope")
async def test_cache_hints() -> None:
    async def cached(keys: str) -> tuple[Any, Any]:
        async with served(later(mcp(keys))) as of, of.client() as client:
            result = dumped(await client.list_tools())
            return result["ttlMs"], result["cacheScope"]

    assert await cached("") == (0, "private")
    assert await cached(", ttlMs: 60000, cacheScope: public") == (60000, "public")


@pytest.mark.shows("Document", "exposes", "aggregates")
@pytest.mark.shows("ImportEntry", "from", "import", "as", "description")
async def test_sections_are_imported(tmp_path: Path) -> None:
    whole = later(rest("ref: shared.show"), "{show: {description: A, call: api.data}}")
    shared = {
        section: {"ikanos": "1.0.0-beta5", section: whole["capability"][section]} for section in whole["capability"]
    }
    shared["binds"] = {"ikanos": "1.0.0-beta5", "binds": [{"namespace": "env", "keys": {"A": "A"}}]}
    names = {"consumes": "api", "aggregates": "shared", "exposes": "web", "binds": "env"}
    data = {"description": "Our own words"}
    used = {section: [{"from": f"{section}.yaml", "import": name, **data}] for section, name in names.items()}
    document = {"ikanos": "1.0.0-beta5", "binds": used.pop("binds"), "capability": used}
    files = {f"{section}.yaml": other for section, other in shared.items()}
    async with served(document, folder=tmp_path, files=files, responses=PHOTOS) as of:
        assert (await of.rest("GET /")).data == {"a": 1}
    details = inspected(document, tmp_path)
    for section in ("binds", "consumes", "aggregates"):
        assert [item["description"] for item in details[section]] == ["Our own words"]
    assert [item["description"] for item in details["exposers"]] == ["Our own words"]
    used["exposes"][0]["as"] = "renamed"
    async with served(document, folder=tmp_path, files=files, responses=PHOTOS) as of:
        assert (await of.rest("GET /", of="renamed")).data == {"a": 1}
    used["exposes"][0]["import"] = "nothing"
    with pytest.raises(ProblemsError, match="has no 'nothing' in 'exposes'"):
        async with served(document, folder=tmp_path, files=files):
            pass
    for section in ("exposes", "aggregates"):
        assert Host(shared[section], settings=Settings(environment={})).warnings == ()


@pytest.mark.shows("ConsumesHttp", "tunnel")
def test_tunnel_is_an_error() -> None:
    document = later(rest("call: api.data"))
    assert Host(document, settings=Settings(environment={})).status()
    document["capability"]["consumes"][0]["tunnel"] = {"type": "ziti", "service": "a", "identity": "b"}
    with pytest.raises(ProblemsError, match="tunnel type 'ziti' is not supported"):
        Host(document, settings=Settings(environment={}))
