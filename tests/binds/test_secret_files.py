"""Secret files: formats, errors, and reloading."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import traceback
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from syrupy.assertion import SnapshotAssertion

from adapter_host import BindError, Host, Plugins, ProblemsError, Settings
from adapter_host.binds.files import MAX_BYTES, FileSource
from adapter_host.testing import Running, running
from tests.conftest import Command
from tests.support.adapters import plain_plugins
from tests.support.command import DOCUMENT
from tests.support.paths import SHARED

TUTORIAL = SHARED / "tutorial"


def shop_document(location: str) -> str:
    """Return the shop's document with its secret in a file."""
    keys = f"location: {location}\n      keys: {{TOKEN: token, TEAM: team}}"
    return DOCUMENT.replace("keys: {TOKEN: SHOP_TOKEN}", keys)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def value(name: str, text: str | bytes, key: str = "token") -> str | None:
    """Return the value of a key in a file of this folder."""
    Path(name).write_bytes(text.encode() if isinstance(text, str) else text)
    return FileSource(f"file://./{name}", Path(), {}).value(key)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.yaml", "token: s3cr3t\n", "s3cr3t"),
        ("a.yml", "\ufefftoken: 's3cr3t # not a comment'\n", "s3cr3t # not a comment"),
        ("a", "other: x\ntoken: 0123\n", "0123"),
        ("a.secret", "token: 1.10\n", "1.10"),
        ("a.yaml", "token: 0x1F\n", "0x1F"),
        ("a.yaml", "token: Yes\n", "Yes"),
        ("a.yaml", "token: 2024-01-02\n", "2024-01-02"),
        ("a.yaml", 'token: "null"\n', "null"),
        ("a.yaml", "other: {token: deep, more: [1, {token: deeper}]}\ntoken: flat\n", "flat"),
        ("a.yaml", "token: |-\n  one\n  two\n", "one\ntwo"),
        ("a.yaml", "token:\n", None),
        ("a.yaml", "token: ~\n", None),
        ("a.yaml", "token: ''\n", None),
        ("a.yaml", "token: [s3cr3t]\n", None),
        ("a.yaml", "", None),
        ("a.json", '{\t"token": "s3cr3t"}', "s3cr3t"),
        ("a.json", '{"token": 1.10}', "1.10"),
        ("a.json", '{"token": 12345678901234567890}', "12345678901234567890"),
        ("a.json", '{"token": true, "other": [1]}', "true"),
        ("a.json", '{"token": false}', "false"),
        ("a.json", '{"token": null}', None),
        ("a.json", '{"token": {"token": "deep"}}', None),
        (".env", "# ours\nexport token='s3cr3t'\n", "s3cr3t"),
        ("shop.env", "token=${HOME}\n", "${HOME}"),
        (".env.local", "token=s3cr3t # a comment\n", "s3cr3t"),
        (".env", "token=\n", None),
        (".env", "token\n", None),
    ],
)
def test_formats(folder: Path, name: str, text: str, expected: str | None) -> None:
    assert value(name, text) == expected
    assert value(name, text, "missing") is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", "- s3cr3t\n"),
        ("a.yaml", "s3cr3t"),
        ("a.yaml", "token: s3cr3t\nother: s3cr3t: s3cr3t\n"),
        ("a.yaml", "token: 's3cr3t\n"),
        ("a.yaml", "token: \x01\n"),
        ("a.yaml", "token: s3cr3t\ntoken: s3cr3t\n"),
        ("a.yaml", "token: *s3cr3t\n"),
        ("a.yaml", "token: !s3cr3t\n"),
        ("a.yaml", "token: &s3cr3t\n"),
        ("a.yaml", "token: s3cr3t\n---\ntoken: s3cr3t\n"),
        ("a.yaml", "token: " + "[" * 100_000),
        ("a.yaml", b"token: s3cr3t\xff\n"),
        ("a.yaml", b"#" * (MAX_BYTES + 1)),
        ("a.json", '"s3cr3t"'),
        ("a.json", '{"token": s3cr3t}'),
        ("a.json", '{"token": 1, "token": 2}'),
        ("a.json", '{"token": ' + "[" * 100_000),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_unreadable_content(folder: Path, name: str, text: str | bytes, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(BindError) as caught:
        value(name, text)
    assert str(caught.value).startswith(f"'{name}' ")
    assert str(caught.value) == snapshot
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


def test_not_a_file(folder: Path) -> None:
    (folder / "pipe").mkdir()
    os.mkfifo(folder / "fifo")
    for name in ("pipe", "fifo"):
        with pytest.raises(BindError, match=rf"^'{name}' is not a file$"):
            FileSource(f"file://{name}", Path(), {}).value("token")
    with pytest.raises(BindError, match=r"^'none' does not exist; create it$"):
        FileSource("file://none", Path(), {}).value("token")
    with pytest.raises(BindError, match=r"cannot be read: not a valid path$"):
        FileSource("file://a\0b", Path(), {}).value("token")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission_denied(folder: Path) -> None:
    (folder / "a.yaml").write_text("token: s3cr3t\n")
    (folder / "a.yaml").chmod(0)
    with pytest.raises(BindError, match=r"^'a\.yaml' cannot be read: Permission denied$"):
        FileSource("file://a.yaml", Path(), {}).value("token")


@pytest.mark.parametrize(
    "values", ["tokens: x", "tokens:", "token: ''", "token: null", "token: [s3cr3t]", "token: {a: s3cr3t}"]
)
def test_hint_for_missing_key(folder: Path, values: str, snapshot: SnapshotAssertion) -> None:
    (folder / "a.yaml").write_text(values)
    hint = FileSource("file://a.yaml", Path(), {}).hint("token")
    assert "s3cr3t" not in hint
    assert hint == snapshot


@pytest.mark.parametrize(
    "location",
    ["file:///./up/a.yaml", "file://./up/a.yaml", "file://up/a.yaml", "file:///../at/up/a.yaml", "FILE://{}"],
)
def test_path_is_relative_to_document(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "at"
    (folder / "up").mkdir(parents=True)
    secrets = folder / "up/a.yaml"
    secrets.write_text("token: s3cr3t\nteam: north\n")
    file = folder / "shop.yaml"
    file.write_text(shop_document(location.format(secrets)))
    host = Host(file, settings=Settings(environment={}))
    loaded = host.plans[0].loaded
    assert loaded.secrets.unresolved == {}
    (read,) = loaded.secret_files
    assert os.path.samefile(read, secrets)
    assert loaded.files == (str(file),)


def test_symbolic_link_is_followed(folder: Path) -> None:
    (folder / "v1").mkdir()
    (folder / "v1/a.yaml").write_text("token: s3cr3t\n")
    (folder / "data").symlink_to("v1")
    (folder / "a.yaml").symlink_to("data/a.yaml")
    assert FileSource("file://a.yaml", folder, {}).value("token") == "s3cr3t"


def test_unused_file_is_not_read(folder: Path) -> None:
    (folder / "shop.yaml").write_text(shop_document("file://none.yaml").replace("{{env.TOKEN}}", "open"))
    loaded = Host("shop.yaml", settings=Settings(environment={})).plans[0].loaded
    assert (loaded.secrets.unresolved, loaded.secret_files) == ({}, ())


def test_mock_mode_reads_no_file(folder: Path) -> None:
    (folder / "shop.yaml").write_text(shop_document("file://none.yaml"))
    loaded = Host("shop.yaml", settings=Settings(environment={}, mock=True)).plans[0].loaded
    assert (loaded.secrets.unresolved, loaded.secret_files) == ({}, ())


def test_missing_file_prevents_start_but_validates(folder: Path, command: Command) -> None:
    (folder / "shop.yaml").write_text(shop_document("file://./secrets/shop.yaml"))
    validated = command("validate", "shop.yaml")
    assert (validated.returncode, validated.stderr) == (0, "")
    served = command("serve", "shop.yaml")
    assert (served.returncode, served.stdout) == (1, "")
    assert served.stderr == (
        "shop.yaml:6:17: bind 'env' cannot be read: 'secrets/shop.yaml' does not exist; create it"
        " (keys: token and team)\n"
    )
    (folder / "secrets").mkdir()
    (folder / "secrets/shop.yaml").write_text("tokn: s3cr3t\n")
    assert command("serve", "shop.yaml").stderr == (
        "shop.yaml:12:45: secret 'env.TOKEN' is not set (bind 'env'; 'secrets/shop.yaml' has no key 'token';"
        " did you mean 'tokn'? add it, or correct 'keys')\n"
    )


async def test_imported_api_brings_its_secrets(folder: Path) -> None:
    (folder / "lib").mkdir()
    (folder / "lib/secrets.json").write_text('{"token": "s3cr3t"}')
    (folder / "lib/api.yaml").write_text(
        "naftiko: 1.0.0-alpha2\n"
        "binds: [{namespace: lib, location: 'file://secrets.json', keys: {TOKEN: token, NONE: none}}]\n"
        "consumes: [{type: fake, namespace: api, operations: [{name: get}]}]\n"
    )
    shop = folder / "shop.yaml"
    shop.write_text(
        "naftiko: 1.0.0-alpha2\n"
        "capability:\n"
        "  consumes:\n"
        "    - {import: api, location: lib/api.yaml}\n"
        "    - {import: api, location: lib/api.yaml, as: again}\n"
        "  exposes:\n"
        "    - {type: plain, namespace: front, port: 0, authentication: {type: bearer, token: '{{lib.TOKEN}}'}}\n"
    )
    host = Host("shop.yaml", plugins=plain_plugins(), settings=Settings(environment={}))
    assert host.plans[0].loaded.secret_files == ("lib/secrets.json",)
    await host.start(listen=False)
    await host.stop()
    shop.write_text(shop.read_text().replace("lib.TOKEN", "lib.NONE"))
    with pytest.raises(ProblemsError, match=r"shop\.yaml:7:\d+: secret 'lib\.NONE' .*'lib/secrets\.json' has no key"):
        await Host("shop.yaml", plugins=plain_plugins(), settings=Settings(environment={})).start()
    lib = folder / "lib/api.yaml"
    lib.write_text(lib.read_text().replace("file://", "vault://"))
    with pytest.raises(ProblemsError) as caught:
        Host("shop.yaml", plugins=plain_plugins(), settings=Settings(environment={}))
    assert [str(problem) for problem in caught.value.problems] == [
        "lib/api.yaml:2:36: unknown bind scheme 'vault://' (known: environment, file)"
    ]


async def test_reload_reads_file_again(folder: Path) -> None:
    (folder / "a.env").write_text("token=one\n")
    data = {
        "naftiko": "1.0.0-alpha2",
        "capability": {
            "binds": [{"namespace": "env", "location": "file://a.env", "keys": {"TOKEN": "token"}}],
            "consumes": [{"type": "fake", "namespace": "api", "operations": [{"name": "get"}]}],
            "exposes": [
                {
                    "type": "plain",
                    "namespace": "front",
                    "port": 0,
                    "operations": [{"outputParameters": [{"type": "string", "value": "ok"}], "name": "get"}],
                    "authentication": {"type": "bearer", "token": "{{TOKEN}}"},
                }
            ],
        },
    }

    async def status(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{served.url('front')}/get"
        async with aiohttp.ClientSession() as session, session.post(url, headers=headers) as response:
            return response.status

    async with running(data, plugins=plain_plugins()) as served:
        assert [await status(token) for token in ("one", "two")] == [200, 401]
        (folder / "a.env").write_text("token=two\n")
        await served.host.reload()
        assert [await status(token) for token in ("one", "two")] == [401, 200]
        (folder / "a.env").unlink()
        with pytest.raises(ProblemsError, match=r"'a\.env' does not exist"):
            await served.host.reload()
        assert [await status(token) for token in ("one", "two")] == [401, 200]


class Shop:
    """The command serving a shop, and the API behind it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secrets = folder / "secrets.yaml"
        self.sent: list[str | None] = []
        self.process: Process
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.sent.append(request.headers.get("Authorization"))
        return web.json_response([])

    async def wait_for_token(self, token: str) -> None:
        """Call until the upstream receives a token; every call must succeed."""
        async with asyncio.timeout(20), aiohttp.ClientSession() as session:
            while self.sent[-1:] != [f"Bearer {token}"]:
                async with session.get(f"{self.url}/things") as response:
                    assert response.status == 200

    async def wait_for_log(self, text: str) -> str:
        """Read the log up to a line that contains a text."""
        assert self.process.stderr
        read = ""
        async with asyncio.timeout(20):
            while text not in read:
                line = await self.process.stderr.readline()
                assert line, f"it ended without saying {text}: {read}"
                read += line.decode()
        return read


@asynccontextmanager
async def shop(folder: Path, *options: str) -> AsyncIterator[Shop]:
    """Serve the shop until the block ends."""
    served = Shop(folder)
    (folder / "shop.yaml").write_text(shop_document("file:///./secrets.yaml"))
    app = web.Application()
    app.router.add_get("/things", served.handle)
    async with TestServer(app) as upstream:
        served.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "adapter_host", "serve", "shop.yaml",
            "--ready-file", "ready.json", "--watch-interval", "0.05",
            "--base-uri", f"api={str(upstream.make_url('')).rstrip('/')}", *options,
            stderr=PIPE, cwd=folder,
        )  # fmt: skip
        try:
            await served.wait_for_log("INFO adapter_host: serving")
            served.url = json.loads((folder / "ready.json").read_text())["exposers"][0]["url"]
            yield served
            served.process.send_signal(signal.SIGTERM)
            log = await served.wait_for_log("stopped")
            assert "one" not in log.split()
            assert await served.process.wait() == 0
        finally:
            if served.process.returncode is None:
                served.process.kill()
            await served.process.communicate()


async def test_changed_file_is_reloaded(tmp_path: Path) -> None:
    (tmp_path / "secrets.yaml").write_text("token: one\n")
    async with shop(tmp_path) as served:
        await served.wait_for_token("one")
        fresh = tmp_path / "fresh"
        fresh.write_text("token: two\n")
        fresh.rename(served.secrets)
        await served.wait_for_token("two")
        await served.wait_for_log("reloaded")


async def test_changed_volume_is_reloaded(tmp_path: Path) -> None:
    for version, token in (("v1", "one"), ("v2", "two")):
        (tmp_path / version).mkdir()
        (tmp_path / version / "secrets.yaml").write_text(f"token: {token}\n")
    (tmp_path / "data").symlink_to("v1")
    (tmp_path / "secrets.yaml").symlink_to("data/secrets.yaml")
    async with shop(tmp_path) as served:
        await served.wait_for_token("one")
        (tmp_path / "next").symlink_to("v2")
        (tmp_path / "next").rename(tmp_path / "data")
        await served.wait_for_token("two")


async def test_missing_file_keeps_serving(tmp_path: Path) -> None:
    (tmp_path / "secrets.yaml").write_text("token: one\n")
    async with shop(tmp_path) as served:
        served.secrets.unlink()
        log = await served.wait_for_log("'secrets.yaml' does not exist")
        assert "reload failed; still serving the previous version" in log
        await served.wait_for_token("one")
        served.secrets.write_text("token: two\n")
        await served.wait_for_token("two")


async def test_signal_reloads_document_and_secrets(tmp_path: Path) -> None:
    (tmp_path / "secrets.yaml").write_text("token: one\n")
    (tmp_path / "others.yaml").write_text("token: two\n")
    async with shop(tmp_path) as served:
        await served.wait_for_token("one")
        (tmp_path / "shop.yaml").write_text(shop_document("file://others.yaml"))
        served.process.send_signal(signal.SIGHUP)
        await served.wait_for_token("two")
        (tmp_path / "others.yaml").write_text("token: three\n")
        await served.wait_for_token("three")


async def test_changed_document_is_reloaded_with_option(tmp_path: Path) -> None:
    (tmp_path / "secrets.yaml").write_text("token: one\n")
    (tmp_path / "others.yaml").write_text("token: two\n")
    async with shop(tmp_path, "--reload") as served:
        await served.wait_for_token("one")
        (tmp_path / "shop.yaml").write_text(shop_document("file://others.yaml"))
        await served.wait_for_token("two")


async def test_changed_env_file_is_reloaded(tmp_path: Path) -> None:
    (tmp_path / "shop.env").write_text("token=one\n")
    (tmp_path / "secrets.yaml").write_text("token: one\n")
    async with shop(tmp_path, "--env-file", "shop.env") as served:
        (tmp_path / "shop.env").write_text("token=another\n")
        await served.wait_for_log("reloaded")


async def test_tutorial_secrets() -> None:
    step = TUTORIAL / "step-3-shipyard-auth.yml"
    if not step.exists():
        pytest.skip(f"{step} is not there")
    host = Host(step, plugins=Plugins.installed(), settings=Settings(environment={}))
    assert host.plans[0].loaded.secrets.unresolved == {}
    assert host.plans[0].loaded.secrets.names == {
        "registry-env.REGISTRY_TOKEN",
        "registry-env.REGISTRY_VERSION",
        "registry-env.MCP_SERVER_TOKEN",
    }
    (operation, *_) = host.status()[0].exposer.operations.values()
    assert "dummy-token" not in str(operation.preview({}))
    await host.start(listen=False)
    assert Running(host).host.calls == 0
    await host.stop()
