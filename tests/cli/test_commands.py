"""Tests of the commands without a server: validate, inspect, call and plugins."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host.cli import COMMANDS, main
from tests.support.command import HEAD

ABOUT = """\
info:
  label: Shop
  description: Sells things
  tags: [shop, parts]
  created: 2026-01-31
  version: 2.1.0
  stakeholders: [{role: owner, fullName: Ann Onym, email: ann@example.org}, {fullName: Bob}]
"""
DOCUMENT = (
    HEAD
    + """\
        - name: things
          path: /things/{id}
          operations:
            - name: get
              method: GET
              description: Reads a thing
              inputParameters:
                - {name: id, in: path, type: integer}
                - {name: sign, in: query}
                - {name: deep, in: query, type: boolean}
        - name: orders
          path: /orders
          operations:
            - name: add
              method: POST
              inputParameters:
                - {name: body, in: body, type: object}
        - name: parts
          path: /parts
          operations:
            - name: get
              method: PUT
              inputParameters:
                - {name: size, in: body, type: integer}
                - {name: colour, in: body, type: string}
  exposes:
    - type: rest
      namespace: shop
      port: 8080
      authentication: {type: bearer, token: "{{env.TOKEN}}"}
      resources:
        - path: /things/{id}
          operations:
            - method: GET
              name: get-thing
              call: api.things.get
              with:
                id: rest.id
                sign: "{{env.TOKEN}}"
                deep: rest.deep
        - path: /orders
          operations:
            - {method: POST, name: add-order, call: api.add}
    - type: mcp
      namespace: tools
      port: 9090
      tools:
        - {name: put-part, description: Changes a part, call: api.parts.get}
"""
)


STRICT = """\
naftiko: 1.0.0-alpha2
capability:
  exposes:
    - type: rest
      namespace: a
      port: 8080
      resources:
        - path: /a
          operations:
            - method: GET
              outputParameters:
                - {type: string, value: hello}
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a document in the current folder, with its secret set."""
    (tmp_path / "shop.yaml").write_text(DOCUMENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOP_TOKEN", "s3cr3t")
    return "shop.yaml"


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command in this process: exit code, output and errors, without secrets."""
    # `serve` configures logging, which belongs to this process.
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)

    def command(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(arguments)
        except SystemExit as usage:
            code = int(usage.code or 0)
        printed = capsys.readouterr()
        assert "s3cr3t" not in printed.out + printed.err
        assert "Traceback" not in printed.err
        return code, printed.out, printed.err

    return command


class Upstream(BaseHTTPRequestHandler):
    """Responds with JSON; `/v1/things/404` does not exist."""

    seen: ClassVar[list[tuple[str, str, str | None, bytes]]]

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append((self.command, self.path, self.headers.get("Authorization"), body))
        missing = self.path.startswith("/v1/things/404")
        response = b'{"error": "no such thing"}' if missing else b'{"ok": true, "blank": "' + b" " * 100_000 + b'"}'
        self.send_response(404 if missing else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(response)))
        self.end_headers()
        self.wfile.write(response)

    do_GET = do_POST = do_PUT = _respond  # noqa: N815 -- the names are the library's

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@pytest.fixture
def upstream() -> Iterator[str]:
    """Serve a consumed API in a thread; yield the option that calls it."""
    Upstream.seen = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"--base-uri=api=http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join()


def test_help_and_version(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    assert all(command in out for command in COMMANDS)
    assert run("--version")[1].startswith("adapter-host ")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, run: Run) -> None:
    code, out, _ = run(command, "--help")
    assert code == 0
    assert out.startswith(f"usage: adapter-host {command}")


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ((), "adapter-host: COMMAND is missing"),
        (("--verbose",), "adapter-host: unknown option '--verbose'"),
        (("sreve",), "adapter-host: unknown command 'sreve'; did you mean 'serve'?"),
        (("validate",), "adapter-host validate: FILE_OR_DIR is missing"),
        (
            ("validate", "--strikt", "a.yaml"),
            "adapter-host validate: unknown option '--strikt'; did you mean '--strict'?",
        ),
        (("validate", "--frobnicate", "a.yaml"), "adapter-host validate: unknown option '--frobnicate'"),
        (("export", "openapi", "a.yaml", "b.yaml"), "adapter-host export: unexpected argument 'b.yaml'"),
        (("plugins", "new"), "adapter-host plugins new: NAME and --kind are missing"),
        (
            ("plugins", "new", "a", "--kind", "exposr"),
            "adapter-host plugins new: --kind: unknown value 'exposr'; did you",
        ),
        (
            ("plugins", "new", "a", "--kind", "exposer", "--inta", "b"),
            "unknown option '--inta'; did you mean '--into'?",
        ),
        (
            ("serve", "shop.yaml", "--call-limit", "few"),
            "serve: --call-limit: 'few' is not a positive number",
        ),
        (("serve", "shop.yaml", "--call-limit", "0"), "adapter-host serve: --call-limit: '0' is not"),
        (("serve", "shop.yaml", "--port"), "adapter-host serve: --port: expected one argument"),
    ],
)
def test_usage_errors_of_argparse(arguments: tuple[str, ...], fragment: str, run: Run) -> None:
    """Texts that argparse writes in different words in different versions of Python."""
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    message, hint = err.splitlines()
    assert fragment in message
    program = message.partition(":")[0]
    assert hint == f"Run '{program} --help' to see the options."


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve",),
        ("serve", "shop.yaml", "--port", "shop=http"),
        ("serve", "shop.yaml", "--port", "shop=70000"),
        ("serve", "shop.yaml", "--port", "0"),
        ("serve", "shop.yaml", "--port", "shopp=0"),
        ("serve", "shop.yaml", "--base-uri", "apis=http://a"),
        ("serve", "shop.yaml", "--base-uri", "api=a"),
        ("serve", "shop.yaml", "--drain-timeout", "soon"),
        ("serve", "shop.yaml", "--drain-timeout", "-1"),
        ("serve", "shop.yaml", "--drain-timeout", "nan"),
        ("serve", "shop.yaml", "--watch-interval", "0"),
        ("serve", "shop.yaml", "--env-file", "none.env"),
        ("serve", "shop.yaml", "--env-file", "latin.env"),
        ("serve", "shop.yaml", "--trusted-proxy", "proxy"),
        ("call", "shop.yaml", "get-thing", "id"),
    ],
    ids=" ".join,
)
def test_usage_errors(arguments: tuple[str, ...], shop: str, run: Run, snapshot: SnapshotAssertion) -> None:
    Path("latin.env").write_bytes(b"SHOP_TOKEN=\xe9\n")
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    message, hint = err.splitlines()
    assert message == snapshot
    assert hint == f"Run 'adapter-host {arguments[0]} --help' to see the options."


def test_validate(shop: str, run: Run) -> None:
    assert run("validate", shop) == (0, "1 capability: 1 can run with 3 operations; 0 problems, 0 warnings\n", "")


def test_validate_reports_problems(shop: str, run: Run, snapshot: SnapshotAssertion) -> None:
    Path("bad.yaml").write_text(DOCUMENT.replace("call: api.add", "call: api.ad").replace("port: 8080", "prot: 8080"))
    code, out, err = run("validate", "bad.yaml", shop)
    assert code == 1
    assert out == "2 capabilities: 1 can run with 3 operations; 1 problem, 0 warnings\n"
    assert err.startswith("bad.yaml:41:7: ")
    assert err == snapshot

    Path("odd.yaml").write_text(DOCUMENT.replace("info: {", "information: {}\ninfo: {"))
    code, out, err = run("validate", "odd.yaml")
    assert code == 0
    assert err.startswith("odd.yaml:2:1: warning: ")
    assert err == snapshot
    assert out.endswith("; 0 problems, 1 warning\n")


def test_validate_json(shop: str, run: Run) -> None:
    Path("bad.yaml").write_text(DOCUMENT.replace("call: api.add", "call: api.ad"))
    code, out, err = run("validate", "--format", "json", "bad.yaml", shop)
    assert (code, err) == (1, "")
    report = json.loads(out)
    assert (report["capabilities"], report["refused"], report["operations"]) == (2, 1, 3)
    (problem,) = report["problems"]
    assert problem["message"].startswith("unknown operation 'api.ad'")
    assert {**problem, "message": ""} == {
        "file": "bad.yaml",
        "line": 55,
        "column": 53,
        "code": "unknown-call",
        "severity": "problem",
        "message": "",
    }


def test_validate_strict(shop: str, run: Run) -> None:
    code, _, err = run("validate", "--strict", shop)
    assert code == 1
    assert "shop.yaml:20:40: unknown key 'type'" in err
    Path("strict.yaml").write_text(STRICT)
    assert run("validate", "--strict", "strict.yaml")[0] == 0


def test_validate_needs_no_secret(shop: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_TOKEN")
    assert run("validate", shop)[0] == 0


def test_validate_folder(shop: str, run: Run) -> None:
    for name in ("empty", "sub/shared", ".git"):
        Path(name).mkdir(parents=True)
    Path("sub/other.yml").write_text(DOCUMENT.replace("port: ", "port: 1"))
    Path("sub/shared/api.yaml").write_text("naftiko: 1.0.0-alpha2\nconsumes: []\n")
    Path("sub/compose.yaml").write_text("services: {}\n")
    Path(".git/c.yaml").write_text("a: [")
    code, out, err = run("validate", ".")
    assert (code, err) == (0, "")
    assert out.startswith("2 capabilities: 2 can run with 6 operations")
    code, out, err = run("validate", "empty", shop)
    assert (code, err) == (1, "empty: no capability in this folder\n")
    Path("sub/broken.yaml").write_text("a: [")
    code, out, err = run("validate", ".")
    assert code == 1
    assert err.startswith("sub/broken.yaml:")


def test_validate_fragment(run: Run, shop: str) -> None:
    consumes = DOCUMENT[DOCUMENT.index("  consumes") : DOCUMENT.index("  exposes")]
    fragment = "naftiko: 1.0.0-alpha2\n" + "\n".join(line[2:] for line in consumes.splitlines()) + "\n"
    Path("fragment.yaml").write_text(f"{fragment}binds:\n  - namespace: env\n    keys: {{TOKEN: SHOP_TOKEN}}\n")
    code, _, err = run("validate", "fragment.yaml")
    assert (code, err) == (0, "")
    Path("wrong.yaml").write_text(fragment.replace("baseUri:", "baseUrl:"))
    code, _, err = run("validate", "wrong.yaml")
    assert code == 1
    assert "wrong.yaml:3:5: 'api' has no baseUri" in err


@pytest.mark.parametrize("command", ["validate", "inspect", "serve"])
def test_missing_file(command: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run(command, "shpo.yaml")
    assert (code, err) == (1, "shpo.yaml: cannot read: No such file or directory\n")


def test_inspect(shop: str, run: Run) -> None:
    code, out, err = run("inspect", shop)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "Shop (shop.yaml)"
    assert "shop (rest, authentication: bearer)" in lines
    assert "tools (mcp, authentication: none)" in lines
    assert "  GET /things/{id}" in lines
    assert "    input id integer required, in path" in lines
    assert any(line.startswith("    -> GET http://api.example.com/v1/things/") for line in lines)
    assert lines[-1] == "secrets: env.TOKEN"


def test_inspect_json(shop: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_TOKEN")
    code, out, _ = run("inspect", "--format", "json", shop)
    assert code == 0
    output = json.loads(out)
    assert (output["capability"], output["file"]) == ("Shop", "shop.yaml")
    assert output["secrets"] == {"env.TOKEN": False}
    rest, mcp = output["exposers"]
    assert [offer["title"] for offer in rest["catalog"]] == ["GET /things/{id}", "POST /orders"]
    assert (rest["namespace"], rest["type"], rest["authentication"]) == ("shop", "rest", "bearer")
    (upstream,) = rest["catalog"][0]["upstream"]
    assert upstream["operation"] == "api.get"
    assert upstream["method"] == "GET"
    (tool,) = mcp["catalog"]
    assert tool["title"] == "put-part"
    assert set(tool["inputSchema"]["properties"]) == {"size", "colour"}
    assert run("inspect", shop)[1].splitlines()[-1] == "secrets: env.TOKEN (not set)"


def test_inspect_shows_metadata(shop: str, run: Run) -> None:
    text = DOCUMENT.replace("info: {label: Shop}\n", ABOUT).replace(
        "- namespace: env", "- namespace: env\n      description: Ours"
    )
    Path("told.yaml").write_text(text.replace("namespace: api", "namespace: api\n      description: The API", 1))
    code, out, err = run("inspect", "told.yaml")
    assert (code, err) == (0, "")
    assert out.splitlines()[:8] == [
        "Shop (told.yaml)",
        "  Sells things",
        "  tags: shop, parts",
        "  created 2026-01-31, version 2.1.0",
        "  owner: Ann Onym <ann@example.org>",
        "  stakeholder: Bob",
        "  binds env: Ours",
        "  consumes api: The API",
    ]


def test_inspect_with_base_uri(shop: str, run: Run) -> None:
    _, out, _ = run("inspect", shop, "--base-uri", "api=https://staging.example.com/x")
    assert "https://staging.example.com/x/things/" in out


def dry(run: Run, *arguments: str) -> dict[str, Any]:
    code, out, err = run("call", "shop.yaml", *arguments, "--dry-run")
    assert (code, err) == (0, "")
    output: dict[str, Any] = json.loads(out)
    return output


def test_call_dry_run(shop: str, run: Run) -> None:
    output = dry(run, "get-thing", "id=7", "deep=true")
    assert output["method"] == "GET"
    assert output["url"].startswith("http://api.example.com/v1/things/7?")
    assert "deep=true" in output["url"]
    assert output["headers"]["Authorization"] == "Bearer {{env.TOKEN}}"


@pytest.mark.parametrize("name", ["api.things.get", "shop.get-thing", "get-thing"])
def test_call_names(name: str, shop: str, run: Run) -> None:
    assert dry(run, name, "id=7")["url"].startswith("http://api.example.com/v1/things/7")


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (("--body", '{"a": [1]}'), {"a": [1]}),
        (("--body", "@order.json"), {"from": "file"}),
        (("--body", "-"), {"from": "stdin"}),
        (('body={"a": 2}',), {"a": 2}),
    ],
)
def test_call_body(body: tuple[str, ...], sent: Any, shop: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("order.json").write_text('{"from": "file"}')
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"from": "stdin"}'))
    assert dry(run, "add-order", *body)["body"] == sent


def test_call_body_fields(shop: str, run: Run) -> None:
    output = dry(run, "put-part", "size=5", "--body", '{"colour": "5"}')
    assert output["body"] == {"size": 5, "colour": "5"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("get-thnig", "id=7"),
        ("api.gett",),
        ("zzz.zzz",),
        ("zzz",),
        ("api.get",),
        ("get-thing",),
        ("get-thing", "id=seven"),
        ("get-thing", "id=7", "deep=maybe"),
        ("get-thing", "id=7", "dep=1"),
        ("add-order", "--body", "{"),
        ("add-order", "--body", "@none.json"),
        ("put-part", "--body", "[1]"),
    ],
    ids=" ".join,
)
def test_call_errors(
    arguments: tuple[str, ...], shop: str, run: Run, upstream: str, snapshot: SnapshotAssertion
) -> None:
    code, out, err = run("call", shop, *arguments, upstream)
    assert (code, out) == (2, "")
    assert run("call", shop, *arguments, upstream, "--dry-run") == (code, out, err)
    assert Upstream.seen == []
    assert err.splitlines()[0] == snapshot


def test_call(shop: str, run: Run, upstream: str) -> None:
    code, out, err = run("call", shop, "get-thing", "id=7", upstream)
    assert (code, err) == (0, "")
    assert out.endswith('"}\n')
    assert json.loads(out)["ok"] is True
    ((method, path, authorization, body),) = Upstream.seen
    assert (method, path, authorization, body) == ("GET", "/v1/things/7?sign=s3cr3t", "Bearer s3cr3t", b"")


def test_environment_overrides_env_file(shop: str, run: Run, upstream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("SHOP_TOKEN=from-the-file\n")
    arguments = ("call", shop, "get-thing", "id=7", upstream, "--env-file", ".env")
    assert run(*arguments)[0] == 0
    monkeypatch.delenv("SHOP_TOKEN")
    assert run(*arguments)[0] == 0
    assert [authorization for _, _, authorization, _ in Upstream.seen] == ["Bearer s3cr3t", "Bearer from-the-file"]


def test_call_upstream_error(shop: str, run: Run, upstream: str, snapshot: SnapshotAssertion) -> None:
    code, out, err = run("call", shop, "api.things.get", "id=404", upstream)
    assert (code, out) == (3, '{"error": "no such thing"}\n')
    assert "404" in err
    assert err == snapshot


def test_call_unreachable_upstream(shop: str, run: Run, snapshot: SnapshotAssertion) -> None:
    code, out, err = run("call", shop, "get-thing", "id=7", "--base-uri", "api=http://127.0.0.1:9")
    assert (code, out) == (3, "")
    assert err.splitlines()[0] == snapshot


def test_call_missing_secret(shop: str, run: Run, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion) -> None:
    monkeypatch.delenv("SHOP_TOKEN")
    code, out, err = run("call", shop, "get-thing", "id=7")
    assert (code, out) == (1, "")
    assert err.startswith("shop.yaml:11:45: ")
    assert err == snapshot
    Path(".env").write_text("SHOP_TOKEN=s3cr3t\n")
    assert dry(run, "get-thing", "id=7", "--env-file", ".env")["method"] == "GET"


def test_call_mock(shop: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_TOKEN")
    code, out, err = run("call", shop, "get-thing", "id=7", "--mock")
    assert (code, err) == (0, "")
    json.loads(out)


def test_plugins(run: Run) -> None:
    code, out, err = run("plugins")
    assert (code, err) == (0, "")
    head, *rows = out.splitlines()
    assert head.split() == ["plugin", "distribution", "version", "types", "hooks"]
    assert any(row.split()[:2] == ["rest", "adapter-host-rest"] and "exposes rest" in row for row in rows)
    code, out, err = run("plugins", "--format", "json")
    listing = json.loads(out)
    assert (listing["failed"], listing["disabled"]) == ([], [])
    (http,) = (plugin for plugin in listing["plugins"] if plugin["name"] == "http")
    assert (http["distribution"], http["consumers"]) == ("adapter-host-http", ["http"])
