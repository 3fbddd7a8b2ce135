"""`install` and `serve --print-config` write the configuration of MCP clients."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from adapter_host.cli import main
from adapter_host.cli.clients import json_text, toml_text
from adapter_host.cli.clients.formats import CLIENTS
from tests.support.paths import ROOT

FILE: Final = str(ROOT / "capabilities/greeting.yaml")
URL: Final = "http://127.0.0.1:9084/mcp"
ARGUMENTS: Final = ["serve", "--stdio", FILE]

STDIO: Final[dict[str, tuple[str, str, dict[str, Any]]]] = {
    "claude-code": (".claude.json", "mcpServers", {"type": "stdio"}),
    "claude-desktop": (".config/Claude/claude_desktop_config.json", "mcpServers", {}),
    "cursor": (".cursor/mcp.json", "mcpServers", {}),
    "vscode": (".config/Code/User/mcp.json", "servers", {"type": "stdio"}),
    "codex": (".codex/config.toml", "mcp_servers", {}),
    "gemini": (".gemini/settings.json", "mcpServers", {}),
    "zed": (".config/zed/settings.json", "context_servers", {}),
}
HTTP: Final[dict[str, dict[str, Any]]] = {
    "claude-code": {"type": "http", "url": URL},
    "cursor": {"url": URL},
    "vscode": {"type": "http", "url": URL},
    "codex": {"url": URL},
    "gemini": {"httpUrl": URL},
    "zed": {"url": URL},
    "generic": {"type": "http", "url": URL},
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty home of the user, as Linux has it."""
    for name in ("XDG_CONFIG_HOME", "CODEX_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    return tmp_path


def read(path: Path) -> Any:
    text = path.read_text()
    return tomllib.loads(text) if path.suffix == ".toml" else json_text.parse(text)


@pytest.mark.parametrize("client", STDIO)
def test_client_starts_the_server(client: str, home: Path) -> None:
    file, section, kind = STDIO[client]
    assert main(["install", client, FILE, "--env", 'TOKEN=a"b\\c']) == 0
    entry = read(home / file)[section]["greeting-mcp"]
    command = Path(entry.pop("command"))
    assert command.is_absolute()
    assert os.access(command, os.X_OK)
    assert entry == {**kind, "args": ARGUMENTS, "env": {"TOKEN": 'a"b\\c'}}
    assert (home / file).stat().st_mode & 0o777 == 0o600


def test_every_client_is_tested() -> None:
    assert {*STDIO, "generic"} == CLIENTS.keys()
    assert {*HTTP, "claude-desktop"} == CLIENTS.keys()


@pytest.mark.parametrize("client", HTTP)
def test_print_config(client: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--print-config", client, FILE]) == 0
    out = capsys.readouterr().out
    data = tomllib.loads(out) if CLIENTS[client].toml else json.loads(out)
    assert data == {CLIENTS[client].section: {"greeting-mcp": HTTP[client]}}


@pytest.mark.parametrize("arguments", [["claude-desktop"], ["cursor", "--stdio"]])
def test_print_config_of_stdio(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--print-config", *arguments, FILE]) == 0
    assert json.loads(capsys.readouterr().out)["mcpServers"]["greeting-mcp"]["args"] == ARGUMENTS


def test_print_config_needs_a_port(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--print-config", "cursor", FILE, "--port", "greeting-mcp=0"]) == 2
    assert "the port of 'greeting-mcp' is any free one; set it with --port" in capsys.readouterr().err


def test_print_config_has_the_public_url(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--public-url", "https://mcp.example.com/greeting"]
    assert main(["serve", "--print-config", "cursor", FILE, *arguments]) == 0
    assert "https://mcp.example.com/greeting/mcp" in capsys.readouterr().out


OTHER: Final = str(ROOT / "capabilities/observatory.yaml")


def test_print_config_covers_all_exposers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--print-config", "cursor", FILE, OTHER]) == 0
    assert json.loads(capsys.readouterr().out)["mcpServers"].keys() == {"greeting-mcp", "observatory-mcp"}


def test_print_config_of_one_endpoint(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--print-config", "cursor", "--mcp-endpoint", "9400", FILE, OTHER]) == 0
    servers = json.loads(capsys.readouterr().out)["mcpServers"]
    assert servers == {"adapter-host": {"url": "http://127.0.0.1:9400/mcp"}}


def test_install_urls_of_several_exposers(home: Path) -> None:
    assert main(["install", "cursor", "--http", FILE, OTHER]) == 0
    servers = read(home / ".cursor/mcp.json")["mcpServers"]
    assert servers == {"greeting-mcp": {"url": URL}, "observatory-mcp": {"url": "http://127.0.0.1:9101/mcp"}}


def test_several_servers_have_no_single_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "cursor", "--http", "--name", "x", FILE, OTHER]) == 2
    assert "--name is the name of one server, and these are several" in capsys.readouterr().err


def test_install_refuses_what_one_endpoint_cannot_serve(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = []
    for name in ("first", "second"):
        secured = f"namespace: {name}-mcp\n      authentication: {{type: bearer, token: {name}}}\n"
        text = Path(FILE).read_text().replace("namespace: greeting-rest", f"namespace: {name}-rest")
        files.append(tmp_path / f"{name}.yaml")
        files[-1].write_text(text.replace("namespace: greeting-mcp\n", secured))
    assert main(["install", "cursor", *map(str, files)]) == 1
    assert f"'second-mcp' requires another authentication than 'first-mcp' ({files[0]}:" in capsys.readouterr().err
    assert not (home / ".cursor").exists()


async def test_installed_command_serves_several_files(home: Path) -> None:
    assert main(["install", "cursor", FILE, OTHER]) == 0
    entry = read(home / ".cursor/mcp.json")["mcpServers"]["adapter-host"]
    assert entry["args"] == ["serve", "--stdio", "--mcp-endpoint", "0", FILE, OTHER]
    parameters = StdioServerParameters(command=entry["command"], args=entry["args"])
    async with stdio_client(parameters) as streams, ClientSession(*streams) as session:
        await session.initialize()
        called = await session.call_tool("greeting-mcp_greet", {"name": "Ada", "times": 1})
        assert not called.is_error
        names = [tool.name for tool in (await session.list_tools()).tools]
    assert "observatory-mcp_book-night" in names


async def test_installed_command_serves(home: Path) -> None:
    assert main(["install", "claude-desktop", FILE]) == 0
    file, section, _ = STDIO["claude-desktop"]
    entry = read(home / file)[section]["greeting-mcp"]
    parameters = StdioServerParameters(command=entry["command"], args=entry["args"])
    async with stdio_client(parameters) as streams, ClientSession(*streams) as session:
        await session.initialize()
        assert (await session.list_tools()).tools


ZED: Final = """// Zed settings
{
    "theme": "One", // light
    "context_servers": {
        // mine
        "other": {"url": "https://example.com/mcp"}, /* last */
    },
}
"""
CODEX: Final = """# mine
model = "o" # best

[mcp_servers.other] # keep
url = "https://example.com/mcp"

[mcp_servers.greeting-mcp]
command = "old"

[mcp_servers.greeting-mcp.env]
OLD = "1"

[tui]
theme = "dark"
"""


@pytest.mark.parametrize(
    ("client", "text"), [("zed", ZED), ("codex", CODEX), ("zed", ZED.replace("\n", "\r\n")), ("codex", "model = 'o'")]
)
def test_everything_else_is_kept(client: str, text: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, section, _ = STDIO[client]
    path = home / file
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode())
    path.chmod(0o640)
    before = read(path)
    assert main(["install", client, FILE]) == 0
    after = read(path)
    assert after[section].pop("greeting-mcp")["args"] == ARGUMENTS
    before.setdefault(section, {}).pop("greeting-mcp", None)
    assert after == before
    new = path.read_bytes().decode()
    assert all(line in new for line in text.splitlines() if "greeting" not in line and "old" not in line.lower())
    assert path.with_name(f"{path.name}.bak").read_bytes().decode() == text
    assert path.stat().st_mode & 0o777 == 0o640
    capsys.readouterr()
    assert main(["install", client, FILE]) == 0
    assert capsys.readouterr().out == f"{path}: unchanged\n"
    assert main(["install", client, FILE, "--http"]) == 0
    assert path.with_name(f"{path.name}.bak1").read_bytes().decode() == new


def test_dry_run_writes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "zed", FILE, "--dry-run", "--http"]) == 0
    out = capsys.readouterr().out
    assert '+      "url": "http://127.0.0.1:9084/mcp"' in out
    assert list(home.iterdir()) == []


def test_link_stays_a_link(home: Path) -> None:
    (home / "dotfiles").mkdir()
    (home / "dotfiles/claude.json").write_text("{}")
    (home / ".claude.json").symlink_to("dotfiles/claude.json")
    assert main(["install", "claude-code", FILE]) == 0
    assert (home / ".claude.json").is_symlink()
    assert "greeting-mcp" in read(home / "dotfiles/claude.json")["mcpServers"]


def test_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["install", "vscode", FILE, "--project", "--name", "hello"]) == 0
    assert list(read(Path(".vscode/mcp.json"))["servers"]) == ["hello"]


@pytest.mark.parametrize(
    ("client", "text", "reason"),
    [
        ("cursor", '{"mcpServers": ', "invalid JSON in line 1"),
        ("cursor", "[]", "the file is not a JSON object"),
        ("cursor", '{\n"mcpServers": []}', "'mcpServers' is not a JSON object"),
        ("cursor", "{} 5", "unexpected text in line 1"),
        ("codex", "a = ", "Invalid value"),
        ("codex", "mcp_servers = {a = {url = 'b'}}", "'mcp_servers' is not written as tables such as"),
    ],
)
def test_other_content_is_not_changed(
    client: str, text: str, reason: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home / STDIO[client][0]
    path.parent.mkdir()
    path.write_text(text)
    assert main(["install", client, FILE]) == 1
    assert f"adapter-host: cannot change '{path}': {reason}" in capsys.readouterr().err
    assert path.read_text() == text
    assert [*path.parent.iterdir()] == [path]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["claude-desktop", "--http"], "Claude Desktop only starts servers itself; use standard input and output"),
        (["claude-desktop", "--project"], "Claude Desktop has no file for a project; leave out --project"),
        (["generic"], "the file of the client is unknown; add --client-file"),
        (["cursr"], "unknown client 'cursr'; did you mean 'cursor'?"),
        (["cursor", "--http", "--env", "A=b"], "--env and --env-file have no effect with --http"),
    ],
)
def test_wrong_usage(arguments: list[str], reason: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", *arguments[:1], FILE, *arguments[1:]]) == 2
    assert reason in capsys.readouterr().err
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{}", "{ }", "{\n}", '{"a": 1}', '{ "s": {} }', '{"s": {"n": 1}}', "{ // c\n}"])
def test_json_of_any_layout(text: str) -> None:
    new = json_text.set_entry(text, "s", "n", {"b": [1]})
    assert json_text.parse(new) == {**json_text.parse(text), "s": {"n": {"b": [1]}}}


def test_toml_names_are_quoted() -> None:
    text = toml_text.set_entry("", "s", "a.b c", {"x": "y", "env": {"K L": "v"}})
    assert tomllib.loads(text) == {"s": {"a.b c": {"x": "y", "env": {"K L": "v"}}}}
    assert toml_text.set_entry(text, "s", "a.b c", {"x": "z"}) == '[s."a.b c"]\nx = "z"\n'
