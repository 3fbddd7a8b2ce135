"""The server of the console: its access checks and its data."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import yaml

from adapter_host import (
    Arguments,
    CallRecord,
    CatalogEntry,
    Exposer,
    ExposerConfig,
    Host,
    McpEndpoint,
    Operation,
    OperationSpec,
    PluginError,
    Plugins,
    ProblemsError,
    RegisterExposer,
    Result,
    Settings,
    hookimpl,
)
from tests.support.console import SHOP

SECRET = "s3cr3t-t0ken"
ORDER = {"customer": {"name": "Ada", "address": {"city": "Paris"}}, "items": [{"article": "book", "count": 2}]}


class Console:
    """A client of the console of a host in this process."""

    def __init__(self, host: Host, session: aiohttp.ClientSession, link: str) -> None:
        self.host = host
        self.session = session
        self.link = link
        self.url = link.partition("/login")[0]

    async def log_in(self) -> None:
        async with self.session.get(self.link) as response:
            assert response.status == 200

    async def get(self, path: str, **options: Any) -> tuple[int, Any]:
        async with self.session.get(self.url + path, **options) as response:
            return response.status, await response.json()

    async def post(self, path: str, data: Any, **options: Any) -> tuple[int, Any]:
        async with self.session.post(self.url + path, json=data, **options) as response:
            return response.status, await response.json()

    async def find(self, title: str, exposer: str = "") -> str:
        _, found = await self.get("/api/operations", params={"exposer": exposer})
        entry: str = next(row["id"] for row in found["rows"] if row["title"] == title)
        return entry


@asynccontextmanager
async def serving(capsys: pytest.CaptureFixture[str], **settings: Any) -> AsyncIterator[Console]:
    given = {"mock": True, "plugins": {"console": {"port": "0"}}, **settings}
    host = Host(yaml.safe_load(SHOP), settings=Settings(**given))
    # An address of loopback has cookies only in an unsafe jar, as browsers have for it.
    async with host, aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        await asyncio.sleep(0)
        (link,) = re.findall(r"http://\S+/login\?token=\S+", capsys.readouterr().err)
        yield Console(host, session, link)


@pytest.fixture
async def console(capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Console]:
    async with serving(capsys, environment={"SHOP_TOKEN": SECRET}) as served:
        yield served


# Who may use it


async def test_nothing_is_shown_without_a_login(console: Console) -> None:
    for path in (
        "/api/overview",
        "/api/operations",
        "/api/operations/x",
        "/api/problems",
        "/api/calls",
        "/api/calls/x",
    ):
        status, problem = await console.get(path)
        assert status == 401
        assert problem["detail"] == "not logged in; open the login link that the command has printed"


async def test_the_application_leads_to_the_login(console: Console) -> None:
    async with console.session.get(console.url) as response:
        assert response.url.path == "/login"
        assert "Open the login link" in await response.text()


async def test_a_login_link_is_used_once(console: Console) -> None:
    await console.log_in()
    async with aiohttp.ClientSession() as other, other.get(console.link) as response:
        assert response.status == 403
        assert "Set-Cookie" not in response.headers
        assert "not valid" in await response.text()
    assert (await console.get("/api/overview"))[0] == 200


async def test_a_browser_that_fetches_in_advance_does_not_use_it_up(console: Console) -> None:
    async with console.session.get(console.link, headers={"Sec-Purpose": "prefetch;prerender"}) as response:
        assert response.status == 503
    await console.log_in()
    assert (await console.get("/api/overview"))[0] == 200


async def test_the_cookie_is_for_this_site_only(console: Console) -> None:
    async with console.session.get(console.link) as response:
        (cookie,) = response.cookies.values()
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert cookie["path"] == "/"
    assert cookie.key.endswith(f"_{console.url.rpartition(':')[2]}")


async def test_a_logout_ends_the_session(console: Console) -> None:
    await console.log_in()
    (cookie,) = (f"{each.key}={each.value}" for each in console.session.cookie_jar)
    assert (await console.post("/logout", {}))[0] == 200
    assert (await console.get("/api/overview"))[0] == 401
    assert (await console.get("/api/overview", headers={"Cookie": cookie}))[0] == 401


async def test_a_new_link_is_printed_in_the_terminal(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    async with console.session.post(f"{console.url}/login") as response:
        assert response.status == 200
        page = await response.text()
    (link,) = re.findall(r"http://\S+/login\?token=\S+", capsys.readouterr().err)
    assert link.partition("=")[2] not in page
    async with console.session.post(f"{console.url}/login") as response:
        assert response.status == 429
    assert "token" not in capsys.readouterr().err
    async with console.session.get(console.link) as response:
        assert response.status == 403
    console.link = link
    await console.log_in()


@pytest.mark.parametrize("path", ["/login", "/static/app.js", "/api/overview"])
async def test_names_of_other_hosts_are_rejected(console: Console, path: str) -> None:
    await console.log_in()
    for name in ("evil.example.com", "evil.example.com:80", "127.0.0.1.evil.example.com", "[", ""):
        status, problem = await console.get(path, headers={"Host": name})
        assert status == 403
        assert problem["detail"] == "the Host header is not allowed; use the address of the login link"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.com"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
async def test_requests_of_other_origins_are_rejected(console: Console, headers: dict[str, str]) -> None:
    await console.log_in()
    for path in ("/logout", "/login", "/api/operations/x/call"):
        status, problem = await console.post(path, {}, headers=headers)
        assert (status, problem["detail"]) == (403, "cross-origin request rejected")
    assert (await console.get("/api/overview"))[0] == 200


async def test_forms_of_other_sites_cannot_be_data(console: Console) -> None:
    await console.log_in()
    entry = await console.find("find-order", "shop-tools")
    async with console.session.post(f"{console.url}/api/operations/{entry}/call", data="{}") as response:
        assert response.status == 415


async def test_every_response_has_a_strict_policy(console: Console) -> None:
    await console.log_in()
    for path in ("/", "/login", "/static/app.js", "/static/none.js", "/api/overview", "/none"):
        async with console.session.get(console.url + path) as response:
            policy = response.headers["Content-Security-Policy"]
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


async def test_pages_have_no_inline_scripts_and_styles(console: Console) -> None:
    for path in ("/login", "/login?token=x", "/static/index.html", console.link.removeprefix(console.url), "/"):
        async with console.session.get(console.url + path) as response:
            text = await response.text()
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! type=.module. src=.)", text)


async def test_files_outside_of_the_application_are_not_served(console: Console) -> None:
    for path in ("/static/../server.py", "/static/%2e%2e/server.py", "/static/vendor", "/static//etc/passwd"):
        async with console.session.get(console.url + path) as response:
            assert response.status in (401, 404)


# Whether it is served


async def test_there_is_no_console_without_a_port(capsys: pytest.CaptureFixture[str]) -> None:
    host = Host(yaml.safe_load(SHOP), settings=Settings(mock=True, plugins={"console": {}}))
    assert host.settings.access_log is None
    async with host:
        await asyncio.sleep(0)
    assert "console" not in capsys.readouterr().err


def test_other_addresses_than_loopback_are_refused() -> None:
    settings = Settings(mock=True, plugins={"console": {"port": 0, "address": "0.0.0.0"}})
    with pytest.raises(ProblemsError, match="the console listens on loopback only; forward its port with ssh -L"):
        Host(yaml.safe_load(SHOP), settings=settings)


async def test_a_port_in_use_is_an_error_of_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        host = Host(yaml.safe_load(SHOP), settings=Settings(mock=True, plugins={"console": {"port": port}}))
        with pytest.raises(PluginError, match="choose another port with --console PORT"):
            await host.start()


async def test_the_access_log_has_the_calls_too(capsys: pytest.CaptureFixture[str]) -> None:
    written: list[CallRecord] = []
    async with serving(capsys, access_log=written.append) as console:
        await console.log_in()
        entry = await console.find("find-order", "shop-tools")
        await console.post(f"/api/operations/{entry}/call", {"arguments": {"number": "7"}, "way": "direct"})
    assert [record.operation for record in written] == ["find-order"]


# What is served


async def test_overview(console: Console) -> None:
    await console.log_in()
    _, found = await console.get("/api/overview")
    (capability,) = found["capabilities"]
    assert (capability["label"], capability["version"], found["mock"]) == ("Shop", "2.1", True)
    assert [(each["namespace"], each["type"], each["operations"]) for each in capability["exposers"]] == [
        ("shop", "rest", 2),
        ("shop-tools", "mcp", 2),
    ]
    assert [(each["namespace"], each["operations"]) for each in capability["consumes"]] == [("api", 2)]
    assert capability["secrets"] == [{"name": "env.TOKEN", "set": True}]


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("", ["POST /orders", "GET /orders/{number}", "create-order", "find-order"]),
        ("find-order", ["GET /orders/{number}", "find-order"]),
        ("FIND shop-tools", ["find-order"]),
        ("api.create", ["POST /orders", "create-order"]),
        ("nothing", []),
    ],
)
async def test_search(console: Console, query: str, titles: list[str]) -> None:
    await console.log_in()
    _, found = await console.get("/api/operations", params={"q": query})
    assert [row["title"] for row in found["rows"]] == titles
    assert found["total"] == len(titles)


async def test_a_page_of_the_list(console: Console) -> None:
    await console.log_in()
    _, found = await console.get("/api/operations", params={"offset": "1", "limit": "2"})
    assert [row["title"] for row in found["rows"]] == ["GET /orders/{number}", "create-order"]
    assert found["total"] == 4
    assert (await console.get("/api/operations", params={"offset": "-1"}))[0] == 400


async def test_a_tool_as_an_agent_sees_it(console: Console) -> None:
    await console.log_in()
    _, tool = await console.get(f"/api/operations/{await console.find('create-order', 'shop-tools')}")
    assert tool["description"] == "Places an order."
    assert tool["tokens"] > 50
    customer = tool["input_schema"]["properties"]["customer"]
    assert customer["properties"]["address"]["required"] == ["city"]
    assert tool["upstream"][0]["url"] == "https://api.example.com/v1/orders"
    assert tool["ways"] == ["client", "direct"]


async def test_a_route_as_a_client_sees_it(console: Console) -> None:
    await console.log_in()
    _, route = await console.get(f"/api/operations/{await console.find('GET /orders/{number}')}")
    assert [(each["name"], each["in"]) for each in route["inputs"]] == [("number", "path")]
    assert route["hints"] == ["read-only", "idempotent"]
    assert route["tokens"] is None


async def test_an_included_tool_is_that_of_its_own_exposer(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(capsys, environment={"SHOP_TOKEN": SECRET}, mcp_endpoint=McpEndpoint(port=0)) as console:
        await console.log_in()
        entry = await console.find("shop-tools_find-order", "adapter-host")
        _, tool = await console.get(f"/api/operations/{entry}")
        _, own = await console.get(f"/api/operations/{await console.find('find-order', 'shop-tools')}")
        _, called = await console.post(f"/api/operations/{entry}/call", {"arguments": {"number": "7"}, "way": "client"})
    assert (tool["exposer"], tool["declared"]) == ("adapter-host", {"exposer": "shop-tools", "name": "find-order"})
    assert [tool[key] for key in ("capability", "file", "line", "declared")] == [
        own[key] for key in ("capability", "file", "line", "declared")
    ]
    assert called["status"] == 200


async def test_an_id_survives_a_reload(console: Console) -> None:
    await console.log_in()
    entry = await console.find("find-order", "shop-tools")
    await console.host.reload()
    assert (await console.get(f"/api/operations/{entry}"))[0] == 200
    assert (await console.get("/api/overview"))[1]["generation"] == 2
    assert (await console.get("/api/operations/0000"))[0] == 404


async def test_problems(console: Console) -> None:
    await console.log_in()
    assert await console.get("/api/problems") == (200, {"problems": []})


# Trying it


@pytest.mark.parametrize("way", ["client", "direct"])
@pytest.mark.parametrize(("title", "exposer"), [("POST /orders", "shop"), ("create-order", "shop-tools")])
async def test_a_call(console: Console, way: str, title: str, exposer: str) -> None:
    await console.log_in()
    entry = await console.find(title, exposer)
    status, result = await console.post(f"/api/operations/{entry}/call", {"arguments": ORDER, "way": way})
    assert (status, result["status"], result["error"]) == (200, 200, None)
    assert '"id"' in result["json"].replace("\\", "")
    assert [span["name"] for span in result["trace"]] == ["create-order", "api.create"]
    assert result["trace"][1]["parent"] == 0
    _, calls = await console.get("/api/calls")
    (record,) = (each for each in calls["records"] if each["request_id"] == result["request_id"])
    assert (record["operation"], record["exposer"], record["failed"]) == ("create-order", exposer, False)
    assert record["transport"] == ("http" if way == "client" else "console")
    _, trace = await console.get(f"/api/calls/{result['request_id']}")
    assert trace["spans"] == result["trace"]


async def test_invalid_arguments_are_named(console: Console) -> None:
    await console.log_in()
    path = f"/api/operations/{await console.find('create-order', 'shop-tools')}"
    _, result = await console.post(f"{path}/call", {"arguments": {"items": 3}, "way": "direct"})
    assert result["status"] == 400
    assert "'customer'" in result["error"]
    _, preview = await console.post(f"{path}/preview", {"arguments": {"items": 3}})
    assert "'customer'" in preview["error"]
    assert preview["request"]["headers"]["Mcp-Name"] == "create-order"


async def test_a_preview_has_no_secret_and_sends_nothing(console: Console) -> None:
    await console.log_in()
    entry = await console.find("find-order", "shop-tools")
    _, shown = await console.post(f"/api/operations/{entry}/preview", {"arguments": {"number": "a/7"}})
    assert shown["upstream"]["url"] == "https://api.example.com/v1/orders/a%2F7"
    assert SECRET not in str(shown)
    assert (await console.get("/api/calls"))[1]["records"] == []


@pytest.mark.parametrize("sent", [{"arguments": []}, {"headers": {"A": 1}}, {"headers": {"A b": "x"}, "way": "client"}])
async def test_what_cannot_be_sent(console: Console, sent: dict[str, Any]) -> None:
    await console.log_in()
    entry = await console.find("find-order", "shop-tools")
    assert (await console.post(f"/api/operations/{entry}/call", sent))[0] == 400


async def test_no_page_has_a_secret(console: Console) -> None:
    await console.log_in()
    for path in ("/api/overview", "/api/operations", "/api/problems", "/api/calls"):
        assert SECRET not in str(await console.get(path))
    for row in (await console.get("/api/operations"))[1]["rows"]:
        _, found = await console.get(f"/api/operations/{row['id']}")
        assert SECRET not in str(found)


async def test_a_plugin_whose_catalog_fails_hides_no_other(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Exposer[ExposerConfig]):
        def catalog(self) -> list[CatalogEntry]:
            raise ValueError("no catalog")

    class Plugin:
        @hookimpl
        def register_exposers(self, register: RegisterExposer) -> None:
            register("broken", Broken)

    document = yaml.safe_load(SHOP)
    document["capability"]["exposes"].insert(0, {"type": "broken", "namespace": "broken"})
    plugins = Plugins.installed()
    plugins.register("broken", Plugin())
    host = Host(document, plugins=plugins, settings=Settings(mock=True, plugins={"console": {"port": 0}}))
    async with console_of(host, capsys) as console:
        assert (await console.get("/api/operations"))[1]["total"] == 4
    assert "the catalog of 'broken' failed" in caplog.text


STEPS = """\
naftiko: 1.0.0-alpha2
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: https://api.example.com
      resources:
        - {name: one, path: /one, operations: [{name: first, method: GET}]}
        - {name: two, path: /two, operations: [{name: second, method: GET}]}
  exposes:
    - type: mcp
      namespace: tools
      port: 0
      tools:
        - name: both
          description: Calls both.
          steps:
            - {type: call, name: begin, call: api.first}
            - {type: call, name: finish, call: api.second}
"""


@asynccontextmanager
async def console_of(host: Host, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Console]:
    async with host, aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        await asyncio.sleep(0)
        (link,) = re.findall(r"http://\S+/login\?token=\S+", capsys.readouterr().err)
        console = Console(host, session, link)
        await console.log_in()
        yield console


async def test_each_step_is_traced(capsys: pytest.CaptureFixture[str]) -> None:
    host = Host(yaml.safe_load(STEPS), settings=Settings(mock=True, plugins={"console": {"port": 0}}))
    async with console_of(host, capsys) as console:
        path = f"/api/operations/{await console.find('both')}/call"
        _, result = await console.post(path, {"way": "direct"})
        assert [(span["kind"], span["name"], span["parent"]) for span in result["trace"]] == [
            ("operation", "both", None),
            ("step", "begin", 0),
            ("upstream", "api.first", 1),
            ("step", "finish", 0),
            ("upstream", "api.second", 3),
        ]
        assert [span["outcome"] for span in result["trace"]] == [200] * 5


async def test_an_operation_that_fails_unexpectedly(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(arguments: Arguments) -> Result:
        raise ValueError(SECRET)

    class Failing(Exposer[ExposerConfig]):
        def catalog(self) -> list[CatalogEntry]:
            spec = OperationSpec.model_validate({"name": "failing"})
            return [CatalogEntry("failing", Operation("failing", None, (), fail, spec))]

    class Plugin:
        @hookimpl
        def register_exposers(self, register: RegisterExposer) -> None:
            register("failing", Failing)

    document = yaml.safe_load(SHOP)
    document["capability"]["exposes"].insert(0, {"type": "failing", "namespace": "failing"})
    plugins = Plugins.installed()
    plugins.register("failing", Plugin())
    host = Host(document, plugins=plugins, settings=Settings(mock=True, plugins={"console": {"port": 0}}))
    async with console_of(host, capsys) as console:
        path = f"/api/operations/{await console.find('failing')}/call"
        status, result = await console.post(path, {"way": "direct"})
    assert (status, result["status"], result["error"]) == (200, 500, "Internal error; the log has the details")
    assert SECRET not in str(result)
    assert "'failing' failed" in caplog.text
