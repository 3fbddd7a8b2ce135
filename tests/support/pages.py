"""The blocks of documentation pages, and a reader that runs them."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import re
import shlex
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import encode_basic_auth

from adapter_host import Host, McpEndpoint, Settings
from adapter_host.cli import main
from adapter_host.cli.options.mcp_endpoint import mcp_endpoint
from adapter_host.cli.output.table import table
from adapter_host.cli.serve import command as serve
from tests.support.paths import ROOT

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "plugins").glob("*/README.md")])

_BLOCK = re.compile(r"^```(\w*) ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"(?:#|//|<!--) ([\w/-]+\.(?:yaml|md|js|py))(, continued)?(?: -->)?\n")
_REQUEST_ID = re.compile(r'"request_id":"[0-9a-f]{16}"')


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the rest of its first line, and its text."""

    language: str
    mark: str
    text: str

    @property
    def file(self) -> str | None:
        """The name of the file that the block contains."""
        named = _NAMED.match(self.text)
        return named[1] if named else None

    @property
    def continued(self) -> bool:
        """Whether the block is appended to that file."""
        named = _NAMED.match(self.text)
        return bool(named and named[2])


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """Return the blocks of a page in order, of one language or of all."""
    found = [Block(*match.groups()) for match in _BLOCK.finditer(page.read_text())]
    return [block for block in found if language in (None, block.language)]


def write(block: Block, folder: Path) -> Path:
    """Write the file of a block, or append to it, and return its path."""
    assert block.file
    path = folder / block.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text((path.read_text() if block.continued else "") + block.text)
    return path


def steps(console: str) -> Iterator[tuple[str, str]]:
    """Yield the commands of a console block with their expected output."""
    for step in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        command, _, output = step.partition("\n")
        yield command, output.rstrip("\n")


def same(text: str) -> str:
    """Normalize a text for comparison: request ids differ each time."""
    return _REQUEST_ID.sub('"request_id":"..."', text.rstrip("\n"))


@dataclass
class Reader:
    """Runs a page in an empty folder and compares the output."""

    folder: Path
    served: Served | None = None
    compared: int = 0
    printed: str = ""

    def read(self, page: Path) -> None:
        """Run all blocks of a page in order."""
        (self.folder / "capabilities").symlink_to(ROOT / "capabilities")
        with contextlib.chdir(self.folder):
            try:
                for block in blocks(page):
                    self._take(block)
            finally:
                self._stop()

    def _take(self, block: Block) -> None:
        if block.file:
            write(block, self.folder)
        elif block.language == "console":
            for command, output in steps(block.text):
                self._do(command, output)
        elif block.language == "python" and block.mark in ("run", "client"):
            self._run(block)
        elif not block.language and self.printed:
            self._compare("python", self.printed, block.text)
            self.printed = ""

    def _do(self, command: str, output: str) -> None:
        words = shlex.split(command)
        if words[:2] == ["adapter-host", "serve"]:
            self._serve(words[2:], output)
        elif words[0] == "adapter-host":
            self._compare(command, _said(words[1:]), output)
        elif words[0] == "curl" and self.served:
            self._compare(command, self.served.curl(words[1:]), output)
        elif words[0] == "sed":
            subprocess.run(command, shell=True, check=True)

    def _compare(self, command: str, given: str, shown: str) -> None:
        if shown:
            assert same(given) == same(shown), command
            self.compared += 1

    def _serve(self, words: list[str], output: str) -> None:
        self._stop()
        parser = argparse.ArgumentParser()
        serve.add_options(parser)
        options = parser.parse_args(words)
        files = [*options.capability, *options.paths]
        if options.mock and all(Path(file).exists() for file in files):
            self.served = Served(files, dict(options.port), mcp_endpoint(options))
            self._compare("serve", self.served.table(), output)

    def _stop(self) -> None:
        if self.served:
            self.served.stop()
        self.served = None

    def _run(self, block: Block) -> None:
        text = self.served.moved(block.text) if self.served else block.text
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(text, "page", "exec", dont_inherit=True), {"__name__": "page"})
        self.printed = printed.getvalue()


def _said(words: list[str]) -> str:
    """Return the command's output, problems before results."""
    printed = io.TextIOWrapper(io.BytesIO(), write_through=True)
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()) as complained:
        main(words)
    written = printed.detach()
    return complained.getvalue() + written.getvalue().decode()


class Served:
    """Capabilities served with a mock server, in a thread; `ports` maps declared to actual ports."""

    def __init__(self, files: list[str], given: Mapping[str, int], mcp_endpoint: McpEndpoint | None) -> None:
        self._files = files
        self._mcp_endpoint = mcp_endpoint
        declared = {each.exposer.config.namespace: each.exposer.config.port for each in self._host({}).status()}
        wanted = {**declared, **given}
        shared = {port: _free_port() for port, users in Counter(wanted.values()).items() if users > 1}
        self.host = self._host({namespace: shared.get(port, 0) for namespace, port in wanted.items()})
        self.ports: dict[int, int] = {}
        self._loop = asyncio.new_event_loop()
        # A daemon thread, so that a failing page does not block the end of the process.
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._wait(self.host.start())
        for status in self.host.status():
            assert status.url is not None
            self.ports[wanted[status.namespace]] = int(re.findall(r":(\d+)", status.url)[0])

    def _host(self, ports: Mapping[str, int]) -> Host:
        return Host(
            *self._files, settings=Settings(mock=True, environment={}, ports=ports, mcp_endpoint=self._mcp_endpoint)
        )

    def _wait(self, awaited: Any) -> None:
        asyncio.run_coroutine_threadsafe(awaited, self._loop).result(timeout=20)

    def stop(self) -> None:
        """Stop serving."""
        self._wait(self.host.drain())
        self._wait(self.host.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def moved(self, text: str) -> str:
        """Return the text with the actual ports."""
        return re.sub(r"127\.0\.0\.1:(\d+)", lambda url: f"127.0.0.1:{self.ports[int(url[1])]}", text)

    def table(self) -> str:
        """Return the table that `serve` prints, with the ports as declared."""
        head = ("capability", "exposer", "type", "url", "authentication", "operations")
        back = {str(port): str(declared) for declared, port in self.ports.items()}
        return table(
            head,
            [
                (
                    each.capability,
                    each.namespace,
                    each.type,
                    re.sub(r":(\d+)", lambda port: f":{back[port[1]]}", each.url or "-"),
                    each.authentication,
                    str(len(list(each.exposer.catalog()))),
                )
                for each in self.host.status()
            ],
        )

    def curl(self, words: list[str]) -> str:
        """Return the output of curl: the body, for any status."""
        parser = argparse.ArgumentParser()
        parser.add_argument("url")
        parser.add_argument("-X", dest="method")
        parser.add_argument("-H", dest="headers", action="append", default=[])
        parser.add_argument("-d", dest="body")
        parser.add_argument("-u", dest="user")
        options = parser.parse_args(words)
        headers = dict(header.split(": ", 1) for header in options.headers)
        if options.user:
            headers["Authorization"] = _basic(options.user)
        body = options.body.encode() if options.body else None
        request = urllib.request.Request(self.moved(options.url), body, headers, method=options.method)
        try:
            with urllib.request.urlopen(request) as response:
                return str(response.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return error.read().decode()


def _basic(user: str) -> str:
    return str(encode_basic_auth(*user.split(":", 1)))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
