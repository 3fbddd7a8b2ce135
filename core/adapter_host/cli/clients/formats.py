"""The formats of the configuration of MCP clients, and where each has its file."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from . import json_text, toml_text

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Server:
    """An MCP server as clients reach it: at a URL, or as a command over standard input and output."""

    name: str
    url: str | None = None
    command: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Client:
    """A client: the section of its configuration with servers, and the keys of a server in it.

    `user_file` returns the file for all projects, `project_file` is that of one. `url_key` is None for a client that
    only starts servers itself; `types` are the values of its key `type` over stdio and HTTP.
    """

    title: str
    section: str
    user_file: Callable[[], Path] | None
    project_file: str | None = None
    url_key: str | None = "url"
    types: tuple[str, str] | None = None
    toml: bool = False

    def entry(self, server: Server) -> Entry:
        """Return the configuration of a server; raise `ValueError` if the client cannot reach it."""
        kind = {} if self.types is None else {"type": self.types[server.url is not None]}
        if server.url is not None:
            if self.url_key is None:
                raise ValueError(f"{self.title} only starts servers itself; use standard input and output")
            return {**kind, self.url_key: server.url}
        command, *args = server.command
        environment = {"env": dict(server.environment)} if server.environment else {}
        return {**kind, "command": command, "args": args, **environment}

    def set_entry(self, text: str, server: Server) -> str:
        """Return the text of a configuration with a server; raise `ValueError` for an invalid one."""
        edit = toml_text.set_entry if self.toml else json_text.set_entry
        return edit(text, self.section, server.name, self.entry(server))

    def render(self, servers: Sequence[Server]) -> str:
        """Return the configuration of servers by itself."""
        text = ""
        if self.toml:
            for server in servers:
                text = self.set_entry(text, server)
            return text
        entries = {server.name: self.entry(server) for server in servers}
        return json.dumps({self.section: entries}, indent=2, ensure_ascii=False) + "\n"


def _home(*parts: str) -> Callable[[], Path]:
    return lambda: Path.home().joinpath(*parts)


def _codex() -> Path:
    return Path(os.environ.get("CODEX_HOME") or Path.home() / ".codex") / "config.toml"


def _application_data(*parts: str) -> Callable[[], Path]:
    """Return the function to a file in the folder where the system keeps the data of applications."""

    def path() -> Path:
        if sys.platform == "win32":
            base = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
        elif sys.platform == "darwin":
            base = Path.home() / "Library" / "Application Support"
        else:
            base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        return base.joinpath(*parts)

    return path


def _zed() -> Path:
    if sys.platform == "win32":
        return _application_data("Zed", "settings.json")()
    if sys.platform == "darwin":
        return Path.home() / ".config" / "zed" / "settings.json"
    return _application_data("zed", "settings.json")()


CLIENTS: Final[Mapping[str, Client]] = {
    # https://code.claude.com/docs/en/mcp
    "claude-code": Client(
        "Claude Code", "mcpServers", _home(".claude.json"), ".mcp.json", types=("stdio", "http")
    ),
    # https://modelcontextprotocol.io/docs/develop/connect-local-servers
    "claude-desktop": Client(
        "Claude Desktop", "mcpServers", _application_data("Claude", "claude_desktop_config.json"), url_key=None
    ),
    # https://cursor.com/docs/mcp
    "cursor": Client("Cursor", "mcpServers", _home(".cursor", "mcp.json"), ".cursor/mcp.json"),
    # https://code.visualstudio.com/docs/agents/reference/mcp-configuration
    "vscode": Client(
        "Visual Studio Code", "servers", _application_data("Code", "User", "mcp.json"), ".vscode/mcp.json",
        types=("stdio", "http"),
    ),
    # https://developers.openai.com/codex/mcp
    "codex": Client("Codex", "mcp_servers", _codex, ".codex/config.toml", toml=True),
    # https://geminicli.com/docs/tools/mcp-server
    "gemini": Client(
        "Gemini CLI", "mcpServers", _home(".gemini", "settings.json"), ".gemini/settings.json", url_key="httpUrl"
    ),
    # https://zed.dev/docs/ai/mcp
    "zed": Client("Zed", "context_servers", _zed, ".zed/settings.json"),
    "generic": Client("another client", "mcpServers", None, types=("stdio", "http")),
}  # fmt: skip
"""The clients by name, each with the page that its format is from."""
