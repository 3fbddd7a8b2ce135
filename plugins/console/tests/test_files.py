"""Editing the files that a host serves: the requests of the page, and requests that no page sends."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.request import HTTPCookieProcessor, Request, build_opener

import aiohttp
import pytest

from adapter_host import Host, Settings
from adapter_host_console.capability_files import ConflictError, read_file, replace_file
from adapter_host_console.differences import MAX_COMPARED, MAX_SHOWN, differences
from tests.support.console import SHOP, Served, serve

BROKEN = SHOP.replace("call: api.find", "call: api.fnid")
RENAMED = SHOP.replace("{name: find-order, description: Finds", "{name: look-up, description: Finds")
STDIO = """\
    - type: mcp
      namespace: first
      transport: stdio
      tools: [{name: find, description: Finds., ref: orders.find-order}]
"""
SECRET = "t0p-s3cret"


PLUGIN = Path(__file__).parents[1]


class OnDisk:
    """A file as another program sees it; its methods do not wait for the event loop."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path.parent

    def __str__(self) -> str:
        return str(self.path)

    def read(self) -> bytes | None:
        return self.path.read_bytes() if self.path.exists() else None

    @property
    def text(self) -> str:
        return self.path.read_text()

    def write(self, content: str | bytes | None) -> None:
        if content is None:
            self.path.unlink()
        else:
            self.path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def mode(self, *change: int) -> int:
        for mode in change:
            self.path.chmod(mode)
        return stat.S_IMODE(self.path.stat().st_mode)


class Editor:
    """A client of a console that may edit."""

    def __init__(self, host: Host, session: aiohttp.ClientSession, url: str) -> None:
        self.host = host
        self.session = session
        self.url = url

    async def send(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        async with self.session.request(method, self.url + path, **options) as response:
            return response.status, await response.json()

    async def open(self, name: str = "") -> dict[str, Any]:
        """Return the file with a name, or the first one."""
        _, listed = await self.send("GET", "/api/files")
        found = next(each for each in listed["files"] if each["file"].endswith(name))
        status, file = await self.send("GET", f"/api/files/{found['id']}")
        assert status == 200, file
        return dict(file)

    async def check(self, file: dict[str, Any], text: str) -> Any:
        return (await self.send("POST", f"/api/files/{file['id']}/check", json={"text": text}))[1]

    async def compare(self, file: dict[str, Any], text: str) -> Any:
        sent = {"text": text, "version": file["version"]}
        return (await self.send("POST", f"/api/files/{file['id']}/differences", json=sent))[1]

    async def save(self, file: dict[str, Any], text: str, version: str | None = None) -> tuple[int, Any]:
        sent = {"text": text, "version": version or file["version"]}
        return await self.send("POST", f"/api/files/{file['id']}", json=sent)


@asynccontextmanager
async def editing(
    capsys: pytest.CaptureFixture[str], *files: Path, edit: bool = True, **plugins: Any
) -> AsyncIterator[Editor]:
    settings = Settings(mock=True, plugins={"console": {"port": 0, "edit": edit}, **plugins})
    host = Host(*files, settings=settings)
    async with host, aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        await asyncio.sleep(0)
        ((link, url),) = re.findall(r"((http://\S+)/login\?token=\S+)", capsys.readouterr().err)
        async with session.get(link) as response:
            assert response.status == 200
        yield Editor(host, session, url)


@pytest.fixture
def shop(tmp_path: Path) -> OnDisk:
    file = OnDisk(tmp_path / "shop.yaml")
    file.write(SHOP)
    return file


@pytest.fixture
async def editor(shop: OnDisk, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Editor]:
    async with editing(capsys, shop.path) as opened:
        yield opened


def tools(host: Host) -> list[str]:
    return [each.name for plan in host.plans for each in plan.exposers[1].exposer.config.tools]


def validated(file: Path) -> list[str]:
    """Return the problems that the command reports."""
    command = [sys.executable, "-m", "adapter_host", "validate", str(file)]
    return subprocess.run(command, capture_output=True, text=True).stderr.splitlines()


# A file from its text to a reload


async def test_a_change_is_served(editor: Editor, shop: OnDisk) -> None:
    shop.mode(0o640)
    file = await editor.open()
    assert (file["file"], file["label"], file["text"], file["read_only"]) == (str(shop), "Shop", SHOP, None)
    changes = await editor.compare(file, RENAMED)
    assert (changes["added"], changes["removed"], changes["conflict"]) == (1, 1, False)
    assert shop.text == SHOP
    status, outcome = await editor.save(file, RENAMED, changes["version"])
    assert (status, outcome["reloaded"], outcome["generation"]) == (200, True, 2)
    assert shop.text == RENAMED
    assert shop.mode() == 0o640
    assert [each.name for each in shop.folder.iterdir()] == ["shop.yaml"]
    assert tools(editor.host) == ["create-order", "look-up"]
    assert (await editor.save(file, SHOP, outcome["version"]))[1]["reloaded"]


async def test_a_change_is_in_the_audit_log(shop: OnDisk, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    log = tmp_path / "logs/audit.jsonl"
    log.parent.mkdir()
    async with editing(capsys, shop.path, audit={"file": str(log), "whenUnavailable": "refuse"}) as editor:
        file = await editor.open()
        status, outcome = await editor.save(file, RENAMED)
        assert status == 200
        record = json.loads(log.read_text().splitlines()[-1])
        changed = (record["event"], record["file"], record["sha256_before"], record["sha256"])
        assert changed == ("edit", str(shop), file["version"], outcome["version"])
        assert record["principal"]["client"] == "an operator in the console"
        log.unlink()
        log.mkdir()
        file = await editor.open()
        status, problem = await editor.save(file, SHOP)
        assert (status, problem["detail"]) == (500, "the edit was made, but it cannot be recorded")
        status, problem = await editor.save(await editor.open(), RENAMED)
        assert (status, problem["detail"], shop.text) == (503, "the audit log cannot be written", SHOP)


async def test_a_reload_that_fails_leaves_the_version_before(editor: Editor, shop: OnDisk) -> None:
    file = await editor.open()
    status, outcome = await editor.save(file, BROKEN)
    assert (status, outcome["reloaded"], outcome["generation"]) == (200, False, 1)
    assert [each["code"] for each in outcome["problems"]] == ["unknown-call"]
    assert shop.text == BROKEN
    assert tools(editor.host) == ["create-order", "find-order"]
    # The file can still be opened, to mend it.
    assert (await editor.save(await editor.open(), SHOP))[1]["reloaded"]


@pytest.mark.parametrize(
    "text",
    [
        BROKEN,
        SHOP.replace("type: rest", "type: rset").replace("call: api.create", "call: api.craete"),
        SHOP.replace("namespace: shop\n", "namespace: shop\n      colour: red\n"),
        SHOP + STDIO + STDIO.replace("first", "second"),
        SHOP + "    - {broken",
        SHOP + "\x01",
        "a: 1\n",
        "",
        "- 1\n",
        "naftiko: 1.0.0-alpha2\nimport: [{from: ../other.yaml}]\n",
    ],
)
async def test_problems_are_those_of_validate(editor: Editor, shop: OnDisk, text: str) -> None:
    found = (await editor.check(await editor.open(), text))["problems"]
    shop.write(text)
    places = [f"{each['file']}:{each['line']}:{each['column']}" if each["line"] else each["file"] for each in found]
    kinds = ["warning: " if each["warning"] else "" for each in found]
    lines = [f"{place}: {kind}{each['message']}" for place, kind, each in zip(places, kinds, found, strict=True)]
    assert sorted(lines) == sorted(validated(shop.path))
    assert lines


async def test_problems_have_the_part_of_the_text_as_browsers_count_it(editor: Editor) -> None:
    text = BROKEN.replace("Sells books", "Sells \N{BOOKS} books")
    (problem,) = (await editor.check(await editor.open(), text))["problems"]
    units = text.encode("utf-16-le")
    assert units[problem["start"] * 2 : problem["end"] * 2].decode("utf-16-le") == "api.fnid"


async def test_a_check_shows_no_secret_of_the_environment(
    editor: Editor, monkeypatch: pytest.MonkeyPatch, shop: OnDisk
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", SECRET)
    file = await editor.open()
    text = SHOP.replace("https://api.example.com/v1", "{{env.TOKEN}}").replace(
        "call: api.find", "call: '{{env.TOKEN}}'"
    )
    found = await editor.check(file, text)
    assert found["problems"]
    assert SECRET not in str((file, found, await editor.compare(file, text)))


async def test_line_ends_and_the_byte_order_mark_stay(editor: Editor, shop: OnDisk) -> None:
    shop.write(("\ufeff" + SHOP).replace("\n", "\r\n").encode())
    file = await editor.open()
    assert file["text"] == SHOP
    assert (await editor.compare(file, RENAMED))["removed"] == 1
    assert (await editor.save(file, RENAMED))[0] == 200
    assert shop.read() == ("\ufeff" + RENAMED).replace("\n", "\r\n").encode()


async def test_several_files_and_names_that_need_escapes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["a b#?%2F&amp;<i>.yaml", "\udcff.yaml", "shop.yaml"]
    for name in names:
        (tmp_path / name).write_text(SHOP.replace("label: Shop", f"label: '{names.index(name)}'"))
    async with editing(capsys, tmp_path) as editor:
        _, listed = await editor.send("GET", "/api/files")
        assert sorted(each["label"] for each in listed["files"]) == ["0", "1", "2"]
        assert len({each["id"] for each in listed["files"]}) == 3
        for each in listed["files"]:
            file = (await editor.send("GET", f"/api/files/{each['id']}"))[1]
            status, outcome = await editor.save(file, file["text"] + "# changed\n")
            assert (status, outcome["reloaded"]) == (200, True)
            status, problem = await editor.save(file, file["text"])
            assert (status, "has changed on the disk" in problem["detail"]) == (409, True)
        assert all((tmp_path / name).read_text().endswith("# changed\n") for name in names)


# Conflicts


async def test_of_two_editors_the_second_sees_a_conflict(editor: Editor, shop: OnDisk) -> None:
    file = await editor.open()
    other = SHOP.replace("Sells books and toys.", "Sells books.")
    outcomes = await asyncio.gather(editor.save(file, RENAMED), editor.save(file, other))
    assert sorted(status for status, _ in outcomes) == [200, 409]
    written = shop.text
    assert written in (RENAMED, other)
    lost = RENAMED if written == other else other
    changes = await editor.compare(file, lost)
    assert (changes["conflict"], changes["added"]) == (True, 2)
    assert (await editor.save(file, lost, changes["version"]))[0] == 200
    assert shop.text == lost


async def test_a_change_by_another_program_is_not_overwritten(editor: Editor, shop: OnDisk) -> None:
    file = await editor.open()
    shop.write(SHOP + "# by hand\n")
    status, problem = await editor.save(file, RENAMED)
    assert status == 409
    assert problem["detail"] == f"'{shop}' has changed on the disk meanwhile; compare it again"
    assert shop.text == SHOP + "# by hand\n"


def test_of_several_processes_one_replaces_a_file(shop: OnDisk) -> None:
    version, texts = read_file(str(shop)).version, [f"{SHOP}# {number}\n" for number in range(8)]
    with ThreadPoolExecutor(len(texts)) as threads:
        saves = [threads.submit(replace_file, str(shop), text, version) for text in texts]
    failures = [save.exception() for save in saves]
    (written,) = (text for text, failure in zip(texts, failures, strict=True) if failure is None)
    assert shop.text == written
    assert sum(isinstance(failure, ConflictError) for failure in failures) == len(texts) - 1


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Served]:
    yield from serve(tmp_path, SHOP, "--console-edit", "--workers", "2", "--uds", "shop.sock")


def test_all_workers_reload_a_file_that_one_has_saved(workers: Served) -> None:
    browser = build_opener(HTTPCookieProcessor())
    browser.open(workers.link(2)).close()
    url = workers.link(2).partition("/login")[0]

    def send(path: str, data: Any = None) -> Any:
        body = None if data is None else json.dumps(data).encode()
        return json.load(browser.open(Request(url + path, body, {"Content-Type": "application/json"})))

    def reloads() -> set[str]:
        return set(re.findall(r"\[([12])\]: reloaded", "".join(workers.lines)))

    assert send("/api/overview")["worker"] in (1, 2)
    (found,) = send("/api/files")["files"]
    file = send(f"/api/files/{found['id']}")
    assert send(f"/api/files/{found['id']}", {"text": RENAMED, "version": file["version"]})["reloaded"]
    with workers.printed:
        assert workers.printed.wait_for(lambda: reloads() == {"1", "2"}, 30)


# Files that cannot be edited


async def test_a_link_stays_and_the_file_that_it_leads_to_is_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    target, link = tmp_path / "data" / "1.yaml", tmp_path / "shop.yaml"
    target.write_text(SHOP)
    link.symlink_to(target)
    async with editing(capsys, link) as editor:
        assert (await editor.save(await editor.open(), RENAMED))[1]["reloaded"]
    assert link.is_symlink()
    assert target.read_text() == RENAMED


async def test_a_read_only_file_is_shown_and_not_written(editor: Editor, shop: OnDisk) -> None:
    shop.mode(0o444)
    file = await editor.open()
    assert file["read_only"] == "the file is read-only; change its permissions"
    status, problem = await editor.save(file, RENAMED)
    assert (status, problem["detail"]) == (409, f"cannot write '{shop}': {file['read_only']}")
    assert shop.text == SHOP


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser can write to every folder")
async def test_a_read_only_folder(editor: Editor, shop: OnDisk) -> None:
    shop.folder.chmod(0o555)
    try:
        assert "its folder is read-only" in (await editor.open())["read_only"]
        assert (await editor.save(await editor.open(), RENAMED))[0] == 409
    finally:
        shop.folder.chmod(0o755)


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b"x" * 1_000_001, 413, "larger than 1,000,000 bytes"),
        (SHOP.encode() + b"\xff", 409, "is not UTF-8"),
        (SHOP.encode() + b"# a\r\n# b\n", 409, "line ends of several kinds"),
        (SHOP.encode() + b"# a\r", 409, "line ends of several kinds"),
        (None, 409, "no such file or directory"),
    ],
)
async def test_a_file_that_cannot_be_read(
    editor: Editor, shop: OnDisk, content: bytes | None, status: int, reason: str
) -> None:
    file = await editor.open()
    shop.write(content)
    for method, path, sent in (
        ("GET", "", None),
        ("POST", "", {"text": SHOP, "version": file["version"]}),
        ("POST", "/differences", {"text": SHOP, "version": file["version"]}),
    ):
        found, problem = await editor.send(method, f"/api/files/{file['id']}{path}", json=sent)
        assert found == status
        assert reason in problem["detail"]
    assert shop.read() == content


async def test_an_openapi_document_and_a_document_without_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api = tmp_path / "api.json"
    api.write_text(
        '{"openapi": "3.1.0", "info": {"title": "Pets", "version": "1"}, "servers": [{"url": "https://a.example.com"}],'
        ' "paths": {"/pets": {"get": {"operationId": "pets", "responses": {"200": {"description": "ok"}}}}}}'
    )
    async with editing(capsys, api) as editor:
        _, listed = await editor.send("GET", "/api/files")
        (found,) = listed["files"]
        assert "OpenAPI" in found["refusal"]
        for path in (f"/api/files/{found['id']}", f"/api/files/{found['id']}/check"):
            method = "POST" if path.endswith("check") else "GET"
            status, problem = await editor.send(method, path, json={"text": ""})
            assert (status, "OpenAPI" in problem["detail"]) == (409, True)


# Requests that no page sends


async def test_nothing_can_be_changed_by_default(shop: OnDisk, capsys: pytest.CaptureFixture[str]) -> None:
    async with editing(capsys, shop.path, edit=False) as editor:
        assert (await editor.send("GET", "/api/overview"))[1]["edits"] is False
        for path in ("/api/files", "/api/files/x"):
            assert (await editor.send("GET", path))[0] == 404
        for path in ("/api/files/x", "/api/files/x/check", "/api/files/x/differences"):
            assert (await editor.send("POST", path, json={"text": SHOP, "version": ""}))[0] == 404


async def test_only_files_that_are_served_have_an_id(editor: Editor, shop: OnDisk) -> None:
    (shop.folder / "other.yaml").write_text(SHOP)
    for name in ("shop.yaml", "other.yaml", "..%2Fother.yaml", "%2Fetc%2Fpasswd", "..", "0" * 16):
        assert (await editor.send("GET", f"/api/files/{name}"))[0] in (404, 405)
        assert (await editor.send("POST", f"/api/files/{name}", json={"text": "", "version": ""}))[0] in (404, 405)
    assert (shop.folder / "other.yaml").read_text() == SHOP


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example.com"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Host": "evil.example.com"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Cookie": "none=1"}, 401),
    ],
)
async def test_requests_of_other_pages_change_nothing(
    editor: Editor, shop: OnDisk, headers: dict[str, str], status: int
) -> None:
    file = await editor.open()
    sent = {"text": RENAMED, "version": file["version"]}
    jar = aiohttp.DummyCookieJar() if "Cookie" in headers else editor.session.cookie_jar
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        for path in ("", "/check", "/differences"):
            url = f"{editor.url}/api/files/{file['id']}{path}"
            async with session.post(url, json=sent, headers=headers) as response:
                assert response.status == status
    assert shop.text == SHOP


async def test_a_session_that_was_logged_out_changes_nothing(editor: Editor, shop: OnDisk) -> None:
    file = await editor.open()
    (cookie,) = (f"{each.key}={each.value}" for each in editor.session.cookie_jar)
    assert (await editor.send("POST", "/logout", json={}))[0] == 200
    sent = {"text": RENAMED, "version": file["version"]}
    for path in ("", "/check", "/differences"):
        url = f"/api/files/{file['id']}{path}"
        assert (await editor.send("POST", url, json=sent, headers={"Cookie": cookie}))[0] == 401
    assert (await editor.send("GET", f"/api/files/{file['id']}", headers={"Cookie": cookie}))[0] == 401
    assert shop.text == SHOP


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"version": ""}, 400),
        ({"text": 1, "version": ""}, 400),
        ({"text": SHOP}, 400),
        ({"text": SHOP + "\r\n", "version": ""}, 400),
        ({"text": "x" * 1_000_001, "version": ""}, 413),
        ({"text": "x" * 10 * 1024 * 1024, "version": ""}, 413),
        ({"text": SHOP, "version": "0"}, 409),
    ],
)
async def test_a_request_that_cannot_be_saved(editor: Editor, shop: OnDisk, sent: dict[str, Any], status: int) -> None:
    file = await editor.open()
    body = io.BytesIO(json.dumps(sent).encode())
    headers = {"Content-Type": "application/json"}
    found, problem = await editor.send("POST", f"/api/files/{file['id']}", data=body, headers=headers)
    assert (found, problem["status"]) == (status, status)
    assert shop.text == SHOP


async def test_a_bomb_of_aliases_is_a_problem(editor: Editor) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 12)]
    found = await editor.check(await editor.open(), SHOP + "\n".join(lines) + "\n")
    assert [each["code"] for each in found["problems"]] == ["too-many-values"]


# Differences


@pytest.mark.parametrize(
    ("old", "new", "rows"),
    [
        ("a\nb\nc\n", "a\nB\nc\n", [" a", "-b", "+B", " c"]),
        ("a\n", "a", ["-a", "+a~"]),
        ("", "a\n", ["+a"]),
        ("a\n", "a\n", []),
        ("".join(f"{n}\n" for n in range(9)), "".join(f"{n}\n" for n in range(8)), ["@5", " 5", " 6", " 7", "-8"]),
        ("a\x0b\u2028b\n", "a\x0b\u2028c\n", ["-a\x0b\u2028b", "+a\x0b\u2028c"]),
    ],
)
def test_differences(old: str, new: str, rows: list[str]) -> None:
    signs = {"same": " ", "added": "+", "removed": "-"}
    found = [
        f"@{row['lines']}" if row["kind"] == "gap" else signs[row["kind"]] + row["text"] + ("" if row["ended"] else "~")
        for row in differences(old, new)["rows"]
    ]
    assert found == rows


def test_large_differences_are_bounded() -> None:
    lines = MAX_COMPARED * 10
    found = differences("a\n" * lines, "b\n" * lines)
    assert (found["added"], found["removed"], len(found["rows"])) == (lines, lines, MAX_SHOWN)
    assert found["left_out"] == 2 * lines - MAX_SHOWN


# The editor


def test_the_editor_is_made_from_the_locked_packages() -> None:
    locked = json.loads((PLUGIN / "editor/package-lock.json").read_text())["packages"]
    licences = (PLUGIN / "adapter_host_console/static/vendor/codemirror.LICENSES.txt").read_text()
    packages = dict(re.findall(r"^(\S+) (\d+\.\d+\.\d+)\n---", licences, re.MULTILINE))
    assert {name: locked[f"node_modules/{name}"]["version"] for name in packages} == packages
    assert locked[""]["dependencies"].keys() <= packages.keys()
