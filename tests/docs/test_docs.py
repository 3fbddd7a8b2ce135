"""Tests of the documentation: commands print the shown output, code runs, and no option, hook or error is missing."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import tomllib
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

import adapter_host
from adapter_host import AdapterHostError, Host, OperationError, Plugins, Settings, UpstreamStatusError
from adapter_host.cli import COMMANDS, main
from adapter_host.plugin import hookspecs
from adapter_host.testing import running
from adapter_host.testing.contract import error_tree, make_error
from adapter_host_a2a.skills import describe_error
from adapter_host_graphql.errors import code_of as code_of_graphql
from adapter_host_grpc.status import code_of as code_of_grpc
from tests.protocols.protected_apis import HttpApi, TokenServer, serving
from tests.support.pages import PAGES, Block, Reader, blocks
from tests.support.paths import ROOT

DOCS = ROOT / "docs"
CLI = DOCS / "reference/cli.md"
UPSTREAM_COMMANDS = ("serve", "inspect", "call")
PLUGINS_ACTIONS = ("plugins new", "plugins show")
COMMANDS_OF_PLUGINS = ("list", "call-tool", "lsp")
WITHOUT_PLUGIN_OPTIONS = ("import", "init", "fmt", "completion", *PLUGINS_ACTIONS)


def by_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture(params=PAGES, ids=by_name)
def page(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_every_toml_block_is_toml(page: Path) -> None:
    for block in blocks(page, "toml"):
        assert tomllib.loads(block.text)


# Commands


def test_console_blocks_match_the_output(page: Path, tmp_path: Path) -> None:
    Reader(tmp_path).read(page)


@pytest.mark.parametrize(("name", "least"), [("README.md", 3), ("docs/tutorial.md", 8), ("docs/embedding.md", 2)])
def test_outputs_are_compared(tmp_path: Path, name: str, least: int) -> None:
    reader = Reader(tmp_path)
    reader.read(ROOT / name)
    assert reader.compared >= least


@cache
def offered(command: str) -> frozenset[str]:
    with redirect_stdout(StringIO()) as output, pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    return frozenset(re.findall(r"--[a-z-]+", output.getvalue()))


def sections(page: Path) -> dict[str, str]:
    _, *parts = re.split(r"^##+ ", page.read_text(), flags=re.MULTILINE)
    return {part.partition("\n")[0].strip(): part for part in parts}


def listed(section: str) -> set[str]:
    return set(re.findall(r"^\| `(--[a-z-]+)", section, re.MULTILINE))


@pytest.mark.parametrize("command", [*COMMANDS, *PLUGINS_ACTIONS, *COMMANDS_OF_PLUGINS])
def test_every_option_is_documented(command: str) -> None:
    documented = sections(CLI)
    common = listed(documented["Options of several commands"]) if command in UPSTREAM_COMMANDS else set()
    common |= listed(documented["Options of plugins"]) if command not in WITHOUT_PLUGIN_OPTIONS else set()
    assert listed(documented[command]) | common == offered(command) - {"--help", "--traceback"}


def test_every_mentioned_option_exists(page: Path) -> None:
    commands = (*COMMANDS, *PLUGINS_ACTIONS, *COMMANDS_OF_PLUGINS)
    known = {"--version", "--json", "--help"}.union(*(offered(command) for command in commands))
    named = set(re.findall(r"`(--[a-z-]+)[ `]", page.read_text()))
    for block in blocks(page, "console"):
        for line in re.findall(r"^\$ adapter-host .*$", block.text, re.MULTILINE):
            named |= set(re.findall(r" (--[a-z-]+)", line))
    assert named <= known


def test_demo_calls_the_example_and_stops() -> None:
    demo = [sys.executable, str(DOCS / "demo.py")]
    done = subprocess.run(demo, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=40, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"session_id": "cs_example_51H8"') == 2
    assert "Warning" not in done.stderr
    assert "Traceback" not in done.stderr


# Python


@pytest.fixture
def applications(monkeypatch: pytest.MonkeyPatch) -> list[web.Application]:
    """Return the applications that blocks would run until Ctrl-C."""
    found: list[web.Application] = []
    monkeypatch.setattr(web, "run_app", lambda app, **_: found.append(app))
    monkeypatch.chdir(ROOT)
    return found


def executed(block: Block) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(block.text, "page", "exec", dont_inherit=True), names)
    return names


def test_every_python_block_runs(page: Path, applications: list[web.Application]) -> None:
    for block in blocks(page, "python"):
        if not block.mark and not block.file:
            for name, value in executed(block).items():
                if name.startswith("test_"):
                    asyncio.run(value())


@pytest.mark.parametrize("name", ["README.md", "docs/embedding.md"])
async def test_the_embedding_block_serves(name: str, applications: list[web.Application]) -> None:
    executed(next(block for block in blocks(ROOT / name, "python") if "run_app" in block.text))
    async with TestClient(TestServer(applications[0])) as client:
        response = await client.get("/api/greeting-rest/greetings/Ada")
        assert await response.json() == {"greeting": "Hello, Ada!", "language": "en"}


def plugin(page: Path, type: str) -> Any:
    """Return the plugin that a page shows, of a type."""
    return SimpleNamespace(**executed(next(b for b in blocks(page, "python") if f'register("{type}"' in b.text)))


def exposing(type: str, **keys: Any) -> dict[str, Any]:
    inputs = [{"name": "id", "type": "integer", "required": True}]
    return {
        "naftiko": "1.0.0-alpha2",
        "capability": {
            "consumes": [
                {"type": "fake", "namespace": "up", "operations": [{"name": "read", "inputParameters": inputs}]},
            ],
            "exposes": [{"type": type, "namespace": "shown", "port": 0, **keys}],
        },
    }


async def response_of(method: str, url: str, **sent: Any) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.request(method, url, **sent) as response:
        return response.status, await response.text()


async def test_the_plugin_of_the_readme_serves() -> None:
    document = exposing("plain", operations=[{"name": "read", "call": "up.read"}])
    plugins = Plugins({"plain": plugin(ROOT / "README.md", "plain")})
    async with running(document, plugins=plugins) as served:
        url = served.url("shown")
        assert await response_of("GET", f"{url}/read?id=7") == (200, '{"id":7}')
        assert await response_of("GET", f"{url}/read?id=x") == (400, "'id' must be an integer (given \"x\")")
        assert await response_of("GET", f"{url}/read?uid=7") == (400, "unknown parameter 'uid'; did you mean 'id'?")


async def test_the_exposer_of_the_guide_serves() -> None:
    document = exposing("words", commands=[{"word": "look", "call": "up.read"}])
    plugins = Plugins({"words": plugin(DOCS / "writing-a-plugin.md", "words")})
    async with running(document, plugins=plugins) as served:
        url = served.url("shown") + "/look"
        assert await response_of("POST", url, json={"id": 7}) == (200, '{"id":7}')
        for sent, detail in (
            ({"json": [7]}, "the body must be a JSON object"),
            ({"data": "{"}, "the body must be JSON"),
        ):
            status, body = await response_of("POST", url, **sent)
            assert (status, json.loads(body)["detail"]) == (400, detail)
    document["capability"]["exposes"][0]["commands"] *= 2
    async with running(document, plugins=plugins, skip_invalid=True) as served:
        assert "another command has the word 'look'" in str(served.host.warnings[0])
        assert await response_of("POST", served.url("shown") + "/look", json={"id": 7}) == (200, '{"id":7}')


async def test_the_exposer_of_the_guide_with_a_login_checks_credentials() -> None:
    credentials = {"type": "bearer", "token": "{{TOKEN}}"}
    document = exposing("vault", operations=[{"call": "up.read"}], authentication=credentials)
    document["capability"]["consumes"][0]["operations"][0]["inputParameters"] = []
    document["binds"] = [{"namespace": "env", "keys": {"TOKEN": "TOKEN"}}]
    plugins = Plugins({"vault": plugin(DOCS / "writing-a-plugin.md", "vault")})
    async with running(document, plugins=plugins, environment={"TOKEN": "s3cr3t"}) as served:
        address = urlsplit(served.url("shown"))
        assert address.scheme == "vault"
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(b"READ\nAUTH wrong\nREAD\nAUTH s3cr3t\nREAD\n")
        responses = [await reader.readline() for _ in range(5)]
        writer.close()
    assert [response[:3] for response in responses] == [b"ERR", b"ERR", b"ERR", b"OK\n", b"{}\n"]


async def test_the_bound_of_the_guide_for_slow_requests() -> None:
    block = next(b for b in blocks(DOCS / "writing-a-plugin.md", "python") if "read_frame" in b.text)
    read_frame = executed(block)["read_frame"]
    settings = Settings(environment={}, body_timeout=0.05, minimum_rate=40)
    reader = asyncio.StreamReader()
    reader.feed_data(b"12345")
    assert await read_frame(reader, 5, settings) == b"12345"
    reader.feed_data(b"1")
    with pytest.raises(TimeoutError):
        await read_frame(reader, 5, settings)


async def test_the_consumer_of_the_guide_is_called() -> None:
    document = exposing("echo", operations=[{"call": "dice.roll"}])
    document["capability"]["consumes"] = [{"type": "dice", "namespace": "dice", "sides": 20}]
    plugins = Plugins.installed()
    plugins.register("dice", plugin(DOCS / "writing-a-plugin.md", "dice"))
    async with running(document, plugins=plugins) as served:
        assert (await served.host.call("shown.roll", {"times": 3})).data == [20, 20, 20]


async def test_consumer_of_the_page_requests_tokens() -> None:
    api = HttpApi()
    api.accepts = lambda authorization: authorization == "Bearer t2"
    async with TokenServer().serving() as tokens, serving(api.read) as url:
        client = {"id": tokens.client[0], "secret": tokens.client[1]}
        authentication = {"type": "oauth2", "tokenEndpoint": tokens.url, "x-client": client}
        consumed = {"type": "quotes", "namespace": "q", "url": url, "authentication": authentication}
        document = {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [consumed]}}
        plugins = Plugins.installed()
        plugins.register("quotes", plugin(DOCS / "writing-a-plugin.md", "quotes"))
        async with Host(document, plugins=plugins, settings=Settings(environment={})) as host:
            assert (await host.call("q.read", {})).body == b"read"
    assert api.sent == ["Bearer t1", "Bearer t2"]


def test_rule_of_the_reference_warns() -> None:
    block = next(b for b in blocks(DOCS / "reference/hooks.md", "python") if "house-rule" in b.text)
    plugins = Plugins.installed()
    plugins.register("house", SimpleNamespace(**executed(block)))
    host = Host(ROOT / "capabilities/stations.yaml", plugins=plugins)
    assert [(warning.code, warning.line > 0, warning.message) for warning in host.warnings] == [
        ("house-rule", True, "'stations-rest' has no authentication; add 'authentication'")
    ]


# Completeness


def test_every_hook_has_its_section() -> None:
    hooks = {name for name, value in vars(hookspecs).items() if hasattr(value, f"{hookspecs.PROJECT}_spec")}
    assert set(sections(DOCS / "reference/hooks.md")) - {"Declare the types"} == hooks


def test_every_error_has_its_section() -> None:
    documented = sections(DOCS / "reference/errors.md")
    public = [getattr(adapter_host, name) for name in adapter_host.__all__]
    errors = [value for value in public if isinstance(value, type) and issubclass(value, AdapterHostError)]
    assert len(errors) > 10
    for error in errors:
        assert error.__name__ in documented
        if issubclass(error, OperationError) and error is not UpstreamStatusError:
            assert f"| `{error.__name__}` | {error.status}" in documented["One call"]


def test_kinds_of_errors_by_protocol() -> None:
    kinds = sections(DOCS / "reference/errors-by-protocol.md")["Kinds"]
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| .+? \| `(\w+)` \| `(\w+)` \| (.+?) \|$", kinds, re.MULTILINE)
    documented = {name: (status, *others) for name, status, *others in rows}
    assert set(documented) == {error.__name__ for error in error_tree(OperationError)}
    for error in error_tree(OperationError):
        raised = make_error(error)
        status, graphql, a2a, grpc = documented[error.__name__]
        assert graphql == code_of_graphql(raised)
        assert a2a == describe_error(raised, "skill")[0]
        if not isinstance(raised, UpstreamStatusError):
            assert status.startswith(str(raised.status))
            assert grpc == f"`{code_of_grpc(raised).name}`"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_has_a_target(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if not target.startswith("https://"):
            name, _, anchor = target.partition("#")
            linked = (page.parent / name).resolve() if name else page
            assert linked.exists(), target
            assert not anchor or anchor in anchors(linked), target
