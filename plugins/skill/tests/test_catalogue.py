"""Tests of the list and details of skills."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from syrupy.assertion import SnapshotAssertion

from adapter_host.testing import running

from .conftest import Document, Serve

FIND = {"name": "find", "description": "Finds", "from": {"sourceNamespace": "tools", "action": "find"}}
READ = {"name": "read", "description": "Reads", "from": {"sourceNamespace": "api", "action": "read"}}
PLAN = {"name": "plan", "description": "Plans", "instruction": "references/beds.md"}
PLAIN = {"name": "plain", "description": "Says what it is"}


async def test_list_skills(serve: Serve) -> None:
    licensed = {"name": "both", "description": "Both kinds", "license": "MIT", "tools": [FIND, READ]}
    async with serve(licensed, PLAIN) as client:
        response = await client("/skills")
    assert response.status == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.data == {
        "count": 2,
        "skills": [
            {"name": "both", "description": "Both kinds", "license": "MIT", "tools": ["find", "read"]},
            {"name": "plain", "description": "Says what it is", "tools": []},
        ],
    }


@pytest.mark.parametrize(
    ("tool", "action", "name", "description"),
    [
        ({}, "find", "find", "Finds"),
        ({"name": "seek"}, "find", "seek", "Finds"),
        ({"description": "Seeks"}, "find", "find", "Seeks"),
        ({}, "search", "search", "Searches"),
    ],
)
async def test_tool_has_name_and_description_of_its_source(
    serve: Serve, tool: dict[str, str], action: str, name: str, description: str
) -> None:
    source = {"from": {"sourceNamespace": "tools", "action": action}}
    async with serve({"name": "a", "description": "A", "tools": [{**tool, **source}]}) as client:
        (described,) = (await client("/skills/a")).data["tools"]
        (listed,) = (await client("/skills")).data["skills"]
    assert (described["name"], described["description"]) == (name, description)
    assert listed["tools"] == [name]


async def test_skill_details(serve: Serve, folder: Path) -> None:
    skill = {
        "name": "sowing",
        "description": "Plans",
        "license": "CC0-1.0",
        "compatibility": "Any agent",
        "metadata": {"author": "me", "edition": 2},
        "allowed-tools": "find read",
        "argument-hint": "[month]",
        "user-invocable": False,
        "disable-model-invocation": True,
        "location": folder.as_uri(),
        "tools": [FIND, READ, PLAN],
    }
    async with serve(skill) as client:
        details = (await client("/skills/sowing")).data
    tools = details.pop("tools")
    declared = {key: value for key, value in skill.items() if key not in ("tools", "location")}
    assert details == {**declared, "metadata": {"author": "me", "edition": "2"}}
    assert tools == [
        {
            "name": "find",
            "description": "Finds",
            "type": "derived",
            "invocationRef": {"targetNamespace": "tools", "action": "find", "mode": "mcp"},
        },
        {
            "name": "read",
            "description": "Reads",
            "type": "derived",
            "invocationRef": {"targetNamespace": "api", "action": "read", "mode": "rest"},
        },
        {"name": "plan", "description": "Plans", "type": "instruction", "instruction": "references/beds.md"},
    ]


async def test_undeclared_members_are_omitted(serve: Serve) -> None:
    async with serve(PLAIN) as client:
        assert (await client("/skills/plain")).data == {
            "name": "plain",
            "description": "Says what it is",
            "user-invocable": True,
            "disable-model-invocation": False,
            "tools": [],
        }


@pytest.mark.parametrize("source", [("tools", "search"), ("api", "read"), ("api", "search")])
async def test_action_names(serve: Serve, source: tuple[str, str]) -> None:
    namespace, action = source
    skill = {**PLAIN, "tools": [{**FIND, "from": {"sourceNamespace": namespace, "action": action}}]}
    async with serve(skill) as client:
        (tool,) = (await client("/skills/plain")).data["tools"]
    assert tool["invocationRef"]["action"] == action


@pytest.mark.parametrize("path", ["/skills", "/skills/plain", "/skills/sowing/contents", "/skills/sowing/download"])
async def test_if_none_match(serve: Serve, folder: Path, path: str) -> None:
    async with serve(PLAIN, {**PLAIN, "name": "sowing", "location": folder.as_uri()}) as client:
        first = await client(path)
        tag = first.headers["ETag"]
        for cached in (tag, f'"other", {tag}', f"W/{tag}", "*"):
            again = await client(path, headers={"If-None-Match": cached})
            assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
        assert (await client(path, headers={"If-None-Match": '"other"'})).body == first.body


async def test_head_response_has_no_body(serve: Serve, folder: Path) -> None:
    async with serve({**PLAIN, "location": folder.as_uri()}) as client:
        for path in ("/skills", "/skills/plain/contents/SKILL.md", "/skills/plain/download"):
            get, head = await client(path), await client(path, "HEAD")
            assert (head.status, head.body) == (200, b"")
            for name in ("Content-Length", "Content-Type", "ETag"):
                assert head.headers[name] == get.headers[name]


async def test_trailing_slash_is_ignored(serve: Serve, folder: Path) -> None:
    async with serve({**PLAIN, "location": folder.as_uri()}) as client:
        for path in ("/skills", "/skills/plain", "/skills/plain/contents", "/skills/plain/download"):
            assert (await client(f"{path}/")).body == (await client(path)).body


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/skills/other",
        "/skills/other/contents",
        "/skills/other/contents/SKILL.md",
        "/skills/other/download",
        "/skills/plain/contents",
        "/skills/plain/contents/SKILL.md",
        "/skills/plain/download",
        "/skills/plain/other",
        "/skills/%ff",
    ],
)
async def test_not_found(serve: Serve, path: str, snapshot: SnapshotAssertion) -> None:
    async with serve(PLAIN) as client:
        response = await client(path)
    assert response.status == 404
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.data["status"] == 404
    assert response.data["detail"] == snapshot


@pytest.mark.parametrize("path", ["/skills", "/skills/plain", "/skills/plain/download", "/skills/plain/contents/a"])
async def test_method_not_allowed(serve: Serve, path: str, snapshot: SnapshotAssertion) -> None:
    async with serve(PLAIN) as client:
        for method in ("POST", "PUT", "DELETE"):
            response = await client(path, method)
            assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
            assert response.data["detail"] == snapshot(name=method)
        response = await client(path, "OPTIONS")
        assert (response.status, response.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")


async def test_authentication(serve: Serve) -> None:
    token, settings = {"type": "bearer", "token": "{{TOKEN}}"}, {"environment": {"TOKEN": "a-secret"}}
    async with serve(PLAIN, settings=settings, authentication=token) as client:
        for path in ("/skills", "/skills/plain/download"):
            assert (await client(path)).status == 401
        assert (await client("/skills", headers={"Authorization": "Bearer a-secret"})).status == 200


async def test_exposers_sharing_a_port(document: Document) -> None:
    both: Any = document(PLAIN)
    exposed = both["capability"]["exposes"]
    exposed.append({**exposed[0], "namespace": "other", "skills": [{**PLAIN, "name": "second"}]})
    async with running(both) as host, ClientSession() as session:
        for namespace, name in (("catalogue", "plain"), ("other", "second")):
            async with session.get(f"{host.url(namespace)}/skills/{name}") as response:
                assert (await response.json())["name"] == name


async def test_host_restarts(document: Document) -> None:
    async with running(document(PLAIN)) as served, ClientSession() as session:
        for _ in range(2):
            async with session.get(f"{served.url('catalogue')}/skills") as response:
                assert response.status == 200
            await served.host.stop()
            await served.host.start()


async def test_idle_connection_does_not_delay_stop(serve: Serve) -> None:
    async with serve(PLAIN) as client:
        assert (await client("/skills")).status == 200
        await client.host.drain()
        await client.host.stop()
        assert {status.url for status in client.host.status()} == {None}
