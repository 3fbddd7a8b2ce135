"""Skills over MCP (SEP-2640): list, get, directories and the files themselves."""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from mcp import Client, MCPError
from mcp_types import TextResourceContents

from adapter_host import Host, Plugins, ProblemsError
from adapter_host.testing import running

Ask = Callable[..., Awaitable[Any]]

VERSION = "2026-07-28"
ROOT = "skill://garden/sowing"
SOWING = {"name": "sowing", "description": "Plans a bed", "location": "file:///./sowing"}
LENDING = {
    "name": "lending",
    "description": 'Lends "seeds": to all',
    "license": "CC0-1.0",
    "metadata": {"author": "Ada"},
    "allowed-tools": "lend",
    "tools": [{"name": "lend", "description": "Lends", "from": {"sourceNamespace": "shop", "action": "lend"}}],
}
FRONTMATTER = {"name": "sowing", "description": "Plans a bed.", "version": "1.10", "since": "2026-01-02", "works": True}
TEXT = (
    "---\nname: sowing\ndescription: Plans a bed.\nversion: '1.10'\nsince: 2026-01-02\nworks: true\n---\n# Sowing\r\n"
)


def write_files(root: Path, files: dict[str, str | bytes]) -> None:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Create the folder of the skill `sowing`, with files that must not be served."""
    files: dict[str, str | bytes] = {
        "SKILL.md": TEXT,
        "references/beds and rows.md": "# Beds é\n",
        "references/deep/logo.png": b"\x89PNG\r\n",
        "marked.md": b"\xef\xbb\xbf# Mark\n",
        "latin.txt": b"\xe9",
        "LICENSE": "CC0\n",
        ".env": "SECRET=1",
    }
    write_files(tmp_path / "sowing", files)
    (tmp_path / "outside.md").write_text("secret")
    (tmp_path / "sowing/out.md").symlink_to(tmp_path / "outside.md")
    return tmp_path


def document(*skills: dict[str, Any], mcp: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    operation = {"name": "lend", "description": "Lends", "outputParameters": [{"type": "string", "value": "lent"}]}
    exposed = {"type": "mcp", "namespace": "shop", "port": 0, "tools": [operation], "x-skills": ["garden"]}
    garden = {"type": "skill", "namespace": "garden", "port": 0, "skills": list(skills), **keys}
    return {
        "naftiko": "1.0.0-alpha2",
        "capability": {"exposes": [{**exposed, **mcp}, garden] if mcp else [exposed, garden]},
    }


def write_document(folder: Path, *skills: dict[str, Any], **keys: Any) -> Path:
    file = folder / "garden.yaml"
    file.write_text(yaml.safe_dump(document(*skills, **keys)))
    return file


def build_host(file: Path) -> Host:
    return Host(file, plugins=Plugins.installed())


@asynccontextmanager
async def serving(folder: Path, *skills: dict[str, Any], **keys: Any) -> AsyncIterator[tuple[str, Ask]]:
    """Serve skills; yield the URL, and a function that returns the result or the error of a request."""
    async with running(write_document(folder, *skills, **keys)) as served, aiohttp.ClientSession() as session:
        yield served.url("shop"), asker(session, served.url("shop"))


def asker(session: aiohttp.ClientSession, url: str) -> Ask:
    async def ask(method: str, version: str = VERSION, **params: Any) -> Any:
        headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": version}
        if version == VERSION:
            prefix = "io.modelcontextprotocol/"
            meta = {f"{prefix}protocolVersion": version, f"{prefix}clientCapabilities": {}}
            params, headers = {**params, "_meta": meta}, {**headers, "Mcp-Method": method}
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with session.post(url, json=message, headers=headers) as response:
            body = await response.json()
        return body.get("result") or (body["error"]["code"], body["error"]["message"])

    return ask


async def test_extension_is_declared_for_the_stateless_revision(folder: Path) -> None:
    async with serving(folder, SOWING) as (url, ask):
        discovered = await ask("server/discover")
        assert discovered["capabilities"]["extensions"] == {"io.modelcontextprotocol/skills": {"directoryRead": True}}
        async with Client(url, mode="legacy") as client:
            assert client.server_capabilities is not None
            assert client.server_capabilities.extensions is None
            assert client.server_capabilities.resources is not None
        code, message = await ask("skills/list", "2025-11-25")
    assert (code, message) == (-32601, "the Skills extension needs MCP 2026-07-28")


async def test_no_extension_without_skills(folder: Path) -> None:
    async with serving(folder, SOWING, mcp={"x-skills": []}) as (_, ask):
        assert "extensions" not in (await ask("server/discover"))["capabilities"]
        assert (await ask("skills/list"))[0] == -32601


async def test_manifest_describes_every_byte(folder: Path) -> None:
    async with serving(folder, SOWING, mcp={"ttlMs": 5, "cacheScope": "public"}) as (url, ask):
        listed = await ask("skills/list")
        got = await ask("skills/get", uri=f"{ROOT}/SKILL.md")
        async with Client(url, mode="auto") as client:
            for entry in listed["skills"][0]["resources"]:
                (content,) = (await client.read_resource(entry["uri"])).contents
                if isinstance(content, TextResourceContents):
                    body = content.text.encode()
                else:
                    body = base64.b64decode(content.blob)
                assert (len(body), f"sha256:{hashlib.sha256(body).hexdigest()}") == (entry["size"], entry["digest"])
    (skill,) = listed["skills"]
    assert got["skill"] == skill
    assert skill["frontmatter"] == FRONTMATTER
    assert [entry["uri"].removeprefix(f"{ROOT}/") for entry in skill["resources"]] == [
        "SKILL.md",
        "LICENSE",
        "latin.txt",
        "marked.md",
        "references/beds%20and%20rows.md",
        "references/deep/logo.png",
    ]
    for result in (listed, got):
        assert (result["resultType"], result["ttlMs"], result["cacheScope"]) == ("complete", 5, "public")
        assert "nextCursor" not in result


async def test_directories(folder: Path) -> None:
    async with serving(folder, SOWING, LENDING) as (_, ask):
        listed = {}
        for uri in ("skill://garden", ROOT, f"{ROOT}/references", f"{ROOT}/references/deep"):
            result = await ask("resources/directory/read", uri=uri)
            assert result["resultType"] == "complete"
            listed[uri] = {entry["uri"].rpartition("/")[2]: entry["mimeType"] for entry in result["resources"]}
        for uri in (f"{ROOT}/SKILL.md", f"{ROOT}/none", f"{ROOT}/", "skill://other", f"{ROOT}/../lending"):
            assert await ask("resources/directory/read", uri=uri) == (-32602, f"{uri} is not a directory")
    assert listed["skill://garden"] == {"sowing": "inode/directory", "lending": "inode/directory"}
    assert listed[ROOT]["references"] == "inode/directory"
    assert listed[ROOT]["SKILL.md"] == "text/markdown"
    assert listed[f"{ROOT}/references"] == {"beds%20and%20rows.md": "text/markdown", "deep": "inode/directory"}
    assert listed[f"{ROOT}/references/deep"] == {"logo.png": "image/png"}


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_resources_list_has_only_the_main_files(folder: Path, mode: str) -> None:
    async with serving(folder, SOWING, LENDING) as (url, _), Client(url, mode=mode) as client:
        resources = (await client.list_resources()).resources
        for path in (".env", "out.md", "references", "missing.md", "SKILL.md/x"):
            with pytest.raises(MCPError, match="not found"):
                await client.read_resource(f"{ROOT}/{path}")
    assert [(each.uri, each.name, each.description, each.mime_type) for each in resources] == [
        (f"{ROOT}/SKILL.md", "sowing", "Plans a bed.", "text/markdown"),
        ("skill://garden/lending/SKILL.md", "lending", LENDING["description"], "text/markdown"),
    ]
    assert resources[0].size == len(TEXT.encode())


async def test_skill_without_files_gets_a_main_file(folder: Path) -> None:
    uri = "skill://garden/lending/SKILL.md"
    async with serving(folder, LENDING) as (url, ask), Client(url, mode="auto") as client:
        skill = (await ask("skills/get", uri=uri))["skill"]
        (content,) = (await client.read_resource(uri)).contents
    assert skill["frontmatter"] == {key: value for key, value in LENDING.items() if key != "tools"}
    assert isinstance(content, TextResourceContents)
    _, frontmatter, body = content.text.split("---\n")
    assert yaml.safe_load(frontmatter) == skill["frontmatter"]
    assert "- `lend` (`lend` of `shop`): Lends" in body


@pytest.mark.parametrize("uri", [ROOT, f"{ROOT}/LICENSE", "skill://garden/none/SKILL.md", "x" * 10_000])
async def test_get_of_anything_but_a_skill(folder: Path, uri: str) -> None:
    async with serving(folder, SOWING) as (_, ask):
        assert await ask("skills/get", uri=uri) == (-32602, f"no skill is served at {uri[:200]}")


async def test_changes_need_no_reload(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = folder / "sowing/SKILL.md"
    async with serving(folder, SOWING) as (_, ask):
        before = (await ask("skills/list"))["skills"]
        file.write_text("---\nname: sowing\ndescription: New words.\n---\n")
        (changed,) = (await ask("skills/list"))["skills"]
        file.write_text("---\nname: reaping\ndescription: D\n---\n")
        with caplog.at_level(logging.WARNING):
            assert (await ask("skills/list"))["skills"] == []
            assert (await ask("skills/get", uri=f"{ROOT}/SKILL.md"))[0] == -32602
            assert (await ask("resources/directory/read", uri=f"{ROOT}/references"))[0] == -32602
    assert changed["frontmatter"]["description"] == "New words."
    assert changed["resources"][0] != before[0]["resources"][0]
    assert changed["resources"][1:] == before[0]["resources"][1:]
    expected = "skill 'sowing' is not served over MCP: the name in SKILL.md is 'reaping', not 'sowing'"
    # The files are read once, although three requests need them.
    assert [record.message for record in caplog.records if record.name == "adapter_host.mcp"] == [expected]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"SKILL.md": "# Sowing"}, "SKILL.md has no frontmatter; begin it with the line '---'"),
        ({"SKILL.md": b"---\nname: \xff\n---\n"}, "SKILL.md is not UTF-8"),
        ({"SKILL.md": "---\nname: sowing\n---\n"}, "the frontmatter of SKILL.md has no text for 'description'"),
        ({"SKILL.md": "---\nname: sowing\ndescription: [a]\n---\n"}, "no text for 'description'"),
        ({"SKILL.md": "---\nname: sowing\nname: b\n---\n"}, "is invalid at line 3: duplicate key 'name'"),
        ({"SKILL.md": "---\nname: sowing\ndescription: d\nn: .inf\n---\n"}, "has a number that JSON lacks"),
        ({"SKILL.md": f"---\nname: sowing\ndescription: {'d' * 1025}\n---\n"}, "more than 1,024 characters"),
        ({f"{number}.md": "" for number in range(512)}, "it has more than 512 files"),
        ({f"{number}.bin": b"0" * 2**23 for number in range(3)}, "its files are larger than 16 MiB in total"),
    ],
)
def test_warnings_for_skills_that_clients_would_refuse(tmp_path: Path, files: Any, expected: str) -> None:
    write_files(tmp_path / "sowing", files)
    (warning,) = build_host(write_document(tmp_path, SOWING)).warnings
    assert warning.code == "skill-not-served"
    assert warning.message.startswith("skill 'sowing' is not served over MCP: ")
    assert expected in warning.message


@pytest.mark.parametrize(
    ("skill", "keys", "code", "message"),
    [
        (SOWING, {"mcp": {"x-skills": ["gardn"]}}, "unknown-namespace", "did you mean 'garden'?"),
        (SOWING, {"mcp": {"x-skills": ["shop"]}}, "unknown-namespace", "(known: garden)"),
        ({**LENDING, "name": "To_Lend"}, {}, "skill-name", "clients of MCP refuse the name 'To_Lend'"),
        ({**LENDING, "name": "to--lend"}, {}, "skill-name", "at most 64 of a-z, 0-9 and single '-'"),
        ({**LENDING, "name": "a" * 65}, {}, "skill-name", "at most 64"),
        (
            SOWING,
            {"authentication": {"type": "bearer", "token": "t"}},
            "skills-without-authentication",
            "the skills of 'garden' need authentication there, and none here; set 'authentication'",
        ),
    ],
)
def test_invalid_declarations(folder: Path, skill: Any, keys: Any, code: str, message: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        build_host(write_document(folder, skill, **keys))
    (problem,) = [each for each in caught.value.problems if each.code == code]
    assert message in problem.message


async def test_skills_need_the_authentication_of_the_endpoint(folder: Path) -> None:
    guarded = {"type": "bearer", "token": "secret-token"}
    file = write_document(folder, SOWING, mcp={"authentication": guarded}, authentication=guarded)
    async with running(file) as served:
        url = served.url("shop")
        async with aiohttp.ClientSession() as session, session.post(url, json={}) as refused:
            assert refused.status == 401
        async with aiohttp.ClientSession(headers={"Authorization": "Bearer secret-token"}) as session:
            assert len((await asker(session, url)("skills/list"))["skills"]) == 1


async def test_pages_hold_a_bounded_number_of_skills(folder: Path) -> None:
    skills = [{**LENDING, "name": f"lending-{number}"} for number in range(101)]
    async with serving(folder, *skills) as (_, ask):
        first = await ask("skills/list")
        second = await ask("skills/list", cursor=first["nextCursor"])
        unknown = await ask("skills/list", cursor="x")
    names = [skill["frontmatter"]["name"] for page in (first, second) for skill in page["skills"]]
    assert names == [skill["name"] for skill in skills]
    assert (len(first["skills"]), "nextCursor" in second) == (100, False)
    assert unknown[0] == -32602
