"""Versions of the language: equivalent documents of all versions are served alike."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client
from mcp_types import PromptMessage, TextContent, TextResourceContents

from adapter_host import (
    Capability,
    ConsumedOperation,
    Consumer,
    ConsumerConfig,
    Host,
    Plugins,
    Problem,
    ProblemsError,
    RegisterConsumer,
    hookimpl,
)
from adapter_host.cli import main
from adapter_host.document.dialects import normalize
from adapter_host.document.source import Source
from adapter_host.testing import FakePlugin, running
from tests.support.beta5_forms import newer

Data = Any

PLUGINS = Plugins.installed()

OLDER: Data = yaml.safe_load("""
naftiko: 1.0.0-alpha2
info: {label: Weather, description: What the weather is, version: 3.1.4}
capability:
  consumes:
    - type: http
      namespace: weather
      baseUri: https://weather.example.com
      inputParameters:
        - {name: X-Client, in: header, value: tests}
      resources:
        - name: station
          label: Station
          path: /stations/{id}
          inputParameters:
            - {name: id, in: path}
          operations:
            - name: read
              method: GET
              inputParameters:
                - {name: days, in: query}
            - name: note
              method: POST
              inputParameters:
                - {name: text, in: body}
        - name: stations
          path: /stations
          operations:
            - name: list
              method: GET
              outputParameters:
                - {name: stations, type: array, value: $.found}
  aggregates:
    - label: Weather now
      namespace: now
      functions:
        - name: feel
          label: Feel
          description: How it feels
          tags: [quick]
          semantics: {safe: true}
          inputParameters:
            - {name: station, type: string, description: Where}
          call: weather.read
          with: {id: now.station}
  exposes:
    - type: rest
      namespace: front
      port: 0
      resources:
        - name: station
          label: A station
          path: /stations/{id}
          inputParameters:
            - {name: id, in: path, type: string, description: Which}
          operations:
            - name: read-station
              label: Read
              method: GET
              call: weather.read
              with: {days: 3}
              outputParameters:
                - type: object
                  properties:
                    path: {type: string, mapping: $.path}
                    sent: {type: array, mapping: $.query, items: {type: string, mapping: $.value}}
            - name: feel
              method: PUT
              ref: now.feel
              with: {station: front.id}
        - name: nearby
          path: /nearby/{id}
          operations:
            - name: nearby
              method: GET
              inputParameters:
                - {name: id, in: path, type: string, description: Which}
              steps:
                - {name: home, type: call, call: weather.read, with: {id: front.id}}
                - {name: all, type: call, call: weather.list}
                - name: near
                  type: lookup
                  index: $.all.stations
                  match: name
                  lookupValue: $.home.near
                  outputParameters: [name, celsius]
              mappings:
                - {targetName: home.path, value: $.home.path}
                - {targetName: near, value: $.near}
              outputParameters:
                - name: home
                  type: object
                  properties:
                    path: {type: string}
                - name: near
                  type: array
                  items:
                    - {name: name, type: string}
                    - {name: celsius, type: number}
    - type: mcp
      namespace: tools
      port: 0
      tools:
        - name: read-station
          label: Read a station
          description: Reads a station
          inputParameters:
            - {name: id, type: string, description: Which}
            - {name: days, type: integer, description: How many, required: false}
          call: weather.read
        - name: feel
          ref: now.feel
        - name: say
          description: Says a word
          inputParameters:
            - {name: word, type: string, description: The word}
          outputParameters:
            - {name: said, type: string, value: "{{word}}"}
            - {name: loud, type: boolean, value: "true"}
      resources:
        - name: station
          label: A station
          uri: weather://stations/{id}
          description: What a station measures
          call: weather.read
      prompts:
        - name: ask
          label: Ask
          description: Asks about a place
          arguments:
            - {name: place, label: Place, description: Where}
          template:
            - {role: user, content: "How is {{place}}?"}
""")

REQUESTS = (
    ("GET", "/stations/7", None),
    ("PUT", "/stations/7", None),
    ("GET", "/nearby/7", None),
    ("GET", "/stations", None),
)
CALLS: Mapping[str, Data] = {"read-station": {"id": "7", "days": 2}, "feel": {"station": "8"}, "say": {"word": "hi"}}


class Upstream:
    """Responds with the request, and records it."""

    def __init__(self) -> None:
        self.requests: list[Data] = []

    async def handle(self, request: web.BaseRequest) -> web.Response:
        query = [{"name": name, "value": value} for name, value in request.query.items()]
        sent = {"path": request.path, "query": query, "near": ["b", "d"], "client": request.headers.get("X-Client")}
        self.requests.append({"method": request.method, **sent, "body": (await request.read()).decode()})
        found = [{"name": name, "celsius": number} for number, name in enumerate("abcd")]
        return web.json_response({**sent, "found": found})


async def observe(document: Data) -> Data:
    """Serve a document; return all responses, upstream requests and warnings."""
    upstream = Upstream()
    async with RawTestServer(upstream.handle) as server:
        bases = {"weather": str(server.make_url("/"))}
        async with running(document, base_uris=bases) as host, aiohttp.ClientSession() as session:
            rest = host.url("front")
            async with session.get(f"{rest}/openapi.json") as response:
                description = {**await response.json(), "servers": []}
            responses = [await request(session, rest, *arguments) for arguments in REQUESTS]
            async with Client(host.url("tools")) as client:
                mcp = await list_everything(client)
            warnings = [str(warning) for warning in host.host.warnings]
    requests = sorted(upstream.requests, key=json.dumps)
    return {"openapi": description, "responses": responses, "mcp": mcp, "requests": requests, "warnings": warnings}


async def request(session: aiohttp.ClientSession, url: str, method: str, path: str, body: Data) -> Data:
    async with session.request(method, f"{url}{path}", json=body) as response:
        data = await response.json(content_type=None)
        return response.status, data if response.status < 400 else data["detail"]


async def list_everything(client: Client) -> Data:
    info = client.server_info
    assert info is not None
    called = [(await client.call_tool(name, CALLS[name])).structured_content for name in CALLS]
    (read,) = (await client.read_resource("weather://stations/9")).contents
    assert isinstance(read, TextResourceContents)
    (message,) = (await client.get_prompt("ask", {"place": "Oslo"})).messages
    assert isinstance(message, PromptMessage)
    assert isinstance(message.content, TextContent)
    return {
        "server": (info.name, info.title, info.version),
        "tools": [tool.model_dump() for tool in (await client.list_tools()).tools],
        "templates": [item.model_dump() for item in (await client.list_resource_templates()).resource_templates],
        "prompts": [prompt.model_dump() for prompt in (await client.list_prompts()).prompts],
        "responses": [*called, json.loads(read.text), message.content.text],
    }


async def test_later_language_is_served_alike() -> None:
    older, later = await observe(OLDER), await observe(newer(OLDER))
    assert older == later
    assert older["warnings"] == []
    assert older["responses"][0] == (200, {"path": "/stations/7", "sent": ["3"]})
    near = [{"name": "b", "celsius": 1}, {"name": "d", "celsius": 3}]
    assert older["responses"][2] == (200, {"home": {"path": "/stations/7"}, "near": near})
    assert older["mcp"]["server"] == ("tools", "Weather", "3.1.4")
    assert [tool["title"] for tool in older["mcp"]["tools"]] == ["Read a station", None, None]


def changed(change: str) -> Data:
    """Return the document with one part in another form."""
    document = copy.deepcopy(OLDER)
    capability = document["capability"]
    if change == "aggregates by namespace":
        (aggregate,) = capability["aggregates"]
        capability["aggregates"] = {aggregate.pop("namespace"): aggregate}
    elif change == "flows":
        capability["aggregates"] = newer(OLDER)["capability"]["aggregates"]
    elif change == "a later exposer":
        capability["exposes"][0] = newer(OLDER)["capability"]["exposes"][0]
    elif change == "a later API":
        capability["consumes"] = newer(OLDER)["capability"]["consumes"]
    elif change == "properties in a list":
        (output,) = capability["exposes"][0]["resources"][0]["operations"][0]["outputParameters"]
        output["properties"] = [{"name": name, **item} for name, item in output["properties"].items()]
    elif change == "properties below the mapping":
        (output,) = capability["exposes"][0]["resources"][0]["operations"][0]["outputParameters"]
        output["mapping"] = {"properties": output.pop("properties")}
    elif change == "a name inside too":
        document = newer(OLDER)
        document["capability"]["exposes"][1]["tools"]["say"]["name"] = "say"
    elif change == "the other key":
        document = {"ikanos": document.pop("naftiko"), **document}
    elif change == "a title":
        document["info"]["title"] = document["info"].pop("label")
    return document


@pytest.mark.parametrize(
    "change",
    [
        "aggregates by namespace",
        "flows",
        "a later exposer",
        "a later API",
        "properties in a list",
        "properties below the mapping",
        "a name inside too",
        "the other key",
        "a title",
    ],
)
async def test_forms_of_both_languages_can_be_mixed(change: str) -> None:
    assert changed(change) != OLDER
    assert await observe(changed(change)) == await observe(OLDER)


# The header

VERSIONS = [
    *("0.4", "0.5", "1.0.0-alpha1", "1.0.0-alpha2", "1.0.0-alpha3", "1.0.0-alpha4"),
    *("1.0.0-beta1", "1.0.0-beta2", "1.0.0-beta3", "1.0.0-beta4", "1.0.0-beta5"),
]


def greeting(header: str, **exposer: Data) -> str:
    exposes = {
        "type": "rest",
        "namespace": "front",
        "port": 0,
        "resources": [
            {"path": "/", "operations": [{"method": "GET", "outputParameters": [{"type": "string", "value": "hi"}]}]}
        ],
        **exposer,
    }
    return f"{header}\n{json.dumps({'capability': {'exposes': [exposes]}})[1:-1]}\n"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("key", ["naftiko", "ikanos"])
def test_known_versions_load_without_warnings(key: str, version: str, tmp_path: Path) -> None:
    file = tmp_path / "greeting.yaml"
    file.write_text(greeting(f"{key}: {version}"))
    host = Host(file)
    assert [warning.message for warning in host.warnings] == []
    assert host.plans[0].loaded.capability.version == version


@pytest.mark.parametrize(
    ("header", "read_as"),
    [
        ("naftiko: 0.3", "0.4"),
        ("naftiko: '0.9'", "0.5"),
        ("naftiko: 1.0.0-alpha7", "1.0.0-alpha4"),
        ("naftiko: next", "1.0.0-alpha2"),
        ("ikanos: 1.0.0-beta12", "1.0.0-beta5"),
        ("ikanos: 1.0.0-rc1", "1.0.0-beta5"),
        ("ikanos: 1.0.0", "1.0.0-beta5"),
        ("ikanos: 1.0.0-alpha", "0.5"),
        ("ikanos: ${VERSION}", "1.0.0-beta5"),
    ],
)
def test_unknown_version_is_read_as_nearest(header: str, read_as: str, tmp_path: Path) -> None:
    file = tmp_path / "greeting.yaml"
    file.write_text(greeting(header))
    (warning,) = Host(file).warnings
    assert f"; read as {read_as} (known: " in warning.message
    assert (warning.line, warning.warning) == (1, True)


async def test_oldest_keys_are_read(tmp_path: Path) -> None:
    """`externalRefs`, `type: api` and `const`; a file's path is a bind's location."""
    (tmp_path / "tokens.json").write_text('{"API_TOKEN": "t0ken"}')
    requests: list[Data] = []

    async def handle(request: web.BaseRequest) -> web.Response:
        requests.append((request.headers["Authorization"], request.headers["X-Version"], request.headers["X-User"]))
        return web.json_response({})

    document = """
    naftiko: 0.5
    externalRefs:
      - {name: tokens, type: json, resolution: file, uri: tokens.json, keys: {token: API_TOKEN}}
      - {name: env, type: environment, resolution: runtime, keys: {user: API_USER}}
    capability:
      consumes:
        - type: http
          namespace: api
          baseUri: https://api.example.com/
          authentication: {type: bearer, token: "{{token}}"}
          inputParameters:
            - {name: X-Version, in: header, const: "2025-09-03"}
            - {name: X-User, in: header, value: "{{env.user}}"}
          resources:
            - path: users/me
              operations: [{name: get-me, method: GET}]
      exposes:
        - type: api
          namespace: front
          port: 0
          resources:
            - path: /hello
              operations:
                - method: GET
                  outputParameters: [{type: string, const: "Hello, World!"}]
            - path: /me
              operations: [{method: GET, call: api.get-me}]
    """
    (tmp_path / "old.yaml").write_text(document)
    async with RawTestServer(handle) as server, aiohttp.ClientSession() as session:
        settings: Data = {"base_uris": {"api": str(server.make_url("/"))}, "environment": {"API_USER": "ada"}}
        async with running(tmp_path / "old.yaml", **settings) as host:
            assert host.host.warnings == ()
            async with session.get(f"{host.url('front')}/hello") as response:
                assert (response.status, await response.json()) == (200, "Hello, World!")
            async with session.get(f"{host.url('front')}/me") as response:
                assert response.status == 200
    assert requests == [("Bearer t0ken", "2025-09-03", "ada")]


# Tags


async def test_tags_appear_in_openapi_document() -> None:
    document = newer(OLDER)
    resources = document["capability"]["exposes"][0]["resources"]
    resources["station"]["tags"] = ["stations"]
    resources["station"]["operations"]["feel"]["tags"] = ["stations", "quick"]
    document["capability"]["exposes"][1]["tools"]["say"]["tags"] = ["words"]
    document["capability"]["consumes"][0]["resources"]["station"]["tags"] = ["raw"]
    document["capability"]["consumes"][0]["resources"]["station"]["operations"]["read"]["tags"] = ["raw"]
    observed = await observe(document)
    paths = observed["openapi"]["paths"]
    assert paths["/stations/{id}"]["get"]["tags"] == ["stations"]
    assert paths["/stations/{id}"]["put"]["tags"] == ["stations", "quick"]
    assert paths["/nearby/{id}"]["get"]["tags"] == ["nearby"]
    assert observed["openapi"]["tags"] == [{"name": "stations"}, {"name": "quick"}, {"name": "nearby"}]
    assert observed["warnings"] == []


# Imports


def write_split(folder: Path, document: Data, *, nested: bool, earlier: bool = False) -> Path:
    """Write the document and a file for each section, its content below `capability` if `nested`."""
    capability, parts = document["capability"], {}
    for section in ("consumes", "aggregates", "exposes"):
        file = folder / f"{section}.yaml"
        content = {section: capability[section]}
        file.write_text(
            yaml.safe_dump(
                {"ikanos": "1.0.0-beta5", **({"capability": content} if nested else content)}, sort_keys=False
            )
        )
        file_key = "location" if earlier else "from"
        parts[section] = [{file_key: f"./{file.name}", "import": item["namespace"]} for item in capability[section]]
    header = "naftiko" if earlier else "ikanos"
    assembled = {header: document[header], "info": document["info"], "capability": parts}
    path = folder / "assembled.yaml"
    path.write_text(yaml.safe_dump(assembled, sort_keys=False))
    return path


@pytest.mark.parametrize("nested", [True, False])
async def test_sections_are_imported(nested: bool, tmp_path: Path) -> None:
    path = write_split(tmp_path, newer(OLDER), nested=nested)
    assert await observe(path) == await observe(OLDER)


async def test_older_document_imports_sections(tmp_path: Path) -> None:
    older = {**newer(OLDER), "naftiko": "1.0.0-alpha2", "info": OLDER["info"]}
    assert await observe(write_split(tmp_path, older, nested=False, earlier=True)) == await observe(OLDER)


@pytest.mark.parametrize("section", ["consumes", "aggregates", "exposes"])
def test_fragment_validates(section: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_split(tmp_path, newer(OLDER), nested=False)
    assert main(["validate", str(tmp_path / f"{section}.yaml")]) == 0
    assert capsys.readouterr().err == ""


def test_fragment_of_binds_validates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "binds.yaml").write_text("ikanos: 1.0.0-beta5\nbinds:\n  - {namespace: env, keys: {TOKEN: TOKEN}}\n")
    assert main(["validate", str(tmp_path / "binds.yaml")]) == 0
    assert capsys.readouterr().err == ""


async def test_renamed_import_keeps_its_own_qualifier(tmp_path: Path) -> None:
    """An exposer's inputs are qualified by its own name, also if the import renames it."""
    path = write_split(tmp_path, newer(OLDER), nested=False)
    document = yaml.safe_load(path.read_text())
    document["capability"]["exposes"][0]["as"] = "renamed"
    path.write_text(yaml.safe_dump(document))
    async with (
        RawTestServer(Upstream().handle) as server,
        running(path, base_uris={"weather": str(server.make_url("/"))}) as host,
        aiohttp.ClientSession() as session,
    ):
        response = await request(session, host.url("renamed"), "GET", "/nearby/7", None)
    assert response[1]["home"] == {"path": "/stations/7"}


BINDS = """
ikanos: 1.0.0-beta5
binds:
  - {namespace: secrets, location: file://./tokens.yaml, keys: {TOKEN: token}}
  - {namespace: others, keys: {OTHER: OTHER}}
"""
ASSEMBLED = """
ikanos: 1.0.0-beta5
BINDS_AT_THE_ROOT
capability:
  BINDS_BELOW
  consumes:
    - type: http
      namespace: api
      baseUri: https://api.example.com
      authentication: {type: bearer, token: "{{NAME}}"}
      resources:
        me:
          path: /me
          operations: {get: {method: GET}}
  exposes:
    - type: rest
      namespace: front
      port: 0
      resources:
        me:
          path: /me
          operations: {get: {method: GET, call: api.get}}
"""


@pytest.mark.parametrize("anchor", ["BINDS_AT_THE_ROOT", "BINDS_BELOW"])
@pytest.mark.parametrize("name", ["TOKEN", "mine.TOKEN"])
async def test_binds_are_imported_at_either_level(anchor: str, name: str, tmp_path: Path) -> None:
    """Paths of sources are relative to the imported file; only the named bind is imported."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/tokens.yaml").write_text("token: t0ken\n")
    (tmp_path / "shared/binds.yaml").write_text(BINDS)
    imported = "binds: [{from: shared/binds.yaml, import: secrets, as: mine}]"
    text = ASSEMBLED.replace(anchor, imported).replace("BINDS_AT_THE_ROOT", "").replace("BINDS_BELOW", "")
    (tmp_path / "api.yaml").write_text(text.replace("NAME", name))
    requests: list[str] = []

    async def handle(request: web.BaseRequest) -> web.Response:
        requests.append(request.headers["Authorization"])
        return web.json_response({})

    async with (
        RawTestServer(handle) as server,
        running(tmp_path / "api.yaml", base_uris={"api": str(server.make_url("/"))}) as host,
        aiohttp.ClientSession() as session,
        session.get(f"{host.url('front')}/me") as response,
    ):
        assert response.status == 200
        loaded = host.host.plans[0].loaded
    assert list(loaded.binds.namespaces) == ["mine"]
    assert str(tmp_path / "shared/binds.yaml") in loaded.files
    assert requests == ["Bearer t0ken"]


async def test_imported_exposer_brings_its_binds(tmp_path: Path) -> None:
    """Including binds that its file imports."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/tokens.yaml").write_text("token: t0ken\n")
    (tmp_path / "shared/binds.yaml").write_text(BINDS)
    front = yaml.safe_load(greeting("ikanos: 1.0.0-beta5", authentication={"type": "bearer", "token": "{{TOKEN}}"}))
    front["binds"] = [{"from": "binds.yaml", "import": "secrets"}]
    (tmp_path / "shared/front.yaml").write_text(yaml.safe_dump(front))
    document = {"ikanos": "1.0.0-beta5", "capability": {"exposes": [{"from": "shared/front.yaml", "import": "front"}]}}
    (tmp_path / "api.yaml").write_text(yaml.safe_dump(document))
    async with running(tmp_path / "api.yaml") as host, aiohttp.ClientSession() as session:
        for token, status in (("t0ken", 200), ("{{TOKEN}}", 401)):
            headers = {"Authorization": f"Bearer {token}"}
            async with session.get(f"{host.url('front')}/", headers=headers) as response:
                assert response.status == status


# Places and messages


def test_problems_in_data_name_the_path() -> None:
    """Plain data has no lines."""
    document = newer(OLDER)
    document["capability"]["exposes"][1]["tools"]["say"] = "hi"
    document["capability"]["exposes"][1]["tools"]["feel"]["label"] = "Feel"
    with pytest.raises(ProblemsError) as caught:
        Host(document)
    assert [problem.message for problem in caught.value.problems] == [
        "capability.exposes.1.tools.say: 'say' must be a mapping, not text",
        "capability.exposes.1.tools.feel.label: 'label' is called 'display' since 1.0.0-alpha3",
    ]


def test_capability_model_round_trips() -> None:
    """The data of a capability of any version loads without warnings."""
    (plan,) = Host(newer(OLDER)).plans
    capability: Capability = plan.loaded.capability
    assert capability.version == "1.0.0-beta5"
    again = Host(capability)
    assert again.warnings == ()
    assert again.plans[0].loaded.capability.exposes == capability.exposes


class TunnelledConfig(ConsumerConfig):
    """A consumer with a tunnel."""

    tunnel: dict[str, Any] | None = None


class TunnelledConsumer(Consumer[TunnelledConfig]):
    """A consumer of a plugin that supports tunnels."""

    config_class = TunnelledConfig

    def operations(self) -> Sequence[ConsumedOperation]:
        return ()


class TunnelPlugin:
    """Registers a consumer that supports tunnels."""

    @hookimpl
    def register_consumers(self, register: RegisterConsumer) -> None:
        register("tunnelled", TunnelledConsumer)


@pytest.mark.parametrize(("type_name", "supported"), [("tunnelled", True), ("fake", False)])
def test_tunnel_needs_a_plugin(type_name: str, supported: bool) -> None:
    api = {"type": type_name, "namespace": "api", "tunnel": {"type": "ziti"}}
    plugins = Plugins({"tunnels": TunnelPlugin(), "fake": FakePlugin()})
    document = {"ikanos": "1.0.0-beta5", "capability": {"consumes": [api]}}
    if supported:
        assert Host(document, plugins=plugins).warnings == ()
        return
    with pytest.raises(ProblemsError, match="tunnel type 'ziti' is not supported"):
        Host(document, plugins=plugins)


# Lists and mappings

NAMES = st.text("abcxyz-", min_size=1, max_size=8)
VALUES = st.dictionaries(st.sampled_from(["description", "call", "x-note"]), st.text("ab {}$.", max_size=5), max_size=3)


@st.composite
def collections(draw: st.DrawFn) -> list[Data]:
    """Generate lists of entries with unique names."""
    return [
        {
            "name": name,
            **draw(VALUES),
            "inputParameters": [{"name": item} for item in draw(st.lists(NAMES, unique=True))],
        }
        for name in draw(st.lists(NAMES, unique=True, max_size=4))
    ]


@given(collections())
def test_mapping_is_normalized_to_list(tools: list[Data]) -> None:
    older = {"naftiko": "1.0.0-alpha2", "capability": {"exposes": [{"type": "mcp", "tools": tools}]}}
    source = Source.parse(json.dumps(newer(older)), "later.yaml")
    assert normalize(source) == []
    assert source.data["capability"] == older["capability"]


@given(collections())
def test_normalized_document_is_unchanged(tools: list[Data]) -> None:
    older = {"naftiko": "1.0.0-alpha2", "capability": {"exposes": [{"type": "mcp", "tools": tools}]}}
    source = Source.parse(json.dumps(older), "older.yaml")
    root = source.root
    assert normalize(source) == []
    assert source.root is root


def locations(data: Data, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the location of each value in plain data."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield (*at, key)
        yield from locations(value, (*at, key))


LATER = newer(OLDER)
WRONG: tuple[Data, ...] = (
    *(None, 3, True, "x", "$.a", [], {}, [1], ["a"], [[]], {"a": 1}, {"a": {}}, {"a": {"name": "b"}}),
    *([{"name": "a"}], [{"name": ["x"]}], {"type": "string"}, {"type": [1]}, {"a": {"type": "string"}}),
    *({"import": "x"}, {"import": "x", "from": 3}, {"import": ["x"], "location": "x.yaml"}),
)


@given(st.sampled_from((OLDER, LATER)), st.data(), st.sampled_from(WRONG))
def test_wrong_values_anywhere_are_only_problems(document: Data, data: st.DataObject, wrong: Data) -> None:
    document = copy.deepcopy(document)
    *above, last = data.draw(st.sampled_from(list(locations(document))))
    within = document
    for part in above:
        within = within[part]
    within[last] = wrong
    with suppress(ProblemsError):
        Host(document, plugins=PLUGINS)


def test_normalizing_keeps_positions() -> None:
    source = Source.parse(
        "ikanos: 1.0.0-beta5\n"
        "capability:\n"
        "  exposes:\n"
        "    - type: mcp\n"
        "      tools:\n"
        "        say:\n"
        "          display: Say\n"
        "          inputParameters: {word: {type: string}, how: }\n",
        "later.yaml",
    )
    assert normalize(source) == []
    tool = ("capability", "exposes", 0, "tools", 0)
    inputs = (*tool, "inputParameters")
    positions = [
        source.position_of(tool),
        source.position_of((*tool, "name")),
        source.position_of((*tool, "label")),
        source.position_of((*tool, "label"), key=True),
        source.position_of((*inputs, 0)),
        source.position_of((*inputs, 0, "type")),
        source.position_of((*inputs, 1, "name")),
    ]
    assert [position[1:] for position in positions] == [(6, 9), (6, 9), (7, 20), (7, 11), (8, 29), (8, 42), (8, 51)]
    assert isinstance(source.problem(tool, "", code=""), Problem)
