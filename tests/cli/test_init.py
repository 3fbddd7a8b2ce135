"""`init` writes capabilities that validate and serve."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import aiohttp
import pytest

from adapter_host import Host, Settings
from adapter_host.cli import main
from adapter_host.cli.curl_command import openapi_of
from tests.support.paths import ROOT


class Upstream(BaseHTTPRequestHandler):
    """Records requests."""

    seen: ClassVar[list[tuple[str, str, dict[str, str], str]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.seen.append((self.command, self.path, dict(self.headers), body))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"found": 3}')

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def upstream() -> Iterator[str]:
    Upstream.seen = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


async def test_from_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init"]) == 0
    assert capsys.readouterr().err.splitlines()[1] == "Try it: adapter-host serve --mock capability.yaml"
    assert main(["validate", "--strict", "capability.yaml"]) == 0
    assert "2 operations; 0 problems, 0 warnings" in capsys.readouterr().out
    ports = {"capability-rest": 0, "capability-mcp": 0}
    async with Host("capability.yaml", settings=Settings(mock=True, ports=ports)) as host:
        url = next(status.url for status in host.status() if status.exposer.config.type == "rest")
        async with aiohttp.ClientSession() as session, session.get(f"{url}/things/3") as response:
            assert (response.status, await response.json()) == (200, {"name": "name", "price": 1.5})


def test_from_an_openapi_document() -> None:
    sample = ROOT / "tests/openapi/samples/garden-3.1.yaml"
    assert main(["init", "garden.yaml", "--openapi", str(sample)]) == 0
    assert main(["validate", "garden.yaml"]) == 0


def test_from_a_curl_command(
    upstream: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = f"""curl -sS -X POST '{upstream}/v1/orders/search?limit=10' \\
      -H 'Authorization: Bearer s3cr3t' -H 'X-Tenant: t1' -H 'Content-Type: application/json' \\
      --data-raw '{{"name": "x", "count": 2}}'"""
    assert main(["init", "orders.yaml", "--curl", command, "--namespace", "orders"]) == 0
    text = Path("orders.yaml").read_text()
    assert "s3cr3t" not in text
    assert text.startswith("# Made from a curl command.\nnaftiko: ")
    assert main(["validate", "orders.yaml"]) == 0
    (variable,) = [line.strip().partition(":")[0] for line in text.splitlines() if "TOKEN: " in line]
    monkeypatch.setenv(variable, "new")
    capsys.readouterr()
    call = ["orders-mcp.post-orders-search", "limit=5", "X-Tenant=t2", 'body={"name": "y", "count": 3}']
    assert main(["call", "orders.yaml", *call]) == 0
    assert json.loads(capsys.readouterr().out) == {"found": 3}
    ((method, path, headers, body),) = Upstream.seen
    assert (method, path, json.loads(body)) == ("POST", "/v1/orders/search?limit=5", {"name": "y", "count": 3})
    assert (headers["Authorization"], headers["X-Tenant"]) == ("Bearer new", "t2")


@pytest.mark.parametrize(
    ("command", "method", "path", "schemes"),
    [
        ("curl https://api.example.com", "get", "/", []),
        ("curl api.example.com/a/b -u me:secret", "get", "/a/b", ["basic"]),
        ("curl -H 'X-API-Key: secret' https://u:p@api.example.com/a", "get", "/a", ["key"]),
        ("curl --json '[1]' https://api.example.com/a", "post", "/a", []),
        ("curl -d 'a=b&c=d' https://api.example.com/a", "post", "/a", []),
        ("curl -G -d 'a=b' https://api.example.com/a", "get", "/a", []),
        ("curl -X DELETE --compressed https://api.example.com/a/5", "delete", "/a/5", []),
    ],
)
def test_curl_commands(command: str, method: str, path: str, schemes: list[str]) -> None:
    document = openapi_of(command)
    assert document["servers"] == [{"url": "https://api.example.com"}]
    assert [*document["paths"][path]] == [method]
    assert [*document["components"]["securitySchemes"]] == schemes
    assert "secret" not in json.dumps(document)
    Path("document.json").write_text(json.dumps(document))
    assert main(["init", "made.yaml", "--curl", command]) == 0
    assert main(["validate", "made.yaml"]) == 0


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("wget https://a.example.com", "the command must begin with 'curl'"),
        ("curl", "the curl command must have one URL (given 0)"),
        ("curl 'https://a", "the curl command cannot be read: No closing quotation"),
        ("curl ftp://a.example.com", "'ftp://a.example.com' is not an http or https URL"),
        ("curl --no-such https://a.example.com", "the curl command cannot be read: unrecognized arguments: --no-such"),
        ("curl --json '{' https://a.example.com", "the body of the curl command is not JSON"),
        ("curl -d @file https://a.example.com", "the body is in a file ('@file'); write it in the command"),
    ],
)
def test_other_commands(command: str, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--curl", command]) == 2
    assert reason in capsys.readouterr().err
    assert not Path("capability.yaml").exists()


def test_reports_what_a_capability_cannot_express(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--curl", "curl -X TRACE https://a.example.com/x"]) == 1
    assert capsys.readouterr().err == (
        "the curl command: warning: #/paths/~1x: TRACE is not supported; skipped\n"
        "the curl command: no supported operation\n"
    )


def test_existing_file_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    Path("capability.yaml").write_text("mine")
    assert main(["init"]) == 2
    assert "'capability.yaml' already exists; choose another file, or add --force" in capsys.readouterr().err
    assert main(["init", "--force"]) == 0
