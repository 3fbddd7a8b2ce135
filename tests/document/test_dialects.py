"""The versions of the language: what is said in the form of one is served like what is said in another's."""

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
from adapter_host.document.dialects import rewrite
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
    """Tells what it was asked, and notes it."""

    def __init__(self) -> None:
        self.asked: list[Data] = []

    async def answer(self, request: web.BaseRequest) -> web.Response:
        query = [{"name": name, "value": value} for name, value in request.query.items()]
        sent = {"path": request.path, "query": query, "near": ["b", "d"], "client": request.headers.get("X-Client")}
        self.asked.append({"method": request.method, **sent, "body": (await request.read()).decode()})
        found = [{"name": name, "celsius": number} for number, name in enumerate("abcd")]
        return web.json_response({**sent, "found": found})


async def served(document: Data) -> Data:
    """All that callers see of a document, and what its API was asked, with what the host warned of."""
    upstream = Upstream()
    async with RawTestServer(upstream.answer) as server:
        bases = {"weather": str(server.make_url("/"))}
        async with running(document, base_uris=bases) as host, aiohttp.ClientSession() as session:
            rest = host.url("front")
            async with session.get(f"{rest}/openapi.json") as response:
                described = {**await response.json(), "servers": []}
            answers = [await request(session, rest, *asked) for asked in REQUESTS]
            async with Client(host.url("tools")) as client:
                offered = await listed(client)
            warnings = [str(warning) for warning in host.host.warnings]
    asked = sorted(upstream.asked, key=json.dumps)
    return {"openapi": described, "answers": answers, "mcp": offered, "asked": asked, "warnings": warnings}


async def request(session: aiohttp.ClientSession, url: str, method: str, path: str, body: Data) -> Data:
    async with session.request(method, f"{url}{path}", json=body) as response:
        answer = await response.json(content_type=None)
        return response.status, answer if response.status < 400 else answer["detail"]


async def listed(client: Client) -> Data:
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
        "templates": [each.model_dump() for each in (await client.list_resource_templates()).resource_templates],
        "prompts": [prompt.model_dump() for prompt in (await client.list_prompts()).prompts],
        "answers": [*called, json.loads(read.text), message.content.text],
    }


async def test_the_later_language_says_the_same() -> None:
    older, later = await served(OLDER), await served(newer(OLDER))
    assert older == later
    assert older["warnings"] == []
    assert older["answers"][0] == (200, {"path": "/stations/7", "sent": ["3"]})
    near = [{"name": "b", "celsius": 1}, {"name": "d", "celsius": 3}]
    assert older["answers"][2] == (200, {"home": {"path": "/stations/7"}, "near": near})
    assert older["mcp"]["server"] == ("tools", "Weather", "3.1.4")
    assert [tool["title"] for tool in older["mcp"]["tools"]] == ["Read a station", None, None]


def both(change: str) -> Data:
    """Return the document with one of its parts said otherwise, by the words of either language."""
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
        output["properties"] = [{"name": name, **each} for name, each in output["properties"].items()]
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
async def test_forms_mix(change: str) -> None:
    assert both(change) != OLDER
    assert await served(both(change)) == await served(OLDER)


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
def test_every_version_is_known(key: str, version: str, tmp_path: Path) -> None:
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
def test_an_unknown_version_is_read_as_the_nearest(header: str, read_as: str, tmp_path: Path) -> None:
    file = tmp_path / "greeting.yaml"
    file.write_text(greeting(header))
    (warning,) = Host(file).warnings
    assert f"; read as {read_as} (known: " in warning.message
    assert (warning.line, warning.warning) == (1, True)


async def test_the_oldest_words(tmp_path: Path) -> None:
    """`externalRefs`, `type: api` and `const`; a file's path is a bind's location."""
    (tmp_path / "tokens.json").write_text('{"API_TOKEN": "t0ken"}')
    asked: list[Data] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append((request.headers["Authorization"], request.headers["X-Version"], request.headers["X-User"]))
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
    async with RawTestServer(answer) as server, aiohttp.ClientSession() as session:
        settings: Data = {"base_uris": {"api": str(server.make_url("/"))}, "environment": {"API_USER": "ada"}}
        async with running(tmp_path / "old.yaml", **settings) as host:
            assert host.host.warnings == ()
            async with session.get(f"{host.url('front')}/hello") as response:
                assert (response.status, await response.json()) == (200, "Hello, World!")
            async with session.get(f"{host.url('front')}/me") as response:
                assert response.status == 200
    assert asked == [("Bearer t0ken", "2025-09-03", "ada")]


# Tags


async def test_tags_are_those_of_the_openapi_document() -> None:
    document = newer(OLDER)
    resources = document["capability"]["exposes"][0]["resources"]
    resources["station"]["tags"] = ["stations"]
    resources["station"]["operations"]["feel"]["tags"] = ["stations", "quick"]
    document["capability"]["exposes"][1]["tools"]["say"]["tags"] = ["words"]
    document["capability"]["consumes"][0]["resources"]["station"]["tags"] = ["raw"]
    document["capability"]["consumes"][0]["resources"]["station"]["operations"]["read"]["tags"] = ["raw"]
    seen = await served(document)
    paths = seen["openapi"]["paths"]
    assert paths["/stations/{id}"]["get"]["tags"] == ["stations"]
    assert paths["/stations/{id}"]["put"]["tags"] == ["stations", "quick"]
    assert paths["/nearby/{id}"]["get"]["tags"] == ["nearby"]
    assert seen["openapi"]["tags"] == [{"name": "stations"}, {"name": "quick"}, {"name": "nearby"}]
    assert seen["warnings"] == []


# Imports


def split(folder: Path, document: Data, *, whole: bool, old: bool = False) -> Path:
    """Return a document whose sections are imported files, below `capability` if `whole`, else at the root."""
    capability, parts = document["capability"], {}
    for section in ("consumes", "aggregates", "exposes"):
        file = folder / f"{section}.yaml"
        own = {section: capability[section]}
        file.write_text(
            yaml.safe_dump({"ikanos": "1.0.0-beta5", **({"capability": own} if whole else own)}, sort_keys=False)
        )
        where = "location" if old else "from"
        parts[section] = [{where: f"./{file.name}", "import": each["namespace"]} for each in capability[section]]
    header = "naftiko" if old else "ikanos"
    assembled = {header: document[header], "info": document["info"], "capability": parts}
    path = folder / "assembled.yaml"
    path.write_text(yaml.safe_dump(assembled, sort_keys=False))
    return path


@pytest.mark.parametrize("whole", [True, False])
async def test_every_section_is_imported(whole: bool, tmp_path: Path) -> None:
    path = split(tmp_path, newer(OLDER), whole=whole)
    assert await served(path) == await served(OLDER)


async def test_an_older_document_imports_every_section(tmp_path: Path) -> None:
    older = {**newer(OLDER), "naftiko": "1.0.0-alpha2", "info": OLDER["info"]}
    assert await served(split(tmp_path, older, whole=False, old=True)) == await served(OLDER)


@pytest.mark.parametrize("section", ["consumes", "aggregates", "exposes"])
def test_a_file_of_one_section_validates_alone(
    section: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    split(tmp_path, newer(OLDER), whole=False)
    assert main(["validate", str(tmp_path / f"{section}.yaml")]) == 0
    assert capsys.readouterr().err == ""


def test_a_file_of_binds_validates_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "binds.yaml").write_text("ikanos: 1.0.0-beta5\nbinds:\n  - {namespace: env, keys: {TOKEN: TOKEN}}\n")
    assert main(["validate", str(tmp_path / "binds.yaml")]) == 0
    assert capsys.readouterr().err == ""


async def test_another_name_is_known_by_either(tmp_path: Path) -> None:
    """What an exposer says of its caller's inputs goes by its own name, whatever it is called here."""
    path = split(tmp_path, newer(OLDER), whole=False)
    document = yaml.safe_load(path.read_text())
    document["capability"]["exposes"][0]["as"] = "renamed"
    path.write_text(yaml.safe_dump(document))
    async with (
        RawTestServer(Upstream().answer) as server,
        running(path, base_uris={"weather": str(server.make_url("/"))}) as host,
        aiohttp.ClientSession() as session,
    ):
        answer = await request(session, host.url("renamed"), "GET", "/nearby/7", None)
    assert answer[1]["home"] == {"path": "/stations/7"}


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


@pytest.mark.parametrize("place", ["BINDS_AT_THE_ROOT", "BINDS_BELOW"])
@pytest.mark.parametrize("name", ["TOKEN", "mine.TOKEN"])
async def test_binds_are_imported_wherever_they_stand(place: str, name: str, tmp_path: Path) -> None:
    """Their source is a path from the file that they stand in; only the one that is named comes."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/tokens.yaml").write_text("token: t0ken\n")
    (tmp_path / "shared/binds.yaml").write_text(BINDS)
    imported = "binds: [{from: shared/binds.yaml, import: secrets, as: mine}]"
    text = ASSEMBLED.replace(place, imported).replace("BINDS_AT_THE_ROOT", "").replace("BINDS_BELOW", "")
    (tmp_path / "api.yaml").write_text(text.replace("NAME", name))
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(request.headers["Authorization"])
        return web.json_response({})

    async with (
        RawTestServer(answer) as server,
        running(tmp_path / "api.yaml", base_uris={"api": str(server.make_url("/"))}) as host,
        aiohttp.ClientSession() as session,
        session.get(f"{host.url('front')}/me") as response,
    ):
        assert response.status == 200
        loaded = host.host.plans[0].loaded
    assert list(loaded.binds.namespaces) == ["mine"]
    assert str(tmp_path / "shared/binds.yaml") in loaded.files
    assert asked == ["Bearer t0ken"]


async def test_binds_come_along_with_an_exposer(tmp_path: Path) -> None:
    """Also those that its file has from another one."""
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


def test_problems_of_data_say_their_path() -> None:
    """A document that was never text has no lines."""
    document = newer(OLDER)
    document["capability"]["exposes"][1]["tools"]["say"] = "hi"
    document["capability"]["exposes"][1]["tools"]["feel"]["label"] = "Feel"
    with pytest.raises(ProblemsError) as caught:
        Host(document)
    assert [problem.message for problem in caught.value.problems] == [
        "capability.exposes.1.tools.say: 'say' must be a mapping, not text",
        "capability.exposes.1.tools.feel.label: 'label' is called 'display' since 1.0.0-alpha3",
    ]


def test_a_model_is_data_again() -> None:
    """Whatever version a capability was read from, what it is written to is read without a warning."""
    (plan,) = Host(newer(OLDER)).plans
    capability: Capability = plan.loaded.capability
    assert capability.version == "1.0.0-beta5"
    again = Host(capability)
    assert again.warnings == ()
    assert again.plans[0].loaded.capability.exposes == capability.exposes


class TunnelledConfig(ConsumerConfig):
    """A consumer that takes a tunnel."""

    tunnel: dict[str, Any] | None = None


class TunnelledConsumer(Consumer[TunnelledConfig]):
    """What a plugin with tunnels would bring."""

    config_class = TunnelledConfig

    def operations(self) -> Sequence[ConsumedOperation]:
        return ()


class TunnelPlugin:
    """Brings a type of API that may be reached through a tunnel."""

    @hookimpl
    def register_consumers(self, register: RegisterConsumer) -> None:
        register("tunnelled", TunnelledConsumer)


@pytest.mark.parametrize(("type", "taken"), [("tunnelled", True), ("fake", False)])
def test_a_plugin_may_take_a_tunnel(type: str, taken: bool) -> None:
    api = {"type": type, "namespace": "api", "tunnel": {"type": "ziti"}}
    plugins = Plugins({"tunnels": TunnelPlugin(), "fake": FakePlugin()})
    document = {"ikanos": "1.0.0-beta5", "capability": {"consumes": [api]}}
    if taken:
        assert Host(document, plugins=plugins).warnings == ()
        return
    with pytest.raises(ProblemsError, match="tunnel type 'ziti' is not supported"):
        Host(document, plugins=plugins)


# Lists and mappings

NAMES = st.text("abcxyz-", min_size=1, max_size=8)
VALUES = st.dictionaries(st.sampled_from(["description", "call", "x-note"]), st.text("ab {}$.", max_size=5), max_size=3)


@st.composite
def collections(draw: st.DrawFn) -> list[Data]:
    """Entries of one name each, as a list holds them."""
    return [
        {
            "name": name,
            **draw(VALUES),
            "inputParameters": [{"name": each} for each in draw(st.lists(NAMES, unique=True))],
        }
        for name in draw(st.lists(NAMES, unique=True, max_size=4))
    ]


@given(collections())
def test_a_mapping_becomes_the_list_that_it_was(tools: list[Data]) -> None:
    older = {"naftiko": "1.0.0-alpha2", "capability": {"exposes": [{"type": "mcp", "tools": tools}]}}
    source = Source.parse(json.dumps(newer(older)), "later.yaml")
    assert rewrite(source) == []
    assert source.data["capability"] == older["capability"]


@given(collections())
def test_what_needs_no_rewriting_is_left_alone(tools: list[Data]) -> None:
    older = {"naftiko": "1.0.0-alpha2", "capability": {"exposes": [{"type": "mcp", "tools": tools}]}}
    source = Source.parse(json.dumps(older), "older.yaml")
    root = source.root
    assert rewrite(source) == []
    assert source.root is root


def places(data: Data, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where something stands in plain data."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield (*at, key)
        yield from places(value, (*at, key))


LATER = newer(OLDER)
WRONG: tuple[Data, ...] = (
    *(None, 3, True, "x", "$.a", [], {}, [1], ["a"], [[]], {"a": 1}, {"a": {}}, {"a": {"name": "b"}}),
    *([{"name": "a"}], [{"name": ["x"]}], {"type": "string"}, {"type": [1]}, {"a": {"type": "string"}}),
    *({"import": "x"}, {"import": "x", "from": 3}, {"import": ["x"], "location": "x.yaml"}),
)


@given(st.sampled_from((OLDER, LATER)), st.data(), st.sampled_from(WRONG))
def test_whatever_stands_anywhere_is_no_more_than_a_problem(document: Data, data: st.DataObject, wrong: Data) -> None:
    document = copy.deepcopy(document)
    *above, last = data.draw(st.sampled_from(list(places(document))))
    within = document
    for part in above:
        within = within[part]
    within[last] = wrong
    with suppress(ProblemsError):
        Host(document, plugins=PLUGINS)


def test_everything_keeps_its_place() -> None:
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
    assert rewrite(source) == []
    tool = ("capability", "exposes", 0, "tools", 0)
    inputs = (*tool, "inputParameters")
    found = [
        source.where(tool),
        source.where((*tool, "name")),
        source.where((*tool, "label")),
        source.where((*tool, "label"), key=True),
        source.where((*inputs, 0)),
        source.where((*inputs, 0, "type")),
        source.where((*inputs, 1, "name")),
    ]
    assert [place[1:] for place in found] == [(6, 9), (6, 9), (7, 20), (7, 11), (8, 29), (8, 42), (8, 51)]
    assert isinstance(source.problem(tool, "", code=""), Problem)
